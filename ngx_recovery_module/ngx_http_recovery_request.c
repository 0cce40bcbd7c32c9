
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


/* Classes of one request, by policy: backends often share one. */

typedef struct {
    ngx_http_request_t             *request;
    ngx_http_recovery_policy_t     *policy;
    ngx_uint_t                      class_index;
} ngx_http_recovery_classed_t;


static ngx_http_recovery_ctx_t *ngx_http_recovery_ctx_create(
    ngx_http_request_t *r, ngx_http_recovery_main_conf_t *rmcf);
static void ngx_http_recovery_cleanup(void *data);
static ngx_int_t ngx_http_recovery_again(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx);
static ngx_int_t ngx_http_recovery_decide(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx);
static ngx_http_recovery_decision_t *ngx_http_recovery_decided(
    ngx_http_recovery_ctx_t *ctx, ngx_http_recovery_backend_t *backend);
static rcv_admit_at_t ngx_http_recovery_at(
    ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_backend_t *backend);
static ngx_uint_t ngx_http_recovery_class(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_classed_t *classed);
static int ngx_http_recovery_subject(void *data, unsigned subject,
    rcv_str_t *value);
static ngx_uint_t ngx_http_recovery_trusted(ngx_http_request_t *r,
    const rcv_policy_t *policy);
static uint32_t ngx_http_recovery_cost(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf);
static void ngx_http_recovery_count_passed(ngx_http_recovery_ctx_t *ctx,
    ngx_uint_t first, uint32_t cost_milli);
static void ngx_http_recovery_log(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf,
    ngx_http_recovery_decision_t *decision, ngx_uint_t retry_after_s);
static ngx_int_t ngx_http_recovery_shed(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx,
    ngx_http_recovery_decision_t *decision);


ngx_int_t
ngx_http_recovery_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_recovery_ctx_t        *ctx;
    ngx_http_recovery_loc_conf_t   *rlcf;
    ngx_http_recovery_main_conf_t  *rmcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_recovery_module);

    if (rlcf->backends == NULL) {

        /* what is done from here on is not the work of a backend of ours */

        if (r->internal) {
            ngx_http_recovery_leave(r);
        }

        return NGX_DECLINED;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);

    if (!ngx_http_recovery_led(rmcf->zone)) {
        ngx_http_recovery_lead(rmcf);
    }

    ctx = ngx_http_recovery_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_recovery_ctx_create(r, rmcf);

        if (ctx == NULL) {
            rcv_add(&rmcf->zone->undecided
                        [NGX_HTTP_RECOVERY_UNDECIDED_NO_MEMORY], 1);
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
        decision = ngx_http_recovery_decided(ctx, backends[i]);

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
    uint32_t                        cost_milli;
    ngx_uint_t                      i, first;
    rcv_admit_at_t                  at;
    ngx_http_recovery_backend_t   **backends;
    ngx_http_recovery_classed_t     classed;
    ngx_http_recovery_decision_t   *decision, shed;

    first = ctx->ndecisions;
    backends = rlcf->backends->elts;
    cost_milli = ngx_http_recovery_cost(r, rlcf);

    classed.request = r;
    classed.policy = NULL;

    for (i = 0; i < rlcf->backends->nelts; i++) {

        if (ngx_http_recovery_decided(ctx, backends[i]) != NULL) {
            continue;
        }

        if (ctx->ndecisions == NGX_HTTP_RECOVERY_BACKENDS_MAX) {
            rcv_add(&ctx->main->zone->undecided
                        [NGX_HTTP_RECOVERY_UNDECIDED_NO_MEMORY], 1);
            break;
        }

        if (classed.policy != backends[i]->policy) {
            classed.policy = backends[i]->policy;
            classed.class_index = ngx_http_recovery_class(r, rlcf, ctx->main,
                                                          &classed);
        }

        at = ngx_http_recovery_at(ctx->main, backends[i]);
        decision = &ctx->decisions[ctx->ndecisions];

        ngx_memzero(decision, sizeof(ngx_http_recovery_decision_t));

        decision->backend = backends[i];
        decision->class_index = classed.class_index;
        decision->active = (r == r->main);
        decision->reason = rcv_admit(&at, (unsigned) classed.class_index,
                                     cost_milli, ngx_http_recovery_now_ns(),
                                     &decision->ticket);

        ngx_log_debug5(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "recovery \"%V\": class %ui, cost %uD, phase %s: %s",
                       &backends[i]->name, classed.class_index, cost_milli,
                       rcv_phase_names[decision->ticket.phase],
                       rcv_reason_names[decision->reason]);

        if (decision->reason == RCV_REASON_NONE) {
            decision->outcome = RCV_OUTCOME_PASSED;
            ctx->ndecisions++;
            continue;
        }

        if (rlcf->dry_run) {
            decision->outcome = RCV_OUTCOME_SHED_DRY_RUN;
            ctx->ndecisions++;

            ngx_http_recovery_log(r, rlcf, decision, 0);
            continue;
        }

        shed = *decision;

        while (ctx->ndecisions > first) {
            decision = &ctx->decisions[--ctx->ndecisions];
            at = ngx_http_recovery_at(ctx->main, decision->backend);
            rcv_admit_undo(&at, cost_milli, &decision->ticket);
        }

        shed.outcome = RCV_OUTCOME_SHED;
        ctx->decisions[ctx->ndecisions] = shed;

        return ngx_http_recovery_shed(r, rlcf, ctx,
                                      &ctx->decisions[ctx->ndecisions++]);
    }

    ngx_http_recovery_count_passed(ctx, first, cost_milli);

    if (r != r->main && ctx->ndecisions > first) {
        ngx_http_recovery_subrequest(r, ctx, rlcf->backends);
    }

    return NGX_DECLINED;
}


