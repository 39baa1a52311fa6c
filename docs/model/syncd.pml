/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Terms, roles, handover, completeness and repair of one group, for spin(1). `make model` runs it.
 *
 * What is here: three nodes and two flows, each opened once and closed once. The active's kernel changes (an event may be lost, and is made good by a dump that takes its time); changes are sent as
 * a stream; a wire loses datagrams and is cut in either direction; daemons restart empty (the
 * kernel stays); whoever decides about roles moves them with and without a handover, and may leave
 * two nodes active for a while. Budgets bound how often each happens.
 *
 * What is left out: bytes, sizes and time (a timeout is "may happen"), hash ranges (a range here is
 * everything), naks (a retransmit is a datagram that was not lost), leases, the offer after a split.
 *
 * What is held:
 *   A1 a standby that says equal has the sender's table as of the datagram it applied last
 *   A2 data of a lower term than one has seen is not applied, but for a predecessor's last words
 *   A3 a range never removes what lives in the sender's kernel: none removes before it is complete
 *   A4 what the active's kernel closed in this term is not in its table again; what a standby was
 *      told is gone does not come back in that term
 *   A5 a node's term never falls, and when all has healed one term is left: its node's is the only
 *      active one, and all others follow it
 *   A6 and then every standby says equal and has the active's table, which is that of its kernel,
 *      and every kernel has what its table has
 *   A7 nothing goes round for ever on the way there: no cycle without progress
 */
#ifndef NODES
#define NODES 3
#endif
#ifndef FLOWS
#define FLOWS 2
#endif
#ifndef CHANGES
#define CHANGES 3 /* opens and closes */
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef CUTS
#define CUTS 1
#endif
#ifndef MOVES
#define MOVES 2 /* of the role */
#endif
#ifndef RESTARTS
#define RESTARTS 1
#endif
#ifndef OVERRUNS
#define OVERRUNS 1
#endif
#ifndef ROOM
#define ROOM 1 /* datagrams on their way to one node */
#endif
#define ALL  ((1 << FLOWS) - 1)

/* A term is its number and its node in one, so that > is the order of terms. */
#define TERM(number, node) ((number) * 4 + (node))
#define NUMBER(t)	   ((t) / 4)
#define SENDER(t)	   ((t) % 4)
#define LOWEST(bits)	   ((bits) & -(bits))

mtype = { STANDBY, ACTIVE };
/* GAP stands for datagrams that never come, at their place */
mtype = { PUT, DEL, CHECK, RANGE, GAP };

/*
 * Kind; term; the flow's bit, or a table; then what only assertions read: the sender's table as
 * sent after it and its kernel; and whether the sender was complete.
 */
chan wire[NODES] = [ROOM] of { mtype, byte, byte, byte, byte, bool };

mtype role[NODES];
byte term[NODES];		      /* the highest seen; an active's own */
byte follows[NODES];		      /* the term whose stream is applied; 0: none */
byte table[NODES], sent[NODES], kernel[NODES];
byte blind[NODES]; /* bit per sender: the last that is on its way from it is a gap */
bool equal[NODES], asked[NODES];      /* standby: its question is on its way */
bool complete[NODES], handing[NODES]; /* active */
bool want_check[NODES], want_range[NODES];
bool must_dump[NODES], dumping[NODES];
byte snapshot[NODES], touched[NODES]; /* the dump that runs; what changed since it began */
byte tail[NODES], tail_touched[NODES]; /* term of the predecessor whose last words count */
bool cut[9];
byte closed_here[NODES]; /* A4, active: closed by its kernel in this term */
byte gone[NODES];	 /* A4, standby: told to be gone in the term it follows */
byte opened, closed, actives;
byte changes = CHANGES, losses = LOSSES, cuts = CUTS, moves = MOVES, restarts = RESTARTS,
     overruns = OVERRUNS;

#define CUT(a, b)    cut[(a) * 3 + (b)]
#define JOINED(a, b) (!CUT(a, b) && !CUT(b, a))
#define BLIND(a, b)  (CUT(a, b) && (blind[b] & (1 << (a))))
#define HAS_ROOM(i) \
	((BLIND(i, N1) || nfull(wire[N1])) && (BLIND(i, N2) || nfull(wire[N2])))
