
/*
 * What is learned while a backend is up.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "reference.h"
#include "gate.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define HOUR_MS  3600000u


static const rcv_limits_t  learned = { 0, RCV_UNLIMITED, RCV_PHASE_UP };


/* Requests of cost 1 at a rate, all answered in latency_ms. */

typedef struct {
    rcv_state_t   state;
    uint64_t      carry;
    uint64_t      latency_ms;
    uint32_t      in_flight;
} school_t;


static void
learn(school_t *school, uint64_t rate_milli, uint64_t tick_ms, uint64_t ms)
{
    uint64_t      n;
    rcv_window_t  window;

    for ( /* void */ ; ms >= tick_ms; ms -= tick_ms) {
        memset(&window, 0, sizeof(window));

        school->carry += rate_milli * tick_ms;
        n = school->carry / 1000000;
        school->carry %= 1000000;

        window.dt_ms = tick_ms;
        window.offered[0] = n;
        window.passed[0] = n;
        window.cost_milli = n * RCV_MILLI;
        window.results[RCV_RESULT_OK] = n;
        window.latency_sum_us = n * school->latency_ms * 1000;
        window.in_flight = school->in_flight;

        rcv_reference_learn(&school->state, &window);
        rcv_reference_apply(&school->state, &learned);
    }
}


/* The same reference at every rate and tick; none stalls at small values. */

static void
test_rates(void **unused)
{
    size_t    i, j;
    school_t  school;

    static const uint64_t  rates_milli[] = {
        200, 2000, 30000, 2500000, 100000000
    };
    static const uint64_t  ticks_ms[] = { 100, 1000 };

    (void) unused;

    for (i = 0; i < nelts(rates_milli); i++) {
        for (j = 0; j < nelts(ticks_ms); j++) {
            memset(&school, 0, sizeof(school));
            school.latency_ms = 20;

            learn(&school, rates_milli[i], ticks_ms[j], 300000);

            assert_in_range(school.state.reference_milli,
                            rates_milli[i] * 90 / 100,
                            rates_milli[i] * 115 / 100);
        }
    }
}


static void
test_unknown_at_first(void **unused)
{
    school_t  school;

    (void) unused;

    memset(&school, 0, sizeof(school));

    learn(&school, 1000000, 100, 900);
    assert_int_equal(school.state.reference_milli, 0);
    learn(&school, 1000000, 100, 100);
    assert_int_equal(school.state.reference_milli, 1000000);

    memset(&school, 0, sizeof(school));

    learn(&school, 2000, 100, 4000);
    assert_int_equal(school.state.reference_milli, 0);
    learn(&school, 2000, 100, 1000);
    assert_in_range(school.state.reference_milli, 1900, 2100);
}


/* A burst in the first seconds is no peak to hold on to. */

static void
test_fast_start(void **unused)
{
    school_t  school;

    (void) unused;

    memset(&school, 0, sizeof(school));

    learn(&school, 1000000, 100, 2000);
    assert_int_equal(school.state.reference_milli, 1000000);
    learn(&school, 10000, 100, 58000);
    assert_in_range(school.state.reference_milli, 40000, 45000);
}


static void
test_decay(void **unused)
{
    school_t  school;

    (void) unused;

    memset(&school, 0, sizeof(school));
    school.latency_ms = 500;

    learn(&school, 1000000, 1000, 600000);
    assert_in_range(school.state.reference_milli, 999000, 1001000);
    assert_in_range(school.state.healthy_in_flight, 1000, 1001);

    /* a night at a tenth: half in an hour */

    learn(&school, 100000, 1000, HOUR_MS);
    assert_in_range(school.state.reference_milli, 480000, 520000);
    assert_in_range(school.state.healthy_in_flight, 480, 520);

    /* and never below what is there */

    learn(&school, 100000, 1000, 10 * HOUR_MS);
    assert_in_range(school.state.reference_milli, 99000, 101000);
    assert_in_range(school.state.healthy_in_flight, 100, 101);

    /* it rises with the minute */

    learn(&school, 1000000, 1000, 180000);
    assert_true(school.state.reference_milli > 900000);
}


static void
test_decay_small(void **unused)
{
    school_t  school;

    (void) unused;

    memset(&school, 0, sizeof(school));
    school.latency_ms = 100;

    learn(&school, 8000, 100, 600000);
    learn(&school, 2000, 100, HOUR_MS);
    assert_in_range(school.state.reference_milli, 3600, 4400);
    learn(&school, 2000, 100, 4 * HOUR_MS);
    assert_in_range(school.state.reference_milli, 1900, 2400);
}


/*
 * A queue that builds up is not normal, or the guard would follow it; work
 * that takes its time without one is.
 */

static void
test_queue(void **unused)
{
    unsigned  i;
    school_t  school;

    (void) unused;

    memset(&school, 0, sizeof(school));
    school.in_flight = 20;
    school.latency_ms = 20;
    school.state.control.base_us = 20000;
    school.state.control.latency_us = 20000;
    learn(&school, 1000000, 100, 60000);
    assert_int_equal(school.state.healthy_in_flight, 40);

    for (i = 0; i < 100; i++) {
        school.in_flight += 10;
        school.state.control.latency_us += 2000;
        learn(&school, 1000000, 100, 100);
    }

    assert_in_range(school.state.healthy_in_flight, 40, 80);

    school.state.control.base_us = school.state.control.latency_us;
    learn(&school, 1000000, 100, 100);
    assert_int_equal(school.state.healthy_in_flight, school.in_flight);
}


