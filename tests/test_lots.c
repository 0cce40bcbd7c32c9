
/*
 * Lots: what a process takes in advance, hands out by itself, and gives back.
 * However it is dealt out, no more is let in than without lots, and nothing
 * is lost.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "admit.h"


#define SECOND     1000000000ull
#define NOW        (1000 * SECOND)
#define UNIT       RCV_MILLI
#define CLASSES    4
#define GATE       2
#define PROCESSES  4


typedef struct {
    rcv_slot_t  head;
    uint32_t    cells[16];
} slot_t;


static rcv_policy_t    policy;
static rcv_gate_t      gate;
static slot_t          memory[PROCESSES];
static rcv_slots_t     slots;
static rcv_admit_at_t  ats[PROCESSES];


static int
reset(void **state)
{
    unsigned  i;

    (void) state;

    memset(&gate, 0, sizeof(gate));
    memset(memory, 0, sizeof(memory));
    memset(&policy, 0, sizeof(policy));
    memset(ats, 0, sizeof(ats));

    policy.nclasses = CLASSES;
    policy.cohort = -1;

    for (i = 0; i < CLASSES; i++) {
        policy.classes[i].share_ppm = RCV_PPM - i * (RCV_PPM / 10);
    }

    slots.first = &memory[0].head;
    slots.stride = sizeof(slot_t);
    slots.count = PROCESSES;

    for (i = 0; i < PROCESSES; i++) {
        ats[i].gate = &gate;
        ats[i].gate_index = GATE;
        ats[i].policy = &policy;
        ats[i].slot = rcv_slot_claim(&slots, 7 + i, 1, 1, 16);
    }

    return 0;
}


static void
publish(rcv_gate_mode_t mode, uint32_t limit, uint64_t rate,
    unsigned processes, uint64_t now_ns)
{
    rcv_allowance_t  a;

    memset(&a, 0, sizeof(a));
    a.word.mode = mode;
    a.word.phase = RCV_PHASE_RAMPING;
    a.word.reason = RCV_REASON_RATE;
    a.word.class_max = CLASSES - 1;
    a.word.in_flight_limit = limit;
    a.word.processes = processes;
    a.rate_milli = (rate != 0) ? rate * UNIT : RCV_UNLIMITED;
    a.burst_milli = rate * UNIT / 5;

    rcv_gate_publish(&gate, &a, now_ns);
}


static uint32_t
cell_of(unsigned i)
{
    return *rcv_slot_cell(ats[i].slot, GATE);
}


static void
assert_cell(unsigned i, uint32_t held, uint32_t spare)
{
    assert_int_equal(rcv_cell_held(cell_of(i)), held);
    assert_int_equal(rcv_cell_spare(cell_of(i)), spare);
}


static int
take(unsigned i, uint32_t watermark, uint32_t lot)
{
    return rcv_inflight_take(&gate, ats[i].slot, GATE, watermark, lot);
}


static rcv_reason_t
ask(unsigned i, unsigned class_index, rcv_ticket_t *ticket)
{
    return rcv_admit(&ats[i], class_index, UNIT, NOW, ticket);
}


static void
spares_are_held(void **state)
{
    (void) state;

    assert_true(take(0, 100, 5));
    assert_int_equal(gate.in_flight, 6);
    assert_cell(0, 6, 5);
    assert_int_equal(rcv_inflight_used(&gate, &slots, GATE), 1);

    /* five of them without a word to anybody, then the next lot */

    while (rcv_cell_spare(cell_of(0)) > 0) {
        assert_true(take(0, 100, 5));
        assert_int_equal(gate.in_flight, 6);
    }

    assert_int_equal(rcv_inflight_used(&gate, &slots, GATE), 6);
    assert_false(rcv_inflight_spare(&gate, ats[0].slot, GATE, 100));
    assert_true(take(0, 100, 5));
    assert_cell(0, 12, 5);
}


static void
spares_are_nobody_elses(void **state)
{
    (void) state;

    assert_true(take(0, 10, 5));

    assert_true(take(1, 10, 0));
    assert_true(take(1, 10, 9));        /* does not fit: a single one */
    assert_cell(1, 2, 0);
    assert_true(take(1, 10, 0));
    assert_true(take(1, 10, 0));
    assert_false(take(1, 10, 0));
    assert_int_equal(gate.in_flight, 10);

    /* to whom they belong they are free, up to who may be in flight */

    assert_true(take(0, 10, 5));
    assert_false(take(0, 6, 5));
    assert_true(take(0, 7, 5));
    assert_int_equal(gate.in_flight, 10);
    assert_cell(0, 6, 3);
}


