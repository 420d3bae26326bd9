/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "core/base/limits.h"
#include "tls_pair.h"
#include "zoo.h"

TestSuite(tls_resume, .timeout = 120);

struct world {
	struct tls_trust *trust;
	struct tls_cert *server, *client;
	struct tls_tickets *tickets;
	struct tls_setup *accepting, *opening; /* opening shows no certificate */
};

static struct tls_setup *opening_make(struct world *w, struct tls_cert *cert, unsigned sessions)
{
	const char *why;
	struct tls_setup_opts o = { .role = TLS_OPENING,
		.trust = w->trust,
		.cert = cert,
		.sessions = sessions };

	return tls_setup_new(&o, &why);
}

static struct tls_setup *accepting_make(struct world *w)
{
	const char *why;
	struct tls_setup_opts o = { .role = TLS_ACCEPTING,
		.trust = w->trust,
		.cert = w->server,
		.tickets = w->tickets };

	return tls_setup_new(&o, &why);
}

static void world_make(struct world *w)
{
	zoo_make("ca", &(struct zoo_opts){ .extensions = ZOO_CA });
	zoo_make("server", &(struct zoo_opts){ .issuer = "ca" });
	zoo_make("client", &(struct zoo_opts){ .issuer = "ca" });
	w->trust = trust_of("ca");
	w->server = zoo_cert("server", SPAN_NONE);
	w->client = zoo_cert("client", SPAN_NONE);
	w->tickets = tls_tickets_new();
	w->accepting = accepting_make(w);
	w->opening = opening_make(w, NULL, 4);
	cr_assert(w->accepting && w->opening);
}

static void world_free(struct world *w)
{
	tls_setup_unref(w->accepting);
	tls_setup_unref(w->opening);
	tls_tickets_free(w->tickets);
	tls_cert_unref(w->server);
	tls_cert_unref(w->client);
	tls_trust_unref(w->trust);
}

/* Connects, exchanges a word each way; whether the session was resumed, by both ends' account. */
static bool talk(struct world *w, struct tls_setup *opening, struct span name, struct span identity)
{
	const struct span *chain;
	struct pair p;
	bool resumed;

	pair_init(&p, tls_accept(w->accepting), tls_open(opening, name, true, identity));
	pair_open(&p);
	resumed = tls_resumed(p.o.tls);
	cr_assert_eq(tls_resumed(p.a.tls), resumed);
	pair_write(&p, &p.o, SPAN_LIT("to"));
	pair_write(&p, &p.a, SPAN_LIT("fro"));
	cr_assert(span_is(span_of(p.a.got.p, p.a.got.n), "to"));
	cr_assert(span_is(span_of(p.o.got.p, p.o.got.n), "fro"));
	cr_assert_eq(tls_peer_chain(p.o.tls, &chain), 1);
	cr_assert(span_eq(chain[0], tls_cert_der(w->server)));
	cr_assert_eq(tls_peer_verdict(p.o.tls), TLS_CERT_TRUSTED);
	cr_assert(tls_alpn(p.a.tls));
	pair_free(&p);
	return resumed;
}

#define NAME SPAN_LIT("server.test")
#define US                                                                                         \
	SPAN_LIT("a.host\0server.test\0"                                                           \
		 "192.0.2.1")

Test(tls_resume, the_same_identity_resumes_and_keeps_the_certificate)
{
	struct world w;

	world_make(&w);
	cr_assert_not(talk(&w, w.opening, NAME, US));
	for (unsigned i = 0; i < 5; i++)
		cr_assert(talk(&w, w.opening, NAME, US));
	world_free(&w);
}

Test(tls_resume, T_C18_another_identity_does_not)
{
	struct world w;

	world_make(&w);
	cr_assert_not(talk(&w, w.opening, NAME, US));
	cr_assert_not(talk(&w, w.opening, NAME,
		SPAN_LIT("b.host\0server.test\0"
			 "192.0.2.1")));
	cr_assert_not(talk(&w, w.opening, NAME, SPAN_NONE));
	cr_assert_not(talk(&w, w.opening, NAME, SPAN_NONE));
	cr_assert(talk(&w, w.opening, NAME, US));
	world_free(&w);
}

/* A ticket is made for one server name: under another it is worth nothing. */
Test(tls_resume, another_server_name_does_not)
{
	struct world w;

	world_make(&w);
	cr_assert_not(talk(&w, w.opening, NAME, US));
	cr_assert_not(talk(&w, w.opening, SPAN_LIT("other.test"), US));
	cr_assert(talk(&w, w.opening, SPAN_LIT("other.test"), US));
	world_free(&w);
}

/* Who showed a certificate is never recognised without it. */
Test(tls_resume, T_C18_a_peer_with_a_certificate_shakes_hands_in_full)
{
	struct world w;
	struct tls_setup *shows;

	world_make(&w);
	shows = opening_make(&w, w.client, 4);
	for (unsigned i = 0; i < 3; i++) {
		struct pair p;

		pair_init(&p, tls_accept(w.accepting), tls_open(shows, NAME, true, US));
		pair_open(&p);
		pair_write(&p, &p.a, SPAN_LIT("a ticket would come with this"));
		cr_assert_not(tls_resumed(p.a.tls));
		cr_assert_eq(tls_peer_verdict(p.a.tls), TLS_CERT_TRUSTED);
		pair_free(&p);
	}
	tls_setup_unref(shows);
	world_free(&w);
}

