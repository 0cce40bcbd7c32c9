
/*
 * Who has read an order?  Every node that was heard lately and reports the
 * backend is waited for, until it reports our epoch or a higher one.  What it
 * then says - a phase, a refusal, an order of its own that stands above ours -
 * is told.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "order.h"
#include "rcv.h"
#include "sight.h"


#define CONFIRM_POLL_MS      10
#define CONFIRM_POLL_MAX_MS  250
#define CONFIRM_SHOWN        8         /* nodes that are named, of a kind */
#define CONFIRM_LATELY_MS    3600000


typedef enum {
    CONFIRM_SILENT = 0,                 /* not heard lately: not waited for */
    CONFIRM_WITHOUT,                    /* has no such backend */
    CONFIRM_WAITED,
    CONFIRM_DONE,
    CONFIRM_REFUSED
} confirm_state_t;


typedef struct {
    const ctl_target_t  *target;
    uint64_t             epoch;
    confirm_state_t     *state;         /* of each node */
    json_t             **reports;       /* that have confirmed */
    size_t               count[CONFIRM_REFUSED + 1];
} confirm_t;


static void
confirm_state(confirm_t *c, size_t i, confirm_state_t state)
{
    c->count[c->state[i]]--;
    c->state[i] = state;
    c->count[state]++;
}


/* An event of a refusal that was not in the report before. */

static int
confirm_refuses(const json_t *before, const json_t *now, const char **why)
{
    size_t         i, j;
    const json_t  *events, *old, *event, *known;

    events = json_object_get(now, "events");
    old = json_object_get(before, "events");

    for (i = 0; i < json_array_size(events); i++) {
        event = json_array_get(events, i);
        *why = ctl_word(event, "why");

        if (strstr(*why, "refused") == NULL) {
            continue;
        }

        for (j = 0; j < json_array_size(old); j++) {
            known = json_array_get(old, j);

            if (strcmp(ctl_word(known, "why"), *why) == 0
                && strcmp(ctl_word(known, "time"),
                          ctl_word(event, "time")) == 0)
            {
                break;
            }
        }

        if (before != NULL && j == json_array_size(old)) {
            return 1;
        }
    }

    return 0;
}


static void
confirm_report(confirm_t *c, size_t i, json_t *report)
{
    const char    *why;
    const json_t  *epoch;

    epoch = json_object_get(report, "epoch");

    if (!json_is_integer(epoch)
        || (uint64_t) json_integer_value(epoch) < c->epoch)
    {
        return;
    }

    c->reports[i] = json_incref(report);
    confirm_state(c, i, confirm_refuses(c->target->reports[i], report, &why)
                        ? CONFIRM_REFUSED : CONFIRM_DONE);
}


/* Those that are waited for still, in one question. */

static int
confirm_ask(ctl_t *ctl, confirm_t *c)
{
    int                 rc;
    size_t              i, *place;
    json_t            **reports;
    ctl_nodes_t         asked;
    const ctl_nodes_t  *nodes;

    nodes = &c->target->nodes;
    asked.n = 0;
    asked.node = calloc(nodes->n + 1, sizeof(ctl_node_t));
    place = calloc(nodes->n + 1, sizeof(size_t));
    rc = -1;

    if (asked.node == NULL || place == NULL) {
        goto done;
    }

    for (i = 0; i < nodes->n; i++) {
        if (c->state[i] == CONFIRM_WAITED || c->state[i] == CONFIRM_WITHOUT) {
            place[asked.n] = i;
            asked.node[asked.n++] = nodes->node[i];
        }
    }

    rc = ctl_reports_read(ctl->redis, &asked, c->target->name, &reports);

    for (i = 0; rc == 0 && i < asked.n; i++) {
        confirm_report(c, place[i], reports[i]);
    }

    if (rc == 0) {
        ctl_reports_free(&asked, reports);
    }

done:

    free(asked.node);
    free(place);

    return rc;
}


