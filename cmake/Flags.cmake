# SPDX-License-Identifier: GPL-2.0-or-later
#
# How everything is compiled: one interface target that every other one links.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)

# A router that aborts on a broken invariant keeps its checks in a release:
# no -DNDEBUG. The architecture's baseline, so that binaries can be moved.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

add_library(sluice_flags INTERFACE)
target_include_directories(sluice_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(sluice_flags INTERFACE
	-Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wundef -Werror)
# Defined empty, so that a source may still say "#define _GNU_SOURCE" itself.
target_compile_definitions(sluice_flags INTERFACE
	_GNU_SOURCE=
	SLUICE_VERSION="${PROJECT_VERSION}"
	SLUICE_SYSTEM_WOLFSSL=$<BOOL:${SLUICE_SYSTEM_WOLFSSL}>)

if(SLUICE_SANITIZE)
	set(_sanitize -fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all)
	target_compile_options(sluice_flags INTERFACE ${_sanitize})
	target_link_options(sluice_flags INTERFACE ${_sanitize})
	# Instrumented code is too much for gcc's flow analysis: false alarms.
	target_compile_options(sluice_flags INTERFACE -Wno-error=maybe-uninitialized)
	if(CMAKE_C_COMPILER_ID MATCHES Clang)
		target_compile_options(sluice_flags INTERFACE -Wno-unknown-warning-option)
	endif()
else()
	target_compile_options(sluice_flags INTERFACE -fstack-protector-strong)
	if(CMAKE_BUILD_TYPE STREQUAL "Release")
		target_compile_options(sluice_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
	endif()
	target_link_options(sluice_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(SLUICE_FUZZ)
	target_compile_options(sluice_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Tests ask for the failure of one allocation on behalf of a peer (core/base/mem.h).
if(SLUICE_FAULT_INJECTION)
	target_compile_definitions(sluice_flags INTERFACE SLUICE_FAULT_INJECTION)
endif()

# jemalloc would take malloc away from the sanitizers.
add_library(sluice_malloc INTERFACE)
if(SLUICE_SANITIZE)
	target_compile_definitions(sluice_flags INTERFACE SLUICE_JEMALLOC=0)
else()
	pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
	target_compile_definitions(sluice_flags INTERFACE SLUICE_JEMALLOC=1)
	target_link_libraries(sluice_malloc INTERFACE PkgConfig::JEMALLOC)
endif()
