
#include "inflight.h"


/* A booking takes some ten ns, a snapshot of 16 slots some hundred. */
#define RCV_RECONCILE_TRIES  100


rcv_slot_t *
rcv_slot_claim(const rcv_slots_t *slots, uint64_t owner, uint64_t start,
    uint64_t generation, unsigned ngates)
{
    unsigned     i, gate_index;
    uint64_t     seq, nobody;
    rcv_slot_t  *slot;

    for (i = 0; i < slots->count; i++) {
        slot = rcv_slot_at(slots, i);
        nobody = 0;

        if (rcv_load(&slot->owner) != 0
            || !rcv_cas(&slot->owner, &nobody, owner))
        {
            continue;
        }

        /* odd already, unless this is the slot's first owner */

        seq = rcv_load(&slot->seq) | 1;
        rcv_store(&slot->seq, seq);

        for (gate_index = 0; gate_index < ngates; gate_index++) {
            rcv_store_release(rcv_slot_cell(slot, gate_index), 0);
        }

        rcv_store_release(&slot->start, start);
        rcv_store_release(&slot->generation, generation);

        rcv_slot_end(slot, seq);

        return slot;
    }

    return NULL;
}


int
rcv_slot_reclaim(rcv_slot_t *slot, uint64_t owner)
{
    uint64_t  seq, start;

    /*
     * By CAS, and read before owner: if somebody is faster and the slot has
     * a new owner already, what is there is another's and stays as it is.
     */

    seq = rcv_load_acquire(&slot->seq);
    start = rcv_load_acquire(&slot->start);

    if (rcv_load_acquire(&slot->owner) != owner) {
        return 0;
    }

    if (seq % 2 == 0) {
        (void) rcv_cas(&slot->seq, &seq, seq + 1);
    }

    (void) rcv_cas(&slot->start, &start, 0);

    return rcv_cas(&slot->owner, &owner, 0);
}


int
rcv_inflight_take(rcv_gate_t *gate, rcv_slot_t *slot, unsigned gate_index,
    uint32_t watermark, uint32_t lot)
{
    int        taken;
    uint32_t   n, wanted, cell;
    uint64_t   seq;

    if (slot == NULL) {
        return rcv_load(&gate->in_flight) < watermark;
    }

    if (rcv_inflight_spare(gate, slot, gate_index, watermark)) {
        return 1;
    }

    n = rcv_load(&gate->in_flight);

    if (n >= watermark) {
        return 0;
    }

    cell = rcv_load(rcv_slot_cell(slot, gate_index));

    if (rcv_cell_spare(cell) + lot > RCV_SPARES_MAX) {
        lot = 0;
    }

    seq = rcv_slot_begin(slot);

    do {
        wanted = (watermark - n > lot) ? 1 + lot : 1;
        taken = rcv_cas(&gate->in_flight, &n, n + wanted);
    } while (!taken && n < watermark);

    if (taken) {
        rcv_store_release(rcv_slot_cell(slot, gate_index),
                          cell + wanted + (wanted - 1) * RCV_SPARE_ONE);
    }

    rcv_slot_end(slot, seq);

    return taken;
}


/* So many of what the slot holds, so many of its spares among them. */

static inline void
rcv_inflight_return(rcv_gate_t *gate, rcv_slot_t *slot, unsigned gate_index,
    uint32_t n, uint32_t spares)
{
    uint32_t  *cell;
    uint64_t   seq;

    cell = rcv_slot_cell(slot, gate_index);
    seq = rcv_slot_begin(slot);

    rcv_store_release(cell, rcv_load(cell) - n - spares * RCV_SPARE_ONE);
    (void) rcv_fetch_sub(&gate->in_flight, n);

    rcv_slot_end(slot, seq);
}


