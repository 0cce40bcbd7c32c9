
/*
 * The product's core, wired up as the module does it: classify, admit,
 * observe; and beside it the tick: window, signal, rcv_tick, publish.
 *
 * A node with a leader has no tick of its own: the leader adds the windows
 * of all nodes up once a second, runs the one controller on the sum, and
 * gives each a share of the allowance (design, "Fleet").
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "law.h"
#include "classify.h"
#include "retry.h"
#include "tick.h"


#define SIM_UNIX_S     1700000000u
#define SIM_LEASE_NS   SIM_S

/* Of the allowance, what all nodes get alike, whatever they want. */
#define SIM_LEASE_FLOOR  0.1


typedef struct gateway_s {
    const rcv_policy_t  *policy;
    rcv_limits_t         limits;
    rcv_source_t         source;
    rcv_state_t          state;
    rcv_tick_t           out;           /* of the last tick */
    rcv_gate_t           gate;
    rcv_window_t         window;        /* since the last tick */
    rcv_round_t          round;
    rcv_admit_at_t       at;
    uint64_t             tick_ns;

    struct gateway_s    *leader;        /* NULL: this is one */
    struct gateway_s    *nodes[SIM_NODES_MAX];
    unsigned             nnodes;
    uint64_t             wants;         /* offered, lately */
    sim_ablation_t       ablation;
    uint64_t             seed;
} gateway_t;


static rcv_str_t
gateway_str(const char *text)
{
    rcv_str_t  s = { text, strlen(text) };

    return s;
}


/*
 * The share of one node: the floor for all, the rest as they want.  Rounded
 * up to a whole request, so that many nodes are not given nothing.
 */

static void
gateway_lease(const gateway_t *leader, gateway_t *node, uint64_t now_ns)
{
    double            share, wants;
    unsigned          i;
    rcv_budget_t      retries;
    rcv_allowance_t   allowance;

    wants = 0;

    for (i = 0; i < leader->nnodes; i++) {
        wants += (double) leader->nodes[i]->wants;
    }

    share = 1.0 / leader->nnodes;

    if (wants > 0) {
        share = share * SIM_LEASE_FLOOR
                + (1 - SIM_LEASE_FLOOR) * (double) node->wants / wants;
    }

    allowance = leader->out.allowance;

    if (allowance.rate_milli != RCV_UNLIMITED) {
        allowance.rate_milli = (uint64_t) ((double) allowance.rate_milli
                                           * share);
        allowance.burst_milli = (uint64_t) ((double) allowance.burst_milli
                                            * share);
    }

    allowance.word.in_flight_limit =
        (uint32_t) (allowance.word.in_flight_limit * share + 0.999);

    retries = leader->out.retries;
    retries.add_milli = (uint32_t) (retries.add_milli * share);
    retries.most_milli = (uint32_t) (retries.most_milli * share) + RCV_MILLI;

    node->out = leader->out;
    rcv_gate_publish(&node->gate, &allowance, now_ns);
    rcv_budget_fill(&node->gate, &retries);
}


static void
gateway_add(rcv_window_t *sum, const rcv_window_t *window)
{
    unsigned  i;

    for (i = 0; i < RCV_CLASSES_MAX; i++) {
        sum->offered[i] += window->offered[i];
        sum->passed[i] += window->passed[i];
        sum->shed[i] += window->shed[i];
        sum->shed_limit[i] += window->shed_limit[i];
        sum->shed_cohort[i] += window->shed_cohort[i];
    }

    for (i = 0; i < RCV_RESULTS; i++) {
        sum->results[i] += window->results[i];
    }

    for (i = 0; i < RCV_LATENCY_BUCKETS; i++) {
        sum->latency[i] += window->latency[i];
    }

    sum->overload += window->overload;
    sum->gone += window->gone;
    sum->work_us += window->work_us;
    sum->shed_rate += window->shed_rate;
    sum->shed_in_flight += window->shed_in_flight;
    sum->shed_retries += window->shed_retries;
    sum->cost_milli += window->cost_milli;
    sum->latency_sum_us += window->latency_sum_us;
    sum->in_flight += window->in_flight;
    sum->spilled += window->spilled;
}


static void
gateway_aggregate(gateway_t *leader, rcv_window_t *sum)
{
    unsigned    i;
    gateway_t  *node;

    memset(sum, 0, sizeof(*sum));

    for (i = 0; i < leader->nnodes; i++) {
        node = leader->nodes[i];

        node->window.in_flight = node->gate.in_flight;
        node->window.spilled = node->gate.spilled;
        node->gate.spilled = 0;

        node->wants = (node->wants + rcv_window_offered(&node->window)) / 2;

        gateway_add(sum, &node->window);
        memset(&node->window, 0, sizeof(node->window));
    }
}