Test(tls_resume, no_session_without_its_certificates)
{
	struct world w;
	struct pair p;

	world_make(&w);
	pair_init(&p, tls_accept(w.accepting), tls_open(w.opening, NAME, true, US));
	while (tls_state(p.o.tls) == TLS_HANDSHAKE) {
		side_step(&p, &p.o);
		side_step(&p, &p.a);
	}
	tls_peer_forget(p.o.tls);
	pair_run(&p); /* here the ticket comes */
	pair_free(&p);
	cr_assert_not(talk(&w, w.opening, NAME, US));
	cr_assert(talk(&w, w.opening, NAME, US));
	world_free(&w);
}

Test(tls_resume, a_session_is_used_once)
{
	struct world w;
	struct pair p, q;

	world_make(&w);
	cr_assert_not(talk(&w, w.opening, NAME, US));
	pair_init(&p, tls_accept(w.accepting), tls_open(w.opening, NAME, true, US));
	pair_init(&q, tls_accept(w.accepting), tls_open(w.opening, NAME, true, US));
	pair_open(&q);
	pair_open(&p);
	cr_assert(tls_resumed(p.a.tls));
	cr_assert_not(tls_resumed(q.a.tls));
	pair_free(&p);
	pair_free(&q);
	world_free(&w);
}

/* A reload of either end: tickets outlive setups, remembered sessions do not. */
Test(tls_resume, over_a_reload)
{
	struct world w;

	world_make(&w);
	cr_assert_not(talk(&w, w.opening, NAME, US));
	tls_setup_unref(w.accepting);
	w.accepting = accepting_make(&w);
	cr_assert(talk(&w, w.opening, NAME, US));
	tls_setup_unref(w.opening);
	w.opening = opening_make(&w, NULL, 4);
	cr_assert_not(talk(&w, w.opening, NAME, US));
	world_free(&w);
}

Test(tls_resume, keys_turn)
{
	const uint64_t life = TLS_TICKET_S * 1000ull;
	struct world w;

	world_make(&w);
	tls_tickets_turn(w.tickets, 1000);
	cr_assert_not(talk(&w, w.opening, NAME, US));
	tls_tickets_turn(w.tickets, 1000 + life - 1);
	cr_assert(talk(&w, w.opening, NAME, US));
	tls_tickets_turn(w.tickets, 1000 + life);
	cr_assert(talk(&w, w.opening, NAME, US), "the key before is still known");
	tls_tickets_turn(w.tickets, 1000 + 2 * life);
	cr_assert(talk(&w, w.opening, NAME, US));
	tls_tickets_turn(w.tickets, 1000 + 3 * life);
	tls_tickets_turn(w.tickets, 1000 + 4 * life);
	cr_assert_not(talk(&w, w.opening, NAME, US));
	tls_tickets_turn(w.tickets, 1000 + 9 * life);
	cr_assert_not(talk(&w, w.opening, NAME, US), "late by more than a life");
	world_free(&w);
}

Test(tls_resume, tickets_are_authentic)
{
	struct tls_tickets *k = tls_tickets_new(), *other = tls_tickets_new();
	struct tls_ticket_seal s;
	unsigned char data[32] = "secret", copy[32];

	cr_assert(tls_ticket_seal(k, SPAN_LIT("name"), &s, data, sizeof(data)));
	cr_assert_neq(memcmp(data, "secret", 6), 0);
	for (size_t i = 0; i < sizeof(data); i++) {
		memcpy(copy, data, sizeof(data));
		copy[i] ^= 1;
		cr_assert_not(tls_ticket_open(k, SPAN_LIT("name"), &s, copy, sizeof(copy)));
	}
	memcpy(copy, data, sizeof(data));
	cr_assert_not(tls_ticket_open(k, SPAN_LIT("nome"), &s, copy, sizeof(copy)));
	memcpy(copy, data, sizeof(data));
	cr_assert_not(tls_ticket_open(other, SPAN_LIT("name"), &s, copy, sizeof(copy)));
	cr_assert(tls_ticket_open(k, SPAN_LIT("name"), &s, data, sizeof(data)));
	cr_assert_str_eq((char *)data, "secret");
	tls_tickets_free(k);
	tls_tickets_free(other);
}

Test(tls_resume, the_oldest_goes_when_the_table_is_full)
{
	struct world w;
	char id[3] = "00";

	world_make(&w);
	for (id[0] = '0'; id[0] < '5'; id[0]++)
		cr_assert_not(talk(&w, w.opening, NAME, span_of(id, 2)));
	id[0] = '0';
	cr_assert_not(talk(&w, w.opening, NAME, span_of(id, 2)));
	/* That one has put out the next. */
	for (id[0] = '2'; id[0] < '5'; id[0]++)
		cr_assert(talk(&w, w.opening, NAME, span_of(id, 2)));
	world_free(&w);
}
