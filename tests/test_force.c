
/*
 * Every force, begun and ended in every phase: while it lasts it is obeyed,
 * and behind it nothing opens faster than the ramp.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "allow.h"
#include "ramp.h"
#include "world.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define UNTIL  "1700100000"             /* a day away */


static world_t  world;


/* Says again what was said, with another force. */

static void
force(const char *health, const char *word)
{
    assert_int_equal(world_say(&world, health, NULL, word,
                               word == NULL ? NULL : UNTIL), 0);
}


/* In a phase, and what the source says there. */

static const char *
to_phase(rcv_phase_t phase)
{
    world_init(&world, "");
    world_learn(&world, 100000);

    if (phase == RCV_PHASE_UP) {
        world_health(&world, "up");
        world_tick(&world);
        return "up";
    }

    if (phase == RCV_PHASE_DEGRADED) {
        world_health(&world, "0.6");
        world_tick(&world);
        return "0.6";
    }

    world_health(&world, "down");
    world_run(&world, 5000);

    if (phase == RCV_PHASE_DOWN) {
        return "down";
    }

    world_health(&world, "up");
    world_until(&world, phase, 60000);

    if (phase == RCV_PHASE_RAMPING) {
        world_run(&world, 2000);
    }

    return "up";
}


/* The rate an open gate counts as here: more than anybody asks for. */

static uint64_t
allowed(void)
{
    return rcv_min(world_allowed(&world), 1000000);
}


/*
 * For so long, never more than the schedule gives to what was let in at the
 * beginning.
 */

static void
assert_no_leap(uint64_t start_milli, uint64_t ms)
{
    uint64_t           reference_milli, start_ppm, at_ms, most, end_ms, begun;
    const rcv_ramp_t  *ramp;

    ramp = &world.policy.ramp;
    reference_milli = world.state.reference_milli;

    start_ppm = start_milli * RCV_PPM / reference_milli + 1;
    start_ppm = rcv_max(start_ppm, rcv_ramp_level_ppm(ramp, 0));
    at_ms = rcv_ramp_time_ms(ramp, (uint32_t) start_ppm);

    begun = world.now_ms;

    for (end_ms = world.now_ms + ms; world.now_ms < end_ms; /* void */ ) {
        world_tick(&world);

        most = rcv_ramp_level_ppm(ramp, at_ms + 100 + world.now_ms - begun)
               * reference_milli / RCV_PPM;

        if (world.state.phase == RCV_PHASE_RAMPING
            || world.state.phase == RCV_PHASE_PROBING)
        {
            assert_true(allowed() <= rcv_max(most, RCV_PROBE_RATE_MILLI));
        }
    }
}


static const rcv_change_t *
last_change(void)
{
    assert_true(world.nchanges > 0);

    return &world.changes[world.nchanges - 1];
}


static void
test_closed(void **unused)
{
    unsigned     phase;
    const char  *said;

    static const char *const  shuts[] = { "closed", "0%" };

    (void) unused;

    for (phase = 0; phase < 2 * RCV_PHASES; phase++) {
        said = to_phase((rcv_phase_t) (phase / 2));

        force(said, shuts[phase % 2]);
        world_tick(&world);
        assert_int_equal(world_allowed(&world), 0);
        assert_int_equal(world.out.allowance.word.mode, RCV_GATE_CLOSED);
        assert_int_equal(world.out.allowance.word.reason,
                         RCV_REASON_FORCED);
        assert_false(world.out.quiet);
        assert_int_equal(last_change()->why, RCV_WHY_FORCED);
        assert_int_equal(last_change()->from, last_change()->to);

        world_run(&world, 120000);
        assert_int_equal(world_allowed(&world), 0);

        force(said, NULL);
        world_tick(&world);
        assert_int_equal(last_change()->why, RCV_WHY_FORCE_ENDED);

        if (phase / 2 == RCV_PHASE_DOWN) {
            assert_int_equal(world.state.phase, RCV_PHASE_DOWN);

        } else {
            assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
            assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);
            assert_no_leap(RCV_PROBE_RATE_MILLI, 30000);
        }

        world_done(&world);
    }
}


