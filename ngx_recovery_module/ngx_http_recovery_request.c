
/*
 * The way of a request up to the backend: classify, admit, and the release
 * when it is over.
 *
 * Everything is booked on the main request, once for each backend: index,
 * try_files, error_page, X-Accel-Redirect and subrequests come through here
 * again and must neither pay twice nor be decided twice.  What is remembered
 * lies in a pool cleanup, since r->ctx is wiped by every internal redirect.
 */

#include "ngx_http_recovery.h"


static void ngx_http_recovery_cleanup(void *data);
static ngx_int_t ngx_http_recovery_again(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx);
static ngx_int_t ngx_http_recovery_decide(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx);
static void ngx_http_recovery_log(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision, ngx_uint_t retry_after_s);


ngx_int_t
ngx_http_recovery_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_recovery_ctx_t       *ctx;
    ngx_http_recovery_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_recovery_module);

    if (rlcf->backends == NULL) {

        /* what is done from here on is not the work of a backend of ours */

        if (r->internal) {
            ngx_http_recovery_leave(r);
        }

        return NGX_DECLINED;
    }

    ctx = ngx_http_recovery_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_recovery_ctx_create(r);

        if (ctx == NULL) {
            return NGX_DECLINED;
        }

    } else {
        rc = ngx_http_recovery_again(r, rlcf, ctx);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_recovery_decide(r, rlcf, ctx);
}


/*
 * Not the first time that this main request is here.  NGX_OK: decide for
 * the backends that are new to it.
 */

static ngx_int_t
ngx_http_recovery_again(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx)
{
    ngx_uint_t                      i;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_recovery_backend_t   **backends;
    ngx_http_recovery_decision_t   *decision;

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

    return NGX_OK;
}


/*
 * All backends of the location must let it pass; what the others had granted
 * before one does not is given back.
 */

static ngx_int_t
ngx_http_recovery_decide(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx)
{
    ngx_uint_t                      i, first;
    ngx_http_recovery_ask_t         ask;
    ngx_http_recovery_backend_t   **backends;
    ngx_http_recovery_decision_t   *decision, shed;

    first = ctx->ndecisions;
    backends = rlcf->backends->elts;

    ngx_http_recovery_ask_init(&ask, r);
    ask.uploading = ngx_http_recovery_uploading(r);

    for (i = 0; i < rlcf->backends->nelts; i++) {

        if (ngx_http_recovery_decided(ctx, backends[i]) != NULL) {
            continue;
        }

        if (ctx->ndecisions == NGX_HTTP_RECOVERY_BACKENDS_MAX) {
            rcv_add(&ctx->main->zone->undecided
                        [NGX_HTTP_RECOVERY_UNDECIDED_NO_MEMORY], 1);
            break;
        }

        decision = &ctx->decisions[ctx->ndecisions];

        if (ngx_http_recovery_ask(&ask, backends[i], decision) == NGX_OK) {
            decision->active = (r == r->main);
            ctx->ndecisions++;
            continue;
        }

        shed = *decision;

        while (ctx->ndecisions > first) {
            decision = &ctx->decisions[--ctx->ndecisions];
            ngx_http_recovery_ask_undo(&ask, decision);
        }

        decision = &ctx->decisions[ctx->ndecisions++];

        *decision = shed;
        decision->active = (r == r->main);

        ngx_http_recovery_ask_shed(&ask, ctx, decision);

        return ngx_http_recovery_answer(r, ctx,
                                     backends[i]->policy->core->shed_status);
    }

    ctx->uploading |= ask.uploading;

    for (i = first; i < ctx->ndecisions; i++) {
        ngx_http_recovery_ask_passed(&ask, &ctx->decisions[i]);
    }

    if (r != r->main && ctx->ndecisions > first) {
        ngx_http_recovery_subrequest(r, ctx, rlcf->backends);
    }

    return NGX_DECLINED;
}


void
ngx_http_recovery_ask_init(ngx_http_recovery_ask_t *ask,
    ngx_http_request_t *r)
{
    ask->request = r;
    ask->conf = ngx_http_get_module_loc_conf(r, ngx_http_recovery_module);
    ask->main = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);
    ask->policy = NULL;
    ask->class_index = 0;
    ask->retry = NGX_HTTP_RECOVERY_RETRY_UNKNOWN;
    ask->user_known = 0;
    ask->cost_milli = ngx_http_recovery_cost(r, ask->conf);

    ask->uploading = 0;
    ask->again = 0;

    if (!ngx_http_recovery_led(ask->main->zone)) {
        ngx_http_recovery_lead(ask->main);
    }
}