static void
given_and_settled(void **state)
{
    (void) state;

    assert_true(take(0, 100, 3));
    assert_true(take(0, 100, 3));
    assert_cell(0, 4, 2);

    /* kept up to four, none above, and never more than are out */

    assert_true(rcv_inflight_keep(ats[0].slot, GATE, 4));
    assert_true(rcv_inflight_keep(ats[0].slot, GATE, 4));
    assert_cell(0, 4, 4);
    assert_false(rcv_inflight_keep(ats[0].slot, GATE, 4));
    assert_false(rcv_inflight_keep(ats[0].slot, GATE, 9));
    rcv_inflight_give(&gate, ats[0].slot, GATE, 0);
    assert_cell(0, 4, 4);

    assert_true(take(0, 100, 0));
    rcv_inflight_give(&gate, ats[0].slot, GATE, 1);
    assert_cell(0, 1, 1);
    assert_int_equal(gate.in_flight, 1);

    rcv_inflight_settle(&gate, ats[0].slot, GATE);
    rcv_inflight_settle(&gate, ats[0].slot, GATE);
    assert_cell(0, 0, 0);
    assert_int_equal(gate.in_flight, 0);

    rcv_inflight_settle(&gate, NULL, GATE);
    rcv_inflight_give(&gate, NULL, GATE, 3);
    assert_int_equal(gate.in_flight, 0);
}


static void
no_more_than_a_cell_can_tell(void **state)
{
    (void) state;

    assert_true(take(0, 1000, 200));
    assert_true(take(0, 201, 200));
    assert_true(take(0, 1000, 200));
    assert_cell(0, 201, 198);

    while (rcv_cell_spare(cell_of(0)) > 0) {
        assert_true(take(0, 1000, 0));
    }

    assert_true(take(0, 1000, RCV_SPARES_MAX + 1));
    assert_cell(0, 202, 0);
}


static void
dead_with_spares(void **state)
{
    (void) state;

    assert_true(take(0, 100, 5));
    assert_true(take(1, 100, 0));

    assert_true(rcv_slot_reclaim(ats[0].slot, 7));
    assert_true(rcv_inflight_reconcile(&gate, &slots, GATE));
    assert_int_equal(gate.in_flight, 1);
    assert_int_equal(rcv_inflight_used(&gate, &slots, GATE), 1);
}


/* 70 % of 320 places are the last class's: a 16th of them by two is 7. */

static void
open_gate_deals_in_lots(void **state)
{
    unsigned      i;
    rcv_ticket_t  tickets[40];

    (void) state;

    publish(RCV_GATE_OPEN, 320, 0, 2, NOW);

    assert_int_equal(ask(0, 3, &tickets[0]), RCV_REASON_NONE);
    assert_cell(0, 8, 7);
    assert_int_equal(ats[0].news, 1);
    assert_int_equal(ats[0].taken, 1);

    for (i = 1; i < 40; i++) {
        assert_int_equal(ask(0, i % CLASSES, &tickets[i]), RCV_REASON_NONE);
        assert_int_equal(rcv_inflight_used(&gate, &slots, GATE), i + 1);
    }

    assert_cell(0, 40, 0);

    for (i = 0; i < 40; i++) {
        rcv_admit_release(&ats[0], &tickets[i]);
        rcv_admit_release(&ats[0], &tickets[i]);
        assert_int_equal(rcv_inflight_used(&gate, &slots, GATE), 39 - i);
        assert_in_range(gate.in_flight, 39 - i, 39 - i + 14);
    }

    rcv_admit_settle(&ats[0]);
    assert_int_equal(gate.in_flight, 0);
    assert_cell(0, 0, 0);
    assert_int_equal(ats[0].taken, 0);

    /* and again */

    assert_int_equal(ask(0, 3, &tickets[0]), RCV_REASON_NONE);
    assert_cell(0, 8, 7);
}


static void
near_the_limit_one_by_one(void **state)
{
    unsigned      i;
    rcv_ticket_t  tickets[112], ticket;

    (void) state;

    publish(RCV_GATE_OPEN, 320, 0, 2, NOW);

    /* half of what the last class may have */

    for (i = 0; i < 112; i++) {
        assert_int_equal(ask(0, 0, &tickets[i]), RCV_REASON_NONE);
    }

    assert_int_equal(ask(1, 0, &ticket), RCV_REASON_NONE);
    assert_cell(1, 1, 0);

    /* what is given back is nobody's, and so are the spares */

    rcv_admit_release(&ats[0], &tickets[0]);
    assert_cell(0, 111, 0);
    assert_int_equal(gate.in_flight, 112);
}


