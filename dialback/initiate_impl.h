/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of dialback/initiate.c: who belongs to whom.
 *
 *   sender   a hosted domain; has its pairs, and waits in a round for look-ups, and in another
 *            to have its streams opened, so that the flood of one does not delay another's
 *   target   a remote domain; has the pairs that wait for a stream, and seats on streams
 *   link     one stream
 *   seat     that this target is on that link; has the pairs of both
 *   pair     of a sender and a target; waits at its target, or sits in a seat
 *   peer     what is remembered of a place, whatever becomes of its streams
 *
 * Owner thread only. A pair is freed by out_pair_free alone, a target by target_rest when
 * nothing needs it, a link by out_link_free.
 */
#ifndef SLUICE_DIALBACK_INITIATE_IMPL_H
#define SLUICE_DIALBACK_INITIATE_IMPL_H

#include "core/base/hash.h"
#include "dialback/initiate.h"
#include "dialback/table.h"
#include "dialback/wheel.h"

#define SHORT_LIFE_MS 60000 /* of a stream that is good for little */

/* A stanza that waits. */
struct kept {
	struct list link;
	uint32_t len;
	char bytes[]; /* OUT_PAD readable bytes behind them */
};

struct sender {
	struct table_node node;
	struct list pairs; /* all of them, by pair->of_sender */
	struct list lane; /* targets that wait to be looked up, by target->in_lane */
	struct list turn; /* in initiator->round while the lane, or its own look-up, waits */
	struct list to_open; /* links that are opened at its expense, by link->todo */
	struct list open_turn; /* in initiator->openers while to_open has some */
	uint64_t cookie; /* while it is asked for */
	struct table_node by_cookie;
	uint64_t known_until; /* ms: whether it is foreign */
	size_t kept; /* bytes, for all its pairs */
	unsigned n_pairs, pending; /* of them, those that are not VALID */
	unsigned looking, opening; /* slots that it has */
	unsigned links; /* that were opened for it */
	bool unsure; /* is being looked up */
	bool foreign; /* its names, when last looked up, did not lead to us */
	uint16_t len;
	char domain[];
};

enum names_state { NAMES_NONE, NAMES_WAITING, NAMES_ASKED, NAMES_FOUND };

struct target {
	struct table_node node;
	struct list link; /* in initiator->targets */
	struct list stirred; /* in initiator->stirred: to be looked at in the turn */
	struct list unsure; /* pairs whose sender is looked up, by pair->at */
	struct list waiting; /* others without a seat, oldest first */
	struct list failed; /* pairs that were refused, by pair->at */
	struct list seats; /* by seat->of_target */
	struct list watching; /* in link->watchers: it may be shared, once it is up */
	struct out_link *watched_link; /* that one */
	struct list resting; /* in initiator->resting: it has neither pairs nor seats */
	/* -- names -- */
	struct list in_lane; /* of the sender that wants them */
	struct table_node by_cookie;
	struct sender *asker; /* NAMES_ASKED: whose slot it is */
	uint64_t cookie;
	struct place *places;
	uint64_t found_at; /* ms: NAMES_FOUND */
	unsigned n_places;
	uint8_t names; /* enum names_state */
	/* -- failures -- */
	struct deadline again; /* not_before, or when it may be forgotten */
	uint64_t held_until; /* ms: nothing is tried, everything goes back with `reason` */
	uint64_t not_before; /* ms: stanzas wait, and nothing is opened */
	uint64_t trusted_until; /* ms: its stream was good; failures are retried */
	uint64_t known_until; /* ms: for how long its failures count */
	uint64_t solo_until; /* ms: shares no stream with other targets */
	struct out_reason reason;
	unsigned failures; /* in a row, to get a stream */
	unsigned pairs;
	bool watched; /* has waited for another's stream: will not do so again */
	bool claimless; /* its server, when last seen, took certificates alone */
	uint16_t losses; /* in a row, of streams that had not lived for long */
	uint16_t len;
	char domain[];
};

enum out_pair_state {
	OUT_PAIR_WAITING,
	OUT_PAIR_QUEUED,
	OUT_PAIR_REQUESTED,
	OUT_PAIR_VALID,
	OUT_PAIR_FAILED,
};

struct out_pair {
	struct table_node node;
	struct sender *sender;
	struct target *target;
	struct seat *seat; /* NULL: none */
	struct list of_sender;
	struct list at; /* in its target's unsure, waiting or failed, or in seat->pairs */
	struct list in_link; /* QUEUED: in link->ready. VALID, something kept: in link->held */
	struct list queue; /* struct kept */
	struct list *mark; /* behind which what comes back unsent is put */
	struct deadline due;
	uint64_t give_up; /* ms: when what is kept goes back */
	uint64_t moved_at, moving_since; /* ms: what came back unsent, again and again */
	uint64_t asked_at; /* ms */
	uint64_t hold_until, hold_ms; /* FAILED */
	uint64_t not_before; /* ms: it waits, and no stream of its own is opened */
	struct out_reason reason; /* FAILED */
	uint32_t bytes, stanzas; /* kept */
	uint8_t state; /* enum out_pair_state */
	bool isolated; /* was called invalid: never beside others again */
	bool constrained; /* was told resource-constraint: this is its one retry */
	bool alone; /* was told item-not-found beside other targets: likewise */
	bool shares; /* sits on a link that was opened for another target */
	bool late; /* FAILED for want of an answer, which may still come */
	uint16_t losses; /* in a row, of streams of its own that had not lived for long */
};

