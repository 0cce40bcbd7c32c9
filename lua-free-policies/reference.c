
#include "reference.h"
#include "gate.h"


/*
 * Peaks fall to half in an hour, a minute at a time: by 1 - 2^(-1/60) each.
 * Tick by tick the fall would be less than the smallest unit.
 */
#define RCV_DECAY_STEP_MS  60000
#define RCV_DECAY_PPM      11486

/* Latency so much above its base is that of a queue. */
#define RCV_QUEUED_MILLI  1500

#define RCV_MICRO_PER_MILLI  1000u


static uint64_t
reference_decayed(uint64_t peak)
{
    if (peak == 0) {
        return 0;
    }

    return peak - rcv_max(rcv_mul_div(peak, RCV_DECAY_PPM, RCV_PPM), 1);
}


static void
reference_decay(rcv_state_t *state, uint64_t dt_ms)
{
    dt_ms += state->decay_ms;

    while (dt_ms >= RCV_DECAY_STEP_MS) {
        dt_ms -= RCV_DECAY_STEP_MS;
        state->learned_milli = reference_decayed(state->learned_milli);
        state->healthy_milli =
            (uint32_t) reference_decayed(state->healthy_milli);
    }

    state->decay_ms = (uint32_t) dt_ms;
}


/*
 * A moving average over time.  In its first minute it weighs all it has seen
 * alike, so that it is near the truth at once; and there is no peak yet,
 * since the peak of the first second is noise that would stay for an hour.
 */

static void
reference_learn_rate(rcv_state_t *state, const rcv_window_t *window,
    uint64_t dt_ms)
{
    uint64_t  sample_micro, weight_ms;

    sample_micro = rcv_mul_div(window->cost_milli,
                               RCV_MICRO_PER_MILLI * 1000, dt_ms);
    sample_micro = rcv_min(sample_micro,
                           RCV_RATE_MAX_MILLI * RCV_MICRO_PER_MILLI);

    state->learned_ms = (uint32_t) rcv_min(state->learned_ms + dt_ms,
                                           UINT32_MAX);
    state->learned_requests =
        (uint32_t) rcv_min(rcv_add_sat(state->learned_requests,
                                       rcv_window_passed(window)),
                           UINT32_MAX);

    weight_ms = rcv_max(rcv_min(state->learned_ms, RCV_MEAN_MS), dt_ms);

    if (sample_micro >= state->mean_micro) {
        state->mean_micro += rcv_mul_div(sample_micro - state->mean_micro,
                                         dt_ms, weight_ms);
    } else {
        state->mean_micro -= rcv_mul_div(state->mean_micro - sample_micro,
                                         dt_ms, weight_ms);
    }

    if (state->learned_ms < RCV_LEARNED_MIN_MS
        || state->learned_requests < RCV_LEARNED_REQUESTS)
    {
        return;
    }

    if (state->learned_ms < RCV_MEAN_MS) {
        state->learned_milli = 0;
    }

    state->learned_milli = rcv_max(state->learned_milli,
                                   state->mean_micro / RCV_MICRO_PER_MILLI);
}


/*
 * The number in flight is sampled at the end of the window, and reckoned
 * from the latencies (Little's law) for what comes and goes in between.
 * A window that delivers less than half of what it let in is a backend that
 * has just begun to stall: its queue is not what is normal.
 */

static void
reference_learn_in_flight(rcv_state_t *state, const rcv_window_t *window)
{
    uint64_t  busy_milli, sample_milli, ok;

    ok = window->results[RCV_RESULT_OK];

    if (ok == 0 || ok < rcv_window_passed(window) / 2) {
        return;
    }

    if (state->control.base_us != 0
        && (uint64_t) state->control.latency_us * 1000
           > (uint64_t) state->control.base_us * RCV_QUEUED_MILLI)
    {
        /* what is in flight now waits: the guard would follow the queue */
        return;
    }

    /* us of work in a ms of time are thousandths of a request */

    busy_milli = rcv_mul_sat(window->latency_sum_us, 2)
                 / rcv_max(window->dt_ms, 1);

    sample_milli = rcv_max((uint64_t) window->in_flight * RCV_MILLI,
                           busy_milli);
    sample_milli = rcv_min(sample_milli, UINT32_MAX - RCV_MILLI);

    state->healthy_milli = (uint32_t) rcv_max(state->healthy_milli,
                                              sample_milli);
}


void
rcv_reference_learn(rcv_state_t *state, const rcv_window_t *window)
{
    uint64_t  dt_ms, results;

    if (window->dt_ms == 0) {
        return;
    }

    results = rcv_window_results(window);

    if (rcv_mul_div(rcv_window_bad(window), RCV_PPM, rcv_max(results, 1))
        > RCV_LEARN_ERRORS_PPM)
    {
        state->gap_ms = 0;
        return;
    }

    /*
     * Ticks without traffic count with the next one that has some: two
     * requests a second are not ten in every fifth tick.  A long silence is
     * not learned: at night the backend is not smaller.
     */

    dt_ms = rcv_add_sat(window->dt_ms, state->gap_ms);
    dt_ms = rcv_min(dt_ms, rcv_max(RCV_LEARN_GAP_MAX_MS, window->dt_ms));

    if (rcv_window_passed(window) == 0) {
        state->gap_ms = (uint32_t) rcv_min(dt_ms, RCV_LEARN_GAP_MAX_MS);
        return;
    }

    state->gap_ms = 0;

    reference_decay(state, rcv_min(dt_ms, RCV_LEARN_GAP_MAX_MS));
    reference_learn_rate(state, window, dt_ms);
    reference_learn_in_flight(state, window);
}


void
rcv_reference_apply(rcv_state_t *state, const rcv_limits_t *limits)
{
    uint64_t  in_flight;

    state->reference_milli = (limits->capacity_milli != 0)
                             ? limits->capacity_milli : state->learned_milli;
    state->reference_milli = rcv_min(state->reference_milli,
                                     RCV_RATE_MAX_MILLI);

    in_flight = ((uint64_t) state->healthy_milli + RCV_MILLI - 1) / RCV_MILLI;

    state->healthy_in_flight = (uint32_t) rcv_min(in_flight,
                                                  RCV_IN_FLIGHT_MAX);
}
