
#include "order.h"
#include "json.h"
#include "tick.h"
#include "words.h"

#include <stdio.h>
#include <string.h>


#define RCV_ORDER_FORCES                                                      \
    "\"open\", \"closed\", \"hold\" or a part of the reference (\"35%\")"
#define RCV_ORDER_HEALTHS                                                     \
    "\"up\", \"degraded\", \"down\", \"recovering\" or a number from 0 to 1"
#define RCV_ORDER_MEMBERS                                                     \
    "backend, action, value, for, until, by, reason, override_safety"
#define RCV_ORDER_ACTIONS                                                     \
    "force, health, hold, resume, step-back, promote, clear"

/* What is longer outlives its reason; also the longest "for" there is. */
#define RCV_ORDER_LEFT_MAX_S  (30 * 24 * 3600)


const char *const  rcv_action_names[RCV_ACTIONS] = {
    "force", "health", "hold", "resume", "step-back", "promote", "clear"
};


/* What an action goes with. */

typedef enum {
    ORDER_NONE = 0,
    ORDER_MAY,
    ORDER_MUST
} order_need_t;


static const struct {
    order_need_t  value;
    order_need_t  end;
} order_needs[RCV_ACTIONS] = {
    { ORDER_MUST, ORDER_MUST },         /* force */
    { ORDER_MUST, ORDER_MUST },         /* health */
    { ORDER_NONE, ORDER_MUST },         /* hold */
    { ORDER_NONE, ORDER_MAY },          /* resume */
    { ORDER_NONE, ORDER_MUST },         /* step-back */
    { ORDER_MAY,  ORDER_MUST },         /* promote */
    { ORDER_NONE, ORDER_NONE },         /* clear */
};


typedef enum {
    ORDER_BACKEND = 0,
    ORDER_ACTION,
    ORDER_VALUE,
    ORDER_FOR,
    ORDER_UNTIL,
    ORDER_BY,
    ORDER_REASON,
    ORDER_SAFETY,
    ORDER_MEMBERS
} order_member_t;

static const char *const  order_members[ORDER_MEMBERS] = {
    "backend", "action", "value", "for", "until", "by", "reason",
    "override_safety"
};


/* The members as they were read; data NULL: not given. */

typedef struct {
    rcv_str_t  value[ORDER_MEMBERS];
    char       data[ORDER_MEMBERS][RCV_NAME_MAX + 1];
} order_words_t;


static unsigned
order_find(const char *const *names, unsigned n, rcv_str_t word)
{
    unsigned  i;

    for (i = 0; i < n && !rcv_str_eq(word, names[i]); i++) {
        /* void */
    }

    return i;
}


/* A word for a message: printable, and not all of it. */

static const char *
order_shown(char *to, rcv_str_t word)
{
    size_t  i, len;

    len = rcv_min(word.len, RCV_NAME_MAX);

    for (i = 0; i < len; i++) {
        to[i] = (word.data[i] > 0x20 && word.data[i] < 0x7f
                 && word.data[i] != '"' && word.data[i] != '\\')
                ? word.data[i] : ' ';
    }

    to[len] = '\0';

    return to;
}


static int
order_bad(char *error, const char *text, rcv_str_t word, const char *allowed)
{
    char  shown[RCV_NAME_MAX + 1];

    (void) snprintf(error, RCV_ERROR_MAX, "%s \"%s\"; allowed: %s", text,
                    order_shown(shown, word), allowed);
    return -1;
}


/* Cut at the end of a character; control bytes are blanks. */

static rcv_str_t
order_text(char *to, rcv_str_t from)
{
    size_t     i, n;
    rcv_str_t  text;

    for (i = 0; i < from.len; i += n) {
        n = rcv_utf8_length(from.data + i, from.data + from.len);
        n = rcv_max(n, 1);

        if (i + n > RCV_TEXT_MAX) {
            break;
        }

        memcpy(to + i, from.data + i, n);

        if ((unsigned char) to[i] < 0x20 || to[i] == 0x7f) {
            to[i] = ' ';
        }
    }

    memset(to + i, 0, RCV_TEXT_MAX + 1 - i);
    text.data = to;
    text.len = i;

    return text;
}


static int
order_member(order_words_t *words, const rcv_json_member_t *member,
    char *error)
{
    unsigned    i;
    rcv_str_t  *value;

    i = order_find(order_members, ORDER_MEMBERS, member->key);

    if (i == ORDER_MEMBERS) {
        return order_bad(error, "unknown member", member->key,
                         RCV_ORDER_MEMBERS);
    }

    value = &words->value[i];

    if (value->data != NULL) {
        return order_bad(error, "a member given twice:", member->key,
                         "each once");
    }

    if (member->kind == RCV_JSON_WORD) {
        return order_bad(error, "neither string nor number in",
                         member->key, "strings and numbers");
    }

    *value = order_text(words->data[i], member->value);

    if (i != ORDER_BY && i != ORDER_REASON
        && (member->cut || value->len < member->value.len))
    {
        return order_bad(error, "too long a value of", member->key,
                         "at most 63 bytes");
    }

    return 0;
}


