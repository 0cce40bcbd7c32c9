
/*
 * The one decision: its order, its reasons, what it books and gives back.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admit.h"
#include "bucket.h"

/* Plays that others empty the bucket right after the look. */

static int  outrun;

#define rcv_bucket_fits(gate, share_ppm, rank, cost_milli, now_ns)            \
    (outrun || rcv_bucket_fits(gate, share_ppm, rank, cost_milli, now_ns))

#include "admit.c"


#define SECOND   1000000000ull
#define NOW      (1000 * SECOND)
#define UNIT     RCV_MILLI
#define CLASSES  4


static rcv_policy_t    policy;
static rcv_gate_t      gate;
static rcv_admit_at_t  at;

static struct {
    rcv_slot_t  head;
    uint32_t    cells[16];
} slot;


static int
reset(void **state)
{
    unsigned     i;
    rcv_slots_t  slots;

    (void) state;

    outrun = 0;
    memset(&gate, 0, sizeof(gate));
    memset(&slot, 0, sizeof(slot));
    memset(&policy, 0, sizeof(policy));
    memset(&at, 0, sizeof(at));

    policy.nclasses = CLASSES;

    for (i = 0; i < CLASSES; i++) {
        policy.classes[i].share_ppm = RCV_PPM - i * (RCV_PPM / 10);
    }

    slots.first = &slot.head;
    slots.stride = sizeof(slot);
    slots.count = 1;

    at.gate = &gate;
    at.gate_index = 2;
    at.policy = &policy;
    at.slot = rcv_slot_claim(&slots, 7, 1, 1, 16);

    return 0;
}


static void
publish(rcv_gate_mode_t mode, rcv_reason_t reason, unsigned class_max,
    uint32_t limit, uint64_t rate_milli)
{
    rcv_allowance_t  a;

    memset(&a, 0, sizeof(a));
    a.word.mode = mode;
    a.word.phase = RCV_PHASE_RAMPING;
    a.word.reason = reason;
    a.word.class_max = class_max;
    a.word.epoch = 321;
    a.word.in_flight_limit = limit;
    a.rate_milli = rate_milli;
    a.burst_milli = 8 * UNIT;

    rcv_gate_publish(&gate, &a, NOW);
}


static void
cut_at(unsigned class_index, unsigned slots)
{
    rcv_cut_t  cut = { 1, class_index, slots };

    gate.cohort = rcv_cut_pack(&cut);
    gate.word |= 1ull << RCV_GATE_CUT_SHIFT;
}


static void
assert_state(uint32_t in_flight, uint64_t owed_ns)
{
    assert_int_equal(gate.in_flight, in_flight);
    assert_int_equal(*rcv_slot_cell(&slot.head, 2), in_flight);
    assert_int_equal(*rcv_slot_cell(&slot.head, 1), 0);
    assert_true(rcv_since(gate.tat_ns, NOW) == owed_ns);
}


/*
 * rcv_admit_full() says what rcv_bucket_fits() says, at whatever rate, burst
 * and debt; and once it knows the rate it says so of all that do not fit.
 */

