
/*
 * Whole outages in virtual time: what is let in, and the phases gone through.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "controller.h"
#include "world.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define RECOVERY_MS  120000


static world_t  world;


static const rcv_phase_t  outage[] = {
    RCV_PHASE_DOWN, RCV_PHASE_PROBING, RCV_PHASE_RAMPING,
    RCV_PHASE_VERIFYING, RCV_PHASE_UP
};


static int
teardown(void **unused)
{
    (void) unused;

    world_done(&world);

    return 0;
}


/* Down for ten seconds, said to recover, in the ramp. */

static void
to_ramping(void)
{
    world_health(&world, "down");
    world_run(&world, 10000);
    world_health(&world, "recovering");
    world_until(&world, RCV_PHASE_RAMPING, 20000);
}


/* From any phase to up; what is let in never falls on the way. */

static void
recover_monotone(void)
{
    uint64_t  end_ms, before, allowed;

    before = world_allowed(&world);

    for (end_ms = world.now_ms + RECOVERY_MS;
         world.state.phase != RCV_PHASE_UP;
         /* void */ )
    {
        assert_true(world.now_ms < end_ms);
        world_tick(&world);

        allowed = world_allowed(&world);
        assert_true(allowed >= before);
        before = allowed;
    }
}


static void
test_outage(void **unused)
{
    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    assert_true(world_allowed(&world) == RCV_UNLIMITED);
    assert_true(world.out.quiet && rcv_state_quiet(&world.state));
    assert_int_equal(world.out.allowance.word.in_flight_limit, RCV_GUARD_MIN);

    world_health(&world, "down");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    assert_int_equal(world_allowed(&world), 0);
    assert_int_equal(world.out.allowance.word.reason, RCV_REASON_DOWN);
    assert_false(world.out.quiet || rcv_state_quiet(&world.state));
    assert_int_equal(world.out.retry[0] & 0xfff, 8);

    world_run(&world, 20000);
    assert_int_equal(rcv_window_passed(&world.window), 0);
    assert_int_equal(world.state.eta_s, RCV_ETA_UNKNOWN);
    assert_int_equal(world.state.error_ppm, RCV_PPM_UNKNOWN);

    world_health(&world, "recovering");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);
    assert_int_equal(world.out.allowance.word.reason, RCV_REASON_PROBING);
    assert_int_equal(world.out.allowance.word.in_flight_limit,
                     RCV_PROBE_IN_FLIGHT);
    assert_int_equal(world.out.allowance.burst_milli, RCV_MILLI);

    recover_monotone();
    world_assert_phases(&world, outage, nelts(outage));

    assert_true(world_allowed(&world) == RCV_UNLIMITED);
    assert_int_equal(world.state.eta_s, 0);
    assert_in_range(world.state.delivered_milli, 95000, 105000);
    assert_int_equal(world.state.error_ppm, 0);
    assert_int_equal(world.state.p90_ms, 19);
}


/* The reference is frozen until the backend is up again. */

static void
test_reference_frozen(void **unused)
{
    uint64_t  reference_milli;

    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    world_health(&world, "down");
    world_tick(&world);
    reference_milli = world.state.reference_milli;

    world_demand(&world, 900000);               /* everybody retries */
    world_run(&world, 600000);
    world_health(&world, "up");

    while (world.state.phase != RCV_PHASE_UP) {
        assert_true(world.state.reference_milli == reference_milli);
        world_tick(&world);
    }
}


/* Five times the normal load waits: the ramp goes on beyond 100 %. */

static void
test_pent_up(void **unused)
{
    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    to_ramping();

    world_demand(&world, 500000);
    recover_monotone();
    world_assert_phases(&world, outage, nelts(outage));
}


/* Small and large, and the floor is never less than the ramp's first step. */

