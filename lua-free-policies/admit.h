
/*
 * The one decision: class, cost and now against a gate -> pass, or why not.
 *
 * Order: closed, class not let in yet, budget of a retry (a look), bucket (a
 * look), in flight (take), bucket (take), budget (take).  The looks come
 * first because under a limit most requests end there, having written nothing
 * that others wait for.
 *
 * Under a cut (cohort.h) the users of the marginal class who are let in find
 * room where the others of their class find none.
 *
 * Lots.  While there is plenty, a process takes places and credit of the
 * bucket for several requests at once and hands them out by itself: what two
 * processes write both, each of them waits for.  What is taken in advance is
 * taken: nobody else can have it, a limit and a rate hold as they do without
 * lots.  What it costs, and the bounds of that:
 *
 *   - Places that one process has to spare are none for another.  All of them
 *     together are no more than an eighth of what the last class may use, and
 *     none is kept where half of that is in use: near a limit each place is
 *     asked for singly.
 *   - Credit may be spent when the bucket would have no more to give: all of
 *     it is no more than an eighth of the burst, and only the class that it
 *     was taken for and those before may spend it.
 *   - Nothing is kept for long: the caller has everything settled in time
 *     (rcv_admit_settle()), and a gate whose word changes settles by itself.
 *   - A process that is killed takes its credit with it; its places are found
 *     like the permits that are out (inflight.h).
 *
 * Small limits and small bursts, such as on the floor, give lots of 0: there
 * all is asked for singly.
 */

#ifndef RCV_ADMIT_H_INCLUDED_
#define RCV_ADMIT_H_INCLUDED_


#include "budget.h"
#include "cohort.h"
#include "gate.h"
#include "inflight.h"
#include "policy.h"
#include "rcv_atomic.h"


/* What a decision leaves, to be given back or asked again. */

typedef struct {
    uint16_t             epoch;
    uint8_t              phase;         /* in which it was decided */
    uint8_t              slot;          /* RCV_COHORT_NONE: not asked, none */
    uint8_t              booked;        /* holds a permit: give it back */
    uint8_t              charged;       /* took its cost from the bucket */
    uint8_t              budgeted;      /* took a token for a retry */
    uint8_t              spilled;       /* let in beyond the cut */
} rcv_ticket_t;


#define RCV_PLACES_LOT_MAX  64
#define RCV_CREDIT_LOT_MAX  512


/*
 * Where a process stands at a gate.  The caller sets the first five and zeros
 * the rest, in which is kept what the gate's word means, for as long as it is
 * the same: it is read again with each decision, and changes a few times a
 * second at most.
 */

typedef struct {
    rcv_gate_t          *gate;
    rcv_slot_t          *slot;          /* NULL: looks, books nothing */
    unsigned             gate_index;
    const rcv_policy_t  *policy;
    rcv_str_t            user;          /* empty: no cohort, or nobody asks */

    uint64_t             word;
    rcv_ticket_t         ticket;        /* a new one, under this word */

    /* what is left of the lots, beside the spares of the slot's cell */
    uint32_t             credit_milli;  /* taken from the bucket, not spent */
    uint32_t             credit_classes;    /* so many may spend it; 0: none */
    uint32_t             keep;          /* so many spares may be kept */
    uint8_t              taken;         /* there is something to be settled */
    uint8_t              news;          /* since the caller put 0 here */
    uint8_t              alone;         /* a copy: no lots */

    uint32_t             lot;           /* of places */
    uint32_t             calm;          /* in flight: lots are dealt below */

    /* how full a class may find it; open: 0 but for an open gate, no cut */
    uint32_t             places[RCV_CLASSES_MAX];
    uint32_t             open[RCV_CLASSES_MAX];

    /* under which "room" holds: see rcv_admit_full() */
    uint64_t             interval_ns;
    uint64_t             burst_ns;
    uint64_t             bound_ns;      /* no honest backlog is larger */
    uint64_t             room_ns[RCV_CLASSES_MAX];
} rcv_admit_at_t;


