
/*
 * Retry-After: the forecast, and its spread.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "retry.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))


static const rcv_policy_t  policy = {
    .ramp = { .kind = RCV_RAMP_DOUBLE, .from_ppm = 20000, .double_ms = 10000 },
    .nclasses = 4,
    .retry_after_min_s = 1,
    .retry_after_max_s = 60,
};


static rcv_state_t
state_of(rcv_phase_t phase)
{
    rcv_state_t  state;

    memset(&state, 0, sizeof(state));
    state.phase = (uint8_t) phase;
    state.reference_milli = 100000;
    state.control.level_ppm = 20000;

    return state;
}


static void
test_phases(void **unused)
{
    size_t       i;
    rcv_state_t  state;

    static const struct {
        rcv_phase_t  phase;
        uint32_t     wait_s;
    } cases[] = {
        { RCV_PHASE_UP, 1 }, { RCV_PHASE_DEGRADED, 1 },
        { RCV_PHASE_DOWN, 15 }, { RCV_PHASE_PROBING, 15 },
        { RCV_PHASE_RAMPING, 1 }, { RCV_PHASE_VERIFYING, 1 },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        state = state_of(cases[i].phase);
        assert_int_equal(rcv_retry_after_s(&state, &policy, 0),
                         cases[i].wait_s);
    }

    state = state_of(RCV_PHASE_UP);
    state.force = RCV_FORCE_CLOSED;
    assert_int_equal(rcv_retry_after_s(&state, &policy, 0), 15);
}


/* The classes before it come first: a later one waits longer. */

static void
test_ramping(void **unused)
{
    size_t       i;
    rcv_state_t  state;

    static const struct {
        uint32_t  offered_milli[4];
        uint64_t  reference_milli;
        uint64_t  ramp_ms;
        uint32_t  wait_s[4];
    } cases[] = {
        /* 2 % now, 4 % in 10 s, 8 % in 20 s, 100 % in 56.4 s */
        { { 1000, 3000, 4000, 92000 }, 100000, 0, { 1, 10, 20, 57 } },
        { { 1000, 3000, 4000, 92000 }, 100000, 5000, { 1, 5, 15, 52 } },
        { { 1000, 3000, 4000, 92000 }, 0, 0, { 15, 15, 15, 15 } },
        { { 0, 0, 0, 0 }, 100000, 0, { 1, 1, 1, 1 } },
        { { 100000, 100000, 0, UINT32_MAX }, 100000, 0, { 57, 60, 60, 60 } },
    };

    (void) unused;

    for (i = 0; i < 4 * nelts(cases); i++) {
        state = state_of(RCV_PHASE_RAMPING);
        state.reference_milli = cases[i / 4].reference_milli;
        state.control.ramp_ms = cases[i / 4].ramp_ms;
        memcpy(state.class_offered_milli, cases[i / 4].offered_milli,
               sizeof(cases[i / 4].offered_milli));

        assert_int_equal(rcv_retry_after_s(&state, &policy, i % 4),
                         cases[i / 4].wait_s[i % 4]);
    }
}


static void
test_jitter(void **unused)
{
    size_t        i;
    uint32_t      wait_s;
    uint64_t      random;
    unsigned      seen_low;
    rcv_policy_t  bounds;

    static const struct {
        uint32_t  min_s, max_s, forecast_s, low_s, high_s;
    } cases[] = {
        { 1, 60, 20, 10, 30 },
        { 1, 60, 1, 1, 2 },
        { 1, 60, 60, 30, 60 },
        { 1, 60, 0, 1, 1 },
        { 5, 8, 5, 5, 8 },
        { 5, 5, 5, 5, 5 },
        { 0, 0, 9, 1, 1 },
        { 1, 60, UINT32_MAX, 60, 60 },
        { 1, UINT32_MAX, UINT32_MAX, UINT32_MAX / 2, UINT32_MAX },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        memset(&bounds, 0, sizeof(bounds));
        bounds.retry_after_min_s = cases[i].min_s;
        bounds.retry_after_max_s = cases[i].max_s;

        seen_low = 0;

        for (random = 0; random <= UINT32_MAX; random += 0x00ffffffu) {
            wait_s = rcv_retry_jitter_s(&bounds, cases[i].forecast_s,
                                        (uint32_t) random);

            assert_true(wait_s >= cases[i].low_s);
            assert_true(wait_s <= cases[i].high_s);

            seen_low |= (wait_s == cases[i].low_s);
        }

        assert_true(seen_low);
        assert_int_equal(rcv_retry_jitter_s(&bounds, cases[i].forecast_s,
                                            UINT32_MAX), cases[i].high_s);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_ramping),
        cmocka_unit_test(test_jitter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