static void
test_scales(void **unused)
{
    size_t  i;

    static const uint64_t  rates_milli[] = {
        500, 2000, 30000, 3000000, 100000000
    };

    (void) unused;

    for (i = 0; i < nelts(rates_milli); i++) {
        world_init(&world, "");
        world.latency_ms = 5;
        world_learn(&world, rates_milli[i]);
        world_health(&world, "down");
        world_run(&world, 5000);
        world_health(&world, "recovering");
        world_tick(&world);

        assert_true(world_allowed(&world)
                    == rcv_max(RCV_PROBE_RATE_MILLI,
                               world.state.reference_milli / 100));

        recover_monotone();
        world_assert_phases(&world, outage, nelts(outage));

        if (i + 1 < nelts(rates_milli)) {
            world_done(&world);
        }
    }
}


static void
test_unknown_reference(void **unused)
{
    uint32_t  before;

    (void) unused;

    world_init(&world, "");
    world.limits.initial = RCV_PHASE_DOWN;
    rcv_state_init(&world.state, &world.policy, &world.limits, world.now_ms);

    world_demand(&world, 2000000);
    world.latency_ms = 100;
    world_tick(&world);
    assert_int_equal(world_allowed(&world), 0);

    world_run(&world, 5000);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    world_health(&world, "up");
    world_tick(&world);
    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);

    world_until(&world, RCV_PHASE_RAMPING, 10000);
    assert_int_equal(world.state.reference_milli, 0);
    assert_true(world_allowed(&world) == RCV_UNLIMITED);
    assert_int_equal(world.out.allowance.word.in_flight_limit,
                     RCV_RAMP_IN_FLIGHT_MIN);
    before = 0;

    while (world.state.phase == RCV_PHASE_RAMPING) {
        before = world.out.allowance.word.in_flight_limit;
        world_tick(&world);
    }

    /* what fits ends the ramp: 2000/s of 100 ms are 200 in flight */

    assert_in_range(before, 180, 900);
    world_until(&world, RCV_PHASE_UP, RECOVERY_MS);
}


static void
test_no_evidence(void **unused)
{
    uint32_t  level_ppm;

    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    to_ramping();
    world_run(&world, 1500);

    world.mute = 1;
    world_run(&world, 1500);
    level_ppm = world.state.control.level_ppm;

    world_run(&world, 600000);
    assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
    assert_int_equal(world.state.control.level_ppm, level_ppm);
    assert_int_equal(world.state.why, RCV_WHY_NO_EVIDENCE);
    assert_int_equal(world.state.p50_ms, RCV_MS_UNKNOWN);

    world.mute = 0;
    recover_monotone();
}


static void
test_probes_fail(void **unused)
{
    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    world_health(&world, "down");
    world_run(&world, 5000);

    /* it says up, and one in four fails */

    world.bad_ppm = 250000;
    world_health(&world, "up");
    world_run(&world, 600000);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);
    assert_int_equal(world.state.why, RCV_WHY_PROBE_FAILED);

    world.bad_ppm = 0;
    world_until(&world, RCV_PHASE_RAMPING, 10000);
    assert_int_equal(world.state.why, RCV_WHY_PROBES_OK);
}


static void
test_relapse(void **unused)
{
    uint32_t                  epoch;
    static const rcv_phase_t  phases[] = {
        RCV_PHASE_DOWN, RCV_PHASE_PROBING, RCV_PHASE_RAMPING,
        RCV_PHASE_PROBING, RCV_PHASE_RAMPING, RCV_PHASE_VERIFYING,
        RCV_PHASE_UP
    };

    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    to_ramping();
    world_run(&world, 4000);
    epoch = world.state.epoch;

    world.bad_ppm = 700000;
    world_until(&world, RCV_PHASE_PROBING, 2000);
    assert_int_equal(world.state.why, RCV_WHY_RELAPSE);
    assert_int_equal(world.state.epoch, epoch + 1);
    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);

    world.bad_ppm = 0;
    world_until(&world, RCV_PHASE_RAMPING, 10000);
    assert_int_equal(world.state.control.level_ppm, 20000);

    recover_monotone();
    world_assert_phases(&world, phases, nelts(phases));
}


