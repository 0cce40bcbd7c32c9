
#include "law.h"


/* Half a period of the wave: this, doubled while shorter than 3 bases. */
#define RCV_WAVE_MIN_MS     500
#define RCV_WAVE_MAX_MS     4000

/* A tenth of the limit up and down. */
#define RCV_WAVE_PPM        100000

/* Its means go over ten ticks. */
#define RCV_WAVE_WEIGHT     10

/* How often a tick of a half must fit into it. */
#define RCV_WAVE_TICKS      4

/* Where chance makes less than this a rising slope would show. */
#define RCV_FLAT_PPM        70000

/* A step of the limit, up or down. */
#define RCV_STEP_PPM        30000

/* ... and the part of it by which an idle queue is let run off. */
#define RCV_DRIFT_PART      6

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

/* In slow start, the part of those in flight that may be a queue. */
#define RCV_CROWDED_PART    3

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

/* The base per round: down to a lower latency, and up by itself. */
#define RCV_BASE_DOWN_PPM   30000
#define RCV_BASE_UP_PPM     100
#define RCV_BASE_FREE_PPM   10000

/* Of latency, what a round adds to its mean. */
#define RCV_LATENCY_WEIGHT  4


typedef enum {
    VEGAS_UNKNOWN = 0,
    VEGAS_FLAT,
    VEGAS_RISING,
    VEGAS_FALLING
} vegas_slope_t;


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


static uint64_t
wave_half_ms(const rcv_control_t *control, uint64_t dt_ms)
{
    uint64_t  half_ms, least_ms;

    least_ms = rcv_max((uint64_t) control->base_us * 3 / 1000,
                       dt_ms * RCV_WAVE_TICKS);
    half_ms = RCV_WAVE_MIN_MS;

    while (half_ms < least_ms && half_ms < RCV_WAVE_MAX_MS) {
        half_ms *= 2;
    }

    return half_ms;
}


void
rcv_wave_note(rcv_control_t *control, const rcv_round_t *round,
    const rcv_control_facts_t *facts, const rcv_window_t *window)
{
    uint32_t  *mean_micro;
    uint64_t   at_ms, half_ms, ok_micro;

    if (control->mode != RCV_MODE_STEER || round->shed == 0
        || window->dt_ms == 0)
    {
        return;
    }

    half_ms = wave_half_ms(control, window->dt_ms);
    at_ms = rcv_since(facts->now_ms, window->dt_ms / 2);

    if (at_ms % half_ms <= rcv_min(control->base_us / 1000, 1000)) {
        /* those who come back now were let in before */
        return;
    }

    mean_micro = (at_ms / half_ms % 2 != 0) ? &control->high_micro
                                            : &control->low_micro;

    ok_micro = rcv_mul_div(window->results[RCV_RESULT_OK], 1000000,
                           window->dt_ms);
    ok_micro = rcv_min(ok_micro, UINT32_MAX);

    if (*mean_micro == 0) {
        *mean_micro = (uint32_t) ok_micro;

    } else {
        *mean_micro = (uint32_t) (((uint64_t) *mean_micro
                                   * (RCV_WAVE_WEIGHT - 1) + ok_micro)
                                  / RCV_WAVE_WEIGHT);
    }
}


uint64_t
rcv_wave_limit_milli(const rcv_control_t *control, uint64_t now_ms,
    uint64_t dt_ms)
{
    uint64_t  swing_milli;

    if (control->mode != RCV_MODE_STEER || control->cut_from_milli != 0) {
        return control->limit_milli;
    }

    swing_milli = rcv_mul_div(control->limit_milli, RCV_WAVE_PPM, RCV_PPM);

    if (now_ms / wave_half_ms(control, dt_ms) % 2 != 0) {
        return control->limit_milli + swing_milli;
    }

    return control->limit_milli - swing_milli;
}


/*
 * Do more in flight deliver more?  (a - b)/(a + b) is compared with what
 * chance makes of as many.
 */

