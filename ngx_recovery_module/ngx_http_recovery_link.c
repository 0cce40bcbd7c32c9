
/*
 * One connection to Redis: nginx's connection, its steps, its deadlines.
 * Knows no policy: where to, when again and what to say of a failure is in
 * _redis.c.
 */

#include "ngx_http_recovery_redis.h"
#include "ngx_http_recovery_source.h"

#include <hiredis/hiredis.h>


#define NGX_HTTP_RECOVERY_LINK_READ_BYTES  4096


/*
 * A step on the way to "ready".  start: NGX_OK, wait for what it began;
 * NGX_DECLINED, nothing to wait for; NGX_ERROR, the link has failed.
 */

typedef struct {
    char       *action;
    ngx_int_t (*start)(ngx_http_recovery_link_t *link);
} ngx_http_recovery_link_steps_t;


static void ngx_http_recovery_link_timer(ngx_event_t *ev);
static void ngx_http_recovery_link_advance(ngx_http_recovery_link_t *link);
static ngx_int_t ngx_http_recovery_link_connect(
    ngx_http_recovery_link_t *link);
static ngx_int_t ngx_http_recovery_link_open(ngx_http_recovery_link_t *link,
    ngx_connection_t *c);
static void ngx_http_recovery_link_free_resp(void *data);
static ngx_int_t ngx_http_recovery_link_auth(ngx_http_recovery_link_t *link);
static ngx_int_t ngx_http_recovery_link_select(
    ngx_http_recovery_link_t *link);