/* Closed by mistake and at once undone: nothing has gone cold. */

static void
test_closed_briefly(void **unused)
{
    (void) unused;

    (void) to_phase(RCV_PHASE_UP);
    force("up", "closed");
    world_run(&world, 500);
    assert_int_equal(world_allowed(&world), 0);
    force("up", NULL);
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);
    assert_true(world_allowed(&world) == RCV_UNLIMITED);
    world_done(&world);
}


static void
test_open(void **unused)
{
    unsigned     phase, level_ppm;
    const char  *said;

    (void) unused;

    for (phase = 0; phase < RCV_PHASES; phase++) {
        said = to_phase((rcv_phase_t) phase);
        level_ppm = world.state.control.level_ppm;

        force(said, "open");
        world_tick(&world);
        assert_true(world_allowed(&world) == RCV_UNLIMITED);
        assert_int_equal(world.out.allowance.word.in_flight_limit,
                         RCV_IN_FLIGHT_MAX);
        assert_int_equal(world.out.allowance.word.class_max,
                         world.policy.nclasses - 1);

        world.limits.quota_milli = 70000;
        world_tick(&world);
        assert_int_equal(world_allowed(&world), 70000);
        assert_int_equal(world.out.allowance.word.reason, RCV_REASON_QUOTA);
        world.limits.quota_milli = RCV_UNLIMITED;

        /* the phase below goes on, no faster than it would */

        force(said, NULL);
        world_tick(&world);
        assert_int_equal(last_change()->why, RCV_WHY_FORCE_ENDED);

        switch (phase) {

        case RCV_PHASE_DOWN:
            assert_int_equal(world_allowed(&world), 0);
            break;

        case RCV_PHASE_DEGRADED:
            assert_int_equal(world.state.phase, RCV_PHASE_DEGRADED);
            assert_int_equal(world_allowed(&world),
                             world.state.reference_milli / 10 * 6);
            break;

        case RCV_PHASE_PROBING:
            assert_true(allowed() <= world.state.reference_milli / 40);
            break;

        case RCV_PHASE_RAMPING:
            assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
            assert_true(world.state.control.level_ppm
                        <= level_ppm / 4 * 5 + 1);
            break;

        default:
            assert_int_equal(world.state.phase, phase);
            break;
        }

        world_done(&world);
    }
}


/* Health moves the phase below an open gate, down as well. */

static void
test_open_and_down(void **unused)
{
    (void) unused;

    (void) to_phase(RCV_PHASE_UP);
    force("up", "open");
    world_tick(&world);
    force("down", "open");
    world_run(&world, 60000);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    assert_true(world_allowed(&world) == RCV_UNLIMITED);

    force("down", NULL);
    world_tick(&world);
    assert_int_equal(world_allowed(&world), 0);
    world_done(&world);
}


static void
test_hold(void **unused)
{
    unsigned     phase;
    uint64_t     before;
    const char  *said;

    (void) unused;

    for (phase = 0; phase < RCV_PHASES; phase++) {
        said = to_phase((rcv_phase_t) phase);
        force(said, "hold");
        world_tick(&world);
        before = world_allowed(&world);

        world_run(&world, 300000);
        assert_int_equal(world.state.phase, phase);
        assert_true(world_allowed(&world) == before);

        force(said, NULL);
        world_tick(&world);
        assert_true(allowed() <= rcv_max(before, 1000000) * 5 / 4 + 1);

        if (phase == RCV_PHASE_RAMPING) {
            world_until(&world, RCV_PHASE_VERIFYING, 20000);
        }

        world_done(&world);
    }
}


