
/*
 * The Redis link as a whole: servers in their order, what a failure leads
 * to, back-off, what is logged and shown.  See _redis.h.
 */

#include "ngx_http_recovery_redis.h"
#include "ngx_http_recovery_source.h"


static void ngx_http_recovery_redis_show(ngx_http_recovery_redis_t *redis,
    ngx_http_recovery_redis_state_t state);
static void ngx_http_recovery_redis_connected(
    ngx_http_recovery_redis_t *redis);
static void ngx_http_recovery_link_report(ngx_http_recovery_link_t *link,
    ngx_http_recovery_failure_t failure, ngx_err_t err, const char *text);
static void ngx_http_recovery_link_retry(ngx_http_recovery_link_t *link,
    ngx_http_recovery_failure_t failure);
static ngx_str_t ngx_http_recovery_reply_printable(
    ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value, u_char *buf);


ngx_http_recovery_redis_t *
ngx_http_recovery_redis_create(ngx_http_recovery_main_conf_t *rmcf,
    ngx_log_t *log)
{
    ngx_pool_t                 *pool;
    ngx_http_recovery_redis_t  *redis;

    pool = ngx_create_pool(4096, log);
    if (pool == NULL) {
        return NULL;
    }

    redis = ngx_pcalloc(pool, sizeof(ngx_http_recovery_redis_t));
    if (redis == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    redis->main = rmcf;
    redis->conf = rmcf->redis;
    redis->pool = pool;

    if (ngx_http_recovery_sites_create(redis) != NGX_OK
        || ngx_http_recovery_link_init(redis, &redis->sentinel,
                                       &ngx_http_recovery_sentinel, log)
           != NGX_OK
        || ngx_http_recovery_link_init(redis, &redis->commands,
                                       &ngx_http_recovery_source_commands, log)
           != NGX_OK
        || ngx_http_recovery_link_init(redis, &redis->subscriber,
                                       &ngx_http_recovery_source_subscriber,
                                       log)
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    redis->source = ngx_http_recovery_source_create(redis);
    if (redis->source == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ngx_http_recovery_redis_show(redis, NGX_HTTP_RECOVERY_REDIS_CONNECTING);

    ngx_http_recovery_link_wait(redis->conf->sentinel.len ? &redis->sentinel
                                                          : &redis->commands,
                                0);

    return redis;
}


void
ngx_http_recovery_redis_destroy(ngx_http_recovery_redis_t *redis)
{
    redis->busy++;

    ngx_http_recovery_redis_stop(redis);
    redis->dead = 1;

    ngx_http_recovery_redis_leave(redis);
}


void
ngx_http_recovery_redis_stop(ngx_http_recovery_redis_t *redis)
{
    redis->stopped = 1;

    ngx_http_recovery_link_stop(&redis->sentinel);
    ngx_http_recovery_link_stop(&redis->commands);
    ngx_http_recovery_link_stop(&redis->subscriber);
}


/*
 * Every handler of an event ends here.  The leader, called from inside of
 * one, may have destroyed the link: it is freed when nobody on the stack
 * needs it any more.
 */

void
ngx_http_recovery_redis_leave(ngx_http_recovery_redis_t *redis)
{
    if (--redis->busy == 0 && redis->dead) {
        ngx_destroy_pool(redis->pool);
    }
}


void
ngx_http_recovery_link_fail(ngx_http_recovery_link_t *link,
    ngx_http_recovery_failure_t failure, ngx_err_t err, const char *text)
{
    ngx_http_recovery_redis_t  *redis;

    redis = link->redis;

    ngx_http_recovery_link_report(link, failure, err, text);
    ngx_http_recovery_link_close(link);

    if (link == &redis->commands) {
        ngx_http_recovery_link_stop(&redis->subscriber);
    }

    /* Sentinels concern nobody as long as there is a master */

    if (link == &redis->commands
        || (link == &redis->sentinel
            && redis->commands.step != NGX_HTTP_RECOVERY_LINK_READY))
    {
        ngx_http_recovery_redis_show(redis,
                                 failure == NGX_HTTP_RECOVERY_FAILURE_DENIED
                                     ? NGX_HTTP_RECOVERY_REDIS_DENIED
                                     : NGX_HTTP_RECOVERY_REDIS_DISCONNECTED);
    }

    ngx_http_recovery_link_retry(link, failure);
}


static void
ngx_http_recovery_link_report(ngx_http_recovery_link_t *link,
    ngx_http_recovery_failure_t failure, ngx_err_t err, const char *text)
{
    u_char                             kind, *reported;
    ngx_uint_t                         level;
    ngx_http_recovery_redis_server_t  *server;

    server = link->site->server;
    reported = &link->reported[(link->site - link->redis->sites)
                                   * NGX_HTTP_RECOVERY_REDIS_ADDRS_MAX
                               + link->addr];
    kind = failure;

    /* who puts the password right has to hear of the rights that it lacks */

    if (failure == NGX_HTTP_RECOVERY_FAILURE_DENIED) {
        kind |= link->step << 4;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, &link->log, err,
                   "recovery redis failure:%ui before:%ui %s",
                   (ngx_uint_t) failure, (ngx_uint_t) *reported, text);

    if (*reported == kind) {
        return;
    }

    *reported = kind;

    level = NGX_LOG_WARN;

    if (failure >= NGX_HTTP_RECOVERY_FAILURE_ANSWER) {
        level = NGX_LOG_ERR;
    }

    if (failure == NGX_HTTP_RECOVERY_FAILURE_PROTOCOL) {
        rcv_add(&link->redis->main->zone->redis_bad_values, 1);

        ngx_log_error(level, &link->log, err,
                      "recovery_redis \"%V\": bad reply: %s", &server->uri,
                      text);
        return;
    }

    ngx_log_error(level, &link->log, err, "recovery_redis \"%V\": %s",
                  &server->uri, text);
}


/*
 * The next address at once; when all have failed, a pause that doubles, and
 * from the first one again.  The subscriber has only one address to go to,
 * and whom somebody has named is one by himself.
 */

static void
ngx_http_recovery_link_retry(ngx_http_recovery_link_t *link,
    ngx_http_recovery_failure_t failure)
{
    ngx_msec_t                  pause;
    ngx_uint_t                  places;
    ngx_http_recovery_redis_t  *redis;

    redis = link->redis;

    places = (link == &redis->subscriber || link->site == redis->named)
                 ? 1 : ngx_http_recovery_sites_places(redis);

    if (link->good
        && ngx_current_msec - link->good_since_ms
           >= NGX_HTTP_RECOVERY_REDIS_STABLE_MS)
    {
        link->tries = 0;
        link->backoff_ms = NGX_HTTP_RECOVERY_REDIS_BACKOFF_MIN_MS;
    }

    link->good = 0;
    link->moved = 0;
    link->tries++;

    if (link->tries < places) {
        ngx_http_recovery_site_next(link);
        ngx_http_recovery_link_wait(link, 0);
        return;
    }

    if (link == &redis->commands && redis->conf->sentinel.len) {
        ngx_http_recovery_sentinel_doubt(redis);

    } else if (link != &redis->subscriber) {
        link->site = redis->sites;
        link->addr = 0;
    }

    link->tries = 0;

    pause = link->backoff_ms;
    link->backoff_ms = ngx_min(pause * 2,
                               NGX_HTTP_RECOVERY_REDIS_BACKOFF_MAX_MS);

    if (failure == NGX_HTTP_RECOVERY_FAILURE_DENIED) {
        pause = NGX_HTTP_RECOVERY_REDIS_BACKOFF_MAX_MS;
    }

    ngx_http_recovery_link_wait(link, pause / 2 + ngx_random() % (pause / 2));
}


void
ngx_http_recovery_link_good(ngx_http_recovery_link_t *link)
{
    ngx_uint_t                  i, failed;
    ngx_http_recovery_redis_t  *redis;

    redis = link->redis;

    if (link == &redis->commands) {
        ngx_http_recovery_redis_show(redis, NGX_HTTP_RECOVERY_REDIS_CONNECTED);
    }

    link->moved = 0;

    if (link->good) {
        return;
    }

    link->good = 1;
    link->good_since_ms = ngx_current_msec;

    failed = 0;

    ngx_http_recovery_link_action(link, NULL);

    for (i = 0; i < (redis->nsites + 1) * NGX_HTTP_RECOVERY_REDIS_ADDRS_MAX;
         i++)
    {
        failed |= link->reported[i];
        link->reported[i] = NGX_HTTP_RECOVERY_FAILURE_NONE;
    }

    if (link == &redis->commands) {
        ngx_http_recovery_redis_connected(redis);

    } else if (failed) {
        ngx_log_error(NGX_LOG_NOTICE, &link->log, 0,
                      "recovery_redis \"%V\": %s again",
                      &link->site->server->uri,
                      link == &redis->subscriber ? "subscribed" : "answers");
    }

    ngx_http_recovery_link_action(link, link->use->action);
}


/*
 * Into the zone, at every poll and every failure and not only at a change:
 * on reload the link of the old leader may still write there for a moment.
 */

static void
ngx_http_recovery_redis_show(ngx_http_recovery_redis_t *redis,
    ngx_http_recovery_redis_state_t state)
{
    ngx_http_recovery_zone_t  *zone;
    ngx_http_recovery_link_t  *link;

    zone = redis->main->zone;
    link = &redis->commands;

    /* before anybody was named: who is asked for a name */

    if (redis->conf->sentinel.len && link->site != redis->named) {
        link = &redis->sentinel;
    }

    rcv_store(&zone->redis_state, state);

    (void) ngx_snprintf((u_char *) zone->redis_address,
                        sizeof(zone->redis_address) - 1, "%V%Z",
                        ngx_http_recovery_site_address(link));
}


void
ngx_http_recovery_redis_leave_master(ngx_http_recovery_redis_t *redis)
{
    ngx_http_recovery_link_stop(&redis->subscriber);
    ngx_http_recovery_link_close(&redis->commands);

    redis->commands.good = 0;
    redis->commands.tries = 0;

    ngx_http_recovery_redis_show(redis, NGX_HTTP_RECOVERY_REDIS_DISCONNECTED);
}


static void
ngx_http_recovery_redis_connected(ngx_http_recovery_redis_t *redis)
{
    ngx_http_recovery_link_t  *link;
    ngx_http_recovery_zone_t  *zone;

    link = &redis->commands;
    zone = redis->main->zone;

    ngx_log_error(NGX_LOG_NOTICE, &link->log, 0,
                  "recovery_redis \"%V\": connected",
                  &link->site->server->uri);

    if (redis->connects++) {
        rcv_add(&zone->redis_reconnects, 1);
    }

    redis->subscriber.site = link->site;
    redis->subscriber.addr = link->addr;
    ngx_http_recovery_link_wait(&redis->subscriber, 0);
}


/* Error replies begin with a code; these are the ones that we tell apart. */

void
ngx_http_recovery_link_refused(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    u_char                        buf[NGX_HTTP_RECOVERY_REDIS_SAID_MAX];
    u_char                        text[NGX_HTTP_RECOVERY_REDIS_SAID_MAX + 64];
    ngx_str_t                     said;
    ngx_uint_t                    i;
    ngx_http_recovery_failure_t   failure;

    static const char *const  later[] = {
        "LOADING", "READONLY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "BUSY",
        "ASK",
        "ERR max number of clients"
    };

    static const char *const  denied[] = {
        "WRONGPASS", "NOAUTH", "NOPERM", "DENIED"
    };

    /* Before Redis 6 a wrong password was a plain ERR. */

    failure = (link->step == NGX_HTTP_RECOVERY_LINK_AUTH)
                  ? NGX_HTTP_RECOVERY_FAILURE_DENIED
                  : NGX_HTTP_RECOVERY_FAILURE_ANSWER;

    for (i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        if (ngx_http_recovery_reply_starts(value, later[i])) {
            failure = NGX_HTTP_RECOVERY_FAILURE_LATER;
        }
    }

    for (i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
        if (ngx_http_recovery_reply_starts(value, denied[i])) {
            failure = NGX_HTTP_RECOVERY_FAILURE_DENIED;
        }
    }

    said = ngx_http_recovery_reply_printable(link, value, buf);

    (void) ngx_snprintf(text, sizeof(text), "%sserver answered \"%V\"%Z",
                        failure == NGX_HTTP_RECOVERY_FAILURE_DENIED
                            ? "access denied, " : "", &said);

    ngx_http_recovery_link_fail(link, failure, 0, (char *) text);
}


ngx_uint_t
ngx_http_recovery_reply_starts(const ngx_http_recovery_resp_value_t *value,
    const char *words)
{
    size_t  len;

    len = ngx_strlen(words);

    return value->len >= len && ngx_memcmp(value->data, words, len) == 0
           && (value->len == len || value->data[len] == ' ');
}


/*
 * What a server said, cut and made fit for a log.  Servers quote the
 * arguments of a command that they do not know, and one of ours is a
 * password: of an answer to AUTH nothing is shown from the first quote on.
 */

static ngx_str_t
ngx_http_recovery_reply_printable(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value, u_char *buf)
{
    u_char     ch;
    ngx_str_t  said;

    said.data = buf;
    said.len = 0;

    while (said.len < value->len
           && said.len < NGX_HTTP_RECOVERY_REDIS_SAID_MAX)
    {
        ch = value->data[said.len];

        if (link->step == NGX_HTTP_RECOVERY_LINK_AUTH
            && (ch == '\'' || ch == '"' || ch == '`'))
        {
            break;
        }

        buf[said.len++] = (ch < 0x20 || ch > 0x7e) ? '.' : ch;
    }

    return said;
}
