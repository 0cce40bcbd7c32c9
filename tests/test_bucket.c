
/*
 * The token bucket in virtual time: first use, refill, cap, clocks that run
 * backwards, overflow, rates of nothing and of everything, and the order of
 * the classes under overload.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bucket.h"


#define SECOND  1000000000ull
#define NOW     (1000 * SECOND)
#define UNIT    RCV_MILLI
#define ALL     RCV_PPM

#define CLASSES  4


static void
gate_init(rcv_gate_t *gate, uint64_t rate_milli, uint64_t burst_units)
{
    rcv_allowance_t  a;

    memset(gate, 0, sizeof(*gate));
    memset(&a, 0, sizeof(a));
    a.word.mode = RCV_GATE_LIMIT;
    a.rate_milli = rate_milli;
    a.burst_milli = burst_units * UNIT;

    rcv_gate_publish(gate, &a, NOW);
}


/* How many of "count" pass at one moment. */

static unsigned
take_many(rcv_gate_t *gate, unsigned count, uint32_t share_ppm, unsigned rank,
    uint64_t now_ns)
{
    unsigned  passed;

    for (passed = 0; count > 0; count--) {
        passed += (unsigned) rcv_bucket_take(gate, share_ppm, rank, UNIT,
                                             now_ns);
    }

    return passed;
}


static void
interval_of_a_rate(void **state)
{
    static const struct {
        uint64_t  rate_milli;
        uint64_t  interval_ns;
    } cases[] = {
        { 0, RCV_INTERVAL_NEVER },
        { 1, 1000 * SECOND },
        { 1000, SECOND },
        { 2500, 400000000 },
        { 3000, 333333334 },            /* rounded up: never too fast */
        { 1000000, 1000000 },
        { RCV_RATE_MAX_MILLI - 1, 2 },
        { RCV_RATE_MAX_MILLI, 1 },
        { RCV_RATE_MAX_MILLI + 1, 1 },
        { UINT64_MAX - 1, 1 },
        { RCV_UNLIMITED, 1 },
    };

    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(rcv_bucket_interval_ns(cases[i].rate_milli)
                    == cases[i].interval_ns);
    }
}


static void
watermark_of_a_class(void **state)
{
    static const struct {
        uint64_t  burst_ns;
        uint64_t  interval_ns;
        uint32_t  share_ppm;
        unsigned  rank;
        uint64_t  expected_ns;
    } cases[] = {
        { 100, 1, 1000000, 0, 100 },
        { 100, 1, 900000, 1, 90 },
        { 100, 1, 999999, 1, 99 },      /* a unit apart at least */
        { 100, 10, 999999, 3, 70 },
        { 100, 10, 500000, 3, 50 },
        { 100, 40, 900000, 3, 40 },     /* at least one unit */
        { 100, 10, 0, 15, 10 },
        { 10, 100, 1000000, 0, 100 },
        { 0, 0, 1000000, 0, 0 },
        { 0, 5, 1000000, 0, 5 },
        { 100, 1, UINT32_MAX, 0, 100 },
        { UINT64_MAX, 1, 1000000, 0, UINT64_MAX },
        { UINT64_MAX, 1, 500000, 1, UINT64_MAX / 1000000 * 500000 },
        { UINT64_MAX, UINT64_MAX, 1000000, 15, UINT64_MAX },
        { 100, UINT64_MAX / 2, 1000000, 3, UINT64_MAX / 2 },
        { 100, 1, 1000000, UINT32_MAX, 1 },
    };

    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(rcv_bucket_watermark_ns(cases[i].burst_ns,
                                            cases[i].interval_ns,
                                            cases[i].share_ppm,
                                            cases[i].rank)
                    == cases[i].expected_ns);
    }
}


static void
watermarks_fall_with_rank(void **state)
{
    unsigned  rank;
    uint64_t  burst, above, here;

    (void) state;

    for (burst = 0; burst < 3 * RCV_CLASSES_MAX; burst++) {
        above = UINT64_MAX;

        for (rank = 0; rank < RCV_CLASSES_MAX; rank++) {
            here = rcv_bucket_watermark_ns(burst * 7, 7,
                                           ALL - rank * (ALL / 20), rank);
            assert_true(here <= above);
            assert_true(here >= 7);

            if (rank > 0 && above > 7) {
                assert_true(above - here >= 7 || here == 7);
            }

            above = here;
        }
    }
}


