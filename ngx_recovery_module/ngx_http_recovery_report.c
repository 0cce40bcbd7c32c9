
#include "ngx_http_recovery_report.h"
#include "ngx_http_recovery_source.h"
#include "ngx_http_recovery_status.h"


/* A little less than it is to be, so that it goes with the poll. */
#define NGX_HTTP_RECOVERY_REPORT_PRESENT_MS  800
#define NGX_HTTP_RECOVERY_REPORT_BUSY_MS     900
#define NGX_HTTP_RECOVERY_REPORT_QUIET_MS    10000

#define NGX_HTTP_RECOVERY_REPORT_WAKE_MS     1200   /* with no poll before */
#define NGX_HTTP_RECOVERY_REPORT_MORE_MS     250
#define NGX_HTTP_RECOVERY_REPORT_REFUSED_MS  10000

#define NGX_HTTP_RECOVERY_REPORT_EXPIRES_MS  60000
#define NGX_HTTP_RECOVERY_REPORT_SPARE_MS    10000
#define NGX_HTTP_RECOVERY_REPORT_EVENTS      3

/* An old leader may say once more that it is there; no twin goes silent. */
#define NGX_HTTP_RECOVERY_REPORT_TWINS       3
#define NGX_HTTP_RECOVERY_REPORT_TWIN_MS     5000

/* Commands with which a node says that it is there. */
#define NGX_HTTP_RECOVERY_REPORT_PRESENT     2

/* Of "<prefix>node:NODE:BACKEND" */
#define NGX_HTTP_RECOVERY_REPORT_KEY                                          \
    (NGX_HTTP_RECOVERY_SOURCE_PREFIX_MAX + sizeof("node::")                   \
     + 2 * RCV_NAME_MAX)

/* Of the largest report; most are a tenth of it. */
#define NGX_HTTP_RECOVERY_REPORT_COMMAND_MAX                                  \
    (NGX_HTTP_RECOVERY_OUT_BUFFER + NGX_HTTP_RECOVERY_REPORT_KEY + 128)

_Static_assert(NGX_HTTP_RECOVERY_REPORT_BYTES
               >= NGX_HTTP_RECOVERY_REPORT_COMMAND_MAX, "one always fits");


static void ngx_http_recovery_report_anew(ngx_http_recovery_report_t *report);
static void ngx_http_recovery_report_fill(ngx_http_recovery_report_t *report);
static uint64_t ngx_http_recovery_report_now(
    ngx_http_recovery_report_t *report);
static ngx_int_t ngx_http_recovery_report_present(
    ngx_http_recovery_report_t *report, ngx_http_recovery_link_t *link);
static void ngx_http_recovery_report_twin(ngx_http_recovery_report_t *report,
    ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);
static ngx_int_t ngx_http_recovery_report_round(
    ngx_http_recovery_report_t *report, ngx_http_recovery_link_t *link,
    ngx_pool_t *pool, ngx_uint_t changes);
static ngx_uint_t ngx_http_recovery_report_wanted(
    ngx_http_recovery_report_entry_t *entry, ngx_uint_t changes);
static ngx_msec_t ngx_http_recovery_report_expires(
    ngx_http_recovery_report_t *report);
static ngx_int_t ngx_http_recovery_report_one(
    ngx_http_recovery_report_t *report, ngx_http_recovery_link_t *link,
    ngx_pool_t *pool, ngx_uint_t i);
static ngx_int_t ngx_http_recovery_report_text(
    ngx_http_recovery_report_t *report, ngx_http_recovery_main_conf_t *rmcf,
    ngx_uint_t i, ngx_pool_t *pool, ngx_str_t *text);


ngx_int_t
ngx_http_recovery_report_init(ngx_http_recovery_report_t *report,
    ngx_http_recovery_redis_t *redis)
{
    report->nbackends = redis->main->backends.nelts;
    report->tokens_milli = NGX_HTTP_RECOVERY_REPORT_BATCH * 1000;
    report->filled_ms = ngx_current_msec;

    report->entries = ngx_pcalloc(redis->pool, (report->nbackends + 1)
                                  * sizeof(ngx_http_recovery_report_entry_t));

    return report->entries ? NGX_OK : NGX_ERROR;
}


void
ngx_http_recovery_report_ready(ngx_http_recovery_report_t *report)
{
    report->n = 0;
    report->answered = 0;
    report->unix_ms = 0;
    report->present_unix_ms = 0;
    report->off = 0;

    ngx_http_recovery_report_anew(report);
}


