/*
 * How one person's delete is submitted exactly once to a service that has no idempotency key.
 *
 * Two runs submit the same batch. Calls may arrive late or never, answers may be lost, processes may die between any
 * two steps, Adobe's lists lag, a person holds, releases and approves. See README.md for what is bounded and what each
 * switch means. The lines `EVENT` are what the test of the traces replays against the real code.
 */

#ifndef PROCESSES
#define PROCESSES 2
#endif
#ifndef CRASHES
#define CRASHES 1 /* processes that die */
#endif
#ifndef LOSSES
#define LOSSES 2 /* requests or answers that are lost */
#endif
#ifndef FAILURES
#define FAILURES 1 /* jobs that Adobe ends in an error after which it is sent again */
#endif
#ifndef HOLDS
#define HOLDS 1
#endif
/* What Adobe's lists show: jobs by the time of their creation or change, or by that of their completion. */
#ifndef LISTS_OPEN_JOBS
#define LISTS_OPEN_JOBS true
#endif

/* In ticks, in the proportions that `SubmissionSettings` keeps. */
#ifndef MAX_INTENT_AGE
#define MAX_INTENT_AGE 1
#endif
#define CALL_TIMEOUT 2
#define LIST_LAG 1
#ifndef SETTLE_AFTER
#define SETTLE_AFTER (MAX_INTENT_AGE + CALL_TIMEOUT + LIST_LAG)
#endif

#ifndef DAILY_LIMIT
#define DAILY_LIMIT 4
#endif
#ifndef DAYS
#define DAYS 2
#endif
#ifndef DELAYS
#define DELAYS 2 /* ticks for which a process may rest between its intent and its look at the intent's age */
#endif
#define INTENTS (CRASHES + LOSSES + FAILURES + PROCESSES + 3)

mtype = { PLANNED, SUBMITTING, SUBMITTED };
mtype = { GOOD, LOST };

/* The ledger. It is written in transactions: each `atomic` that touches it is one. */
mtype state = PLANNED;
byte intent = 0;       /* the intent that is committed: in the code, its time */
byte age = 0;          /* ticks since then, SETTLE_AFTER at most */
byte intent_day = DAYS; /* the day to which it is charged */
byte attempt = 1;
byte approved = 0;     /* the attempt that a person approved */
bool held = false;
byte used = 0;         /* jobs charged to the day */
bool told = false;     /* a person is told of an outcome that cannot be known */

/* Adobe. */
byte live = 0;         /* jobs of this user and action that have not failed */
byte shown_in = 0;     /* ticks until the lists show the job */
bool open = false;     /* it is not finished */

/* The calls, by intent. */
byte in_flight[INTENTS];  /* 0: not under way; n: for n - 1 ticks */
byte overdue = 0;         /* those under way for as long as a call can be */
mtype answer[INTENTS];
byte intending = 0;       /* processes between the intent and the look at its age */
byte armed = 0;           /* processes between that look and the call */

byte crashes = CRASHES, losses = LOSSES, failures = FAILURES, holds = HOLDS, releases = HOLDS, days = DAYS,
     delays = DELAYS;

#define LISTED (live > 0 && shown_in == 0 && (LISTS_OPEN_JOBS || !open))
#ifndef WITNESS
#define WITNESS LISTS_OPEN_JOBS
#endif
#define MAY_SEND (state == PLANNED && !held && approved == attempt && used < DAILY_LIMIT)
/* The steps of a look are steps of their own, but for the traces: the real code cannot be stopped between them. */
#ifdef TRACES
#define MAY_DIE ;
#else
#define MAY_DIE }; if :: atomic { DIES } :: skip fi; atomic {
#endif
#define DIES crashes > 0 -> crashes--; printf("EVENT %d dies = %e %d %d\n", id, state, attempt, live); goto born

inline record_submitted() {
    /* What Adobe has is believed even where the intent was given up meanwhile; a job of an earlier attempt is known. */
    if
    :: state != SUBMITTED && attempt == of_attempt -> state = SUBMITTED; told = false
    :: else
    fi
}

inline begin_call() {
    in_flight[mine] = 1;
    run Call(mine)
}

