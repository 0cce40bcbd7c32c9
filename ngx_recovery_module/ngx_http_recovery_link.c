
/*
 * One connection to Redis, from its beginning to its end: nginx's connection,
 * its way up by steps, its deadlines.  Knows no policy: where to, when again
 * and what to say of a failure is in _redis.c.
 */

#include "ngx_http_recovery_redis.h"
#include "ngx_http_recovery_source.h"


static void ngx_http_recovery_link_timer(ngx_event_t *ev);
static ngx_int_t ngx_http_recovery_link_open(ngx_http_recovery_link_t *link,
    ngx_connection_t *c);
static void ngx_http_recovery_link_free_resp(void *data);
static u_char *ngx_http_recovery_link_log(ngx_log_t *log, u_char *buf,
    size_t len);


ngx_int_t
ngx_http_recovery_link_init(ngx_http_recovery_redis_t *redis,
    ngx_http_recovery_link_t *link, const ngx_http_recovery_link_use_t *use,
    ngx_log_t *log)
{
    link->redis = redis;
    link->use = use;
    link->ident = -1;
    link->backoff_ms = NGX_HTTP_RECOVERY_REDIS_BACKOFF_MIN_MS;

    link->site = redis->sites;

    link->reported = ngx_pcalloc(redis->pool, (redis->nsites + 1)
                                     * NGX_HTTP_RECOVERY_REDIS_ADDRS_MAX);
    if (link->reported == NULL) {
        return NGX_ERROR;
    }

    link->log = *log;
    link->log.handler = ngx_http_recovery_link_log;
    link->log.data = link;
    link->log.action = NULL;

    /*
     * For nginx's own calls on the connection: they would log a refused
     * connection at "error" each time; we log each change, once.
     */

    link->quiet = link->log;
    link->quiet.log_level = ngx_min(log->log_level, NGX_LOG_ALERT);

    ngx_http_recovery_tls_init(link);

    link->timer.handler = ngx_http_recovery_link_timer;
    link->timer.data = link;
    link->timer.log = &link->log;
    link->timer.cancelable = 1;

    link->pause.handler = ngx_http_recovery_link_resume;
    link->pause.data = link;
    link->pause.log = &link->log;
    link->pause.cancelable = 1;

    return NGX_OK;
}


/* ngx_add_timer() ignores small changes: an earlier time has to be kept. */

void
ngx_http_recovery_link_wait(ngx_http_recovery_link_t *link, ngx_msec_t ms)
{
    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    ngx_add_timer(&link->timer, ms);
}


static void
ngx_http_recovery_link_timer(ngx_event_t *ev)
{
    ngx_http_recovery_link_t   *link;
    ngx_http_recovery_redis_t  *redis;

    link = ev->data;
    redis = link->redis;

    if (redis->stopped || ngx_exiting) {
        return;
    }

    redis->busy++;

    if (link->step == NGX_HTTP_RECOVERY_LINK_IDLE) {
        ngx_http_recovery_link_advance(link);

    } else if (link->step == NGX_HTTP_RECOVERY_LINK_RESOLVE) {
        ngx_http_recovery_site_timeout(link);

    } else if (link->step != NGX_HTTP_RECOVERY_LINK_READY
               || link->outstanding)
    {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_TIMEOUT,
                                    NGX_ETIMEDOUT, "no answer in time");

    } else {
        link->use->due(link);
    }

    ngx_http_recovery_redis_leave(redis);
}


void
ngx_http_recovery_link_action(ngx_http_recovery_link_t *link, char *action)
{
    link->log.action = action;
    link->quiet.action = action;
}


/* Takes the steps that need no waiting, up to one that does. */

void
ngx_http_recovery_link_advance(ngx_http_recovery_link_t *link)
{
    ngx_int_t                        rc;
    const ngx_http_recovery_step_t  *step;

    for ( ;; ) {
        link->step++;

        if (link->step == NGX_HTTP_RECOVERY_LINK_READY) {
            ngx_http_recovery_link_action(link, link->use->action);
            link->use->ready(link);
            return;
        }

        step = &ngx_http_recovery_steps[link->step];

        ngx_http_recovery_link_action(link, step->action);

        rc = step->start(link);

        if (rc == NGX_ERROR) {
            return;
        }

        if (rc == NGX_AGAIN) {
            ngx_http_recovery_link_wait(link, link->redis->conf->timeout_ms);
            return;
        }

        if (rc == NGX_OK) {
            ngx_http_recovery_link_send(link);
            return;
        }
    }
}