/*
 * One in ten fails, whatever the load: the ramp waits until that is known,
 * and then goes on.
 */

static void
test_errors_background(void **unused)
{
    unsigned  i, cuts;

    (void) unused;

    world_init(&world, "");
    world_learn(&world, 1000000);
    to_ramping();
    world_run(&world, 1000);

    world.bad_ppm = 100000;
    cuts = 0;

    for (i = 0; i < 600 && world.state.phase == RCV_PHASE_RAMPING; i++) {
        world_tick(&world);
        cuts += (world.state.control.cut_from_milli != 0);
    }

    assert_int_equal(world.state.phase, RCV_PHASE_VERIFYING);
    assert_in_range(cuts, 0, 100);
    assert_in_range(world.state.error_ppm, 90000, 110000);

    world_until(&world, RCV_PHASE_UP, RECOVERY_MS);
    world_run(&world, 60000);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);
    assert_int_equal(rcv_window_shed(&world.window), 0);
}


/* Nobody tells Redis: it is seen, probed, and let in again by the ramp. */

static void
test_dies_silently(void **unused)
{
    uint64_t                  passed, offered;
    unsigned                  i;
    static const rcv_phase_t  phases[] = {
        RCV_PHASE_DOWN, RCV_PHASE_PROBING, RCV_PHASE_RAMPING,
        RCV_PHASE_VERIFYING, RCV_PHASE_UP
    };

    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);

    world.bad_ppm = RCV_PPM;
    world_until(&world, RCV_PHASE_DOWN, 1000);
    assert_int_equal(world.state.why, RCV_WHY_DEAD);
    assert_false(world.out.quiet);

    /* "when down" says shed, but this one has nobody else to ask */

    passed = 0;
    offered = 0;

    for (i = 0; i < 600; i++) {
        world_tick(&world);
        passed += rcv_window_passed(&world.window);
        offered += rcv_window_offered(&world.window);
    }

    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    assert_true(passed >= 60);
    assert_true(passed <= offered / 40);    /* two a second of a hundred */

    world.bad_ppm = 0;
    recover_monotone();
    world_assert_phases(&world, phases, nelts(phases));
}


/* A source that says down takes over, with the policy's manners. */

static void
test_dead_and_told(void **unused)
{
    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);

    world.bad_ppm = RCV_PPM;
    world_until(&world, RCV_PHASE_DOWN, 1000);
    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);

    world_health(&world, "down");
    world_tick(&world);
    assert_int_equal(world_allowed(&world), 0);

    world.bad_ppm = 0;
    world_run(&world, 10000);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);

    world_health(&world, "up");
    world_until(&world, RCV_PHASE_RAMPING, 10000);
}


/* "feedback off": nothing but the source is believed. */

static void
test_blind(void **unused)
{
    (void) unused;

    world_init(&world, "feedback off;");
    world_learn(&world, 100000);

    world.bad_ppm = RCV_PPM;
    world_run(&world, 60000);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);
    assert_true(world_allowed(&world) == RCV_UNLIMITED);
    assert_int_equal(world.out.allowance.word.in_flight_limit, RCV_GUARD_MIN);
}


static void
test_stale(void **unused)
{
    uint32_t  level_ppm;

    (void) unused;

    world_init(&world, "when signal_lost hold=30s then=keep;");
    world_learn(&world, 100000);
    to_ramping();
    world_run(&world, 2000);

    world.source.age_ms = RCV_STALE_MS;
    level_ppm = world.state.control.level_ppm;
    world_run(&world, 20000);
    assert_int_equal(world.state.control.level_ppm, level_ppm);
    assert_int_equal(world.state.why, RCV_WHY_STALE);

    world.source.age_ms = 0;
    world_until(&world, RCV_PHASE_VERIFYING, 20000);

    /* verifying stands still, up stays up */

    world.source.age_ms = RCV_STALE_MS;
    world_run(&world, 120000);
    assert_int_equal(world.state.phase, RCV_PHASE_VERIFYING);
    assert_true(world_allowed(&world) == RCV_UNLIMITED);
    world.source.age_ms = 0;
    world_until(&world, RCV_PHASE_UP, 61000);
    world.source.age_ms = UINT64_MAX;
    world_run(&world, 600000);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);
    assert_true(world.state.lost);

    /* nor does probing rise */

    world.source.age_ms = 0;
    world_health(&world, "down");
    world_tick(&world);
    world_health(&world, "up");
    world_tick(&world);
    world.source.age_ms = RCV_STALE_MS;
    world_run(&world, 60000);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
}