static void
first_use_fills_the_burst(void **state)
{
    rcv_gate_t  gate;

    (void) state;

    gate_init(&gate, 10 * UNIT, 5);
    assert_int_equal(take_many(&gate, 100, ALL, 0, NOW), 5);

    /* and at the beginning of time as well */

    gate_init(&gate, 10 * UNIT, 5);
    assert_int_equal(take_many(&gate, 100, ALL, 0, 0), 5);
}


static void
refill_and_cap(void **state)
{
    static const struct {
        uint64_t  after_ns;
        unsigned  passed;
    } cases[] = {
        { SECOND / 10 - 1, 0 },
        { 1, 1 },
        { SECOND / 10, 1 },
        { SECOND / 5, 2 },
        { SECOND / 2, 5 },
        { 3600 * SECOND, 5 },           /* the cap: no more than a burst */
        { 0, 0 },
    };

    size_t      i;
    uint64_t    now_ns;
    rcv_gate_t  gate;

    (void) state;

    gate_init(&gate, 10 * UNIT, 5);
    now_ns = NOW;
    assert_int_equal(take_many(&gate, 9, ALL, 0, now_ns), 5);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        now_ns += cases[i].after_ns;
        assert_int_equal(take_many(&gate, 9, ALL, 0, now_ns),
                         cases[i].passed);
    }
}


/* Over any time no more than burst + rate * time, and no less either. */

static void
long_run_is_the_rate(void **state)
{
    static const uint64_t  rates_milli[] = {
        100, 1000, 2500, 7000, 333333, 1000000, 123456789
    };

    size_t      i;
    unsigned    passed;
    uint64_t    now_ns, step_ns, interval_ns, steps;
    rcv_gate_t  gate;

    (void) state;

    for (i = 0; i < sizeof(rates_milli) / sizeof(rates_milli[0]); i++) {
        gate_init(&gate, rates_milli[i], 4);
        interval_ns = rcv_bucket_interval_ns(rates_milli[i]);
        step_ns = interval_ns / 3 + 1;
        now_ns = NOW;
        passed = 0;

        for (steps = 0; steps < 30000; steps++, now_ns += step_ns) {
            passed += (unsigned) rcv_bucket_take(&gate, ALL, 0, UNIT,
                                                 now_ns);
        }

        assert_in_range(passed, (now_ns - NOW) / interval_ns,
                        (now_ns - NOW) / interval_ns + 4);
    }
}


static void
looking_writes_nothing(void **state)
{
    rcv_gate_t  gate, before;

    (void) state;

    gate_init(&gate, 10 * UNIT, 2);
    before = gate;
    assert_true(rcv_bucket_fits(&gate, ALL, 0, UNIT, NOW));
    assert_memory_equal(&gate, &before, sizeof(gate));

    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW), 2);
    before = gate;
    assert_false(rcv_bucket_fits(&gate, ALL, 0, UNIT, NOW));
    assert_memory_equal(&gate, &before, sizeof(gate));
}


static void
rates_of_nothing_and_everything(void **state)
{
    static const uint32_t  costs_milli[] = {
        0, 1, UNIT, RCV_COST_MAX * RCV_MILLI, UINT32_MAX
    };

    size_t      i;
    rcv_gate_t  gate;

    (void) state;

    for (i = 0; i < sizeof(costs_milli) / sizeof(costs_milli[0]); i++) {
        gate_init(&gate, 0, 8);
        assert_false(rcv_bucket_fits(&gate, ALL, 0, costs_milli[i], NOW));
        assert_false(rcv_bucket_take(&gate, ALL, 0, costs_milli[i], NOW));
        rcv_bucket_refund(&gate, costs_milli[i]);
        rcv_bucket_heal(&gate, NOW);
        assert_true(gate.tat_ns == 0);

        gate_init(&gate, RCV_UNLIMITED, 8);
        gate.tat_ns = NOW + SECOND;
        assert_true(rcv_bucket_fits(&gate, 0, 15, costs_milli[i], NOW));
        assert_true(rcv_bucket_take(&gate, 0, 15, costs_milli[i], NOW));
        rcv_bucket_refund(&gate, costs_milli[i]);
        rcv_bucket_heal(&gate, NOW);
        assert_true(gate.tat_ns == NOW + SECOND);
    }

    /* 10^9 a second: one of them a nanosecond */

    gate_init(&gate, RCV_RATE_MAX_MILLI, 100);
    assert_int_equal(take_many(&gate, 200, ALL, 0, NOW), 100);
    assert_int_equal(take_many(&gate, 200, ALL, 0, NOW + 7), 7);
}