static void
ngx_http_recovery_report_anew(ngx_http_recovery_report_t *report)
{
    ngx_uint_t  i;

    for (i = 0; i < report->nbackends; i++) {
        report->entries[i].changed = 0;
        report->entries[i].written = 0;
    }

    report->changed = 0;
    report->more = 1;
    report->present_ms = ngx_current_msec
                         - NGX_HTTP_RECOVERY_REPORT_PRESENT_MS;
}


void
ngx_http_recovery_report_time(ngx_http_recovery_report_t *report,
    uint64_t unix_ms)
{
    report->unix_ms = unix_ms;
    report->heard_ms = ngx_current_msec;
}


static uint64_t
ngx_http_recovery_report_now(ngx_http_recovery_report_t *report)
{
    return report->unix_ms + (ngx_current_msec - report->heard_ms);
}


ngx_uint_t
ngx_http_recovery_report_note(ngx_http_recovery_report_t *report,
    ngx_uint_t i, ngx_http_recovery_record_t *record,
    const rcv_state_t *state)
{
    uint32_t                           nevents;
    ngx_uint_t                         news;
    ngx_http_recovery_report_entry_t  *entry;

    entry = &report->entries[i];
    nevents = rcv_load(&record->nevents);

    news = entry->noted
           && (entry->nevents != nevents
               || entry->epoch != state->signal.epoch
               || entry->has_epoch != state->signal.has_epoch);

    entry->noted = 1;
    entry->nevents = nevents;
    entry->epoch = state->signal.epoch;
    entry->has_epoch = (state->signal.has_epoch != 0);
    entry->quiet = (rcv_state_quiet(state) != 0);

    if (news && !entry->changed) {
        entry->changed = 1;
        report->changed++;
    }

    return news;
}


ngx_msec_t
ngx_http_recovery_report_due(ngx_http_recovery_report_t *report,
    ngx_msec_t sent_ms)
{
    if (report->off) {
        return report->refused_ms + NGX_HTTP_RECOVERY_REPORT_REFUSED_MS;
    }

    if (!report->changed && !report->more) {
        return report->present_ms + NGX_HTTP_RECOVERY_REPORT_WAKE_MS;
    }

    ngx_http_recovery_report_fill(report);

    return sent_ms + (report->tokens_milli
                      > NGX_HTTP_RECOVERY_REPORT_OTHERS * 1000
                      ? NGX_HTTP_RECOVERY_SOURCE_GAP_MS
                      : NGX_HTTP_RECOVERY_REPORT_MORE_MS);
}


static void
ngx_http_recovery_report_fill(ngx_http_recovery_report_t *report)
{
    ngx_msec_t  passed_ms;

    passed_ms = ngx_min(ngx_current_msec - report->filled_ms, 1000);

    report->filled_ms = ngx_current_msec;
    report->tokens_milli = ngx_min(report->tokens_milli + passed_ms
                                       * NGX_HTTP_RECOVERY_REPORT_PER_S,
                                   NGX_HTTP_RECOVERY_REPORT_BATCH * 1000);
}


/* The first batch of a connection asks for the time that this is told in. */

ngx_int_t
ngx_http_recovery_report_send(ngx_http_recovery_report_t *report,
    ngx_http_recovery_link_t *link)
{
    ngx_int_t    rc;
    ngx_pool_t  *pool;

    report->n = 0;
    report->answered = 0;
    report->present = 0;

    if (report->off
        && ngx_current_msec - report->refused_ms
           >= NGX_HTTP_RECOVERY_REPORT_REFUSED_MS)
    {
        report->off = 0;
        ngx_http_recovery_report_anew(report);
    }

    if (report->off || report->unix_ms == 0) {
        return NGX_OK;
    }

    if (ngx_current_msec - report->present_ms
        >= NGX_HTTP_RECOVERY_REPORT_PRESENT_MS
        && ngx_http_recovery_report_present(report, link) != NGX_OK)
    {
        return NGX_ERROR;
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, &link->log);
    if (pool == NULL) {
        return NGX_OK;
    }

    ngx_http_recovery_report_fill(report);
    report->more = 0;

    rc = ngx_http_recovery_report_round(report, link, pool, 1);

    if (rc == NGX_OK) {
        rc = ngx_http_recovery_report_round(report, link, pool, 0);
    }

    ngx_destroy_pool(pool);

    return rc;
}


/* What is there of our name is what we have written, or else we are two. */

