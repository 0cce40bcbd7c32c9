
/*
 * The words that go over the links, and what comes of the replies.  See
 * _source.h for what may be outstanding.
 */

#include "ngx_http_recovery_source.h"


/* What is known of a backend here. */

#define NGX_HTTP_RECOVERY_SOURCE_NAMED  0x01    /* by a message; not asked */
#define NGX_HTTP_RECOVERY_SOURCE_ASKED  0x02    /* in the batch on its way */
#define NGX_HTTP_RECOVERY_SOURCE_BAD    0x04    /* key of a wrong type, said */


typedef struct {
    ngx_str_t                *name;
    ngx_uint_t                backend;
} ngx_http_recovery_source_name_t;


struct ngx_http_recovery_source_s {
    ngx_uint_t                        nbackends;
    ngx_http_recovery_source_name_t  *names;        /* sorted */
    u_char                           *flags;        /* per backend */
    ngx_str_t                         channel;

    ngx_uint_t                        named;        /* how many flags */
    ngx_uint_t                        next_named;   /* where to go on */
    ngx_uint_t                        next;         /* of the poll */
    unsigned                          polling:1;
    unsigned                          listening:1;
    unsigned                          own_clock:1;  /* no right to TIME */
    ngx_msec_t                        poll_due_ms;

    /* the batch on its way, after its TIME */
    unsigned                          time_due:1;
    uint64_t                          unix_s;
    ngx_msec_t                        sent_ms;
    ngx_uint_t                        nbatch;
    ngx_uint_t                        answered;
    ngx_uint_t                        batch[NGX_HTTP_RECOVERY_SOURCE_BATCH];
    ngx_http_recovery_audit_t         audit;        /* behind those */
    ngx_http_recovery_report_t        report;       /* ... and the last */
};


static int ngx_libc_cdecl ngx_http_recovery_source_compare(const void *one,
    const void *two);
