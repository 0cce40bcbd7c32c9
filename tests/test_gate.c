
/*
 * The word of a gate, and what publishing an allowance does to the bucket's
 * debt.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bucket.h"


#define SECOND  1000000000ull
#define NOW     (1000 * SECOND)


static rcv_allowance_t
allowance(uint64_t rate_milli, uint64_t burst_milli)
{
    rcv_allowance_t  a;

    memset(&a, 0, sizeof(a));
    a.word.mode = RCV_GATE_LIMIT;
    a.word.phase = RCV_PHASE_RAMPING;
    a.word.reason = RCV_REASON_RATE;
    a.word.class_max = RCV_CLASSES_MAX - 1;
    a.word.in_flight_limit = 100;
    a.rate_milli = rate_milli;
    a.burst_milli = burst_milli;

    return a;
}


static void
publish(rcv_gate_t *gate, uint64_t rate_milli, uint64_t now_ns)
{
    rcv_allowance_t  a;

    a = allowance(rate_milli, 10 * RCV_MILLI);
    rcv_gate_publish(gate, &a, now_ns);
}


static void
assert_same_word(const rcv_gate_word_t *a, const rcv_gate_word_t *b)
{
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->phase, b->phase);
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->class_max, b->class_max);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->in_flight_limit, b->in_flight_limit);
    assert_int_equal(a->cut, b->cut);
}


static void
word_survives_packing(void **state)
{
    static const rcv_gate_word_t  words[] = {
        { RCV_GATE_OPEN, RCV_PHASE_UP, RCV_REASON_NONE, 0, 0, 0 },
        { RCV_GATE_OPEN, RCV_PHASE_UP, RCV_REASON_NONE, 15, 65535,
          RCV_IN_FLIGHT_MAX },
        { RCV_GATE_LIMIT, RCV_PHASE_RAMPING, RCV_REASON_QUOTA, 3, 1, 1 },
        { RCV_GATE_CLOSED, RCV_PHASE_DOWN, RCV_REASON_FORCED, 0, 32768, 0 },
        { RCV_GATE_CLOSED, RCV_PHASE_VERIFYING, RCV_REASON_SIGNAL_LOST, 15,
          65535, RCV_IN_FLIGHT_MAX },
        { RCV_GATE_LIMIT, RCV_PHASE_PROBING, RCV_REASON_PROBING, 0, 40000,
          2, 1 },
    };

    size_t           i;
    uint64_t         packed;
    rcv_gate_word_t  word;

    (void) state;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        packed = rcv_gate_pack(&words[i]);
        word = rcv_gate_unpack(packed);
        assert_same_word(&word, &words[i]);

        assert_int_equal(rcv_gate_mode(packed), words[i].mode);
        assert_int_equal(rcv_gate_phase(packed), words[i].phase);
        assert_int_equal(rcv_gate_reason(packed), words[i].reason);
        assert_int_equal(rcv_gate_class_max(packed), words[i].class_max);
        assert_int_equal(rcv_gate_epoch(packed), words[i].epoch);
        assert_int_equal(rcv_gate_limit(packed), words[i].in_flight_limit);
        assert_int_equal(rcv_gate_cut(packed), words[i].cut);
    }
}


/* No field may run into its neighbour. */

static void
every_field_alone(void **state)
{
    unsigned         mode, phase, reason;
    rcv_gate_word_t  in, out;

    (void) state;

    for (mode = RCV_GATE_OPEN; mode <= RCV_GATE_CLOSED; mode++) {
        for (phase = 0; phase < RCV_PHASES; phase++) {
            for (reason = 1; reason < RCV_REASONS; reason++) {
                memset(&in, 0, sizeof(in));
                in.mode = (rcv_gate_mode_t) mode;
                in.phase = (rcv_phase_t) phase;
                in.reason = (rcv_reason_t) reason;
                in.class_max = reason;
                in.epoch = 1u << (reason % 16);
                in.in_flight_limit = 1u << (2 * reason % 24);
                in.cut = reason % 2;
                out = rcv_gate_unpack(rcv_gate_pack(&in));
                assert_same_word(&in, &out);
            }
        }
    }
}


static void
values_too_large_are_cut(void **state)
{
    rcv_gate_word_t  word = { RCV_GATE_OPEN, RCV_PHASE_UP, RCV_REASON_NONE,
                              1000, 0x12345, UINT32_MAX };

    (void) state;

    word = rcv_gate_unpack(rcv_gate_pack(&word));

    assert_int_equal(word.mode, RCV_GATE_OPEN);
    assert_int_equal(word.class_max, RCV_CLASSES_MAX - 1);
    assert_int_equal(word.epoch, 0x2345);
    assert_int_equal(word.in_flight_limit, RCV_IN_FLIGHT_MAX);
}


