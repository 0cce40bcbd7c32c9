
/*
 * Evidence of a tick -> how far the ramp may be.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "controller.h"
#include "ramp.h"
#include "tick.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))


static const rcv_policy_t  policy = {
    .ramp = { .kind = RCV_RAMP_DOUBLE, .from_ppm = 20000, .double_ms = 1000 },
    .feedback = 1,
    .feedback_errors_ppm = 20000,
};

static const rcv_policy_t  blind = {
    .ramp = { .kind = RCV_RAMP_DOUBLE, .from_ppm = 20000, .double_ms = 1000 },
    .feedback = 0,
};

static const rcv_policy_t  stairs = {
    .ramp = { .kind = RCV_RAMP_STEPS, .from_ppm = 50000, .nsteps = 3,
              .steps = { { 50000, 30000 }, { 250000, 60000 },
                         { 1000000, 0 } } },
};

static const rcv_control_facts_t  plain = {
    .ceiling_ppm = RCV_LEVEL_MAX_PPM
};

static rcv_round_t  rounds;


static rcv_verdict_t
tick(rcv_control_t *control, const rcv_policy_t *by,
    const rcv_control_facts_t *facts, uint64_t dt_ms, uint64_t ok,
    uint64_t error, uint64_t timeout)
{
    rcv_window_t  window;

    memset(&window, 0, sizeof(window));

    window.dt_ms = dt_ms;
    window.results[RCV_RESULT_OK] = ok;
    window.results[RCV_RESULT_ERROR] = error;
    window.results[RCV_RESULT_TIMEOUT] = timeout;

    return rcv_control_tick(control, &rounds, by, facts, &window);
}


static void
start(rcv_control_t *control, const rcv_policy_t *by,
    const rcv_control_facts_t *facts, uint32_t from_ppm)
{
    memset(control, 0, sizeof(*control));
    memset(&rounds, 0, sizeof(rounds));

    rcv_control_start(control, by, facts, from_ppm);
}


static void
test_schedule(void **unused)
{
    unsigned       i;
    rcv_control_t  control;

    (void) unused;

    start(&control, &policy, &plain, 0);
    assert_int_equal(control.level_ppm, 20000);
    assert_int_equal(control.in_flight_limit, RCV_RAMP_IN_FLIGHT_MIN);

    for (i = 1; i <= 80; i++) {
        assert_int_equal(tick(&control, &policy, &plain, 100, 5, 0, 0),
                         RCV_VERDICT_RISE);
        assert_int_equal(control.ramp_ms, i * 100);
        assert_int_equal(control.level_ppm,
                         rcv_ramp_level_ppm(&policy.ramp, i * 100));
    }
}


/* No evidence, no increase; one result speaks for a second. */

static void
test_evidence(void **unused)
{
    unsigned       i;
    rcv_control_t  control;

    (void) unused;

    start(&control, &policy, &plain, 0);

    for (i = 0; i < 100; i++) {
        assert_int_equal(tick(&control, &policy, &plain, 100, 0, 0, 0),
                         RCV_VERDICT_HOLD);
    }

    assert_int_equal(control.level_ppm, 20000);

    assert_int_equal(tick(&control, &policy, &plain, 100, 1, 0, 0),
                     RCV_VERDICT_RISE);

    for (i = 0; i < 100; i++) {
        (void) tick(&control, &policy, &plain, 100, 0, 0, 0);
    }

    assert_int_equal(control.ramp_ms, 1000);

    /* nor do errors speak for anything */

    assert_int_equal(tick(&control, &policy, &plain, 100, 0, 1, 1),
                     RCV_VERDICT_HOLD);

    /* a leader that stood still for an hour has one second to show for it */

    assert_int_equal(tick(&control, &policy, &plain, 3600000, 9, 0, 0),
                     RCV_VERDICT_RISE);
    assert_int_equal(control.ramp_ms, 2000);
}


