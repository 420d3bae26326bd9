#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The router, HAProxy (one thread) and openssl s_server on the same machine in the same
# run, TLS 1.3, P-256, the same certificates: handshakes per CPU-second of the server
# under `openssl s_time`, without and with a certificate of the client's; then bytes per
# CPU-second where TLS comes in and text goes out, for the router and HAProxy. Needs
# Debian's haproxy.
#
#   bench/compare_tls.sh [SECONDS per figure, default 5]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-5}
build=${BUILD:-build/release}
command -v haproxy >/dev/null || {
	echo "compare_tls: needs haproxy: apt-get install --no-install-recommends haproxy" >&2
	exit 1
}
dir=$(mktemp -d)
pids=()

finish() {
	((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$dir"
}
trap finish EXIT

# --- certificates

extensions_of() {
	printf 'basicConstraints=critical,CA:%s\nkeyUsage=critical,%s\n' "$2" "$3"
	[[ $2 == TRUE ]] || printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$1"
}

# issue NAME ISSUER TRUE|FALSE USAGE
issue() {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/$1.key" 2>/dev/null
	openssl req -new -key "$dir/$1.key" -subj "/CN=$1" -out "$dir/$1.csr"
	openssl x509 -req -in "$dir/$1.csr" -days 2 -out "$dir/$1.crt" \
		-extfile <(extensions_of "$1" "$3" "$4") "${@:5}" 2>/dev/null
	cat "$dir/$1.crt" "$dir/$1.key" >"$dir/$1.pem"
}

certificates_make() {
	issue root - TRUE keyCertSign -signkey "$dir/root.key"
	issue server.test root FALSE digitalSignature -CA "$dir/root.crt" -CAkey "$dir/root.key" -CAcreateserial
	issue client.test root FALSE digitalSignature -CA "$dir/root.crt" -CAkey "$dir/root.key" -CAcreateserial
	mkdir "$dir/certs"
	cp "$dir/server.test.pem" "$dir/certs/"
}

# --- servers

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start NAME command...: the process is in $pid, its output in a file
start() {
	"${@:2}" >"$dir/$1.log" 2>&1 </dev/null &
	pid=$!
	pids+=("$pid")
}

wait_port() {
	for _ in {1..100}; do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		sleep 0.05
	done
	echo "compare_tls: nothing listens on port $1" >&2
	cat "$dir"/*.log >&2
	exit 1
}

router_start() {
	local component
	router_port=$(free_port) component=$(free_port)
	(umask 077 && head -c 32 /dev/urandom | base64 >"$dir/secret")
	printf 'backend b component secret-file=secret\nserver.test b\n' >"$dir/routes"
	start router "$build/sluice" --name server.test --listen "127.0.0.1:$(free_port)" \
		--listen-tls "127.0.0.1:$router_port" --component-listen "127.0.0.1:$component" \
		--routes "$dir/routes" --secret-file "$dir/secret" --cert-dir "$dir/certs" \
		--ca-file "$dir/root.crt" --log-level error
	router=$pid
	wait_port "$router_port"
}

# One port that shakes hands only, one that hands the text on.
haproxy_start() {
	local tls="ssl crt $dir/server.test.pem ca-file $dir/root.crt verify optional ssl-min-ver TLSv1.3"
	haproxy_port=$(free_port) relay_port=$(free_port) sink_port=$(free_port)
	cat >"$dir/haproxy.cfg" <<-EOF
		global
		    nbthread 1
		defaults
		    mode tcp
		    timeout connect 5s
		    timeout client 60s
		    timeout server 60s
		frontend handshakes
		    bind 127.0.0.1:$haproxy_port $tls
		    tcp-request content reject
		frontend relay
		    bind 127.0.0.1:$relay_port $tls
		    default_backend sink
		backend sink
		    server s 127.0.0.1:$sink_port
	EOF
	start haproxy haproxy -db -f "$dir/haproxy.cfg"
	haproxy=$pid
	start sink python3 -c "
import socket
l = socket.create_server(('127.0.0.1', $sink_port))
while True:
    c = l.accept()[0]
    b = bytearray(1 << 20)
    while c.recv_into(b): pass"
	wait_port "$haproxy_port"
	wait_port "$sink_port"
}

openssl_start() {
	openssl_port=$(free_port)
	start s_server openssl s_server -accept "$openssl_port" -cert "$dir/server.test.crt" \
		-key "$dir/server.test.key" -CAfile "$dir/root.crt" -verify 3 -verify_quiet -quiet -tls1_3
	server=$pid
	wait_port "$openssl_port"
}

# --- figures

# CPU time of a process so far, in ticks.
cpu_of() {
	sed 's/^.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

# per_cpu COUNT TICKS
per_cpu() {
	awk -v n="$1" -v t="$2" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.0f", n * hz / t }'
}

# handshakes PID PORT [option of s_time]...
handshakes() {
	local before count
	before=$(cpu_of "$1")
	count=$(openssl s_time -connect "127.0.0.1:$2" -new -time "$seconds" -tls1_3 "${@:3}" 2>/dev/null |
		awk '/real seconds/ { print $1 }')
	per_cpu "$count" $(($(cpu_of "$1") - before))
}

row() {
	printf '%-24s %18s %18s\n' "$@"
}

handshake_rows() {
	local certificate=(-cert "$dir/client.test.crt" -key "$dir/client.test.key")
	row 'handshakes per CPU-s' 'no client cert' 'client cert'
	row sluice "$(handshakes "$router" "$router_port")" \
		"$(handshakes "$router" "$router_port" "${certificate[@]}")"
	row HAProxy "$(handshakes "$haproxy" "$haproxy_port")" \
		"$(handshakes "$haproxy" "$haproxy_port" "${certificate[@]}")"
	row 'openssl s_server' "$(handshakes "$server" "$openssl_port")" \
		"$(handshakes "$server" "$openssl_port" "${certificate[@]}")"
}

relay_rows() {
	local stanza bytes before stanzas
	stanza="<message from='user@d1.bench-origin.test/x' to='user@hosted.bench.test' type='chat'><body>"
	stanza+=$(printf '%*s' $((296 - ${#stanza} - 17)) '' | tr ' ' x)'</body></message>'
	bytes=$((1 << 29))
	before=$(cpu_of "$haproxy")
	{ yes "$stanza" || true; } | head -c "$bytes" |
		openssl s_client -connect "127.0.0.1:$relay_port" -quiet -no_ign_eof -tls1_3 >/dev/null 2>&1
	row '' 'MB per CPU-s' 'stanzas per CPU-s'
	stanzas=$((bytes / 296))
	before=$(($(cpu_of "$haproxy") - before))
	row 'HAProxy: bytes only' "$(per_cpu $((bytes / 1000000)) "$before")" \
		"$(per_cpu "$stanzas" "$before")"
	stanzas=$("$build/sluice-bench" --router "$build/sluice" --tls direct --stanzas 2000000 |
		awk '/^stanzas per CPU-second of the server/ { print $7 }')
	row 'sluice: routed' $((stanzas * 296 / 1000000)) "$stanzas"
}

certificates_make
router_start
haproxy_start
openssl_start
handshake_rows
relay_rows
echo
openssl speed -seconds 1 ecdsap256 ecdhx25519 2>/dev/null | grep -E '^ +(sign|op|[0-9]+ bits)'