proctype Submission(byte id) {
    byte mine, of_attempt;
    bool settled, seen;
born:
end:
    do
    :: atomic { state == SUBMITTING && !(told && !LISTED) ->
           mine = intent; of_attempt = attempt; settled = (age >= SETTLE_AFTER); printf("EVENT %d looks = %e %d %d\n", id, state, attempt, live)
       MAY_DIE
           seen = LISTED; printf("EVENT %d lists %d = %e %d %d\n", id, seen, state, attempt, live)
       MAY_DIE
           if
           :: seen -> record_submitted(); printf("EVENT %d recognises = %e %d %d\n", id, state, attempt, live)
           :: !seen && settled && WITNESS ->
                if
                :: state == SUBMITTING && intent == mine -> state = PLANNED; printf("EVENT %d gives-up = %e %d %d\n", id, state, attempt, live)
                :: else
                fi
           :: !seen && settled && !WITNESS -> told = (state == SUBMITTING)
           :: !seen && !settled
           fi };
       /* It looks again when that can tell more. */
       (seen || settled || state != SUBMITTING || age >= SETTLE_AFTER || LISTED)

    :: atomic { MAY_SEND ->
           assert(!held && approved == attempt);
           state = SUBMITTING; intent++; mine = intent; of_attempt = attempt; age = 0;
           intent_day = days; used++; intending++;
           assert(used <= DAILY_LIMIT && mine < INTENTS);
           printf("EVENT %d intends %d = %e %d %d\n", id, mine, state, attempt, live) };
       if
       :: atomic { crashes > 0 -> crashes--; intending--; printf("EVENT %d dies = %e %d %d\n", id, state, attempt, live); goto born }
       :: atomic { intent == mine && age > MAX_INTENT_AGE -> intending--;
              if
              :: state == SUBMITTING -> state = PLANNED; used = used - (days == intent_day)
              :: else
              fi;
              goto born }
       :: atomic { intent != mine -> intending--; goto born }
       :: atomic { intent == mine && age <= MAX_INTENT_AGE -> intending--; armed++ }
       fi;
       atomic { armed--; begin_call(); printf("EVENT %d calls %d = %e %d %d\n", id, mine, state, attempt, live) };
       if
       :: atomic { DIES }
       :: atomic { answer[mine] == GOOD -> record_submitted(); printf("EVENT %d records %d = %e %d %d\n", id, mine, state, attempt, live) }
       :: atomic { answer[mine] == LOST -> printf("EVENT %d hears-nothing %d = %e %d %d\n", id, mine, state, attempt, live) }
       fi
    od
}

/* A request arrives or gets lost, and so does its answer. */
proctype Call(byte i) {
    if
    :: atomic { true ->
           live++; shown_in = LIST_LAG; open = true;
           assert(live <= 1); /* exactly once */
           if
           :: answer[i] = GOOD; printf("EVENT call %d made = %e %d %d\n", i, state, attempt, live)
           :: losses > 0 -> losses--; answer[i] = LOST; printf("EVENT call %d unanswered = %e %d %d\n", i, state, attempt, live)
           fi;
           overdue = overdue - (in_flight[i] > CALL_TIMEOUT); in_flight[i] = 0 }
    :: atomic { losses > 0 ->
           losses--; answer[i] = LOST; printf("EVENT call %d lost = %e %d %d\n", i, state, attempt, live);
           overdue = overdue - (in_flight[i] > CALL_TIMEOUT); in_flight[i] = 0 }
    fi
}

/* No call is under way for longer than its time-out, and no process is suspended between its look at the intent's age
   and its call. SUSPENDED takes the second away: it is the exception that is not promised. */
#ifdef SUSPENDED
#define SENDS_AT_ONCE true
#else
#define SENDS_AT_ONCE (armed == 0)
#endif

proctype Time() {
    byte i;
end:
    do
    :: atomic { SENDS_AT_ONCE && overdue == 0 && (intending == 0 || delays > 0) &&
                ((age < SETTLE_AFTER && intent > 0) || shown_in > 0) ->
           i = 0;
           do
           :: i < INTENTS && in_flight[i] > 0 ->
                in_flight[i]++; overdue = overdue + (in_flight[i] > CALL_TIMEOUT); i++
           :: i < INTENTS && in_flight[i] == 0 -> i++
           :: i == INTENTS -> break
           od;
           i = 0;
           delays = (intending > 0 -> delays - 1 : delays);
           age = (age < SETTLE_AFTER -> age + 1 : age);
           shown_in = (shown_in > 0 -> shown_in - 1 : 0);
           printf("EVENT time = %e %d %d\n", state, attempt, live) }
    :: atomic { used == DAILY_LIMIT && days > 0 -> days--; used = 0; printf("EVENT day = %e %d %d\n", state, attempt, live) }
    od
}

proctype Adobe() {
end:
    do
    :: atomic { live > 0 && open -> open = false; printf("EVENT adobe finishes = %e %d %d\n", state, attempt, live) }
    :: atomic { live > 0 && failures > 0 && state == SUBMITTED ->
           /* It fails, the run sees it, and plans another attempt: a person is asked again. */
           failures--; live = 0; open = false; attempt++; state = PLANNED; printf("EVENT adobe fails = %e %d %d\n", state, attempt, live) }
    od
}

proctype Person() {
end:
    do
    :: atomic { approved != attempt -> approved = attempt; printf("EVENT person approves = %e %d %d\n", state, attempt, live) }
    :: atomic { holds > 0 && !held -> holds--; held = true; printf("EVENT person holds = %e %d %d\n", state, attempt, live) }
    :: atomic { held && releases > 0 -> releases--; held = false; printf("EVENT person releases = %e %d %d\n", state, attempt, live) }
    od
}

/* Where nothing can happen any more, the request has an end, or a person knows of it. */
proctype Rest() {
end:
    atomic { timeout ->
        assert((state == SUBMITTED && live == 1) || (state == SUBMITTING && told) || (state == PLANNED && held)) }
}

init {
    byte id = 0;
    atomic {
        do
        :: id < PROCESSES -> run Submission(id); id++
        :: id == PROCESSES -> break
        od;
        run Time(); run Adobe(); run Person(); run Rest()
    }
}