/* A decision of REASON_NONE passes, so no gate may shed with it. */

static void
shedding_has_a_reason(void **state)
{
    static const struct {
        rcv_gate_mode_t  mode;
        rcv_reason_t     reason;
        rcv_reason_t     expected;
    } cases[] = {
        { RCV_GATE_OPEN, RCV_REASON_NONE, RCV_REASON_NONE },
        { RCV_GATE_LIMIT, RCV_REASON_NONE, RCV_REASON_RATE },
        { RCV_GATE_CLOSED, RCV_REASON_NONE, RCV_REASON_DOWN },
        { RCV_GATE_CLOSED, RCV_REASON_FORCED, RCV_REASON_FORCED },
        { RCV_GATE_LIMIT, RCV_REASON_CEILING, RCV_REASON_CEILING },
    };

    size_t           i;
    rcv_gate_word_t  word;

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&word, 0, sizeof(word));
        word.mode = cases[i].mode;
        word.reason = cases[i].reason;
        word = rcv_gate_unpack(rcv_gate_pack(&word));
        assert_int_equal(word.reason, cases[i].expected);
    }
}


static void
publish_sets_rate_and_word(void **state)
{
    static const struct {
        uint64_t  rate_milli;
        uint64_t  burst_milli;
        uint64_t  interval_ns;
        uint64_t  burst_ns;
    } cases[] = {
        { 2000, 8000, 500000000, 4 * SECOND },
        { 1000000, 200000, 1000000, SECOND / 5 },
        { 1000000, 0, 1000000, 1000000 },
        { 0, 8000, RCV_INTERVAL_NEVER, RCV_INTERVAL_NEVER },
        { RCV_UNLIMITED, 8000, 0, 0 },
        { RCV_RATE_MAX_MILLI, UINT64_MAX, 1, UINT64_MAX },
        { UINT64_MAX - 1, 8000, 1, 8 },
    };

    size_t           i;
    rcv_gate_t       gate;
    rcv_allowance_t  a;
    rcv_gate_word_t  word;

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&gate, 0, sizeof(gate));
        a = allowance(cases[i].rate_milli, cases[i].burst_milli);
        a.cohort = i % 2;
        a.word.cut = 7;
        rcv_gate_publish(&gate, &a, NOW);

        a.word.cut = i % 2;
        assert_true(gate.interval_ns == cases[i].interval_ns);
        assert_true(gate.burst_ns == cases[i].burst_ns);

        word = rcv_gate_unpack(gate.word);
        assert_same_word(&word, &a.word);
        assert_int_equal(gate.in_flight, 0);
        assert_true(gate.tat_ns == 0);
    }
}


static void
same_again_changes_nothing(void **state)
{
    static const uint64_t  rates[] = {
        2000, 333, 1000000, 0, RCV_UNLIMITED, RCV_RATE_MAX_MILLI
    };

    size_t      i;
    rcv_gate_t  gate, before;

    (void) state;

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        memset(&gate, 0, sizeof(gate));
        publish(&gate, 5000, NOW);
        gate.tat_ns = NOW + SECOND;
        gate.in_flight = 7;
        publish(&gate, rates[i], NOW);

        before = gate;
        publish(&gate, rates[i], NOW);
        publish(&gate, rates[i], NOW + SECOND / 2);
        publish(&gate, rates[i], NOW - SECOND);
        assert_memory_equal(&gate, &before, sizeof(gate));
    }
}


static void
debt_keeps_its_units(void **state)
{
    static const struct {
        uint64_t  from_milli;
        uint64_t  to_milli;
        uint64_t  debt_ns;
        uint64_t  expected_ns;
    } cases[] = {
        { 2000, 200000, 3 * SECOND / 2, 15000000 },
        { 200000, 2000, 15000000, 3 * SECOND / 2 },
        { 1000, 2000, SECOND, SECOND / 2 },
        { 1000, 1000, SECOND, SECOND },
        { 1000, 500, 0, 0 },
        /* more than a burst of 10 and a request of 1000 nobody owes */
        { 1000, 2000, UINT64_MAX / 2, 505 * SECOND },
        { RCV_RATE_MAX_MILLI, 1, UINT64_MAX / 2, 1010000 * SECOND },
    };

    size_t      i;
    rcv_gate_t  gate;

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&gate, 0, sizeof(gate));
        publish(&gate, cases[i].from_milli, NOW);
        gate.tat_ns = NOW + cases[i].debt_ns;
        publish(&gate, cases[i].to_milli, NOW);
        assert_true(gate.tat_ns == NOW + cases[i].expected_ns);
    }
}


