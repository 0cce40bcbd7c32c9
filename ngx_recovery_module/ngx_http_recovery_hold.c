
/*
 * From when to when a permit is held: while there is work for the backend,
 * not while a client is slow.
 *
 *   - A body that is still to come is read by nginx before the backend hears
 *     of the request.  Until it is there the request is let in but holds
 *     nothing; a thousand phones on bad networks would otherwise fill the
 *     gate of an idle service.
 *   - When the backend has given its last byte it is done, however long the
 *     client takes to read.  nginx tells that by finalizing the upstream; the
 *     end of the answer in the body filter would be late, since the copy
 *     filter above keeps it back with what the client does not take.  Where
 *     there is no upstream it is all there is.
 *
 * What was let in with its body still to come is not refused any more when
 * that is there: its cost is paid, and the limit then counts it.
 */

#include "ngx_http_recovery.h"


static ngx_int_t ngx_http_recovery_request_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_recovery_upstream_done(ngx_http_request_t *r,
    ngx_int_t rc);
static void ngx_http_recovery_done(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);
static ngx_int_t ngx_http_recovery_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_uint_t ngx_http_recovery_last(ngx_chain_t *in);


static ngx_http_request_body_filter_pt  ngx_http_next_request_body_filter;
static ngx_http_output_body_filter_pt   ngx_http_next_body_filter;


void
ngx_http_recovery_hold_init(void)
{
    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_recovery_request_body_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_recovery_body_filter;
}


ngx_uint_t
ngx_http_recovery_uploading(ngx_http_request_t *r)
{
    size_t  preread;

    r = r->main;

    if (r->request_body != NULL) {
        return 0;
    }

#if (NGX_HTTP_V2)

    if (r->stream != NULL) {
        return !r->stream->in_closed;
    }

#endif

    if (r->headers_in.chunked) {
        return 1;
    }

    preread = (size_t) (r->header_in->last - r->header_in->pos);

    return r->headers_in.content_length_n > (off_t) preread;
}


static ngx_int_t
ngx_http_recovery_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_recovery_ctx_t        *ctx;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    if (rmcf->zone != NULL
        && (r->request_body_no_buffering || ngx_http_recovery_last(in)))
    {
        ctx = ngx_http_recovery_ctx(r);

        if (ctx != NULL && ctx->uploading) {
            ctx->uploading = 0;
            ngx_http_recovery_book(ctx);
        }
    }

    return ngx_http_next_request_body_filter(r, in);
}


void
ngx_http_recovery_hold_answer(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL) {
        return;
    }

    if (u->peer.connection == NULL) {       /* the cache has it all */
        ngx_http_recovery_done(r, ctx);
        return;
    }

    if (u->finalize_request != ngx_http_recovery_upstream_done) {
        ctx->finalize = u->finalize_request;
        u->finalize_request = ngx_http_recovery_upstream_done;
    }
}


static void
ngx_http_recovery_upstream_done(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_recovery_ctx_t  *ctx;

    ctx = ngx_http_recovery_ctx(r);

    ctx->finalize(r, rc);
    ngx_http_recovery_done(r, ctx);
}


/* A mirror and the like go on behind the answer: the permit is theirs too. */

static void
ngx_http_recovery_done(ngx_http_request_t *r, ngx_http_recovery_ctx_t *ctx)
{
    if (r->postponed == NULL && r->count == 1) {
        ngx_http_recovery_release(ctx);
    }
}


static ngx_int_t
ngx_http_recovery_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                       rc;
    ngx_uint_t                      last;
    ngx_http_recovery_ctx_t        *ctx;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    last = (rmcf->zone != NULL && r == r->main && r->upstream == NULL
            && ngx_http_recovery_last(in));

    rc = ngx_http_next_body_filter(r, in);

    if (last && rc != NGX_ERROR) {
        ctx = ngx_http_recovery_ctx(r);

        if (ctx != NULL) {
            ngx_http_recovery_done(r, ctx);
        }
    }

    return rc;
}


static ngx_uint_t
ngx_http_recovery_last(ngx_chain_t *in)
{
    for ( /* void */ ; in != NULL; in = in->next) {
        if (in->buf->last_buf) {
            return 1;
        }
    }

    return 0;
}