static void
gateway_run_tick(gateway_t *leader, uint64_t now_ns)
{
    unsigned      i;
    rcv_window_t  sum;

    gateway_aggregate(leader, &sum);

    sum.dt_ms = rcv_since(now_ns, leader->tick_ns) / SIM_MS;
    leader->tick_ns = now_ns;
    sum.random = (uint32_t) sim_hash(leader->seed, now_ns, 13);

    sim_ablation_tick(&leader->ablation, &leader->state);

    rcv_tick(&leader->state, &leader->round, leader->policy, &leader->limits,
             &leader->source, &sum, now_ns / SIM_MS, &leader->out);

    sim_ablation_ticked(&leader->ablation, &leader->state);

    if (leader->nnodes == 1) {
        rcv_gate_publish(&leader->gate, &leader->out.allowance, now_ns);
        rcv_budget_fill(&leader->gate, &leader->out.retries);
        return;
    }

    for (i = 0; i < leader->nnodes; i++) {
        gateway_lease(leader, leader->nodes[i], now_ns);
    }
}


static void *
gateway_create(const sim_law_facts_t *facts)
{
    gateway_t  *gateway;

    gateway = sim_alloc(sizeof(*gateway));

    gateway->policy = sim_ablation_begin(&gateway->ablation, facts->without,
                                         facts->policy);
    gateway->seed = facts->seed;
    gateway->limits.capacity_milli = (uint64_t) (facts->capacity * RCV_MILLI);
    gateway->limits.quota_milli = RCV_UNLIMITED;
    gateway->limits.initial = facts->scenario->told_down ? RCV_PHASE_DOWN
                                                         : RCV_PHASE_UP;
    gateway->source.configured = 1;
    gateway->source.heard = 1;

    gateway->at.gate = &gateway->gate;
    gateway->at.slot = sim_alloc(sizeof(rcv_slot_t) + sizeof(uint32_t));
    gateway->at.slot->owner = 1;
    gateway->at.policy = gateway->policy;

    rcv_state_init(&gateway->state, gateway->policy, &gateway->limits, 0);

    gateway->nodes[gateway->nnodes++] = gateway;
    gateway->leader = facts->leader;

    if (gateway->leader != NULL) {
        gateway->leader->nodes[gateway->leader->nnodes++] = gateway;
        gateway_run_tick(gateway->leader, 0);

    } else {
        gateway_run_tick(gateway, 0);
    }

    return gateway;
}


static void
gateway_destroy(void *law)
{
    gateway_t  *gateway = law;

    free(gateway->at.slot);
    free(gateway);
}


/*
 * The traffic's class by its name; a policy with other names gets the four
 * spread over what it has, first to first and last to last.
 */

static unsigned
gateway_classify(const gateway_t *gateway, const sim_ask_t *ask)
{
    const rcv_policy_t    *policy;
    rcv_class_facts_t      facts;
    rcv_class_decision_t   decision;

    static const char *const  names[SIM_TRAFFIC] = {
        "critical", "high", "normal", "low"
    };

    policy = gateway->policy;

    if (ask->classified) {
        return ask->traffic;
    }

    memset(&facts, 0, sizeof(facts));
    facts.named = gateway_str(names[ask->traffic]);

    if (rcv_policy_class(policy, facts.named) < 0) {
        facts.named = gateway_str(policy->classes[
                          ask->traffic * (policy->nclasses - 1)
                          / (SIM_TRAFFIC - 1)].name);
    }

    rcv_classify(policy, &facts, &decision);

    return decision.class_index;
}


static rcv_str_t
gateway_user(const sim_ask_t *ask)
{
    rcv_str_t  user;

    user.data = (const char *) &ask->user;
    user.len = (ask->user != 0) ? sizeof(ask->user) : 0;

    return user;
}


/* As the module's leader sorts them. */

static void
gateway_shed(gateway_t *gateway, unsigned class_index, rcv_reason_t reason,
    uint32_t n)
{
    rcv_window_t  *window;

    window = &gateway->window;

    switch (reason) {

    case RCV_REASON_COHORT:
        window->shed_cohort[class_index] += n;
        break;

    case RCV_REASON_IN_FLIGHT:
        window->shed_in_flight += n;
        /* fall through */

    case RCV_REASON_RATE:
        window->shed_rate += n;
        /* fall through */

    case RCV_REASON_FORCED:
    case RCV_REASON_QUOTA:
    case RCV_REASON_CEILING:
    case RCV_REASON_DEGRADED:
        window->shed_limit[class_index] += n;
        break;

    default:
        break;
    }
}


static uint32_t
gateway_admit(void *law, const sim_ask_t *ask, sim_pass_t *pass)
{
    uint32_t         n;
    unsigned         class_index;
    gateway_t       *gateway = law;
    rcv_reason_t     reason;
    rcv_window_t    *window;
    rcv_admit_at_t  *at;

    at = &gateway->at;
    at->user = gateway_user(ask);

    class_index = gateway_classify(gateway, ask);
    reason = RCV_REASON_NONE;

    for (n = 0; n < ask->weight; n++) {
        rcv_ticket_t  ticket;

        reason = (gateway->policy->retries && ask->retry)
                 ? rcv_admit_retry(at, class_index, RCV_MILLI, ask->now_ns,
                                   &ticket)
                 : rcv_admit(at, class_index, RCV_MILLI, ask->now_ns,
                             &ticket);

        if (reason != RCV_REASON_NONE) {
            break;
        }

        rcv_admit_passed(at, &ticket);
        pass->ticket = ticket;
    }

    pass->reason = (uint8_t) reason;

    window = &gateway->window;
    window->offered[class_index] += ask->weight;
    window->passed[class_index] += n;
    window->cost_milli += (uint64_t) n * RCV_MILLI;
    window->shed[class_index] += ask->weight - n;

    gateway_shed(gateway, class_index, reason, ask->weight - n);

    if (reason == RCV_REASON_RETRY_BUDGET) {
        window->shed_retries += ask->weight - n;
    }

    return n;
}


