
/*
 * What came of it: attempts of a request -> results of its backends.
 *
 * r->upstream_states is the source of truth, read with care (each case is a
 * row of t/observe.t):
 *
 *   - one entry for each attempt, since proxy_next_upstream makes several
 *   - an entry without a peer separates two rounds, such as a proxy_pass and
 *     the error_page behind it, which may go to different services
 *   - "no live upstreams" is an entry too, named after the group: nobody was
 *     asked, so it proves nothing
 *   - status 0 is no status: the client left, or the attempt was dropped
 *   - broken, and the same server asked again: nginx does that only for a
 *     kept connection that the server had closed meanwhile
 *   - a cache hit has no entry at all
 *   - subrequests have lists of their own
 *   - what "recovery" in upstream {} has charged is counted by _upstream.c,
 *     for the backends that it names; what it turned away was no attempt
 */

#include "ngx_http_recovery_result.h"


static ngx_uint_t ngx_http_recovery_walk(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx, ngx_array_t *states, ngx_uint_t from,
    ngx_array_t *backends);
static ngx_int_t ngx_http_recovery_result(ngx_http_request_t *r,
    ngx_http_upstream_state_t *state);
static ngx_uint_t ngx_http_recovery_nobody_asked(ngx_http_request_t *r,
    ngx_http_upstream_state_t *state);
static ngx_uint_t ngx_http_recovery_was_closed(ngx_array_t *states,
    ngx_uint_t i);
static ngx_int_t ngx_http_recovery_settle_any(ngx_http_recovery_ctx_t *ctx,
    ngx_int_t rc) __attribute__((noinline));
static ngx_int_t ngx_http_recovery_settle_place(
    ngx_http_recovery_decision_t *decision, ngx_int_t rc)
    __attribute__((noinline));
static ngx_inline ngx_msec_t ngx_http_recovery_one_attempt(
    ngx_http_request_t *r, ngx_http_recovery_ctx_t *ctx);
static ngx_inline ngx_uint_t ngx_http_recovery_own_answered(
    ngx_http_request_t *r, ngx_http_recovery_decision_t *decision);
static ngx_inline ngx_uint_t ngx_http_recovery_own_status(
    ngx_http_request_t *r);
static ngx_inline ngx_uint_t ngx_http_recovery_own_success(
    ngx_http_request_t *r, ngx_http_recovery_decision_t *decision);
static void ngx_http_recovery_own_results(ngx_http_recovery_ctx_t *ctx);
static void ngx_http_recovery_count(ngx_http_recovery_ctx_t *ctx,
    ngx_array_t *backends, ngx_http_recovery_round_t *round,
    ngx_uint_t result, ngx_msec_t latency_ms, ngx_uint_t again);
static void ngx_http_recovery_charge_again(
    ngx_http_recovery_decision_t *decision);
static ngx_uint_t ngx_http_recovery_concerns(
    ngx_http_recovery_decision_t *decision, ngx_array_t *backends);


void
ngx_http_recovery_over(void *data)
{
    ngx_http_recovery_ctx_t *ctx = data;

    if (ctx->stage != NGX_HTTP_RECOVERY_SETTLED) {
        (void) ngx_http_recovery_settle(ctx, NGX_OK);
    }
}


/*
 * The end of most requests: let in, and answered well, by the location itself
 * or by the one server that was asked.  Nothing is called from here that comes
 * back, which is what makes it short.
 */

ngx_int_t
ngx_http_recovery_settle(ngx_http_recovery_ctx_t *ctx, ngx_int_t rc)
{
    ngx_msec_t                     latency_ms;
    ngx_http_request_t            *r;
    ngx_http_recovery_decision_t  *decision;

    r = ctx->request;
    decision = &ctx->first;

    if (ctx->stage != NGX_HTTP_RECOVERY_SIMPLE || r->err_status != 0) {
        return ngx_http_recovery_settle_any(ctx, rc);
    }

    if (r->upstream != NULL) {
        latency_ms = ngx_http_recovery_one_attempt(r, ctx);

        if (latency_ms == NGX_HTTP_RECOVERY_NO_TIME) {
            return ngx_http_recovery_settle_any(ctx, rc);
        }

        ctx->states_seen++;

    } else {
        if (!ngx_http_recovery_own_success(r, decision)) {
            return ngx_http_recovery_settle_any(ctx, rc);
        }

        latency_ms = ngx_current_msec - ctx->start_ms;
    }

    ctx->stage = NGX_HTTP_RECOVERY_SETTLED;
    ctx->cleanup.handler = NULL;    /* nothing left for it */
    decision->active = 0;           /* is counted here and now */

    ngx_http_recovery_success_add(decision, latency_ms);

    return rcv_admit_keep(&decision->backend->gate, &decision->ticket)
           ? rc : ngx_http_recovery_settle_place(decision, rc);
}


