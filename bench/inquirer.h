/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a Receiving Server has keys verified by the Authoritative Server (XEP-0220 section 2.3): one
 * stream to it, opened with the first question and again when it has ended, on which all questions
 * are asked, INQUIRER_WINDOW of them at a time.
 *
 * A question has an owner, who is told the answer, or forgets it (inquirer_forget) when nobody needs
 * it any more. Embedded in whoever accepts streams; must outlive no owner.
 */
#ifndef SLUICE_BENCH_INQUIRER_H
#define SLUICE_BENCH_INQUIRER_H

#include "bench/address.h"
#include "bench/names.h"
#include "bench/opening.h"

#define INQUIRER_WINDOW 256
#define INQUIRER_REASON 120
/* A stream that failed so often in a row, without an answer, is not opened again. */
#define INQUIRER_TRIES 3

enum verdict { VERDICT_VALID, VERDICT_INVALID, VERDICT_ERROR };

struct inquirer_question;

struct inquirer {
	struct wire wire; /* first: its source is what the loop hands us */
	struct loop *loop;
	struct address server;
	struct secure *secure; /* NULL: in the clear */
	/* owner and number as they were given to inquirer_ask. */
	void (*answered)(void *owner, uint32_t number, enum verdict v);
	struct reader *reader;
	struct opening opening;
	char from[NAMES_TEXT], to[NAMES_TEXT]; /* of the stream */
	bool over;
	unsigned failures; /* in a row */
	struct inquirer_question *questions; /* a ring of those not answered */
	uint32_t cap, head, n_asked, n; /* n_asked of n were sent on this stream */
	uint64_t streams; /* opened */
	uint64_t unexpected; /* answers to no question */
	char reason[INQUIRER_REASON]; /* why the first stream that failed did */
};

/* secure: NULL in the clear; outlives it, as l does. */
void inquirer_init(struct inquirer *v, struct loop *l, const struct address *server,
	struct secure *secure, void (*answered)(void *owner, uint32_t number, enum verdict v));
void inquirer_free(struct inquirer *v);

/*
 * Has the key verified that from gave to us, to, on our stream with that id. owner and number are
 * handed back. All text is copied.
 */
void inquirer_ask(struct inquirer *v, const char *from, const char *to, const char *id,
	const char *key, void *owner, uint32_t number);

/* The owner's questions may be answered, but nobody is told. */
void inquirer_forget(struct inquirer *v, void *owner);

/* Ends the stream and forgets all questions: nobody is told anything. */
void inquirer_reset(struct inquirer *v);

#endif