static void
gateway_done(void *law, const sim_pass_t *pass, sim_result_t result,
    uint64_t now_ns)
{
    uint32_t         n;
    uint64_t         latency_ns;
    gateway_t       *gateway = law;
    rcv_ticket_t     ticket;
    rcv_window_t    *window;

    static const rcv_result_t  results[SIM_RESULTS] = {
        RCV_RESULT_OK, RCV_RESULT_ERROR, RCV_RESULT_ERROR,
        RCV_RESULT_TIMEOUT, RCV_RESULTS, RCV_RESULTS, RCV_RESULTS
    };

    for (n = 0; n < pass->weight; n++) {
        ticket = pass->ticket;
        rcv_admit_release(&gateway->at, &ticket);
    }

    /*
     * What an earlier phase let in says nothing of this one, nor does what
     * the backend never saw.
     */

    if (pass->ticket.epoch != rcv_gate_epoch(gateway->gate.word)
        || result == SIM_RESULT_ASIDE || result == SIM_RESULT_ASIDE_ERROR)
    {
        return;
    }

    window = &gateway->window;
    latency_ns = rcv_since(now_ns, pass->at_ns);

    if (result == SIM_RESULT_OK || result == SIM_RESULT_GONE) {
        window->work_us += latency_ns / SIM_MS * 1000 * pass->weight;
    }

    if (result == SIM_RESULT_GONE) {
        window->gone += pass->weight;
        return;
    }

    if (result == SIM_RESULT_OVERLOAD) {
        window->overload += pass->weight;
    }

    window->results[results[result]] += pass->weight;
    window->latency[rcv_latency_bucket(latency_ns / SIM_MS)] += pass->weight;
    window->latency_sum_us += latency_ns / SIM_MS * 1000 * pass->weight;
}


static double
gateway_retry_after_s(void *law, const sim_ask_t *ask)
{
    uint64_t    cut;
    gateway_t  *gateway = law;

    if (gateway->ablation.without == SIM_WITHOUT_RETRY_AFTER) {
        return 0;
    }

    cut = gateway->gate.cohort;

    return rcv_retry_s(gateway->policy, gateway->out.retry, cut,
                       gateway_classify(gateway, ask),
                       cut ? rcv_cohort_slot(rcv_cut_salt(cut),
                                             gateway_user(ask))
                           : RCV_COHORT_NONE,
                       (uint32_t) (ask->random >> 32));
}


/* As the module's leader: slow ticks in a quiet "up". */

static void
gateway_tick(void *law, uint64_t now_ns)
{
    uint64_t    every_ns;
    gateway_t  *gateway = law;

    if (gateway->leader != NULL) {
        return;
    }

    every_ns = (gateway->nnodes > 1) ? SIM_LEASE_NS
               : rcv_state_quiet(&gateway->state)
               ? RCV_TICK_QUIET_MS * SIM_MS : SIM_TICK_NS;

    if (now_ns - gateway->tick_ns >= every_ns) {
        gateway_run_tick(gateway, now_ns);
    }
}


static void
gateway_hear(void *law, const char *health, uint64_t now_ns)
{
    gateway_t     *gateway = law;
    rcv_fields_t   fields;

    if (gateway->leader != NULL) {
        return;
    }

    memset(&fields, 0, sizeof(fields));
    fields.value[RCV_FIELD_HEALTH] = gateway_str(health);

    (void) rcv_signal_update(&gateway->state.signal, &fields, gateway->policy,
                             SIM_UNIX_S + now_ns / SIM_S, now_ns / SIM_MS);

    gateway_run_tick(gateway, now_ns);
}


static void
gateway_show(void *law, sim_show_t *show)
{
    gateway_t        *gateway = law;
    rcv_gate_word_t   word;

    word = rcv_gate_unpack(gateway->gate.word);

    show->limit = word.in_flight_limit;
    show->in_flight = gateway->gate.in_flight;
    show->phase = rcv_phase_names[word.phase];

    if (word.mode == RCV_GATE_CLOSED) {
        show->rate = 0;

    } else if (word.mode == RCV_GATE_LIMIT && gateway->gate.interval_ns != 0) {
        show->rate = 1e9 / (double) gateway->gate.interval_ns;
    }
}


const sim_law_t  sim_law_product = {
    "product", "the controller of nginx's module",
    gateway_create, gateway_destroy, gateway_admit, gateway_done,
    gateway_retry_after_s, gateway_tick, gateway_hear, gateway_show, 0
};
