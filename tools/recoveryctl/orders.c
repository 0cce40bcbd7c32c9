
/*
 * The verbs that order something: words to an order.
 *
 * An order through Redis stands until its end, or until somebody takes it
 * away; one to nginx itself always has an end.
 */

#include <stdlib.h>
#include <string.h>

#include "health.h"
#include "order.h"


#define ORDERS_FOR_MS  600000           /* of what has an end by itself */


/* What remains to be looked at when the target is known. */

typedef int (*orders_look_pt)(const ctl_target_t *target, ctl_order_t *order);


void
ctl_order_field(ctl_order_t *order, const char *name, const char *value)
{
    ctl_field_t  *field;

    if (order->nfields < CTL_FIELDS_MAX) {
        field = &order->fields[order->nfields++];
        field->name = name;
        field->value = value;
    }
}


const char *
ctl_order_text(const ctl_order_t *order, char *buf, size_t size)
{
    (void) snprintf(buf, size, "%s%s%s", order->action,
                    order->value[0] ? " " : "", order->value);

    return buf;
}


static void
orders_value(ctl_order_t *order, const char *action, const char *value)
{
    memset(order, 0, sizeof(*order));
    order->action = action;
    (void) snprintf(order->value, sizeof(order->value), "%s", value);
}


/* The name behind "before" other words; NULL: none was given. */

static int
orders_name(const ctl_t *ctl, int before, const char **name)
{
    *name = (ctl->argc > before) ? ctl->argv[before] : NULL;

    if (ctl->argc <= before + 1) {
        return *name != NULL ? ctl_name_check(*name) : CTL_OK;
    }

    ctl_error("\"%s\" is one word too many for \"%s\"",
              ctl->argv[before + 1], ctl->verb->name);
    ctl_hint("usage: recoveryctl %s %s [--reason \"words in quotes\"]",
             ctl->verb->name, ctl->verb->arguments);

    return CTL_USAGE;
}


/* What must be there: a reason, an end. */

#define NEEDS_REASON  1
#define NEEDS_END     2

static int
orders_missing(const ctl_t *ctl, unsigned needs)
{
    char  add[128];

    if (ctl->options.reason != NULL) {
        needs &= ~(unsigned) NEEDS_REASON;
    }

    if (ctl->options.for_ms != 0) {
        needs &= ~(unsigned) NEEDS_END;
    }

    if (needs == 0) {
        return CTL_OK;
    }

    if (needs & NEEDS_END) {
        ctl_error("\"%s\" needs an end%s: an order without one outlives its "
                  "reason", ctl->verb->name,
                  ctl->options.nurls ? " when nginx itself is ordered" : "");
    }

    if (needs & NEEDS_REASON) {
        ctl_error("\"%s\" needs a reason: all who look at it will read it",
                  ctl->verb->name);
    }

    (void) snprintf(add, sizeof(add), "%s%s%s",
                    needs & NEEDS_END ? "--for 10m" : "",
                    needs == (NEEDS_END|NEEDS_REASON) ? " " : "",
                    needs & NEEDS_REASON ? "--reason \"what has happened\""
                                         : "");
    ctl_again(NULL, add);

    return CTL_USAGE;
}


/* Straight to nginx. */

static int
orders_send(ctl_t *ctl, const char *name, const ctl_order_t *order,
    unsigned needs)
{
    int    rc;
    char  *found;

    rc = ctl_target_at_url(ctl, name, &found);

    if (rc == CTL_OK) {
        rc = orders_missing(ctl, needs);
    }

    if (rc == CTL_OK) {
        rc = ctl_send(ctl, found, order);
    }

    free(found);

    return rc;
}


/* First which one: of a wrong name no reason is wanted. */

static int
orders_give(ctl_t *ctl, const char *name, ctl_order_t *order,
    unsigned needs, orders_look_pt look)
{
    int           rc;
    ctl_target_t  target;

    if (ctl->options.nurls != 0) {
        return orders_send(ctl, name, order, needs);
    }

    rc = ctl_target_read(ctl, name, &target);

    if (rc == CTL_OK) {
        rc = orders_missing(ctl, needs);
    }

    if (rc == CTL_OK && look != NULL) {
        rc = look(&target, order);
    }

    if (rc == CTL_OK) {
        rc = ctl_write(ctl, &target, order);
    }

    ctl_target_free(&target);

    return rc;
}


/* Health in Redis stands until somebody says something else. */

int
ctl_health(ctl_t *ctl)
{
    int           rc;
    const char   *name, *value;
    ctl_order_t   order;

    rc = orders_name(ctl, 0, &name);

    if (rc != CTL_OK) {
        return rc;
    }

    value = (strcmp(ctl->verb->name, "recover") == 0) ? "up"
            : ctl->options.level != NULL ? ctl->options.level
            : ctl->verb->name;

    if (ctl->options.nurls == 0 && ctl->options.for_ms != 0) {
        return ctl_usage(ctl, "force closed NAME --for 10m --reason TEXT",
                         "health in Redis has no end, it stands until "
                         "somebody says something else; leave --for out, or "
                         "use force");
    }

    orders_value(&order, "health", value);
    order.for_ms = ctl->options.for_ms;
    ctl_order_field(&order, "health", order.value);
    ctl_again_url_set(order.for_ms ? NULL : "--for 10m", NULL);

    return orders_give(ctl, name, &order,
                       NEEDS_REASON | (ctl->options.nurls ? NEEDS_END : 0),
                       NULL);
}