struct seat {
	struct list of_target, of_link;
	struct target *target;
	struct out_link *l;
	struct list pairs;
	bool pinned; /* stays although it may be empty */
};

enum out_link_state { OUT_LINK_TO_OPEN, OUT_LINK_OPENING, OUT_LINK_UP, OUT_LINK_ENDING };

struct out_link {
	struct initiator *i;
	struct sender *sender; /* of the header; stays for as long as this does */
	struct sender *opener; /* in whose turn, and slot, it is opened; mostly the same */
	struct list all; /* in initiator->links */
	struct list todo; /* in sender->to_open, or initiator->claiming, or initiator->to_close */
	struct list seats;
	struct list ready; /* pairs to be claimed */
	struct list held; /* VALID pairs with something kept */
	struct list watchers; /* targets */
	struct table_node by_place;
	struct deadline due;
	struct place places[LIMIT_CANDIDATES];
	unsigned n_places, which;
	uint8_t state; /* enum out_link_state */
	bool placed; /* in initiator->by_place, at places[which]: may be offered to others */
	bool connected;
	enum out_proof proof; /* in this attempt */
	bool refused; /* the attempt before, at this place: its certificate, by an alert */
	bool apart; /* for one pair only */
	bool solo; /* for one target only */
	bool errors; /* the peer handles dialback errors */
	bool proved; /* a pair has been VALID on it */
	bool proven; /* SASL EXTERNAL: the header's pair needs no claim */
	bool claimless; /* and no other can be claimed */
	bool bears; /* a claim for a further target was answered */
	bool retired; /* its pairs go to a successor */
	bool ours; /* it is we who end it */
	uint32_t pairs, alive, valid, outstanding, window; /* alive: QUEUED, REQUESTED or VALID */
	uint64_t used_at; /* ms: a stanza or claim went out */
	uint64_t up_at, shared_at; /* ms: another target's pair was claimed */
	uint64_t quarantined_until, slow_until; /* ms */
	uint64_t rtt; /* ms, of the fastest answer */
	const char *why; /* it is to be closed; static */
	void *user;
	uint16_t from_n, to_n;
	char text[]; /* from and to of the header */
};

/* Of a place. */
struct peer {
	struct table_node node;
	struct list link; /* in initiator->peers_by_use, latest last */
	struct place at;
	uint64_t no_mux_until, no_external_until, failed_until; /* ms */
	uint64_t known_until; /* ms: what follows holds */
	uint32_t window; /* of claims, that the last stream ended with */
	bool errors; /* it handles dialback errors */
	unsigned unanswered; /* claims for further targets, in a row */
};

struct initiator {
	const struct initiate_ops *ops;
	void *ctx;
	struct initiate_opts opts;
	struct hash_key key;
	uint64_t now; /* of the last call that told it */
	struct table pairs, targets, senders, cookies, by_place, peers;
	struct list all_targets, stirred, resting, round, openers, links, claiming, to_close,
		peers_by_use;
	struct wheel pair_wheel, target_wheel, link_wheel;
	uint64_t cookie;
	unsigned looking, opening, n_resting;
	size_t kept;
	bool draining;
	struct initiate_stats stats;
};

/* -- outpair.c -- */

struct out_pair *out_pair_find(struct initiator *i, struct span from, struct span to);
struct out_pair *out_pair_new(struct initiator *i, struct span from, struct span to);
void out_pair_free(struct initiator *i, struct out_pair *p); /* nothing is kept for it */
struct span out_pair_sender(const struct out_pair *p);
struct span out_pair_target(const struct out_pair *p);

bool out_pair_keep(struct initiator *i, struct out_pair *p, const struct span *pieces, unsigned n);
bool out_pair_requeue(struct initiator *i, struct out_pair *p, struct span stanza);
/* What is kept goes out. False: the stream is full, and the rest is held. */
bool out_pair_flush(struct initiator *i, struct out_pair *p);
void out_pair_return(struct initiator *i, struct out_pair *p, const struct out_reason *why);

/* The edges of its state machine; each leaves the pair in the lists of its new state. */
void out_pair_wait(struct initiator *i, struct out_pair *p); /* for a stream */
void out_pair_sit(struct initiator *i, struct out_pair *p, struct seat *s); /* -> QUEUED */
void out_pair_queue_again(struct initiator *i, struct out_pair *p); /* REQUESTED -> QUEUED */
/* Its stream is no longer for it: what is kept waits, the rest is forgotten. p may be gone. */
void out_pair_leave(struct initiator *i, struct out_pair *p);
void out_pair_requested(struct initiator *i, struct out_pair *p);
void out_pair_valid(struct initiator *i, struct out_pair *p);
/* hold_ms 0: it may be tried again at once; p may be gone. */
void out_pair_fail(struct initiator *i, struct out_pair *p, enum out_failure how,
	const char *condition, uint64_t hold_ms);