static void
test_lost_shed(void **unused)
{
    (void) unused;

    world_init(&world, "when signal_lost hold=10s then=shed;");
    world_learn(&world, 100000);
    world_health(&world, "up");

    world.source.age_ms = 9999;
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);

    world.source.age_ms = 10000;
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    assert_int_equal(world.state.why, RCV_WHY_SIGNAL_LOST);
    assert_int_equal(world.out.allowance.word.reason,
                     RCV_REASON_SIGNAL_LOST);
    assert_int_equal(world.out.nchanges, 1);

    world.source.age_ms = 0;
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_int_equal(world.state.why, RCV_WHY_SIGNAL_BACK);
    recover_monotone();
}


static void
test_lost_pass(void **unused)
{
    (void) unused;

    world_init(&world, "when signal_lost hold=10s then=pass;");
    world_learn(&world, 100000);

    world_health(&world, "recovering");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    world_health(&world, "down");
    world_tick(&world);

    world.source.age_ms = 10000;
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_int_equal(world.state.why, RCV_WHY_SIGNAL_LOST);
    recover_monotone();

    /* back, and it still says down */

    world.source.age_ms = 0;
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
}


/* "recovering", forgotten in the store, sends a healthy service nowhere. */

static void
test_recovering_left(void **unused)
{
    uint32_t  epoch;

    (void) unused;

    world_init(&world, "when signal_lost hold=10s then=pass;");
    world_learn(&world, 100000);
    to_ramping();
    recover_monotone();
    epoch = world.state.epoch;

    world_health(&world, "recovering");
    world_run(&world, 10000);
    world.source.age_ms = 60000;
    world_run(&world, 10000);
    world.source.age_ms = 0;
    world_health(&world, "recovering");
    world_run(&world, 10000);

    assert_int_equal(world.state.phase, RCV_PHASE_UP);
    assert_int_equal(world.state.epoch, epoch);

    /* said anew it does */

    world_health(&world, "up");
    world_run(&world, 1000);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);
    world_health(&world, "recovering");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
}


static void
test_initial(void **unused)
{
    (void) unused;

    /* nobody has spoken: what the configuration says, and probing is not
     * for ever: the backend itself gives evidence */

    world_init(&world, "");
    world.source.heard = 0;
    world.source.age_ms = UINT64_MAX;
    world_demand(&world, 50000);
    world_run(&world, 60000);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);

    world.limits.initial = RCV_PHASE_DOWN;
    rcv_state_init(&world.state, &world.policy, &world.limits, world.now_ms);
    world_run(&world, 60000);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);

    world.limits.initial = RCV_PHASE_PROBING;
    rcv_state_init(&world.state, &world.policy, &world.limits, world.now_ms);
    world_tick(&world);
    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);
    recover_monotone();

    /* the first value ever is an edge */

    world.limits.initial = RCV_PHASE_UP;
    world.source.heard = 1;
    world.source.age_ms = 0;
    rcv_state_init(&world.state, &world.policy, &world.limits, world.now_ms);
    world_tick(&world);
    world_health(&world, "recovering");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
}


