
/*
 * A health that flaps: obeyed down, not believed up until it holds.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "flaps.h"
#include "world.h"


#define TICK_MS  100


static world_t      world;
static rcv_flaps_t  flaps;


static rcv_flaps_change_t
say(unsigned fell, unsigned down, unsigned fresh)
{
    rcv_flaps_facts_t  facts;

    facts.fell = fell;
    facts.down = down;
    facts.fresh = fresh;

    return rcv_flaps_tick(&flaps, &facts, TICK_MS);
}


/* Down for half of it, then up; what changed. */

static rcv_flaps_change_t
flap(uint64_t period_ms)
{
    uint64_t            at_ms;
    rcv_flaps_change_t  change, now;

    change = say(1, 1, 1);

    for (at_ms = TICK_MS; at_ms < period_ms; at_ms += TICK_MS) {
        now = say(0, at_ms < period_ms / 2, 1);

        if (now != RCV_FLAPS_SAME) {
            change = now;
        }
    }

    return change;
}


/* How long it held when it was believed again. */

static uint64_t
holds_ms(void)
{
    uint64_t  ms;

    for (ms = TICK_MS; ms < 200000; ms += TICK_MS) {

        if (say(0, 0, 1) == RCV_FLAPS_ENDED) {
            return ms;
        }
    }

    fail_msg("never believed again");

    return 0;
}


static void
third_fall_damps(void **state)
{
    (void) state;

    flaps = (rcv_flaps_t) { 0 };

    assert_int_equal(flap(2000), RCV_FLAPS_SAME);
    assert_int_equal(flap(2000), RCV_FLAPS_SAME);
    assert_int_equal(flap(2000), RCV_FLAPS_BEGAN);
    assert_true(flaps.damped);

    /* it was up for half of the last period already */
    assert_int_equal(holds_ms(), 2 * 2000 - 1000);
    assert_false(flaps.damped);
    assert_int_equal(flaps.row, 0);
}


static void
falls_far_apart_are_outages(void **state)
{
    unsigned  i;

    (void) state;

    flaps = (rcv_flaps_t) { 0 };

    for (i = 0; i < 20; i++) {
        assert_int_equal(flap(RCV_FLAPS_NEAR_MS + TICK_MS), RCV_FLAPS_SAME);
    }
}


static void
regular_flapping_never_ends_it(void **state)
{
    unsigned  i, began, period_ms;

    (void) state;

    for (period_ms = 500; period_ms <= 20000; period_ms *= 2) {
        flaps = (rcv_flaps_t) { 0 };
        began = 0;

        for (i = 0; i < 100; i++) {
            began += (flap(period_ms) == RCV_FLAPS_BEGAN);
        }

        assert_int_equal(began, 1);
        assert_true(flaps.damped);
    }
}


static void
the_outage_before_does_not_count_for_long(void **state)
{
    unsigned  i;

    (void) state;

    flaps = (rcv_flaps_t) { 0 };
    (void) flap(28000);

    for (i = 0; i < 10; i++) {
        (void) flap(1000);
    }

    assert_true(holds_ms() <= 2000);
}


static void
bounds(void **state)
{
    unsigned  i;

    (void) state;

    flaps = (rcv_flaps_t) { 0 };

    for (i = 0; i < 5; i++) {
        (void) flap(200);
    }

    assert_int_equal(holds_ms(), RCV_FLAPS_HOLD_MIN_MS - TICK_MS);

    flaps = (rcv_flaps_t) { 0 };
    flaps.damped = 1;
    flaps.row = UINT16_MAX;
    flaps.fell_ms = UINT32_MAX;
    (void) say(1, 1, 1);
    assert_int_equal(flaps.row, UINT16_MAX);
    assert_int_equal(holds_ms(), RCV_FLAPS_HOLD_MAX_MS);
}


static void
silence_is_not_holding(void **state)
{
    unsigned  i;

    (void) state;

    flaps = (rcv_flaps_t) { 0 };

    for (i = 0; i < 3; i++) {
        (void) flap(1000);
    }

    for (i = 0; i < 1000; i++) {
        assert_int_equal(say(0, 0, 0), RCV_FLAPS_SAME);
    }

    assert_true(flaps.damped);
}


static int
setup(void **state)
{
    (void) state;

    world_init(&world, "");
    world_learn(&world, 100000);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    world_done(&world);

    return 0;
}


static unsigned
seen(rcv_why_t why)
{
    unsigned  i, n;

    n = 0;

    for (i = 0; i < world.nchanges; i++) {
        n += (world.changes[i].why == why);
    }

    return n;
}


static void
falls(unsigned n)
{
    while (n-- != 0) {
        world_health(&world, "down");
        world_run(&world, 2000);
        world_health(&world, "up");
        world_run(&world, 2000);
    }
}


/* On the floor, though its probes are answered; then by the ramp. */

static void
damped_stays_on_the_floor(void **state)
{
    (void) state;

    falls(3);
    assert_int_equal(seen(RCV_WHY_FLAPS), 1);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);

    world_run(&world, 4000);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_true(world.state.good_row >= 5);
    assert_int_equal(world.state.why, RCV_WHY_FLAPS);

    world_until(&world, RCV_PHASE_RAMPING, 3000);
    assert_int_equal(seen(RCV_WHY_STEADY), 1);
    world_until(&world, RCV_PHASE_UP, 200000);
}


static void
down_is_obeyed_at_once(void **state)
{
    unsigned  i;

    (void) state;

    for (i = 0; i < 10; i++) {
        world_health(&world, "up");
        world_run(&world, 500);
        world_health(&world, "down");
        world_tick(&world);
        assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
        assert_int_equal(world_allowed(&world), 0);
        world_run(&world, 400);
    }
}


static void
two_falls_are_believed(void **state)
{
    (void) state;

    falls(2);
    assert_int_equal(seen(RCV_WHY_FLAPS), 0);
    world_until(&world, RCV_PHASE_RAMPING, 3000);
}


static void
an_order_is_believed(void **state)
{
    (void) state;

    falls(3);
    world.state.override.health = RCV_HEALTH_UP;
    world.state.override.health_until_ds = UINT32_MAX;
    world_until(&world, RCV_PHASE_RAMPING, 3000);
    assert_true(world.state.flaps.damped);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(third_fall_damps),
        cmocka_unit_test(falls_far_apart_are_outages),
        cmocka_unit_test(regular_flapping_never_ends_it),
        cmocka_unit_test(the_outage_before_does_not_count_for_long),
        cmocka_unit_test(bounds),
        cmocka_unit_test(silence_is_not_holding),
        cmocka_unit_test_setup_teardown(damped_stays_on_the_floor, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(down_is_obeyed_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(two_falls_are_believed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_order_is_believed, setup,
                                        teardown)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