static void
full_is_what_does_not_fit(void **state)
{
    unsigned      i, class_index, class_max, full;
    uint32_t      cost_milli;
    uint64_t      random, now_ns;
    rcv_ticket_t  ticket;

    (void) state;

    random = 1;
    full = 0;

    for (i = 0; i < 200000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;

        if (i % 8 == 0) {
            class_max = (random >> 60) % CLASSES;
            publish((random >> 40) % 8 ? RCV_GATE_LIMIT : RCV_GATE_OPEN,
                    RCV_REASON_CEILING, class_max, 1000,
                    (random >> 32) % 16 ? (random >> 33) >> (random % 31)
                                        : RCV_UNLIMITED);
            gate.burst_ns = rcv_mul_sat(gate.interval_ns,
                                        (random >> 50) % 20);
        }

        if ((random >> 45) % 64 == 0) {
            cut_at((random >> 52) % CLASSES, 7);

        } else if (i % 8 == 0) {
            gate.cohort = 0;
            gate.word &= ~(1ull << RCV_GATE_CUT_SHIFT);
        }

        class_index = (random >> 55) % CLASSES;
        cost_milli = (random >> 48) % 4 ? UNIT : (random >> 30) % 5000;
        now_ns = NOW + (random >> 56);

        gate.tat_ns = now_ns - SECOND
                      + (random >> 20) % (2 * SECOND)
                      + ((random >> 44) % 128 ? 0 : UINT64_MAX / 2);

        if (rcv_admit(&at, class_index, cost_milli, now_ns, &ticket)
            == RCV_REASON_NONE)
        {
            rcv_admit_undo(&at, cost_milli, &ticket);
            continue;
        }

        if (!rcv_admit_full(&at, class_index, cost_milli, now_ns)) {

            /* what it leaves out, and no more */

            assert_true(rcv_gate_mode(gate.word) != RCV_GATE_LIMIT
                        || gate.cohort != 0
                        || gate.interval_ns == RCV_INTERVAL_NEVER
                        || class_index > rcv_gate_class_max(gate.word)
                        || cost_milli < UNIT
                        || rcv_since(gate.tat_ns, now_ns) + gate.interval_ns
                           <= rcv_bucket_watermark_ns(gate.burst_ns,
                                  gate.interval_ns,
                                  policy.classes[class_index].share_ppm,
                                  class_index));
            continue;
        }

        full++;

        assert_int_equal(rcv_gate_mode(gate.word), RCV_GATE_LIMIT);
        assert_true(class_index <= rcv_gate_class_max(gate.word));
        assert_true(gate.cohort == 0);
        assert_false(rcv_bucket_fits(&gate,
                                     policy.classes[class_index].share_ppm,
                                     class_index, cost_milli, now_ns));
        assert_int_equal(rcv_admit(&at, class_index, cost_milli, now_ns,
                                   &ticket),
                         RCV_REASON_CEILING);
        assert_int_equal(ticket.booked, 0);
        assert_int_equal(ticket.epoch, 321);
    }

    assert_true(full > 20000);
}


/*
 * The order: closed, class, bucket, in flight.  "full" and "owing" say
 * whether the gate is so for all classes.
 */

static void
reasons_in_order(void **state)
{
    static const struct {
        rcv_gate_mode_t  mode;
        unsigned         class_index;
        unsigned         full;
        unsigned         owing;
        rcv_reason_t     expected;
    } cases[] = {
        { RCV_GATE_CLOSED, 0, 0, 0, RCV_REASON_CEILING },
        { RCV_GATE_CLOSED, 3, 1, 1, RCV_REASON_CEILING },
        { RCV_GATE_LIMIT, 3, 1, 1, RCV_REASON_PROBING },
        { RCV_GATE_LIMIT, 1, 1, 1, RCV_REASON_CEILING },
        { RCV_GATE_LIMIT, 1, 1, 0, RCV_REASON_IN_FLIGHT },
        { RCV_GATE_LIMIT, 1, 0, 1, RCV_REASON_CEILING },
        { RCV_GATE_LIMIT, 1, 0, 0, RCV_REASON_NONE },
        { RCV_GATE_OPEN, 3, 0, 0, RCV_REASON_PROBING },
        { RCV_GATE_OPEN, 1, 1, 0, RCV_REASON_IN_FLIGHT },
        { RCV_GATE_OPEN, 1, 0, 1, RCV_REASON_NONE },
    };

    size_t        i;
    unsigned      passes;
    uint64_t      tat_ns;
    rcv_ticket_t  ticket;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void) reset(state);
        publish(cases[i].mode, RCV_REASON_CEILING, 2, 10, 10 * UNIT);

        gate.in_flight = cases[i].full ? 11 : 0;
        gate.tat_ns = cases[i].owing ? NOW + SECOND : 0;
        tat_ns = gate.tat_ns;

        assert_int_equal(rcv_admit(&at, cases[i].class_index, UNIT, NOW,
                                   &ticket),
                         cases[i].expected);

        assert_int_equal(ticket.phase, RCV_PHASE_RAMPING);
        assert_int_equal(ticket.epoch, 321);

        passes = (cases[i].expected == RCV_REASON_NONE);
        assert_int_equal(ticket.booked, passes);
        assert_int_equal(ticket.charged,
                         passes && cases[i].mode == RCV_GATE_LIMIT);

        /* who is shed leaves nothing behind */

        if (!passes) {
            assert_int_equal(gate.in_flight, cases[i].full ? 11 : 0);
            assert_int_equal(*rcv_slot_cell(&slot.head, 2), 0);
            assert_true(gate.tat_ns == tat_ns);
        }
    }
}


