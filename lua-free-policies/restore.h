
/*
 * A backend's state -> what of it survives a restart, and back again.
 *
 * What comes back never allows more than what was written, nor more than the
 * state machine gives: of the backend's present nothing is known.
 *
 *                      up to RESUME_MS   up to OLD_MS    older
 *   references         as they were      as they were    as they were
 *   orders, epoch      with the time that is left
 *   health             as it was         as it was       nobody's opinion
 *   up, verifying,
 *   degraded           as it was         as it was       "initial" if up,
 *   ramping            at its level      probing           else probing, or
 *   probing, down      as it was         as it was         "initial" if down
 *   the cohorts' lots  as they were      as they were      drawn anew
 *
 * Counters, evidence and rows of good probes begin anew; so does the base of
 * the latency in a ramp, as in every ramp.  What a source said counts only
 * where there is one still to take it back.
 */

#ifndef RCV_RESTORE_H_INCLUDED_
#define RCV_RESTORE_H_INCLUDED_


#include "snapshot.h"


#define RCV_RESTORE_RESUME_MS  30000
#define RCV_RESTORE_OLD_MS     300000

/* Clocks of one machine are set by so much; more is the future. */
#define RCV_RESTORE_FUTURE_MS  2000


typedef enum {
    RCV_RESTORE_GOOD = 0,
    RCV_RESTORE_OLD,                    /* references and orders only */
    RCV_RESTORE_FUTURE                  /* not to be used at all */
} rcv_restore_t;

/* Of what was written then; *age_ms is not set for the future. */
rcv_restore_t rcv_restore_judge(uint64_t written_ms, uint64_t unix_ms,
    uint64_t *age_ms);

/* All but name, by and reason. */
void rcv_restore_take(rcv_snapshot_t *snapshot, const rcv_state_t *state,
    uint64_t now_ms);

/*
 * Into a state that has just been made by rcv_state_init(); told: there is a
 * source of health.  The first tick puts it into force.
 */
void rcv_restore_apply(rcv_state_t *state, const rcv_snapshot_t *snapshot,
    const rcv_policy_t *policy, const rcv_limits_t *limits, unsigned told,
    uint64_t age_ms, uint64_t now_ms);


/*
 * When to write again.  A mark is what was written last of one backend; what
 * has come to allow less must not be lost, the rest may lag behind.
 */

typedef struct {
    uint64_t             learned_milli;
    uint32_t             healthy_milli;
    uint32_t             level_ppm;
    uint32_t             limit_milli;
    uint32_t             words;         /* phase, health, orders */
} rcv_restore_mark_t;

typedef enum {
    RCV_DUE_NONE = 0,
    RCV_DUE_LATER,                      /* rises; references */
    RCV_DUE_SOON
} rcv_due_t;

void rcv_restore_mark(rcv_restore_mark_t *mark, const rcv_state_t *state);
rcv_due_t rcv_restore_due(const rcv_restore_mark_t *mark,
    const rcv_state_t *state);


#endif /* RCV_RESTORE_H_INCLUDED_ */