static void
ngx_http_recovery_count_passed(ngx_http_recovery_ctx_t *ctx, ngx_uint_t first,
    uint32_t cost_milli)
{
    ngx_uint_t                     i;
    ngx_http_recovery_class_t     *class;
    ngx_http_recovery_record_t    *record;
    ngx_http_recovery_decision_t  *decision;

    for (i = first; i < ctx->ndecisions; i++) {
        decision = &ctx->decisions[i];
        record = decision->backend->record;
        class = ngx_http_recovery_record_class(record,
                                               decision->class_index);

        if (decision->outcome == RCV_OUTCOME_SHED_DRY_RUN) {
            rcv_add(&class->shed_dry_run, 1);
            continue;
        }

        rcv_add(&class->passed, 1);
        rcv_add(&record->cost_milli, cost_milli);

        if (!decision->ticket.booked) {
            rcv_add(&ctx->main->zone->undecided
                        [NGX_HTTP_RECOVERY_UNDECIDED_NO_SLOT], 1);
        }
    }
}


static ngx_int_t
ngx_http_recovery_shed(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx,
    ngx_http_recovery_decision_t *decision)
{
    ngx_uint_t                    forecast_s;
    const rcv_policy_t           *policy;
    ngx_http_recovery_record_t   *record;

    record = decision->backend->record;
    policy = decision->backend->policy->core;

    rcv_add(&ngx_http_recovery_record_class(record, decision->class_index)
                ->shed[decision->reason], 1);

    forecast_s = rcv_load(&record->retry_after_s[decision->class_index]);

    ctx->retry_after_s = rcv_retry_jitter_s(policy, (uint32_t) forecast_s,
                                            (uint32_t) ngx_random() << 1);

    ngx_http_recovery_log(r, rlcf, decision, ctx->retry_after_s);

    return ngx_http_recovery_answer(r, ctx, policy->shed_status);
}


static void
ngx_http_recovery_log(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf,
    ngx_http_recovery_decision_t *decision, ngx_uint_t retry_after_s)
{
    const char  *class, *reason, *phase;

    class = decision->backend->policy->core
                ->classes[decision->class_index].name;
    reason = rcv_reason_names[decision->reason];
    phase = rcv_phase_names[decision->ticket.phase];

    if (decision->outcome == RCV_OUTCOME_SHED_DRY_RUN) {
        ngx_log_error(rlcf->log_level, r->connection->log, 0,
                      "recovery: dry run, would be shed by backend \"%V\", "
                      "class \"%s\", reason %s, phase %s",
                      &decision->backend->name, class, reason, phase);
        return;
    }

    ngx_log_error(rlcf->log_level, r->connection->log, 0,
                  "recovery: shed by backend \"%V\", class \"%s\", "
                  "reason %s, phase %s, retry after %ui s",
                  &decision->backend->name, class, reason, phase,
                  retry_after_s);
}


