
/*
 * Whole outages in virtual time.
 */

#include "world.h"
#include "allow.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>


static void
test_outage(void **unused)
{
    world_t                   world;
    uint64_t                  allowed, before;
    static const rcv_phase_t  phases[] = {
        RCV_PHASE_DOWN, RCV_PHASE_PROBING, RCV_PHASE_RAMPING,
        RCV_PHASE_VERIFYING, RCV_PHASE_UP
    };

    (void) unused;

    world_init(&world, "");
    world_learn(&world, 100000);
    assert_int_equal(world_allowed(&world), RCV_UNLIMITED);
    assert_true(world.out.quiet);

    world_health(&world, "down");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);
    assert_int_equal(world_allowed(&world), 0);
    assert_int_equal(world.out.allowance.word.reason, RCV_REASON_DOWN);

    world_run(&world, 10000);
    assert_int_equal(rcv_window_passed(&world.window), 0);
    assert_int_equal(world.state.phase, RCV_PHASE_DOWN);

    world_health(&world, "recovering");
    world_tick(&world);
    assert_int_equal(world.state.phase, RCV_PHASE_PROBING);
    assert_int_equal(world_allowed(&world), RCV_PROBE_RATE_MILLI);
    assert_int_equal(world.out.allowance.word.in_flight_limit,
                     RCV_PROBE_IN_FLIGHT);

    world_until(&world, RCV_PHASE_RAMPING, 10000);
    before = world_allowed(&world);

    while (world.state.phase == RCV_PHASE_RAMPING) {
        world_tick(&world);
        allowed = world_allowed(&world);
        assert_true(allowed >= before);
        before = allowed;
    }

    world_until(&world, RCV_PHASE_UP, 61000);
    world_assert_phases(&world, phases, 5);
    world_done(&world);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_outage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
