
#include "law.h"


/* For each so many delivered one more may be in flight. */
#define RCV_START_PART      2

/* ... above the healthy number; the first cold minutes may need that. */
#define RCV_START_PART_HIGH 8

/* It is used: so much of the limit is in flight. */
#define RCV_START_USED_PPM  750000

/* Where slow start ends: what is kept busy, and such a part of it more. */
#define RCV_LAND_PART       5

/* Near a level that failed, from so much of it on. */
#define RCV_FAILED_NEAR_PPM 750000


uint64_t
rcv_failed_near_milli(const rcv_control_t *control)
{
    return rcv_mul_div(control->failed_milli, RCV_FAILED_NEAR_PPM, RCV_PPM);
}


/* What is delivered in the time that one takes: by Little's law. */

static uint64_t
start_busy_milli(const rcv_control_t *control, const rcv_round_t *round)
{
    return rcv_mul_div(rcv_add_sat(round->ok, round->bad), control->base_us,
                       rcv_max(round->dt_ms, 1));
}


/* A full round in which latency has shown a queue. */

void
rcv_start_over(rcv_control_t *control, const rcv_round_t *round)
{
    uint64_t  busy_milli;

    /* too far by now, but how much it can do is known */

    busy_milli = start_busy_milli(control, round);
    busy_milli += busy_milli / RCV_LAND_PART;
    busy_milli = rcv_min(control->limit_milli, busy_milli);

    rcv_limit_set(control, rcv_max(busy_milli, control->limit_milli / 2));

    control->mode = RCV_MODE_STEER;
}


static int
start_used(const rcv_control_t *control, const rcv_window_t *window)
{
    return window->shed_in_flight != 0
           || (uint64_t) window->in_flight * RCV_MILLI
              >= rcv_mul_div(control->limit_milli, RCV_START_USED_PPM,
                             RCV_PPM);
}


/*
 * Half a window in the time of one answer, and by as many as were delivered:
 * where nothing comes back nothing grows.
 */

void
rcv_start_tick(rcv_control_t *control, const rcv_control_facts_t *facts,
    const rcv_window_t *window)
{
    uint64_t  grow_milli, healthy_milli;

    if (control->mode != RCV_MODE_SLOW_START || control->base_us == 0
        || facts->hold || !start_used(control, window))
    {
        return;
    }

    healthy_milli = (uint64_t) facts->healthy_in_flight * RCV_MILLI;

    grow_milli = rcv_mul_sat(window->results[RCV_RESULT_OK], RCV_MILLI)
                 / ((healthy_milli != 0
                     && control->limit_milli > healthy_milli)
                    ? RCV_START_PART_HIGH : RCV_START_PART);

    rcv_limit_set(control, control->limit_milli
                           + rcv_min(grow_milli, control->limit_milli / 2));

    if (control->failed_milli != 0
        && control->limit_milli >= rcv_failed_near_milli(control))
    {
        /* what is above has failed before: in small steps */
        control->mode = RCV_MODE_STEER;
        rcv_limit_set(control, rcv_failed_near_milli(control));
    }
}
