
#include "law.h"


/* A step of the limit, up or down. */
#define RCV_STEP_PPM        30000

/* ... up: in parts, where the slope is known, or where it failed lately. */
#define RCV_STEP_STEEP_PART   2
#define RCV_STEP_KNOWN_PART   3
#define RCV_STEP_FAILED_PART  10

/* A round of more time and results goes up by so many of them. */
#define RCV_STEP_MS         100
#define RCV_STEP_WORKS      6
#define RCV_STEP_TIMES      5

/* Less than the first in the queue is none, less than the other a short one. */
#define RCV_QUEUE_SHORT     3
#define RCV_QUEUE_LONG      6

/* What latency may be above its base, in parts of what counts as damage. */
#define RCV_GROW_PART       5
#define RCV_SHRINK_PART     2

/* Chance makes of the mean of n latencies so much, by sqrt(n), of the base. */
#define RCV_CHANCE_MILLI    2500

/* So many times the healthy number in flight, and so many, is a crowd. */
#define RCV_CROWD           2
#define RCV_CROWD_MIN       5

/* A dip that took the limit so low has shown whether latency follows. */
#define RCV_DIP_PPM         700000
#define RCV_DIP_HELPED_PPM  900000

/* Where one in so many left, latency is their patience and tells nothing. */
#define RCV_DIP_GONE_PART   20

/* The first latency of a ramp needs so long, or twice itself. */
#define RCV_BASE_MS         3000

/* ... and is the mean of so many. */
#define RCV_BASE_WORKS      40

/* The base per round: down to a lower latency, and up by itself. */
#define RCV_BASE_DOWN_PPM   30000
#define RCV_BASE_UP_PPM     100
#define RCV_BASE_FREE_PPM   10000

/* Of latency, what a round adds to its mean. */
#define RCV_LATENCY_WEIGHT  4


void
rcv_limit_set(rcv_control_t *control, uint64_t limit_milli)
{
    limit_milli = rcv_max(limit_milli, RCV_LIMIT_MIN_MILLI);

    control->limit_milli = (uint32_t) rcv_min(limit_milli,
                                              RCV_LIMIT_MAX_MILLI);
}


void
rcv_limit_wait(rcv_control_t *control, uint64_t us)
{
    control->wait_ms = (uint16_t) rcv_min(us / 1000, 1500);
}


/* Latency and base are as sure as the fewer that they are made of. */

static uint64_t
vegas_works(const rcv_round_t *round)
{
    return (round->base_works != 0)
           ? rcv_min(round->works, round->base_works) : round->works;
}


/* What queues behind those that are worked on, by Little's law. */

static int
vegas_queue(const rcv_control_t *control, const rcv_round_t *round,
    const rcv_policy_t *policy)
{
    uint64_t  busy_milli, queue_milli, above_us, damage_us, latency_us;

    busy_milli = round->work_us / rcv_max(round->dt_ms, 1);
    latency_us = control->latency_us;

    if (control->mode == RCV_MODE_SLOW_START) {
        /* it doubles faster than a mean follows */
        latency_us = rcv_max(latency_us, rcv_round_latency_us(round));
    }

    above_us = rcv_since(latency_us, control->base_us);
    queue_milli = rcv_mul_div(busy_milli, above_us, latency_us);

    if (control->mode == RCV_MODE_SLOW_START
        && rcv_mul_div(control->base_us, RCV_CHANCE_MILLI, RCV_MILLI)
           > above_us * rcv_sqrt(vegas_works(round) * 1000000) / 1000)
    {
        /* so much above the base is chance, where hits and misses mix */
        return 1;
    }

    damage_us = rcv_mul_div(control->base_us,
                            rcv_since(policy->feedback_latency_milli, 1000),
                            1000);

    if (queue_milli < RCV_QUEUE_SHORT * RCV_MILLI
        || above_us < damage_us / RCV_GROW_PART)
    {
        return 1;
    }

    if (queue_milli > RCV_QUEUE_LONG * RCV_MILLI
        && above_us > damage_us / RCV_SHRINK_PART)
    {
        return -1;
    }

    return 0;
}


