
#include "law.h"


/*
 * A backend in silence is given so long, or so many times its base.  In full
 * service longer: a pause of two seconds is no death, and taking it for one
 * would make an outage of it.
 */
#define RCV_SILENCE_MS       1000
#define RCV_SILENCE_FULL_MS  3000
#define RCV_SILENCE_BASES    4

/*
 * Clients who leave are no death above so small a part of what was cut, or
 * while one in so long a time is answered.
 */
#define RCV_GONE_CUT  8
#define RCV_GONE_MS   3000

/*
 * Fewer that wait may be two reports that take their time.  In a ramp they
 * may also be all that is let in, while others are turned away: then they
 * are given as much longer.
 */
#define RCV_SILENCE_IN_FLIGHT      5
#define RCV_SILENCE_IN_FLIGHT_MIN  2


/*
 * Clients who lose patience are a load too high before they are a death: they
 * count once the limit has been cut and nothing is better.
 */

static int
trip_mostly_bad(const rcv_control_t *control, const rcv_round_t *round)
{
    uint64_t  bad, n;

    bad = round->bad;

    if (control->cut_from_milli == 0 || control->wait_ms != 0
        || (control->limit_milli > control->cut_from_milli / RCV_GONE_CUT
            && control->idle_ms < RCV_GONE_MS))
    {
        bad -= round->gone;
    }

    n = rcv_add_sat(round->ok, bad);

    return n >= RCV_DEAD_RESULTS
           && rcv_mul_div(bad, RCV_PPM, n) >= RCV_DEAD_PPM;
}


/* More wait than ever did in health, and none of them is answered. */

static int
trip_silent(const rcv_control_t *control, const rcv_round_t *round,
    const rcv_control_facts_t *facts, const rcv_window_t *window)
{
    uint64_t  silence_ms, live, least;

    least = (facts->full || window->shed_in_flight == 0)
            ? RCV_SILENCE_IN_FLIGHT : RCV_SILENCE_IN_FLIGHT_MIN;
    live = rcv_since(window->in_flight, control->stuck);
    silence_ms = (uint64_t) control->base_us * RCV_SILENCE_BASES / 1000;

    silence_ms = rcv_max(silence_ms, facts->full ? RCV_SILENCE_FULL_MS
                                                 : RCV_SILENCE_MS);

    if (live >= least && live < RCV_SILENCE_IN_FLIGHT) {
        silence_ms = silence_ms * RCV_SILENCE_IN_FLIGHT / live;
    }

    return round->silent_ms > silence_ms
           && live >= least
           && (!facts->full || live > facts->healthy_in_flight);
}


int
rcv_trip(const rcv_control_t *control, const rcv_round_t *round,
    const rcv_control_facts_t *facts, const rcv_window_t *window)
{
    return round->bad_row >= RCV_DEAD_ROW
           || trip_mostly_bad(control, round)
           || trip_silent(control, round, facts, window);
}