/* A force, with an end, in place of the one that stands. */

static void
orders_force(const ctl_t *ctl, ctl_order_t *order, const char *value)
{
    orders_value(order, "force", value);
    order->for_ms = ctl->options.for_ms;
    ctl_order_field(order, "override_safety",
                    ctl->options.override_safety ? "failing" : NULL);
    ctl_order_field(order, "force", order->value);
}


static int
orders_is_force(const char *word)
{
    uint32_t     ppm;
    rcv_str_t    value = { word, strlen(word) };
    rcv_force_t  force;

    return strlen(word) < CTL_VALUE_MAX
           && rcv_force_read(value, &force, &ppm) == 0;
}


int
ctl_force(ctl_t *ctl)
{
    int           rc;
    char          add[2 * CTL_VALUE_MAX + 64];
    const char   *name;
    ctl_order_t   order;

    static const char  words[] = "open, closed, hold or a part of the "
                                 "reference such as 35%";

    if (ctl->argc == 0) {
        return ctl_usage(ctl, "force closed kv --for 10m --reason \"disk "
                         "swap\"", "force what?  %s", words);
    }

    if (!orders_is_force(ctl->argv[0])) {

        if (ctl->argc == 2 && orders_is_force(ctl->argv[1])) {
            (void) snprintf(add, sizeof(add), "force %s %.63s --for 10m "
                            "--reason TEXT", ctl->argv[1], ctl->argv[0]);
            return ctl_usage(ctl, add, "first what, then the backend");
        }

        return ctl_usage(ctl, NULL, "\"%s\" is nothing to force, it must be "
                         "%s", ctl->argv[0], words);
    }

    rc = orders_name(ctl, 1, &name);

    if (rc != CTL_OK) {
        return rc;
    }

    if (ctl->options.override_safety && strcmp(ctl->argv[0], "open") != 0) {
        return ctl_usage(ctl, NULL, "\"--override-safety\" goes with \"force "
                         "open\", nothing else is refused");
    }

    orders_force(ctl, &order, ctl->argv[0]);

    return orders_give(ctl, name, &order, NEEDS_REASON|NEEDS_END, NULL);
}


int
ctl_hold(ctl_t *ctl)
{
    int           rc;
    const char   *name;
    ctl_order_t   order;

    rc = orders_name(ctl, 0, &name);

    if (rc != CTL_OK) {
        return rc;
    }

    orders_force(ctl, &order, "hold");

    if (order.for_ms == 0) {
        order.for_ms = ORDERS_FOR_MS;
    }

    if (ctl->options.nurls != 0) {
        order.action = "hold";
        order.value[0] = '\0';
    }

    return orders_give(ctl, name, &order, 0, NULL);
}


/* What an operator has forced, whether it is still in force or not. */

static int
orders_look_resume(const ctl_target_t *target, ctl_order_t *order)
{
    const char  *force;

    (void) order;

    force = ctl_target_field(target, "force");

    if (force != NULL && strcmp(force, "hold") == 0) {
        return CTL_OK;
    }

    if (force == NULL) {
        ctl_error("nothing holds \"%s\", in Redis", target->name);

    } else {
        ctl_error("\"%s\" is not held but forced: %s", target->name, force);
        ctl_hint("to end that: recoveryctl clear %s", target->name);
    }

    ctl_hint("a hold that was ordered at a node ends there: --url");
    ctl_hint("what stands, and why it does not rise: recoveryctl status %s",
             target->name);

    return CTL_REFUSED;
}


int
ctl_resume(ctl_t *ctl)
{
    int           rc;
    const char   *name;
    ctl_order_t   order;

    rc = orders_name(ctl, 0, &name);

    if (rc != CTL_OK) {
        return rc;
    }

    orders_value(&order, "resume", "");
    ctl_order_field(&order, "force", NULL);
    ctl_order_field(&order, "force_until", NULL);
    ctl_order_field(&order, "override_safety", NULL);

    return orders_give(ctl, name, &order, 0, orders_look_resume);
}


/* Does it let pass more than its floor?  Down or probing it does by somebody's
   order alone. */

static int
orders_has_a_step(const ctl_target_t *target, size_t i)
{
    const char  *phase;

    phase = json_string_value(json_object_get(target->reports[i], "phase"));

    if (!ctl_node_alive(&target->nodes.node[i]) || phase == NULL) {
        return 0;
    }

    return json_is_object(json_object_get(target->reports[i], "force"))
           || (strcmp(phase, "down") != 0 && strcmp(phase, "probing") != 0);
}


/* Half of the least that a node lets pass.  One that is down is no measure:
   half of its nothing closed all others for ten minutes. */

