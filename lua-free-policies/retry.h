
/*
 * Retry-After: when it is worth asking again.
 */

#ifndef RCV_RETRY_H_INCLUDED_
#define RCV_RETRY_H_INCLUDED_


#include "state.h"


/*
 * Forecast in seconds, without jitter, of when a class will be let in:
 * while ramping, the time until the schedule's level covers what this class
 * and those before it offer; while probing or down, unknown, so the middle
 * of the policy's bounds.  Within those bounds.
 */
uint32_t rcv_retry_after_s(const rcv_state_t *state,
    const rcv_policy_t *policy, unsigned class_index);

/*
 * The forecast spread over half to one and a half of itself, so that those
 * told to come back do not come back together; within the policy's bounds,
 * at least 1.  random: 32 uniform bits.
 */
uint32_t rcv_retry_jitter_s(const rcv_policy_t *policy, uint32_t forecast_s,
    uint32_t random);


#endif /* RCV_RETRY_H_INCLUDED_ */