/* The time of the only attempt, if it went well; else NO_TIME. */

static ngx_inline ngx_msec_t
ngx_http_recovery_one_attempt(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx)
{
    ngx_array_t                *states;
    ngx_http_upstream_state_t  *state;

    states = r->upstream_states;

    if (states == NULL || states->nelts != ctx->states_seen + 1) {
        return NGX_HTTP_RECOVERY_NO_TIME;
    }

    state = states->elts;
    state += ctx->states_seen;

    return (state->peer != NULL && state->status >= NGX_HTTP_OK
            && state->status < NGX_HTTP_BAD_REQUEST)
           ? state->header_time : NGX_HTTP_RECOVERY_NO_TIME;
}


static ngx_int_t
ngx_http_recovery_settle_place(ngx_http_recovery_decision_t *decision,
    ngx_int_t rc)
{
    rcv_admit_give(&decision->backend->gate, &decision->ticket);

    return rc;
}


static ngx_int_t
ngx_http_recovery_settle_any(ngx_http_recovery_ctx_t *ctx, ngx_int_t rc)
{
    ctx->stage = NGX_HTTP_RECOVERY_SETTLED;

    ngx_http_recovery_observe(ctx);
    ngx_http_recovery_release(ctx);

    return rc;
}


void
ngx_http_recovery_observe(ngx_http_recovery_ctx_t *ctx)
{
    ngx_uint_t                       i;
    ngx_http_request_t              *r;
    ngx_http_recovery_subrequest_t  *sub;

    if (ctx->observed) {
        return;
    }

    ctx->observed = 1;
    r = ctx->request;

    if (r->upstream_states != NULL) {
        ctx->states_seen = ngx_http_recovery_walk(r, ctx, r->upstream_states,
                                                  ctx->states_seen, NULL);
    }

    if (ctx->subrequests != NULL) {
        sub = ctx->subrequests->elts;

        for (i = 0; i < ctx->subrequests->nelts; i++) {
            (void) ngx_http_recovery_walk(sub[i].request, ctx,
                                          sub[i].request->upstream_states, 0,
                                          sub[i].backends);
        }

    } else if (r->upstream == NULL && r->upstream_states == NULL) {
        ngx_http_recovery_own_results(ctx);
    }
}


void
ngx_http_recovery_leave(ngx_http_request_t *r)
{
    ngx_http_recovery_ctx_t       *ctx;
    ngx_http_recovery_decision_t  *decision;

    if (r != r->main) {
        return;
    }

    ctx = ngx_http_recovery_ctx(r);

    if (ctx == NULL) {
        return;
    }

    ngx_http_recovery_reopen(ctx);
    ctx->states_seen = ngx_http_recovery_walk(r, ctx, r->upstream_states,
                                              ctx->states_seen, NULL);

    for (decision = ctx->decisions; decision; decision = decision->next) {
        decision->active = 0;
    }
}


void
ngx_http_recovery_subrequest(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx, ngx_array_t *backends)
{
    ngx_uint_t                       i;
    ngx_http_recovery_subrequest_t  *sub;

    ngx_http_recovery_reopen(ctx);

    if (ctx->subrequests == NULL) {
        ctx->subrequests = ngx_array_create(r->main->pool, 4,
                                   sizeof(ngx_http_recovery_subrequest_t));
        if (ctx->subrequests == NULL) {
            return;
        }
    }

    sub = ctx->subrequests->elts;

    for (i = 0; i < ctx->subrequests->nelts; i++) {
        if (sub[i].request == r) {
            sub[i].backends = backends;
            return;
        }
    }

    sub = ngx_array_push(ctx->subrequests);

    if (sub != NULL) {
        sub->request = r;
        sub->backends = backends;
    }
}


/*
 * Counts the attempts from an index on, for the backends given, or for those
 * that the main request stands on now.  Returns the index after the last.
 */

