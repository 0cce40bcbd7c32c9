
/*
 * An order into the hash of its backend: at once what goes away and all that
 * is set, with an epoch above every one that was ever seen; then the word that
 * something has changed.  Nodes read it whole or not yet, and what Redis
 * refuses has changed nothing.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "order.h"
#include "words.h"


#define WRITE_WORDS_MAX  (2 * CTL_FIELDS_MAX + 10)
#define WRITE_AUDIT      "10000"
#define WRITE_DAY_MS     86400000

/* Beyond it a reader of JSON may not tell one from the next. */
#define WRITE_EPOCH_MAX  (1ull << 53)


typedef struct {
    ctl_redis_t  *redis;
    char         *key;
    uint64_t      epoch;
    char          number[24];           /* epoch */
    char          until[24];            /* force_until */
    const char   *gone[WRITE_WORDS_MAX];
    const char   *set[WRITE_WORDS_MAX];
    ctl_words_t   commands[2];          /* of these */
    unsigned      ncommands;
} write_t;


static void
write_command(write_t *w, const char **words, const char *name)
{
    ctl_words_t  *command;

    command = &w->commands[w->ncommands++];
    command->words = words;
    command->words[command->n++] = name;
    command->words[command->n++] = w->key;
}


/* Of the last command. */

static void
write_word(write_t *w, const char *word)
{
    ctl_words_t  *command;

    command = &w->commands[w->ncommands - 1];
    command->words[command->n++] = word;
}


static uint64_t
write_number(const char *text)
{
    uint64_t   n;
    rcv_str_t  word = { text, text != NULL ? strlen(text) : 0 };

    return text != NULL && rcv_parse_integer(word, &n) == 0 ? n : 0;
}


/*
 * One more than the hash has, and than any node has ever read: the hash may
 * have been deleted since, and nodes do not forget.
 */

static uint64_t
write_epoch(const ctl_target_t *target)
{
    size_t         i;
    uint64_t       epoch;
    const json_t  *seen;

    epoch = write_number(ctl_target_field(target, "epoch"));

    for (i = 0; i < target->nodes.n; i++) {
        seen = json_object_get(target->reports[i], "epoch");

        if (json_is_integer(seen)
            && (uint64_t) json_integer_value(seen) > epoch)
        {
            epoch = (uint64_t) json_integer_value(seen);
        }
    }

    return epoch + (epoch < UINT64_MAX);
}


/* Is anything of it really to go away? */

static void
write_hdel(write_t *w, const ctl_options_t *options,
    const ctl_target_t *target, const ctl_order_t *order)
{
    unsigned  i;

    write_command(w, w->gone, "HDEL");

    for (i = 0; i < order->nfields; i++) {
        if (order->fields[i].value == NULL
            && ctl_target_field(target, order->fields[i].name) != NULL)
        {
            write_word(w, order->fields[i].name);
        }
    }

    /* a reason that is not ours */

    if (options->reason == NULL && strcmp(order->action, "clear") != 0
        && ctl_target_field(target, "reason") != NULL)
    {
        write_word(w, "reason");
    }

    if (w->commands[0].n == 2) {
        w->commands[0].n = 0;
        w->ncommands = 0;
    }
}


static void
write_hset(write_t *w, const ctl_options_t *options, const ctl_order_t *order)
{
    unsigned  i;

    write_command(w, w->set, "HSET");

    for (i = 0; i < order->nfields; i++) {
        if (order->fields[i].value != NULL) {
            write_word(w, order->fields[i].name);
            write_word(w, order->fields[i].value);
        }
    }

    if (w->until[0] != '\0') {
        write_word(w, "force_until");
        write_word(w, w->until);
    }

    if (strcmp(order->action, "clear") != 0) {
        write_word(w, "by");
        write_word(w, options->by);
    }

    if (options->reason != NULL && strcmp(order->action, "clear") != 0) {
        write_word(w, "reason");
        write_word(w, options->reason);
    }

    write_word(w, "epoch");
    write_word(w, w->number);
}


/* One alone needs no transaction, nor the right to one. */