static void
unpublished_gate_is_shut(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket),
                     RCV_REASON_IN_FLIGHT);
    assert_int_equal(rcv_admit(&at, 0, 0, 0, &ticket), RCV_REASON_IN_FLIGHT);
    assert_state(0, 0);
}


static void
open_has_no_bucket(void **state)
{
    unsigned      i;
    rcv_ticket_t  ticket[8];

    (void) state;

    publish(RCV_GATE_OPEN, RCV_REASON_NONE, 15, 7, 1);

    for (i = 0; i < 8; i++) {
        assert_int_equal(rcv_admit(&at, 0, RCV_COST_MAX * UNIT, NOW,
                                   &ticket[i]),
                         RCV_REASON_NONE);
        assert_false(ticket[i].charged);
    }

    assert_state(8, 0);

    for (i = 0; i < 8; i++) {
        rcv_admit_release(&at, &ticket[i]);
    }

    assert_state(0, 0);
}


/* No reference yet: in flight steers alone. */

static void
limit_without_a_rate(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_LIMIT, RCV_REASON_RATE, 15, 2, RCV_UNLIMITED);

    assert_int_equal(rcv_admit(&at, 1, UNIT, NOW, &ticket), RCV_REASON_NONE);
    assert_int_equal(rcv_admit(&at, 1, UNIT, NOW, &ticket),
                     RCV_REASON_IN_FLIGHT);
    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_NONE);
    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_NONE);
    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket),
                     RCV_REASON_IN_FLIGHT);
    assert_state(3, 0);
}


static void
rate_of_nothing_sheds_all(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_LIMIT, RCV_REASON_QUOTA, 15, 10, 0);
    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_QUOTA);
    assert_int_equal(rcv_admit(&at, 0, 0, NOW, &ticket), RCV_REASON_QUOTA);
    assert_state(0, 0);
}


static void
spare_place_is_the_first_class_s(void **state)
{
    static const struct {
        uint32_t  limit;
        unsigned  places[CLASSES];
    } cases[] = {
        { 0, { 0, 0, 0, 0 } },
        { 1, { 2, 1, 1, 1 } },
        { 2, { 3, 1, 1, 1 } },
        { 4, { 5, 3, 2, 1 } },
        { 20, { 21, 18, 16, 14 } },
    };

    size_t        n;
    unsigned      i, places;
    rcv_ticket_t  ticket;

    for (n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        for (i = 0; i < CLASSES; i++) {
            (void) reset(state);
            publish(RCV_GATE_OPEN, RCV_REASON_NONE, 15, cases[n].limit, 0);
            places = 0;

            while (rcv_admit(&at, i, UNIT, NOW, &ticket) == RCV_REASON_NONE) {
                places++;
            }

            assert_int_equal(places, cases[n].places[i]);
        }
    }
}


/*
 * On the floor there is no spare place, and no share kept for better classes
 * either: they are not there, else the floor would be theirs.
 */

