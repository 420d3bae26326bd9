#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes a Debian 12 machine ready to build and test sluice: installs Debian's
# packages and builds wolfSSL, with its assembler, from Debian's source package
# into .deps/. Run it as root or as a user with sudo; run it as often as you like.
#
#   scripts/setup.sh             everything that building and testing needs
#   scripts/setup.sh --build     only what building needs
#   scripts/setup.sh --refresh   look for a newer wolfSSL in Debian as well
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/.deps
policy=/usr/sbin/policy-rc.d

build_packages=(
	build-essential clang clang-14 cmake ninja-build pkg-config git
	liburing-dev libxml2-dev libjemalloc-dev libc-ares-dev libidn2-dev libssl-dev
	autoconf automake libtool dpkg-dev ca-certificates openssl
)
test_packages=(
	clang-format clang-tidy libclang-rt-14-dev llvm-14 afl++ libcriterion-dev libexpat1-dev
	python3 python3-cryptography python3-pytest python3-slixmpp valgrind spin
	prosody lua-unbound ejabberd erlang-base jabberd2 unbound
	libwolfssl-dev
)

# cmake/FindWolfSSL.cmake asks for three of the defines and says what for. WOLFSSL_ALT_NAMES
# lets generated certificates carry subjectAltName. MD5 and SHA-224 go (the latter would be
# offered for signatures in TLS 1.2), SHA-1 stays: not for TLS, but XEP-0114 needs the bare
# hash. Peers' certificates are copied out during the handshake (net/tls_setup.c):
# SESSION_CERTS and KEEP_PEER_CERT would hold them a second and third time, in more than
# 40 KiB of fixed buffers per connection. WOLFSSL_GETRANDOM: each handshake seeds a
# generator, and must not need /dev/urandom opened for that. WOLFSSL_EXTRA_ALERTS: peers
# are told why a handshake failed.
wolfssl_options=(
	--disable-shared --enable-static --with-pic
	--disable-examples --disable-crypttests --disable-benchmark
	--enable-tls13 --enable-tlsv12 --disable-oldtls --disable-tlsv10 --disable-sslv3
	--disable-anon --disable-arc4 --disable-des3 --disable-md5 --disable-sha224 --enable-sha
	--enable-sni --enable-alpn --enable-session-ticket
	--enable-crl --enable-ocsp --enable-ocspstapling --enable-ocspstapling2
	--enable-certgen --enable-certext --enable-certreq --enable-keygen
	--enable-altcertchains
	--enable-ed25519 --enable-curve25519 --enable-ed448 --enable-curve448
	--enable-sp
)
wolfssl_cflags="-O2 -g -fPIC -fstack-protector-strong \
-DWOLFSSL_ALT_NAMES -DWOLFSSL_GETRANDOM -DWOLFSSL_EXTRA_ALERTS \
-DWOLFSSL_ALT_CERT_CHAINS -DIGNORE_KEY_EXTENSIONS -DWOLFSSL_ALWAYS_VERIFY_CB"

if [[ $(uname -m) == x86_64 ]]; then
	wolfssl_options+=(--enable-intelasm --enable-aesni --enable-sp-asm)
fi

say() { printf 'setup: %s\n' "$*"; }
warn() { printf 'setup: WARNING: %s\n' "$*" >&2; }
die() {
	printf 'setup: %s\n' "$*" >&2
	exit 1
}

as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root: run it as root, or install sudo"
	fi
}

# --- Debian's packages ------------------------------------------------------

# Prints those of the named packages that are not installed.
missing_packages() {
	local installed p
	installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null |
		awk '$1 == "ii" { print $2 }') || true
	for p in "$@"; do
		grep -qxF -- "$p" <<<"$installed" || printf '%s\n' "$p"
	done
}

policy_is_ours=0

remove_policy() {
	((policy_is_ours)) || return 0
	as_root rm -f "$policy"
	policy_is_ours=0
}

# The tests start servers themselves, with their own files and ports; installing
# Prosody must not open port 5269. A policy that is already there is respected.
forbid_daemon_start() {
	[[ -e $policy ]] && return
	policy_is_ours=1
	trap remove_policy EXIT
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
}

