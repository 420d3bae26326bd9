/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/base/x509.h"
#include "net/tls_impl.h"
#include "tls_pair.h"
#include "zoo.h"

TestSuite(tls, .timeout = 120);

Test(tls, both_ends_open_and_know_each_other)
{
	struct tls_world w;
	const struct span *chain;

	tls_world_make(&w);
	pair_open(&w.p);
	cr_assert_str_eq(tls_version(w.p.a.tls), "TLSv1.3");
	cr_assert_str_eq(tls_cipher(w.p.a.tls),
		tls_hardware_aes() ? "TLS13-AES128-GCM-SHA256" : "TLS13-CHACHA20-POLY1305-SHA256");
	cr_assert(tls_alpn(w.p.a.tls) && tls_alpn(w.p.o.tls));
	cr_assert(span_is(tls_server_name(w.p.a.tls), "server.test"));
	cr_assert_not(tls_resumed(w.p.a.tls));
	cr_assert_eq(tls_peer_verdict(w.p.a.tls), TLS_CERT_TRUSTED);
	cr_assert_eq(tls_peer_verdict(w.p.o.tls), TLS_CERT_TRUSTED);
	cr_assert_eq(tls_peer_chain(w.p.o.tls, &chain), 1);
	cr_assert(span_eq(chain[0], tls_cert_der(w.server)));
	cr_assert_eq(tls_peer_chain(w.p.a.tls, &chain), 1);
	cr_assert(span_eq(chain[0], tls_cert_der(w.client)));
	tls_peer_forget(w.p.a.tls);
	cr_assert_eq(tls_peer_chain(w.p.a.tls, &chain), 0);
	cr_assert_eq(tls_peer_verdict(w.p.a.tls), TLS_CERT_TRUSTED);
	tls_world_free(&w);
}

/* The key of the peer's certificate, as core/base/x509 reads it, if the library reads the same. */
Test(tls, the_key_that_the_peer_has_proven)
{
	struct tls_world w;
	struct x509 cert;
	const char *why;
	struct span key;
	int64_t ends;

	tls_world_make(&w);
	cr_assert_not(tls_peer_key(w.p.a.tls, &key, &ends), "before the handshake");
	pair_open(&w.p);
	cr_assert(tls_peer_key(w.p.a.tls, &key, &ends));
	cr_assert(x509_parse(tls_cert_der(w.client), &cert, &why));
	cr_assert(span_eq(key, cert.key));
	cr_assert_eq(ends, cert.not_after);
	cr_assert(tls_peer_key(w.p.o.tls, &key, &ends));
	cr_assert(x509_parse(tls_cert_der(w.server), &cert, &why));
	cr_assert(span_eq(key, cert.key));
	tls_peer_forget(w.p.a.tls);
	cr_assert_not(tls_peer_key(w.p.a.tls, &key, &ends));
	tls_world_free(&w);
}

Test(tls, T_S7_any_pieces)
{
	static const size_t pieces[] = { 1, 2, 3, 5, 7, 64, 1000 };
	struct tls_world w;

	tls_world_make(&w);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct pair p;

		pair_init(&p, tls_accept(w.accepting),
			tls_open(w.opening, SPAN_LIT("server.test"), true, SPAN_NONE));
		p.piece = pieces[i];
		p.room = pieces[i] * 3;
		pair_open(&p);
		pair_write(&p, &p.o, SPAN_LIT("<stream:stream>"));
		pair_write(&p, &p.a, SPAN_LIT("<?xml?>"));
		cr_assert(span_is(span_of(p.a.got.p, p.a.got.n), "<stream:stream>"));
		cr_assert(span_is(span_of(p.o.got.p, p.o.got.n), "<?xml?>"));
		pair_free(&p);
	}
	tls_world_free(&w);
}