ngx_int_t
ngx_http_recovery_ask(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_backend_t *backend,
    ngx_http_recovery_decision_t *decision)
{
    uint64_t        now_ns;
    rcv_admit_at_t  at;

    if (ask->policy != backend->policy) {
        ask->policy = backend->policy;
        ask->class_index = ngx_http_recovery_class(ask);
        ask->retry = NGX_HTTP_RECOVERY_RETRY_UNKNOWN;
        ask->user_known = 0;
    }

    at = ngx_http_recovery_at(ask->main, backend);

    if (ask->uploading) {
        at.slot = NULL;
    }

    if (rcv_admit_asks_user(&at, (unsigned) ask->class_index)) {
        at.user = ngx_http_recovery_user(ask);
    }

    ngx_memzero(decision, sizeof(ngx_http_recovery_decision_t));

    decision->backend = backend;
    decision->class_index = ask->class_index;
    decision->cost_milli = ask->cost_milli;
    now_ns = ngx_http_recovery_now_ns();

    if (ngx_http_recovery_is_retry(ask, backend)) {
        decision->reason = rcv_admit_retry(&at, (unsigned) ask->class_index,
                                           ask->cost_milli, now_ns,
                                           &decision->ticket);
    } else {
        decision->reason = rcv_admit(&at, (unsigned) ask->class_index,
                                     ask->cost_milli, now_ns,
                                     &decision->ticket);
    }

    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, ask->request->connection->log, 0,
                   "recovery \"%V\": class %ui, cost %uD, phase %s: %s",
                   &backend->name, ask->class_index, ask->cost_milli,
                   rcv_phase_names[decision->ticket.phase],
                   rcv_reason_names[decision->reason]);

    if (decision->reason == RCV_REASON_NONE) {
        decision->outcome = RCV_OUTCOME_PASSED;
        return NGX_OK;
    }

    if (ask->conf->dry_run) {
        decision->outcome = RCV_OUTCOME_SHED_DRY_RUN;
        ngx_http_recovery_log(ask, decision, 0);
        return NGX_OK;
    }

    decision->outcome = RCV_OUTCOME_SHED;

    return NGX_DECLINED;
}


void
ngx_http_recovery_ask_passed(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision)
{
    rcv_admit_at_t               at;
    ngx_http_recovery_class_t   *class;
    ngx_http_recovery_record_t  *record;

    record = decision->backend->record;
    class = ngx_http_recovery_record_class(record, decision->class_index);

    if (decision->outcome == RCV_OUTCOME_SHED_DRY_RUN) {
        rcv_add(&class->shed_dry_run, 1);
        rcv_add(&record->dry[decision->reason], 1);
        return;
    }

    at = ngx_http_recovery_at(ask->main, decision->backend);
    rcv_admit_passed(&at, &decision->ticket);

    rcv_add(&class->passed, 1);
    rcv_add(&record->cost_milli, ask->cost_milli);

    if (!decision->ticket.booked && !ask->uploading) {
        rcv_add(&ask->main->zone->undecided
                    [NGX_HTTP_RECOVERY_UNDECIDED_NO_SLOT], 1);
    }
}


void
ngx_http_recovery_ask_undo(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision)
{
    rcv_admit_at_t  at;

    at = ngx_http_recovery_at(ask->main, decision->backend);
    rcv_admit_undo(&at, ask->cost_milli, &decision->ticket);
}


void
ngx_http_recovery_ask_shed(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_ctx_t *ctx, ngx_http_recovery_decision_t *decision)
{
    const rcv_policy_t          *policy;
    ngx_http_recovery_record_t  *record;

    record = decision->backend->record;
    policy = decision->backend->policy->core;

    rcv_add(&ngx_http_recovery_record_class(record, decision->class_index)
                ->shed[decision->reason], 1);

    ctx->retry_after_s = rcv_retry_s(policy, record->retry,
                                     rcv_load(&record->gate.cohort),
                                     (unsigned) decision->class_index,
                                     decision->ticket.slot,
                                     (uint32_t) ngx_random() << 1
                                     ^ (uint32_t) ngx_random() >> 15);

    ngx_http_recovery_log(ask, decision, ctx->retry_after_s);
}