static void
cost_nothing_and_parts(void **state)
{
    unsigned    i;
    rcv_gate_t  gate;

    (void) state;

    gate_init(&gate, 10 * UNIT, 2);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW), 2);
    assert_true(rcv_bucket_fits(&gate, 0, 15, 0, NOW));
    assert_true(rcv_bucket_take(&gate, 0, 15, 0, NOW));
    assert_true(gate.tat_ns == NOW + SECOND / 5);

    /* four halves are two units */

    gate_init(&gate, 10 * UNIT, 2);
    for (i = 0; i < 4; i++) {
        assert_true(rcv_bucket_take(&gate, ALL, 0, UNIT / 2, NOW));
    }
    assert_false(rcv_bucket_take(&gate, ALL, 0, 1, NOW));

    /* a thousandth of a nanosecond is not free */

    gate_init(&gate, RCV_RATE_MAX_MILLI, 2);
    assert_true(rcv_bucket_take(&gate, ALL, 0, 1, NOW));
    assert_true(gate.tat_ns == NOW + 1);
}


static void
dear_request_passes_when_nothing_is_owed(void **state)
{
    rcv_gate_t  gate;

    (void) state;

    gate_init(&gate, 10 * UNIT, 5);

    assert_true(rcv_bucket_take(&gate, ALL, 0, 20 * UNIT, NOW));
    assert_false(rcv_bucket_take(&gate, ALL, 0, 20 * UNIT, NOW));

    /* it owes 20 units: 15 of them keep others out, 5 are the burst */

    assert_false(rcv_bucket_take(&gate, ALL, 0, UNIT, NOW + 3 * SECOND / 2));
    assert_true(rcv_bucket_take(&gate, ALL, 0, UNIT, NOW + 8 * SECOND / 5));
    assert_false(rcv_bucket_take(&gate, ALL, 0, 20 * UNIT, NOW + 2 * SECOND));
    assert_true(rcv_bucket_take(&gate, ALL, 0, 20 * UNIT,
                                NOW + 21 * SECOND / 10));

    /* dearer than allowed costs what is allowed */

    gate_init(&gate, 10 * UNIT, 5);
    assert_true(rcv_bucket_take(&gate, ALL, 0, UINT32_MAX, NOW));
    assert_true(gate.tat_ns == NOW + RCV_COST_MAX * (SECOND / 10));
}


static void
clock_goes_backwards(void **state)
{
    uint64_t    bound_ns;
    rcv_gate_t  gate;

    (void) state;

    /* a few ms between processes: no more passes, none is lost */

    gate_init(&gate, 10 * UNIT, 5);
    assert_int_equal(take_many(&gate, 2, ALL, 0, NOW), 2);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW - SECOND / 200), 2);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW), 1);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW - SECOND / 200), 0);

    /* an hour: delayed by the bound, from the first request on */

    gate_init(&gate, 10 * UNIT, 5);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW + 3600 * SECOND), 5);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW), 0);

    bound_ns = gate.burst_ns + RCV_COST_MAX * gate.interval_ns;
    assert_true(gate.tat_ns == NOW + bound_ns);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW + bound_ns), 5);
}


