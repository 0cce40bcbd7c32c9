
/*
 * The URIs of "recovery_redis": a server each.
 *
 * A name is left to the "resolver" of http {}.  Where there is none it is
 * resolved here, once, as proxy_pass does it; and so is "localhost", of which
 * no DNS knows.
 */

#include "ngx_http_recovery_conf.h"


#define NGX_HTTP_RECOVERY_REDIS_SERVERS_MAX   8
#define NGX_HTTP_RECOVERY_REDIS_PORT          6379


static char *ngx_http_recovery_redis_scheme(ngx_conf_t *cf, ngx_str_t *uri);
static ngx_int_t ngx_http_recovery_redis_user(ngx_conf_t *cf,
    ngx_http_recovery_redis_server_t *server, ngx_str_t *rest);
static char *ngx_http_recovery_redis_inet(ngx_conf_t *cf,
    ngx_http_recovery_redis_server_t *server, ngx_str_t *host);
static char *ngx_http_recovery_redis_address(ngx_conf_t *cf,
    ngx_http_recovery_redis_server_t *server, ngx_str_t *host);
static ngx_uint_t ngx_http_recovery_redis_local(ngx_str_t *host);


char *
ngx_http_recovery_redis_server(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis, ngx_str_t *uri)
{
    ngx_str_t                          rest;
    ngx_http_recovery_redis_server_t  *server;

    if (redis->servers.nelts == NGX_HTTP_RECOVERY_REDIS_SERVERS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": too many URIs, at most %d "
                           "are allowed", NGX_HTTP_RECOVERY_REDIS_SERVERS_MAX);
        return NGX_CONF_ERROR;
    }

    server = ngx_array_push(&redis->servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_recovery_redis_server_t));
    server->uri = *uri;
    rest = *uri;

    if (ngx_http_recovery_redis_starts(uri, "unix:")) {

        /* a relative path counts from nginx's working directory */

        if (uri->len == sizeof("unix:") - 1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"recovery_redis\": \"%V\" must name a "
                               "path, as in \"unix:/path\"", uri);
            return NGX_CONF_ERROR;
        }

        return ngx_http_recovery_redis_address(cf, server, uri);
    }

    if (ngx_http_recovery_redis_starts(uri, "redis://")) {
        rest.data += sizeof("redis://") - 1;

    } else if (ngx_http_recovery_redis_starts(uri, "rediss://")) {
        rest.data += sizeof("rediss://") - 1;
        server->tls = 1;

    } else {
        return ngx_http_recovery_redis_scheme(cf, uri);
    }

    rest.len -= rest.data - uri->data;

    if (ngx_http_recovery_redis_user(cf, server, &rest) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_recovery_redis_inet(cf, server, &rest);
}


/* Nothing that could be a password is repeated. */

static char *
ngx_http_recovery_redis_scheme(ngx_conf_t *cf, ngx_str_t *uri)
{
    ngx_str_t  text;

    text.data = uri->data;
    text.len = strcspn((char *) uri->data, "@");

    if (text.len < uri->len) {
        text.len = strcspn((char *) uri->data, ":");
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"recovery_redis\": unknown scheme in \"%V\", a URI "
                       "must be " NGX_HTTP_RECOVERY_REDIS_URIS, &text);

    return NGX_CONF_ERROR;
}


/* Takes "user@" off the beginning. */

static ngx_int_t
ngx_http_recovery_redis_user(ngx_conf_t *cf,
    ngx_http_recovery_redis_server_t *server, ngx_str_t *rest)
{
    u_char  *at, *p, *last;

    last = rest->data + rest->len;
    at = NULL;

    for (p = rest->data; p < last; p++) {
        if (*p == '@') {
            at = p;
        }
    }

    if (at == NULL) {
        return NGX_OK;
    }

    server->user.data = rest->data;
    server->user.len = at - rest->data;

    if (server->user.len == 0
        || ngx_strlchr(server->user.data, at, ':') != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": before the \"@\" of a URI "
                           "must be a user name alone, a password goes "
                           "into a file that \"password_file=\" names");
        return NGX_ERROR;
    }

    rest->data = at + 1;
    rest->len = last - rest->data;

    return NGX_OK;
}


/* host[:port][/db] */

static char *
ngx_http_recovery_redis_inet(ngx_conf_t *cf,
    ngx_http_recovery_redis_server_t *server, ngx_str_t *host)
{
    u_char     *slash, *last;
    ngx_str_t   db;

    last = host->data + host->len;
    slash = ngx_strlchr(host->data, last, '/');

    if (slash != NULL) {
        db.data = slash + 1;
        db.len = last - db.data;
        host->len = slash - host->data;

        if (db.len
            && ngx_http_recovery_redis_number(&db, &server->db) != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"recovery_redis\": invalid database \"%V\" "
                               "in \"%V\", it must be a number from 0 to %d",
                               &db, &server->uri,
                               NGX_HTTP_RECOVERY_REDIS_DB_MAX);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_recovery_redis_address(cf, server, host);
}


static char *
ngx_http_recovery_redis_address(ngx_conf_t *cf,
    ngx_http_recovery_redis_server_t *server, ngx_str_t *host)
{
    ngx_url_t  u;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *host;
    u.default_port = NGX_HTTP_RECOVERY_REDIS_PORT;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": %s in \"%V\", it must be "
                           NGX_HTTP_RECOVERY_REDIS_URIS,
                           u.err ? u.err : "invalid address", &server->uri);
        return NGX_CONF_ERROR;
    }

    server->addrs = u.addrs;
    server->naddrs = u.naddrs;
    server->host = u.host;
    server->port = u.port;

    if (server->host.len && server->host.data[0] == '[') {
        server->host.data++;
        server->host.len -= 2;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_recovery_redis_names(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis, ngx_resolver_t *resolver)
{
    ngx_url_t                          u;
    ngx_uint_t                         i;
    ngx_http_recovery_redis_server_t  *servers;

    servers = redis->servers.elts;
    redis->resolver = resolver;

    for (i = 0; i < redis->servers.nelts; i++) {

        if (servers[i].naddrs
            || (resolver != NULL
                && !ngx_http_recovery_redis_local(&servers[i].host)))
        {
            continue;
        }

        ngx_memzero(&u, sizeof(ngx_url_t));

        u.host = servers[i].host;
        u.port = servers[i].port;

        if (ngx_inet_resolve_host(cf->pool, &u) != NGX_OK) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"recovery_redis\": %s in \"%V\", its host must "
                          "be known here or by a \"resolver\" in http {} in "
                          "%V:%ui", u.err ? u.err : "no address",
                          &servers[i].uri, &redis->at.file, redis->at.line);
            return NGX_ERROR;
        }

        servers[i].addrs = u.addrs;
        servers[i].naddrs = u.naddrs;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_recovery_redis_local(ngx_str_t *host)
{
    return host->len == sizeof("localhost") - 1
           && ngx_strncasecmp(host->data, (u_char *) "localhost", host->len)
              == 0;
}


ngx_int_t
ngx_http_recovery_redis_number(ngx_str_t *value, ngx_uint_t *db)
{
    uint64_t  n;

    if (rcv_parse_integer(ngx_http_recovery_str(value), &n) != 0
        || n > NGX_HTTP_RECOVERY_REDIS_DB_MAX)
    {
        return NGX_ERROR;
    }

    *db = (ngx_uint_t) n;

    return NGX_OK;
}


ngx_uint_t
ngx_http_recovery_redis_starts(ngx_str_t *word, const char *start)
{
    size_t  len;

    len = ngx_strlen(start);

    return word->len >= len && ngx_strncmp(word->data, start, len) == 0;
}