/* Who takes it for one would wait for bytes that he does not let in. */
Test(tls, T_S7_part_of_a_hello_is_no_reason_to_read)
{
	char hello[TLS_RECORD_ROOM], answer[TLS_RECORD_ROOM];
	struct tls_io out = { .out = hello, .out_room = sizeof(hello) };
	struct tls_io in = { .out = answer, .out_room = sizeof(answer) };
	struct tls_world w;

	tls_world_make(&w);
	cr_assert_eq(tls_handshake(w.p.o.tls, &out), TLS_NEED_INPUT);
	in.in = span_of(hello, out.out_n - 2);
	cr_assert_eq(tls_handshake(w.p.a.tls, &in), TLS_NEED_INPUT);
	cr_assert_eq(in.in.n, 0);
	cr_assert_not(tls_readable(w.p.a.tls));
	for (size_t left = 2; left > 0; left--) {
		cr_assert(tls_keep(w.p.a.tls, span_of(hello + out.out_n - left, 1)));
		cr_assert(tls_readable(w.p.a.tls));
		(void)tls_handshake(w.p.a.tls, &in);
		cr_assert_not(tls_readable(w.p.a.tls));
	}
	cr_assert_gt(in.out_n, 0);
	tls_world_free(&w);
}

/* -- data -- */

static char text_at(size_t i)
{
	return (char)((i * 0x9e3779b97f4a7c15ull) >> 56);
}

static struct span text_make(size_t n)
{
	char *p = malloc(n);

	for (size_t i = 0; i < n; i++)
		p[i] = text_at(i);
	return span_of(p, n);
}

Test(tls, a_mebibyte_both_ways_with_tiny_room)
{
	struct tls_world w;
	struct span text = text_make(1u << 20);

	tls_world_make(&w);
	w.p.room = 999;
	pair_open(&w.p);
	pair_write(&w.p, &w.p.o, text);
	pair_write(&w.p, &w.p.a, text);
	cr_assert(span_eq(span_of(w.p.a.got.p, w.p.a.got.n), text));
	cr_assert(span_eq(span_of(w.p.o.got.p, w.p.o.got.n), text));
	free((void *)text.p);
	tls_world_free(&w);
}

Test(tls, pieces_become_full_records)
{
	struct tls_world w;
	struct span text = text_make(3 * TLS_RECORD + 100), pieces[1000];
	char *out = malloc(4 * TLS_RECORD_ROOM);
	struct tls_io io = { .out = out, .out_room = 4 * TLS_RECORD_ROOM };
	unsigned n = 0, records = 0;
	size_t at = 0;

	tls_world_make(&w);
	pair_open(&w.p);
	for (; at < text.n; n++) {
		pieces[n] = span_of(text.p + at, n == 3 ? 0 : text.n - at < 61 ? text.n - at : 61);
		at += pieces[n].n;
	}
	cr_assert_eq(tls_write(w.p.o.tls, &io, pieces, n), text.n);
	for (at = 0; at < io.out_n; records++) {
		size_t length = (size_t)(unsigned char)out[at + 3] << 8 |
			(unsigned char)out[at + 4];

		cr_assert_eq(out[at], 23);
		cr_assert(records == 3 || length > TLS_RECORD);
		at += 5 + length;
	}
	cr_assert_eq(records, 4);
	free(out);
	free((void *)text.p);
	tls_world_free(&w);
}

