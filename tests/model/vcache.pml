/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dialback/vcache: a set of two entries, two writers, one reader. What the reader is
 * told was stored as a whole for the name that it asked for, by a writer who has at
 * least begun; and had not been replaced by a store that ended before the question.
 *
 * Writer w stores two versions, each under a name of its choice; version v is told by
 * all three words. A writer takes the entry of that name, or else any entry: what is
 * displaced is not the point here. Sequential consistency is taken for granted.
 *
 * Those of dialback/vcache.h:
 * BREAK_1  the reader does not look again whether a writer came
 * BREAK_2  the reader does not mind that a writer is inside
 * BREAK_3  a writer enters without asking whether another one has
 * BREAK_4  a writer leaves before it has written
 */
#define WAYS 2
#define NAMES 2 /* 1 and 2; 0: none */
#define STORES 2 /* of each writer */
#define READS 1

typedef way_t {
	byte name, value, meta;
};

byte seq;
way_t way[WAYS];

/* Ghosts: what has happened, for the assertions only. By version, 1 to 2 * STORES. */
byte name_of[5]; /* of the stores that have begun */
byte newest[3]; /* by name: the last version stored, when its writer left */
byte versions;
byte inside; /* writers */

inline enter()
{
#ifdef BREAK_3
	entered = true; before = seq;
	seq = before | 1
#else
	before = seq;
	if
	:: before & 1 -> entered = false
	:: else -> atomic {
		entered = seq == before;
		if
		:: entered -> seq = before + 1
		:: else
		fi
	   }
	fi
#endif
}

inline leave()
{
	/* The ghost with the store that makes the new entry known. */
	atomic {
		seq = (before & 254) + 2;
		newest[name] = version
	}
}

inline store()
{
	way[at].name = name;
	way[at].value = version;
	way[at].meta = version
}

proctype writer()
{
	byte n, name, version, before, at;
	bool entered;

	for (n : 1 .. STORES) {
		if
		:: name = 1
		:: name = 2
		fi;
		enter();
		if
		:: !entered /* VCACHE_BUSY: it does without */
		:: else ->
			atomic {
				versions++;
				version = versions;
				name_of[version] = name
			};
			if
			:: way[0].name == name -> at = 0
			:: way[0].name != name && way[1].name == name -> at = 1
			:: way[0].name != name && way[1].name != name -> at = 0
			:: way[0].name != name && way[1].name != name -> at = 1
			fi;
#ifdef BREAK_4
			leave();
			store()
#else
			store();
			leave()
#endif
		fi
	}
}

proctype reader()
{
	byte n, i, name, before, value, meta, oldest;
	bool found;

	for (n : 1 .. READS) {
		if
		:: name = 1
		:: name = 2
		fi;
		found = false;
		/* Of this name nothing older than this may be told. */
		atomic { oldest = newest[name]; before = seq };
#ifndef BREAK_2
		if
		:: before & 1 -> goto told
		:: else
		fi;
#endif
		for (i : 0 .. WAYS - 1) {
			if
			:: !found && way[i].name == name ->
				value = way[i].value;
				meta = way[i].meta;
				found = true
			:: else
			fi
		}
#ifndef BREAK_1
		if
		:: seq != before -> found = false
		:: else
		fi;
#endif
told:
		if
		:: found ->
			assert(value == meta);
			assert(value > 0 && name_of[value] == name);
			assert(value >= oldest)
		:: else
		fi
	}
}

init {
	atomic {
		run writer();
		run writer();
		run reader()
	}
}
