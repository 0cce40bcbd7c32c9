
/*
 * Retry-After: appointments of classes, and of requests.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "retry.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define SALT  7


static const rcv_policy_t  policy = {
    .ramp = { .kind = RCV_RAMP_DOUBLE, .from_ppm = 20000, .double_ms = 10000 },
    .nclasses = 4,
    .retry_after_min_s = 1,
    .retry_after_max_s = 60,
};

static const rcv_climb_t  nothing;


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


static uint32_t
after_s(const rcv_state_t *state, const rcv_climb_t *climb,
    unsigned class_index)
{
    return rcv_retry_appointment(state, &policy, climb, class_index, 0)
               .after_s;
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
        { RCV_PHASE_DOWN, 8 }, { RCV_PHASE_PROBING, 8 },
        { RCV_PHASE_RAMPING, 1 }, { RCV_PHASE_VERIFYING, 1 },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        state = state_of(cases[i].phase);
        assert_int_equal(after_s(&state, &nothing, 0), cases[i].wait_s);
    }

    state = state_of(RCV_PHASE_UP);
    state.force = RCV_FORCE_CLOSED;
    assert_int_equal(after_s(&state, &nothing, 0), 8);
}


/* The classes before it come first: a later one waits longer. */

static void
test_schedule(void **unused)
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
        { { 1000, 3000, 4000, 92000 }, 0, 0, { 8, 8, 8, 8 } },
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

        assert_int_equal(after_s(&state, &nothing, i % 4),
                         cases[i / 4].wait_s[i % 4]);
    }
}


/*
 * Where places are what sheds, the schedule may long be at its end: what
 * counts is by how much more is delivered each second.
 */

static void
test_climb(void **unused)
{
    unsigned      i;
    rcv_climb_t   climb;
    rcv_state_t   state;
    rcv_window_t  window;

    (void) unused;

    memset(&climb, 0, sizeof(climb));
    memset(&window, 0, sizeof(window));
    window.dt_ms = 100;
    window.shed_rate = 10;
    window.shed_in_flight = 10;

    state = state_of(RCV_PHASE_RAMPING);
    state.control.level_ppm = 10000000;
    state.class_offered_milli[0] = 10000;
    state.class_offered_milli[1] = 90000;

    /* nobody knows yet */

    rcv_climb_note(&climb, &state, &window);
    assert_int_equal(after_s(&state, &climb, 1), 8);

    /* 2 requests a second more each second, for 20 s: 60 are missing */

    for (i = 0; i < 200; i++) {
        state.delivered_milli = 200 * i;
        rcv_climb_note(&climb, &state, &window);
    }

    assert_int_equal(after_s(&state, &climb, 0), 1);
    assert_in_range(after_s(&state, &climb, 1), 20, 36);

    /* it stands still: nobody knows */

    for (i = 0; i < 600; i++) {
        rcv_climb_note(&climb, &state, &window);
    }

    assert_in_range(after_s(&state, &climb, 1), 8, 60);

    /* the rate sheds: the schedule again */

    window.shed_in_flight = 1;
    rcv_climb_note(&climb, &state, &window);
    assert_int_equal(after_s(&state, &climb, 1), 1);
}


/* Those told to come fit into what there is more from then on. */

static void
test_width_fits(void **unused)
{
    size_t             i;
    double             shed, slope, room;
    rcv_state_t        state;
    rcv_appointment_t  appointment;

    static const uint32_t  offered_milli[] = { 5000, 10000, 20000, 60000 };

    (void) unused;

    for (i = 0; i < nelts(offered_milli); i++) {
        state = state_of(RCV_PHASE_RAMPING);
        state.delivered_milli = 2000;
        state.class_offered_milli[2] = offered_milli[i];

        appointment = rcv_retry_appointment(&state, &policy, &nothing, 2,
                                            UINT32_MAX);

        /* twice as much in 10 s */

        shed = (offered_milli[i] - 2000) / 1000.0 * appointment.after_s;
        slope = offered_milli[i] / 1000.0 * 0.0717;
        room = slope * appointment.width_s * appointment.width_s / 2;

        assert_true(room >= shed * 0.98);
        assert_true(room <= shed * 3 + slope);
    }

    /* many of them; less where they come in turn since some time before */

    assert_in_range(appointment.width_s, 20, 59);
    assert_int_equal(rcv_retry_appointment(&state, &policy, &nothing, 2,
                                           appointment.after_s - 10).width_s,
                     appointment.width_s - 10);
    assert_int_equal(rcv_retry_appointment(&state, &policy, &nothing, 2, 1)
                         .width_s, 1);
}


