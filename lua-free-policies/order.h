
/*
 * An operator's order to this nginx: JSON -> a checked order -> the state's
 * override.
 */

#ifndef RCV_ORDER_H_INCLUDED_
#define RCV_ORDER_H_INCLUDED_


#include "state.h"


#define RCV_ORDER_BODY_MAX  4096        /* bytes */


typedef enum {
    RCV_ACTION_FORCE = 0,               /* a value of "force" */
    RCV_ACTION_HEALTH,                  /* a value of "health" */
    RCV_ACTION_HOLD,                    /* the ramp stands still */
    RCV_ACTION_RESUME,                  /* a hold counts no more */
    RCV_ACTION_STEP_BACK,               /* half the level, and hold there */
    RCV_ACTION_PROMOTE,                 /* a class: let in on the floor */
    RCV_ACTION_CLEAR,                   /* all of this is over */
    RCV_ACTIONS
} rcv_action_t;

extern const char *const  rcv_action_names[RCV_ACTIONS];


typedef struct {
    rcv_action_t         action;
    uint64_t             left_ms;       /* 0: no end */
    uint32_t             force_ppm;
    uint32_t             health_ppm;
    rcv_force_t          force;
    rcv_health_t         health;
    rcv_safety_t         safety;

    /* with a NUL behind them; empty: not given */
    char                 backend[RCV_NAME_MAX + 1];
    char                 class_name[RCV_NAME_MAX + 1];
    char                 by[RCV_TEXT_MAX + 1];
    char                 reason[RCV_TEXT_MAX + 1];
} rcv_order_t;


/*
 * A body -> an order.  -1: error (of RCV_ERROR_MAX bytes) says what is wrong
 * and what is allowed.  unix_s is the clock that "until" is meant by.
 */
int rcv_order_parse(rcv_order_t *order, rcv_str_t body, uint64_t unix_s,
    char *error);


typedef enum {
    RCV_ORDER_OK = 0,
    RCV_ORDER_UNKNOWN_CLASS,
    RCV_ORDER_FAILING,                  /* by RCV_SAFETY_FAILING */
    RCV_ORDER_NO_HOLD                   /* nothing to resume from */
} rcv_order_result_t;

/*
 * Puts an order into the state, or refuses it and leaves the state alone.
 * The next tick acts on it.  text is where the caller has "by" and "reason".
 */
rcv_order_result_t rcv_order_apply(rcv_state_t *state,
    const rcv_policy_t *policy, const rcv_order_t *order, uint8_t text,
    uint64_t now_ms);


#endif /* RCV_ORDER_H_INCLUDED_ */
