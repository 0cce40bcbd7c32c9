
/*
 * The schedule: how far a ramp may be after so much time on its own clock.
 * It is a ceiling that an operator can read and promise, not a controller.
 */

#ifndef RCV_RAMP_H_INCLUDED_
#define RCV_RAMP_H_INCLUDED_


#include "policy.h"


/* A level beyond 100 x the reference means nothing any more. */
#define RCV_LEVEL_MAX_PPM  (100u * RCV_PPM)

/*
 * Level (ppm of the reference) after ramp_ms.  Never falls with time.  Past
 * 100 % it goes on: doubling ("double", and "steps" with the time of its
 * last timed step), or at the same slope ("over").
 */
uint32_t rcv_ramp_level_ppm(const rcv_ramp_t *ramp, uint64_t ramp_ms);

/* The first ramp_ms at which the level is reached. */
uint64_t rcv_ramp_time_ms(const rcv_ramp_t *ramp, uint32_t level_ppm);


#endif /* RCV_RAMP_H_INCLUDED_ */