/* For a question that is asked otherwise: a copy, which has no lots. */
rcv_admit_at_t rcv_admit_alone(const rcv_admit_at_t *at);

/*
 * Is there a need to know more of a request than its class: who the user is,
 * or whether it is a retry?
 */

static inline int
rcv_admit_asks(const rcv_admit_at_t *at)
{
    return rcv_load(&at->gate->cohort) != 0 || rcv_budget_on(at->gate);
}


/* Will the user be asked for?  Only then must at->user be there. */

static inline int
rcv_admit_asks_user(const rcv_admit_at_t *at, unsigned class_index)
{
    uint64_t  cut;

    cut = rcv_load(&at->gate->cohort);

    return cut != 0 && class_index >= rcv_cut_class(cut)
           && at->policy->cohort >= 0;
}


/* The gate's word is another one than at->word; settles. */
void rcv_admit_read(rcv_admit_at_t *at, uint64_t word);

/* Under a limit or a cut, or refused, and if so why: admit.c. */
rcv_reason_t rcv_admit_guarded(rcv_admit_at_t *at,
    unsigned class_index, uint32_t cost_milli, uint64_t now_ns,
    rcv_ticket_t *ticket);


/* A place where there is no spare one: with a lot, where that may be. */
int rcv_admit_place(rcv_admit_at_t *at, uint32_t watermark);


/*
 * The way through an open gate with a spare place: short, because nearly all
 * requests of a backend that is well go it.  0: it is not as simple as that,
 * ask rcv_admit().
 */

static inline int
rcv_admit_spare(const rcv_admit_at_t *at, unsigned class_index,
    rcv_ticket_t *ticket)
{
    uint32_t  places;

    places = at->open[class_index];

    if (places == 0 || rcv_load_acquire(&at->gate->word) != at->word
        || !rcv_inflight_spare(at->gate, at->slot, at->gate_index, places))
    {
        return 0;
    }

    *ticket = at->ticket;
    ticket->booked = 1;

    return 1;
}


/* The same, and asks for a place where there is none to spare. */

static inline int
rcv_admit_open(rcv_admit_at_t *at, unsigned class_index,
    rcv_ticket_t *ticket)
{
    uint32_t  places;

    if (rcv_admit_spare(at, class_index, ticket)) {
        return 1;
    }

    places = at->open[class_index];

    if (places == 0 || rcv_load_acquire(&at->gate->word) != at->word
        || at->slot == NULL || !rcv_admit_place(at, places))
    {
        return 0;
    }

    *ticket = at->ticket;
    ticket->booked = 1;

    return 1;
}


/* The way under a limit with what this process has of it already. */

static inline int
rcv_admit_spend(rcv_admit_at_t *at, unsigned class_index,
    uint32_t cost_milli, rcv_ticket_t *ticket)
{
    uint32_t  places;

    if (class_index >= at->credit_classes || at->credit_milli < cost_milli) {
        return 0;
    }

    places = at->places[class_index];

    if (!rcv_inflight_spare(at->gate, at->slot, at->gate_index, places)
        && (at->slot == NULL || !rcv_admit_place(at, places)))
    {
        return 0;
    }

    at->credit_milli -= cost_milli;

    *ticket = at->ticket;
    ticket->booked = 1;
    ticket->charged = 1;

    return 1;
}


/*
 * Is the bucket so full that it holds no unit more for the class?  That is
 * how most requests under a limit end, so what the bucket's rate makes of the
 * class is kept: a backlog above "room" leaves none.  0: perhaps not, ask
 * rcv_admit_guarded().
 */