void
rcv_inflight_give(rcv_gate_t *gate, rcv_slot_t *slot, unsigned gate_index,
    uint32_t keep)
{
    uint32_t  cell, spares;

    if (slot == NULL) {
        return;
    }

    cell = rcv_load(rcv_slot_cell(slot, gate_index));

    if (rcv_cell_held(cell) <= rcv_cell_spare(cell)) {
        return;
    }

    spares = (uint32_t) rcv_since(rcv_cell_spare(cell), keep);

    rcv_inflight_return(gate, slot, gate_index, 1 + spares, spares);
}


void
rcv_inflight_settle(rcv_gate_t *gate, rcv_slot_t *slot, unsigned gate_index)
{
    uint32_t  cell, spares;

    if (slot == NULL) {
        return;
    }

    cell = rcv_load(rcv_slot_cell(slot, gate_index));
    spares = rcv_cell_spare(cell);

    if (spares != 0 && spares <= rcv_cell_held(cell)) {
        rcv_inflight_return(gate, slot, gate_index, spares, spares);
    }
}


/*
 * The sum of all seqs; each only grows, so two equal sums mean that none
 * changed.  *busy: some slot that counts is in a booking.
 */

static uint64_t
rcv_slots_version(const rcv_slots_t *slots, int *busy)
{
    unsigned     i;
    uint64_t     seq, version;
    rcv_slot_t  *slot;

    version = 0;
    *busy = 0;

    for (i = 0; i < slots->count; i++) {
        slot = rcv_slot_at(slots, i);

        /* In this order: a claim done in between has changed seq. */

        seq = rcv_load_acquire(&slot->seq);
        version += seq;

        if (seq % 2 != 0 && rcv_load_acquire(&slot->owner) != 0) {
            *busy = 1;
            break;
        }
    }

    return version;
}


static uint32_t
rcv_slots_sum(const rcv_slots_t *slots, unsigned gate_index)
{
    unsigned     i;
    uint64_t     sum;
    rcv_slot_t  *slot;

    sum = 0;

    for (i = 0; i < slots->count; i++) {
        slot = rcv_slot_at(slots, i);

        if (rcv_load_acquire(&slot->owner) != 0) {
            sum += rcv_cell_held(rcv_load_acquire(rcv_slot_cell(slot,
                                                              gate_index)));
        }
    }

    return (uint32_t) rcv_min(sum, RCV_IN_FLIGHT_MAX);
}


/*
 * in_flight less the sum is what the dead left.  It stays the same while
 * others take and give, so it may be subtracted at any later time at which
 * in_flight has the value of the snapshot.
 */

int
rcv_inflight_reconcile(rcv_gate_t *gate, const rcv_slots_t *slots,
    unsigned gate_index)
{
    int        busy;
    uint32_t   n, sum;
    uint64_t   version;
    unsigned   tries;

    for (tries = 0; tries < RCV_RECONCILE_TRIES; tries++) {
        version = rcv_slots_version(slots, &busy);

        if (busy) {
            continue;
        }

        n = rcv_load_acquire(&gate->in_flight);
        sum = rcv_slots_sum(slots, gate_index);

        if (rcv_slots_version(slots, &busy) != version || busy) {
            continue;
        }

        if (n == sum || rcv_cas(&gate->in_flight, &n, sum)) {
            return 1;
        }
    }

    return 0;
}


uint32_t
rcv_inflight_used(const rcv_gate_t *gate, const rcv_slots_t *slots,
    unsigned gate_index)
{
    unsigned     i;
    uint64_t     n, spares;
    rcv_slot_t  *slot;

    n = rcv_load(&gate->in_flight);

    if (n == 0) {
        return 0;
    }

    spares = 0;

    for (i = 0; i < slots->count; i++) {
        slot = rcv_slot_at(slots, i);

        if (rcv_load_acquire(&slot->owner) != 0) {
            spares += rcv_cell_spare(rcv_load_acquire(rcv_slot_cell(slot,
                                                              gate_index)));
        }
    }

    return (uint32_t) rcv_since(n, spares);
}