static int
write_do(write_t *w)
{
    redisReply  *reply;

    if (w->ncommands > 1) {
        return ctl_redis_all(w->redis, w->commands, w->ncommands);
    }

    reply = ctl_redis_words(w->redis, w->commands[0].n, w->commands[0].words,
                            0);

    if (reply == NULL) {
        return -1;
    }

    freeReplyObject(reply);

    return 0;
}


/* Without it nodes read the hash at their next poll. */

static void
write_publish(write_t *w, const char *name)
{
    char        *channel;
    redisReply  *reply;

    channel = ctl_redis_key(w->redis, "changed", NULL);

    if (channel == NULL) {
        return;
    }

    reply = ctl_redis_try(w->redis, "PUBLISH", channel, name);

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        ctl_error("written, but not published: nodes read it at their next "
                  "poll");
        ctl_hint("%s", reply != NULL ? reply->str : ctl_redis_why(w->redis));
    }

    if (reply != NULL) {
        freeReplyObject(reply);
    }

    free(channel);
}


/* Nodes write the audit; where there are none, nobody else would. */

static void
write_audit(write_t *w, const ctl_options_t *options, const char *name,
    const ctl_order_t *order)
{
    char             *key, ms[24], text[2 * CTL_VALUE_MAX], what[256];
    redisReply       *reply;
    struct timespec   ts;

    key = ctl_redis_key(w->redis, "audit", NULL);

    if (key == NULL) {
        return;
    }

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    (void) snprintf(ms, sizeof(ms), "%lld", (long long) ts.tv_sec * 1000
                    + ts.tv_nsec / 1000000);
    (void) snprintf(what, sizeof(what), "%s was ordered while no node was "
                    "there", ctl_order_text(order, text, sizeof(text)));

    reply = ctl_redis_try(w->redis, "XADD", key, "MAXLEN", "~", WRITE_AUDIT,
                          "*", "node", "recoveryctl", "backend", name,
                          "time_ms", ms, "what", what, "through", "redis",
                          "by", options->by, "reason",
                          options->reason ? options->reason : "");

    if (reply != NULL) {
        freeReplyObject(reply);
    }

    free(key);
}


/* "until 14:32:10 (10 min)" */

static void
write_told_end(uint64_t for_ms)
{
    char        span[CTL_SPAN_MAX], text[64];
    time_t      end;
    struct tm   tm;

    end = time(NULL) + (time_t) (for_ms / 1000);

    if (localtime_r(&end, &tm) == NULL
        || strftime(text, sizeof(text), for_ms < WRITE_DAY_MS
                    ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &tm) == 0)
    {
        return;
    }

    printf(" until %s (%s)", text, ctl_span(span, for_ms));
}


void
ctl_order_told(const ctl_options_t *options, const char *name,
    const ctl_order_t *order)
{
    char  text[2 * CTL_VALUE_MAX];

    ctl_text(stdout, name);
    fputs(": ", stdout);
    ctl_text(stdout, ctl_order_text(order, text, sizeof(text)));

    if (order->for_ms != 0) {
        write_told_end(order->for_ms);
    }

    fputs(", by ", stdout);
    ctl_text(stdout, options->by);

    if (options->reason != NULL) {
        fputs(": ", stdout);
        ctl_text(stdout, options->reason);
    }

    fputc('\n', stdout);
    (void) ctl_flush();
}


/*
 * Two who write at the same time have the same epoch, and nodes obey the
 * last: is it ours?
 */

static int
write_overtaken(const write_t *w, const ctl_options_t *options,
    const ctl_order_t *order)
{
    int            n;
    unsigned       i;
    redisReply    *reply;
    ctl_target_t   now;
    const char    *field;

    reply = ctl_redis_call(w->redis, "HGETALL", w->key);

    if (reply == NULL) {
        return 0;
    }

    memset(&now, 0, sizeof(now));
    now.hash = reply;
    field = ctl_target_field(&now, "epoch");
    n = (field == NULL || strcmp(field, w->number) != 0);

    for (i = 0; i < order->nfields; i++) {
        field = ctl_target_field(&now, order->fields[i].name);
        n |= (order->fields[i].value == NULL)
             ? field != NULL
             : field == NULL || strcmp(field, order->fields[i].value) != 0;
    }

    if (n) {
        field = ctl_target_field(&now, "by");
        ctl_error("somebody else has written to it meanwhile: %s",
                  field == NULL || strcmp(field, options->by) == 0
                  ? "a script, without a name" : field);
        ctl_hint("what stands now: recoveryctl status; a force stands above "
                 "whatever a script says of health");
    }

    freeReplyObject(reply);

    return n;
}