#define N1	     ((i + 1) % 3)
#define N2	     ((i + 2) % 3)
#define HEAD	     SENDER(term[i]) /* whom a standby believes to be active */

inline send_one(i, to, kind, what)
{
	if
	:: BLIND(i, to)
	:: CUT(i, to) && !BLIND(i, to) ->
		wire[to]!GAP, term[i], 0, 0, 0, false;
		blind[to] = blind[to] | 1 << i
	:: else ->
		blind[to] = blind[to] & ~(1 << i);
		if
		:: wire[to]!kind, term[i], what, sent[i], kernel[i], complete[i]
		:: losses > 0 ->
			losses--;
			wire[to]!GAP, term[i], 0, 0, 0, false
		fi
	fi
}

inline send(i, kind, what)
{
	send_one(i, N1, kind, what);
	send_one(i, N2, kind, what)
}

inline become_active(i)
{
	tail[i] = follows[i];
	tail_touched[i] = 0;
	follows[i] = 0;
	term[i] = TERM(NUMBER(term[i]) + 1, i);
	role[i] = ACTIVE;
	actives++;
	complete[i] = false;
	equal[i] = false;
	asked[i] = false;
	want_check[i] = false;
	want_range[i] = false;
	must_dump[i] = true;
	sent[i] = table[i];
	gone[i] = 0
}

inline stop_being_active(i)
{
	actives--;
	handing[i] = false;
	complete[i] = false;
	must_dump[i] = false;
	dumping[i] = false;
	snapshot[i] = 0;
	touched[i] = 0;
	tail[i] = 0;
	tail_touched[i] = 0;
	closed_here[i] = 0;
	want_check[i] = false;
	want_range[i] = false;
	sent[i] = 0
}

/* A datagram of the stream that this standby follows, or follows from now on. */
inline apply(i)
{
	assert(t >= term[i]); /* A2 */
	term[i] = t;
	if
	:: follows[i] != t ->
		follows[i] = t;
		gone[i] = 0;
		equal[i] = false
	:: else
	fi;
	if
	:: kind == PUT ->
		table[i] = table[i] | what;
		kernel[i] = kernel[i] | what;
		gone[i] = gone[i] & ~what
	:: kind == DEL ->
		table[i] = table[i] & ~what;
		kernel[i] = kernel[i] & ~what;
		gone[i] = gone[i] | what
	:: kind == CHECK ->
		equal[i] = (whole && table[i] == what);
		asked[i] = false
	:: kind == RANGE ->
		if
#ifdef BREAK_COMPLETE /* must fail: A3 */
		:: true ->
#else
		:: whole ->
#endif
			assert((table[i] & ~what & in_kernel) == 0); /* A3 */
			kernel[i] = kernel[i] & ~(table[i] & ~what);
			table[i] = what
#ifndef BREAK_COMPLETE
		:: else -> table[i] = table[i] | what
#endif
		fi;
		kernel[i] = kernel[i] | table[i];
		gone[i] = gone[i] & ~what;
		asked[i] = false
	fi;
	assert((table[i] & gone[i]) == 0);	 /* A4 */
	assert(!equal[i] || table[i] == as_sent) /* A1 */
}

/* A predecessor's last words, for what has not changed here since; they are passed on. */
inline apply_tail(i)
{
	if
	:: kind == PUT && !(tail_touched[i] & what) ->
		table[i] = table[i] | what;
		kernel[i] = kernel[i] | what;
		touched[i] = touched[i] | what
	:: kind == DEL && !(tail_touched[i] & what) ->
		table[i] = table[i] & ~what;
		kernel[i] = kernel[i] & ~what;
		touched[i] = touched[i] | what
	:: else
	fi;
	assert((table[i] & closed_here[i]) == 0) /* A4 */
}