static void
ngx_http_recovery_log(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision, ngx_uint_t retry_after_s)
{
    ngx_log_t   *log;
    const char  *class, *reason, *phase;

    class = decision->backend->policy->core
                ->classes[decision->class_index].name;
    reason = rcv_reason_names[decision->reason];
    phase = rcv_phase_names[decision->ticket.phase];
    log = ask->request->connection->log;

    if (decision->outcome == RCV_OUTCOME_SHED_DRY_RUN) {
        ngx_log_error(ask->conf->log_level, log, 0,
                      "recovery: dry run, would be shed by backend \"%V\", "
                      "class \"%s\", reason %s, phase %s",
                      &decision->backend->name, class, reason, phase);
        return;
    }

    ngx_log_error(ask->conf->log_level, log, 0,
                  "recovery: shed by backend \"%V\", class \"%s\", "
                  "reason %s, phase %s, retry after %ui s",
                  &decision->backend->name, class, reason, phase,
                  retry_after_s);
}


ngx_http_recovery_decision_t *
ngx_http_recovery_decided(ngx_http_recovery_ctx_t *ctx,
    ngx_http_recovery_backend_t *backend)
{
    ngx_uint_t  i;

    for (i = 0; i < ctx->ndecisions; i++) {
        if (ctx->decisions[i].backend == backend) {
            return &ctx->decisions[i];
        }
    }

    return NULL;
}


ngx_http_recovery_ctx_t *
ngx_http_recovery_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->main->pool->cleanup; cln != NULL; cln = cln->next) {
        if (cln->handler == ngx_http_recovery_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


ngx_http_recovery_ctx_t *
ngx_http_recovery_ctx_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t             *cln;
    ngx_http_recovery_ctx_t        *ctx;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    cln = ngx_pool_cleanup_add(r->main->pool,
                               sizeof(ngx_http_recovery_ctx_t));
    if (cln == NULL) {
        rcv_add(&rmcf->zone->undecided
                    [NGX_HTTP_RECOVERY_UNDECIDED_NO_MEMORY], 1);
        return NULL;
    }

    ctx = cln->data;

    /* decisions are zeroed one by one, as they are made */

    ngx_memzero(ctx, offsetof(ngx_http_recovery_ctx_t, decisions));

    ctx->main = rmcf;
    ctx->start_ms = ngx_current_msec;

    /* what was attempted before error_page led here was not ours */

    if (r->main->upstream_states != NULL) {
        ctx->states_seen = r->main->upstream_states->nelts;
    }

    cln->handler = ngx_http_recovery_cleanup;

    return ctx;
}


/* Runs last on every path of a request, a client's abort included. */

static void
ngx_http_recovery_cleanup(void *data)
{
    ngx_http_recovery_release(data);
}


void
ngx_http_recovery_book(ngx_http_recovery_ctx_t *ctx)
{
    ngx_uint_t                     i;
    rcv_admit_at_t                 at;
    ngx_http_recovery_decision_t  *decision;

    for (i = 0; i < ctx->ndecisions; i++) {
        decision = &ctx->decisions[i];

        if (decision->outcome != RCV_OUTCOME_PASSED) {
            continue;
        }

        at = ngx_http_recovery_at(ctx->main, decision->backend);

        if (!rcv_admit_book(&at, &decision->ticket)) {
            rcv_add(&ctx->main->zone->undecided
                        [NGX_HTTP_RECOVERY_UNDECIDED_NO_SLOT], 1);
        }
    }
}


void
ngx_http_recovery_release(ngx_http_recovery_ctx_t *ctx)
{
    ngx_uint_t                     i;
    rcv_admit_at_t                 at;
    ngx_http_recovery_decision_t  *decision;

    for (i = 0; i < ctx->ndecisions; i++) {
        decision = &ctx->decisions[i];
        at = ngx_http_recovery_at(ctx->main, decision->backend);

        rcv_admit_release(&at, &decision->ticket);
    }

    ngx_http_recovery_rounds_release(ctx);
}
