
#include "window.h"


const uint32_t  rcv_latency_bounds_ms[RCV_LATENCY_BUCKETS - 1] = {
    RCV_LATENCY_FIRST_MS, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000,
    10000
};


uint64_t
rcv_latency_quantile_ms(const uint64_t *buckets, uint32_t quantile_ppm)
{
    uint64_t  total, rank, before, low, high;
    unsigned  i;

    total = 0;

    for (i = 0; i < RCV_LATENCY_BUCKETS; i++) {
        total = rcv_add_sat(total, buckets[i]);
    }

    if (total == 0) {
        return RCV_UNLIMITED;
    }

    /* total * quantile, rounded up */

    rank = total - rcv_mul_div(total, RCV_PPM - rcv_min(quantile_ppm, RCV_PPM),
                               RCV_PPM);
    rank = rcv_max(rank, 1);
    before = 0;

    for (i = 0; i < RCV_LATENCY_BUCKETS - 1; i++) {

        if (rcv_add_sat(before, buckets[i]) >= rank) {
            low = (i == 0) ? 0 : rcv_latency_bounds_ms[i - 1];
            high = rcv_latency_bounds_ms[i];

            /* rounded up: 1 ms is the least that can be told */

            return high - rcv_mul_div(high - low,
                                      rcv_add_sat(before, buckets[i]) - rank,
                                      buckets[i]);
        }

        before += buckets[i];
    }

    /* beyond the last bound nothing is known but that it is beyond */

    return rcv_latency_bounds_ms[RCV_LATENCY_BUCKETS - 2];
}


static uint64_t
window_sum(const uint64_t *counts, unsigned n)
{
    uint64_t  sum;
    unsigned  i;

    sum = 0;

    for (i = 0; i < n; i++) {
        sum = rcv_add_sat(sum, counts[i]);
    }

    return sum;
}


uint64_t
rcv_window_offered(const rcv_window_t *window)
{
    return window_sum(window->offered, RCV_CLASSES_MAX);
}


uint64_t
rcv_window_passed(const rcv_window_t *window)
{
    return window_sum(window->passed, RCV_CLASSES_MAX);
}


uint64_t
rcv_window_shed(const rcv_window_t *window)
{
    return window_sum(window->shed, RCV_CLASSES_MAX);
}


uint64_t
rcv_window_results(const rcv_window_t *window)
{
    return window_sum(window->results, RCV_RESULTS);
}


uint64_t
rcv_window_bad(const rcv_window_t *window)
{
    return rcv_add_sat(window->results[RCV_RESULT_ERROR],
                       window->results[RCV_RESULT_TIMEOUT]);
}
