
/*
 * The schedule and its inverse.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <math.h>
#include <cmocka.h>

#include "ramp.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))


static const rcv_ramp_t  doubling = {
    .kind = RCV_RAMP_DOUBLE, .from_ppm = 20000, .double_ms = 1000
};

static const rcv_ramp_t  slow = {
    .kind = RCV_RAMP_DOUBLE, .from_ppm = 1, .double_ms = 30ull * 86400000
};

static const rcv_ramp_t  fast = {
    .kind = RCV_RAMP_DOUBLE, .from_ppm = 500000, .double_ms = 1
};

static const rcv_ramp_t  whole = {
    .kind = RCV_RAMP_DOUBLE, .from_ppm = 1000000, .double_ms = 1000
};

static const rcv_ramp_t  over = {
    .kind = RCV_RAMP_OVER, .from_ppm = 20000, .over_ms = 120000
};

static const rcv_ramp_t  over_whole = {
    .kind = RCV_RAMP_OVER, .from_ppm = 1000000, .over_ms = 1000
};

static const rcv_ramp_t  steps = {
    .kind = RCV_RAMP_STEPS, .nsteps = 3, .from_ppm = 50000,
    .steps = { { 50000, 30000 }, { 250000, 60000 }, { 1000000, 0 } }
};

static const rcv_ramp_t  one_step = {
    .kind = RCV_RAMP_STEPS, .nsteps = 1, .from_ppm = 1000000,
    .steps = { { 1000000, 0 } }
};

static const rcv_ramp_t *const  ramps[] = {
    &doubling, &slow, &fast, &whole, &over, &over_whole, &steps, &one_step
};


static void
test_levels(void **unused)
{
    size_t  i;

    static const struct {
        const rcv_ramp_t  *ramp;
        uint64_t           ms;
        uint32_t           level_ppm;
    } cases[] = {
        { &doubling, 0, 20000 },
        { &doubling, 1000, 40000 },
        { &doubling, 5000, 640000 },
        { &doubling, 6000, 1280000 },
        { &doubling, 13000, RCV_LEVEL_MAX_PPM },
        { &doubling, UINT64_MAX, RCV_LEVEL_MAX_PPM },
        { &fast, 1, 1000000 },
        { &whole, 0, 1000000 },
        { &whole, 1000, 2000000 },
        { &over, 0, 20000 },
        { &over, 60000, 510000 },
        { &over, 120000, 1000000 },
        { &over, 240000, 1980000 },
        { &over, UINT64_MAX, RCV_LEVEL_MAX_PPM },
        { &over_whole, 1000, 2000000 },
        { &steps, 0, 50000 },
        { &steps, 29999, 50000 },
        { &steps, 30000, 250000 },
        { &steps, 89999, 250000 },
        { &steps, 90000, 1000000 },
        { &steps, 149999, 1000000 },
        { &steps, 150000, 2000000 },
        { &steps, 210000, 4000000 },
        { &steps, UINT64_MAX, RCV_LEVEL_MAX_PPM },
        { &one_step, 9999, 1000000 },
        { &one_step, 10000, 2000000 },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        assert_int_equal(rcv_ramp_level_ppm(cases[i].ramp, cases[i].ms),
                         cases[i].level_ppm);
    }
}


/* Between the doublings: never falls, at most 1 % over 2^x, hardly under. */

static void
test_curve(void **unused)
{
    double    level, truth, before;
    uint64_t  ms;

    (void) unused;

    before = 0;

    for (ms = 0; ms < 12000; ms++) {
        level = rcv_ramp_level_ppm(&doubling, ms);
        truth = 20000 * pow(2, (double) ms / 1000);

        assert_true(level >= before);
        assert_true(level <= truth * 1.01);
        assert_true(level >= truth * 0.99 - 1);

        before = level;
    }
}


static void
test_inverse(void **unused)
{
    size_t    i;
    uint32_t  level_ppm;
    uint64_t  ms;

    (void) unused;

    for (i = 0; i < nelts(ramps); i++) {

        for (level_ppm = 1; level_ppm <= RCV_LEVEL_MAX_PPM;
             level_ppm += 1 + level_ppm / 50)
        {
            ms = rcv_ramp_time_ms(ramps[i], level_ppm);

            assert_true(rcv_ramp_level_ppm(ramps[i], ms) >= level_ppm);
            assert_true(ms == 0 || rcv_ramp_level_ppm(ramps[i], ms - 1)
                                   < level_ppm);
        }

        /* what cannot be reached is the end, not for ever */

        assert_int_equal(rcv_ramp_time_ms(ramps[i], UINT32_MAX),
                         rcv_ramp_time_ms(ramps[i], RCV_LEVEL_MAX_PPM));
        assert_int_equal(rcv_ramp_time_ms(ramps[i], 0), 0);
    }

    assert_int_equal(rcv_ramp_time_ms(&over, 1000000), 120000);
    assert_int_equal(rcv_ramp_time_ms(&steps, 250001), 90000);
    assert_int_equal(rcv_ramp_time_ms(&steps, 250000), 30000);
    assert_in_range(rcv_ramp_time_ms(&doubling, 1000000), 5630, 5660);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_curve),
        cmocka_unit_test(test_inverse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
