
/*
 * One tick of one backend: aggregate in, allowance out.
 *
 *   effective health  ->  phase  ->  controller  ->  limits in order of
 *   precedence: force > quota and ceiling > health > schedule; of the last
 *   ones the lowest wins.
 */

#ifndef RCV_TICK_H_INCLUDED_
#define RCV_TICK_H_INCLUDED_


#include "budget.h"
#include "gate.h"
#include "state.h"
#include "window.h"


#define RCV_TICK_MS            100
#define RCV_TICK_QUIET_MS      1000
#define RCV_PROBES_IN_A_ROW    5
#define RCV_PROBE_IN_FLIGHT    2
#define RCV_PROBE_RATE_MILLI   2000     /* the floor is at least 2/s */
#define RCV_GOOD_TICKS         10
#define RCV_RELAPSE_RESULTS    20
#define RCV_GUARD_MIN          1024     /* in-flight guard in "up" */


typedef struct {
    rcv_phase_t          from;
    rcv_phase_t          to;
    rcv_why_t            why;
} rcv_change_t;

#define RCV_CHANGES_MAX  4


typedef struct {
    rcv_allowance_t      allowance;
    rcv_budget_t         retries;
    uint64_t             ceiling_milli;     /* schedule aside: what binds;
                                               RCV_UNLIMITED: nothing */
    uint16_t             retry[RCV_CLASSES_MAX];    /* rcv_retry_pack() */
    rcv_change_t         changes[RCV_CHANGES_MAX];
    unsigned             nchanges;
    unsigned             quiet;         /* the next tick may be a slow one */
    unsigned             refused;       /* the source's force, just now */
} rcv_tick_t;


/* Sets the state of a backend that has never been seen. */
void rcv_state_init(rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_limits_t *limits, uint64_t now_ms);

/*
 * state->signal is up to date (rcv_signal_update); source tells how fresh it
 * is.  now_ms may stand still or run back a little; never trusts it alone
 * for more than one tick of progress.  The round is the leader's own, kept
 * from tick to tick; zeros begin a new one.
 */
void rcv_tick(rcv_state_t *state, rcv_round_t *round,
    const rcv_policy_t *policy,
    const rcv_limits_t *limits, const rcv_source_t *source,
    const rcv_window_t *window, uint64_t now_ms, rcv_tick_t *out);

/* 0: the backend needs fast ticks: anything but a quiet "up". */
int rcv_state_quiet(const rcv_state_t *state);


#endif /* RCV_TICK_H_INCLUDED_ */