static int
order_read(order_words_t *words, rcv_str_t body, char *error)
{
    int                rc;
    rcv_json_t         json;
    rcv_json_member_t  member;

    memset(words, 0, sizeof(order_words_t));

    rc = rcv_json_begin(&json, body);

    while (rc == 0) {
        rc = rcv_json_next(&json, &member);

        if (rc == 0) {
            return 0;
        }

        if (rc == 1) {
            rc = order_member(words, &member, error);

            if (rc != 0) {
                return -1;
            }
        }
    }

    (void) snprintf(error, RCV_ERROR_MAX,
                    "not the JSON of one flat object, at byte %u: "
                    "%s was expected",
                    (unsigned) (json.next - body.data), json.error);
    return -1;
}


static int
order_end(rcv_order_t *order, const order_words_t *words, uint64_t unix_s,
    char *error)
{
    uint64_t   until_s;
    rcv_str_t  span, until;

    span = words->value[ORDER_FOR];
    until = words->value[ORDER_UNTIL];

    if (span.data != NULL && until.data != NULL) {
        return order_bad(error, "two ends: \"for\" and", until,
                         "one of \"for\" and \"until\"");
    }

    if (span.data != NULL) {

        if (rcv_parse_duration(span, &order->left_ms) != 0
            || order->left_ms == 0)
        {
            return order_bad(error, "bad \"for\"", span,
                             "a time such as \"90s\", \"10m\" or \"2h\", "
                             "at most 30 days");
        }

        return 0;
    }

    if (until.data == NULL) {
        return 0;
    }

    if (rcv_parse_integer(until, &until_s) != 0 || until_s <= unix_s
        || until_s - unix_s > RCV_ORDER_LEFT_MAX_S)
    {
        return order_bad(error, "bad \"until\"", until,
                         "unix time in seconds, in the future, "
                         "at most 30 days from now");
    }

    order->left_ms = (until_s - unix_s) * 1000;

    return 0;
}


static int
order_value(rcv_order_t *order, rcv_str_t value, char *error)
{
    switch (order->action) {

    case RCV_ACTION_FORCE:

        if (rcv_force_read(value, &order->force, &order->force_ppm) != 0) {
            return order_bad(error, "bad \"value\" of force", value,
                             RCV_ORDER_FORCES);
        }

        break;

    case RCV_ACTION_HEALTH:

        if (rcv_health_read(value, &order->health, &order->health_ppm) != 0) {
            return order_bad(error, "bad \"value\" of health", value,
                             RCV_ORDER_HEALTHS);
        }

        break;

    case RCV_ACTION_PROMOTE:

        if (value.data != NULL && !rcv_name_valid(value)) {
            return order_bad(error, "bad \"value\" of promote", value,
                             "the name of a class");
        }

        memcpy(order->class_name, value.data ? value.data : "", value.len);
        break;

    default:
        break;
    }

    return 0;
}


/* Is there what the action needs, and no more? */

static int
order_complete(const rcv_order_t *order, const order_words_t *words,
    char *error)
{
    const char    *name;
    order_need_t   need;

    name = rcv_action_names[order->action];
    need = order_needs[order->action].value;

    if (need == ORDER_MUST && words->value[ORDER_VALUE].data == NULL) {
        (void) snprintf(error, RCV_ERROR_MAX,
                        "no \"value\"; allowed with %s: %s", name,
                        (order->action == RCV_ACTION_FORCE)
                        ? RCV_ORDER_FORCES : RCV_ORDER_HEALTHS);
        return -1;
    }

    if (need == ORDER_NONE && words->value[ORDER_VALUE].data != NULL) {
        (void) snprintf(error, RCV_ERROR_MAX, "%s has no \"value\"", name);
        return -1;
    }

    need = order_needs[order->action].end;

    if (need == ORDER_MUST && order->left_ms == 0) {
        (void) snprintf(error, RCV_ERROR_MAX,
                        "no end: %s needs \"for\" (such as \"10m\") or "
                        "\"until\" (unix time in seconds)", name);
        return -1;
    }

    if (need == ORDER_NONE && order->left_ms != 0) {
        (void) snprintf(error, RCV_ERROR_MAX, "%s has no end", name);
        return -1;
    }

    return 0;
}


static int
order_safety(rcv_order_t *order, rcv_str_t word, char *error)
{
    unsigned  i;

    if (word.data == NULL) {
        return 0;
    }

    i = order_find(rcv_safety_names, RCV_SAFETIES, word);

    if (i == RCV_SAFETY_NONE || i == RCV_SAFETIES) {
        return order_bad(error, "bad \"override_safety\"", word,
                         "the name of a rule: \"failing\"");
    }

    order->safety = (rcv_safety_t) i;

    return 0;
}


