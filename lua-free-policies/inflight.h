
/*
 * The number in flight, such that a killed process takes nothing with it.
 *
 * Every process owns a slot.  A permit is counted twice: in the gate's
 * in_flight, on which decisions are made, and in the slot's cell for that
 * gate, which only the owner writes.
 *
 *   take:  seq odd;  in_flight + n (CAS, not over the limit);  cell + n;
 *          seq even
 *   give:  seq odd;  cell - n;  in_flight - n;  seq even
 *
 * n is 1, or a lot.  What a process has of a lot and does not need yet are
 * its spares: it holds them like permits that are out, so nobody else can
 * have them, and hands them to requests, and takes them back, without a word
 * to anybody.  That is what makes two processes on one gate twice as fast as
 * one: the line of in_flight moves between them once a lot.  How large a lot
 * may be, and when spares must be given back, is admit.h's affair.
 *
 * A cell is one word, held in the lower 24 bits and how many of these are
 * spare above, so that there is no moment at which one is told without the
 * other.
 *
 * Invariant: in_flight >= sum of what all slots hold, and they are equal
 * when every seq is even.  So wherever a process dies, in_flight is too
 * large, never too small: not one request too many is let in.  What is too
 * much is taken back by rcv_inflight_reconcile(), which the leader calls
 * after it has emptied the slots of dead processes, and then once a second.
 *
 * The life of a slot: claimed by CAS of owner from 0, given up by CAS of
 * owner to 0.  Only that CAS empties it, so that two who try cannot hit a
 * new owner; the cells are left as they are, and the next claim zeroes them.
 * A free slot that was ever used has an odd seq, made so before owner
 * becomes 0: it does not count, and a claim half done looks like a booking
 * half done until its seq is even.  seq never runs backwards.  Its start is
 * 0: next to a new owner, the start of the last one would tell others that
 * the new one is dead.
 *
 * A process without a slot (all taken) may still look at the limit but books
 * nothing; its requests are counted as undecided.
 */

#ifndef RCV_INFLIGHT_H_INCLUDED_
#define RCV_INFLIGHT_H_INCLUDED_


#include "gate.h"
#include "rcv_atomic.h"


typedef struct {
    uint64_t             owner;         /* pid; 0: free */
    uint64_t             start;         /* the pid's start time; 0: unknown */
    uint64_t             generation;    /* configuration it runs */
    uint64_t             seq;           /* odd: do not count the cells */
    uint64_t             unused[4];
    /* the cells of all gates, uint32_t each, follow; see rcv_slot_cell() */
} rcv_slot_t;

_Static_assert(sizeof(rcv_slot_t) == 64, "a slot's head fills one line");


/* Slots lie one behind the other, each stride bytes long. */

typedef struct {
    rcv_slot_t          *first;
    size_t               stride;        /* a multiple of 64 */
    unsigned             count;
} rcv_slots_t;


static inline rcv_slot_t *
rcv_slot_at(const rcv_slots_t *slots, unsigned i)
{
    return (rcv_slot_t *) (void *) ((char *) slots->first + i * slots->stride);
}


static inline uint32_t *
rcv_slot_cell(rcv_slot_t *slot, unsigned gate_index)
{
    return (uint32_t *) (void *) (slot + 1) + gate_index;
}


/*
 * Claims a free slot for a process; NULL when there is none.  Its cells are
 * zero.  owner must not be 0.  ngates: as many as the slot has room for, so
 * that nothing is left of an owner that knew more gates.
 */
rcv_slot_t *rcv_slot_claim(const rcv_slots_t *slots, uint64_t owner,
    uint64_t start, uint64_t generation, unsigned ngates);

/*
 * Empties a slot whose owner is known to be dead, or is the caller and done.
 * 1: emptied by this call, 0: somebody else was first.  in_flight follows
 * with the next reconcile.
 */
int rcv_slot_reclaim(rcv_slot_t *slot, uint64_t owner);

/*
 * The highest in_flight at which a class still gets a permit, plus one.  At
 * least one place lies between two classes while the limit has as many; the
 * first class has one spare place above the limit, without which it would
 * wait for the others when the limit is 2 or 3.  Limit 0 gives 0 to all.
 */