static ngx_int_t ngx_http_recovery_link_flush(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_link_write_handler(ngx_event_t *wev);
static void ngx_http_recovery_link_connected(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_link_read_handler(ngx_event_t *rev);
static void ngx_http_recovery_link_read(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_link_resume(ngx_event_t *ev);
static ngx_int_t ngx_http_recovery_link_replies(
    ngx_http_recovery_link_t *link);
static void ngx_http_recovery_link_reply(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);
static u_char *ngx_http_recovery_link_log(ngx_log_t *log, u_char *buf,
    size_t len);


static const ngx_http_recovery_link_steps_t  ngx_http_recovery_link_steps[] = {
    { "waiting", NULL },
    { "connecting", ngx_http_recovery_link_connect },
    { "authenticating", ngx_http_recovery_link_auth },
    { "selecting the database", ngx_http_recovery_link_select }
};


ngx_int_t
ngx_http_recovery_link_init(ngx_http_recovery_redis_t *redis,
    ngx_http_recovery_link_t *link, const ngx_http_recovery_link_use_t *use,
    ngx_log_t *log)
{
    link->redis = redis;
    link->use = use;
    link->ident = -1;
    link->backoff_ms = NGX_HTTP_RECOVERY_REDIS_BACKOFF_MIN_MS;

    link->reported = ngx_pcalloc(redis->pool, redis->ntargets);
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

static void
ngx_http_recovery_link_advance(ngx_http_recovery_link_t *link)
{
    ngx_int_t  rc;

    for ( ;; ) {
        link->step++;

        if (link->step == NGX_HTTP_RECOVERY_LINK_READY) {
            ngx_http_recovery_link_action(link, link->use->action);
            link->use->ready(link);
            return;
        }

        ngx_http_recovery_link_action(link,
                              ngx_http_recovery_link_steps[link->step].action);

        rc = ngx_http_recovery_link_steps[link->step].start(link);

        if (rc == NGX_ERROR) {
            return;
        }

        if (rc == NGX_OK) {
            ngx_http_recovery_link_send(link);
            return;
        }
    }
}


static ngx_int_t
ngx_http_recovery_link_connect(ngx_http_recovery_link_t *link)
{
    ngx_int_t               rc;
    ngx_addr_t             *addr;
    ngx_peer_connection_t   peer;

    addr = link->redis->targets[link->target].addr;

    ngx_memzero(&peer, sizeof(ngx_peer_connection_t));

    peer.sockaddr = addr->sockaddr;
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

    return (rc == NGX_OK) ? NGX_DECLINED : NGX_OK;
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
    c->read->handler = ngx_http_recovery_link_read_handler;
    c->write->handler = ngx_http_recovery_link_write_handler;

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


/* Without a user name: AUTH as all versions of Redis understand it. */

static ngx_int_t
ngx_http_recovery_link_auth(ngx_http_recovery_link_t *link)
{
    ngx_str_t                         words[3];
    ngx_uint_t                        n;
    ngx_http_recovery_redis_conf_t   *conf;
    ngx_http_recovery_redis_server_t *server;

    conf = link->redis->conf;
    server = link->redis->targets[link->target].server;

    if (conf->password.len == 0) {
        return NGX_DECLINED;
    }

    ngx_str_set(&words[0], "AUTH");
    n = 1;

    if (server->user.len) {
        words[n++] = server->user;
    }

    words[n++] = conf->password;

    return ngx_http_recovery_link_command(link, n, words);
}


static ngx_int_t
ngx_http_recovery_link_select(ngx_http_recovery_link_t *link)
{
    u_char                            db[NGX_INT_T_LEN];
    ngx_str_t                         words[2];
    ngx_http_recovery_redis_server_t *server;

    server = link->redis->targets[link->target].server;

    if (server->db == 0) {
        return NGX_DECLINED;
    }

    ngx_str_set(&words[0], "SELECT");
    words[1].data = db;
    words[1].len = ngx_sprintf(db, "%ui", server->db) - db;

    return ngx_http_recovery_link_command(link, 2, words);
}


ngx_int_t
ngx_http_recovery_link_command(ngx_http_recovery_link_t *link, ngx_uint_t n,
    const ngx_str_t *words)
{
    int          len;
    char        *command;
    size_t       lens[RCV_FIELDS + 2];
    ngx_buf_t   *b;
    ngx_uint_t   i;
    const char  *args[RCV_FIELDS + 2];

    b = link->out;

    for (i = 0; i < n; i++) {
        args[i] = (const char *) words[i].data;
        lens[i] = words[i].len;
    }

    len = redisFormatCommandArgv(&command, (int) n, args, lens);

    if (len >= 0 && len <= b->end - b->last) {
        b->last = ngx_cpymem(b->last, command, len);
        redisFreeCommand(command);
        link->outstanding++;

        return NGX_OK;
    }

    if (len >= 0) {
        redisFreeCommand(command);
    }

    ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_CLOSED, 0,
                                "no memory for a command");

    return NGX_ERROR;
}


void
ngx_http_recovery_link_send(ngx_http_recovery_link_t *link)
{
    if (link->step != NGX_HTTP_RECOVERY_LINK_CONNECT
        && ngx_http_recovery_link_flush(link) != NGX_OK)
    {
        return;
    }

    ngx_http_recovery_link_wait(link, link->redis->conf->timeout_ms);
}


static ngx_int_t
ngx_http_recovery_link_flush(ngx_http_recovery_link_t *link)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    b = link->out;
    c = link->connection;

    while (b->pos < b->last) {
        n = c->send(c, b->pos, b->last - b->pos);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_http_recovery_link_fail(link,
                                        NGX_HTTP_RECOVERY_FAILURE_CLOSED,
                                        ngx_socket_errno, "send() failed");
            return NGX_ERROR;
        }

        b->pos += n;
    }

    if (b->pos == b->last) {
        b->pos = b->start;
        b->last = b->start;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_CLOSED, 0,
                                    "no event for writing");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_recovery_link_write_handler(ngx_event_t *wev)
{
    ngx_connection_t           *c;
    ngx_http_recovery_link_t   *link;
    ngx_http_recovery_redis_t  *redis;

    c = wev->data;
    link = c->data;
    redis = link->redis;

    redis->busy++;

    if (link->step == NGX_HTTP_RECOVERY_LINK_CONNECT) {
        ngx_http_recovery_link_connected(link);

    } else {
        (void) ngx_http_recovery_link_flush(link);
    }

    ngx_http_recovery_redis_leave(redis);
}


/* connect() has ended: how? */

static void
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


/*
 * Also called by ngx_close_idle_connections() and by the shutdown timer,
 * with c->close set.
 */

static void
ngx_http_recovery_link_read_handler(ngx_event_t *rev)
{
    ngx_connection_t           *c;
    ngx_http_recovery_link_t   *link;
    ngx_http_recovery_redis_t  *redis;

    c = rev->data;
    link = c->data;
    redis = link->redis;

    redis->busy++;

    if (c->close) {
        ngx_http_recovery_redis_stop(redis);

    } else {
        if (link->step == NGX_HTTP_RECOVERY_LINK_CONNECT) {
            ngx_http_recovery_link_connected(link);
        }

        if (link->connection != NULL && !link->pause.timer_set) {
            ngx_http_recovery_link_read(link);
        }
    }

    ngx_http_recovery_redis_leave(redis);
}


static void
ngx_http_recovery_link_read(ngx_http_recovery_link_t *link)
{
    size_t             total;
    ssize_t            n;
    ngx_connection_t  *c;
    char               buf[NGX_HTTP_RECOVERY_LINK_READ_BYTES];

    c = link->connection;
    total = 0;

    for ( ;; ) {

        /*
         * A flood must neither keep the worker from its other connections
         * nor busy: the sender is made to wait.
         */

        if (total >= NGX_HTTP_RECOVERY_REDIS_TURN_BYTES) {
            ngx_add_timer(&link->pause, NGX_HTTP_RECOVERY_REDIS_TURN_MS);
            break;
        }

        n = c->recv(c, (u_char *) buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_http_recovery_link_fail(link,
                                        NGX_HTTP_RECOVERY_FAILURE_CLOSED,
                                        n == 0 ? 0 : ngx_socket_errno,
                                        "server closed the connection");
            return;
        }

        total += n;

        if (ngx_http_recovery_resp_feed(link->resp, buf, n) != 0) {
            ngx_http_recovery_link_fail(link,
                                        NGX_HTTP_RECOVERY_FAILURE_PROTOCOL, 0,
                                        link->resp->error);
            return;
        }

        if (ngx_http_recovery_link_replies(link) != NGX_OK) {
            return;
        }
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_CLOSED, 0,
                                    "no event for reading");
    }
}


static void
ngx_http_recovery_link_resume(ngx_event_t *ev)
{
    ngx_http_recovery_link_t   *link;
    ngx_http_recovery_redis_t  *redis;

    link = ev->data;
    redis = link->redis;

    if (redis->stopped || ngx_exiting) {
        return;
    }

    redis->busy++;

    ngx_http_recovery_link_read(link);

    ngx_http_recovery_redis_leave(redis);
}


/* NGX_ERROR: the link was closed meanwhile. */

static ngx_int_t
ngx_http_recovery_link_replies(ngx_http_recovery_link_t *link)
{
    int                                    rc;
    const ngx_http_recovery_resp_value_t  *value;

    for ( ;; ) {
        rc = ngx_http_recovery_resp_next(link->resp, &value);

        if (rc == 0) {
            return NGX_OK;
        }

        if (rc < 0) {
            ngx_http_recovery_link_fail(link,
                                        NGX_HTTP_RECOVERY_FAILURE_PROTOCOL, 0,
                                        link->resp->error);
            return NGX_ERROR;
        }

        if (link->step == NGX_HTTP_RECOVERY_LINK_READY) {
            link->use->reply(link, value);

        } else {
            ngx_http_recovery_link_reply(link, value);
        }

        if (link->connection == NULL) {
            return NGX_ERROR;
        }
    }
}


/* Every step on the way up asks for one thing, which is answered by OK. */

static void
ngx_http_recovery_link_reply(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    if (ngx_http_recovery_link_expected(link, value) != NGX_OK) {
        return;
    }

    if (value->type == NGX_HTTP_RECOVERY_RESP_ERROR) {
        ngx_http_recovery_link_refused(link, value);
        return;
    }

    if (value->type != NGX_HTTP_RECOVERY_RESP_STATUS
        || !ngx_http_recovery_reply_starts(value, "OK"))
    {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_PROTOCOL,
                                    0, "unknown reply");
        return;
    }

    ngx_http_recovery_link_advance(link);
}


ngx_int_t
ngx_http_recovery_link_expected(ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value)
{
    if (link->outstanding) {
        link->outstanding--;
        return NGX_OK;
    }

    /* "max number of clients reached" comes unasked */

    if (value->type == NGX_HTTP_RECOVERY_RESP_ERROR) {
        ngx_http_recovery_link_refused(link, value);

    } else {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_PROTOCOL,
                                    0, "reply to no question");
    }

    return NGX_ERROR;
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
                        &link->redis->targets[link->target].addr->name);
}