static void
small_limits_have_no_lots(void **state)
{
    static const struct {
        uint32_t  limit;
        unsigned  processes;
    } cases[] = {
        { 2, 1 }, { 16, 1 }, { 320, 0 }, { 320, 15 }, { 1, 255 }, { 300, 250 },
    };

    size_t        i;
    rcv_ticket_t  ticket;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reset(state);
        publish(RCV_GATE_OPEN, cases[i].limit, 0, cases[i].processes, NOW);

        assert_int_equal(ask(0, 0, &ticket), RCV_REASON_NONE);
        assert_cell(0, 1, 0);
        assert_int_equal(ats[0].taken, 0);

        rcv_admit_release(&ats[0], &ticket);
        assert_int_equal(gate.in_flight, 0);
    }
}


static void
another_word_settles(void **state)
{
    rcv_ticket_t  one, two;

    (void) state;

    publish(RCV_GATE_OPEN, 320, 0, 2, NOW);
    assert_int_equal(ask(0, 0, &one), RCV_REASON_NONE);
    assert_cell(0, 8, 7);

    /* nothing is kept under a word that is gone */

    publish(RCV_GATE_OPEN, 4, 0, 2, NOW);
    rcv_admit_release(&ats[0], &one);
    assert_int_equal(gate.in_flight, 0);

    publish(RCV_GATE_OPEN, 320, 0, 2, NOW);
    assert_int_equal(ask(0, 0, &one), RCV_REASON_NONE);

    publish(RCV_GATE_OPEN, 4, 0, 2, NOW);
    assert_int_equal(ask(0, 0, &two), RCV_REASON_NONE);
    assert_cell(0, 2, 0);
    assert_int_equal(gate.in_flight, 2);
}


/* 3200/s have a burst of 640: a 16th of it by two is 20. */

static void
credit_in_lots(void **state)
{
    unsigned      i;
    uint64_t      tat_ns;
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_LIMIT, 320, 3200, 2, NOW);

    assert_int_equal(ask(0, 2, &ticket), RCV_REASON_NONE);
    assert_int_equal(ticket.charged, 1);
    tat_ns = gate.tat_ns;
    assert_true(tat_ns - NOW == 21 * gate.interval_ns);
    assert_int_equal(ats[0].credit_milli, 20 * UNIT);

    for (i = 0; i < 20; i++) {
        assert_int_equal(ask(0, i % 3, &ticket), RCV_REASON_NONE);
        assert_true(gate.tat_ns == tat_ns);
    }

    assert_int_equal(ats[0].credit_milli, 0);
    assert_int_equal(ask(0, 0, &ticket), RCV_REASON_NONE);
    assert_true(gate.tat_ns - NOW == 42 * gate.interval_ns);

    /* what is left goes back, once */

    rcv_admit_settle(&ats[0]);
    rcv_admit_settle(&ats[0]);
    assert_true(gate.tat_ns - NOW == 22 * gate.interval_ns);
}


static void
credit_of_a_better_class(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_LIMIT, 320, 3200, 2, NOW);
    assert_int_equal(ask(0, 0, &ticket), RCV_REASON_NONE);
    assert_int_equal(ats[0].credit_classes, 1);

    /* the last class may spend it only where it would find room itself */

    gate.tat_ns = NOW + 600 * gate.interval_ns;
    assert_int_equal(ask(0, 3, &ticket), RCV_REASON_RATE);
    assert_int_equal(ats[0].credit_milli, 20 * UNIT);
    assert_int_equal(ask(0, 0, &ticket), RCV_REASON_NONE);
    assert_int_equal(ats[0].credit_milli, 19 * UNIT);

    gate.tat_ns = NOW + 30 * gate.interval_ns;
    assert_int_equal(ask(0, 3, &ticket), RCV_REASON_NONE);
    assert_int_equal(ats[0].credit_milli, 18 * UNIT);
    assert_int_equal(ats[0].credit_classes, 4);
}


static void
costs_of_all_sizes(void **state)
{
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_LIMIT, 320, 3200, 2, NOW);
    assert_int_equal(ask(0, 0, &ticket), RCV_REASON_NONE);

    /* more than the credit: from the bucket alone, which still has a lot */

    assert_int_equal(rcv_admit(&ats[0], 0, 50 * UNIT, NOW, &ticket),
                     RCV_REASON_NONE);
    assert_int_equal(ats[0].credit_milli, 20 * UNIT);
    assert_true(gate.tat_ns - NOW == 71 * gate.interval_ns);

    /* nothing costs nothing, but not where nobody is let in */

    assert_int_equal(rcv_admit(&ats[0], 0, 0, NOW, &ticket), RCV_REASON_NONE);
    assert_int_equal(ats[0].credit_milli, 20 * UNIT);

    publish(RCV_GATE_CLOSED, 0, 0, 2, NOW);
    assert_int_equal(rcv_admit(&ats[0], 0, 0, NOW, &ticket), RCV_REASON_RATE);
    assert_int_equal(ats[0].credit_milli, 0);

    publish(RCV_GATE_LIMIT, 320, 100000, 2, NOW + SECOND);
    assert_int_equal(rcv_admit(&ats[0], 0, RCV_COST_MAX * UNIT, NOW + SECOND,
                               &ticket),
                     RCV_REASON_NONE);
    assert_int_equal(ats[0].credit_milli, 0);
}


