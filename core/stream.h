/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An XML stream over one connection: what inbound streams, component links and
 * streams to authoritative servers have in common. It frames the input, keeps
 * what is incomplete, sends headers and stream errors, and ends in one way.
 *
 * A stream is embedded in its kind's struct; stream_ops make the difference. It
 * belongs to the worker of its connection, for life; `closed` is the last call
 * and frees it. After stream_fail or stream_end the kind may go on using the
 * stream until then; writes are simply dropped.
 *
 * Life (RFC 6120 sections 4.2 to 4.4):
 *   OPENING  no header from the peer yet
 *   OPEN     frames go to ops->frame
 *   ENDING   we said </stream:stream>; the peer may still send stanzas
 *   FAILED   we sent a stream error; only the peer's </stream:stream> is looked for
 *   GONE     the connection is being closed
 */
#ifndef SLUICE_CORE_STREAM_H
#define SLUICE_CORE_STREAM_H

#include "core/carry.h"
#include "net/conn.h"
#include "xml/element.h"
#include "xml/scan.h"
#include "xml/writer.h"

struct worker;
struct stream;

enum stream_state { STREAM_OPENING, STREAM_OPEN, STREAM_ENDING, STREAM_FAILED, STREAM_GONE };

struct stream_ops {
	const char *kind; /* for the log */
	bool forwards; /* stanzas go out on it: what the kernel has of them gets time to arrive */
	/* The peer's header was parsed. The kind answers, fails or ends the stream. */
	void (*header)(struct stream *s, const struct element *e);
	/* One depth-1 element; f and what it points to are gone when this returns. */
	void (*frame)(struct stream *s, const struct frame *f);
	/* Sends our header if it was not sent yet: a stream error must not come before it. */
	void (*open)(struct stream *s);
	/* After stream_hand_over: what was received behind the element that brought it about; then comes
	 * `closed`. NULL for kinds that never call it. */
	void (*leave)(struct stream *s, struct span rest);
	/* TLS is up, and nothing of what was said before it holds any more (rule 1.5); NULL for kinds
	 * that never call stream_secure. */
	void (*secured)(struct stream *s);
	/* The output queue has room again; may be NULL. */
	void (*writable)(struct stream *s);
	/* Output waits, and the peer takes none of it; NULL for kinds that never call conn_set_stall. */
	void (*stalled)(struct stream *s);
	/* A dialled connection is up; NULL for accepted ones. */
	void (*connected)(struct stream *s);
	/* We have ended the stream, or failed it, or TLS has failed: nothing can be said on it any
	 * more. Not called for a connection that breaks. May be NULL. */
	void (*ended)(struct stream *s);
	/* The connection is gone. Frees the stream after stream_release. */
	void (*closed)(struct stream *s, int err, const char *why);
	/* The stream's timer fired. */
	void (*timeout)(struct stream *s);
};

struct stream {
	struct worker *w;
	struct conn *conn;
	const struct stream_ops *ops;
	struct scan *scan;
	struct carry carry; /* bytes of an incomplete item, and after a pause what follows it */
	struct timer timer;
	struct list link; /* in the worker's list of streams */
	struct tls *securing; /* TLS begins with the next byte of input ... */
	struct span last_words; /* ... after these; static text */
	struct span opening; /* the peer's header as it came, during ops->header */
	bool leaving; /* for another worker, behind the element that is being handled */
	uint32_t max_element; /* octets; a stranger's, until stream_prove() */
	uint64_t serial; /* never reused */
	uint64_t last_input; /* ms */
	const char *ended; /* why we ended it; NULL: we did not */
	uint64_t ignored_since; /* ms; dialback elements that nobody asked for, since then: */
	unsigned ignored;
	uint8_t state; /* enum stream_state */
	bool header_sent;
	bool paused;
	bool feeding; /* inside stream_feed: a resume must not recurse */
};

/* Takes the connection over (its user becomes s). False without memory: the caller aborts it. */
bool stream_init(struct stream *s, struct worker *w, struct conn *conn,
	const struct stream_ops *ops, uint32_t max_element) MUST_CHECK;
/* The callbacks for conn_adopt and conn_dial; the user is the struct stream. */
extern const struct conn_ops stream_conn_ops;
/* Frees what stream_init made. From ops->closed. */
void stream_release(struct stream *s);

/* The peer is known, a backend or a server that has proven a domain: elements may be as large as
 * --max-stanza allows, and are the last to go when memory is short. */
void stream_prove(struct stream *s);

/* Our own words: headers, features, answers, errors. Dropped once the stream has ended. */
void stream_say(struct stream *s, struct span xml);

/*
 * Ends the stream with an error (template B8): condition in xmpp-streams, and `more`, an
 * application condition as XML, or NULL. why: for the log.
 */
void stream_fail(struct stream *s, const char *condition, const char *more, const char *why);
/* The same; from and to, for the log: the domains that it is about, as far as they were given. */
void stream_fail_about(struct stream *s, const char *condition, const char *why, struct span from,
	struct span to);
/* Ends it in order: </stream:stream>, then waits for the peer's, at most TIMEOUT_CLOSE_MS. */
void stream_end(struct stream *s, const char *why);

/* The same because the router ends: with the error system-shutdown, so that the peer comes again and
 * does not take it for a refusal. What it still sends counts all the same. */
void stream_shut_down(struct stream *s, const char *why);

/* Ends it without another word: there is nobody whom they should reach. */
void stream_hang_up(struct stream *s, const char *why);

/*
 * A new stream on the same connection, without an end of the old one (rule 1.6): the peer's header
 * is awaited, and ours is to be sent. What stands behind the element that brought this about is
 * the new stream's. From ops->frame or ops->secured.
 */
void stream_restart(struct stream *s);
/*
 * From ops->frame: TLS begins behind this element (rule 1.5), after `words` (static text), which
 * are the last in the clear; takes t over. A byte behind it in the clear, received already or before TLS begins,
 * ends the connection without another word. Then ops->secured, once the handshake is done.
 */
void stream_secure(struct stream *s, struct span words, struct tls *t);

/*
 * From ops->header: the connection goes to another worker. Not a byte of ours was sent on it, and it
 * is in the clear. Then come ops->leave, where the socket is to be taken (conn_give), and ops->closed.
 */
void stream_hand_over(struct stream *s);
/* To be called once on a new stream, for input that another worker has received. */
void stream_take_over(struct stream *s, struct span input);

/* The kind's timer. Once the stream has ended the timer is the closing's, and these do nothing. */
void stream_set_timer(struct stream *s, uint64_t ms_from_now);
void stream_stop_timer(struct stream *s);

/* Stops taking input, also in the middle of what has been received; nothing is lost. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Is the element's namespace written as this kind of stream may (rule 8.1)? False: the stream has
 * been failed. */
bool stream_admits(struct stream *s, const struct frame *f);

/* The condition of a <stream:error/> that was received: its first child in the namespace of stream
 * errors that is no <text/>; "none" without one. */
struct span stream_error_condition(const struct element *e);

/* The frame as a tree, within the namespaces of the stream's header. NULL: the stream has been
 * failed. */
const struct element *stream_element(struct stream *s, const struct frame *f);

#endif