static void
test_verdicts(void **unused)
{
    size_t         i;
    rcv_control_t  control;

    static const struct {
        const rcv_policy_t  *policy;
        uint64_t             ok, error, timeout;
        rcv_verdict_t        verdict;
    } cases[] = {
        { &policy, 20, 0, 0, RCV_VERDICT_RISE },
        { &policy, 98, 2, 0, RCV_VERDICT_RISE },
        { &policy, 92, 8, 0, RCV_VERDICT_ERRORS },
        { &policy, 92, 1, 7, RCV_VERDICT_ERRORS },
        { &policy, 960, 40, 0, RCV_VERDICT_ERRORS },

        /* which may be chance */
        { &policy, 97, 3, 0, RCV_VERDICT_RISE },
        { &policy, 970, 30, 0, RCV_VERDICT_RISE },
        { &policy, 50, 50, 0, RCV_VERDICT_ERRORS },
        { &policy, 49, 51, 0, RCV_VERDICT_RELAPSE },
        { &policy, 21, 79, 0, RCV_VERDICT_RELAPSE },

        /* nothing but errors */
        { &policy, 20, 80, 0, RCV_VERDICT_DEAD },
        { &policy, 2, 8, 0, RCV_VERDICT_DEAD },
        { &policy, 0, 10, 10, RCV_VERDICT_DEAD },
        { &policy, 0, 0, 20, RCV_VERDICT_DEAD },

        /* too few to tell */
        { &policy, 8, 11, 0, RCV_VERDICT_RISE },
        { &policy, 0, 9, 0, RCV_VERDICT_HOLD },

        /* "feedback off" */
        { &blind, 49, 51, 0, RCV_VERDICT_RISE },
        { &blind, 0, 100, 0, RCV_VERDICT_HOLD },

        { &policy, UINT64_MAX, 0, 0, RCV_VERDICT_RISE },
        { &policy, UINT64_MAX, UINT64_MAX, UINT64_MAX, RCV_VERDICT_DEAD },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        start(&control, cases[i].policy, &plain, 0);
        control.base_us = 1000;
        assert_int_equal(tick(&control, cases[i].policy, &plain, 100,
                              cases[i].ok, cases[i].error, cases[i].timeout),
                         cases[i].verdict);
    }
}


/* A hold for errors ends with them. */

static void
test_errors_pass(void **unused)
{
    unsigned       i;
    uint64_t       before_ms;
    rcv_verdict_t  verdict;
    rcv_control_t  control;

    (void) unused;

    start(&control, &policy, &plain, 0);
    (void) tick(&control, &policy, &plain, 100, 1000, 0, 0);
    before_ms = control.ramp_ms;

    assert_int_equal(tick(&control, &policy, &plain, 100, 1000, 200, 0),
                     RCV_VERDICT_ERRORS);
    assert_int_equal(control.ramp_ms, before_ms);

    for (i = 0; i < 10; i++) {
        verdict = tick(&control, &policy, &plain, 100, 1000, 0, 0);

        if (verdict == RCV_VERDICT_RISE) {
            break;
        }
    }

    assert_in_range(i, 1, 5);

    /* nor does it last where they stay, whatever is let in: a bug */

    start(&control, &policy, &plain, 0);
    control.base_us = 1000;

    for (i = 0; i < 100; i++) {
        verdict = tick(&control, &policy, &plain, 100, 80, 20, 0);
    }

    assert_int_equal(verdict, RCV_VERDICT_RISE);
    assert_in_range(control.background_ppm, 190000, 200000);
}


static void
test_hold(void **unused)
{
    rcv_control_t        control;
    rcv_control_facts_t  facts = plain;

    (void) unused;

    start(&control, &policy, &plain, 0);
    (void) tick(&control, &policy, &plain, 100, 5, 0, 0);

    facts.hold = 1;
    assert_int_equal(tick(&control, &policy, &facts, 100, 5, 0, 0),
                     RCV_VERDICT_HOLD);
    assert_int_equal(control.ramp_ms, 100);

    /* damage counts all the same */

    assert_int_equal(tick(&control, &policy, &facts, 100, 15, 50, 0),
                     RCV_VERDICT_RELAPSE);
}