static void
a_cut_has_no_lots(void **state)
{
    rcv_cut_t     cut = { 1, 2, 32 };
    rcv_ticket_t  ticket;

    (void) state;

    publish(RCV_GATE_LIMIT, 320, 3200, 2, NOW);
    gate.cohort = rcv_cut_pack(&cut);
    gate.word |= 1ull << RCV_GATE_CUT_SHIFT;

    assert_int_equal(ask(0, 0, &ticket), RCV_REASON_NONE);
    assert_int_equal(ask(0, 2, &ticket), RCV_REASON_NONE);
    assert_int_equal(ats[0].credit_milli, 0);
    assert_true(gate.tat_ns - NOW == 2 * gate.interval_ns);
}


static uint32_t
roll(uint64_t *seed, uint32_t sides)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;

    return (uint32_t) (*seed >> 33) % sides;
}


/*
 * Four processes, more asked than allowed, settled at any time: what passes is
 * what the rate allows, a burst and the eighth of one more; and what it allows
 * does pass.
 */

#define ROUND_NS   100000ull
#define ROUNDS     100000ull
#define RATE       20000ull
#define OUT_MAX    4000

static void
no_more_and_no_less(void **state)
{
    size_t        n;
    unsigned      i, k;
    uint64_t      seed, now_ns, passed, most, lost;
    rcv_ticket_t  ticket, out[PROCESSES][OUT_MAX];
    size_t        nout[PROCESSES];

    (void) state;

    seed = 42;
    passed = 0;
    lost = 0;
    memset(nout, 0, sizeof(nout));

    publish(RCV_GATE_LIMIT, 2000, RATE, PROCESSES, NOW);

    for (n = 0; n < ROUNDS; n++) {
        now_ns = NOW + n * ROUND_NS;

        for (k = 0; k < 4; k++) {
            i = roll(&seed, PROCESSES);

            if (nout[i] < OUT_MAX
                && rcv_admit(&ats[i], roll(&seed, CLASSES), UNIT, now_ns,
                             &ticket)
                   == RCV_REASON_NONE)
            {
                out[i][nout[i]++] = ticket;
                passed++;
            }
        }

        i = roll(&seed, PROCESSES);

        for (k = roll(&seed, 12); k > 0 && nout[i] > 0; k--) {
            rcv_admit_release(&ats[i], &out[i][--nout[i]]);
        }

        if (roll(&seed, 50) == 0) {
            rcv_admit_settle(&ats[roll(&seed, PROCESSES)]);
        }

        assert_int_equal(rcv_inflight_used(&gate, &slots, GATE),
                         nout[0] + nout[1] + nout[2] + nout[3]);
        assert_true(gate.in_flight <= 2001);
    }

    most = RATE * ROUNDS * ROUND_NS / SECOND + RATE / 5 + RATE / 40 + 1;
    assert_in_range(passed, most * 97 / 100, most);

    for (i = 0; i < PROCESSES; i++) {
        while (nout[i] > 0) {
            rcv_admit_release(&ats[i], &out[i][--nout[i]]);
        }

        lost += ats[i].credit_milli;
        rcv_admit_settle(&ats[i]);
    }

    assert_true(lost <= RATE / 40 * UNIT);
    assert_int_equal(gate.in_flight, 0);
}


#define TEST(name)  cmocka_unit_test_setup(name, reset)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(spares_are_held),
        TEST(spares_are_nobody_elses),
        TEST(given_and_settled),
        TEST(no_more_than_a_cell_can_tell),
        TEST(dead_with_spares),
        TEST(open_gate_deals_in_lots),
        TEST(near_the_limit_one_by_one),
        TEST(small_limits_have_no_lots),
        TEST(another_word_settles),
        TEST(credit_in_lots),
        TEST(credit_of_a_better_class),
        TEST(costs_of_all_sizes),
        TEST(a_cut_has_no_lots),
        TEST(no_more_and_no_less),
    };

    return cmocka_run_group_tests_name("lots", tests, NULL, NULL);
}
