
/*
 * Sums of a window and quantiles of its histogram.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "window.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define P50  500000
#define P90  900000


static void
test_buckets(void **unused)
{
    size_t    i;
    unsigned  bucket;

    static const struct {
        uint64_t  ms;
        unsigned  bucket;
    } cases[] = {
        { 0, 0 }, { 1, 0 }, { 2, 1 }, { 3, 2 }, { 5, 2 }, { 6, 3 },
        { 10, 3 }, { 11, 4 }, { 100, 6 }, { 101, 7 }, { 1000, 9 },
        { 10000, 12 }, { 10001, 13 }, { UINT64_MAX, 13 },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        assert_int_equal(rcv_latency_bucket(cases[i].ms), cases[i].bucket);
    }

    /* a bound belongs to its own bucket */

    for (bucket = 0; bucket < RCV_LATENCY_BUCKETS - 1; bucket++) {
        assert_int_equal(rcv_latency_bucket(rcv_latency_bounds_ms[bucket]),
                         bucket);
    }
}


static void
test_quantiles(void **unused)
{
    size_t    i;
    uint64_t  buckets[RCV_LATENCY_BUCKETS];

    static const struct {
        uint64_t  at[3][2];             /* bucket, count */
        uint32_t  quantile_ppm;
        uint64_t  ms;
    } cases[] = {
        { { { 0, 0 } },                       P50, RCV_UNLIMITED },
        { { { 0, 1 } },                       P50, 1 },
        { { { 0, 1000 } },                    P90, 1 },
        { { { 6, 1 } },                       P50, 100 },
        { { { 6, 100 } },                     P50, 75 },
        { { { 6, 100 } },                     P90, 95 },
        { { { 6, 100 } },                     RCV_PPM, 100 },
        { { { 6, 100 } },                     0, 51 },
        { { { 3, 50 }, { 6, 50 } },           P50, 10 },
        { { { 3, 50 }, { 6, 50 } },           P90, 90 },
        { { { 3, 90 }, { 9, 10 } },           P90, 10 },
        { { { 13, 5 } },                      P50, 10000 },
        { { { 0, 1 }, { 13, 9 } },            P90, 10000 },
        { { { 12, 1ull << 62 } },            P50, 7500 },
        { { { 0, UINT64_MAX - 9 }, { 12, 8 } }, P50, 1 },
    };

    (void) unused;

    for (i = 0; i < nelts(cases); i++) {
        memset(buckets, 0, sizeof(buckets));

        buckets[cases[i].at[0][0]] += cases[i].at[0][1];
        buckets[cases[i].at[1][0]] += cases[i].at[1][1];
        buckets[cases[i].at[2][0]] += cases[i].at[2][1];

        assert_true(rcv_latency_quantile_ms(buckets, cases[i].quantile_ppm)
                    == cases[i].ms);
    }
}


static void
test_sums(void **unused)
{
    rcv_window_t  window;

    (void) unused;

    memset(&window, 0, sizeof(window));

    window.offered[0] = 1;
    window.offered[RCV_CLASSES_MAX - 1] = 2;
    window.passed[3] = 4;
    window.shed[1] = 5;
    window.shed[2] = UINT64_MAX;
    window.results[RCV_RESULT_OK] = 6;
    window.results[RCV_RESULT_ERROR] = 7;
    window.results[RCV_RESULT_TIMEOUT] = 8;

    assert_int_equal(rcv_window_offered(&window), 3);
    assert_int_equal(rcv_window_passed(&window), 4);
    assert_true(rcv_window_shed(&window) == UINT64_MAX);
    assert_int_equal(rcv_window_results(&window), 21);
    assert_int_equal(rcv_window_bad(&window), 15);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_sums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
