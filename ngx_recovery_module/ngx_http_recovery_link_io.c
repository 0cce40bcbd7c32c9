
/*
 * What goes over a connection to Redis: commands out, replies in.
 */

#include "ngx_http_recovery_redis.h"
#include "ngx_http_recovery_source.h"

#include <hiredis/hiredis.h>


#define NGX_HTTP_RECOVERY_LINK_READ_BYTES  4096


static ngx_int_t ngx_http_recovery_link_flush(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_link_write_handler(ngx_event_t *wev);
static void ngx_http_recovery_link_read_handler(ngx_event_t *rev);
static void ngx_http_recovery_link_read(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_link_closed(ngx_http_recovery_link_t *link,
    ngx_err_t err);
static ngx_int_t ngx_http_recovery_link_replies(
    ngx_http_recovery_link_t *link);


ngx_int_t
ngx_http_recovery_link_command(ngx_http_recovery_link_t *link, ngx_uint_t n,
    const ngx_str_t *words)
{
    int          len;
    char        *command;
    size_t       lens[NGX_HTTP_RECOVERY_LINK_WORDS_MAX];
    ngx_buf_t   *b;
    ngx_uint_t   i;
    const char  *args[NGX_HTTP_RECOVERY_LINK_WORDS_MAX];

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
    if (ngx_http_recovery_link_flush(link) == NGX_OK) {
        ngx_http_recovery_link_wait(link, link->redis->conf->timeout_ms);
    }
}


/* Back from who else had the events of the connection. */

void
ngx_http_recovery_link_listen(ngx_http_recovery_link_t *link)
{
    ngx_connection_t  *c;

    c = link->connection;

    c->read->handler = ngx_http_recovery_link_read_handler;
    c->write->handler = ngx_http_recovery_link_write_handler;
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

    } else if (link->step > NGX_HTTP_RECOVERY_LINK_TLS) {
        (void) ngx_http_recovery_link_flush(link);
    }

    ngx_http_recovery_redis_leave(redis);
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

        if (link->connection != NULL && !link->pause.timer_set
            && link->step > NGX_HTTP_RECOVERY_LINK_TLS)
        {
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
            ngx_http_recovery_link_closed(link, n == 0 ? 0 : ngx_socket_errno);
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


/*
 * With TLS 1.3 a server that does not want our certificate says so only
 * here, after a handshake that was a success to us.
 */

static void
ngx_http_recovery_link_closed(ngx_http_recovery_link_t *link, ngx_err_t err)
{
    if (!link->good && ngx_http_recovery_tls_said(link)) {
        ngx_http_recovery_tls_fail(link);
        return;
    }

    ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_CLOSED, err,
                                "server closed the connection");
}


void
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
            ngx_http_recovery_step_reply(link, value);
        }

        if (link->connection == NULL) {
            return NGX_ERROR;
        }
    }
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