static ngx_uint_t
ngx_http_recovery_walk(ngx_http_request_t *r, ngx_http_recovery_ctx_t *ctx,
    ngx_array_t *states, ngx_uint_t from, ngx_array_t *backends)
{
    ngx_int_t                   result;
    ngx_uint_t                  i, tries;
    ngx_msec_t                  latency_ms;
    ngx_http_upstream_state_t  *state;
    ngx_http_recovery_round_t  *round;

    if (states == NULL) {
        return from;
    }

    state = states->elts;
    tries = 0;

    for (i = from; i < states->nelts; i++) {

        if (state[i].peer == NULL) {
            tries = 0;
            continue;
        }

        result = ngx_http_recovery_result(r, &state[i]);
        round = ngx_http_recovery_round_of(ctx, r, i);

        if (result == NGX_DECLINED
            || ngx_http_recovery_was_closed(states, i)
            || (round != NULL && ngx_http_recovery_round_refused(round, i)))
        {
            continue;
        }

        latency_ms = state[i].header_time != NGX_HTTP_RECOVERY_NO_TIME
                     ? state[i].header_time : state[i].response_time;

        if (latency_ms == NGX_HTTP_RECOVERY_NO_TIME) {
            latency_ms = 0;
        }

        ngx_http_recovery_count(ctx, backends, round, (ngx_uint_t) result,
                                latency_ms, tries++ != 0);
    }

    return states->nelts;
}


/* NGX_DECLINED: proves nothing. */

static ngx_int_t
ngx_http_recovery_result(ngx_http_request_t *r,
    ngx_http_upstream_state_t *state)
{
    if (state->status == 0
        || state->status == NGX_HTTP_CLIENT_CLOSED_REQUEST)
    {
        return (r->main->headers_out.status == NGX_HTTP_CLIENT_CLOSED_REQUEST
                && state->header_time == NGX_HTTP_RECOVERY_NO_TIME)
               ? NGX_HTTP_RECOVERY_GONE : NGX_DECLINED;
    }

    if (state->status < NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return RCV_RESULT_OK;
    }

    if (state->header_time == NGX_HTTP_RECOVERY_NO_TIME) {

        if (state->status == NGX_HTTP_GATEWAY_TIME_OUT) {
            return RCV_RESULT_TIMEOUT;
        }

        if (ngx_http_recovery_nobody_asked(r, state)) {
            return NGX_DECLINED;
        }

        return NGX_HTTP_RECOVERY_OVERLOAD;
    }

    return ngx_http_recovery_error_of(state->status);
}


ngx_uint_t
ngx_http_recovery_error_of(ngx_uint_t status)
{
    return (status >= NGX_HTTP_BAD_GATEWAY
            && status <= NGX_HTTP_GATEWAY_TIME_OUT)
           ? NGX_HTTP_RECOVERY_OVERLOAD : RCV_RESULT_ERROR;
}


/*
 * nginx had no live server to ask and noted the name of the group as peer.
 * The round may be over, so the group is looked for among all.
 */