static int
confirm_wait(ctl_t *ctl, confirm_t *c)
{
    uint64_t         pause_ms, now_ms, end_ms;
    struct timespec  ts;

    end_ms = ctl_now_ms() + ctl->options.wait_ms;
    pause_ms = CONFIRM_POLL_MS;

    while (c->count[CONFIRM_WAITED] != 0) {

        if (confirm_ask(ctl, c) != 0) {
            return -1;
        }

        now_ms = ctl_now_ms();

        if (c->count[CONFIRM_WAITED] == 0 || now_ms >= end_ms) {
            break;
        }

        pause_ms = rcv_min(pause_ms, end_ms - now_ms);
        ts.tv_sec = 0;
        ts.tv_nsec = (long) pause_ms * 1000000;
        (void) nanosleep(&ts, NULL);

        pause_ms = rcv_min(pause_ms * 3 / 2, CONFIRM_POLL_MAX_MS);
    }

    return 0;
}


/* Ages are those of now, not of when the order began. */

static void
confirm_missing(ctl_t *ctl, const confirm_t *c)
{
    char                span[CTL_SPAN_MAX], age[CTL_SPAN_MAX];
    size_t              i, j, shown;
    const char         *name;
    ctl_nodes_t         now;

    if (ctl_nodes_read(ctl->redis, &now) != 0) {
        ctl_nodes_free(&now);
    }

    for (i = 0, shown = 0; i < c->target->nodes.n && shown < CONFIRM_SHOWN;
         i++)
    {
        if (c->state[i] != CONFIRM_WAITED) {
            continue;
        }

        name = c->target->nodes.node[i].name;

        for (j = 0; j < now.n && strcmp(now.node[j].name, name) != 0; j++) {
            /* void */
        }

        ctl_error("%s has not confirmed within %s; last heard %s ago", name,
                  ctl_span(span, ctl->options.wait_ms),
                  ctl_span(age, j < now.n ? now.node[j].heard_age_ms
                                : c->target->nodes.node[i].heard_age_ms));
        shown++;
    }

    if (shown < c->count[CONFIRM_WAITED]) {
        ctl_error("and %zu more", c->count[CONFIRM_WAITED] - shown);
    }

    ctl_hint("it is written: a node obeys as soon as it reads it.  Does "
             "nginx run there, and reach this Redis?  To order a node "
             "itself:");
    ctl_again_url();

    ctl_nodes_free(&now);
}


static void
confirm_refusals(const confirm_t *c)
{
    size_t       i;
    const char  *why;

    for (i = 0; i < c->target->nodes.n; i++) {
        if (c->state[i] == CONFIRM_REFUSED) {
            (void) confirm_refuses(c->target->reports[i], c->reports[i],
                                   &why);
            ctl_error("%s: %s", c->target->nodes.node[i].name, why);
        }
    }

    ctl_hint("it is not obeyed later either.  Look first: recoveryctl status "
             "%s", c->target->name);
    ctl_hint("to take it away: recoveryctl clear %s", c->target->name);
    ctl_hint("to break the rule, if you know better:");
    ctl_again(NULL, "--override-safety failing");
}


/* Nodes that will not hear of it, or have no such backend. */

static void
confirm_others(const confirm_t *c)
{
    char               age[CTL_SPAN_MAX];
    size_t             i, shown;
    const ctl_node_t  *node;

    for (i = 0, shown = 0; i < c->target->nodes.n && shown < CONFIRM_SHOWN;
         i++)
    {
        node = &c->target->nodes.node[i];

        if (c->state[i] == CONFIRM_SILENT
            && node->heard_age_ms <= CONFIRM_LATELY_MS)
        {
            ctl_error("not waited for: %s, last heard %s ago", node->name,
                      ctl_span(age, node->heard_age_ms));
            shown++;
        }

        if (c->state[i] == CONFIRM_WITHOUT) {
            ctl_error("not waited for: %s, which reports no \"%s\"",
                      node->name, c->target->name);
            shown++;
        }
    }
}