static ngx_int_t
ngx_http_recovery_report_present(ngx_http_recovery_report_t *report,
    ngx_http_recovery_link_t *link)
{
    u_char                           time[NGX_INT64_LEN];
    u_char                           key[NGX_HTTP_RECOVERY_REPORT_KEY];
    ngx_str_t                        words[4];
    ngx_http_recovery_redis_conf_t  *conf;

    conf = link->redis->conf;

    ngx_str_set(&words[0], "HMGET");
    words[1].data = key;
    words[1].len = ngx_snprintf(key, sizeof(key), "%Vnodes", &conf->prefix)
                   - key;
    words[2] = conf->node;

    report->present = 1;
    report->n += NGX_HTTP_RECOVERY_REPORT_PRESENT;

    if (ngx_http_recovery_link_command(link, 3, words) != NGX_OK) {
        return NGX_ERROR;
    }

    report->before_unix_ms = report->present_unix_ms;
    report->present_unix_ms = ngx_http_recovery_report_now(report);
    report->present_ms = ngx_current_msec;

    ngx_str_set(&words[0], "HSET");
    words[3].data = time;
    words[3].len = ngx_sprintf(time, "%uL", report->present_unix_ms) - time;

    return ngx_http_recovery_link_command(link, 4, words);
}


static void
ngx_http_recovery_report_twin(ngx_http_recovery_report_t *report,
    ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    uint64_t   unix_ms;
    rcv_str_t  word;

    word.data = NULL;
    word.len = 0;

    if (value->type == NGX_HTTP_RECOVERY_RESP_ARRAY && value->len == 1) {
        word.data = value->elements[0].data;
        word.len = value->elements[0].len;
    }

    if (report->before_unix_ms == 0
        || rcv_parse_integer(word, &unix_ms) != 0
        || unix_ms == report->before_unix_ms
        || rcv_since(report->present_unix_ms, unix_ms)
           > NGX_HTTP_RECOVERY_REPORT_TWIN_MS)
    {
        report->twins = 0;
        return;
    }

    if (++report->twins < NGX_HTTP_RECOVERY_REPORT_TWINS
        || report->twins_said)
    {
        return;
    }

    report->twins_said = 1;

    ngx_log_error(NGX_LOG_WARN, &link->log, 0,
                  "recovery_redis: another nginx is node \"%V\", too, each "
                  "needs a \"node=\" of its own",
                  &link->redis->conf->node);
}


/*
 * From where the last one of its kind had to stop, once through them all.
 * Changes come first, but must leave some for those that just grow old.
 */