static ngx_uint_t
ngx_http_recovery_nobody_asked(ngx_http_request_t *r,
    ngx_http_upstream_state_t *state)
{
    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_upstream_main_conf_t   *umcf;

    if (state->status != NGX_HTTP_BAD_GATEWAY
        || state->connect_time != NGX_HTTP_RECOVERY_NO_TIME)
    {
        return 0;
    }

    umcf = ngx_http_get_module_main_conf(r, ngx_http_upstream_module);
    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if (uscfp[i]->host.len == state->peer->len
            && ngx_strncmp(uscfp[i]->host.data, state->peer->data,
                           state->peer->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * A server that failed is not asked again in the same round, but for one case:
 * the connection had been kept, and was closed when it was used.  Of several
 * servers nginx may ask another one then, and that looks like a failure.
 */

static ngx_uint_t
ngx_http_recovery_was_closed(ngx_array_t *states, ngx_uint_t i)
{
    ngx_str_t                  *peer, *next;
    ngx_http_upstream_state_t  *state;

    state = states->elts;

    if (i + 1 == states->nelts
        || state[i].status != NGX_HTTP_BAD_GATEWAY
        || state[i].header_time != NGX_HTTP_RECOVERY_NO_TIME
        || state[i].connect_time == NGX_HTTP_RECOVERY_NO_TIME)
    {
        return 0;
    }

    peer = state[i].peer;
    next = state[i + 1].peer;

    return next != NULL && next->len == peer->len
           && ngx_strncmp(next->data, peer->data, peer->len) == 0;
}


/*
 * A location without an upstream (files, an embedded language) is a backend
 * too, and the response is its work.  An answer of the 4xx kind is none: it
 * may come from access rules, long before any work was done; and whatever it
 * is, a request that never came to its content (an auth_request whose own
 * service is dead makes it 500) says nothing of the backend.
 */

static ngx_inline ngx_uint_t
ngx_http_recovery_own_answered(ngx_http_request_t *r,
    ngx_http_recovery_decision_t *decision)
{
    return r->phase_handler >= decision->backend->content_phase;
}


static ngx_inline ngx_uint_t
ngx_http_recovery_own_status(ngx_http_request_t *r)
{
    return r->err_status ? r->err_status : r->headers_out.status;
}


static ngx_inline ngx_uint_t
ngx_http_recovery_own_success(ngx_http_request_t *r,
    ngx_http_recovery_decision_t *decision)
{
    ngx_uint_t  status;

    status = ngx_http_recovery_own_status(r);

    return status >= NGX_HTTP_OK && status < NGX_HTTP_BAD_REQUEST
           && ngx_http_recovery_own_answered(r, decision);
}


static void
ngx_http_recovery_own_results(ngx_http_recovery_ctx_t *ctx)
{
    ngx_uint_t                     status;
    ngx_msec_t                     latency_ms;
    ngx_http_recovery_decision_t  *decision;

    latency_ms = ngx_current_msec - ctx->start_ms;
    status = ngx_http_recovery_own_status(ctx->request);

    for (decision = ctx->decisions; decision; decision = decision->next) {

        /* what an attempt of a subrequest was made on has its result */

        if (!decision->active || decision->attempted
            || decision->outcome == RCV_OUTCOME_SHED)
        {
            continue;
        }

        if (ngx_http_recovery_own_success(ctx->request, decision)) {
            ngx_http_recovery_success_add(decision, latency_ms);

        } else if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR
                   && ngx_http_recovery_own_answered(ctx->request, decision))
        {
            ngx_http_recovery_failure_add(decision, RCV_RESULT_ERROR,
                                          latency_ms);
        }
    }
}


static void
ngx_http_recovery_count(ngx_http_recovery_ctx_t *ctx, ngx_array_t *backends,
    ngx_http_recovery_round_t *round, ngx_uint_t result,
    ngx_msec_t latency_ms, ngx_uint_t again)
{
    ngx_http_recovery_decision_t  *decision;

    for (decision = ctx->decisions; decision; decision = decision->next) {

        if (decision->outcome == RCV_OUTCOME_SHED
            || !ngx_http_recovery_concerns(decision, backends)
            || (round != NULL
                && ngx_http_recovery_round_concerns(round,
                                                    decision->backend)))
        {
            continue;
        }

        ngx_http_recovery_result_add(decision, result, latency_ms);

        if (again && decision->outcome == RCV_OUTCOME_PASSED) {
            ngx_http_recovery_charge_again(decision);
        }
    }
}


/* What was granted was one attempt; proxy_next_upstream has made another. */

static void
ngx_http_recovery_charge_again(ngx_http_recovery_decision_t *decision)
{
    rcv_admit_attempt(&decision->backend->gate, decision->cost_milli,
                      ngx_http_recovery_now_ns());
    rcv_add(&decision->backend->record->extra_milli, decision->cost_milli);
}


void
ngx_http_recovery_failure_add(ngx_http_recovery_decision_t *decision,
    ngx_uint_t result, ngx_msec_t latency_ms)
{
    rcv_result_t                 counted;
    ngx_http_recovery_record_t  *record;

    record = decision->backend->record;

    if (result == NGX_HTTP_RECOVERY_GONE) {

        if (ngx_http_recovery_evidence(record, decision)) {
            rcv_add(&record->gone, 1);
            rcv_add(&record->work_us, (uint64_t) latency_ms * 1000);
        }

        return;
    }

    counted = (result == NGX_HTTP_RECOVERY_OVERLOAD)
              ? RCV_RESULT_ERROR : (rcv_result_t) result;

    rcv_add(&record->results[counted], 1);
    ngx_http_recovery_latency_add(record, latency_ms);

    if (!ngx_http_recovery_evidence(record, decision)) {
        return;
    }

    rcv_add(&record->evidence[counted], 1);

    if (result == NGX_HTTP_RECOVERY_OVERLOAD) {
        rcv_add(&record->overload, 1);
    }
}


static ngx_uint_t
ngx_http_recovery_concerns(ngx_http_recovery_decision_t *decision,
    ngx_array_t *backends)
{
    ngx_uint_t                     i;
    ngx_http_recovery_backend_t  **backend;

    if (backends == NULL) {
        return decision->active;
    }

    backend = backends->elts;

    for (i = 0; i < backends->nelts; i++) {
        if (backend[i] == decision->backend) {
            return 1;
        }
    }

    return 0;
}
