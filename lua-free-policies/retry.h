
/*
 * Retry-After as an appointment: when who is shed now will be let in.
 *
 * Each tick says for each class when all of it will have room, and how wide
 * a window those need who were told to come then: as many as are shed until
 * then have to fit into what there is to spare from then on.  A request's own
 * time lies between that of the class before and that of its class, by its
 * slot (cohort.h) where it has one, else by chance; then comes the window.
 */

#ifndef RCV_RETRY_H_INCLUDED_
#define RCV_RETRY_H_INCLUDED_


#include "state.h"


typedef struct {
    uint32_t             after_s;       /* within the policy's bounds */
    uint32_t             width_s;       /* at least 1 */
} rcv_appointment_t;


/* One tick of what service has climbed by lately. */
void rcv_climb_note(rcv_climb_t *climb, const rcv_state_t *state,
    const rcv_window_t *window);

/*
 * Of a class: while ramping from the schedule, and where places in flight
 * are what it waits for, from the climb; else, or while nobody knows how fast
 * that is, soon enough to notice.  before_s: of the class before, 0: none.
 */
rcv_appointment_t rcv_retry_appointment(const rcv_state_t *state,
    const rcv_policy_t *policy, const rcv_climb_t *climb,
    unsigned class_index, uint32_t before_s);

/*
 * In 16 bits, as it is published: 12 of after_s and 4 of the width, which is
 * rounded up to one of 16.
 */
uint16_t rcv_retry_pack(const rcv_appointment_t *appointment);

/*
 * Of a request, in seconds: within the policy's bounds, at least 1.  packed:
 * of all classes; cut: the gate's word; slot: RCV_COHORT_NONE has a random
 * one; random: 32 uniform bits.
 */
uint32_t rcv_retry_s(const rcv_policy_t *policy, const uint16_t *packed,
    uint64_t cut, unsigned class_index, unsigned slot, uint32_t random);


#endif /* RCV_RETRY_H_INCLUDED_ */