static ngx_int_t
ngx_http_recovery_report_round(ngx_http_recovery_report_t *report,
    ngx_http_recovery_link_t *link, ngx_pool_t *pool, ngx_uint_t changes)
{
    ngx_uint_t  i, tried, least_milli;

    least_milli = 1000 * (changes ? NGX_HTTP_RECOVERY_REPORT_OTHERS + 1 : 1);

    for (tried = 0; tried < report->nbackends; tried++) {
        i = report->next[changes];

        if (ngx_http_recovery_report_wanted(&report->entries[i], changes)) {

            if (report->tokens_milli < least_milli
                || (size_t) (link->out->end - link->out->last)
                   < NGX_HTTP_RECOVERY_REPORT_COMMAND_MAX)
            {
                report->more = 1;
                return NGX_OK;
            }

            if (ngx_http_recovery_report_one(report, link, pool, i)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        report->next[changes] = (i + 1) % report->nbackends;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_recovery_report_wanted(ngx_http_recovery_report_entry_t *entry,
    ngx_uint_t changes)
{
    ngx_msec_t  age_ms;

    if (changes) {
        return entry->changed;
    }

    age_ms = ngx_current_msec - entry->written_ms;

    return !entry->written
           || age_ms >= (entry->quiet ? NGX_HTTP_RECOVERY_REPORT_QUIET_MS
                                      : NGX_HTTP_RECOVERY_REPORT_BUSY_MS);
}


/* Not before it has its turn again, also where others change all the time. */

static ngx_msec_t
ngx_http_recovery_report_expires(ngx_http_recovery_report_t *report)
{
    ngx_msec_t  round_ms;

    round_ms = report->nbackends * NGX_HTTP_RECOVERY_REPORT_MORE_MS
               / NGX_HTTP_RECOVERY_REPORT_OTHERS;

    return ngx_max(NGX_HTTP_RECOVERY_REPORT_EXPIRES_MS,
                   round_ms + NGX_HTTP_RECOVERY_REPORT_SPARE_MS);
}


/* Without memory it is as good as told: there is a next time. */

static ngx_int_t
ngx_http_recovery_report_one(ngx_http_recovery_report_t *report,
    ngx_http_recovery_link_t *link, ngx_pool_t *pool, ngx_uint_t i)
{
    u_char                             key[NGX_HTTP_RECOVERY_REPORT_KEY];
    u_char                             expires[NGX_INT64_LEN];
    ngx_int_t                          rc;
    ngx_str_t                          words[5];
    ngx_http_recovery_backend_t      **backends;
    ngx_http_recovery_report_entry_t  *entry;

    entry = &report->entries[i];
    backends = link->redis->main->backends.elts;

    if (entry->changed) {
        entry->changed = 0;
        report->changed--;
    }

    entry->written = 1;
    entry->written_ms = ngx_current_msec;
    report->tokens_milli -= 1000;

    ngx_str_set(&words[0], "SET");
    words[1].data = key;
    words[1].len = ngx_snprintf(key, sizeof(key), "%Vnode:%V:%V",
                                &link->redis->conf->prefix,
                                &link->redis->conf->node, &backends[i]->name)
                   - key;
    ngx_str_set(&words[3], "PX");
    words[4].data = expires;
    words[4].len = ngx_sprintf(expires, "%ui",
                               ngx_http_recovery_report_expires(report))
                   - expires;

    rc = ngx_http_recovery_report_text(report, link->redis->main, i, pool,
                                       &words[2]);

    if (rc == NGX_OK) {
        report->n++;
        rc = ngx_http_recovery_link_command(link, 5, words);

    } else {
        rc = NGX_OK;
    }

    ngx_reset_pool(pool);

    return rc;
}


static ngx_int_t
ngx_http_recovery_report_text(ngx_http_recovery_report_t *report,
    ngx_http_recovery_main_conf_t *rmcf, ngx_uint_t i, ngx_pool_t *pool,
    ngx_str_t *text)
{
    ngx_uint_t                       surplus;
    ngx_chain_t                     *cl;
    ngx_http_recovery_out_t          out;
    ngx_http_recovery_report_view_t  view;

    if (ngx_http_recovery_view_report(rmcf, i, pool, &view) != NGX_OK) {
        return NGX_ERROR;
    }

    view.unix_ms = ngx_http_recovery_report_now(report);

    if (view.backend.events.nelts > NGX_HTTP_RECOVERY_REPORT_EVENTS) {
        surplus = view.backend.events.nelts - NGX_HTTP_RECOVERY_REPORT_EVENTS;
        view.backend.events.elts = (u_char *) view.backend.events.elts
                                   + surplus * view.backend.events.size;
        view.backend.events.nelts = NGX_HTTP_RECOVERY_REPORT_EVENTS;
    }

    ngx_http_recovery_out_init(&out, pool);
    ngx_http_recovery_render_report(&out, &view);

    /* one piece, whatever the names */

    cl = ngx_http_recovery_out_chain(&out);

    if (out.failed || cl->next != NULL) {
        return NGX_ERROR;
    }

    text->data = cl->buf->pos;
    text->len = cl->buf->last - cl->buf->pos;

    return NGX_OK;
}


/*
 * Who may not write, may not: it is tried again after a pause, when the
 * rights have perhaps been given.
 */

void
ngx_http_recovery_report_reply(ngx_http_recovery_report_t *report,
    ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    ngx_uint_t  first;

    first = (report->answered++ == 0);

    if (value->type == NGX_HTTP_RECOVERY_RESP_ERROR) {
        report->off = 1;
        report->refused_ms = ngx_current_msec;

        if (!report->said) {
            report->said = 1;

            ngx_log_error(NGX_LOG_WARN, &link->log, 0,
                          "recovery_redis: the reports of this node are not "
                          "written: %*s",
                          ngx_min(value->len, 128), value->data);
        }

        return;
    }

    if (first && report->present) {
        ngx_http_recovery_report_twin(report, link, value);
    }

    /* all of them, and more than that we are here */

    if (report->said && !report->off && report->answered == report->n
        && report->n > NGX_HTTP_RECOVERY_REPORT_PRESENT)
    {
        report->said = 0;

        ngx_log_error(NGX_LOG_NOTICE, &link->log, 0,
                      "recovery_redis: the reports of this node are written "
                      "again");
    }
}
