
/*
 * The way of a request up to the backend: classify, admit, and the release
 * when it is over.
 *
 * Everything is booked on the main request, once for each backend: index,
 * try_files, error_page, X-Accel-Redirect and subrequests come through here
 * again and must neither pay twice nor be decided twice.  What is remembered
 * hangs on a pool cleanup, since r->ctx is wiped by every internal redirect;
 * while that is whole it is the shorter way.
 */

#include "ngx_http_recovery_ask.h"


static ngx_inline ngx_int_t ngx_http_recovery_elsewhere(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_recovery_moved(ngx_http_request_t *r)
    __attribute__((noinline));
static ngx_inline void ngx_http_recovery_ctx_init(
    ngx_http_recovery_ctx_t *ctx, ngx_http_request_t *mr, ngx_pool_t *pool);
static ngx_int_t ngx_http_recovery_ruled(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx)
    __attribute__((noinline));
static ngx_inline ngx_int_t ngx_http_recovery_plain(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx,
    const ngx_http_recovery_decision_t *plain);


/*
 * All that is called from here is called last, and does not come back: what a
 * function saves for others it would save for each request.
 */

ngx_int_t
ngx_http_recovery_handler(ngx_http_request_t *r)
{
    void                          *room;
    ngx_pool_t                    *pool;
    ngx_http_recovery_ctx_t       *ctx;
    ngx_http_recovery_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_recovery_module);

    if (rlcf->backends == NULL) {
        return ngx_http_recovery_elsewhere(r);
    }

    if (ngx_http_get_module_ctx(r, ngx_http_recovery_module) != NULL
        || ngx_http_recovery_ctx_hidden(r))
    {
        return ngx_http_recovery_again(r, rlcf);
    }

    pool = r->pool;

    if (!ngx_http_recovery_room(pool, sizeof(ngx_http_recovery_ctx_t), &room))
    {
        return ngx_http_recovery_first(r, rlcf);
    }

    ctx = room;
    ngx_http_recovery_ctx_init(ctx, r, pool);

    if (rlcf->plain.backend == NULL) {
        return ngx_http_recovery_ruled(r, rlcf, ctx);
    }

    if (!ngx_http_recovery_led_at(rlcf->plain.backend->zone, ctx->start_ms))
    {
        return ngx_http_recovery_decide(r, rlcf, ctx);
    }

    return ngx_http_recovery_has_body(r)
           ? ngx_http_recovery_decide_body(r, rlcf, ctx)
           : ngx_http_recovery_plain(r, rlcf, ctx, &rlcf->plain);
}


/*
 * Where there are rules on $uri, a request that surely comes under none of
 * them, as most do, is as plain as one where there are no rules.
 */

static ngx_int_t
ngx_http_recovery_ruled(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx)
{
    rcv_str_t  uri;

    uri.data = (const char *) r->uri.data;
    uri.len = r->uri.len;

    if (rlcf->rules == NULL
        || !ngx_http_recovery_led_at(rlcf->unruled.backend->zone,
                                     ctx->start_ms)
        || ngx_http_recovery_has_body(r)
        || rcv_sieve_any(rlcf->rules, uri))
    {
        return ngx_http_recovery_decide(r, rlcf, ctx);
    }

    return ngx_http_recovery_plain(r, rlcf, ctx, &rlcf->unruled);
}


/* What is done from here on is not the work of a backend of ours. */

static ngx_inline ngx_int_t
ngx_http_recovery_elsewhere(ngx_http_request_t *r)
{
    return r->internal ? ngx_http_recovery_moved(r) : NGX_DECLINED;
}


static ngx_int_t
ngx_http_recovery_moved(ngx_http_request_t *r)
{
    ngx_http_recovery_leave(r);

    return NGX_DECLINED;
}


static ngx_inline void
ngx_http_recovery_ctx_init(ngx_http_recovery_ctx_t *ctx,
    ngx_http_request_t *mr, ngx_pool_t *pool)
{
    ctx->request = mr;
    ctx->start_ms = ngx_current_msec;

    ngx_memzero(&ctx->rounds, offsetof(ngx_http_recovery_ctx_t, first)
                              - offsetof(ngx_http_recovery_ctx_t, rounds));

    ctx->cleanup.handler = ngx_http_recovery_over;
    ctx->cleanup.data = ctx;
    ctx->cleanup.next = pool->cleanup;
    pool->cleanup = &ctx->cleanup;

    ngx_http_set_ctx(mr, ctx, ngx_http_recovery_module);
}


/*
 * Nothing has to be found out about the request.  While the backend is well
 * it is let in here and now: that is the shortest way.
 */

static ngx_inline ngx_int_t
ngx_http_recovery_plain(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx,
    const ngx_http_recovery_decision_t *plain)
{
    ngx_http_recovery_backend_t  *backend;

    backend = plain->backend;

    ctx->first = *plain;

    if (!rcv_admit_spare(&backend->gate, plain->class_index,
                         &ctx->first.ticket))
    {
        return ngx_http_recovery_decide_plain(r, rlcf, ctx);
    }

    ctx->decisions = &ctx->first;
    ctx->stage = NGX_HTTP_RECOVERY_SIMPLE;
    rcv_add(backend->passed, 1);

    return NGX_DECLINED;
}


ngx_http_recovery_ctx_t *
ngx_http_recovery_ctx_find(ngx_http_request_t *mr)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_recovery_ctx_t  *ctx;

    for (cln = mr->pool->cleanup; cln != NULL; cln = cln->next) {

        /*
         * Not by its handler, which a settled one has no more.  No cleanup
         * that nginx makes is its own data.
         */

        if (cln->data == cln) {
            ctx = cln->data;

            if (ctx->request == mr) {
                ngx_http_set_ctx(mr, ctx, ngx_http_recovery_module);
                return ctx;
            }
        }
    }

    return NULL;
}


ngx_http_recovery_ctx_t *
ngx_http_recovery_ctx_create(ngx_http_request_t *r)
{
    ngx_http_recovery_ctx_t  *ctx;

    ctx = ngx_palloc(r->main->pool, sizeof(ngx_http_recovery_ctx_t));

    if (ctx == NULL) {
        ngx_http_recovery_undecided(r,
                                    NGX_HTTP_RECOVERY_UNDECIDED_NO_MEMORY);
        return NULL;
    }

    ngx_http_recovery_ctx_init(ctx, r->main, r->main->pool);

    /* what was attempted before error_page led here was not ours */

    if (r->main->upstream_states != NULL) {
        ctx->states_seen = r->main->upstream_states->nelts;
    }

    return ctx;
}


void
ngx_http_recovery_undecided(ngx_http_request_t *r,
    ngx_http_recovery_undecided_t why)
{
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    rcv_add(&rmcf->zone->undecided[why], 1);
}


void
ngx_http_recovery_book(ngx_http_recovery_ctx_t *ctx)
{
    ngx_http_recovery_decision_t  *decision;

    ngx_http_recovery_reopen(ctx);

    for (decision = ctx->decisions; decision; decision = decision->next) {

        if (decision->outcome != RCV_OUTCOME_PASSED) {
            continue;
        }

        if (!rcv_admit_book(&decision->backend->gate, &decision->ticket)) {
            ngx_http_recovery_undecided(ctx->request,
                                        NGX_HTTP_RECOVERY_UNDECIDED_NO_SLOT);
        }
    }
}