static void
absurd_tat_delays_only(void **state)
{
    static const uint64_t  tats_ns[] = {
        UINT64_MAX, UINT64_MAX - 1, UINT64_MAX / 2, NOW + 4000 * SECOND
    };

    size_t      i;
    uint64_t    bound_ns;
    rcv_gate_t  gate;

    (void) state;

    for (i = 0; i < sizeof(tats_ns) / sizeof(tats_ns[0]); i++) {
        gate_init(&gate, 10 * UNIT, 5);
        bound_ns = gate.burst_ns + RCV_COST_MAX * gate.interval_ns;

        gate.tat_ns = tats_ns[i];
        assert_false(rcv_bucket_fits(&gate, ALL, 0, UNIT, NOW));
        assert_true(gate.tat_ns == tats_ns[i]);
        rcv_bucket_heal(&gate, NOW);
        assert_true(gate.tat_ns == NOW + bound_ns);

        gate.tat_ns = tats_ns[i];
        assert_false(rcv_bucket_take(&gate, ALL, 0, UNIT, NOW));
        assert_true(gate.tat_ns == NOW + bound_ns);
        assert_true(rcv_bucket_take(&gate, ALL, 0, UNIT, NOW + bound_ns));
    }

    /* what is honest is left alone */

    gate_init(&gate, 10 * UNIT, 5);
    gate.tat_ns = NOW + bound_ns;
    rcv_bucket_heal(&gate, NOW);
    assert_true(gate.tat_ns == NOW + bound_ns);
}


static void
end_of_time(void **state)
{
    rcv_gate_t  gate;

    (void) state;

    gate_init(&gate, 1, 1000);
    assert_true(rcv_bucket_take(&gate, ALL, 0, UNIT, UINT64_MAX - 1));
    assert_true(gate.tat_ns == UINT64_MAX);
    (void) rcv_bucket_take(&gate, ALL, 0, UINT32_MAX, UINT64_MAX);
    (void) rcv_bucket_take(&gate, ALL, 15, UINT32_MAX, UINT64_MAX);
    rcv_bucket_heal(&gate, UINT64_MAX);
    assert_true(gate.tat_ns == UINT64_MAX);
}


static void
refund_gives_back(void **state)
{
    rcv_gate_t  gate;

    (void) state;

    gate_init(&gate, 10 * UNIT, 5);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW), 5);
    rcv_bucket_refund(&gate, 2 * UNIT);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW), 2);
    rcv_bucket_refund(&gate, 0);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW), 0);

    /* after the time has passed anyway: no credit beyond the burst */

    rcv_bucket_refund(&gate, 5 * UNIT);
    rcv_bucket_refund(&gate, 5 * UNIT);
    assert_int_equal(take_many(&gate, 9, ALL, 0, NOW), 5);

    /* never below the beginning of time */

    gate_init(&gate, 1, 5);
    gate.tat_ns = 5;
    rcv_bucket_refund(&gate, UINT32_MAX);
    assert_true(gate.tat_ns == 0);
}


/*
 * Constant overload by all classes, each evenly spaced and a part of its
 * period behind the one before, those of one moment in a changing order, for
 * ten virtual seconds.  offered and expected are per second.
 */

typedef struct {
    uint64_t  rate_milli;
    uint64_t  burst_units;
    unsigned  offered[CLASSES];
    unsigned  expected[CLASSES];
} overload_t;


static void
run_overload(const overload_t *c, unsigned *passed)
{
    static const uint32_t  shares_ppm[CLASSES] = {
        1000000, 900000, 800000, 700000
    };

    unsigned    tick, i, k, order;
    uint64_t    now_ns, done[CLASSES];
    rcv_gate_t  gate;

    gate_init(&gate, c->rate_milli, c->burst_units);
    memset(done, 0, sizeof(done));
    memset(passed, 0, CLASSES * sizeof(unsigned));
    order = 1;

    /* a tick is 0.1 ms; the first two seconds are for settling */

    for (tick = 0; tick < 120000; tick++) {
        now_ns = NOW + tick * (SECOND / 10000);
        order = order * 1103515245u + 12345u;

        for (k = 0; k < CLASSES; k++) {
            i = (k + (order >> 16)) % CLASSES;

            while (done[i] * 10000
                   < (uint64_t) tick * c->offered[i] + i * 10000 / CLASSES)
            {
                done[i]++;

                if (rcv_bucket_take(&gate, shares_ppm[i], i, UNIT, now_ns)
                    && tick >= 20000)
                {
                    passed[i]++;
                }
            }
        }
    }
}


