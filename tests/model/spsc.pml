/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/spsc: messages arrive once, in order and whole; no slot is filled while it
 * is read. The ring is full and wraps several times; each side works with a copy of
 * the other's index, as old as may be. The producer publishes when it likes.
 *
 * EARLY_HEAD   a slot is published before it is filled
 * EARLY_TAIL   a slot is given back before it is read
 * ROOM_FOR_ONE_MORE  the producer is mistaken about the bound
 */
#define CAPACITY 2
#define MESSAGES 5

byte head, tail; /* shared */
byte slot[CAPACITY]; /* plain memory */
bool filling[CAPACITY], reading[CAPACITY]; /* who is at a slot */

active proctype producer()
{
	byte reserved, tail_seen;

	do
	:: reserved < MESSAGES ->
		/* spsc_reserve */
		if
#ifdef ROOM_FOR_ONE_MORE
		:: reserved - tail_seen > CAPACITY -> tail_seen = tail
#else
		:: reserved - tail_seen >= CAPACITY -> tail_seen = tail
#endif
		:: else
		fi;
		if
#ifdef ROOM_FOR_ONE_MORE
		:: reserved - tail_seen > CAPACITY -> head = reserved; tail > tail_seen
#else
		:: reserved - tail_seen >= CAPACITY -> head = reserved; tail > tail_seen
#endif
		:: else ->
#ifdef EARLY_HEAD
			head = reserved + 1;
#endif
			filling[reserved % CAPACITY] = true;
			assert(!reading[reserved % CAPACITY]);
			slot[reserved % CAPACITY] = reserved + 1;
			filling[reserved % CAPACITY] = false;
			reserved++;
			/* spsc_publish, now or later */
			if
			:: head = reserved
			:: reserved < MESSAGES
			fi
		fi
	:: else -> break
	od;
	head = reserved
}

active proctype consumer()
{
	byte taken, head_seen;

	do
	:: taken < MESSAGES ->
		/* spsc_peek */
		if
		:: taken == head_seen -> head > taken; head_seen = head
		:: else
		fi;
#ifdef EARLY_TAIL
		tail = taken + 1;
#endif
		reading[taken % CAPACITY] = true;
		assert(!filling[taken % CAPACITY]);
		assert(slot[taken % CAPACITY] == taken + 1);
		reading[taken % CAPACITY] = false;
		taken++;
		/* spsc_release */
#ifndef EARLY_TAIL
		tail = taken
#endif
	:: else -> break
	od;
	assert(head == MESSAGES && tail == MESSAGES)
}