static vegas_slope_t
wave_slope(const rcv_control_t *control)
{
    uint64_t  sum, apart, n, th_ppm;

    sum = (uint64_t) control->high_micro + control->low_micro;

    if (control->high_micro == 0 || control->low_micro == 0) {
        return VEGAS_UNKNOWN;
    }

    apart = (control->high_micro > control->low_micro)
            ? control->high_micro - control->low_micro
            : control->low_micro - control->high_micro;

    /* .35 / sqrt(results of 100 ms in both halves), at least 3 % */

    n = rcv_max(sum / 10000, 1);

    for (th_ppm = 30000; th_ppm * th_ppm / 1000000 * n < 122500
                         && th_ppm < RCV_PPM; th_ppm += 5000)
    {
        /* void */
    }

    if (apart * RCV_PPM <= th_ppm * sum) {
        return (th_ppm <= RCV_FLAT_PPM) ? VEGAS_FLAT : VEGAS_UNKNOWN;
    }

    return control->high_micro > control->low_micro ? VEGAS_RISING
                                                    : VEGAS_FALLING;
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
 * More in flight than what is delivered keeps busy: latency shows that as
 * well, but only when those who wait have been answered.
 */

static int
vegas_crowded(const rcv_control_t *control, const rcv_round_t *round)
{
    uint64_t  in_flight_milli, busy_milli, queue_milli;

    in_flight_milli = rcv_mul_div(round->busy_ms, RCV_MILLI,
                                  rcv_max(round->dt_ms, 1));
    busy_milli = rcv_mul_div(rcv_add_sat(round->ok, round->bad),
                             control->base_us, rcv_max(round->dt_ms, 1));
    queue_milli = rcv_since(in_flight_milli, busy_milli);

    return queue_milli >= RCV_QUEUE_SHORT * RCV_MILLI
           && queue_milli >= in_flight_milli / RCV_CROWDED_PART;
}


static void
vegas_slow_start(rcv_control_t *control, const rcv_round_t *round, int used,
    int step, int hold)
{
    if (step > 0 && vegas_crowded(control, round)) {
        step = 0;
    }

    if (step <= 0) {
        control->mode = RCV_MODE_STEER;

        if (step < 0) {
            rcv_limit_set(control, (uint64_t) control->limit_milli * 2 / 3);
        }

        return;
    }

    if (hold || !used) {
        return;
    }

    rcv_limit_set(control, (uint64_t) control->limit_milli * 3 / 2);
    rcv_limit_wait(control, rcv_min(control->latency_us, 1000000));

    if (control->failed_milli != 0
        && control->limit_milli >= control->failed_milli / 2)
    {
        /* what is above has failed before: in small steps */
        control->mode = RCV_MODE_STEER;
    }
}


/*
 * The slope outranks latency: nothing else tells work that takes long from
 * work that waits.  Where it is flat there is nothing to win above, and a
 * base that was learned cold would let the limit follow it for ever.
 */

static void
vegas_steer(rcv_control_t *control, const rcv_round_t *round, int used,
    int step, vegas_slope_t slope, int hold)
{
    uint64_t  change_milli, times;

    if (slope == VEGAS_RISING) {
        step = 1;

    } else if (slope == VEGAS_FALLING) {
        step = -1;
    }

    if (vegas_dip(control, round, step) || !used || (hold && step > 0)) {
        return;
    }

    change_milli = rcv_mul_div(control->limit_milli, RCV_STEP_PPM, RCV_PPM);

    if (step < 0) {
        rcv_limit_set(control, control->limit_milli - change_milli);

    } else if (step == 0) {

        if (slope == VEGAS_FLAT) {
            /* a short queue that nothing is won by */
            rcv_limit_set(control, control->limit_milli
                                   - change_milli / RCV_DRIFT_PART);
        }

    } else if (slope != VEGAS_FLAT) {
        times = rcv_min(round->dt_ms / RCV_STEP_MS,
                        round->works / RCV_STEP_WORKS);
        times = rcv_min(rcv_max(times, 1), RCV_STEP_TIMES);

        rcv_limit_set(control, control->limit_milli + change_milli * times);
    }
}


int
rcv_vegas(rcv_control_t *control, const rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts)
{
    int            used, limited, step;
    uint64_t       latency_us;
    vegas_slope_t  slope;

    if (round->works < RCV_ROUND_WORKS_MIN) {
        return 1;
    }

    latency_us = rcv_min(rcv_round_latency_us(round), UINT32_MAX);
    limited = (round->shed != 0);
    used = limited || facts->verified
           || round->in_flight_max * 2 * RCV_MILLI >= control->limit_milli;

    if (control->base_us == 0) {
        /* the quick ones come back first: by Little's law as well */
        latency_us = rcv_max(latency_us, round->busy_ms * 1000
                                         / round->works);
        latency_us = rcv_min(latency_us, UINT32_MAX);

        if (round->dt_ms < RCV_BASE_MS
            && round->dt_ms * 1000 < 2 * latency_us)
        {
            return 0;
        }

        control->base_us = (uint32_t) latency_us;
        control->latency_us = (uint32_t) latency_us;
    }

    control->latency_us =
        (uint32_t) (((uint64_t) control->latency_us
                     * (RCV_LATENCY_WEIGHT - 1) + latency_us)
                    / RCV_LATENCY_WEIGHT);

    slope = wave_slope(control);
    vegas_base(control, slope == VEGAS_RISING || !limited);
    step = vegas_queue(control, round, policy);

    if (!limited || control->mode != RCV_MODE_STEER) {
        control->high_micro = 0;
        control->low_micro = 0;
    }

    if (control->mode == RCV_MODE_SLOW_START) {
        vegas_slow_start(control, round, used, step, (int) facts->hold);

    } else if (control->mode == RCV_MODE_STEER) {
        vegas_steer(control, round, used, step, slope, (int) facts->hold);

    } else {
        vegas_engage(control, round, policy, facts);
    }

    return 1;
}