/* The reader's turn ends in the middle of what came in one buffer: nothing is lost or repeated. */
Test(tls, paused_in_mid_drain)
{
	struct tls_world w;
	struct span text = text_make(100000);
	char wire[120000], plain[1000], out[1000];
	struct tls_io io = { .out = wire, .out_room = sizeof(wire) };
	size_t total = 0, n;
	enum tls_next next;

	tls_world_make(&w);
	pair_open(&w.p);
	cr_assert_eq(tls_write(w.p.o.tls, &io, &text, 1), text.n);
	cr_assert_not(tls_readable(w.p.a.tls));
	io = (struct tls_io){ span_of(wire, io.out_n), out, 0, sizeof(out) };
	next = tls_read(w.p.a.tls, &io, plain, 500, &n);
	cr_assert_eq(next, TLS_AGAIN);
	cr_assert_eq(n, 500);
	cr_assert(tls_keep(w.p.a.tls, io.in));
	memset(wire, 'x', sizeof(wire));
	io.in = SPAN_NONE;
	do {
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(plain[i], text_at(total + i));
		total += n;
		cr_assert_eq(tls_readable(w.p.a.tls), total < text.n);
		next = tls_read(w.p.a.tls, &io, plain, sizeof(plain), &n);
	} while (next == TLS_AGAIN);
	cr_assert_eq(next, TLS_NEED_INPUT);
	cr_assert_eq(total + n, text.n);
	cr_assert_not(tls_keep(w.p.a.tls, span_of(wire, LIMIT_TLS_KEEP + 1)));
	free((void *)text.p);
	tls_world_free(&w);
}

/* Each key update asks for one in answer: who does not take the answers is not read. */
Test(tls, a_flood_of_key_updates)
{
	struct tls_world w;
	char wire[40000], plain[100], out[40000];
	struct tls_io io = { .out = wire, .out_room = sizeof(wire) };
	size_t n, sent;

	tls_world_make(&w);
	pair_open(&w.p);
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(wolfSSL_update_keys(w.p.o.tls->ssl), WOLFSSL_SUCCESS);
	cr_assert(tls_flush(w.p.o.tls, &io));
	sent = io.out_n;
	io = (struct tls_io){ .in = span_of(wire, sent), .out = out };
	cr_assert_eq(tls_read(w.p.a.tls, &io, plain, sizeof(plain), &n), TLS_NEED_ROOM);
	cr_assert_gt(io.in.n, sent - 100);
	cr_assert_eq(tls_read(w.p.a.tls, &io, plain, sizeof(plain), &n), TLS_NEED_ROOM);
	cr_assert_gt(io.in.n, sent - 100);
	while (io.in.n) {
		io.out_n = 0;
		io.out_room = sizeof(out);
		(void)tls_read(w.p.a.tls, &io, plain, sizeof(plain), &n);
		cr_assert_eq(tls_state(w.p.a.tls), TLS_OPEN, "%s", tls_why(w.p.a.tls));
	}
	tls_world_free(&w);
}

/* -- the end -- */

Test(tls, close_notify_and_its_absence)
{
	struct tls_world w;
	char out[1000];
	struct tls_io io = { .out = out, .out_room = sizeof(out) };
	struct span text = SPAN_LIT("</stream:stream>");

	tls_world_make(&w);
	pair_open(&w.p);
	pair_write(&w.p, &w.p.o, text);
	tls_close(w.p.o.tls, &io);
	cr_assert_eq(tls_state(w.p.o.tls), TLS_CLOSING);
	cr_assert_eq(tls_write(w.p.o.tls, &io, &text, 1), 0);
	memcpy(w.p.a.in.p, out, io.out_n);
	w.p.a.in.n = io.out_n;
	io.out_n = 0;
	tls_close(w.p.o.tls, &io);
	cr_assert_eq(io.out_n, 0, "said once");
	/* The other way is still open. */
	pair_write(&w.p, &w.p.a, SPAN_NONE);
	cr_assert_eq(tls_state(w.p.a.tls), TLS_CLOSED);
	tls_eof(w.p.a.tls);
	cr_assert_eq(tls_state(w.p.a.tls), TLS_CLOSED);
	tls_eof(w.p.o.tls);
	cr_assert_eq(tls_state(w.p.o.tls), TLS_FAILED);
	cr_assert(strstr(tls_why(w.p.o.tls), "cut off"));
	tls_close(w.p.a.tls, &io);
	cr_assert_gt(io.out_n, 0, "the answer to a close_notify is one");
	tls_world_free(&w);
}