static inline int
rcv_admit_full(const rcv_admit_at_t *at, unsigned class_index,
    uint32_t cost_milli, uint64_t now_ns)
{
    uint64_t           backlog_ns;
    const rcv_gate_t  *gate;

    gate = at->gate;
    backlog_ns = rcv_since(rcv_load(&gate->tat_ns), now_ns);

    return backlog_ns > at->room_ns[class_index]
           && backlog_ns <= at->bound_ns
           && cost_milli >= RCV_MILLI
           && rcv_load(&gate->interval_ns) == at->interval_ns
           && rcv_load(&gate->burst_ns) == at->burst_ns;
}


/* Returns RCV_REASON_NONE when it passes.  cost_milli: 0 to COST_MAX. */

static inline rcv_reason_t
rcv_admit(rcv_admit_at_t *at, unsigned class_index, uint32_t cost_milli,
    uint64_t now_ns, rcv_ticket_t *ticket)
{
    uint64_t  word;

    word = rcv_load_acquire(&at->gate->word);

    if (word != at->word) {
        rcv_admit_read(at, word);
    }

    if (rcv_admit_open(at, class_index, ticket)
        || rcv_admit_spend(at, class_index, cost_milli, ticket))
    {
        return RCV_REASON_NONE;
    }

    if (rcv_admit_full(at, class_index, cost_milli, now_ns)) {
        *ticket = at->ticket;
        return rcv_gate_reason(word);
    }

    return rcv_admit_guarded(at, class_index, cost_milli, now_ns, ticket);
}


/* The same for a request that is a retry. */
rcv_reason_t rcv_admit_retry(rcv_admit_at_t *at, unsigned class_index,
    uint32_t cost_milli, uint64_t now_ns, rcv_ticket_t *ticket);

/*
 * No other gate has turned it away either: what was let in beyond the cut is
 * counted.  Not before, since the leader may look at any time, and a counter
 * that went down would look to it like one that has wrapped.
 */
static inline void
rcv_admit_passed(const rcv_admit_at_t *at, const rcv_ticket_t *ticket)
{
    if (ticket->spilled) {
        rcv_add(&at->gate->spilled, 1);
    }
}


/*
 * One more attempt has been made on what was let in once: it costs the same
 * again and counts as a retry, without being asked.
 */
void rcv_admit_attempt(const rcv_admit_at_t *at, uint32_t cost_milli,
    uint64_t now_ns);

/*
 * Books a permit for a request that was let in without one (slot NULL) and
 * begins to work now.  It is not refused any more, so the limit may be
 * passed; who asks next sees that.  1: booked, now or before; 0: no slot.
 */
int rcv_admit_book(const rcv_admit_at_t *at, rcv_ticket_t *ticket);

/*
 * The permit back, as a spare of this process: while there is plenty, and
 * then without a word to others.  0: it was not, ask rcv_admit_give().
 */

static inline int
rcv_admit_keep(const rcv_admit_at_t *at, rcv_ticket_t *ticket)
{
    if (!ticket->booked || rcv_load(&at->gate->word) != at->word
        || rcv_load(&at->gate->in_flight) >= at->calm
        || !rcv_inflight_keep(at->slot, at->gate_index, at->keep))
    {
        return 0;
    }

    ticket->booked = 0;

    return 1;
}


/* The permit back, to all; safe to call twice. */
void rcv_admit_give(const rcv_admit_at_t *at, rcv_ticket_t *ticket);

/* The one or the other, at the end of the request; safe to call twice. */

static inline void
rcv_admit_release(const rcv_admit_at_t *at, rcv_ticket_t *ticket)
{
    if (!rcv_admit_keep(at, ticket)) {
        rcv_admit_give(at, ticket);
    }
}


/*
 * What is left of the lots goes back.  To be called some time after "taken"
 * was seen, and before "at" is given up; a later call finds nothing.
 */
void rcv_admit_settle(rcv_admit_at_t *at);

/* Permit, cost and token back: the request was turned away by another gate. */
void rcv_admit_undo(const rcv_admit_at_t *at, uint32_t cost_milli,
    rcv_ticket_t *ticket);


#endif /* RCV_ADMIT_H_INCLUDED_ */
