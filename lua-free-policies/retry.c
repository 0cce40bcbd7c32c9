
#include "retry.h"
#include "allow.h"
#include "ramp.h"


static uint64_t
retry_min_s(const rcv_policy_t *policy)
{
    return rcv_max(policy->retry_after_min_s, 1);
}


static uint64_t
retry_max_s(const rcv_policy_t *policy)
{
    return rcv_max(policy->retry_after_max_s, retry_min_s(policy));
}


/* Nobody knows when: soon enough to notice, not so often as to hurt. */

static uint64_t
retry_unknown_s(const rcv_policy_t *policy)
{
    return retry_min_s(policy)
           + (retry_max_s(policy) - retry_min_s(policy)) / 4;
}


/* The level at which a class and all before it have room. */

static uint64_t
retry_level_ppm(const rcv_state_t *state, unsigned class_index)
{
    uint64_t  offered_milli;
    unsigned  i;

    offered_milli = 0;

    for (i = 0; i <= class_index && i < RCV_CLASSES_MAX; i++) {
        offered_milli += state->class_offered_milli[i];
    }

    return rcv_mul_div(offered_milli, RCV_PPM, state->reference_milli);
}


static uint64_t
retry_ramping_s(const rcv_state_t *state, const rcv_policy_t *policy,
    unsigned class_index)
{
    uint64_t  level_ppm, at_ms;

    if (state->reference_milli == 0) {
        return retry_unknown_s(policy);
    }

    level_ppm = rcv_min(retry_level_ppm(state, class_index),
                        RCV_LEVEL_MAX_PPM);

    if (level_ppm <= state->control.level_ppm) {
        return 0;
    }

    at_ms = rcv_ramp_time_ms(&policy->ramp, (uint32_t) level_ppm);

    return (rcv_since(at_ms, state->control.ramp_ms) + 999) / 1000;
}


uint32_t
rcv_retry_after_s(const rcv_state_t *state, const rcv_policy_t *policy,
    unsigned class_index)
{
    uint64_t  wait_s;

    if (rcv_allow_shut(state)) {
        wait_s = retry_unknown_s(policy);

    } else {

        switch (state->phase) {

        case RCV_PHASE_DOWN:
        case RCV_PHASE_PROBING:
            wait_s = retry_unknown_s(policy);
            break;

        case RCV_PHASE_RAMPING:
            wait_s = retry_ramping_s(state, policy, class_index);
            break;

        default:
            wait_s = 0;
            break;
        }
    }

    wait_s = rcv_max(wait_s, retry_min_s(policy));

    return (uint32_t) rcv_min(wait_s, retry_max_s(policy));
}


/* Uniform within what the bounds leave: at a bound nobody clumps. */

uint32_t
rcv_retry_jitter_s(const rcv_policy_t *policy, uint32_t forecast_s,
    uint32_t random)
{
    uint64_t  low, high;

    low = rcv_max(forecast_s / 2, retry_min_s(policy));
    high = rcv_min(((uint64_t) forecast_s * 3 + 1) / 2, retry_max_s(policy));

    low = rcv_min(low, retry_max_s(policy));
    high = rcv_max(high, low);

    return (uint32_t) (low + (((high - low + 1) * random) >> 32));
}