static void
test_degraded(void **unused)
{
    uint64_t                  reference_milli;
    static const rcv_phase_t  phases[] = {
        RCV_PHASE_DEGRADED, RCV_PHASE_RAMPING, RCV_PHASE_DEGRADED,
        RCV_PHASE_RAMPING, RCV_PHASE_VERIFYING, RCV_PHASE_UP
    };

    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    reference_milli = world.state.reference_milli;

    world_health(&world, "degraded");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_DEGRADED);
    assert_int_equal(world_allowed(&world), reference_milli / 2);
    assert_int_equal(world.out.allowance.word.reason, RCV_REASON_DEGRADED);
    assert_int_equal(world.out.ceiling_milli, reference_milli / 2);

    /* worse at once, better by a ramp */

    world_health(&world, "0.1");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_DEGRADED);
    assert_int_equal(world_allowed(&world), reference_milli / 10);

    world_health(&world, "0.8");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
    assert_int_equal(world_allowed(&world), reference_milli / 10);
    world_until(&world, RCV_PHASE_DEGRADED, 20000);
    assert_in_range(world_allowed(&world), reference_milli / 10 * 8 - 1,
                    reference_milli / 10 * 8 + 8);

    world_health(&world, "up");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
    recover_monotone();
    world_assert_phases(&world, phases, nelts(phases));
}


/* down -> degraded: through the floor and the ramp, to that ceiling. */

static void
test_down_to_degraded(void **unused)
{
    static const rcv_phase_t  phases[] = {
        RCV_PHASE_DOWN, RCV_PHASE_PROBING, RCV_PHASE_RAMPING,
        RCV_PHASE_DEGRADED
    };

    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    world_health(&world, "0");
    world_run(&world, 5000);
    world_health(&world, "0.3");

    while (world.state.phase != RCV_PHASE_DEGRADED) {
        world_tick(&world);
        assert_true(world_allowed(&world)
                    <= world.state.reference_milli / 10 * 3 + 3);
    }

    world_run(&world, 10000);
    world_assert_phases(&world, phases, nelts(phases));
}


static void
test_degraded_unknown_reference(void **unused)
{
    (void) unused;

    world_init(&world, "");
    world_health(&world, "0.5");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_DEGRADED);
    assert_true(world_allowed(&world) == RCV_UNLIMITED);
    assert_int_equal(world.out.allowance.word.in_flight_limit,
                     RCV_GUARD_MIN);

    world.state.healthy_milli = 40 * RCV_MILLI;
    world_tick(&world);
    assert_int_equal(world.out.allowance.word.in_flight_limit, 20);
}


static void
test_down_modes(void **unused)
{
    (void) unused;

    world_init(&world, "when down probe=5%;");
    world_learn(&world, 100000);
    world_health(&world, "down");
    world_run(&world, 60000);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    assert_in_range(world_allowed(&world), 4900, 5100);
    assert_int_equal(world.out.allowance.word.reason, RCV_REASON_DOWN);
    assert_int_equal(world.out.allowance.word.in_flight_limit,
                     RCV_PROBE_IN_FLIGHT);
    world_done(&world);

    world_init(&world, "when down pass;");
    world_learn(&world, 100000);
    world_health(&world, "down");
    world_run(&world, 60000);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    assert_true(world_allowed(&world) == RCV_UNLIMITED);
}


/* The floor goes to the best class that is there. */

static void
test_class_of_the_floor(void **unused)
{
    (void) unused;

    world_init(&world, "class a; class b default; class c;");
    world_learn(&world, 100000);
    world.demand_milli[2] = 50000;
    world_health(&world, "down");
    world_run(&world, 5000);

    world_health(&world, "up");
    world_tick(&world);
    assert_int_equal(world.out.allowance.word.class_max, 1);

    world.bad_ppm = RCV_PPM;                    /* stay in probing */
    world.demand_milli[1] = 0;
    world_run(&world, 900);
    assert_int_equal(world.out.allowance.word.class_max, 1);
    world_run(&world, 200);
    assert_int_equal(world.out.allowance.word.class_max, 2);

    world.demand_milli[0] = 1000000;
    world_tick(&world);
    assert_int_equal(world.out.allowance.word.class_max, 0);

    world.demand_milli[0] = 0;
    world.demand_milli[2] = 0;
    world_run(&world, 5000);
    assert_int_equal(world.out.allowance.word.class_max, 2);

    world.bad_ppm = 0;
    world.demand_milli[2] = 50000;
    world_until(&world, RCV_PHASE_RAMPING, 20000);
    assert_int_equal(world.out.allowance.word.class_max, 2);
}