static void
test_level(void **unused)
{
    unsigned     phase;
    uint64_t     level_milli, before_milli;
    const char  *said;

    (void) unused;

    for (phase = 0; phase < RCV_PHASES; phase++) {
        said = to_phase((rcv_phase_t) phase);
        before_milli = allowed();
        force(said, "35%");
        world_tick(&world);
        level_milli = rcv_mul_div(world.state.reference_milli, 350000,
                                  RCV_PPM);

        if (before_milli >= level_milli) {
            assert_int_equal(world_allowed(&world), level_milli);

        } else {
            /* a rise, by the schedule from where it was */

            assert_true(world_allowed(&world)
                        <= rcv_max(before_milli * 11 / 10,
                                   world.state.reference_milli / 50));
            world_run(&world, 1000);
            assert_true(world_allowed(&world)
                        <= rcv_max(before_milli,
                                   world.state.reference_milli / 50) * 22
                           / 10);
            world_run(&world, 5000);
            assert_int_equal(world_allowed(&world), level_milli);
        }

        assert_int_equal(world.out.allowance.word.reason,
                         RCV_REASON_FORCED);
        assert_int_equal(world.out.ceiling_milli, level_milli);

        world_run(&world, 120000);

        /* what an operator holds down is not learned as normal */

        assert_int_equal(world_allowed(&world), level_milli);

        force(said, NULL);
        world_tick(&world);

        if (phase == RCV_PHASE_DOWN) {
            assert_int_equal(world_allowed(&world), 0);

        } else {
            /* from there, neither up at once nor down to nothing */

            assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
            assert_in_range(world_allowed(&world), level_milli,
                            level_milli * 11 / 10);
            assert_no_leap(level_milli, 30000);
        }

        world_done(&world);
    }
}


static void
test_level_unknown_reference(void **unused)
{
    (void) unused;

    world_init(&world, "");
    force("up", "10%");
    world_tick(&world);
    assert_true(world_allowed(&world) == RCV_UNLIMITED);
    assert_int_equal(world.out.allowance.word.in_flight_limit,
                     RCV_GUARD_MIN / 10);

    world.state.healthy_milli = 200 * RCV_MILLI;
    world_tick(&world);
    assert_int_equal(world.out.allowance.word.in_flight_limit, 20);
    world_done(&world);
}


/* One force after the other: each end counts. */

static void
test_chain(void **unused)
{
    (void) unused;

    (void) to_phase(RCV_PHASE_UP);

    force("up", "closed");
    world_run(&world, 10000);
    force("up", "hold");
    world_run(&world, 10000);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);

    force("up", "50%");
    world_tick(&world);
    force("up", "closed");
    world_run(&world, 2000);
    force("up", "open");
    world_tick(&world);
    assert_true(world_allowed(&world) == RCV_UNLIMITED);
    assert_int_equal(last_change()->why, RCV_WHY_FORCED);
    force("up", NULL);
    world_tick(&world);
    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);
    world_done(&world);
}


/* It ends by itself, with the source dead. */

static void
test_end_comes(void **unused)
{
    (void) unused;

    (void) to_phase(RCV_PHASE_UP);
    assert_int_equal(world_say(&world, "up", NULL, "closed", "1700000060"),
                     0);
    world.source.age_ms = UINT64_MAX;
    world_run(&world, 59900);
    assert_int_equal(world_allowed(&world), 0);
    world_run(&world, 200);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_int_equal(world.state.force, RCV_FORCE_NONE);
    world_done(&world);
}


/* Late results of what was let in before prove nothing about now. */

static void
test_no_evidence_behind_closed(void **unused)
{
    rcv_window_t  window;

    (void) unused;

    (void) to_phase(RCV_PHASE_PROBING);
    force("up", "closed");

    memset(&window, 0, sizeof(window));
    window.dt_ms = RCV_TICK_MS;
    window.results[RCV_RESULT_OK] = 100;

    rcv_tick(&world.state, &world.round, &world.policy, &world.limits,
             &world.source, &window, world.now_ms, &world.out);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_int_equal(world.state.good_row, 0);
    world_done(&world);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_closed_briefly),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_open_and_down),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_level_unknown_reference),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_end_comes),
        cmocka_unit_test(test_no_evidence_behind_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