static void
floor_has_no_spare_place(void **state)
{
    static const rcv_phase_t  phases[] = {
        RCV_PHASE_PROBING, RCV_PHASE_DOWN
    };

    size_t           n;
    unsigned         class_index, places;
    rcv_ticket_t     ticket;
    rcv_allowance_t  a;

    for (n = 0; n < sizeof(phases) / sizeof(phases[0]); n++) {

        for (class_index = 0; class_index < CLASSES; class_index++) {
            (void) reset(state);

            memset(&a, 0, sizeof(a));
            a.word.mode = RCV_GATE_LIMIT;
            a.word.phase = phases[n];
            a.word.reason = RCV_REASON_PROBING;
            a.word.class_max = class_index;
            a.word.in_flight_limit = 2;
            a.rate_milli = 1000 * UNIT;
            a.burst_milli = 100 * UNIT;

            rcv_gate_publish(&gate, &a, NOW);

            for (places = 0;
                 rcv_admit(&at, class_index, UNIT, NOW, &ticket)
                 == RCV_REASON_NONE;
                 places++)
            {
                assert_true(places < 10);
            }

            assert_int_equal(places, 2);
        }
    }
}


static void
booked_when_the_work_begins(void **state)
{
    rcv_slot_t    *mine;
    rcv_ticket_t   ticket, other;

    (void) state;

    publish(RCV_GATE_LIMIT, RCV_REASON_RATE, 15, 1, 10 * UNIT);
    mine = at.slot;

    /* let in: looked at and paid for, but not in flight */

    at.slot = NULL;
    assert_int_equal(rcv_admit(&at, 1, UNIT, NOW, &ticket), RCV_REASON_NONE);
    assert_int_equal(ticket.booked, 0);
    assert_int_equal(ticket.charged, 1);
    assert_int_equal(gate.in_flight, 0);

    /* meanwhile somebody else has the place */

    at.slot = mine;
    assert_int_equal(rcv_admit(&at, 1, UNIT, NOW, &other), RCV_REASON_NONE);

    assert_true(rcv_admit_book(&at, &ticket));
    assert_int_equal(gate.in_flight, 2);
    assert_true(rcv_admit_book(&at, &ticket));
    assert_int_equal(gate.in_flight, 2);

    rcv_admit_release(&at, &ticket);
    rcv_admit_release(&at, &ticket);
    rcv_admit_release(&at, &other);
    assert_int_equal(gate.in_flight, 0);

    at.slot = NULL;
    assert_false(rcv_admit_book(&at, &ticket));
    at.slot = mine;
}


/* What the gate's word means is kept, but no longer than it says the same. */

static void
word_is_read_again(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    /* never looked: nothing is open */

    publish(RCV_GATE_OPEN, RCV_REASON_NONE, 2, 10, 0);
    assert_false(rcv_admit_open(&at, 0, &ticket));
    assert_int_equal(gate.in_flight, 0);

    assert_int_equal(rcv_admit(&at, 3, UNIT, NOW, &ticket),
                     RCV_REASON_PROBING);
    assert_false(rcv_admit_open(&at, 3, &ticket));
    assert_true(rcv_admit_open(&at, 2, &ticket));
    assert_int_equal(ticket.booked, 1);
    assert_int_equal(ticket.slot, RCV_COHORT_NONE);
    assert_int_equal(gate.in_flight, 1);

    /* as far as the class may go, and no further */

    while (rcv_admit_open(&at, 2, &ticket)) { }
    assert_int_equal(gate.in_flight, rcv_inflight_watermark(10, 800000, 2));
    assert_int_equal(rcv_admit(&at, 2, UNIT, NOW, &ticket),
                     RCV_REASON_IN_FLIGHT);
    assert_true(rcv_admit_open(&at, 1, &ticket));

    /* a limit, a cut, another limit: each is another word */

    publish(RCV_GATE_LIMIT, RCV_REASON_RATE, 2, 100, UNIT);
    assert_false(rcv_admit_open(&at, 0, &ticket));
    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_NONE);
    assert_false(rcv_admit_open(&at, 0, &ticket));
    assert_int_equal(ticket.charged, 1);

    publish(RCV_GATE_OPEN, RCV_REASON_NONE, 2, 100, 0);
    cut_at(1, 0);
    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_NONE);
    assert_false(rcv_admit_open(&at, 0, &ticket));

    publish(RCV_GATE_OPEN, RCV_REASON_NONE, 2, 3, 0);
    assert_false(rcv_admit_open(&at, 0, &ticket));
    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket),
                     RCV_REASON_IN_FLIGHT);

    /* who has no slot is not let in unseen */

    publish(RCV_GATE_OPEN, RCV_REASON_NONE, 2, 100, 0);
    at.slot = NULL;
    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_NONE);
    assert_int_equal(ticket.booked, 0);
    assert_false(rcv_admit_open(&at, 0, &ticket));
}


