
/*
 * The status going out.  It is looked at and written in pieces, and after each
 * the worker turns to whatever else there is to do: a thousand backends are
 * twenty milliseconds of work, and with a fast reader nothing else would end
 * it.  What fits into one piece is sent at once, with its length.
 *
 * All numbers are taken before the first is written, in as many turns as that
 * takes: a slow reader does not see half of an answer an hour later than the
 * other half.  The buffers are few and written again and again.
 *
 * After a piece a stream
 *
 *   goes on in the next turn    when all of it has been taken,
 *   waits for the connection    when not: it is full, or has to slow down,
 *   waits for its turn          when it is a subrequest, and those before it
 *                               are not done: what it has written is kept,
 *
 * and in the latter two comes here again as r->write_event_handler.  A client
 * who has gone is noticed when the next piece cannot be written.
 */

#include "ngx_http_recovery_status.h"


/* Backends that are looked at in one turn. */

#define NGX_HTTP_RECOVERY_STREAM_VIEWS  256


typedef struct {
    ngx_http_request_t                *request;
    const ngx_http_recovery_format_t  *format;

    ngx_http_recovery_node_view_t      node;
    ngx_http_recovery_cursor_t         cursor;
    ngx_http_recovery_out_t            out;

    ngx_chain_t                       *busy;    /* not taken yet */
    ngx_event_t                        turn;

    ngx_uint_t                         last;    /* all of it is in out */
} ngx_http_recovery_stream_t;


static ngx_int_t ngx_http_recovery_stream_fill(
    ngx_http_recovery_stream_t *stream);
static ngx_int_t ngx_http_recovery_stream_start(
    ngx_http_recovery_stream_t *stream);
static void ngx_http_recovery_stream_turn(ngx_event_t *ev);
static void ngx_http_recovery_stream_write(ngx_http_request_t *r);
static void ngx_http_recovery_stream_push(ngx_http_recovery_stream_t *stream);
static ngx_int_t ngx_http_recovery_stream_output(
    ngx_http_recovery_stream_t *stream);
static ngx_uint_t ngx_http_recovery_stream_held(
    ngx_http_recovery_stream_t *stream);
static void ngx_http_recovery_stream_wait(ngx_http_recovery_stream_t *stream);
static void ngx_http_recovery_stream_end(ngx_http_recovery_stream_t *stream,
    ngx_int_t rc);
static void ngx_http_recovery_stream_cleanup(void *data);