static void
test_quota(void **unused)
{
    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    world.limits.quota_milli = 60000;
    world_tick(&world);
    assert_int_equal(world_allowed(&world), 60000);
    assert_int_equal(world.out.allowance.word.reason, RCV_REASON_QUOTA);
    assert_int_equal(world.state.why, RCV_WHY_CEILING);

    /* the ramp ends although the quota sheds for ever */

    to_ramping();

    while (world.state.phase != RCV_PHASE_UP) {
        world_tick(&world);
        assert_true(world_allowed(&world) <= 60000);
    }

    /* lower than the floor */

    world.limits.quota_milli = 500;
    world_health(&world, "down");
    world_tick(&world);
    world_health(&world, "up");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_int_equal(world_allowed(&world), 500);
    assert_int_equal(world.out.allowance.word.reason, RCV_REASON_QUOTA);
}


static void
test_ceiling(void **unused)
{
    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);

    world_say(&world, "up", "20r/s", NULL, NULL);
    world_run(&world, 600000);
    assert_int_equal(world_allowed(&world), 20000);
    assert_int_equal(world.out.allowance.word.reason, RCV_REASON_CEILING);
    assert_int_equal(world.out.ceiling_milli, 20000);

    /* and is not learned as normal */

    assert_in_range(world.state.reference_milli, 95000, 105000);

    /* a higher one is reached by the ramp, from there */

    world_say(&world, "up", "50%", NULL, NULL);
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
    assert_int_equal(world.state.why, RCV_WHY_CEILING_ENDED);
    assert_in_range(world_allowed(&world), 19990, 22000);
    world_run(&world, 1000);
    assert_in_range(world_allowed(&world), 20000, 45000);
    world_run(&world, 1000);
    assert_int_equal(world_allowed(&world),
                     world.state.reference_milli / 2);
    world_until(&world, RCV_PHASE_UP, 120000);

    world_say(&world, "up", "0%", NULL, NULL);
    world_tick(&world);
    assert_int_equal(world_allowed(&world), 0);
    assert_int_equal(world.out.allowance.word.mode, RCV_GATE_CLOSED);
    assert_int_equal(world.out.allowance.word.reason, RCV_REASON_CEILING);

    world_run(&world, 60000);
    world_say(&world, "up", NULL, NULL, NULL);
    world_tick(&world);
    assert_in_range(world_allowed(&world), 1, 2100);
    world_until(&world, RCV_PHASE_VERIFYING, 20000);

    /* one that nobody feels is no ramp to come back from */

    world_until(&world, RCV_PHASE_UP, 120000);
    world_say(&world, "up", "400%", NULL, NULL);
    world_run(&world, 5000);
    world_say(&world, "up", NULL, NULL, NULL);
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_UP);

    /* a ramp under a ceiling ends */

    to_ramping();
    world_say(&world, "recovering", "30%", NULL, NULL);
    world_run(&world, 5000);
    assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
    assert_int_equal(world.state.why, RCV_WHY_CEILING);
    world_until(&world, RCV_PHASE_VERIFYING, 30000);
    assert_in_range(world_allowed(&world),
                    world.state.reference_milli / 10 * 3,
                    world.state.reference_milli / 10 * 3 + 3);
}


/* A leader that stood still, and clocks that do odd things. */

static void
test_gap(void **unused)
{
    uint64_t  allowed;

    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    to_ramping();
    world_run(&world, 500);
    allowed = world_allowed(&world);

    world.tick_ms = 3600000;
    world_tick(&world);
    world.tick_ms = RCV_TICK_MS;
    assert_true(world_allowed(&world) <= allowed * 2 + 10);

    /* the clock stands still, then runs back an hour */

    world.now_ms -= RCV_TICK_MS;
    world_tick(&world);
    world.now_ms -= 3600000;
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
    recover_monotone();

    /* verifying for an hour is a minute when nobody looked */

    to_ramping();
    world_until(&world, RCV_PHASE_VERIFYING, 30000);
    world.tick_ms = 3600000;
    world_tick(&world);
    world.tick_ms = RCV_TICK_MS;
    assert_int_equal(world.state.phase, RCV_PHASE_VERIFYING);
    world_until(&world, RCV_PHASE_UP, 60000);
}