static uint16_t
packed_of(uint32_t after, uint32_t width)
{
    rcv_appointment_t  appointment = { after, width };

    return rcv_retry_pack(&appointment);
}


static void
test_packing(void **unused)
{
    (void) unused;

    assert_int_equal(packed_of(0, 0), 0);
    assert_int_equal(packed_of(3600, 1), 3600);
    assert_int_equal(packed_of(1, 5), 4 << 12 | 1);
    assert_int_equal(packed_of(UINT32_MAX, UINT32_MAX), 0xffff);
}


/* Within the window, all over it, and within the bounds. */

static void
test_spread(void **unused)
{
    size_t        i;
    uint32_t      wait_s, least_s, most_s;
    uint64_t      random;
    uint16_t      packed[4];
    rcv_policy_t  bounds;

    static const struct {
        uint32_t  min_s, max_s, after_s, width_s, low_s, high_s;
    } cases[] = {
        { 1, 60, 20, 8, 20, 27 },
        { 1, 60, 1, 2, 1, 2 },
        { 1, 60, 58, 12, 49, 60 },      /* at the bound nobody clumps */
        { 1, 60, 60, 64, 1, 60 },
        { 1, 60, 1, 1, 1, 1 },
        { 5, 8, 5, 256, 5, 8 },
        { 5, 5, 5, 32, 5, 5 },
        { 0, 0, 9, 1, 1, 1 },
        { 1, 3600, 3000, 256, 3000, 3255 },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        memset(&bounds, 0, sizeof(bounds));
        bounds.retry_after_min_s = cases[i].min_s;
        bounds.retry_after_max_s = cases[i].max_s;

        /* the same for the class before: what is left is the window */

        packed[0] = packed_of(cases[i].after_s, 1);
        packed[1] = packed_of(cases[i].after_s, cases[i].width_s);

        least_s = UINT32_MAX;
        most_s = 0;

        for (random = 0; random <= UINT32_MAX; random += 0x000fffff) {
            wait_s = rcv_retry_s(&bounds, packed, 0, 1, RCV_COHORT_NONE,
                                 (uint32_t) random);
            least_s = (uint32_t) rcv_min(least_s, wait_s);
            most_s = (uint32_t) rcv_max(most_s, wait_s);
        }

        assert_int_equal(least_s, cases[i].low_s);
        assert_int_equal(most_s, cases[i].high_s);
    }
}


/* A later slot never comes before an earlier one, nor a later class. */

static void
test_rank(void **unused)
{
    unsigned   slot;
    uint64_t   cut;
    uint32_t   wait_s, was_s;
    rcv_cut_t  half = { SALT, 1, 64 };

    static const uint32_t  first_s[] = { 0, 1, 20, 20 };
    static const uint32_t  last_s[] = { 0, 20, 20, 50 };

    uint16_t  packed[4] = { 2, 20, 20, 50 };
    unsigned  i;

    (void) unused;

    cut = rcv_cut_pack(&half);

    for (i = 1; i < nelts(first_s); i++) {
        was_s = 0;

        for (slot = 0; slot < RCV_COHORTS; slot++) {
            wait_s = rcv_retry_s(&policy, packed, cut, i, slot, 0);

            assert_true(wait_s >= was_s);
            assert_true(slot >= 64 || i != 1 || wait_s == 1);
            was_s = wait_s;
        }

        assert_int_equal(rcv_retry_s(&policy, packed, cut, i,
                                     i == 1 ? 64 : 0, 0), first_s[i]);
        assert_in_range(was_s, last_s[i] - 1, last_s[i]);

        /* who has no slot has any */

        assert_int_equal(rcv_retry_s(&policy, packed, cut, i,
                                     RCV_COHORT_NONE, 0), first_s[i]);
        assert_in_range(rcv_retry_s(&policy, packed, cut, i,
                                    RCV_COHORT_NONE, 0xffff),
                        last_s[i] - 1, last_s[i]);
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_climb),
        cmocka_unit_test(test_width_fits),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_rank),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
