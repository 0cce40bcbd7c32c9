
/*
 * "recovery" in upstream {}: asked when a connection is about to be made, so
 * that what the cache answers is free, a stale answer may stand in for one
 * that is shed, and each attempt of proxy_next_upstream is paid for.
 *
 * Stands in front of the balancer, whatever that is: get() asks and then calls
 * the balancer's, free() gives the permit back and counts the result, which
 * is known at once and holds for subrequests too.
 *
 * A request that is shed is ended from within get().  To tell nginx "busy"
 * would make it 502, log a line of its own for each, and store that 502 in
 * the cache for requests that would have been let in.
 *
 * Traps, each a test in t/upstream_gate*.t:
 *
 *   - peer.data is ours and only reaches get, free, notify, set_session and
 *     save_session; everybody else finds a round by its upstream
 *   - free() is not called when the balancer has no server to offer
 *   - a kept connection that the server had closed meanwhile costs an
 *     attempt that nginx does not count; nor do we
 */

#include "ngx_http_recovery_round.h"


static ngx_int_t ngx_http_recovery_round_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *uscf);
static void ngx_http_recovery_round_wrap(ngx_http_recovery_round_t *round,
    ngx_http_upstream_t *u);
static ngx_int_t ngx_http_recovery_round_get(ngx_peer_connection_t *pc,
    void *data);
static ngx_int_t ngx_http_recovery_round_ask(
    ngx_http_recovery_round_t *round);
static ngx_int_t ngx_http_recovery_charge(ngx_http_recovery_round_t *round,
    ngx_http_recovery_charge_t *charge);
static void ngx_http_recovery_round_undo(ngx_http_recovery_round_t *round,
    ngx_uint_t n);
static ngx_int_t ngx_http_recovery_round_refuse(
    ngx_http_recovery_round_t *round, ngx_peer_connection_t *pc);
static ngx_uint_t ngx_http_recovery_round_stale(
    ngx_http_recovery_round_t *round);
static void ngx_http_recovery_round_free(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);
static void ngx_http_recovery_round_finalize(ngx_http_request_t *r,
    ngx_int_t rc);
static void ngx_http_recovery_round_notify(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t type);
#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_recovery_round_set_session(
    ngx_peer_connection_t *pc, void *data);
static void ngx_http_recovery_round_save_session(ngx_peer_connection_t *pc,
    void *data);
#endif


/* Told as the peer of an attempt that was shed, in $upstream_addr. */

static ngx_str_t  ngx_http_recovery_nobody = ngx_string("recovery:shed");


/*
 * Once all upstreams are set up, and not while the directive is read: a
 * balancer that is named below it would silently put itself in our place.
 */

