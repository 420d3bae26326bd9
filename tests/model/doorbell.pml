/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/doorbell.h: no wake-up is lost, and none comes twice.
 *
 * Each thread has a store buffer, as an x86 processor has: what it stores waits there,
 * and is seen by its own loads only, until the buffer drains, which may be at any
 * time. A sequentially consistent store drains it at once, and so does an exchange.
 * Each thread stores to one variable only, so a buffer has one place (a later store to
 * the same variable may take the place of the earlier one, which then nobody sees: an
 * execution in which it drained just before does the same).
 *
 * A lost wake-up is an end in which the consumer waits (Spin: invalid end state).
 *
 * RELEASE_PUBLISH   the head is published with release only
 * RELEASE_ANNOUNCE  the announcement is stored with release only
 * NO_RECHECK        the consumer does not look again after announcing
 * NO_EXCHANGE       a producer takes the announcement by load and store
 */
#define PRODUCERS 2
#define MESSAGES 2 /* of each producer, a turn each */

/* Memory. */
byte head[PRODUCERS];
bool asleep;

/* The store buffers: of a producer its head, of the consumer `asleep`. */
bool head_waits[PRODUCERS];
byte head_buffered[PRODUCERS];
bool asleep_waits, asleep_buffered;

byte tail[PRODUCERS]; /* the consumer's */
byte woken; /* wake-ups on their way: the producer's own means */

inline drain_head(me)
{
	if
	:: head_waits[me] -> head[me] = head_buffered[me]; head_waits[me] = false
	:: else
	fi
}

inline drain_asleep()
{
	if
	:: asleep_waits -> asleep = asleep_buffered; asleep_waits = false
	:: else
	fi
}

/* What the processors do at any time. */
active proctype buffers()
{
end:
	do
	:: atomic { head_waits[0] -> drain_head(0) }
	:: atomic { head_waits[1] -> drain_head(1) }
	:: atomic { asleep_waits -> drain_asleep() }
	od
}

inline publish(me)
{
#ifdef RELEASE_PUBLISH
	atomic { head_buffered[me] = sent; head_waits[me] = true }
#else
	head[me] = sent
#endif
}

/* asleep, exchanged for false; the result in `was`. */
inline ring(me)
{
	was = asleep;
	if
	:: was ->
#ifdef NO_EXCHANGE
		asleep = false;
#else
		atomic { drain_head(me); was = asleep; asleep = false };
#endif
		if
		:: was -> atomic { woken++; assert(woken == 1) }
		:: else
		fi
	:: else
	fi
}

proctype producer(byte me)
{
	byte sent;
	bool was;

	do
	:: sent < MESSAGES -> sent++; publish(me); ring(me)
	:: else -> break
	od
}

inline announce()
{
#ifdef RELEASE_ANNOUNCE
	atomic { asleep_buffered = true; asleep_waits = true }
#else
	asleep = true
#endif
}

inline look()
{
	nothing = head[0] == tail[0];
	nothing = nothing && head[1] == tail[1]
}

inline awake()
{
	atomic { drain_asleep(); announced = asleep; asleep = false };
	if
	:: announced
	:: else -> atomic { woken > 0; assert(woken == 1); woken-- }
	fi
}

active proctype consumer()
{
	bool nothing, announced;

	run producer(0);
	run producer(1);
	do
	:: tail[0] < head[0] -> tail[0]++
	:: tail[1] < head[1] -> tail[1]++
	:: tail[0] == MESSAGES && tail[1] == MESSAGES -> break
	:: else ->
		announce();
#ifdef NO_RECHECK
		nothing = true;
#else
		look();
#endif
		if
		:: nothing -> woken > 0 /* sleeps */
		:: else
		fi;
		awake()
	od
}