static void
vegas_base(rcv_control_t *control, int free)
{
    uint64_t  base_us;

    base_us = control->base_us;

    if (control->latency_us < base_us) {
        base_us -= rcv_mul_div(base_us, RCV_BASE_DOWN_PPM, RCV_PPM);
        base_us = rcv_max(base_us, control->latency_us);

    } else {
        base_us += rcv_mul_div(base_us, free ? RCV_BASE_FREE_PPM
                                             : RCV_BASE_UP_PPM, RCV_PPM);
        base_us = rcv_min(base_us, control->latency_us);
    }

    control->base_us = (uint32_t) rcv_max(base_us, 1);
}


/*
 * The first latencies of a ramp, when next to nothing is in flight: their
 * mean is the base.  The quick ones come back first, so that for a while
 * there is what the probes took, or nothing.  1: there is a base.
 */

static int
vegas_first_base(rcv_control_t *control, rcv_round_t *round)
{
    uint64_t  latency_us, works, base_us;

    latency_us = rcv_min(rcv_round_latency_us(round), UINT32_MAX);

    if (control->base_us == 0) {

        if (round->dt_ms < RCV_BASE_MS
            && round->dt_ms * 1000 < 2 * latency_us)
        {
            return 0;
        }

        control->base_us = (uint32_t) latency_us;
        control->latency_us = (uint32_t) latency_us;
        round->base_works = round->works;

    } else if (round->base_works != 0
               && round->age_ms * 1000 >= 2 * (uint64_t) control->base_us)
    {
        works = round->base_works + round->works;
        base_us = (control->base_us * round->base_works
                   + latency_us * round->works) / works;

        control->base_us = (uint32_t) rcv_max(base_us, 1);
        round->base_works = (works < RCV_BASE_WORKS) ? works : 0;
    }

    return 1;
}


/*
 * Latency cuts step by step.  Where it did not fall with the limit, it is
 * not a queue: that is how long the work takes now.  Learn it, and undo.
 */

static int
vegas_dip(rcv_control_t *control, const rcv_round_t *round, int step)
{
    uint64_t  latency_us;

    if (control->dip_low) {
        control->dip_low = 0;
        latency_us = rcv_min(rcv_round_latency_us(round), UINT32_MAX);

        if (latency_us > rcv_mul_div(control->dip_us, RCV_DIP_HELPED_PPM,
                                     RCV_PPM)
            && round->gone * RCV_DIP_GONE_PART < round->works)
        {
            control->base_us = (uint32_t) latency_us;
            rcv_limit_set(control, control->dip_from_milli);
        }

        control->dip_from_milli = 0;

        return 1;
    }

    if (step >= 0) {
        control->dip_from_milli = 0;
        return 0;
    }

    if (control->dip_from_milli == 0) {
        control->dip_from_milli = control->limit_milli;
        control->dip_us = control->latency_us;

    } else if (control->limit_milli
               <= rcv_mul_div(control->dip_from_milli, RCV_DIP_PPM, RCV_PPM))
    {
        control->dip_low = 1;
        rcv_limit_wait(control, 2 * (uint64_t) control->latency_us);
        return 1;
    }

    return 0;
}


/*
 * Full service with the guard alone: far more in flight than ever in health,
 * and latency has grown with them.  From here the limit steers, beginning
 * with what is there; the dip will show whether it is a queue.
 */

static void
vegas_engage(rcv_control_t *control, const rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts)
{
    uint64_t  healthy;

    healthy = facts->healthy_in_flight;

    if (healthy == 0
        || round->in_flight_max < healthy * RCV_CROWD + RCV_CROWD_MIN
        || vegas_queue(control, round, policy) >= 0)
    {
        return;
    }

    control->mode = RCV_MODE_STEER;
    rcv_limit_set(control, rcv_max(healthy, round->in_flight_max / 2)
                           * RCV_MILLI);
}