static void
classes_in_order_under_overload(void **state)
{
    static const overload_t  cases[] = {
        /* the second class is the marginal one */
        { 100 * UNIT, 20, { 60, 60, 60, 60 }, { 60, 40, 0, 0 } },
        /* the first alone is too much */
        { 100 * UNIT, 20, { 300, 300, 300, 300 }, { 100, 0, 0, 0 } },
        /* the last is marginal */
        { 100 * UNIT, 20, { 20, 20, 20, 500 }, { 20, 20, 20, 40 } },
        /* nobody of the first two */
        { 100 * UNIT, 20, { 0, 0, 300, 300 }, { 0, 0, 100, 0 } },
        /* the smallest burst: two units a class */
        { 10 * UNIT, 8, { 6, 6, 6, 6 }, { 6, 4, 0, 0 } },
        { 2 * UNIT, 8, { 1, 3, 3, 3 }, { 1, 1, 0, 0 } },
        /* a large one */
        { 1000 * UNIT, 200, { 500, 400, 400, 900 }, { 500, 400, 100, 0 } },
        /* no overload at all */
        { 1000 * UNIT, 200, { 100, 100, 100, 100 }, { 100, 100, 100, 100 } },
    };

    size_t    n;
    unsigned  i, passed[CLASSES];

    (void) state;

    for (n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        run_overload(&cases[n], passed);

        for (i = 0; i < CLASSES; i++) {

            if (cases[n].expected[i] == 0
                || cases[n].expected[i] == cases[n].offered[i])
            {
                /* above or below the margin: all or nothing, exactly */
                assert_int_equal(passed[i], cases[n].expected[i] * 10);

            } else {
                assert_in_range(passed[i], cases[n].expected[i] * 10 - 3,
                                cases[n].expected[i] * 10 + 3);
            }
        }
    }
}


/* More is allowed at every step of a ramp: more passes, within the rate. */

static void
ramp_passes_more_and_more(void **state)
{
    unsigned         step, tick, passed, before;
    uint64_t         now_ns, rate_milli;
    rcv_gate_t       gate;
    rcv_allowance_t  a;

    (void) state;

    memset(&gate, 0, sizeof(gate));
    memset(&a, 0, sizeof(a));
    a.word.mode = RCV_GATE_LIMIT;
    now_ns = NOW;
    before = 0;
    rate_milli = 20 * UNIT;

    for (step = 0; step < 10; step++, rate_milli *= 2) {
        a.rate_milli = rate_milli;
        a.burst_milli = rcv_max(8 * UNIT, rate_milli / 5);
        rcv_gate_publish(&gate, &a, now_ns);
        passed = 0;

        for (tick = 0; tick < 40000; tick++, now_ns += SECOND / 40000) {
            passed += (unsigned) rcv_bucket_take(&gate, ALL, 0, UNIT,
                                                 now_ns);
        }

        assert_true(passed > before);
        assert_in_range(passed, rate_milli / UNIT * 99 / 100,
                        rate_milli / UNIT * 12 / 10 + 8);
        before = passed;
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(interval_of_a_rate),
        cmocka_unit_test(watermark_of_a_class),
        cmocka_unit_test(watermarks_fall_with_rank),
        cmocka_unit_test(first_use_fills_the_burst),
        cmocka_unit_test(refill_and_cap),
        cmocka_unit_test(long_run_is_the_rate),
        cmocka_unit_test(looking_writes_nothing),
        cmocka_unit_test(rates_of_nothing_and_everything),
        cmocka_unit_test(cost_nothing_and_parts),
        cmocka_unit_test(dear_request_passes_when_nothing_is_owed),
        cmocka_unit_test(clock_goes_backwards),
        cmocka_unit_test(absurd_tat_delays_only),
        cmocka_unit_test(end_of_time),
        cmocka_unit_test(refund_gives_back),
        cmocka_unit_test(classes_in_order_under_overload),
        cmocka_unit_test(ramp_passes_more_and_more),
    };

    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
