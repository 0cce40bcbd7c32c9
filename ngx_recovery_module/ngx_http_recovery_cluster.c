
/*
 * A node of a Redis Cluster that has not got our slot names the one that has:
 * "MOVED slot host:port".  One such word is followed.  More than that is
 * never needed by keys in one slot, and would not help keys in several.
 */

#include "ngx_http_recovery_redis.h"


static ngx_int_t ngx_http_recovery_moved_to(
    const ngx_http_recovery_resp_value_t *value, ngx_str_t *host,
    ngx_int_t *port);


void
ngx_http_recovery_link_moved(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    ngx_int_t                          port;
    ngx_str_t                          host;
    ngx_http_recovery_redis_t         *redis;
    ngx_http_recovery_redis_server_t  *server;

    redis = link->redis;
    server = link->site->server;

    if (link->moved || redis->conf->sentinel.len) {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_ANSWER, 0,
                                    "server answered \"MOVED\" where another "
                                    "one had sent us, all keys must be in one "
                                    "slot, as with \"prefix=recovery:{x}:\"");
        return;
    }

    if (ngx_http_recovery_moved_to(value, &host, &port) != NGX_OK) {
        ngx_http_recovery_link_refused(link, value);
        return;
    }

    /* a node that does not know its own name means the one that we know */

    if (host.len == 0) {
        host = link->site->host;
    }

    ngx_log_error(NGX_LOG_NOTICE, &link->log, 0,
                  "recovery_redis \"%V\": moved to \"%V\" port %i",
                  &server->uri, &host, port);

    /* the name lies in the reply, which goes with the connection */

    if (ngx_http_recovery_site_set(redis->named, server, &host,
                                   (in_port_t) port)
        != NGX_OK)
    {
        ngx_http_recovery_link_refused(link, value);
        return;
    }

    link->site = redis->named;
    link->addr = 0;
    link->moved = 1;

    ngx_http_recovery_redis_leave_master(redis);
    ngx_http_recovery_link_wait(link, 0);
}


static ngx_int_t
ngx_http_recovery_moved_to(const ngx_http_recovery_resp_value_t *value,
    ngx_str_t *host, ngx_int_t *port)
{
    u_char  *p, *last, *colon;

    p = (u_char *) value->data;
    last = p + value->len;
    colon = NULL;

    /* the last blank and the last colon: an address may have colons itself */

    host->data = NULL;

    for ( /* void */ ; p < last; p++) {
        if (*p == ' ') {
            host->data = p + 1;

        } else if (*p == ':') {
            colon = p;
        }
    }

    if (host->data == NULL || colon == NULL || colon < host->data) {
        return NGX_ERROR;
    }

    host->len = colon - host->data;
    *port = ngx_atoi(colon + 1, last - colon - 1);

    if (*port < 1 || *port > 65535
        || host->len > NGX_HTTP_RECOVERY_REDIS_HOST_MAX
        || (host->len == 1 && *host->data == '?'))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