/*
 * A step up in so many parts of the whole one.  What has failed lately may
 * have been chance: it is forgotten once the wave has shown more.
 */

static unsigned
vegas_step_part(rcv_control_t *control, const rcv_wave_t *wave)
{
    int  known, steep;

    known = (wave->halves >= RCV_WAVE_KNOWN);
    steep = rcv_wave_steep(control, wave);

    if (known || steep || control->limit_milli > control->failed_milli) {
        control->failed_milli = 0;
    }

    if (steep) {
        return RCV_STEP_STEEP_PART;
    }

    if (control->failed_milli != 0
        && control->limit_milli > rcv_failed_near_milli(control))
    {
        return RCV_STEP_FAILED_PART;
    }

    return known ? RCV_STEP_KNOWN_PART : 1;
}


static void
vegas_rise(rcv_control_t *control, const rcv_round_t *round)
{
    uint64_t  change_milli, times;

    times = rcv_min(round->dt_ms / RCV_STEP_MS,
                    round->works / RCV_STEP_WORKS);
    times = rcv_min(rcv_max(times, 1), RCV_STEP_TIMES);

    change_milli = rcv_mul_div(control->limit_milli, RCV_STEP_PPM * times,
                               RCV_PPM);
    change_milli /= vegas_step_part(control, &round->wave);

    rcv_limit_set(control, control->limit_milli + change_milli);
}


/*
 * The slope outranks latency: nothing else tells work that takes long from
 * work that waits.  Where it is flat there is nothing to win above, and a
 * base that was learned cold would let the limit follow it for ever.
 */

static void
vegas_steer(rcv_control_t *control, rcv_round_t *round, int step, int used,
    int hold)
{
    rcv_slope_t  slope;

    slope = rcv_wave_slope(control, &round->wave);

    if (slope == RCV_SLOPE_RISING && step < 0) {
        step = 0;
    }

    if (vegas_dip(control, round, step) || !used) {
        return;
    }

    rcv_wave_move(control, &round->wave, hold);

    if (step < 0) {
        rcv_limit_set(control, control->limit_milli
                               - rcv_mul_div(control->limit_milli,
                                             RCV_STEP_PPM, RCV_PPM));

    } else if (step > 0 && !hold
               && (slope == RCV_SLOPE_UNKNOWN
                   || rcv_wave_steep(control, &round->wave)))
    {
        vegas_rise(control, round);
    }
}


int
rcv_vegas(rcv_control_t *control, rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts)
{
    int       free, used, limited, step;
    uint64_t  latency_us;
    if (round->works < RCV_ROUND_WORKS_MIN) {
        return 1;
    }

    latency_us = rcv_min(rcv_round_latency_us(round), UINT32_MAX);
    limited = (round->shed != 0);
    used = limited || facts->verified
           || round->in_flight_max * 2 * RCV_MILLI >= control->limit_milli;

    if (!vegas_first_base(control, round)) {
        return 0;
    }

    control->latency_us =
        (uint32_t) (((uint64_t) control->latency_us
                     * (RCV_LATENCY_WEIGHT - 1) + latency_us)
                    / RCV_LATENCY_WEIGHT);

    free = (control->mode != RCV_MODE_WIDE
            && (!limited || rcv_wave_slope(control, &round->wave)
                            == RCV_SLOPE_RISING));
    vegas_base(control, free);
    step = vegas_queue(control, round, policy);

    if (control->mode == RCV_MODE_SLOW_START) {

        if (step <= 0) {
            rcv_start_over(control, round);
        }

    } else if (control->mode == RCV_MODE_STEER) {
        vegas_steer(control, round, step, used, (int) facts->hold);

    } else {
        vegas_engage(control, round, policy, facts);
    }

    return 1;
}