static void
test_ceiling(void **unused)
{
    unsigned             i;
    rcv_control_t        control;
    rcv_control_facts_t  facts = plain;

    (void) unused;

    facts.ceiling_ppm = 300000;
    start(&control, &policy, &facts, 0);

    for (i = 0; i < 200; i++) {
        (void) tick(&control, &policy, &facts, 100, 5, 0, 0);
        assert_true(control.level_ppm <= 300000);
    }

    assert_int_equal(control.level_ppm, 300000);

    /* lifted: from there at the schedule's pace, not where time went */

    (void) tick(&control, &policy, &plain, 1000, 5, 0, 0);
    assert_in_range(control.level_ppm, 590000, 610000);

    /* lowered below the level, and lifted */

    facts.ceiling_ppm = 10000;
    (void) tick(&control, &policy, &facts, 100, 5, 0, 0);
    assert_int_equal(control.level_ppm, 10000);
    (void) tick(&control, &policy, &plain, 1000, 5, 0, 0);
    assert_in_range(control.level_ppm, 39000, 41000);
}


static void
test_start_at_level(void **unused)
{
    unsigned             i;
    rcv_control_t        control;
    rcv_control_facts_t  facts = plain;

    (void) unused;

    start(&control, &policy, &plain, 500000);
    assert_int_equal(control.level_ppm, 500000);
    (void) tick(&control, &policy, &plain, 1000, 5, 0, 0);
    assert_in_range(control.level_ppm, 990000, 1010000);

    /* less than the schedule begins with */

    start(&control, &policy, &plain, 1);
    assert_int_equal(control.level_ppm, 20000);

    facts.ceiling_ppm = 5000;
    start(&control, &policy, &facts, 500000);
    assert_int_equal(control.level_ppm, 5000);

    /* between two stairs it waits for the whole of the lower one */

    start(&control, &stairs, &plain, 500000);
    assert_int_equal(control.level_ppm, 500000);

    for (i = 0; i < 599; i++) {
        (void) tick(&control, &stairs, &plain, 100, 5, 0, 0);
        assert_int_equal(control.level_ppm, 500000);
    }

    (void) tick(&control, &stairs, &plain, 100, 5, 0, 0);
    assert_int_equal(control.level_ppm, 1000000);
}


static void
test_in_flight(void **unused)
{
    size_t               i;
    rcv_control_t        control;
    rcv_control_facts_t  facts = plain;

    static const struct {
        const rcv_policy_t  *policy;
        uint32_t  healthy;
        uint32_t  from_ppm;
        uint32_t  limit;
    } cases[] = {
        /* without feedback as the schedule says */
        { &blind, 0, 0, 10 }, { &blind, 0, 40000, 20 },
        { &blind, 0, 1000000, 500 }, { &blind, 1, 1000000, 10 },
        { &blind, 100, 20000, 10 }, { &blind, 100, 100000, 20 },
        { &blind, 100, 1000000, 200 },
        { &blind, (1u << 24) - 1, RCV_LEVEL_MAX_PPM, (1u << 24) - 1 },

        /* with it a tenth of the healthy number, or where the ramp begins */
        { &policy, 0, 0, 10 }, { &policy, 1, 0, 2 }, { &policy, 40, 0, 4 },
        { &policy, 3000, 0, 300 }, { &policy, 3000, 500000, 1500 },
        { &policy, (1u << 24) - 1, RCV_LEVEL_MAX_PPM, 4000000 },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        facts.healthy_in_flight = cases[i].healthy;
        start(&control, cases[i].policy, &facts, cases[i].from_ppm);
        assert_int_equal(control.in_flight_limit, cases[i].limit);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_errors_pass),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_start_at_level),
        cmocka_unit_test(test_in_flight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
