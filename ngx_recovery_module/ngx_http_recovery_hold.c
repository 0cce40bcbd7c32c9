
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
 *   - An answer that streams for hours holds nothing from its headers on.
 *
 * What was let in with its body still to come is not refused any more when
 * that is there: its cost is paid, and the limit then counts it.
 */

#include "ngx_http_recovery.h"


static ngx_int_t ngx_http_recovery_request_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_recovery_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_recovery_header_hidden(ngx_http_request_t *r)
    __attribute__((noinline));
static ngx_int_t ngx_http_recovery_header(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx) __attribute__((noinline));
static ngx_inline ngx_uint_t ngx_http_recovery_may_stream(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_recovery_streams(ngx_http_request_t *r);
static ngx_inline ngx_uint_t ngx_http_recovery_watch(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);
static void ngx_http_recovery_upstream_done(ngx_http_request_t *r,
    ngx_int_t rc);
static void ngx_http_recovery_done(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);
static ngx_int_t ngx_http_recovery_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_recovery_body_hidden(ngx_http_request_t *r,
    ngx_chain_t *in) __attribute__((noinline));
static ngx_inline ngx_int_t ngx_http_recovery_body(ngx_http_request_t *r,
    ngx_chain_t *in, ngx_http_recovery_ctx_t *ctx);
static ngx_int_t ngx_http_recovery_body_compared(ngx_http_request_t *r,
    ngx_chain_t *in, ngx_http_recovery_ctx_t *ctx) __attribute__((noinline));
static ngx_int_t ngx_http_recovery_body_last(ngx_http_request_t *r,
    ngx_chain_t *in, ngx_http_recovery_ctx_t *ctx) __attribute__((noinline));
static ngx_inline ngx_uint_t ngx_http_recovery_last(ngx_chain_t *in);


static ngx_http_request_body_filter_pt   ngx_http_next_request_body_filter;
static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


void
ngx_http_recovery_hold_init(void)
{
    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_recovery_request_body_filter;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_recovery_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_recovery_body_filter;
}


static ngx_int_t
ngx_http_recovery_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_recovery_ctx_t  *ctx;

    ctx = ngx_http_recovery_ctx(r);

    if (ctx != NULL && ctx->uploading
        && (r->request_body_no_buffering || ngx_http_recovery_last(in)))
    {
        ctx->uploading = 0;
        ngx_http_recovery_book(ctx);
    }

    return ngx_http_next_request_body_filter(r, in);
}


static ngx_int_t
ngx_http_recovery_header_filter(ngx_http_request_t *r)
{
    ngx_http_recovery_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_recovery_module);

    if (ctx == NULL) {
        return ngx_http_recovery_ctx_hidden(r->main)
               ? ngx_http_recovery_header_hidden(r)
               : ngx_http_next_header_filter(r);
    }

    if (ctx->shed || ngx_http_recovery_may_stream(r)) {
        return ngx_http_recovery_header(r, ctx);
    }

    if (r->upstream == NULL) {
        return ngx_http_next_header_filter(r);
    }

    return ngx_http_recovery_watch(r, ctx)
           ? ngx_http_next_header_filter(r) : ngx_http_recovery_header(r, ctx);
}


static ngx_int_t
ngx_http_recovery_header_hidden(ngx_http_request_t *r)
{
    ngx_http_recovery_ctx_t  *ctx;

    ctx = ngx_http_recovery_ctx_find(r->main);

    return (ctx != NULL) ? ngx_http_recovery_header(r, ctx)
                         : ngx_http_next_header_filter(r);
}


/* There may be something to do. */