static void
release_once(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_LIMIT, RCV_REASON_RATE, 15, 10, 10 * UNIT);

    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_NONE);
    assert_state(1, SECOND / 10);

    rcv_admit_release(&at, &ticket);
    assert_state(0, SECOND / 10);
    rcv_admit_release(&at, &ticket);
    assert_state(0, SECOND / 10);
}


static void
undo_gives_permit_and_cost(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_LIMIT, RCV_REASON_RATE, 15, 10, 10 * UNIT);

    assert_int_equal(rcv_admit(&at, 0, 3 * UNIT, NOW, &ticket),
                     RCV_REASON_NONE);
    assert_state(1, 3 * SECOND / 10);

    rcv_admit_undo(&at, 3 * UNIT, &ticket);
    assert_state(0, 0);
    rcv_admit_undo(&at, 3 * UNIT, &ticket);
    assert_state(0, 0);
    assert_true(gate.tat_ns == NOW);

    /* and does no harm to one that was shed */

    publish(RCV_GATE_CLOSED, RCV_REASON_DOWN, 0, 0, 0);
    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_DOWN);
    rcv_admit_undo(&at, UNIT, &ticket);
    rcv_admit_release(&at, &ticket);
    assert_state(0, 0);
}


static void
undo_in_another_rate(void **state)
{
    rcv_ticket_t  first, second;

    (void) state;

    publish(RCV_GATE_LIMIT, RCV_REASON_RATE, 15, 10, 10 * UNIT);
    (void) rcv_admit(&at, 0, UNIT, NOW, &first);
    (void) rcv_admit(&at, 0, UNIT, NOW, &second);

    publish(RCV_GATE_LIMIT, RCV_REASON_RATE, 15, 10, 100 * UNIT);
    assert_state(2, SECOND / 50);
    rcv_admit_undo(&at, UNIT, &first);
    assert_state(1, SECOND / 100);
}


static void
without_a_slot_nothing_is_booked(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    at.slot = NULL;
    publish(RCV_GATE_LIMIT, RCV_REASON_RATE, 15, 10, 10 * UNIT);

    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_NONE);
    assert_false(ticket.booked);
    assert_true(ticket.charged);
    assert_state(0, SECOND / 10);
    rcv_admit_release(&at, &ticket);
    assert_state(0, SECOND / 10);

    gate.in_flight = 11;
    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket),
                     RCV_REASON_IN_FLIGHT);
}


/* The permit was taken already: it must go back. */

static void
outrun_at_the_bucket(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_LIMIT, RCV_REASON_QUOTA, 15, 10, 10 * UNIT);
    gate.tat_ns = NOW + SECOND;
    outrun = 1;

    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_QUOTA);
    assert_false(ticket.booked);
    assert_false(ticket.charged);
    assert_state(0, SECOND);
}


/* A tat that no one wrote must not shut the gate while all are shed. */