ngx_int_t
ngx_http_recovery_link_connect(ngx_http_recovery_link_t *link)
{
    ngx_int_t                        rc;
    ngx_peer_connection_t            peer;
    ngx_http_recovery_redis_addr_t  *addr;

    addr = &link->site->addrs[link->addr];

    ngx_memzero(&peer, sizeof(ngx_peer_connection_t));

    peer.sockaddr = &addr->sockaddr.sockaddr;
    peer.socklen = addr->socklen;
    peer.name = &addr->name;
    peer.get = ngx_event_get_peer;
    peer.log = &link->quiet;
    peer.log_error = NGX_ERROR_INFO;

    /* The error is passed on in errno alone; closing does not touch it. */

    ngx_set_socket_errno(0);

    rc = ngx_event_connect_peer(&peer);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_CONNECT,
                                    ngx_socket_errno, "connect() failed");
        return NGX_ERROR;
    }

    if (ngx_http_recovery_link_open(link, peer.connection) != NGX_OK) {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_CONNECT,
                                    0,
                                    "connection could not be set up");
        return NGX_ERROR;
    }

    return (rc == NGX_OK) ? NGX_DECLINED : NGX_AGAIN;
}


/* connect() has ended: how? */

void
ngx_http_recovery_link_connected(ngx_http_recovery_link_t *link)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(link->connection->fd, SOL_SOCKET, SO_ERROR, (void *) &err,
                   &len)
        == -1)
    {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_CONNECT,
                                    err, "connect() failed");
        return;
    }

    ngx_http_recovery_link_advance(link);
}


/* What lives as long as the connection lies in its pool. */

static ngx_int_t
ngx_http_recovery_link_open(ngx_http_recovery_link_t *link,
    ngx_connection_t *c)
{
    ngx_pool_t          *pool;
    ngx_pool_cleanup_t  *cln;

    link->log.connection = c->number;
    link->quiet.connection = c->number;

    pool = ngx_create_pool(1024, &link->quiet);
    if (pool == NULL) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    link->connection = c;

    c->data = link;
    c->pool = pool;
    c->idle = 1;

    ngx_http_recovery_link_listen(link);

    link->out = ngx_create_temp_buf(pool, NGX_HTTP_RECOVERY_SOURCE_OUT);
    link->resp = ngx_palloc(pool, sizeof(ngx_http_recovery_resp_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (link->out == NULL || link->resp == NULL || cln == NULL
        || ngx_http_recovery_resp_init(link->resp) != 0)
    {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_recovery_link_free_resp;
    cln->data = link->resp;

    return ngx_tcp_nodelay(c);
}


static void
ngx_http_recovery_link_free_resp(void *data)
{
    ngx_http_recovery_resp_free(data);
}


void
ngx_http_recovery_link_close(ngx_http_recovery_link_t *link)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    if (link->pause.timer_set) {
        ngx_del_timer(&link->pause);
    }

    ngx_http_recovery_site_cancel(link);

    link->step = NGX_HTTP_RECOVERY_LINK_IDLE;
    link->outstanding = 0;

    c = link->connection;

    if (c == NULL) {
        return;
    }

    pool = c->pool;

    link->connection = NULL;
    link->resp = NULL;
    link->out = NULL;

    ngx_http_recovery_tls_close(c);
    ngx_close_connection(c);
    ngx_destroy_pool(pool);
}


void
ngx_http_recovery_link_stop(ngx_http_recovery_link_t *link)
{
    ngx_http_recovery_link_close(link);

    link->tries = 0;
    link->backoff_ms = NGX_HTTP_RECOVERY_REDIS_BACKOFF_MIN_MS;
    link->good = 0;
}


static u_char *
ngx_http_recovery_link_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                    *p;
    ngx_http_recovery_link_t  *link;

    link = log->data;
    p = buf;

    if (log->action) {
        p = ngx_snprintf(p, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    return ngx_snprintf(p, len, ", address: %V",
                        ngx_http_recovery_site_address(link));
}