ngx_int_t
ngx_http_recovery_stream(ngx_http_request_t *r,
    const ngx_http_recovery_format_t *format)
{
    ngx_int_t                       rc;
    ngx_http_recovery_stream_t     *stream;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    stream = ngx_pcalloc(r->pool, sizeof(ngx_http_recovery_stream_t));

    if (stream == NULL
        || ngx_http_recovery_view_begin(rmcf, r->pool, &stream->node)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    stream->request = r;
    stream->format = format;

    ngx_http_recovery_out_init(&stream->out, r->pool);

    if (ngx_http_recovery_stream_fill(stream) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (stream->last) {
        return ngx_http_recovery_status_send(r, NGX_HTTP_OK, format,
                                             &stream->out);
    }

    rc = ngx_http_recovery_status_head(r, NGX_HTTP_OK, format, -1);

    /* nobody reads what a subrequest in the background has to say */

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only || r->background) {
        return rc;
    }

    return ngx_http_recovery_stream_start(stream);
}


static ngx_int_t
ngx_http_recovery_stream_fill(ngx_http_recovery_stream_t *stream)
{
    ngx_int_t                       rc;
    ngx_http_request_t             *r;
    ngx_http_recovery_main_conf_t  *rmcf;

    r = stream->request;
    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    rc = ngx_http_recovery_view_more(rmcf, r->pool, &stream->node,
                                     NGX_HTTP_RECOVERY_STREAM_VIEWS);

    if (rc == NGX_OK) {
        stream->cursor.work = NGX_HTTP_RECOVERY_STREAM_VIEWS;
        rc = stream->format->render(&stream->out, &stream->node,
                                    &stream->cursor);
        stream->last = (rc == NGX_OK);
    }

    return (rc == NGX_ERROR || stream->out.failed) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_recovery_stream_start(ngx_http_recovery_stream_t *stream)
{
    ngx_http_request_t  *r;
    ngx_http_cleanup_t  *cln;

    r = stream->request;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_recovery_stream_cleanup;
    cln->data = stream;

    stream->turn.handler = ngx_http_recovery_stream_turn;
    stream->turn.data = stream;
    stream->turn.log = r->connection->log;

    r->main->count++;
    r->write_event_handler = ngx_http_recovery_stream_write;

    /*
     * Half a connection is enough to be answered.  One of HTTP/2 is told of
     * its end through the read event only.
     */

    if (!r->discard_body) {
        r->read_event_handler = r->http_version < NGX_HTTP_VERSION_20
                                ? ngx_http_block_reading
                                : ngx_http_test_reading;
    }

    ngx_http_recovery_stream_push(stream);

    return NGX_DONE;
}


static void
ngx_http_recovery_stream_turn(ngx_event_t *ev)
{
    ngx_connection_t            *c;
    ngx_http_recovery_stream_t  *stream;

    stream = ev->data;
    c = stream->request->connection;

    ngx_http_set_log_request(c->log, stream->request);

    if (ngx_http_recovery_stream_fill(stream) == NGX_OK) {
        ngx_http_recovery_stream_push(stream);

    } else {
        ngx_http_recovery_stream_end(stream, NGX_ERROR);
    }

    ngx_http_run_posted_requests(c);
}


/* The connection takes more, or a subrequest's turn has come. */

static void
ngx_http_recovery_stream_write(ngx_http_request_t *r)
{
    ngx_event_t                 *wev;
    ngx_http_cleanup_t          *cln;
    ngx_http_recovery_stream_t  *stream;

    stream = NULL;

    for (cln = r->main->cleanup; cln; cln = cln->next) {
        stream = cln->data;

        if (cln->handler == ngx_http_recovery_stream_cleanup
            && stream->request == r)
        {
            break;
        }
    }

    if (cln == NULL) {
        return;
    }

    wev = r->connection->write;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "client timed out");
        r->connection->timedout = 1;
        ngx_http_recovery_stream_end(stream, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (!stream->turn.posted && !wev->delayed) {
        ngx_http_recovery_stream_push(stream);
        return;
    }

    ngx_http_recovery_stream_wait(stream);
}


static void
ngx_http_recovery_stream_push(ngx_http_recovery_stream_t *stream)
{
    ngx_int_t            rc;
    ngx_event_t         *wev;
    ngx_http_request_t  *r;

    r = stream->request;
    rc = ngx_http_recovery_stream_output(stream);

    if (rc == NGX_ERROR || stream->last) {
        ngx_http_recovery_stream_end(stream, rc);
        return;
    }

    if (ngx_http_recovery_stream_held(stream)) {
        ngx_http_recovery_stream_wait(stream);
        return;
    }

    wev = r->connection->write;

    if (r == r->connection->data && wev->timer_set && !wev->delayed) {
        ngx_del_timer(wev);
    }

    ngx_post_event(&stream->turn, &ngx_posted_next_events);
}


/*
 * Is there anything to wait for?  A filter may also keep a little without a
 * reason, until it has more.
 */

static ngx_uint_t
ngx_http_recovery_stream_held(ngx_http_recovery_stream_t *stream)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = stream->request;
    c = r->connection;

    return stream->busy
           && (r != c->data || r->postponed || r->buffered || c->buffered);
}


/* What has been written, if anything, and what has been kept. */

static ngx_int_t
ngx_http_recovery_stream_output(ngx_http_recovery_stream_t *stream)
{
    ngx_int_t            rc;
    ngx_chain_t         *out, *cl;
    ngx_http_request_t  *r;

    r = stream->request;
    out = ngx_http_recovery_out_chain(&stream->out);

    if (stream->last) {

        if (out == NULL) {
            return ngx_http_send_special(r, NGX_HTTP_LAST);
        }

        stream->out.buf->last_buf = (r == r->main);
        stream->out.buf->last_in_chain = 1;
    }

    if (out == NULL && stream->busy == NULL) {
        return NGX_OK;
    }

    /* they are waited for: nothing is to be kept to make a larger one of it */

    for (cl = out; cl; cl = cl->next) {
        cl->buf->recycled = 1;
    }

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(r->pool, &stream->out.free, &stream->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_recovery_module);
    ngx_http_recovery_out_reset(&stream->out);

    return rc;
}


static void
ngx_http_recovery_stream_wait(ngx_http_recovery_stream_t *stream)
{
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = stream->request;
    wev = r->connection->write;

    if (r != r->connection->data) {
        return;
    }

    clcf = ngx_http_get_module_loc_conf(r->main, ngx_http_core_module);

    if (!stream->turn.posted && !wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        ngx_http_recovery_stream_end(stream, NGX_ERROR);
    }
}


static void
ngx_http_recovery_stream_end(ngx_http_recovery_stream_t *stream, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = stream->request;

    ngx_http_recovery_stream_cleanup(stream);
    ngx_http_finalize_request(r, rc);
}


/* Of the whole request, which may end at any time, by whomever. */

static void
ngx_http_recovery_stream_cleanup(void *data)
{
    ngx_http_recovery_stream_t  *stream = data;

    if (stream->turn.posted) {
        ngx_delete_posted_event(&stream->turn);
    }

    if (stream->request->write_event_handler
        == ngx_http_recovery_stream_write)
    {
        stream->request->write_event_handler = ngx_http_request_empty_handler;
    }
}