ngx_int_t
ngx_http_recovery_upstream_init(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_recovery_srv_conf_t    *rscf;
    ngx_http_upstream_main_conf_t   *umcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        /* an address in proxy_pass is an upstream without a block */

        if (uscfp[i]->srv_conf == NULL) {
            continue;
        }

        rscf = ngx_http_conf_upstream_srv_conf(uscfp[i],
                                               ngx_http_recovery_module);
        if (rscf->backends != NULL) {
            rscf->init_peer = uscfp[i]->peer.init;
            uscfp[i]->peer.init = ngx_http_recovery_round_init;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_round_init(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *uscf)
{
    size_t                          size;
    ngx_uint_t                      i;
    ngx_http_recovery_ctx_t        *ctx;
    ngx_http_recovery_round_t      *round;
    ngx_http_recovery_backend_t   **backends;
    ngx_http_recovery_srv_conf_t   *rscf;
    ngx_http_recovery_main_conf_t  *rmcf;

    rscf = ngx_http_conf_upstream_srv_conf(uscf, ngx_http_recovery_module);

    if (rscf->init_peer(r, uscf) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx = ngx_http_recovery_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_recovery_ctx_create(r);

        if (ctx == NULL) {
            return NGX_OK;
        }
    }

    size = offsetof(ngx_http_recovery_round_t, charges)
           + rscf->backends->nelts * sizeof(ngx_http_recovery_charge_t);

    round = ngx_pcalloc(r->pool, size);

    if (round == NULL) {
        rmcf = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);
        rcv_add(&rmcf->zone->undecided
                    [NGX_HTTP_RECOVERY_UNDECIDED_NO_MEMORY], 1);
        return NGX_OK;
    }

    backends = rscf->backends->elts;
    round->ncharges = rscf->backends->nelts;

    for (i = 0; i < round->ncharges; i++) {
        round->charges[i].decision.backend = backends[i];
    }

    round->ctx = ctx;
    round->request = r;
    round->first = 1;

    ngx_http_recovery_ask_init(&round->ask, r);
    ngx_http_recovery_round_wrap(round, r->upstream);

    round->next = ctx->rounds;
    ctx->rounds = round;

    ngx_http_recovery_reopen(ctx);

    return NGX_OK;
}


static void
ngx_http_recovery_round_wrap(ngx_http_recovery_round_t *round,
    ngx_http_upstream_t *u)
{
    round->upstream = u;

    round->data = u->peer.data;
    round->get = u->peer.get;
    round->free = u->peer.free;
    round->notify = u->peer.notify;
    round->finalize_request = u->finalize_request;

    u->peer.data = round;
    u->peer.get = ngx_http_recovery_round_get;
    u->peer.free = ngx_http_recovery_round_free;
    u->finalize_request = ngx_http_recovery_round_finalize;

    if (round->notify != NULL) {
        u->peer.notify = ngx_http_recovery_round_notify;
    }

#if (NGX_HTTP_SSL)

    round->set_session = u->peer.set_session;
    round->save_session = u->peer.save_session;

    if (round->set_session != NULL) {
        u->peer.set_session = ngx_http_recovery_round_set_session;
    }

    if (round->save_session != NULL) {
        u->peer.save_session = ngx_http_recovery_round_save_session;
    }

#endif
}


static ngx_int_t
ngx_http_recovery_round_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_recovery_round_t *round = data;

    ngx_int_t   rc;
    ngx_uint_t  i, spared;

    i = round->request->upstream_states->nelts - 1;

    if (round->first > round->last) {
        round->first = i;
    }

    round->last = i;

    spared = round->spared;
    round->spared = 0;

    if (!spared && ngx_http_recovery_round_ask(round) != NGX_OK) {
        return ngx_http_recovery_round_refuse(round, pc);
    }

    rc = round->get(pc, round->data);

    if (rc != NGX_OK && rc != NGX_DONE && rc != NGX_AGAIN) {

        /* no server to ask, or all are full */

        if (spared) {
            ngx_http_recovery_round_release(round);

        } else {
            ngx_http_recovery_round_undo(round, round->ncharges);
        }

        return rc;
    }

    round->attempting = 1;
    round->counted = 0;

    for (i = 0; i < round->ncharges && !spared; i++) {
        if (round->charges[i].granted == NULL) {
            ngx_http_recovery_ask_passed(&round->ask,
                                         &round->charges[i].decision);
        }
    }

    return rc;
}


/* All backends must let the attempt pass, as in a location. */

