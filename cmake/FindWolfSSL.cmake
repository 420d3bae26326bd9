# SPDX-License-Identifier: GPL-2.0-or-later
#
# Finds wolfSSL and defines the target WolfSSL::WolfSSL.
#
#   WOLFSSL_ROOT           where to look; default .deps/wolfssl, which
#                          scripts/setup.sh builds
#   SLUICE_SYSTEM_WOLFSSL  ON takes the system's library, whatever it lacks
#
# Whom to trust is decided by net/tls_trust.c, from the certificates alone, with
# anchors that no handshake touches. In the handshake itself wolfSSL trusts nobody
# and is told to go on (net/tls_setup.c: on_verify); three defines keep what it does
# meanwhile without consequence:
#   WOLFSSL_ALT_CERT_CHAINS   without it, each CA that a peer sends is added to the
#                             store of the setup for good: memory that strangers
#                             fill, and later handshakes depend on earlier ones
#   WOLFSSL_ALWAYS_VERIFY_CB  without it, the callback, which keeps the peer's
#                             certificates for us, is not called for a chain that
#                             wolfSSL is content with: as if none had been shown
#   IGNORE_KEY_EXTENSIONS     without it, a complaint about what a key is for takes
#                             the place of a graver one; what it is for is decided
#                             by dialback/identity.c

set(_wolfssl_required WOLFSSL_ALT_CERT_CHAINS IGNORE_KEY_EXTENSIONS WOLFSSL_ALWAYS_VERIFY_CB)

if(SLUICE_SYSTEM_WOLFSSL)
	set(_wolfssl_root /usr)
	set(_wolfssl_names wolfssl)
elseif(WOLFSSL_ROOT)
	get_filename_component(_wolfssl_root "${WOLFSSL_ROOT}" ABSOLUTE BASE_DIR "${CMAKE_SOURCE_DIR}")
else()
	set(_wolfssl_root "${CMAKE_SOURCE_DIR}/.deps/wolfssl")
endif()

# Ours is static; of the system's the shared one, which security updates reach.
if(NOT SLUICE_SYSTEM_WOLFSSL)
	set(_wolfssl_names libwolfssl.a wolfssl)
endif()

# Looked up anew each time: what was found under another root must not stick.
unset(WOLFSSL_INCLUDE_DIR CACHE)
unset(WOLFSSL_LIBRARY CACHE)
find_path(WOLFSSL_INCLUDE_DIR wolfssl/options.h
	PATHS "${_wolfssl_root}/include" NO_DEFAULT_PATH)
find_library(WOLFSSL_LIBRARY NAMES ${_wolfssl_names}
	PATHS "${_wolfssl_root}"
	PATH_SUFFIXES lib lib64 "lib/${CMAKE_LIBRARY_ARCHITECTURE}" NO_DEFAULT_PATH)
mark_as_advanced(WOLFSSL_INCLUDE_DIR WOLFSSL_LIBRARY)

set(WOLFSSL_VERSION "")
if(WOLFSSL_INCLUDE_DIR)
	file(STRINGS "${WOLFSSL_INCLUDE_DIR}/wolfssl/version.h" _wolfssl_line
		REGEX "LIBWOLFSSL_VERSION_STRING")
	string(REGEX REPLACE ".*\"(.*)\".*" "\\1" WOLFSSL_VERSION "${_wolfssl_line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(WolfSSL
	REQUIRED_VARS WOLFSSL_LIBRARY WOLFSSL_INCLUDE_DIR
	VERSION_VAR WOLFSSL_VERSION
	REASON_FAILURE_MESSAGE
		"No wolfSSL under ${_wolfssl_root}. Run scripts/setup.sh, or name another build with -DWOLFSSL_ROOT=, or take the system's with -DSLUICE_SYSTEM_WOLFSSL=ON.")

if(WolfSSL_FOUND)
	find_package(Threads REQUIRED)
	if(NOT TARGET WolfSSL::WolfSSL)
		add_library(WolfSSL::WolfSSL UNKNOWN IMPORTED)
	endif()
	set_target_properties(WolfSSL::WolfSSL PROPERTIES
		IMPORTED_LOCATION "${WOLFSSL_LIBRARY}"
		INTERFACE_INCLUDE_DIRECTORIES "${WOLFSSL_INCLUDE_DIR}"
		INTERFACE_LINK_LIBRARIES "Threads::Threads;m")

	# The compiler is asked, with the very options.h that our sources include,
	# and the program is linked, so that headers without their library fail too.
	set(_wolfssl_checks "")
	foreach(_define IN LISTS _wolfssl_required)
		string(APPEND _wolfssl_checks "#ifndef ${_define}\n#error missing:${_define};\n#endif\n")
	endforeach()
	set(_wolfssl_test "${CMAKE_BINARY_DIR}/CMakeFiles/check_wolfssl.c")
	file(WRITE "${_wolfssl_test}" "#include <wolfssl/options.h>\n#include <wolfssl/ssl.h>\n"
		"${_wolfssl_checks}int main(void)\n{\n\treturn wolfSSL_Init() != WOLFSSL_SUCCESS;\n}\n")
	try_compile(_wolfssl_ok "${CMAKE_BINARY_DIR}/CMakeFiles/check_wolfssl" "${_wolfssl_test}"
		LINK_LIBRARIES WolfSSL::WolfSSL
		OUTPUT_VARIABLE _wolfssl_output)

	set(WOLFSSL_MISSING_DEFINES "")
	foreach(_define IN LISTS _wolfssl_required)
		string(FIND "${_wolfssl_output}" "missing:${_define}" _at)
		if(NOT _at EQUAL -1)
			list(APPEND WOLFSSL_MISSING_DEFINES ${_define})
		endif()
	endforeach()
	string(REPLACE ";" ", " _wolfssl_list "${WOLFSSL_MISSING_DEFINES}")

	if(_wolfssl_ok)
		message(STATUS "wolfSSL ${WOLFSSL_VERSION}: ${WOLFSSL_LIBRARY}")
	elseif(NOT WOLFSSL_MISSING_DEFINES)
		message(FATAL_ERROR "A program cannot be linked with ${WOLFSSL_LIBRARY}:\n${_wolfssl_output}")
	elseif(SLUICE_SYSTEM_WOLFSSL)
		message(WARNING "The system's wolfSSL ${WOLFSSL_VERSION} was built without ${_wolfssl_list}. "
			"What strangers send can fill its memory, certificates of peers can be overlooked, and without its assembler TLS is slow. "
			"scripts/setup.sh builds a better one.")
	else()
		message(FATAL_ERROR "wolfSSL ${WOLFSSL_VERSION} in ${_wolfssl_root} was built without ${_wolfssl_list}. "
			"With such a library what strangers send can fill the memory, and certificates of peers can be overlooked. "
			"Remedy: run scripts/setup.sh and leave WOLFSSL_ROOT at its default, "
			"or build wolfSSL with CFLAGS=\"-D...\" for each of them, "
			"or accept the system's library knowingly with -DSLUICE_SYSTEM_WOLFSSL=ON.")
	endif()
endif()