static void
past_stays_past(void **state)
{
    rcv_gate_t  gate;

    (void) state;

    memset(&gate, 0, sizeof(gate));
    publish(&gate, 2000, NOW);
    gate.tat_ns = NOW - SECOND;
    publish(&gate, 200000, NOW);
    assert_true(gate.tat_ns == NOW - SECOND);
}


/* A time without a rate between two rates neither forgives nor inflates. */

static void
debt_survives_no_rate(void **state)
{
    static const uint64_t  between[] = { 0, RCV_UNLIMITED };

    size_t      i;
    rcv_gate_t  gate;

    (void) state;

    for (i = 0; i < 2; i++) {
        memset(&gate, 0, sizeof(gate));
        publish(&gate, 2000, NOW);
        gate.tat_ns = NOW + 2 * SECOND;

        publish(&gate, between[i], NOW);
        assert_true(gate.tat_ns == NOW + 2 * SECOND);

        /* half of it has run off */
        publish(&gate, 200000, NOW + SECOND);
        assert_true(gate.tat_ns == NOW + SECOND + SECOND / 100);
    }
}


/*
 * Whatever the order of rates, a debt never grows in units, and no change
 * loses more than the rounding of one unit.
 */

static void
debt_over_a_ramp(void **state)
{
    double      units, before;
    uint64_t    rate_milli;
    rcv_gate_t  gate;

    (void) state;

    memset(&gate, 0, sizeof(gate));
    publish(&gate, 2000, NOW);
    gate.tat_ns = NOW + 5 * SECOND;
    before = 10.0;

    for (rate_milli = 2000; rate_milli < 4000000; rate_milli += 977) {
        publish(&gate, rate_milli, NOW);
        units = (double) (gate.tat_ns - NOW) / (double) gate.interval_ns;
        assert_true(units <= before + 1e-9);
        before = units;
    }

    assert_true(before > 9.0);

    for ( ; rate_milli > 2000; rate_milli -= 977) {
        publish(&gate, rate_milli, NOW);
        units = (double) (gate.tat_ns - NOW) / (double) gate.interval_ns;
        assert_true(units <= 10.0 + 1e-9);
    }
}


/* What a killed leader leaves: each order of stores, cut at each point. */

static void
killed_half_way_owes_less(void **state)
{
    rcv_gate_t  gate, cut;

    (void) state;

    /* rising: new rate stored, debt not yet or already in it, scale not */

    memset(&gate, 0, sizeof(gate));
    publish(&gate, 2000, NOW);
    gate.tat_ns = NOW + 2 * SECOND;

    cut = gate;
    cut.interval_ns = 5000000;
    publish(&cut, 200000, NOW);
    assert_true(cut.tat_ns == NOW + SECOND / 50);

    cut = gate;
    cut.interval_ns = 5000000;
    cut.tat_ns = NOW + SECOND / 50;
    publish(&cut, 200000, NOW);
    assert_true(cut.tat_ns <= NOW + SECOND / 50);

    /* falling: scale stored, debt not yet or already in it, rate not */

    memset(&gate, 0, sizeof(gate));
    publish(&gate, 200000, NOW);
    gate.tat_ns = NOW + SECOND / 50;

    cut = gate;
    cut.scale_ns = 500000000;
    publish(&cut, 2000, NOW);
    assert_true(cut.tat_ns == NOW + SECOND / 50);

    cut = gate;
    cut.scale_ns = 500000000;
    cut.tat_ns = NOW + 2 * SECOND;
    publish(&cut, 2000, NOW);
    assert_true(cut.tat_ns == NOW + 2 * SECOND);
    assert_true(cut.interval_ns == 500000000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(word_survives_packing),
        cmocka_unit_test(every_field_alone),
        cmocka_unit_test(values_too_large_are_cut),
        cmocka_unit_test(shedding_has_a_reason),
        cmocka_unit_test(publish_sets_rate_and_word),
        cmocka_unit_test(same_again_changes_nothing),
        cmocka_unit_test(debt_keeps_its_units),
        cmocka_unit_test(past_stays_past),
        cmocka_unit_test(debt_survives_no_rate),
        cmocka_unit_test(debt_over_a_ramp),
        cmocka_unit_test(killed_half_way_owes_less),
    };

    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