static void ngx_http_recovery_source_ready(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_source_due(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_source_schedule(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_source_ask(ngx_http_recovery_link_t *link);
static ngx_int_t ngx_http_recovery_source_hmget(
    ngx_http_recovery_link_t *link, ngx_uint_t backend);
static void ngx_http_recovery_source_reply(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);
static ngx_int_t ngx_http_recovery_source_time(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);
static ngx_int_t ngx_http_recovery_source_number(
    const ngx_http_recovery_resp_value_t *value, uint64_t *n);
static ngx_int_t ngx_http_recovery_source_hash(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);
static void ngx_http_recovery_source_wrong_type(
    ngx_http_recovery_link_t *link, ngx_uint_t backend);
static void ngx_http_recovery_source_unknown(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_source_subscribe(
    ngx_http_recovery_link_t *link);
static void ngx_http_recovery_source_ping(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_source_message(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);
static void ngx_http_recovery_source_named(ngx_http_recovery_redis_t *redis,
    const ngx_http_recovery_resp_value_t *name);
static ngx_uint_t ngx_http_recovery_source_is(
    const ngx_http_recovery_resp_value_t *value, const char *word);


const ngx_http_recovery_link_use_t  ngx_http_recovery_source_commands = {
    "polling",
    ngx_http_recovery_source_ready,
    ngx_http_recovery_source_reply,
    ngx_http_recovery_source_due
};


const ngx_http_recovery_link_use_t  ngx_http_recovery_source_subscriber = {
    "listening for changes",
    ngx_http_recovery_source_subscribe,
    ngx_http_recovery_source_message,
    ngx_http_recovery_source_ping
};


ngx_http_recovery_source_t *
ngx_http_recovery_source_create(ngx_http_recovery_redis_t *redis)
{
    ngx_uint_t                     i, n;
    ngx_str_t                     *prefix;
    ngx_http_recovery_source_t    *source;
    ngx_http_recovery_backend_t  **backends;

    source = ngx_pcalloc(redis->pool, sizeof(ngx_http_recovery_source_t));
    if (source == NULL) {
        return NULL;
    }

    prefix = &redis->conf->prefix;
    backends = redis->main->backends.elts;
    n = redis->main->backends.nelts;

    source->nbackends = n;
    source->flags = ngx_pcalloc(redis->pool, n + 1);
    source->names = ngx_palloc(redis->pool, (n + 1)
                                   * sizeof(ngx_http_recovery_source_name_t));
    source->channel.data = ngx_pnalloc(redis->pool,
                                       prefix->len + sizeof("changed") - 1);

    if (source->flags == NULL || source->names == NULL
        || source->channel.data == NULL
        || ngx_http_recovery_report_init(&source->report, redis) != NGX_OK)
    {
        return NULL;
    }

    source->channel.len = ngx_sprintf(source->channel.data, "%Vchanged",
                                      prefix)
                          - source->channel.data;

    for (i = 0; i < n; i++) {
        source->names[i].name = &backends[i]->name;
        source->names[i].backend = i;
    }

    ngx_qsort(source->names, n, sizeof(ngx_http_recovery_source_name_t),
              ngx_http_recovery_source_compare);

    return source;
}


static int ngx_libc_cdecl
ngx_http_recovery_source_compare(const void *one, const void *two)
{
    const ngx_http_recovery_source_name_t  *first, *second;

    first = one;
    second = two;

    return (int) ngx_memn2cmp(first->name->data, second->name->data,
                              first->name->len, second->name->len);
}


/* A new connection: all is asked anew, nothing is on its way. */

static void
ngx_http_recovery_source_ready(ngx_http_recovery_link_t *link)
{
    ngx_uint_t                   i;
    ngx_http_recovery_source_t  *source;

    source = link->redis->source;

    for (i = 0; i < source->nbackends; i++) {
        source->flags[i] &= NGX_HTTP_RECOVERY_SOURCE_BAD;
    }

    source->named = 0;
    source->polling = 1;
    source->next = 0;

    ngx_http_recovery_audit_ready(&source->audit);
    ngx_http_recovery_report_ready(&source->report);
    ngx_http_recovery_source_ask(link);
}


static void
ngx_http_recovery_source_due(ngx_http_recovery_link_t *link)
{
    ngx_http_recovery_source_t  *source;

    source = link->redis->source;

    if ((ngx_msec_int_t) (source->poll_due_ms - ngx_current_msec) <= 0) {
        source->polling = 1;
        source->next = 0;
    }

    ngx_http_recovery_source_ask(link);
}


/* With nothing outstanding: when to ask next? */

static void
ngx_http_recovery_source_schedule(ngx_http_recovery_link_t *link)
{
    ngx_msec_t                   at_ms, report_ms;
    ngx_msec_int_t               delay_ms;
    ngx_http_recovery_source_t  *source;

    source = link->redis->source;

    if (source->polling) {
        ngx_http_recovery_source_ask(link);
        return;
    }

    at_ms = source->poll_due_ms;
    report_ms = ngx_http_recovery_report_due(&source->report,
                                             source->sent_ms);

    if ((ngx_msec_int_t) (report_ms - at_ms) < 0) {
        at_ms = report_ms;
    }

    if (source->named) {
        at_ms = source->sent_ms + NGX_HTTP_RECOVERY_SOURCE_GAP_MS;
    }

    delay_ms = (ngx_msec_int_t) (at_ms - ngx_current_msec);

    ngx_http_recovery_link_wait(link, ngx_max(delay_ms, 0));
}


/*
 * Also called from within a reply, after which is scheduled anyway, and while
 * the link is down.
 */

void
ngx_http_recovery_redis_note(ngx_http_recovery_redis_t *redis, ngx_uint_t i,
    const rcv_state_t *state)
{
    ngx_http_recovery_link_t      *link;
    ngx_http_recovery_source_t    *source;
    ngx_http_recovery_backend_t  **backends;

    link = &redis->commands;
    source = redis->source;
    backends = redis->main->backends.elts;

    if (ngx_http_recovery_report_note(&source->report, i, backends[i]->record,
                                      state)
        && link->step == NGX_HTTP_RECOVERY_LINK_READY
        && link->outstanding == 0 && !source->polling)
    {
        ngx_http_recovery_source_schedule(link);
    }
}


/*
 * One batch.  Backends that were named by messages come first but get only
 * a part of it: a flood of messages must not hold up the poll.
 */

static void
ngx_http_recovery_source_ask(ngx_http_recovery_link_t *link)
{
    ngx_str_t                    time;
    ngx_uint_t                   i, tried;
    ngx_http_recovery_source_t  *source;

    source = link->redis->source;

    source->time_due = 1;
    source->sent_ms = ngx_current_msec;
    source->nbatch = 0;
    source->answered = 0;

    ngx_str_set(&time, "TIME");

    if (ngx_http_recovery_link_command(link, 1, &time) != NGX_OK) {
        return;
    }

    for (tried = 0;
         source->named && tried < source->nbackends
         && source->nbatch < NGX_HTTP_RECOVERY_SOURCE_WANTED;
         tried++)
    {
        i = source->next_named;
        source->next_named = (i + 1) % source->nbackends;

        if ((source->flags[i] & NGX_HTTP_RECOVERY_SOURCE_NAMED)
            && ngx_http_recovery_source_hmget(link, i) != NGX_OK)
        {
            return;
        }
    }

    while (source->polling && source->next < source->nbackends
           && source->nbatch < NGX_HTTP_RECOVERY_SOURCE_BATCH)
    {
        if (ngx_http_recovery_source_hmget(link, source->next) != NGX_OK) {
            return;
        }

        source->next++;
    }

    if (ngx_http_recovery_audit_send(&source->audit, link) != NGX_OK
        || ngx_http_recovery_report_send(&source->report, link) != NGX_OK)
    {
        return;
    }

    ngx_http_recovery_link_send(link);
}


/* A backend that the batch has already is not asked for twice. */

static ngx_int_t
ngx_http_recovery_source_hmget(ngx_http_recovery_link_t *link,
    ngx_uint_t backend)
{
    u_char                        *flags;
    u_char                         key[NGX_HTTP_RECOVERY_SOURCE_PREFIX_MAX
                                       + RCV_NAME_MAX];
    ngx_str_t                      words[RCV_FIELDS + 2];
    ngx_uint_t                     i;
    ngx_http_recovery_source_t    *source;
    ngx_http_recovery_backend_t  **backends;

    source = link->redis->source;
    backends = link->redis->main->backends.elts;
    flags = &source->flags[backend];

    if (*flags & NGX_HTTP_RECOVERY_SOURCE_NAMED) {
        *flags &= ~NGX_HTTP_RECOVERY_SOURCE_NAMED;
        source->named--;
    }

    if (*flags & NGX_HTTP_RECOVERY_SOURCE_ASKED) {
        return NGX_OK;
    }

    *flags |= NGX_HTTP_RECOVERY_SOURCE_ASKED;
    source->batch[source->nbatch++] = backend;

    ngx_str_set(&words[0], "HMGET");

    words[1].data = key;
    words[1].len = ngx_snprintf(key, sizeof(key), "%V%V",
                                &link->redis->conf->prefix,
                                &backends[backend]->name)
                   - key;

    for (i = 0; i < RCV_FIELDS; i++) {
        words[2 + i].data = (u_char *) rcv_field_names[i];
        words[2 + i].len = ngx_strlen(rcv_field_names[i]);
    }

    return ngx_http_recovery_link_command(link, RCV_FIELDS + 2, words);
}


static void
ngx_http_recovery_source_reply(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    ngx_int_t                    rc;
    ngx_uint_t                   whole;
    ngx_http_recovery_redis_t   *redis;
    ngx_http_recovery_source_t  *source;

    redis = link->redis;
    source = redis->source;

    if (ngx_http_recovery_link_expected(link, value) != NGX_OK) {
        return;
    }

    if (source->time_due) {
        rc = ngx_http_recovery_source_time(link, value);

    } else if (source->answered < source->nbatch) {
        rc = ngx_http_recovery_source_hash(link, value);

    } else if (ngx_http_recovery_reply_starts(value, "MOVED")) {
        ngx_http_recovery_link_moved(link, value);
        return;

    } else if (source->audit.answered < source->audit.n) {
        ngx_http_recovery_audit_reply(&source->audit, link, value);
        rc = NGX_OK;

    } else {
        ngx_http_recovery_report_reply(&source->report, link, value);
        rc = NGX_OK;
    }

    if (rc != NGX_OK || source->answered < source->nbatch
        || source->audit.answered < source->audit.n
        || source->report.answered < source->report.n)
    {
        return;
    }

    whole = source->polling && source->next == source->nbackends;

    if (whole) {
        source->polling = 0;
        source->poll_due_ms = ngx_current_msec + redis->conf->poll_ms;

        ngx_http_recovery_link_good(link);
        ngx_http_recovery_leader_heard(redis->main);

        if (link->connection == NULL) {
            return;
        }
    }

    ngx_http_recovery_source_schedule(link);
}


/*
 * The clock that force_until is compared with is the server's, unless we
 * have no right to ask for it: TIME is in none of the groups of commands
 * that the link needs otherwise.
 */

static ngx_int_t
ngx_http_recovery_source_time(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    uint64_t                     micro;
    ngx_time_t                  *tp;
    ngx_http_recovery_source_t  *source;

    source = link->redis->source;
    source->time_due = 0;

    if (value->type == NGX_HTTP_RECOVERY_RESP_ERROR) {

        if (!ngx_http_recovery_reply_starts(value, "NOPERM")) {
            ngx_http_recovery_link_refused(link, value);
            return NGX_ERROR;
        }

        if (!source->own_clock) {
            source->own_clock = 1;

            ngx_log_error(NGX_LOG_WARN, &link->log, 0,
                          "recovery_redis: no permission for TIME, "
                          "\"force_until\" is compared with the local clock");
        }

        tp = ngx_timeofday();
        source->unix_s = tp->sec;
        ngx_http_recovery_report_time(&source->report,
                                      (uint64_t) tp->sec * 1000 + tp->msec);
        return NGX_OK;
    }

    if (value->type != NGX_HTTP_RECOVERY_RESP_ARRAY || value->len != 2
        || ngx_http_recovery_source_number(&value->elements[0],
                                           &source->unix_s) != NGX_OK
        || ngx_http_recovery_source_number(&value->elements[1], &micro)
           != NGX_OK)
    {
        ngx_http_recovery_source_unknown(link);
        return NGX_ERROR;
    }

    source->own_clock = 0;
    ngx_http_recovery_report_time(&source->report,
                                  source->unix_s * 1000 + micro / 1000);

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_source_number(const ngx_http_recovery_resp_value_t *value,
    uint64_t *n)
{
    rcv_str_t  word;

    word.data = value->data;
    word.len = value->len;

    return (value->type == NGX_HTTP_RECOVERY_RESP_STRING
            && rcv_parse_integer(word, n) == 0) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_recovery_source_hash(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    ngx_uint_t                             i, backend;
    rcv_fields_t                           fields;
    ngx_http_recovery_source_t            *source;
    const ngx_http_recovery_resp_value_t  *field;

    source = link->redis->source;

    backend = source->batch[source->answered++];
    source->flags[backend] &= ~NGX_HTTP_RECOVERY_SOURCE_ASKED;

    if (value->type == NGX_HTTP_RECOVERY_RESP_ERROR) {

        if (ngx_http_recovery_reply_starts(value, "MOVED")) {
            ngx_http_recovery_link_moved(link, value);
            return NGX_ERROR;
        }

        if (!ngx_http_recovery_reply_starts(value, "WRONGTYPE")) {
            ngx_http_recovery_link_refused(link, value);
            return NGX_ERROR;
        }

        ngx_http_recovery_source_wrong_type(link, backend);
        return NGX_OK;
    }

    if (value->type != NGX_HTTP_RECOVERY_RESP_ARRAY
        || value->len != RCV_FIELDS)
    {
        ngx_http_recovery_source_unknown(link);
        return NGX_ERROR;
    }

    for (i = 0; i < RCV_FIELDS; i++) {
        field = &value->elements[i];

        if (field->type != NGX_HTTP_RECOVERY_RESP_STRING
            && field->type != NGX_HTTP_RECOVERY_RESP_NIL)
        {
            ngx_http_recovery_source_unknown(link);
            return NGX_ERROR;
        }

        fields.value[i].data = field->data;
        fields.value[i].len = field->len;
    }

    source->flags[backend] &= ~NGX_HTTP_RECOVERY_SOURCE_BAD;

    ngx_http_recovery_leader_fields(link->redis->main, backend, &fields,
                                    source->unix_s);

    return link->connection != NULL ? NGX_OK : NGX_ERROR;
}


/* A bad value of this backend's; the others go on. */

static void
ngx_http_recovery_source_wrong_type(ngx_http_recovery_link_t *link,
    ngx_uint_t backend)
{
    u_char                        *flags;
    ngx_http_recovery_redis_t     *redis;
    ngx_http_recovery_backend_t  **backends;

    redis = link->redis;
    flags = &redis->source->flags[backend];

    if (*flags & NGX_HTTP_RECOVERY_SOURCE_BAD) {
        return;
    }

    *flags |= NGX_HTTP_RECOVERY_SOURCE_BAD;

    rcv_add(&redis->main->zone->redis_bad_values, 1);

    backends = redis->main->backends.elts;

    ngx_log_error(NGX_LOG_ERR, &link->log, 0,
                  "recovery_redis: key \"%V%V\" is not a hash, "
                  "its last good values stay in force",
                  &redis->conf->prefix, &backends[backend]->name);
}


static void
ngx_http_recovery_source_unknown(ngx_http_recovery_link_t *link)
{
    ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_PROTOCOL, 0,
                                "not an answer to what was asked");
}


static void
ngx_http_recovery_source_subscribe(ngx_http_recovery_link_t *link)
{
    ngx_str_t                    words[2];
    ngx_http_recovery_source_t  *source;

    source = link->redis->source;
    source->listening = 0;

    ngx_str_set(&words[0], "SUBSCRIBE");
    words[1] = source->channel;

    if (ngx_http_recovery_link_command(link, 2, words) == NGX_OK) {
        ngx_http_recovery_link_send(link);
    }
}


/* A peer that is gone without a word is noticed by no answer to this. */

static void
ngx_http_recovery_source_ping(ngx_http_recovery_link_t *link)
{
    ngx_str_t  word;

    ngx_str_set(&word, "PING");

    if (ngx_http_recovery_link_command(link, 1, &word) == NGX_OK) {
        ngx_http_recovery_link_send(link);
    }
}


static void
ngx_http_recovery_source_message(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    ngx_http_recovery_source_t            *source;
    const ngx_http_recovery_resp_value_t  *words;

    source = link->redis->source;
    words = value->elements;

    if (source->listening
        && value->type == NGX_HTTP_RECOVERY_RESP_ARRAY && value->len == 3
        && ngx_http_recovery_source_is(&words[0], "message")
        && words[2].type == NGX_HTTP_RECOVERY_RESP_STRING)
    {
        ngx_http_recovery_source_named(link->redis, &words[2]);
        return;
    }

    if (ngx_http_recovery_link_expected(link, value) != NGX_OK) {
        return;
    }

    if (value->type == NGX_HTTP_RECOVERY_RESP_ERROR) {
        ngx_http_recovery_link_refused(link, value);
        return;
    }

    if (value->type != NGX_HTTP_RECOVERY_RESP_ARRAY || value->len == 0
        || !ngx_http_recovery_source_is(&words[0], source->listening
                                                       ? "pong" : "subscribe"))
    {
        ngx_http_recovery_source_unknown(link);
        return;
    }

    source->listening = 1;

    ngx_http_recovery_link_good(link);
    ngx_http_recovery_link_wait(link, NGX_HTTP_RECOVERY_SOURCE_PING_MS);
}


/* A name of somebody else's backend is none of our business. */

static void
ngx_http_recovery_source_named(ngx_http_recovery_redis_t *redis,
    const ngx_http_recovery_resp_value_t *name)
{
    u_char                           *flags;
    ngx_str_t                         text;
    ngx_http_recovery_source_t       *source;
    ngx_http_recovery_source_name_t   wanted, *found;

    source = redis->source;

    text.data = (u_char *) name->data;
    text.len = name->len;
    wanted.name = &text;

    found = bsearch(&wanted, source->names, source->nbackends,
                    sizeof(ngx_http_recovery_source_name_t),
                    ngx_http_recovery_source_compare);

    if (found == NULL) {
        return;
    }

    flags = &source->flags[found->backend];

    if (*flags & NGX_HTTP_RECOVERY_SOURCE_NAMED) {
        return;
    }

    *flags |= NGX_HTTP_RECOVERY_SOURCE_NAMED;
    source->named++;

    if (redis->commands.step == NGX_HTTP_RECOVERY_LINK_READY
        && redis->commands.outstanding == 0)
    {
        ngx_http_recovery_source_schedule(&redis->commands);
    }
}


static ngx_uint_t
ngx_http_recovery_source_is(const ngx_http_recovery_resp_value_t *value,
    const char *word)
{
    return value->type == NGX_HTTP_RECOVERY_RESP_STRING
           && value->len == ngx_strlen(word)
           && ngx_memcmp(value->data, word, value->len) == 0;
}