static void
test_no_time(void **unused)
{
    unsigned  i;

    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    to_ramping();
    world.tick_ms = 0;

    for (i = 0; i < 1000; i++) {
        world_tick(&world);
    }

    assert_int_equal(world.state.phase, RCV_PHASE_RAMPING);
    assert_int_equal(world.state.control.level_ppm, 20000);
}


static void
test_slow_traffic(void **unused)
{
    (void) unused;

    /* one request in three seconds pays for a second of the ramp */

    world_init(&world, "");
    world.limits.capacity_milli = 100000;
    world_demand(&world, 333);
    world_run(&world, 60000);
    world_health(&world, "down");
    world_run(&world, 10000);
    world_health(&world, "up");
    world_until(&world, RCV_PHASE_RAMPING, 30000);
    world_run(&world, 9000);
    assert_in_range(world.state.control.ramp_ms, 2000, 4000);
    world_until(&world, RCV_PHASE_UP, RECOVERY_MS);
}


static void
test_other_ramps(void **unused)
{
    (void) unused;

    world_init(&world, "ramp steps=5%:3s,25%:6s,100% verify=1s;");
    world_learn(&world, 100000);
    to_ramping();
    recover_monotone();
    world_assert_phases(&world, outage, nelts(outage));
    world_done(&world);

    world_init(&world, "ramp over=20s verify=0s;");
    world_learn(&world, 100000);
    to_ramping();
    world_run(&world, 10000);
    assert_in_range(world.state.control.level_ppm, 450000, 550000);
    assert_in_range(world.state.eta_s, 8, 12);
    recover_monotone();
    world_assert_phases(&world, outage, nelts(outage));
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(test_outage, teardown),
        cmocka_unit_test_teardown(test_reference_frozen, teardown),
        cmocka_unit_test_teardown(test_pent_up, teardown),
        cmocka_unit_test_teardown(test_scales, teardown),
        cmocka_unit_test_teardown(test_unknown_reference, teardown),
        cmocka_unit_test_teardown(test_no_evidence, teardown),
        cmocka_unit_test_teardown(test_probes_fail, teardown),
        cmocka_unit_test_teardown(test_relapse, teardown),
        cmocka_unit_test_teardown(test_errors_background, teardown),
        cmocka_unit_test_teardown(test_dies_silently, teardown),
        cmocka_unit_test_teardown(test_dead_and_told, teardown),
        cmocka_unit_test_teardown(test_blind, teardown),
        cmocka_unit_test_teardown(test_stale, teardown),
        cmocka_unit_test_teardown(test_lost_shed, teardown),
        cmocka_unit_test_teardown(test_lost_pass, teardown),
        cmocka_unit_test_teardown(test_recovering_left, teardown),
        cmocka_unit_test_teardown(test_initial, teardown),
        cmocka_unit_test_teardown(test_degraded, teardown),
        cmocka_unit_test_teardown(test_down_to_degraded, teardown),
        cmocka_unit_test_teardown(test_degraded_unknown_reference, teardown),
        cmocka_unit_test_teardown(test_down_modes, teardown),
        cmocka_unit_test_teardown(test_class_of_the_floor, teardown),
        cmocka_unit_test_teardown(test_quota, teardown),
        cmocka_unit_test_teardown(test_ceiling, teardown),
        cmocka_unit_test_teardown(test_gap, teardown),
        cmocka_unit_test_teardown(test_no_time, teardown),
        cmocka_unit_test_teardown(test_slow_traffic, teardown),
        cmocka_unit_test_teardown(test_other_ramps, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
