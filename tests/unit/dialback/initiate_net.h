/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scripted network for the initiator: writes down what it asks for, and answers when the test
 * says so, in virtual time. Stanzas are short words. What was sent and what was given back is told
 * as a line of text, which the test compares. One net per test (Criterion gives each a process).
 */
#ifndef SLUICE_TESTS_DIALBACK_INITIATE_NET_H
#define SLUICE_TESTS_DIALBACK_INITIATE_NET_H

#include "dialback/initiate.h"

#define NET_MAX 40000
#define NET_NAME 40
#define NET_TEXT 4096

/* The names in the protocol's rows: of ours, of others', and where these are. */
#define L1 "shop.hosted.test"
#define L2 "cafe.hosted.test"
#define L3 "bank.hosted.test"
#define R1 "rx.peer.test"
#define R2 "muc.peer.test"
#define R3 "pub.peer.test"
#define PEER "192.0.2.1:5269"
#define OTHER "192.0.2.2:5269"

struct net_lookup {
	char domain[NET_NAME];
	uint64_t cookie;
	bool open;
};

struct net_link {
	struct out_link *l;
	char from[NET_NAME], to[NET_NAME];
	struct place places[LIMIT_CANDIDATES];
	unsigned n, opened; /* places; how often */
	enum out_proof proof;
	bool dialling, up, closing;
	unsigned claims, outstanding, most_outstanding;
	char sent[NET_TEXT]; /* "1 2 3" */
};

struct net_claim {
	unsigned link;
	char from[NET_NAME], to[NET_NAME]; /* as claimed: hosted, remote */
	bool open;
};

struct net {
	struct initiator *i;
	struct initiate_ops ops; /* may be changed by the test */
	struct initiate_opts opts;
	uint64_t now;
	struct net_lookup lookups[NET_MAX];
	struct net_link *links[NET_MAX];
	struct net_claim claims[NET_MAX];
	unsigned n_lookups, n_links, n_claims, n_sent, n_returned, n_closed;
	unsigned open_lookups, most_lookups, dialling, most_dialling;
	unsigned steps[OUT_STEP_DOWN + 1];
	char returned[NET_TEXT]; /* "1:invalid 2:refused/item-not-found" */
	const char *places; /* all look-ups are answered with these, from inside */
	bool each_elsewhere; /* or with a place for each */
	bool refuse_dials;
	bool crowded; /* there may be no slot to open a stream at once */
	uint32_t dice; /* 0: `below` gives the middle */
	bool least; /* or 0, as it may */
	void (*on_sent)(unsigned link, struct span stanza);
	void (*on_returned)(struct span stanza, const struct out_reason *why);
	bool (*suits)(struct net_link *l, const char *from, const char *to);
};

extern struct net net;

/* Of a format like "r%u.test"; valid until the next call. */
const char *net_name(const char *format, unsigned n);

void net_begin(void);
void net_end(void); /* also expects that nothing is left */

/* Hands over, and plays the caller: writes, or gives back. */
enum out_take net_stanza(const char *from, const char *to, const char *text);
enum out_take net_error(const char *from, const char *to, const char *text);
enum out_take net_bytes(const char *from, const char *to, size_t n);

/* Passes time, then turns until there is nothing to do at once. */
void net_turn(uint64_t ms);
/* The same in as many steps as it takes. */
void net_wait(uint64_t ms);

/* The oldest open look-up of the domain. places: "192.0.2.1:5269 192.0.2.2:5269! | ...", "!" for
 * direct TLS, "|" between groups. Turns, as do all below. */
void net_found(const char *domain, const char *places);
void net_not_found(const char *domain, enum out_resolution how);
bool net_is_asked(const char *domain);
void net_found_if_asked(const char *domain, const char *places); /* else its names are fresh */
/* A stanza, for which its target is looked up, and found. */
void net_stanza_to(const char *from, const char *to, const char *text, const char *places);

void net_connected(unsigned link, unsigned which);
void net_up(unsigned link); /* with dialback errors */
void net_up_plain(unsigned link); /* without */
void net_up_proven(unsigned link);
void net_up_claimless(unsigned link); /* likewise, and without dialback */
void net_ending(unsigned link);
void net_down(unsigned link, enum out_loss how, const char *condition);
void net_slow(unsigned link);
bool net_requeue(unsigned link, const char *from, const char *to, const char *text);

/* The peer's answer to a pair (hosted, remote), on that stream. */
bool net_answer(unsigned link, const char *from, const char *to, enum answer answer,
	enum db_condition condition);
bool net_valid(unsigned link, const char *from, const char *to);
bool net_invalid(unsigned link, const char *from, const char *to);
bool net_refuse(unsigned link, const char *from, const char *to, enum db_condition condition);
void net_valid_all(void); /* what is claimed, and what is claimed then, until nothing is */

/* How often the pair has been claimed on that stream. */
unsigned net_claims(unsigned link, const char *from, const char *to);
const char *net_sent(unsigned link);
/* What was given back since the last call. */
const char *net_returned(void);
struct initiate_stats net_stats(void);

/* One pair that is VALID on link 0, at PEER, with errors; its first stanza was "0". */
void net_valid_pair(const char *from, const char *to);

#endif