inline receive(i)
{
	wire[i]?kind, t, what, as_sent, in_kernel, whole;
	if
	:: kind == GAP ->
		blind[i] = blind[i] & ~(1 << SENDER(t));
#ifndef BREAK_GAP /* must fail: A1 */
		equal[i] = equal[i] && follows[i] != t
#endif
#ifdef BREAK_TERM /* must fail: A2 */
	:: kind != GAP && role[i] == STANDBY -> apply(i)
#else
	:: kind != GAP && role[i] == STANDBY && t >= term[i] -> apply(i)
#endif
	:: kind != GAP && role[i] == ACTIVE && t == tail[i] -> apply_tail(i)
	:: else /* a lower term */
	fi;
	kind = PUT;
	t = 0;
	what = 0;
	as_sent = 0;
	in_kernel = 0;
	whole = false
}

/* The active's kernel did something; its news may be lost in a full socket. */
inline changed(i, f, is_there)
{
	if
	:: true ->
		if
		:: is_there -> table[i] = table[i] | f
		:: else ->
			table[i] = table[i] & ~f;
			closed_here[i] = closed_here[i] | f
		fi;
		touched[i] = touched[i] | f;
		tail_touched[i] = tail_touched[i] | f
	:: overruns > 0 ->
		overruns--;
		must_dump[i] = true
	fi
}

/*
 * A hello of j: whom to follow; or that there was a higher term, whose owner has given way. (Were it
 * enough that a standby has seen a higher one, two actives would outbid each other for ever.)
 */
#define NEWS(i, j) \
	(JOINED(i, j) && term[j] > term[i] && \
	 (role[i] == STANDBY && role[j] == ACTIVE || \
	  role[i] == ACTIVE && role[j] == STANDBY && role[SENDER(term[j])] == STANDBY))
inline hear(i, j)
{
	if
	:: role[i] == STANDBY ->
		term[i] = term[j];
		asked[i] = false
	:: else -> term[i] = TERM(NUMBER(term[j]) + 1, i)
	fi
}

/* Somebody is active who this standby has heard of and can talk to. */
#define SERVED(i) \
	(term[i] != 0 && role[HEAD] == ACTIVE && term[HEAD] == term[i] && JOINED(i, HEAD))