/* What goes on to hold beside the order, and how to end it. */

static void
write_stands(const ctl_target_t *target, const ctl_order_t *order)
{
    int          any;
    uint64_t     until_s;
    const char  *force, *until, *ceiling, *promote;

    if (strcmp(order->action, "health") != 0) {
        return;
    }

    force = ctl_target_field(target, "force");
    until = ctl_target_field(target, "force_until");
    ceiling = ctl_target_field(target, "ceiling");
    promote = ctl_target_field(target, "promote");
    until_s = write_number(until);
    any = 0;

    if (force != NULL
        && (until == NULL || until_s * 1000 > target->nodes.redis_ms))
    {
        ctl_error("force %s stands above it%s", force,
                  until ? " until its end" : ", without an end");
        any = 1;
    }

    if (ceiling != NULL) {
        ctl_error("ceiling %s goes on to hold", ceiling);
        any = 1;
    }

    if (promote != NULL) {
        ctl_error("classes up to %s are still let in while it probes",
                  promote);
        any = 1;
    }

    if (any) {
        ctl_hint("to end that: recoveryctl clear %s", target->name);
    }
}


static int
write_fields(ctl_t *ctl, write_t *w, const ctl_target_t *target,
    const ctl_order_t *order)
{
    uint64_t  until_ms;

    if (order->for_ms != 0) {
        until_ms = target->nodes.redis_ms + order->for_ms + 999;
        (void) snprintf(w->until, sizeof(w->until), "%llu",
                        (unsigned long long) (until_ms / 1000));
    }

    (void) snprintf(w->number, sizeof(w->number), "%llu",
                    (unsigned long long) w->epoch);

    write_hdel(w, &ctl->options, target, order);
    write_hset(w, &ctl->options, order);

    if (write_do(w) != 0) {
        return ctl_redis_failed(ctl->redis);
    }

    write_publish(w, target->name);

    return CTL_OK;
}


static int
write_alive(const ctl_nodes_t *nodes)
{
    size_t  i;

    for (i = 0; i < nodes->n; i++) {
        if (ctl_node_alive(&nodes->node[i])) {
            return 1;
        }
    }

    return 0;
}


int
ctl_write(ctl_t *ctl, const ctl_target_t *target, const ctl_order_t *order)
{
    int      rc;
    write_t  w;

    if (order->nfields == 0) {
        printf("%s: nothing was ordered in Redis\n", target->name);
        ctl_confirm_local(target);
        return CTL_OK;
    }

    memset(&w, 0, sizeof(w));
    w.redis = ctl->redis;
    w.epoch = write_epoch(target);

    if (w.epoch > WRITE_EPOCH_MAX) {
        ctl_error("the epoch of \"%s\" leaves no higher one", target->name);
        ctl_hint("somebody has written %llu; lower it in Redis (HSET ... "
                 "epoch 0) and restart nginx, which remembers the highest",
                 (unsigned long long) w.epoch - 1);
        return CTL_REFUSED;
    }

    w.key = ctl_redis_key(ctl->redis, target->name, NULL);

    if (w.key == NULL) {
        return CTL_UNREACHABLE;
    }

    rc = write_fields(ctl, &w, target, order);

    if (rc == CTL_OK) {
        ctl_order_told(&ctl->options, target->name, order);

        if (!write_alive(&target->nodes)) {
            write_audit(&w, &ctl->options, target->name, order);
        }

        rc = ctl_confirm(ctl, target, w.epoch);
        write_stands(target, order);

        if (write_overtaken(&w, &ctl->options, order) && rc == CTL_OK) {
            rc = CTL_UNCONFIRMED;
        }
    }

    free(w.key);

    return rc;
}