int
rcv_order_parse(rcv_order_t *order, rcv_str_t body, uint64_t unix_s,
    char *error)
{
    unsigned       i;
    rcv_str_t      word;
    order_words_t  words;

    memset(order, 0, sizeof(rcv_order_t));

    if (order_read(&words, body, error) != 0) {
        return -1;
    }

    word = words.value[ORDER_BACKEND];

    if (word.data == NULL || !rcv_name_valid(word)) {
        return order_bad(error, "no valid \"backend\":", word,
                         "the name of a recovery_backend");
    }

    memcpy(order->backend, word.data, word.len);

    word = words.value[ORDER_ACTION];
    i = order_find(rcv_action_names, RCV_ACTIONS, word);

    if (i == RCV_ACTIONS) {
        return order_bad(error, "no valid \"action\":", word,
                         RCV_ORDER_ACTIONS);
    }

    order->action = (rcv_action_t) i;

    (void) order_text(order->by, words.value[ORDER_BY]);
    (void) order_text(order->reason, words.value[ORDER_REASON]);

    if (order_end(order, &words, unix_s, error) != 0
        || order_complete(order, &words, error) != 0
        || order_value(order, words.value[ORDER_VALUE], error) != 0)
    {
        return -1;
    }

    return order_safety(order, words.value[ORDER_SAFETY], error);
}


/* A force from now on. */

static void
order_force(rcv_override_t *override, rcv_force_t force,
    const rcv_order_t *order, uint8_t text, uint64_t now_ms)
{
    override->force = (uint8_t) force;
    override->force_ppm = order->force_ppm;
    override->force_until_ds = rcv_override_until_ds(now_ms, order->left_ms);
    override->force_text = text;
    override->flags &= (uint8_t) ~RCV_OVERRIDE_RESUME;

    if (force != RCV_FORCE_NONE) {
        override->flags |= RCV_OVERRIDE_NEW_FORCE;
    }
}


static rcv_order_result_t
order_resume(rcv_state_t *state, const rcv_order_t *order, uint8_t text,
    uint64_t now_ms)
{
    rcv_override_t  *override;

    override = &state->override;

    if (override->force != RCV_FORCE_HOLD
        && (override->force != RCV_FORCE_NONE
            || rcv_signal_force(&state->signal, now_ms) != RCV_FORCE_HOLD))
    {
        return RCV_ORDER_NO_HOLD;
    }

    order_force(override, RCV_FORCE_NONE, order, text, now_ms);

    if (order->left_ms != 0) {
        override->flags |= RCV_OVERRIDE_RESUME;
    }

    return RCV_ORDER_OK;
}


/* The class named, else the one behind those that are let in. */

static rcv_order_result_t
order_promote(rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_order_t *order, uint64_t now_ms)
{
    int        i;
    uint64_t   next;
    rcv_str_t  name;

    name.data = order->class_name;
    name.len = strlen(order->class_name);

    next = rcv_max(state->override.classes, state->class_max + 1u);
    i = (int) rcv_min(next, policy->nclasses - 1);

    if (name.len != 0) {
        i = rcv_policy_class(policy, name);

        if (i < 0) {
            return RCV_ORDER_UNKNOWN_CLASS;
        }
    }

    state->override.classes = (uint8_t) (i + 1);
    state->override.flags |= RCV_OVERRIDE_NEW_CLASS;
    state->override.class_until_ds = rcv_override_until_ds(now_ms,
                                                           order->left_ms);
    return RCV_ORDER_OK;
}


static void
order_health(rcv_override_t *override, const rcv_order_t *order,
    uint8_t text, uint64_t now_ms)
{
    override->health = (uint8_t) order->health;
    override->health_milli = (uint16_t) (order->health_ppm
                                         / (RCV_PPM / RCV_MILLI));
    override->health_until_ds = rcv_override_until_ds(now_ms, order->left_ms);
    override->health_text = text;

    override->flags &= (uint8_t) ~RCV_OVERRIDE_RECOVERING;
    override->flags |= RCV_OVERRIDE_NEW_HEALTH;

    if (order->health == RCV_HEALTH_RECOVERING) {
        override->flags |= RCV_OVERRIDE_RECOVERING;
    }
}


rcv_order_result_t
rcv_order_apply(rcv_state_t *state, const rcv_policy_t *policy,
    const rcv_order_t *order, uint8_t text, uint64_t now_ms)
{
    rcv_override_t  *override;

    override = &state->override;

    switch (order->action) {

    case RCV_ACTION_FORCE:

        if (order->force == RCV_FORCE_OPEN
            && order->safety != RCV_SAFETY_FAILING
            && rcv_state_failing(state))
        {
            return RCV_ORDER_FAILING;
        }

        order_force(override, order->force, order, text, now_ms);
        break;

    case RCV_ACTION_HEALTH:
        order_health(override, order, text, now_ms);
        break;

    case RCV_ACTION_HOLD:
        order_force(override, RCV_FORCE_HOLD, order, text, now_ms);
        break;

    case RCV_ACTION_RESUME:
        return order_resume(state, order, text, now_ms);

    case RCV_ACTION_STEP_BACK:
        order_force(override, RCV_FORCE_HOLD, order, text, now_ms);
        override->flags |= RCV_OVERRIDE_STEP_BACK;
        break;

    case RCV_ACTION_PROMOTE:
        return order_promote(state, policy, order, now_ms);

    default: /* RCV_ACTION_CLEAR */
        *override = (rcv_override_t) { 0 };
        break;
    }

    return RCV_ORDER_OK;
}