static inline uint32_t
rcv_inflight_watermark(uint32_t limit, uint32_t share_ppm, unsigned rank)
{
    uint32_t  shared, ranked;

    if (limit == 0) {
        return 0;
    }

    if (rank == 0) {
        return limit < RCV_IN_FLIGHT_MAX ? limit + 1 : RCV_IN_FLIGHT_MAX;
    }

    limit = limit < RCV_IN_FLIGHT_MAX ? limit : RCV_IN_FLIGHT_MAX;

    if (rank >= limit) {
        return 1;
    }

    shared = (uint32_t) (((uint64_t) limit * share_ppm + RCV_PPM - 1)
                         / RCV_PPM);
    shared += (shared == 0);
    ranked = limit - rank;

    return shared < ranked ? shared : ranked;
}


/*
 * seq frames a booking for the reader in rcv_inflight_reconcile().  The odd
 * value needs no order of its own: everything written after it is written
 * with release, so who sees any of that sees the odd value too.
 */

static inline uint64_t
rcv_slot_begin(rcv_slot_t *slot)
{
    uint64_t  seq;

    seq = rcv_load(&slot->seq) + 1;
    rcv_store(&slot->seq, seq);

    return seq;
}


static inline void
rcv_slot_end(rcv_slot_t *slot, uint64_t seq)
{
    rcv_store_release(&slot->seq, seq + 1);
}


/* What a cell says. */

#define RCV_SPARE_ONE   (1u << 24)
#define RCV_SPARES_MAX  255u

static inline uint32_t
rcv_cell_held(uint32_t cell)
{
    return cell & RCV_IN_FLIGHT_MAX;
}


static inline uint32_t
rcv_cell_spare(uint32_t cell)
{
    return cell / RCV_SPARE_ONE;
}


/*
 * Hands a spare to a request, if there is one and fewer than "watermark" are
 * out; 1: it has it.  The spares of others count as out.  slot may be NULL.
 */

static inline int
rcv_inflight_spare(rcv_gate_t *gate, rcv_slot_t *slot, unsigned gate_index,
    uint32_t watermark)
{
    uint32_t  cell;

    if (slot == NULL) {
        return 0;
    }

    cell = rcv_load(rcv_slot_cell(slot, gate_index));

    if (cell < RCV_SPARE_ONE
        || rcv_load(&gate->in_flight) - rcv_cell_spare(cell) >= watermark)
    {
        return 0;
    }

    rcv_store_release(rcv_slot_cell(slot, gate_index), cell - RCV_SPARE_ONE);

    return 1;
}


/*
 * Takes a permit while fewer than "watermark" are out: a spare, or one and
 * "lot" spares with it where there is room for all; 1: taken, 0: full.
 * slot may be NULL: checks only.
 */
int rcv_inflight_take(rcv_gate_t *gate, rcv_slot_t *slot,
    unsigned gate_index, uint32_t watermark, uint32_t lot);

/*
 * Gives one back; the caller took it, from the same slot.  With it go all
 * spares but "keep".  If the slot was emptied meanwhile there is nothing left
 * to give.  slot may be NULL.
 */
void rcv_inflight_give(rcv_gate_t *gate, rcv_slot_t *slot,
    unsigned gate_index, uint32_t keep);

/* Gives back the spares alone. */
void rcv_inflight_settle(rcv_gate_t *gate, rcv_slot_t *slot,
    unsigned gate_index);


/* The same as rcv_inflight_give(), but it becomes a spare; 0: it may not. */

static inline int
rcv_inflight_keep(rcv_slot_t *slot, unsigned gate_index, uint32_t keep)
{
    uint32_t  cell;

    cell = rcv_load(rcv_slot_cell(slot, gate_index));

    if (rcv_cell_spare(cell) >= keep
        || rcv_cell_spare(cell) >= rcv_cell_held(cell))
    {
        return 0;
    }

    rcv_store_release(rcv_slot_cell(slot, gate_index), cell + RCV_SPARE_ONE);

    return 1;
}


/*
 * Leader: makes in_flight the sum of what the slots hold.  Works on a
 * quiescent snapshot (no seq odd, none changed meanwhile) and tries a bounded
 * number of times; 1: they agree now, 0: too busy, call again.
 */
int rcv_inflight_reconcile(rcv_gate_t *gate, const rcv_slots_t *slots,
    unsigned gate_index);

/*
 * How many requests have a permit: in_flight without the spares.  While
 * others take and give it may be off by what they do meanwhile.
 */
uint32_t rcv_inflight_used(const rcv_gate_t *gate, const rcv_slots_t *slots,
    unsigned gate_index);


#endif /* RCV_INFLIGHT_H_INCLUDED_ */
