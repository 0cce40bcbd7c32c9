
#include "budget.h"


/*
 * Of what was delivered, failures beyond those that load does not cause: who
 * failed is who retries, and so few make no storm.  In a second, at least.
 */
#define RCV_BUDGET_FAILED_PART       20
#define RCV_BUDGET_FAILED_MIN_MILLI  (5 * RCV_MILLI)

/* Times the healthy number in flight: demand alone may well double it. */
#define RCV_BUDGET_CROWD      4
#define RCV_BUDGET_CROWD_MIN  10

/* Clients who left are counted as if a tick were at least this long. */
#define RCV_BUDGET_GONE_MS    1000


static int
budget_failing(const rcv_state_t *state, const rcv_window_t *window)
{
    uint64_t  failed_milli, excused_milli, gone_milli;

    gone_milli = rcv_mul_div(window->gone, 1000 * RCV_MILLI,
                             rcv_max(window->dt_ms, RCV_BUDGET_GONE_MS));

    failed_milli = rcv_add_sat(state->failed_milli, gone_milli);
    excused_milli = rcv_mul_div(rcv_add_sat(state->delivered_milli,
                                            state->failed_milli),
                                state->control.background_ppm, RCV_PPM);

    return rcv_since(failed_milli, excused_milli)
           > rcv_max(state->delivered_milli / RCV_BUDGET_FAILED_PART,
                     RCV_BUDGET_FAILED_MIN_MILLI);
}


/*
 * Full service, and no sign that it may end.  What the budget itself sheds is
 * none: it would keep itself in force.
 */

static int
budget_calm(const rcv_state_t *state, const rcv_window_t *window,
    const rcv_round_t *round)
{
    if (state->phase != RCV_PHASE_VERIFYING
        && (state->phase != RCV_PHASE_UP
            || state->control.mode != RCV_MODE_WIDE))
    {
        return 0;
    }

    if (rcv_window_shed(window) > window->shed_retries
        || round->silent_ms != 0)
    {
        return 0;
    }

    if (state->healthy_in_flight != 0
        && window->in_flight > rcv_max((uint64_t) state->healthy_in_flight
                                       * RCV_BUDGET_CROWD,
                                       RCV_BUDGET_CROWD_MIN))
    {
        return 0;
    }

    return !budget_failing(state, window);
}


void
rcv_budget_tick(rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_window_t *window, const rcv_round_t *round, uint64_t dt_ms,
    rcv_budget_t *budget)
{
    uint64_t  calm_ms, earned_milli, most_milli;

    calm_ms = 0;

    if (budget_calm(state, window, round)) {
        calm_ms = rcv_min(rcv_add_sat(state->calm_ms, dt_ms),
                          RCV_BUDGET_CALM_MS);
    }

    state->calm_ms = (uint16_t) calm_ms;

    *budget = (rcv_budget_t) { 0 };

    if (!policy->retries || calm_ms == RCV_BUDGET_CALM_MS) {
        return;
    }

    earned_milli = rcv_mul_div(rcv_mul_sat(window->results[RCV_RESULT_OK],
                                           RCV_MILLI),
                               policy->retries_budget_ppm, RCV_PPM);
    earned_milli = rcv_max(earned_milli, RCV_BUDGET_FLOOR_MILLI * dt_ms
                                         / 1000);

    most_milli = rcv_mul_div(rcv_mul_div(state->delivered_milli,
                                         policy->retries_budget_ppm,
                                         RCV_PPM),
                             RCV_BUDGET_BURST_MS, 1000);
    most_milli = rcv_max(most_milli,
                         (uint64_t) policy->nclasses * RCV_MILLI);

    budget->on = 1;
    budget->add_milli = (uint32_t) rcv_min(earned_milli, RCV_BUDGET_MAX);
    budget->most_milli = (uint32_t) rcv_min(most_milli, RCV_BUDGET_MAX);
}


void
rcv_budget_fill(rcv_gate_t *gate, const rcv_budget_t *budget)
{
    int32_t  held_milli, next_milli, most_milli;
    int64_t  sum_milli;

    most_milli = (int32_t) budget->most_milli;
    rcv_store(&gate->retries_most_milli, budget->most_milli);
    held_milli = rcv_load_acquire(&gate->retries_milli);

    do {
        if (!budget->on) {
            next_milli = RCV_BUDGET_OFF;

        } else if (held_milli == RCV_BUDGET_OFF) {
            next_milli = most_milli;

        } else {
            sum_milli = (held_milli < -most_milli) ? -most_milli : held_milli;
            sum_milli += budget->add_milli;
            next_milli = (sum_milli > most_milli) ? most_milli
                                                  : (int32_t) sum_milli;
        }

    } while (!rcv_cas(&gate->retries_milli, &held_milli, next_milli));
}


/* As on the bucket of cost: at least one token between two classes. */

static int
budget_enough(const rcv_gate_t *gate, int32_t held_milli, uint32_t share_ppm,
    unsigned rank)
{
    uint64_t  most_milli, reserved_milli;

    most_milli = rcv_load(&gate->retries_most_milli);
    reserved_milli = rcv_max(most_milli * (RCV_PPM - share_ppm) / RCV_PPM,
                             (uint64_t) rank * RCV_MILLI);
    reserved_milli = rcv_min(reserved_milli, rcv_since(most_milli,
                                                       RCV_MILLI));

    return held_milli >= (int64_t) (reserved_milli + RCV_MILLI);
}


int
rcv_budget_fits(const rcv_gate_t *gate, uint32_t share_ppm, unsigned rank)
{
    int32_t  held_milli;

    held_milli = rcv_load(&gate->retries_milli);

    return held_milli == RCV_BUDGET_OFF
           || budget_enough(gate, held_milli, share_ppm, rank);
}


int
rcv_budget_take(rcv_gate_t *gate, uint32_t share_ppm, unsigned rank)
{
    int32_t  held_milli;

    held_milli = rcv_load_acquire(&gate->retries_milli);

    do {
        if (held_milli == RCV_BUDGET_OFF) {
            return 1;
        }

        if (!budget_enough(gate, held_milli, share_ppm, rank)) {
            return 0;
        }

    } while (!rcv_cas(&gate->retries_milli, &held_milli,
                      held_milli - (int32_t) RCV_MILLI));

    return 1;
}


/* The next tick cuts what is too much of it. */

static void
budget_add(rcv_gate_t *gate, int32_t change_milli)
{
    int32_t  held_milli, next_milli;

    held_milli = rcv_load_acquire(&gate->retries_milli);

    do {
        if (held_milli == RCV_BUDGET_OFF) {
            return;
        }

        next_milli = held_milli + change_milli;

        if (next_milli > RCV_BUDGET_MAX || next_milli < -RCV_BUDGET_MAX) {
            return;
        }

    } while (!rcv_cas(&gate->retries_milli, &held_milli, next_milli));
}


void
rcv_budget_refund(rcv_gate_t *gate)
{
    budget_add(gate, (int32_t) RCV_MILLI);
}


void
rcv_budget_charge(rcv_gate_t *gate)
{
    budget_add(gate, -(int32_t) RCV_MILLI);
}