Test(tls, data_after_the_peers_close_notify_can_be_sent)
{
	struct tls_world w;
	char out[1000];
	struct tls_io io = { .out = out, .out_room = sizeof(out) };

	tls_world_make(&w);
	pair_open(&w.p);
	tls_close(w.p.o.tls, &io);
	memcpy(w.p.a.in.p, out, io.out_n);
	w.p.a.in.n = io.out_n;
	pair_run(&w.p);
	cr_assert_eq(tls_state(w.p.a.tls), TLS_CLOSED);
	cr_assert(tls_writable(w.p.a.tls));
	cr_assert(!tls_writable(w.p.o.tls));
	pair_write(&w.p, &w.p.a, SPAN_LIT("</stream:stream>"));
	cr_assert(span_is(span_of(w.p.o.got.p, w.p.o.got.n), "</stream:stream>"));
	tls_world_free(&w);
}

Test(tls, data_after_our_close_notify_is_read)
{
	struct tls_world w;
	char out[1000];
	struct tls_io io = { .out = out, .out_room = sizeof(out) };

	tls_world_make(&w);
	pair_open(&w.p);
	tls_close(w.p.o.tls, &io);
	pair_write(&w.p, &w.p.a, SPAN_LIT("late"));
	cr_assert_eq(tls_state(w.p.o.tls), TLS_CLOSING);
	cr_assert(span_is(span_of(w.p.o.got.p, w.p.o.got.n), "late"));
	tls_world_free(&w);
}

/* -- what is not TLS, or not ours -- */

/* Who polls for input only while nothing can be read would wait for ever. */
Test(tls, T_S7_a_part_of_a_hello_is_nothing_to_read)
{
	struct tls_world w;
	char hello[4096], out[1000];
	struct tls_io io = { .out = hello, .out_room = sizeof(hello) };
	struct tls_io part = { .out = out, .out_room = sizeof(out) };

	tls_world_make(&w);
	cr_assert_eq(tls_handshake(w.p.o.tls, &io), TLS_NEED_INPUT);
	cr_assert_gt(io.out_n, 100);
	part.in = span_of(hello, 50);
	cr_assert_eq(tls_handshake(w.p.a.tls, &part), TLS_NEED_INPUT);
	cr_assert_eq(part.in.n, 0);
	cr_assert(!tls_readable(w.p.a.tls));
	tls_world_free(&w);
}

static void garbage_try(struct tls_setup *accepting, struct span garbage)
{
	struct tls *t = tls_accept(accepting);
	char out[1000];
	struct tls_io io = { garbage, out, 0, sizeof(out) };
	enum tls_next next = tls_handshake(t, &io);

	cr_assert(next == TLS_OVER || next == TLS_NEED_INPUT, "%d", next);
	if (next == TLS_NEED_INPUT)
		tls_eof(t);
	cr_assert_eq(tls_state(t), TLS_FAILED);
	cr_assert_gt(strlen(tls_why(t)), 0);
	io.in = garbage;
	cr_assert_eq(tls_handshake(t, &io), TLS_OVER);
	tls_free(t);
}

Test(tls, T_S14_garbage_instead_of_a_client_hello)
{
	static const char huge[] = "\x16\x03\x01\xff\xff\x01";
	struct tls_world w;
	struct span random = text_make(20000);

	tls_world_make(&w);
	garbage_try(w.accepting, SPAN_LIT("<?xml version='1.0'?><stream:stream to='a'>"));
	garbage_try(w.accepting, SPAN_LIT("GET / HTTP/1.1\r\n\r\n"));
	garbage_try(w.accepting, span_of(huge, sizeof(huge) - 1));
	garbage_try(w.accepting, SPAN_LIT("\x16\x03\x01\0\0"));
	garbage_try(w.accepting, SPAN_LIT("\x15\x03\x01\0\2\2\50"));
	for (size_t i = 0; i < 1000; i++)
		garbage_try(w.accepting, span_of(random.p + i, 1 + i));
	free((void *)random.p);
	tls_world_free(&w);
}

