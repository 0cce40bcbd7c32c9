
/*
 * Sentinels, with "sentinel=": which Redis is the master?
 *
 * A third link stays with the first Sentinel that answers, and asks it every
 * second.  That is no subscription to "+switch-master": an answer that was
 * missed comes again, and there is nothing between asking and subscribing to
 * be lost in.  Whoever is named first has to say of himself that he is the
 * master (the step ROLE), and when he cannot be had the next Sentinel is
 * asked: a Sentinel that was cut off from the others names an old one.
 *
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/
 */

#include "ngx_http_recovery_redis.h"


#define NGX_HTTP_RECOVERY_SENTINEL_ASK_MS  1000


static void ngx_http_recovery_sentinel_ask(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_sentinel_reply(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);
static void ngx_http_recovery_sentinel_names(ngx_http_recovery_link_t *link,
    const ngx_str_t *host, in_port_t port);


const ngx_http_recovery_link_use_t  ngx_http_recovery_sentinel = {
    "asking for the master",
    ngx_http_recovery_sentinel_ask,
    ngx_http_recovery_sentinel_reply,
    ngx_http_recovery_sentinel_ask
};


static void
ngx_http_recovery_sentinel_ask(ngx_http_recovery_link_t *link)
{
    ngx_str_t  words[3];

    ngx_str_set(&words[0], "SENTINEL");
    ngx_str_set(&words[1], "get-master-addr-by-name");
    words[2] = link->redis->conf->sentinel;

    if (ngx_http_recovery_link_command(link, 3, words) == NGX_OK) {
        ngx_http_recovery_link_send(link);
    }
}


static void
ngx_http_recovery_sentinel_reply(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    ngx_int_t                              port;
    ngx_str_t                              host;
    const ngx_http_recovery_resp_value_t  *words;

    if (ngx_http_recovery_link_expected(link, value) != NGX_OK) {
        return;
    }

    if (value->type == NGX_HTTP_RECOVERY_RESP_ERROR) {
        ngx_http_recovery_link_refused(link, value);
        return;
    }

    if (value->type == NGX_HTTP_RECOVERY_RESP_NIL) {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_ANSWER, 0,
                                    "the Sentinel knows no master of the name "
                                    "that \"sentinel=\" gives");
        return;
    }

    words = value->elements;
    port = NGX_ERROR;

    if (value->type == NGX_HTTP_RECOVERY_RESP_ARRAY && value->len == 2
        && words[0].type == NGX_HTTP_RECOVERY_RESP_STRING
        && words[1].type == NGX_HTTP_RECOVERY_RESP_STRING)
    {
        port = ngx_atoi((u_char *) words[1].data, words[1].len);
    }

    if (port < 1 || port > 65535 || words[0].len == 0
        || words[0].len > NGX_HTTP_RECOVERY_REDIS_HOST_MAX)
    {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_PROTOCOL,
                                    0, "not the address of a master");
        return;
    }

    host.data = (u_char *) words[0].data;
    host.len = words[0].len;

    ngx_http_recovery_link_good(link);
    ngx_http_recovery_sentinel_names(link, &host, (in_port_t) port);
    ngx_http_recovery_link_wait(link, NGX_HTTP_RECOVERY_SENTINEL_ASK_MS);
}


static void
ngx_http_recovery_sentinel_names(ngx_http_recovery_link_t *link,
    const ngx_str_t *host, in_port_t port)
{
    ngx_http_recovery_redis_t       *redis;
    ngx_http_recovery_redis_site_t  *named;

    redis = link->redis;
    named = redis->named;

    if (named->port == port && named->host.len == host->len
        && ngx_memcmp(named->host.data, host->data, host->len) == 0)
    {
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, &link->log, 0,
                  "recovery_redis \"%V\": master \"%V\" is \"%V\" port %ui",
                  &link->site->server->uri, &redis->conf->sentinel, host,
                  (ngx_uint_t) port);

    ngx_http_recovery_redis_leave_master(redis);

    (void) ngx_http_recovery_site_set(named, link->site->server, host, port);

    redis->commands.site = named;
    redis->commands.addr = 0;
    ngx_http_recovery_link_wait(&redis->commands, 0);
}


void
ngx_http_recovery_sentinel_doubt(ngx_http_recovery_redis_t *redis)
{
    ngx_http_recovery_link_t  *link;

    link = &redis->sentinel;

    /* one that is on its way to another Sentinel already is let alone */

    if (link->step != NGX_HTTP_RECOVERY_LINK_READY) {
        return;
    }

    ngx_http_recovery_link_close(link);
    ngx_http_recovery_site_next(link);
    ngx_http_recovery_link_wait(link, ngx_min(redis->commands.backoff_ms,
                                           NGX_HTTP_RECOVERY_SENTINEL_ASK_MS));
}