/* What was ordered at a node itself stands above all that Redis says. */

static void
confirm_local(const char *node, const char *name, const json_t *report)
{
    const json_t  *override;
    const char    *force, *health;

    override = json_object_get(report, "override");

    if (!json_is_object(override)) {
        return;
    }

    force = ctl_word(override, "force");
    health = ctl_word(override, "health");

    ctl_error("%s has an order of its own, which stands above it:%s%s%s%s%s",
              node, *force ? " force " : "", force,
              *force && *health ? "," : "", *health ? " health " : "",
              health);
    ctl_hint("to end that: recoveryctl --url http://%s/recovery/control "
             "clear %s", node, name);
}


void
ctl_confirm_local(const ctl_target_t *target)
{
    size_t  i;

    for (i = 0; i < target->nodes.n; i++) {
        if (ctl_node_alive(&target->nodes.node[i])) {
            confirm_local(target->nodes.node[i].name, target->name,
                          target->reports[i]);
        }
    }
}


static int
confirm_told(ctl_t *ctl, const confirm_t *c)
{
    size_t        i, done;
    ctl_sights_t  sights;

    sights.n = 0;
    done = c->count[CONFIRM_DONE] + c->count[CONFIRM_REFUSED];

    for (i = 0; i < c->target->nodes.n; i++) {
        ctl_sight_add(&sights, c->reports[i]);
    }

    ctl_sight_print(&sights, done, done + c->count[CONFIRM_WAITED]);

    for (i = 0; i < c->target->nodes.n; i++) {
        confirm_local(c->target->nodes.node[i].name, c->target->name,
                      c->reports[i]);
    }

    confirm_others(c);

    if (c->count[CONFIRM_WAITED] != 0) {
        confirm_missing(ctl, c);
    }

    if (c->count[CONFIRM_REFUSED] != 0) {
        confirm_refusals(c);
        return CTL_REFUSED;
    }

    return c->count[CONFIRM_WAITED] ? CTL_UNCONFIRMED : CTL_OK;
}


static int
confirm_nobody(const confirm_t *c)
{
    ctl_error("written, but no node is there to confirm it: none that has "
              "\"%s\" was heard within 10 s", c->target->name);
    confirm_others(c);
    ctl_hint("is this the Redis, the database and the prefix of "
             "recovery_redis?  Has nginx the right to SET and HSET?");
    ctl_hint("whoever reads it later obeys; to order a node itself:");
    ctl_again_url();

    return CTL_UNCONFIRMED;
}


int
ctl_confirm(ctl_t *ctl, const ctl_target_t *target, uint64_t epoch)
{
    int        rc;
    size_t     i;
    confirm_t  c;

    if (ctl->options.wait_ms == 0) {
        return CTL_OK;
    }

    memset(&c, 0, sizeof(c));
    c.target = target;
    c.epoch = epoch;
    c.state = calloc(target->nodes.n + 1, sizeof(confirm_state_t));
    c.reports = calloc(target->nodes.n + 1, sizeof(json_t *));

    if (c.state == NULL || c.reports == NULL) {
        free(c.state);
        free(c.reports);
        return CTL_UNCONFIRMED;
    }

    for (i = 0; i < target->nodes.n; i++) {
        c.state[i] = !ctl_node_alive(&target->nodes.node[i]) ? CONFIRM_SILENT
                     : target->reports[i] == NULL ? CONFIRM_WITHOUT
                     : CONFIRM_WAITED;
        c.count[c.state[i]]++;
    }

    if (c.count[CONFIRM_WAITED] == 0) {
        rc = confirm_nobody(&c);

    } else if (confirm_wait(ctl, &c) != 0) {
        (void) ctl_redis_failed(ctl->redis);
        ctl_error("written, but not confirmed: Redis went away meanwhile");
        rc = CTL_UNCONFIRMED;

    } else {
        rc = confirm_told(ctl, &c);
    }

    ctl_reports_free(&target->nodes, c.reports);
    free(c.state);

    return rc;
}