proctype node(byte i)
{
	mtype kind = PUT;
	byte t, what, as_sent, in_kernel;
	bool whole;

end:	do
	/* ---- either ---- */
	:: atomic { nempty(wire[i]) -> receive(i) }
	:: atomic { NEWS(i, N1) -> hear(i, N1) }
	:: atomic { NEWS(i, N2) -> hear(i, N2) }
	:: atomic {
		restarts > 0 ->
		restarts--;
		table[i] = 0;
		equal[i] = false;
		asked[i] = false;
		gone[i] = 0;
		blind[i] = 0;
		follows[i] = 0;
		do
		:: nempty(wire[i]) -> wire[i]?_, _, _, _, _, _
		:: empty(wire[i]) -> break
		od;
		/* an active one resumes under the next term, and has to hear its kernel first */
		if
		:: role[i] == ACTIVE ->
			stop_being_active(i);
			become_active(i)
		:: else
		fi
	   }

	/* ---- standby ---- */
	/* not equal: it asks for a check, and for the range once a check has differed */
	:: atomic {
		role[i] == STANDBY && (!equal[i] || follows[i] != term[i]) && !asked[i] &&
			empty(wire[i]) && SERVED(i) ->
		asked[i] = true;
		if
		:: follows[i] == term[i] && table[i] != sent[HEAD] -> want_range[HEAD] = true
		:: else -> want_check[HEAD] = true
		fi
	   }
	/* no answer came: it asks again */
	:: atomic {
		role[i] == STANDBY && asked[i] && empty(wire[i]) &&
			(!SERVED(i) || (!want_check[HEAD] && !want_range[HEAD])) ->
		asked[i] = false
	   }
	/* whoever decides makes it active: without asking the one that is, or since nobody is */
	:: atomic {
		role[i] == STANDBY && moves > 0 ->
		moves--;
		become_active(i)
	   }

	/* ---- active ---- */
	:: atomic {
		role[i] == ACTIVE && table[i] != sent[i] && HAS_ROOM(i) ->
		what = LOWEST(table[i] ^ sent[i]);
		sent[i] = sent[i] ^ what;
		if
		:: table[i] & what -> send(i, PUT, what)
		:: else -> send(i, DEL, what)
		fi;
		what = 0
	   }
	:: atomic {
		role[i] == ACTIVE && want_check[i] && complete[i] && HAS_ROOM(i) ->
		want_check[i] = false;
		send(i, CHECK, sent[i])
	   }
	:: atomic {
		role[i] == ACTIVE && want_range[i] && HAS_ROOM(i) ->
		want_range[i] = false;
		sent[i] = table[i];
		send(i, RANGE, table[i])
	   }
	:: atomic {
		role[i] == ACTIVE && must_dump[i] && !dumping[i] ->
		must_dump[i] = false;
		dumping[i] = true;
		snapshot[i] = kernel[i];
		touched[i] = 0
	   }
	/* what was touched since the dump began is not judged by it; a term's first dump deletes
	 * nothing: what the kernel lacks is installed */
	:: atomic {
		role[i] == ACTIVE && dumping[i] ->
		dumping[i] = false;
#ifdef BREAK_TOUCHED /* must fail: A4 */
		touched[i] = 0;
#endif
		if
		:: complete[i] -> table[i] = (table[i] & touched[i]) | (snapshot[i] & ~touched[i])
		:: else ->
			table[i] = table[i] | (snapshot[i] & ~touched[i]);
			kernel[i] = kernel[i] | (table[i] & ~touched[i])
		fi;
		snapshot[i] = 0;
		touched[i] = 0;
		complete[i] = true;
		assert((table[i] & closed_here[i]) == 0) /* A4 */
	   }
	/* the predecessor has had its time */
	:: atomic { role[i] == ACTIVE && tail[i] != 0 -> tail[i] = 0; tail_touched[i] = 0 }
	/* clients */
	:: atomic {
		role[i] == ACTIVE && changes > 0 && opened != ALL ->
		changes--;
		what = LOWEST(~opened & ALL);
		opened = opened | what;
		kernel[i] = kernel[i] | what;
		changed(i, what, true);
		what = 0
	   }
	:: atomic {
		role[i] == ACTIVE && changes > 0 && (kernel[i] & ~closed) != 0 ->
		changes--;
		what = LOWEST(kernel[i] & ~closed);
		closed = closed | what;
		kernel[i] = kernel[i] & ~what;
		changed(i, what, false);
		what = 0
	   }
	/* a handover: all is sent, the role is given up, the next one has it */
	:: atomic {
		role[i] == ACTIVE && moves > 0 && !handing[i] && role[N1] == STANDBY ->
		moves--;
		handing[i] = true
	   }
	:: atomic {
		role[i] == ACTIVE && handing[i] && table[i] == sent[i] ->
		stop_being_active(i);
		role[i] = STANDBY;
		if
		:: role[N1] == STANDBY -> become_active(N1)
		:: else
		fi
	   }
	/* of two, whoever decides tells one to stand by, once it has said all */
	:: atomic {
		role[i] == ACTIVE && actives > 1 && !handing[i] && table[i] == sent[i] ->
		stop_being_active(i);
		role[i] = STANDBY
	   }

	/* ---- the wire ---- */
	:: atomic {
		cuts > 0 && !CUT(i, N1) ->
		cuts--;
		CUT(i, N1) = true
	   }
	:: atomic { CUT(i, N1) -> CUT(i, N1) = false }
	od
}

/* Nothing more can happen: everything must be right. */
proctype judge()
{
	byte i, a;

end:	timeout;
	d_step {
		assert(actives == 1); /* A5 */
		do
		:: role[a] == ACTIVE -> break
		:: else -> a++
		od;
		assert(complete[a] && table[a] == sent[a] && table[a] == kernel[a]); /* A6 */
		do
		:: i < NODES && i == a -> i++
		:: i < NODES && i != a ->
			assert(term[i] == term[a]); /* A5 */
			assert(equal[i] && table[i] == table[a]); /* A6 */
			assert((table[i] & ~kernel[i]) == 0);
			i++
		:: i == NODES -> break
		od
	}
}

init
{
	atomic {
		role[0] = STANDBY;
		role[1] = STANDBY;
		role[2] = STANDBY;
		become_active(0);
		run node(0);
		run node(1);
		run node(2);
		run judge()
	}
}
