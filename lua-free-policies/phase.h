
/*
 * The state machine: what a backend's phase is next.
 *
 *         down                 recovering, up          probes in a row
 *   any ---------> down -----------------> probing -------------------+
 *                                             ^ ^                     |
 *                              recovering (up,| | mostly errors       |
 *                              verifying)     | |                     v
 *   up <----------- verifying <---------------|-+------------------ ramping
 *    |  long enough     |                     |       done            |  ^
 *    +------------------+---------------------+                       |  |
 *    |    degraded      |                                             |  |
 *    +------------------+-----> degraded <----------------------------+  |
 *                                  |         done, still degraded        |
 *                                  +-------------------------------------+
 *                                    up, recovering, or less degraded
 *
 * Nothing leads from down to more than the floor, and nothing to up but a
 * ramp.
 */

#ifndef RCV_PHASE_H_INCLUDED_
#define RCV_PHASE_H_INCLUDED_


#include "state.h"


typedef struct {
    rcv_phase_t          phase;
    rcv_health_t         health;        /* the one that counts */
    unsigned             lost;          /* it is the policy's, not a source's */
    unsigned             back;          /* lost until now */
    unsigned             unheard;       /* an opinion from before a restart */
    unsigned             recovering;    /* the source has just said so */
    unsigned             less_degraded; /* than what is let in */
    unsigned             probes_ok;
    unsigned             relapse;
    unsigned             dead;          /* by what it answers, or not */
    unsigned             found_dead;    /* that is why it is down */
    unsigned             alive;         /* ... and a probe has succeeded */
    unsigned             ramp_done;
    unsigned             verified;
} rcv_phase_facts_t;


/* The phase after this tick; sets *why if it is another one.  Pure. */
rcv_phase_t rcv_phase_next(const rcv_phase_facts_t *facts, rcv_why_t *why);


#endif /* RCV_PHASE_H_INCLUDED_ */
