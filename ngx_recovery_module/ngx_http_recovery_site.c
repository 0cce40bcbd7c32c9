
/*
 * Where a link goes to: the servers of the configuration in their order, and
 * one that others have named, a Sentinel or a node of a Cluster.  A site is a
 * host with its addresses; those of a name are looked up by nginx's resolver
 * each time that the site is begun with, and nobody waits for that but the
 * link.
 *
 * A name that cannot be looked up because nobody answers keeps the addresses
 * that it had: that DNS is gone is no reason to lose Redis as well.
 */

#include "ngx_http_recovery_redis.h"


static void ngx_http_recovery_site_add(ngx_http_recovery_redis_site_t *site,
    const struct sockaddr *sockaddr, socklen_t socklen, in_port_t port);
static ngx_uint_t ngx_http_recovery_site_literal(
    ngx_http_recovery_redis_site_t *site);
static void ngx_http_recovery_site_handler(ngx_resolver_ctx_t *ctx);
static void ngx_http_recovery_site_take(ngx_http_recovery_redis_site_t *site,
    const ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_http_recovery_site_resolved(
    ngx_http_recovery_link_t *link);
static ngx_int_t ngx_http_recovery_site_fail(ngx_http_recovery_link_t *link,
    const char *why);


ngx_int_t
ngx_http_recovery_sites_create(ngx_http_recovery_redis_t *redis)
{
    ngx_uint_t                         i, k;
    ngx_http_recovery_redis_site_t    *site;
    ngx_http_recovery_redis_server_t  *servers;

    servers = redis->conf->servers.elts;

    redis->nsites = redis->conf->servers.nelts;
    redis->sites = ngx_pcalloc(redis->pool, (redis->nsites + 1)
                                    * sizeof(ngx_http_recovery_redis_site_t));
    if (redis->sites == NULL) {
        return NGX_ERROR;
    }

    redis->named = &redis->sites[redis->nsites];

    for (i = 0; i < redis->nsites; i++) {
        site = &redis->sites[i];

        if (servers[i].naddrs == 0) {
            if (ngx_http_recovery_site_set(site, &servers[i],
                                           &servers[i].host, servers[i].port)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        site->server = &servers[i];
        site->host = servers[i].host;

        for (k = 0; k < servers[i].naddrs; k++) {
            ngx_http_recovery_site_add(site, servers[i].addrs[k].sockaddr,
                                       servers[i].addrs[k].socklen, 0);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_recovery_site_set(ngx_http_recovery_redis_site_t *site,
    ngx_http_recovery_redis_server_t *server, const ngx_str_t *host,
    in_port_t port)
{
    if (host->len == 0 || host->len > sizeof(site->text)) {
        return NGX_ERROR;
    }

    site->server = server;
    site->port = port;
    site->naddrs = 0;
    site->stale = 0;

    ngx_memmove(site->text, host->data, host->len);
    site->host.data = site->text;
    site->host.len = host->len;

    site->is_name = !ngx_http_recovery_site_literal(site);

    return NGX_OK;
}


/* In an order that is always the same, whatever turn they came in. */

static void
ngx_http_recovery_site_add(ngx_http_recovery_redis_site_t *site,
    const struct sockaddr *sockaddr, socklen_t socklen, in_port_t port)
{
    ngx_uint_t                       i;
    ngx_http_recovery_redis_addr_t  *addr, new;

    if (site->naddrs == NGX_HTTP_RECOVERY_REDIS_ADDRS_MAX
        || socklen > (socklen_t) sizeof(ngx_sockaddr_t))
    {
        return;
    }

    ngx_memzero(&new, sizeof(ngx_http_recovery_redis_addr_t));
    ngx_memcpy(&new.sockaddr, sockaddr, socklen);
    new.socklen = socklen;

    if (port) {
        ngx_inet_set_port(&new.sockaddr.sockaddr, port);
    }

    for (i = site->naddrs; site->is_name && i > 0; i--) {
        addr = &site->addrs[i - 1];

        if (ngx_memn2cmp((u_char *) &addr->sockaddr,
                         (u_char *) &new.sockaddr,
                         addr->socklen, new.socklen)
            <= 0)
        {
            break;
        }

        site->addrs[i] = *addr;
    }

    site->addrs[i] = new;
    site->naddrs++;

    for (i = 0; i < site->naddrs; i++) {
        addr = &site->addrs[i];
        addr->name.data = addr->text;
        addr->name.len = ngx_sock_ntop(&addr->sockaddr.sockaddr, addr->socklen,
                                       addr->text, NGX_SOCKADDR_STRLEN, 1);
    }
}


static ngx_uint_t
ngx_http_recovery_site_literal(ngx_http_recovery_redis_site_t *site)
{
    ngx_str_t       *host;
    ngx_sockaddr_t   addr;

    host = &site->host;
    site->is_name = 0;

    ngx_memzero(&addr, sizeof(ngx_sockaddr_t));

    addr.sockaddr_in.sin_addr.s_addr = ngx_inet_addr(host->data, host->len);

    if (addr.sockaddr_in.sin_addr.s_addr != INADDR_NONE) {
        addr.sockaddr_in.sin_family = AF_INET;
        ngx_http_recovery_site_add(site, &addr.sockaddr,
                                   sizeof(struct sockaddr_in), site->port);
        return 1;
    }

#if (NGX_HAVE_INET6)

    ngx_memzero(&addr, sizeof(ngx_sockaddr_t));

    if (ngx_inet6_addr(host->data, host->len,
                       addr.sockaddr_in6.sin6_addr.s6_addr)
        == NGX_OK)
    {
        addr.sockaddr_in6.sin6_family = AF_INET6;
        ngx_http_recovery_site_add(site, &addr.sockaddr,
                                   sizeof(struct sockaddr_in6), site->port);
        return 1;
    }

#endif

    return 0;
}


ngx_uint_t
ngx_http_recovery_sites_places(ngx_http_recovery_redis_t *redis)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < redis->nsites; i++) {
        n += ngx_max(redis->sites[i].naddrs, 1);
    }

    return n;
}


void
ngx_http_recovery_site_next(ngx_http_recovery_link_t *link)
{
    ngx_http_recovery_redis_t  *redis;

    redis = link->redis;

    if (++link->addr < link->site->naddrs) {
        return;
    }

    link->addr = 0;
    link->site++;

    if (link->site >= redis->named) {
        link->site = redis->sites;
    }
}


ngx_str_t *
ngx_http_recovery_site_address(ngx_http_recovery_link_t *link)
{
    return link->addr < link->site->naddrs
               ? &link->site->addrs[link->addr].name : &link->site->host;
}


/* The subscriber goes where the commands have gone. */

ngx_int_t
ngx_http_recovery_site_resolve(ngx_http_recovery_link_t *link)
{
    ngx_resolver_t                  *resolver;
    ngx_resolver_ctx_t              *ctx;
    ngx_http_recovery_redis_site_t  *site;

    site = link->site;
    resolver = link->redis->conf->resolver;

    if (!site->is_name || link->addr != 0
        || link == &link->redis->subscriber)
    {
        return NGX_DECLINED;
    }

    if (resolver == NULL) {
        return ngx_http_recovery_site_fail(link, "no resolver is configured");
    }

    ctx = ngx_resolve_start(resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return ngx_http_recovery_site_fail(link, "the resolver has no server");
    }

    /* no timeout of its own: that of the link is there already */

    ctx->name = site->host;
    ctx->handler = ngx_http_recovery_site_handler;
    ctx->data = link;
    ctx->timeout = 0;

    link->resolving = ctx;
    link->resolved = NGX_AGAIN;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        link->resolving = NULL;
        return ngx_http_recovery_site_fail(link, "the resolver failed");
    }

    return link->resolving ? NGX_AGAIN : ngx_http_recovery_site_resolved(link);
}


/* At once, out of the cache, or later. */

static void
ngx_http_recovery_site_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t                  later;
    ngx_http_recovery_link_t   *link;
    ngx_http_recovery_redis_t  *redis;

    link = ctx->data;
    redis = link->redis;
    later = ctx->async;

    link->resolved = ctx->state;
    link->resolving = NULL;

    if (ctx->state == NGX_OK) {
        ngx_http_recovery_site_take(link->site, ctx);
    }

    ngx_resolve_name_done(ctx);

    if (!later) {
        return;
    }

    redis->busy++;

    if (ngx_http_recovery_site_resolved(link) == NGX_DECLINED) {
        ngx_http_recovery_link_advance(link);
    }

    ngx_http_recovery_redis_leave(redis);
}


void
ngx_http_recovery_site_timeout(ngx_http_recovery_link_t *link)
{
    ngx_http_recovery_site_cancel(link);

    link->resolved = NGX_RESOLVE_TIMEDOUT;

    if (ngx_http_recovery_site_resolved(link) == NGX_DECLINED) {
        ngx_http_recovery_link_advance(link);
    }
}


void
ngx_http_recovery_site_cancel(ngx_http_recovery_link_t *link)
{
    if (link->resolving != NULL) {
        ngx_resolve_name_done(link->resolving);
        link->resolving = NULL;
    }
}


static void
ngx_http_recovery_site_take(ngx_http_recovery_redis_site_t *site,
    const ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t  i;

    site->naddrs = 0;

    for (i = 0; i < ctx->naddrs; i++) {
        ngx_http_recovery_site_add(site, ctx->addrs[i].sockaddr,
                                   ctx->addrs[i].socklen, site->port);
    }
}


/* A step's return: NGX_DECLINED, there is an address to connect to. */

static ngx_int_t
ngx_http_recovery_site_resolved(ngx_http_recovery_link_t *link)
{
    const char                      *why;
    ngx_http_recovery_redis_site_t  *site;

    site = link->site;

    if (link->resolved == NGX_OK && site->naddrs) {
        site->stale = 0;
        return NGX_DECLINED;
    }

    why = ngx_resolver_strerror(link->resolved);

    if (link->resolved == NGX_RESOLVE_NXDOMAIN) {
        site->naddrs = 0;
    }

    if (site->naddrs == 0) {
        return ngx_http_recovery_site_fail(link, why);
    }

    if (!site->stale) {
        site->stale = 1;

        ngx_log_error(NGX_LOG_WARN, &link->log, 0,
                      "recovery_redis \"%V\": \"%V\" could not be resolved "
                      "(%s), its last known addresses are tried",
                      &site->server->uri, &site->host, why);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_recovery_site_fail(ngx_http_recovery_link_t *link, const char *why)
{
    u_char  text[NGX_HTTP_RECOVERY_REDIS_HOST_MAX
                 + NGX_HTTP_RECOVERY_REDIS_SAID_MAX];

    (void) ngx_snprintf(text, sizeof(text),
                        "\"%V\" could not be resolved (%s)%Z",
                        &link->site->host, why);

    ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_RESOLVE, 0,
                                (char *) text);

    return NGX_ERROR;
}