/* Every byte of the client's first flight in turn is changed: no crash, and no false success. */
Test(tls, a_changed_byte_is_found)
{
	struct tls_world w;

	tls_world_make(&w);
	for (size_t i = 0;; i += 3) {
		struct pair p;
		bool changed = false;

		pair_init(&p, tls_accept(w.accepting),
			tls_open(w.opening, SPAN_LIT("server.test"), true, SPAN_NONE));
		side_step(&p, &p.o);
		if (i < p.a.in.n) {
			p.a.in.p[i] ^= 0x11;
			changed = true;
		}
		pair_run(&p);
		cr_assert(!changed || tls_state(p.a.tls) != TLS_OPEN ||
				tls_state(p.o.tls) != TLS_OPEN,
			"byte %zu", i);
		pair_free(&p);
		if (!changed)
			break;
	}
	tls_world_free(&w);
}

Test(tls, a_changed_record_fails_with_an_alert)
{
	struct tls_world w;
	struct span text = SPAN_LIT("<message/>");
	char wire[1000], plain[100], out[1000];
	struct tls_io io = { .out = wire, .out_room = sizeof(wire) };
	size_t n;

	tls_world_make(&w);
	pair_open(&w.p);
	cr_assert_eq(tls_write(w.p.o.tls, &io, &text, 1), text.n);
	wire[io.out_n - 1] ^= 1;
	io = (struct tls_io){ span_of(wire, io.out_n), out, 0, sizeof(out) };
	cr_assert_eq(tls_read(w.p.a.tls, &io, plain, sizeof(plain), &n), TLS_OVER);
	cr_assert_eq(n, 0);
	cr_assert_eq(tls_state(w.p.a.tls), TLS_FAILED);
	cr_assert(tls_flush(w.p.a.tls, &io));
	cr_assert_gt(io.out_n, 0);
	io = (struct tls_io){ span_of(out, io.out_n), wire, 0, sizeof(wire) };
	cr_assert_eq(tls_read(w.p.o.tls, &io, plain, sizeof(plain), &n), TLS_OVER);
	cr_assert_str_eq(tls_why(w.p.o.tls), "the peer refused: bad record MAC");
	tls_world_free(&w);
}