static ngx_int_t
ngx_http_recovery_header(ngx_http_request_t *r, ngx_http_recovery_ctx_t *ctx)
{
    if (ctx->shed && ngx_http_recovery_answer_header(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r == r->main && ctx->stage != NGX_HTTP_RECOVERY_SETTLED) {

        if (ngx_http_recovery_may_stream(r) && ngx_http_recovery_streams(r)) {
            ngx_http_recovery_observe(ctx);
            ngx_http_recovery_rounds_stream(r, ctx);
            ngx_http_recovery_release(ctx);

        } else if (!ngx_http_recovery_watch(r, ctx)) {
            ngx_http_recovery_done(r, ctx);     /* the cache has it all */
        }
    }

    return ngx_http_next_header_filter(r);
}


/* No type that streams has a shorter name. */

static ngx_inline ngx_uint_t
ngx_http_recovery_may_stream(ngx_http_request_t *r)
{
    return r->headers_out.content_type.len >= sizeof("application/grpc") - 1
           || r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS;
}


/*
 * Will it go on for as long as the client likes?  Then it is no work that
 * the backend has to get done, and would only use up what is allowed.
 */

static ngx_uint_t
ngx_http_recovery_streams(ngx_http_request_t *r)
{
    ngx_str_t  *type;

    type = &r->headers_out.content_type;

    return r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS
           || ngx_http_recovery_is_type(type, "text/event-stream",
                                        sizeof("text/event-stream") - 1)
           || ngx_http_recovery_is_grpc(type);
}


/*
 * Sees to it that the permits come back when the upstream is done; 0: it is
 * already.
 */

static ngx_inline ngx_uint_t
ngx_http_recovery_watch(ngx_http_request_t *r, ngx_http_recovery_ctx_t *ctx)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL || r != r->main
        || ctx->stage == NGX_HTTP_RECOVERY_SETTLED)
    {
        return 1;
    }

    if (u->peer.connection == NULL) {
        return 0;
    }

    if (u->finalize_request != ngx_http_recovery_upstream_done) {
        ctx->finalize = u->finalize_request;
        u->finalize_request = ngx_http_recovery_upstream_done;
    }

    return 1;
}


static void
ngx_http_recovery_upstream_done(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_recovery_ctx_t  *ctx;

    ctx = ngx_http_recovery_ctx(r);

    ctx->finalize(r, rc);
    ngx_http_recovery_done(r, ctx);
}


/*
 * A mirror and the like go on behind the answer: the permit is theirs too.
 * Of what was let in simply, all that there is to be known is known.
 */

static void
ngx_http_recovery_done(ngx_http_request_t *r, ngx_http_recovery_ctx_t *ctx)
{
    if (r->postponed != NULL || r->count != 1) {
        return;
    }

    if (ctx->stage == NGX_HTTP_RECOVERY_SIMPLE) {
        (void) ngx_http_recovery_settle(ctx, NGX_OK);
        return;
    }

    ngx_http_recovery_release(ctx);
}


static ngx_int_t
ngx_http_recovery_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_recovery_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_recovery_module);

    if (ctx != NULL) {
        return ngx_http_recovery_body(r, in, ctx);
    }

    return ngx_http_recovery_ctx_hidden(r->main)
           ? ngx_http_recovery_body_hidden(r, in)
           : ngx_http_next_body_filter(r, in);
}


static ngx_int_t
ngx_http_recovery_body_hidden(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_recovery_ctx_t  *ctx;

    ctx = ngx_http_recovery_ctx_find(r->main);

    return (ctx != NULL) ? ngx_http_recovery_body(r, in, ctx)
                         : ngx_http_next_body_filter(r, in);
}


static ngx_inline ngx_int_t
ngx_http_recovery_body(ngx_http_request_t *r, ngx_chain_t *in,
    ngx_http_recovery_ctx_t *ctx)
{
    if (r->upstream != NULL || r != r->main) {
        return ngx_http_next_body_filter(r, in);
    }

    if (ctx->stage == NGX_HTTP_RECOVERY_SETTLED) {
        return ctx->compares ? ngx_http_recovery_body_compared(r, in, ctx)
                             : ngx_http_next_body_filter(r, in);
    }

    return ngx_http_recovery_last(in)
           ? ngx_http_recovery_body_last(r, in, ctx)
           : ngx_http_next_body_filter(r, in);
}


/* A page of nginx's own, of which we want to know what it looks like. */

static ngx_int_t
ngx_http_recovery_body_compared(ngx_http_request_t *r, ngx_chain_t *in,
    ngx_http_recovery_ctx_t *ctx)
{
    ngx_http_recovery_special_seen(r, ctx, in);

    return ngx_http_next_body_filter(r, in);
}


/* All of the answer: with it the request is over, unless others are not. */

static ngx_int_t
ngx_http_recovery_body_last(ngx_http_request_t *r, ngx_chain_t *in,
    ngx_http_recovery_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_next_body_filter(r, in);

    return (rc != NGX_ERROR && r->postponed == NULL && r->count == 1)
           ? ngx_http_recovery_settle(ctx, rc) : rc;
}


static ngx_inline ngx_uint_t
ngx_http_recovery_last(ngx_chain_t *in)
{
    if (in == NULL) {
        return 0;
    }

    while (!in->buf->last_buf) {
        in = in->next;

        if (in == NULL) {
            return 0;
        }
    }

    return 1;
}