static void
absurd_tat_is_healed_by_the_shed(void **state)
{
    uint64_t      reopens_ns;
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_LIMIT, RCV_REASON_RATE, 15, 10, 10 * UNIT);
    gate.tat_ns = UINT64_MAX;

    assert_int_equal(rcv_admit(&at, 0, UNIT, NOW, &ticket), RCV_REASON_RATE);
    reopens_ns = NOW + (8 + RCV_COST_MAX) * (SECOND / 10);
    assert_true(gate.tat_ns == reopens_ns);
    assert_int_equal(rcv_admit(&at, 3, UNIT, reopens_ns, &ticket),
                     RCV_REASON_NONE);
}


/*
 * A backend that holds each request for 50 ms, all classes asking for more
 * than there is, limited by places alone: they go to the classes in order.
 */

static void
classes_in_order_by_places(void **state)
{
    enum { PLACES_MAX = 64 };

    unsigned      tick, i, n, passed[CLASSES];
    uint64_t      now_ns, ends_ns[PLACES_MAX];
    rcv_ticket_t  tickets[PLACES_MAX], ticket;

    (void) state;

    publish(RCV_GATE_OPEN, RCV_REASON_NONE, 15, 20, 0);
    memset(passed, 0, sizeof(passed));
    n = 0;

    for (tick = 0; tick < 10000; tick++) {
        now_ns = NOW + tick * (SECOND / 1000);

        while (n > 0 && ends_ns[0] <= now_ns) {
            rcv_admit_release(&at, &tickets[0]);
            n--;
            memmove(&ends_ns[0], &ends_ns[1], n * sizeof(ends_ns[0]));
            memmove(&tickets[0], &tickets[1], n * sizeof(tickets[0]));
        }

        /* each class asks every 4 ms, which is 12.5 places of the 20 */

        i = tick % CLASSES;

        if (rcv_admit(&at, i, UNIT, now_ns, &ticket) == RCV_REASON_NONE) {
            assert_true(n < PLACES_MAX);
            ends_ns[n] = now_ns + SECOND / 20;
            tickets[n] = ticket;
            n++;
            passed[i] += (tick >= 2000);
        }

        assert_int_equal(gate.in_flight, n);
    }

    assert_int_equal(passed[0], 2000);
    assert_in_range(passed[1], 640, 960);     /* 4 to 6 places */
    assert_int_equal(passed[2], 0);
    assert_int_equal(passed[3], 0);
}


#define TEST(name)  cmocka_unit_test_setup(name, reset)


/* A user in the given slot, or in any but it. */

static rcv_str_t
user_in(unsigned slot_index)
{
    static char  text[32];
    unsigned     i;
    rcv_str_t    user;

    user.data = text;

    for (i = 0; /* void */ ; i++) {
        user.len = (size_t) snprintf(text, sizeof(text), "user-%u", i);

        if (rcv_cohort_slot(1, user) == slot_index) {
            return user;
        }
    }
}


/* So many get in at once, one after the other, and then "reason". */

static unsigned
room_of(unsigned class_index, rcv_str_t user, rcv_reason_t *reason)
{
    unsigned      n;
    rcv_ticket_t  ticket;

    at.user = user;

    for (n = 0; n < 1000; n++) {
        *reason = rcv_admit(&at, class_index, UNIT, NOW, &ticket);

        if (*reason != RCV_REASON_NONE) {
            break;
        }

        rcv_admit_passed(&at, &ticket);
    }

    at.user = (rcv_str_t) { NULL, 0 };

    return n;
}


/*
 * Of the marginal class those let in find room where the others have none;
 * no other class is touched.
 */