static ngx_int_t
ngx_http_recovery_round_ask(ngx_http_recovery_round_t *round)
{
    ngx_uint_t  i;

    round->ask.again = (round->last > round->first);

    for (i = 0; i < round->ncharges; i++) {

        if (ngx_http_recovery_charge(round, &round->charges[i]) != NGX_OK) {
            ngx_http_recovery_round_undo(round, i);
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_charge(ngx_http_recovery_round_t *round,
    ngx_http_recovery_charge_t *charge)
{
    ngx_http_recovery_ctx_t       *ctx;
    ngx_http_recovery_backend_t   *backend;
    ngx_http_recovery_decision_t  *decision;

    ctx = round->ctx;
    backend = charge->decision.backend;

    /* error_page that leads here again is no way round the gate */

    decision = ngx_http_recovery_rounds_shed(ctx, round->request, backend);

    if (decision != NULL) {
        charge->decision = *decision;
        return NGX_DECLINED;
    }

    if (charge->granted != NULL) {

        /*
         * The first attempt is over and so is its part in the permit of the
         * location, which would only be in the way of the next.
         */

        rcv_admit_release(&backend->gate, &charge->granted->ticket);

        charge->granted = NULL;
    }

    decision = ngx_http_recovery_decided(ctx, backend);

    if (decision != NULL && decision->outcome != RCV_OUTCOME_SHED
        && !decision->attempted)
    {
        decision->attempted = 1;

        charge->granted = decision;
        charge->decision = *decision;
        charge->decision.ticket.booked = 0;
        charge->decision.ticket.charged = 0;

        return NGX_OK;
    }

    if (ngx_http_recovery_ask(&round->ask, backend, &charge->decision)
        == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_http_recovery_ask_shed(round->request, round->ask.conf, ctx,
                               &charge->decision);

    return NGX_DECLINED;
}


/* The first n charges were made for nothing. */

static void
ngx_http_recovery_round_undo(ngx_http_recovery_round_t *round, ngx_uint_t n)
{
    ngx_uint_t                   i;
    ngx_http_recovery_charge_t  *charge;

    for (i = 0; i < n; i++) {
        charge = &round->charges[i];

        if (charge->granted != NULL) {
            charge->granted->attempted = 0;
            charge->granted = NULL;
            continue;
        }

        ngx_http_recovery_ask_undo(&round->ask, &charge->decision);
    }
}


/*
 * Either nginx is led to the stale answer that it has, in the way it goes
 * after a failed connection; or the request is ended here.  That is three
 * finalizations where nginx has counted one: the upstream's, the request's,
 * and what nginx makes of NGX_ERROR for an upstream that is over.
 */

static ngx_int_t
ngx_http_recovery_round_refuse(ngx_http_recovery_round_t *round,
    ngx_peer_connection_t *pc)
{
    ngx_int_t             rc;
    ngx_uint_t            i, status;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = round->request;
    u = round->upstream;

    round->refused = 1;

    /* nginx would try again for one that was kept, and for ever */

    pc->cached = 0;
    pc->connection = NULL;
    pc->name = &ngx_http_recovery_nobody;

    if (ngx_http_recovery_round_stale(round)) {

#if (NGX_HTTP_CACHE)
        r->cache->stale_error = 1;
#endif

        pc->tries = 0;

        return NGX_DECLINED;
    }

    i = 0;

    while (round->charges[i].decision.outcome != RCV_OUTCOME_SHED) {
        i++;
    }

    status = round->charges[i].decision.backend->policy->core->shed_status;

    u->state->peer = pc->name;
    u->state->status = status;

    r->main->count += 2;

    (*u->cleanup)(r);

    rc = ngx_http_recovery_answer(r, round->ctx, status);

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }

    return NGX_ERROR;
}


/* May nginx serve what has expired?  To be shed is an error, and a 503. */

static ngx_uint_t
ngx_http_recovery_round_stale(ngx_http_recovery_round_t *round)
{
#if (NGX_HTTP_CACHE)

    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = round->request;
    u = round->upstream;

    return r->cache != NULL && u->cache_status == NGX_HTTP_CACHE_EXPIRED
           && (r->cache->stale_error
               || (u->conf->cache_use_stale
                   & (NGX_HTTP_UPSTREAM_FT_ERROR
                      |NGX_HTTP_UPSTREAM_FT_HTTP_503)));

#else

    return 0;

#endif
}


static void
ngx_http_recovery_round_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_recovery_round_t *round = data;

    /* looks at the connection, which the balancer may take */

    ngx_http_recovery_round_over(round, pc, state);

    round->free(pc, round->data, state);
}


/* Called by nginx with how the upstream ended, before the last free(). */

static void
ngx_http_recovery_round_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_recovery_ctx_t    *ctx;
    ngx_http_recovery_round_t  *round;

    ctx = ngx_http_recovery_ctx(r);

    for (round = ctx->rounds; round->upstream != r->upstream;
         round = round->next)
    {
        /* void */
    }

    round->rc = rc;

    if (round->spared) {
        round->spared = 0;
        ngx_http_recovery_round_release(round);
    }

    round->finalize_request(r, rc);
}


static void
ngx_http_recovery_round_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_http_recovery_round_t *round = data;

    round->notify(pc, round->data, type);
}


#if (NGX_HTTP_SSL)

static ngx_int_t
ngx_http_recovery_round_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_recovery_round_t *round = data;

    return round->set_session(pc, round->data);
}


static void
ngx_http_recovery_round_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_recovery_round_t *round = data;

    round->save_session(pc, round->data);
}

#endif
