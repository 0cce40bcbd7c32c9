
#include "state.h"


/* Rates for display are smoothed over so long. */
#define RCV_SMOOTH_MS      1000

/* Quantiles older than this say nothing about now. */
#define RCV_LATENCY_OLD_MS  5000


const char *const  rcv_why_texts[RCV_WHYS] = {
    "started; nothing has moved the limit yet",
    "the source says up",
    "the source says down",
    "the source says degraded",
    "the source says recovering",
    "enough probes in a row succeeded",
    "a probe failed; the row of successes starts again",
    "work is delivered; the limit follows the ramp's schedule",
    "no work was delivered; the ramp waits for evidence",
    "errors above what the policy allows; the ramp waits",
    "most requests failed while ramping; back to probing",
    "no fresh answer from the source; nothing rises",
    "the source is lost; the policy decides in its place",
    "the source is back",
    "a ceiling or quota binds",
    "the ramp is done; brakes stay armed while this is verified",
    "verified; full service",
    "an operator's force is in effect",
    "the operator's force has ended",
    "the backend answers no more, whatever the source says; it is probed",
    "a probe of the dead backend succeeded",
    "requests fail as load grows; the limit in flight is cut",
    "the cut did not help and is undone: load is not what makes them fail",
    "continued from the state file",
    "a force open was refused: the backend is failing",
    "a ceiling was raised or removed; the ramp goes on from there",
    "an operator stepped back; the limit stays there",
    "an operator let in more classes",
    "an operator's word on health counts, whatever the source says",
    "an operator's word on health has ended",
    "what the source says flaps; up counts when it has held for a while",
    "what the source says has held; up counts again",
    "the classes that an operator let in are as the phase has them again"
};


void
rcv_state_why(rcv_state_t *state, rcv_why_t why, uint64_t now_ms)
{
    if (state->why != why) {
        state->why = (uint8_t) why;
        state->why_ms = now_ms;
    }
}


rcv_why_t
rcv_state_news(const rcv_signal_t *before, const rcv_signal_t *now)
{
    static const rcv_why_t  said[RCV_HEALTHS] = {
        [RCV_HEALTH_UP] = RCV_WHY_HEALTH_UP,
        [RCV_HEALTH_DEGRADED] = RCV_WHY_HEALTH_DEGRADED,
        [RCV_HEALTH_DOWN] = RCV_WHY_HEALTH_DOWN,
        [RCV_HEALTH_RECOVERING] = RCV_WHY_HEALTH_RECOVERING,
    };

    if (before->health != RCV_HEALTH_NONE
        && (now->health != before->health
            || now->health_ppm != before->health_ppm))
    {
        return said[now->health];
    }

    if (now->ceiling_kind != before->ceiling_kind
        || now->ceiling != before->ceiling)
    {
        return (now->ceiling_kind == RCV_CEILING_NONE) ? RCV_WHY_CEILING_ENDED
                                                       : RCV_WHY_CEILING;
    }

    if (now->classes != before->classes) {
        return (now->classes == 0) ? RCV_WHY_PROMOTE_ENDED : RCV_WHY_PROMOTED;
    }

    return RCV_WHY_START;
}


int
rcv_state_failing(const rcv_state_t *state)
{
    return state->dead
           || state->control.cut_from_milli != 0
           || (state->phase == RCV_PHASE_PROBING
               && state->why == RCV_WHY_PROBE_FAILED)
           || (state->error_ppm != RCV_PPM_UNKNOWN
               && state->error_ppm > RCV_PPM / 2);
}


/* Moves at least one unit, so that it arrives. */

static uint64_t
state_smooth(uint64_t mean, uint64_t count, uint64_t dt_ms)
{
    uint64_t  sample, step, weight_ms;

    sample = rcv_mul_div(count, 1000 * RCV_MILLI, dt_ms);
    weight_ms = rcv_min(dt_ms, RCV_SMOOTH_MS);

    if (sample > mean) {
        step = rcv_mul_div(sample - mean, weight_ms, RCV_SMOOTH_MS);
        return mean + rcv_max(step, 1);
    }

    if (sample < mean) {
        step = rcv_mul_div(mean - sample, weight_ms, RCV_SMOOTH_MS);
        return mean - rcv_max(step, 1);
    }

    return mean;
}


static void
state_observe_rates(rcv_state_t *state, const rcv_window_t *window)
{
    uint64_t  failed, total;

    state->offered_milli = state_smooth(state->offered_milli,
                                        rcv_window_offered(window),
                                        window->dt_ms);
    state->delivered_milli = state_smooth(state->delivered_milli,
                                          window->results[RCV_RESULT_OK],
                                          window->dt_ms);

    failed = state_smooth(state->failed_milli, rcv_window_bad(window),
                          window->dt_ms);
    state->failed_milli = (uint32_t) rcv_min(failed, UINT32_MAX);

    total = rcv_add_sat(state->delivered_milli, state->failed_milli);

    state->error_ppm = (total == 0) ? RCV_PPM_UNKNOWN
                       : (uint32_t) rcv_mul_div(state->failed_milli, RCV_PPM,
                                                total);
}


static void
state_observe_latency(rcv_state_t *state, const rcv_window_t *window)
{
    uint64_t  p50_ms, p90_ms;

    p50_ms = rcv_latency_quantile_ms(window->latency, RCV_PPM / 2);
    p90_ms = rcv_latency_quantile_ms(window->latency, RCV_PPM / 10 * 9);

    if (p50_ms != RCV_UNLIMITED) {
        state->p50_ms = (uint32_t) p50_ms;
        state->p90_ms = (uint32_t) p90_ms;
        state->latency_age_ms = 0;
        return;
    }

    state->latency_age_ms =
        (uint16_t) rcv_min(rcv_add_sat(state->latency_age_ms, window->dt_ms),
                           RCV_LATENCY_OLD_MS);

    if (state->latency_age_ms == RCV_LATENCY_OLD_MS) {
        state->p50_ms = RCV_MS_UNKNOWN;
        state->p90_ms = RCV_MS_UNKNOWN;
    }
}


/*
 * The floor goes to the best class that is there: a service that has no
 * traffic of the first class must recover too.  Where nobody was there for a
 * while it goes to whoever comes, or a request every few seconds would find
 * it reserved each time.
 */

static void
state_observe_classes(rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_window_t *window)
{
    uint64_t  absent_ms, offered;
    unsigned  i, best, found;

    best = policy->nclasses - 1;
    found = 0;

    for (i = 0; i < policy->nclasses; i++) {

        offered = state_smooth(state->class_offered_milli[i],
                               window->offered[i], rcv_max(window->dt_ms, 1));
        state->class_offered_milli[i] = (uint32_t) rcv_min(offered,
                                                           UINT32_MAX);

        absent_ms = rcv_add_sat(state->absent_ms[i], window->dt_ms);

        if (window->offered[i] != 0) {
            absent_ms = 0;
        }

        state->absent_ms[i] = (uint16_t) rcv_min(absent_ms, UINT16_MAX);

        if (absent_ms < RCV_CLASS_ABSENT_MS && !found) {
            best = i;
            found = 1;
        }
    }

    state->class_max = (uint8_t) best;
}


void
rcv_state_observe(rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_window_t *window)
{
    state_observe_classes(state, policy, window);

    if (window->dt_ms == 0) {
        return;
    }

    state_observe_rates(state, window);
    state_observe_latency(state, window);
}