/* Silence is not learned: neither as zero nor as a fall of the peak. */

static void
test_silence(void **unused)
{
    school_t  school;

    (void) unused;

    memset(&school, 0, sizeof(school));
    school.latency_ms = 20;

    learn(&school, 50000, 1000, 300000);
    learn(&school, 0, 1000, 8 * HOUR_MS);
    assert_in_range(school.state.reference_milli, 49000, 51000);
    assert_in_range(school.state.healthy_in_flight, 2, 3);
    learn(&school, 50000, 1000, 10000);
    assert_in_range(school.state.reference_milli, 49000, 51000);
}


static void
test_errors(void **unused)
{
    size_t        i;
    rcv_state_t   state;
    rcv_window_t  window;

    static const struct {
        uint64_t  ok, error, timeout;
        unsigned  learns;
    } cases[] = {
        { 90, 10, 0, 1 },
        { 90, 0, 10, 1 },
        { 89, 6, 5, 0 },
        { 0, 1, 0, 0 },
        { 0, 0, 0, 1 },                 /* all from a cache */
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        memset(&state, 0, sizeof(state));
        memset(&window, 0, sizeof(window));

        window.dt_ms = 1000;
        window.passed[0] = 100;
        window.cost_milli = 100000;
        window.results[RCV_RESULT_OK] = cases[i].ok;
        window.results[RCV_RESULT_ERROR] = cases[i].error;
        window.results[RCV_RESULT_TIMEOUT] = cases[i].timeout;

        rcv_reference_learn(&state, &window);
        rcv_reference_apply(&state, &learned);

        assert_int_equal(state.reference_milli,
                         cases[i].learns ? 100000 : 0);
    }
}


/* The queue of a backend that has stopped answering is not what is normal. */

static void
test_stall(void **unused)
{
    school_t      school;
    rcv_window_t  window;

    (void) unused;

    memset(&school, 0, sizeof(school));
    school.latency_ms = 50;
    school.in_flight = 7;

    learn(&school, 100000, 100, 60000);
    assert_int_equal(school.state.healthy_in_flight, 10);

    memset(&window, 0, sizeof(window));
    window.dt_ms = 100;
    window.passed[0] = 10;
    window.cost_milli = 10000;
    window.in_flight = 900;
    window.results[RCV_RESULT_OK] = 4;
    window.latency_sum_us = 4000000;

    rcv_reference_learn(&school.state, &window);
    rcv_reference_apply(&school.state, &learned);
    assert_int_equal(school.state.healthy_in_flight, 10);
}


static void
test_in_flight(void **unused)
{
    school_t  school;

    (void) unused;

    /* sampled; reckoned from the latencies, twice and rounded up */

    memset(&school, 0, sizeof(school));
    school.in_flight = 12;
    learn(&school, 10000, 100, 1000);
    assert_int_equal(school.state.healthy_in_flight, 12);

    memset(&school, 0, sizeof(school));
    school.latency_ms = 3;
    learn(&school, 1000000, 100, 1000);
    assert_int_equal(school.state.healthy_in_flight, 6);
    school.latency_ms = 4;
    learn(&school, 1010000, 100, 1000);
    assert_int_equal(school.state.healthy_in_flight, 9);
}


static void
test_capacity(void **unused)
{
    school_t      school;
    rcv_limits_t  limits;

    (void) unused;

    memset(&school, 0, sizeof(school));
    learn(&school, 50000, 100, 120000);

    limits = learned;
    limits.capacity_milli = 2000000;
    rcv_reference_apply(&school.state, &limits);
    assert_int_equal(school.state.reference_milli, 2000000);

    /* and without it the learned one is there again */

    rcv_reference_apply(&school.state, &learned);
    assert_in_range(school.state.reference_milli, 49000, 51000);

    limits.capacity_milli = UINT64_MAX;
    rcv_reference_apply(&school.state, &limits);
    assert_true(school.state.reference_milli == RCV_RATE_MAX_MILLI);
}


static void
test_extremes(void **unused)
{
    rcv_state_t   state;
    rcv_window_t  window;

    (void) unused;

    memset(&state, 0, sizeof(state));
    memset(&window, 0, sizeof(window));

    rcv_reference_learn(&state, &window);       /* no time, no traffic */

    window.passed[0] = 100;
    window.cost_milli = UINT64_MAX;
    window.latency_sum_us = UINT64_MAX;
    window.results[RCV_RESULT_OK] = 100;
    window.in_flight = UINT32_MAX;

    rcv_reference_learn(&state, &window);       /* no time */
    assert_int_equal(state.learned_ms, 0);

    window.dt_ms = 1000;
    rcv_reference_learn(&state, &window);
    window.dt_ms = UINT64_MAX;
    rcv_reference_learn(&state, &window);
    rcv_reference_apply(&state, &learned);

    assert_true(state.reference_milli <= RCV_RATE_MAX_MILLI);
    assert_true(state.healthy_in_flight <= RCV_IN_FLIGHT_MAX);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_unknown_at_first),
        cmocka_unit_test(test_fast_start),
        cmocka_unit_test(test_decay),
        cmocka_unit_test(test_decay_small),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