static rcv_admit_at_t
ngx_http_recovery_at(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_backend_t *backend)
{
    rcv_admit_at_t  at;

    at.gate = &backend->record->gate;
    at.slot = rmcf->slot;
    at.gate_index = (unsigned) backend->index;
    at.policy = backend->policy->core;

    return at;
}


static ngx_http_recovery_decision_t *
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


static ngx_uint_t
ngx_http_recovery_class(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_classed_t *classed)
{
    ngx_str_t              name;
    rcv_policy_t          *policy;
    rcv_class_facts_t      facts;
    rcv_class_decision_t   decision;

    policy = classed->policy->core;

    if (policy->nmatches == 0 && rlcf->class_name == NULL) {
        return policy->default_class;
    }

    facts.subject = ngx_http_recovery_subject;
    facts.data = classed;
    facts.trusted = policy->ntrust != 0
                    && ngx_http_recovery_trusted(r, policy);
    facts.named.data = NULL;
    facts.named.len = 0;
    facts.named_client_chosen = (unsigned) rlcf->class_client_chosen;

    if (rlcf->class_name != NULL
        && ngx_http_complex_value(r, rlcf->class_name, &name) == NGX_OK)
    {
        facts.named.data = (const char *) name.data;
        facts.named.len = name.len;
    }

    rcv_classify(policy, &facts, &decision);

    if (decision.pattern_limits != 0) {
        rcv_add(&rmcf->zone->undecided
                    [NGX_HTTP_RECOVERY_UNDECIDED_PATTERN_LIMIT],
                decision.pattern_limits);
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "recovery: %ui patterns of policy \"%V\" hit a limit "
                      "and count as no match",
                      (ngx_uint_t) decision.pattern_limits,
                      &classed->policy->name);
    }

    if (decision.unknown_name) {
        rcv_add(&rmcf->zone->undecided
                    [NGX_HTTP_RECOVERY_UNDECIDED_UNKNOWN_CLASS], 1);
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "recovery: policy \"%V\" has no class \"%*s\", "
                      "its rules decide",
                      &classed->policy->name, facts.named.len,
                      facts.named.data);
    }

    return decision.class_index;
}


static int
ngx_http_recovery_subject(void *data, unsigned subject, rcv_str_t *value)
{
    ngx_http_recovery_classed_t *classed = data;

    ngx_str_t  text;

    if (ngx_http_complex_value(classed->request,
                               &classed->policy->subjects[subject], &text)
        != NGX_OK)
    {
        return -1;
    }

    value->data = (const char *) text.data;
    value->len = text.len;

    return 0;
}


static ngx_uint_t
ngx_http_recovery_trusted(ngx_http_request_t *r, const rcv_policy_t *policy)
{
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return rcv_policy_trusts(policy, (uint8_t *) &sin->sin_addr, 4);

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            return rcv_policy_trusts(policy, &sin6->sin6_addr.s6_addr[12],
                                     4);
        }

        return rcv_policy_trusts(policy, sin6->sin6_addr.s6_addr, 16);
#endif

    default:
        return 0;
    }
}


/* A cost that is no number is 1: it must not make a request free. */

static uint32_t
ngx_http_recovery_cost(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf)
{
    uint64_t   cost_milli;
    ngx_str_t  text;
    rcv_str_t  word;

    if (rlcf->cost == NULL) {
        return (uint32_t) rlcf->cost_milli;
    }

    if (ngx_http_complex_value(r, rlcf->cost, &text) == NGX_OK) {
        word.data = (const char *) text.data;
        word.len = text.len;

        if (rcv_parse_decimal(word, (uint64_t) RCV_COST_MAX * RCV_MILLI,
                              &cost_milli)
            == 0)
        {
            return (uint32_t) cost_milli;
        }

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "recovery: cost \"%V\" is not a number from 0 to %d, "
                      "1 is taken", &text, RCV_COST_MAX);
    }

    return RCV_MILLI;
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


static ngx_http_recovery_ctx_t *
ngx_http_recovery_ctx_create(ngx_http_request_t *r,
    ngx_http_recovery_main_conf_t *rmcf)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_recovery_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->main->pool,
                               sizeof(ngx_http_recovery_ctx_t));
    if (cln == NULL) {
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
}