static int
orders_look_step_back(const ctl_target_t *target, ctl_order_t *order)
{
    size_t   i;
    double   level, least;
    json_t  *value;

    least = 2;

    for (i = 0; i < target->nodes.n; i++) {
        value = json_object_get(target->reports[i], "level");

        if (!orders_has_a_step(target, i) || !json_is_number(value)
            || json_number_value(value) <= 0)
        {
            continue;
        }

        level = json_number_value(value);
        least = level < least ? level : least;
    }

    if (least > 1) {
        ctl_error("nobody knows what half of it would be: no node reports a "
                  "level of \"%s\"", target->name);
        ctl_hint("it has no limit now, is down or probing, or its reference "
                 "is not known.  Say how much is to pass:");
        ctl_hint("recoveryctl force 50%% %s --for 10m --reason TEXT",
                 target->name);
        return CTL_REFUSED;
    }

    (void) snprintf(order->value, sizeof(order->value), "%.4g%%",
                    least * 50);

    return CTL_OK;
}


int
ctl_step_back(ctl_t *ctl)
{
    int           rc;
    const char   *name;
    ctl_order_t   order;

    rc = orders_name(ctl, 0, &name);

    if (rc != CTL_OK) {
        return rc;
    }

    orders_force(ctl, &order, "");

    if (order.for_ms == 0) {
        order.for_ms = ORDERS_FOR_MS;
    }

    if (ctl->options.nurls != 0) {
        order.action = "step-back";
    }

    return orders_give(ctl, name, &order, 0, orders_look_step_back);
}


/* Is it a class of the backend's policy, as far as nodes tell? */

static int
orders_look_promote(const ctl_target_t *target, ctl_order_t *order)
{
    char      list[1024];
    size_t    i, j, len;
    json_t   *classes, *name;

    for (i = 0; i < target->nodes.n; i++) {
        classes = json_object_get(target->reports[i], "classes");
        len = 0;

        for (j = 0; j < json_array_size(classes); j++) {
            name = json_object_get(json_array_get(classes, j), "name");

            if (!json_is_string(name)) {
                continue;
            }

            if (strcmp(json_string_value(name), order->value) == 0) {
                return CTL_OK;
            }

            if (len < sizeof(list)) {
                len += (size_t) snprintf(list + len, sizeof(list) - len,
                                         "%s%s", len ? ", " : "",
                                         json_string_value(name));
            }
        }

        if (len != 0) {
            ctl_error("the policy of \"%s\" has no class \"%s\"",
                      target->name, order->value);
            ctl_hint("from first served to last: %s", list);
            return CTL_USAGE;
        }
    }

    return CTL_OK;
}


int
ctl_promote(ctl_t *ctl)
{
    int           rc;
    const char   *name;
    ctl_order_t   order;

    if (ctl->argc == 0) {
        return ctl_usage(ctl, "promote high kv", "promote which class?  "
                         "Those up to it are let in while it probes");
    }

    rc = orders_name(ctl, 1, &name);

    if (rc != CTL_OK) {
        return rc;
    }

    if (ctl->options.nurls == 0 && ctl->options.for_ms != 0) {
        return ctl_usage(ctl, NULL, "in Redis it stands until \"clear\": "
                         "leave --for out");
    }

    if (strlen(ctl->argv[0]) >= CTL_VALUE_MAX) {
        return ctl_usage(ctl, NULL, "\"%s\" is no name of a class: at most "
                         "63 bytes", ctl->argv[0]);
    }

    orders_value(&order, "promote", ctl->argv[0]);
    ctl_order_field(&order, "promote", order.value);

    if (ctl->options.nurls != 0) {
        order.for_ms = ctl->options.for_ms ? ctl->options.for_ms
                                           : ORDERS_FOR_MS;
    }

    return orders_give(ctl, name, &order, 0, orders_look_promote);
}


/* What there is to be ended, for people. */

static int
orders_look_clear(const ctl_target_t *target, ctl_order_t *order)
{
    size_t       i, len;
    const char  *name, *value;

    static const char *const  told[] = { "force", "ceiling", "promote" };

    for (i = 0; i < order->nfields; i++) {
        if (ctl_target_field(target, order->fields[i].name) != NULL) {
            break;
        }
    }

    if (i == order->nfields) {
        order->nfields = 0;
        return CTL_OK;
    }

    for (i = 0, len = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        name = told[i];
        value = ctl_target_field(target, name);

        if (value != NULL && len < sizeof(order->value)) {
            len += (size_t) snprintf(order->value + len,
                                     sizeof(order->value) - len, "%s%s %.16s",
                                     len ? ", " : "", name, value);
        }
    }

    return CTL_OK;
}


int
ctl_clear(ctl_t *ctl)
{
    int           rc;
    unsigned      i;
    const char   *name;
    ctl_order_t   order;

    static const char *const  fields[] = {
        "force", "force_until", "ceiling", "promote", "override_safety",
        "by", "reason"
    };

    rc = orders_name(ctl, 0, &name);

    if (rc != CTL_OK) {
        return rc;
    }

    orders_value(&order, "clear", "");

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        ctl_order_field(&order, fields[i], NULL);
    }

    return orders_give(ctl, name, &order, 0, orders_look_clear);
}