/* As OpenSSL says in TLS 1.3 that it does not take our certificate: it has no keys of its own yet. */
Test(tls, a_refusal_in_the_clear_is_told)
{
	static const struct {
		struct span in;
		const char *why;
		bool refused;
	} rows[] = {
		{ SPAN_LIT("\x15\x03\x03\0\2\2\x30"), "the peer refused: unknown CA", true },
		{ SPAN_LIT("\x15\x03\x03\0\2\2\x2b"), "the peer refused: unsupported certificate",
			true },
		{ SPAN_LIT("\x15\x03\x03\0\2\2\x2d"), "the peer refused: certificate expired",
			true },
		/* That may be said of anything. */
		{ SPAN_LIT("\x15\x03\x03\0\2\2\x28"),
			"the peer refused: handshake failure, most likely no common cipher suite",
			false },
		{ SPAN_LIT("\x15\x03\x03\0\2\2\xff"), "the peer refused with an alert", false },
		/* No alert, one that is a warning, one that has not come whole. */
		{ SPAN_LIT("\x16\x03\x03\0\2\2\x30"), NULL, false },
		{ SPAN_LIT("\x15\x03\x03\0\2\1\x30"), NULL, false },
		{ SPAN_LIT("\x15\x03\x03\0\2\2"), NULL, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[1000];
		struct tls_io io = { rows[i].in, out, 0, sizeof(out) };
		struct tls_world w;

		tls_world_make(&w);
		side_step(&w.p, &w.p.o);
		do
			side_step(&w.p, &w.p.a);
		while (w.p.a.next != TLS_NEED_INPUT);
		cr_assert_eq(tls_state(w.p.a.tls), TLS_HANDSHAKE);
		cr_assert_eq(tls_handshake(w.p.a.tls, &io), TLS_OVER, "row %zu", i);
		cr_assert_eq(tls_state(w.p.a.tls), TLS_FAILED);
		cr_expect_eq(tls_refused(w.p.a.tls), rows[i].refused, "row %zu", i);
		if (rows[i].why)
			cr_expect_str_eq(tls_why(w.p.a.tls), rows[i].why);
		else
			cr_expect_null(strstr(tls_why(w.p.a.tls), "the peer refused"),
				"row %zu: %s", i, tls_why(w.p.a.tls));
		tls_world_free(&w);
	}
}

Test(tls, a_record_that_is_too_long)
{
	struct tls_world w;
	char wire[20000] = { 23, 3, 3, 0x48, 0 }, plain[100], out[1000];
	struct tls_io io = { span_of(wire, sizeof(wire)), out, 0, sizeof(out) };
	size_t n;

	tls_world_make(&w);
	pair_open(&w.p);
	cr_assert_eq(tls_read(w.p.a.tls, &io, plain, sizeof(plain), &n), TLS_OVER);
	cr_assert_eq(tls_state(w.p.a.tls), TLS_FAILED);
	tls_world_free(&w);
}

Test(tls, ends_in_the_middle_of_the_handshake)
{
	struct tls_world w;

	tls_world_make(&w);
	side_step(&w.p, &w.p.o);
	side_step(&w.p, &w.p.a);
	tls_eof(w.p.a.tls);
	cr_assert_eq(tls_state(w.p.a.tls), TLS_FAILED);
	cr_assert_eq(tls_peer_verdict(w.p.a.tls), TLS_CERT_NONE);
	cr_assert_str_eq(tls_why(w.p.a.tls), "the connection ended in the middle of the handshake");
	tls_world_free(&w);
}

/* Handshake bytes without end: whoever sends them is cut off. */
Test(tls, a_handshake_is_bounded)
{
	struct tls_world w;
	char junk[6 * 1000], out[1000];
	struct tls_io io = { .out = out, .out_room = sizeof(out) };
	size_t sent = 0;

	tls_world_make(&w);
	for (size_t i = 0; i < sizeof(junk); i += 6)
		memcpy(junk + i, "\x14\x03\x03\0\1\1", 6); /* change_cipher_spec, ignored in 1.3 */
	side_step(&w.p, &w.p.o);
	side_step(&w.p, &w.p.a);
	while (tls_state(w.p.a.tls) == TLS_HANDSHAKE && sent < 1u << 20) {
		io.in = span_of(junk, sizeof(junk));
		(void)tls_handshake(w.p.a.tls, &io);
		sent += sizeof(junk);
		io.out_n = 0;
	}
	cr_assert_eq(tls_state(w.p.a.tls), TLS_FAILED);
	cr_assert_lt(sent, LIMIT_TLS_HANDSHAKE + 2 * sizeof(junk));
	tls_world_free(&w);
}

#ifdef SLUICE_FAULT_INJECTION
/* wolfSSL 5.5.4 forgets 72 bytes of a key share that it has no memory to finish. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:TLSX_KeyShare_New";
}

/* Each allocation of a connection in turn fails: it ends with a reason, or does without. */
Test(tls, without_memory)
{
	struct tls_world w;
	bool failed = true;

	tls_world_make(&w);
	for (uint64_t k = 1; failed; k++) {
		struct pair p = { 0 };

		(void)mem_fail_nth(k);
		p.a.tls = tls_accept(w.accepting);
		p.o.tls = tls_open(w.opening, SPAN_LIT("server.test"), true, SPAN_NONE);
		if (p.a.tls && p.o.tls) {
			pair_run(&p);
			if (tls_state(p.a.tls) == TLS_OPEN)
				(void)tls_peer_verdict(p.a.tls);
			if (tls_state(p.a.tls) == TLS_FAILED)
				cr_assert_gt(strlen(tls_why(p.a.tls)), 0);
		}
		failed = mem_fail_nth(0) == 0;
		cr_assert(failed || tls_peer_verdict(p.a.tls) == TLS_CERT_TRUSTED);
		pair_free(&p);
	}
	tls_world_free(&w);
}
#endif
