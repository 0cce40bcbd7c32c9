
/*
 * What is normal: the backend's rate and its number in flight, learned while
 * it is up.  The shell and the ramp read state->reference_milli and
 * state->healthy_in_flight; 0 means unknown.
 */

#ifndef RCV_REFERENCE_H_INCLUDED_
#define RCV_REFERENCE_H_INCLUDED_


#include "state.h"


#define RCV_MEAN_MS            60000    /* time constant of the mean */
#define RCV_LEARNED_MIN_MS     1000
#define RCV_LEARNED_REQUESTS   10
#define RCV_LEARN_ERRORS_PPM   100000   /* worse ticks teach nothing */
#define RCV_LEARN_GAP_MAX_MS   10000    /* longer silence is no traffic */


/*
 * One tick of a healthy backend.  Not to be called while something else than
 * demand decides how much passes: what is held down by an operator would be
 * learned as normal.
 */
void rcv_reference_learn(rcv_state_t *state, const rcv_window_t *window);

/* Puts the reference into force: the configured one, else what is learned. */
void rcv_reference_apply(rcv_state_t *state, const rcv_limits_t *limits);


#endif /* RCV_REFERENCE_H_INCLUDED_ */