static void
cut_by_cohort(void **state)
{
    size_t        i;
    unsigned      in, out;
    rcv_str_t     user, none;
    rcv_reason_t  reason;

    static const struct {
        rcv_gate_mode_t  mode;
        unsigned         class_index;
    } cases[] = {
        { RCV_GATE_OPEN, 0 }, { RCV_GATE_OPEN, 1 }, { RCV_GATE_OPEN, 3 },
        { RCV_GATE_LIMIT, 0 }, { RCV_GATE_LIMIT, 1 }, { RCV_GATE_LIMIT, 3 },
    };

    none = (rcv_str_t) { NULL, 0 };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reset(state);
        publish(cases[i].mode, RCV_REASON_RATE, 3, 100, 1000 * UNIT);

        if (cases[i].mode == RCV_GATE_LIMIT) {
            gate.burst_ns = 100 * gate.interval_ns;
            gate.word |= (uint64_t) RCV_IN_FLIGHT_MAX << RCV_GATE_LIMIT_SHIFT;
        }

        cut_at(cases[i].class_index, 64);

        user = user_in(64);
        out = room_of(cases[i].class_index, user, &reason);
        assert_int_equal(reason, RCV_REASON_COHORT);
        assert_int_equal(gate.spilled, out);

        /* no cohort at all: as the others, but no sign of room */

        assert_int_equal(room_of(cases[i].class_index, none, &reason), 0);
        assert_int_equal(reason, RCV_REASON_COHORT);
        assert_int_equal(gate.spilled, out);

        user = user_in(63);
        in = room_of(cases[i].class_index, user, &reason);
        assert_true(in >= 4 && in <= 11);
        assert_int_equal(reason, cases[i].mode == RCV_GATE_OPEN
                                 ? RCV_REASON_IN_FLIGHT : RCV_REASON_RATE);

        /* the class before has its last place still, those after nothing */

        if (cases[i].class_index > 0) {
            assert_true(room_of(cases[i].class_index - 1, none, &reason)
                        >= 1);
        }

        if (cases[i].class_index < CLASSES - 1) {
            assert_int_equal(room_of(cases[i].class_index + 1, user, &reason),
                             0);
            assert_int_not_equal(reason, RCV_REASON_COHORT);
        }
    }
}


/* What a cut let in beyond it and another gate turned away is no sign. */

static void
cut_undone(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_OPEN, RCV_REASON_NONE, 3, 10, 0);
    cut_at(2, 0);
    at.user = user_in(5);

    assert_true(rcv_admit_asks_user(&at, 2));
    assert_true(rcv_admit_asks_user(&at, 3));
    assert_false(rcv_admit_asks_user(&at, 1));

    assert_int_equal(rcv_admit(&at, 2, UNIT, NOW, &ticket), RCV_REASON_NONE);
    assert_int_equal(ticket.slot, 5);

    /* a leader who looks now must not find later that it went down */

    assert_int_equal(gate.spilled, 0);

    rcv_admit_undo(&at, UNIT, &ticket);
    rcv_admit_undo(&at, UNIT, &ticket);
    assert_int_equal(gate.spilled, 0);

    assert_int_equal(rcv_admit(&at, 2, UNIT, NOW, &ticket), RCV_REASON_NONE);
    rcv_admit_passed(&at, &ticket);
    assert_int_equal(gate.spilled, 1);

    policy.cohort = -1;
    assert_false(rcv_admit_asks_user(&at, 2));
    at.user = (rcv_str_t) { NULL, 0 };
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(full_is_what_does_not_fit),
        TEST(reasons_in_order),
        TEST(unpublished_gate_is_shut),
        TEST(open_has_no_bucket),
        TEST(limit_without_a_rate),
        TEST(rate_of_nothing_sheds_all),
        TEST(spare_place_is_the_first_class_s),
        TEST(floor_has_no_spare_place),
        TEST(booked_when_the_work_begins),
        TEST(word_is_read_again),
        TEST(release_once),
        TEST(undo_gives_permit_and_cost),
        TEST(undo_in_another_rate),
        TEST(without_a_slot_nothing_is_booked),
        TEST(outrun_at_the_bucket),
        TEST(absurd_tat_is_healed_by_the_shed),
        TEST(classes_in_order_by_places),
        TEST(cut_by_cohort),
        TEST(cut_undone),
    };

    return cmocka_run_group_tests_name("admit", tests, NULL, NULL);
}
