
/*
 * The decision on a request for the backends of a location, in full.
 *
 * All of them must let it pass.  Each is asked once for a main request,
 * however often that comes here: for subrequests, and after redirects.
 */

#include "ngx_http_recovery_ask.h"


static ngx_http_recovery_decision_t *ngx_http_recovery_decision_create(
    ngx_http_recovery_ctx_t *ctx);
static ngx_int_t ngx_http_recovery_turn_away(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_ctx_t *ctx, ngx_http_recovery_decision_t **first,
    ngx_http_recovery_decision_t *shed);
static ngx_inline ngx_int_t ngx_http_recovery_shed(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx,
    ngx_http_recovery_decision_t *decision);


ngx_int_t
ngx_http_recovery_first(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf)
{
    ngx_http_recovery_ctx_t  *ctx;

    ctx = ngx_http_recovery_ctx_create(r);

    return (ctx == NULL) ? NGX_DECLINED
                         : ngx_http_recovery_decide(r, rlcf, ctx);
}


ngx_int_t
ngx_http_recovery_again(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf)
{
    ngx_uint_t                      i;
    ngx_http_recovery_ctx_t        *ctx;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_recovery_backend_t   **backends;
    ngx_http_recovery_decision_t   *decision;

    ctx = ngx_http_recovery_ctx(r);

    if (ctx == NULL) {
        return ngx_http_recovery_first(r, rlcf);
    }

    if (r == r->main) {
        ngx_http_recovery_leave(r);

    } else {
        ngx_http_recovery_subrequest(r, ctx, rlcf->backends);
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    backends = rlcf->backends->elts;

    for (i = 0; i < rlcf->backends->nelts; i++) {
        decision = ngx_http_recovery_rounds_shed(ctx, r, backends[i]);

        if (decision == NULL) {
            decision = ngx_http_recovery_decided(ctx, backends[i]);
        }

        if (decision == NULL) {
            continue;
        }

        /*
         * Shed once, shed for good: error_page must not be a way round the
         * gate.  Its own static page is no traffic to the backend.
         */

        if (decision->outcome == RCV_OUTCOME_SHED) {

            if (clcf->handler == NULL) {
                return NGX_DECLINED;
            }

            return ngx_http_recovery_answer(r, ctx,
                                     backends[i]->policy->core->shed_status);
        }

        if (r == r->main) {
            decision->active = 1;
        }
    }

    return ngx_http_recovery_decide(r, rlcf, ctx);
}


ngx_int_t
ngx_http_recovery_decide(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i;
    ngx_http_recovery_ask_t         ask;
    ngx_http_recovery_backend_t   **backends;
    ngx_http_recovery_decision_t   *decision, **first, **next;

    backends = rlcf->backends->elts;

    ngx_http_recovery_reopen(ctx);

    for (next = &ctx->decisions; *next != NULL; next = &(*next)->next) {
        /* void */
    }

    first = next;

    ngx_http_recovery_ask_init(&ask, r);
    ask.uploading = ngx_http_recovery_uploading(r->main);

    for (i = 0; i < rlcf->backends->nelts; i++) {

        if (ngx_http_recovery_decided(ctx, backends[i]) != NULL) {
            continue;
        }

        decision = ngx_http_recovery_decision_create(ctx);
        if (decision == NULL) {
            break;
        }

        rc = ngx_http_recovery_ask(&ask, backends[i], decision);

        decision->active = (r == r->main);
        decision->next = NULL;

        if (rc != NGX_OK) {
            return ngx_http_recovery_turn_away(&ask, ctx, first, decision);
        }

        *next = decision;
        next = &decision->next;
    }

    ctx->uploading |= ask.uploading;

    for (decision = *first; decision != NULL; decision = decision->next) {
        ngx_http_recovery_ask_passed(&ask, decision);
    }

    if (r != r->main && *first != NULL) {
        ngx_http_recovery_subrequest(r, ctx, rlcf->backends);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_recovery_decide_plain(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx)
{
    rcv_reason_t                   reason;
    ngx_http_recovery_decision_t  *decision;

    if (rlcf->dry_run) {
        return ngx_http_recovery_decide(r, rlcf, ctx);
    }

    decision = &ctx->first;
    ctx->decisions = decision;

    reason = rcv_admit(&decision->backend->gate, decision->class_index,
                       decision->cost_milli, ngx_http_recovery_now_ns(),
                       &decision->ticket);

    ngx_http_recovery_lots_look(decision->backend);

    decision->reason = (uint8_t) reason;
    ngx_http_recovery_ask_told(r, decision);

    if (reason == RCV_REASON_NONE) {
        ctx->stage = NGX_HTTP_RECOVERY_SIMPLE;
        ngx_http_recovery_passed(r, decision, 1);
        return NGX_DECLINED;
    }

    decision->outcome = RCV_OUTCOME_SHED;

    return ngx_http_recovery_shed(r, rlcf, ctx, decision);
}


ngx_int_t
ngx_http_recovery_decide_body(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx)
{
    if (ngx_http_recovery_uploading(r)) {
        return ngx_http_recovery_decide(r, rlcf, ctx);
    }

    ctx->first = rlcf->plain;

    return ngx_http_recovery_decide_plain(r, rlcf, ctx);
}


/* NULL: no memory, which is counted. */

static ngx_http_recovery_decision_t *
ngx_http_recovery_decision_create(ngx_http_recovery_ctx_t *ctx)
{
    ngx_http_recovery_decision_t  *decision;

    if (ctx->decisions == NULL) {
        return &ctx->first;
    }

    decision = ngx_palloc(ctx->request->pool,
                          sizeof(ngx_http_recovery_decision_t));

    if (decision == NULL) {
        ngx_http_recovery_undecided(ctx->request,
                                    NGX_HTTP_RECOVERY_UNDECIDED_NO_MEMORY);
    }

    return decision;
}


/*
 * One of the location's backends does not let it pass.  What the others have
 * granted, from the first that was asked on, is given back and forgotten.
 */

static ngx_int_t
ngx_http_recovery_turn_away(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_ctx_t *ctx, ngx_http_recovery_decision_t **first,
    ngx_http_recovery_decision_t *shed)
{
    ngx_http_recovery_decision_t  *decision;

    for (decision = *first; decision != NULL; decision = decision->next) {
        ngx_http_recovery_ask_undo(ask, decision);
    }

    *first = shed;

    return ngx_http_recovery_shed(ask->request, ask->conf, ctx, shed);
}


static ngx_inline ngx_int_t
ngx_http_recovery_shed(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx,
    ngx_http_recovery_decision_t *decision)
{
    ngx_int_t   rc;
    ngx_uint_t  status;

    ngx_http_recovery_ask_shed(r, rlcf, ctx, decision);

    status = decision->backend->policy->core->shed_status;
    rc = ngx_http_recovery_answer(r, ctx, status);

    /* else it has been answered, and the request may be gone */

    return (rc == (ngx_int_t) status)
           ? ngx_http_recovery_special(r, rlcf, ctx) : rc;
}
