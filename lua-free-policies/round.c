
#include "law.h"


/* A client that leaves sooner than this has not waited. */
#define RCV_GONE_MIN_US  100000

/* A leader that stood still has not listened all the time. */
#define RCV_SILENT_TICK_MS  500


/*
 * Clients who leave are many things.  Those who left a backend that takes
 * its time (the base, on average) had waited for it; others prove nothing.
 */

static int
round_gave_up(const rcv_control_t *control, const rcv_window_t *window)
{
    uint64_t  works, mean_us;

    works = rcv_add_sat(window->results[RCV_RESULT_OK], window->gone);
    mean_us = window->work_us / rcv_max(works, 1);

    return mean_us >= RCV_GONE_MIN_US
           && mean_us >= control->base_us;
}


void
rcv_round_add(rcv_round_t *round, const rcv_control_t *control,
    const rcv_window_t *window)
{
    uint64_t  bad, live;

    bad = rcv_window_bad(window);
    live = rcv_since(window->in_flight, control->stuck);

    round->dt_ms = rcv_add_sat(round->dt_ms, window->dt_ms);
    round->age_ms = rcv_add_sat(round->age_ms, window->dt_ms);
    round->ok = rcv_add_sat(round->ok, window->results[RCV_RESULT_OK]);
    round->bad = rcv_add_sat(round->bad, bad);
    round->overload = rcv_add_sat(round->overload,
                          rcv_add_sat(window->overload,
                                      window->results[RCV_RESULT_TIMEOUT]));
    round->works = rcv_add_sat(round->works,
                               rcv_add_sat(window->results[RCV_RESULT_OK],
                                           window->gone));
    round->work_us = rcv_add_sat(round->work_us, window->work_us);
    round->shed = rcv_add_sat(round->shed, window->shed_in_flight);
    round->in_flight_max = rcv_max(round->in_flight_max, live);

    if (window->gone != 0 && round_gave_up(control, window)) {
        round->bad = rcv_add_sat(round->bad, window->gone);
        round->overload = rcv_add_sat(round->overload, window->gone);
        round->gone = rcv_add_sat(round->gone, window->gone);
    }

    /* in which order they came within a tick is not known */

    round->bad_row = (window->results[RCV_RESULT_OK] != 0)
                     ? 0 : rcv_add_sat(round->bad_row, bad);

    if (live == 0 || rcv_window_results(window) != 0) {
        round->silent_ms = 0;

    } else {
        round->silent_ms = rcv_add_sat(round->silent_ms,
                                       rcv_min(window->dt_ms,
                                               RCV_SILENT_TICK_MS));
    }
}


void
rcv_round_clear(rcv_round_t *round)
{
    *round = (rcv_round_t) { .bad_row = round->bad_row,
                             .silent_ms = round->silent_ms,
                             .base_works = round->base_works,
                             .age_ms = round->age_ms,
                             .wave = round->wave,
                             .cohort = round->cohort,
                             .climb = round->climb };
}


int
rcv_round_full(rcv_round_t *round)
{
    uint64_t  n;

    n = rcv_max(round->works, rcv_add_sat(round->ok, round->bad));

    if (n < RCV_ROUND_WORKS && round->dt_ms < RCV_ROUND_MS) {
        return 0;
    }

    if (n < RCV_ROUND_WORKS_MIN) {

        if (round->dt_ms >= 2 * RCV_ROUND_MS) {
            rcv_round_clear(round);
        }

        return 0;
    }

    return 1;
}


uint64_t
rcv_round_latency_us(const rcv_round_t *round)
{
    return rcv_max(round->work_us / rcv_max(round->works, 1), 1);
}


uint64_t
rcv_round_ok_milli(const rcv_round_t *round)
{
    return rcv_mul_div(round->ok, 1000 * RCV_MILLI, rcv_max(round->dt_ms, 1));
}


uint32_t
rcv_round_bad_ppm(const rcv_round_t *round)
{
    return (uint32_t) rcv_mul_div(round->bad, RCV_PPM,
                                  rcv_max(rcv_add_sat(round->ok, round->bad),
                                          1));
}