# A service that came only for the tests must not start at the next boot either.
disable_services_of() {
	local p unit
	command -v systemctl >/dev/null || return 0
	for p in "$@"; do
		for unit in $(dpkg -L "$p" |
			sed -n 's#.*/systemd/system/\([^/@]*\.\(service\|socket\)\)$#\1#p'); do
			as_root systemctl --quiet --no-reload disable "$unit" >/dev/null 2>&1 || true
		done
	done
}

install_packages() {
	local missing
	mapfile -t missing < <(missing_packages "$@")
	((${#missing[@]})) || return 0
	say "installing ${missing[*]}"
	forbid_daemon_start
	as_root apt-get -q update || warn "the package lists could not be updated; going on with the old ones"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 install "${missing[@]}"
	disable_services_of "${missing[@]}"
	remove_policy
}

# --- wolfSSL ----------------------------------------------------------------

# Debian's own entries of the classic lists, as deb-src.
classic_sources() {
	awk -v codename="$1" '
		$1 != "deb" || / cdrom:/ { next }
		{
			line = $0
			sub(/\[[^]]*\]/, "", line)
			n = split(line, f)
			main = 0
			for (i = 4; i <= n; i++)
				if (f[i] == "main")
					main = 1
			if (main && f[3] ~ "^" codename "(-updates|-security)?$") {
				sub(/^[ \t]*deb/, "deb-src")
				print
			}
		}' "${@:2}"
}

# Debian's own entries of the deb822 files, as deb-src.
deb822_sources() {
	local file
	for file in "${@:2}"; do
		sed -e '/^#/d' -e 's/^[ \t]*$//' "$file"
		echo
	done | awk -v codename="$1" -v RS= -v FS='\n' '
		{
			split("", value)
			rest = ""
			for (i = 1; i <= NF; i++) {
				if ($i !~ /^[ \t]/) {
					name = tolower($i)
					sub(/:.*/, "", name)
				}
				text = $i
				if ($i !~ /^[ \t]/)
					sub(/^[^:]*:/, "", text)
				value[name] = value[name] " " text
				if (name !~ /^(types|suites|enabled|architectures)$/)
					rest = rest $i "\n"
			}
			suites = ""
			n = split(value["suites"], s, " ")
			for (i = 1; i <= n; i++)
				if (s[i] ~ "^" codename "(-updates|-security)?$")
					suites = suites " " s[i]
			if (suites == "" || value["enabled"] ~ /no/)
				next
			if ((value["types"] " ") !~ / deb / || (value["components"] " ") !~ / main /)
				next
			printf "Types: deb-src\nSuites:%s\n%s\n", suites, rest
		}'
}

# Writes the machine's own entries, turned into source entries, to a private
# folder. The system's configuration stays as it is.
write_sources() {
	local codename list='' parts='' classic=() deb822=()
	codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
	[[ -n $codename ]] || return 1
	eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
	[[ -f $list ]] && classic+=("$list")
	shopt -s nullglob
	classic+=("$parts"/*.list)
	deb822+=("$parts"/*.sources)
	shopt -u nullglob
	rm -rf "$deps/apt"
	mkdir -p "$deps"/apt/{sources.d,lists/partial,cache/archives/partial,download}
	if ((${#classic[@]})); then
		classic_sources "$codename" "${classic[@]}" >"$deps/apt/sources.d/debian.list"
	fi
	if ((${#deb822[@]})); then
		deb822_sources "$codename" "${deb822[@]}" >"$deps/apt/sources.d/debian.sources"
	fi
	grep -qs deb-src "$deps"/apt/sources.d/*
}

# apt-get on the private folders. Its sandbox user need not be able to enter the
# checkout, so the sandbox is off; signatures and checksums are verified all the same.
private_apt() {
	apt-get -q \
		-o Dir::Etc::sourcelist=/dev/null \
		-o Dir::Etc::sourceparts="$deps/apt/sources.d" \
		-o Dir::State::lists="$deps/apt/lists" \
		-o Dir::Cache="$deps/apt/cache" \
		-o APT::Sandbox::User=root \
		-o Acquire::Languages=none -o Acquire::Retries=2 "$@"
}

fetch_wolfssl() {
	echo "looking for Debian's own entries among apt's sources" >"$deps/wolfssl-build.log"
	write_sources || return 1
	private_apt update >>"$deps/wolfssl-build.log" 2>&1 || return 1
	(cd "$deps/apt/download" && private_apt source --download-only wolfssl) \
		>>"$deps/wolfssl-build.log" 2>&1 || return 1
}

compile_wolfssl() {
	local prefix=$1 dsc=$2
	rm -rf "$prefix" "$deps/build"
	mkdir -p "$deps/build"
	dpkg-source -x "$dsc" "$deps/build/wolfssl"
	cd "$deps/build/wolfssl"
	# Creates a few empty files that the Makefiles expect, then runs autoreconf.
	sh autogen.sh
	./configure --prefix="$prefix" --libdir="$prefix/lib" \
		"${wolfssl_options[@]}" CFLAGS="$wolfssl_cflags"
	make -j"$(nproc)"
	make install
}

# A library whose assembler was silently left out works, 30 times slower.
check_assembler() {
	[[ $(uname -m) == x86_64 ]] || return 0
	local insn
	for insn in aesenc mulx; do
		(($(objdump -d "$1/lib/libwolfssl.a" | grep -cw "$insn") > 0)) ||
			die "the wolfSSL just built contains no $insn instruction: its assembler is missing"
	done
}

recipe() {
	printf '%s\n' "${wolfssl_options[@]}" "$wolfssl_cflags" | sha256sum | cut -d' ' -f1
}

wolfssl_is_built() {
	[[ -f $1/.stamp && $(<"$1/.stamp") == "$(recipe)" ]]
}

build_wolfssl() {
	local dsc version prefix
	dsc=$(echo "$deps"/apt/download/wolfssl_*.dsc)
	version=$(awk '$1 == "Version:" { print $2; exit }' "$dsc")
	prefix=$deps/wolfssl-${version#*:}
	if ! wolfssl_is_built "$prefix"; then
		say "building wolfSSL $version; this takes about half a minute"
		# In a process of its own, since bash ignores set -e inside a condition.
		(compile_wolfssl "$prefix" "$dsc") >>"$deps/wolfssl-build.log" 2>&1 &
		wait $! || {
			tail -n 20 "$deps/wolfssl-build.log" >&2
			die "wolfSSL $version does not build, see .deps/wolfssl-build.log"
		}
		check_assembler "$prefix"
		recipe >"$prefix/.stamp"
	fi
	ln -sfnT "$(basename "$prefix")" "$deps/wolfssl"
	rm -rf "$deps/build" "$deps/apt" "$deps/wolfssl-system"
}

use_system_wolfssl() {
	warn "the source package of wolfSSL cannot be had from this machine's package sources" \
		"(see .deps/wolfssl-build.log): falling back to Debian's binary. It has no AES" \
		"instructions, and lacks defines that authentication by certificate rests on." \
		"Configure with -DSLUICE_SYSTEM_WOLFSSL=ON. Try again with scripts/setup.sh --refresh."
	install_packages libwolfssl-dev
	rm -rf "$deps/apt" "$deps/wolfssl"
	touch "$deps/wolfssl-system"
}

setup_wolfssl() {
	local refresh=$1
	if ((!refresh)); then
		wolfssl_is_built "$deps/wolfssl" && return
		if [[ -e $deps/wolfssl-system ]]; then
			warn "using the system's wolfSSL; scripts/setup.sh --refresh tries to build the tuned one"
			install_packages libwolfssl-dev
			return
		fi
	fi
	say "fetching the source package of wolfSSL"
	if fetch_wolfssl; then
		build_wolfssl
	elif wolfssl_is_built "$deps/wolfssl"; then
		warn "no source package to be had; keeping the wolfSSL that is there"
	else
		use_system_wolfssl
	fi
}

main() {
	local packages=("${build_packages[@]}" "${test_packages[@]}") refresh=0 arg
	for arg in "$@"; do
		case $arg in
		--build) packages=("${build_packages[@]}") ;;
		--refresh) refresh=1 ;;
		*) die "unknown option $arg (known: --build, --refresh)" ;;
		esac
	done
	command -v dpkg-query >/dev/null || die "this script knows Debian only"
	install_packages "${packages[@]}"
	mkdir -p "$deps"
	# Two checkouts' scripts may run at once, even in one checkout.
	exec 9>"$deps/lock"
	flock 9
	setup_wolfssl "$refresh"
	# Started through sudo: what we made belongs to the caller.
	if ((EUID == 0)) && [[ -n ${SUDO_UID:-} ]]; then
		chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$deps"
	fi
}

main "$@"