/* A failure of this pair alone: held for longer each time. */
void out_pair_fail_again(struct initiator *i, struct out_pair *p, enum out_failure how,
	const char *condition);
/* An answer that has not come will not be waited for. */
void out_pair_fade(struct initiator *i, struct out_pair *p);
void out_pair_unseat(struct initiator *i, struct out_pair *p);
void out_pair_due(struct initiator *i, struct out_pair *p);
void out_pair_arm(struct initiator *i, struct out_pair *p, uint64_t at);
void out_pair_arm_kept(struct initiator *i, struct out_pair *p); /* for what is kept */

/* -- target.c, seat.c -- */

/* Is it known whether its names lead to us? If not, that is found out, and its pairs are stirred. */
bool sender_known(struct initiator *i, struct sender *s);
struct sender *sender_get(struct initiator *i, struct span domain);
void sender_rest(struct initiator *i, struct sender *s); /* frees it, if nobody needs it */
struct target *target_find(struct initiator *i, struct span domain);
struct target *target_get(struct initiator *i, struct span domain);
void target_rest(struct initiator *i, struct target *t); /* likewise, or when it may be forgotten */
void targets_forget(struct initiator *i); /* if too much is remembered */
struct span target_name(const struct target *t);
void target_want(struct initiator *i, struct target *t, struct out_pair *p); /* a stream for p */
void target_wake(struct initiator *i, struct target *t); /* what it watches has become clear */
/* Has it fresh names? If not, they are asked for, at the expense of this sender's turn. Whoever has
 * an empty lane does not wait behind another's flood for the names that both want. */
bool target_names(struct initiator *i, struct target *t, struct sender *s);
void target_stir(struct initiator *i, struct target *t);
void target_advance(struct initiator *i, struct target *t);
/* No stream could be had for it: what waits goes back, or is tried again. */
void target_fail(struct initiator *i, struct target *t, enum out_failure how,
	const char *condition);
/* A good stream was lost: when may it be opened again? To the target, or one of a pair's own. */
void target_lost(struct initiator *i, struct target *t, bool lived, bool shut_down);
void out_pair_lost(struct initiator *i, struct out_pair *p, bool lived, bool shut_down);
void target_due(struct initiator *i, struct target *t);
/* May it have one more stream now? */
bool target_may_open(const struct initiator *i, const struct target *t);
/* Has it a stream that is up and would take a further pair? */
bool target_is_up(const struct target *t);
struct seat *seat_get(struct target *t, struct out_link *l);
void seat_rest(struct seat *s);
void senders_look_up(struct initiator *i); /* as many as there are slots for */

/* -- outlink.c -- */

struct out_link *out_link_new(struct initiator *i, struct target *t, struct sender *s, bool apart);
void out_link_free(struct initiator *i, struct out_link *l); /* all its pairs have left */
bool out_link_takes(struct out_link *l); /* further pairs */
bool out_link_carries(const struct out_link *l); /* pairs of any sender, now or soon */
void out_links_close(struct initiator *i);
void out_links_claim(struct initiator *i);
void out_link_claiming(struct initiator *i, struct out_link *l); /* something may be claimed */
void out_link_close(struct initiator *i, struct out_link *l, const char *why);
void out_link_due(struct initiator *i, struct out_link *l);
void out_link_watch(struct initiator *i, struct out_link *l);
bool out_link_writes(const struct out_link *l, uint64_t now); /* VALID pairs may write */
void out_link_disprove(struct out_link *l, const struct out_pair *p);
/* Called invalid: what becomes of the others (rule 2.8.2). */
void out_link_after_invalid(struct initiator *i, struct out_link *l);
void out_link_calm(struct initiator *i, struct out_link *l); /* ends the quarantine */
void out_link_place_at(struct out_link *l, unsigned which);
void out_link_withdraw(struct out_link *l); /* nobody joins it any more who has no seat */
void out_link_end(struct out_link *l); /* nothing more is written to it */
bool place_is_dead(const struct initiator *i, const struct place *at); /* it did not answer */
void out_link_prove_as_at_first(struct out_link *l); /* at the place that comes first */

/* -- outdial.c -- */

void out_link_to_open(struct initiator *i, struct out_link *l);
/* It is no longer, or never was, among those that its opener has to open. */
void out_link_unqueue(struct out_link *l);
/* A pair of that sender waits for it, too. Whoever has nothing to open does not wait behind another's
 * flood for the stream that both want. */
void out_link_hasten(struct initiator *i, struct out_link *l, struct sender *s);
void out_links_open(struct initiator *i);
void out_links_drop(struct initiator *i); /* those that are not being opened yet */
/* Its slot for opening is free again. */
void out_link_opened(struct initiator *i, struct out_link *l);

/* -- peer.c -- */

struct peer *peer_find(const struct initiator *i, const struct place *at);
struct peer *peer_get(struct initiator *i, const struct place *at); /* NULL without memory */

#endif
