
/*
 * For stress_inflight.c: inflight.c itself, with a point between any two of
 * its atomic operations at which its caller may be held up, or die; and
 * faulty variants of it, to see that the stress finds them.
 *
 * With -DSTRESS_BREAK=N the code under test is replaced by a faulty one, and
 * the program must fail:
 *
 *   1  take books outside of the frame that seq gives
 *   2  take books the cell before in_flight
 *   3  the dead are never reclaimed
 *   4  reclaim zeroes the cells and then frees the slot
 *   5  spares are given back before the cell says so, and without a frame
 *   6  a lot is taken without the limit
 */

#ifndef STRESS_FAULTS_H_INCLUDED_
#define STRESS_FAULTS_H_INCLUDED_


#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#ifndef STRESS_BREAK
#define STRESS_BREAK  0
#endif


/* Of so many atomic operations one is held up, or longer, or the last. */
#define YIELD_EVERY  50
#define NAP_EVERY    500
#define DEATH_EVERY  5000


static void
nap_us(uint64_t us)
{
    struct timespec  ts;

    ts.tv_sec = (time_t) (us / 1000000);
    ts.tv_nsec = (long) (us % 1000000 * 1000);
    nanosleep(&ts, NULL);
}


static uint32_t
roll(uint64_t *seed, uint32_t sides)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;

    return (uint32_t) (*seed >> 33) % sides;
}


/* What may happen to who is about to do an atomic operation. */

typedef enum {
    SAFE = 0,
    MAY_WAIT,
    MAY_DIE_BY_JUMP,                    /* threads */
    MAY_DIE_BY_KILL                     /* processes */
} danger_t;

static __thread danger_t  danger;
static __thread uint64_t  danger_seed;
static __thread jmp_buf   grave;


static void
point(void)
{
    if (danger == SAFE) {
        return;
    }

    if (roll(&danger_seed, YIELD_EVERY) == 0) {
        sched_yield();
    }

    if (roll(&danger_seed, NAP_EVERY) == 0) {
        nap_us(50);
    }

    if (danger >= MAY_DIE_BY_JUMP && roll(&danger_seed, DEATH_EVERY) == 0) {

        if (danger == MAY_DIE_BY_JUMP) {
            longjmp(grave, 1);
        }

        kill(getpid(), SIGKILL);
    }
}


/*
 * From here to the #undef, every rcv_atomic.h macro comes by point(); so none
 * of the core's headers may be read before.
 */

#define __atomic_load_n(p, order)                                             \
    (point(), __atomic_load_n(p, order))
#define __atomic_store_n(p, v, order)                                         \
    (point(), __atomic_store_n(p, v, order))
#define __atomic_fetch_add(p, v, order)                                       \
    (point(), __atomic_fetch_add(p, v, order))
#define __atomic_fetch_sub(p, v, order)                                       \
    (point(), __atomic_fetch_sub(p, v, order))
#define __atomic_compare_exchange_n(p, expected, v, weak, yes, no)            \
    (point(), __atomic_compare_exchange_n(p, expected, v, weak, yes, no))

#include "inflight.c"


/* The code under test, or what is to be caught in its place. */

static int
take(rcv_gate_t *gate, rcv_slot_t *slot, unsigned gate_index,
    uint32_t watermark, uint32_t lot)
{
    (void) lot;

#if (STRESS_BREAK == 1)

    uint32_t  n, *cell;

    cell = rcv_slot_cell(slot, gate_index);
    n = rcv_load(&gate->in_flight);

    while (n < watermark && !rcv_cas(&gate->in_flight, &n, n + 1)) { }

    if (n < watermark) {
        rcv_store_release(cell, rcv_load(cell) + 1);
    }

    return n < watermark;

#elif (STRESS_BREAK == 2)

    uint32_t  n, *cell;
    uint64_t  seq;

    cell = rcv_slot_cell(slot, gate_index);
    seq = rcv_slot_begin(slot);
    rcv_store_release(cell, rcv_load(cell) + 1);

    n = rcv_load(&gate->in_flight);

    while (n < watermark && !rcv_cas(&gate->in_flight, &n, n + 1)) { }

    if (n >= watermark) {
        rcv_store_release(cell, rcv_load(cell) - 1);
    }

    rcv_slot_end(slot, seq);

    return n < watermark;

#elif (STRESS_BREAK == 6)
    return rcv_inflight_take(gate, slot, gate_index,
                             watermark + (lot != 0 ? 2 * lot : 0), lot);
#else
    return rcv_inflight_take(gate, slot, gate_index, watermark, lot);
#endif
}


static void
settle(rcv_gate_t *gate, rcv_slot_t *slot, unsigned gate_index)
{
#if (STRESS_BREAK == 5)

    uint32_t  cell, spares;

    cell = rcv_load(rcv_slot_cell(slot, gate_index));
    spares = rcv_cell_spare(cell);

    (void) rcv_fetch_sub(&gate->in_flight, spares);
    rcv_store_release(rcv_slot_cell(slot, gate_index),
                      cell - spares - spares * RCV_SPARE_ONE);

#else
    rcv_inflight_settle(gate, slot, gate_index);
#endif
}


static void
reclaim(rcv_slot_t *slot, uint64_t owner, unsigned ngates)
{
#if (STRESS_BREAK == 3)

    (void) slot;
    (void) owner;
    (void) ngates;

#elif (STRESS_BREAK == 4)

    unsigned  i;

    if (rcv_load(&slot->owner) == owner) {

        for (i = 0; i < ngates; i++) {
            rcv_store_release(rcv_slot_cell(slot, i), 0);
        }

        rcv_store_release(&slot->seq, rcv_load(&slot->seq) & ~1ull);
        rcv_store_release(&slot->owner, 0);
    }

#else
    (void) rcv_slot_reclaim(slot, owner);
#endif
}

#undef __atomic_load_n
#undef __atomic_store_n
#undef __atomic_fetch_add
#undef __atomic_fetch_sub
#undef __atomic_compare_exchange_n


#endif /* STRESS_FAULTS_H_INCLUDED_ */
