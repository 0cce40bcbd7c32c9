
/*
 * What the attempts of a round came to, each when it is over, and what others
 * ask of the rounds of a request: the walk of _observe.c, the variables, the
 * header filter.
 */

#include "ngx_http_recovery_round.h"


static ngx_uint_t ngx_http_recovery_round_was_closed(
    ngx_http_recovery_round_t *round, ngx_peer_connection_t *pc,
    ngx_uint_t state);
static ngx_int_t ngx_http_recovery_round_result(
    ngx_http_recovery_round_t *round, ngx_peer_connection_t *pc,
    ngx_uint_t state);
static void ngx_http_recovery_round_count(ngx_http_recovery_round_t *round,
    ngx_int_t result);


void
ngx_http_recovery_round_over(ngx_http_recovery_round_t *round,
    ngx_peer_connection_t *pc, ngx_uint_t state)
{
    ngx_int_t  result;

    if (!round->attempting) {
        return;
    }

    round->attempting = 0;

    if (ngx_http_recovery_round_was_closed(round, pc, state)) {
        round->spared = 1;
        return;
    }

    result = ngx_http_recovery_round_result(round, pc, state);

    ngx_http_recovery_round_count(round, result);
    ngx_http_recovery_round_release(round);
}


/*
 * A kept connection that was closed before a byte of an answer: nginx gives
 * itself one more attempt, for which this one has paid.
 */

static ngx_uint_t
ngx_http_recovery_round_was_closed(ngx_http_recovery_round_t *round,
    ngx_peer_connection_t *pc, ngx_uint_t state)
{
    ngx_connection_t           *c;
    ngx_http_upstream_state_t  *us;

    c = pc->connection;
    us = round->upstream->state;

    return pc->cached && (state & NGX_PEER_FAILED)
           && c != NULL && !c->read->timedout && !c->write->timedout
           && us->header_time == NGX_HTTP_RECOVERY_NO_TIME
           && us->bytes_received == 0;
}


/*
 * What has the attempt come to?  NGX_DECLINED: it proves nothing.  A status
 * is only this attempt's when its header was read.
 */

static ngx_int_t
ngx_http_recovery_round_result(ngx_http_recovery_round_t *round,
    ngx_peer_connection_t *pc, ngx_uint_t state)
{
    ngx_uint_t                  timedout;
    ngx_connection_t           *c;
    ngx_http_upstream_state_t  *us;

    c = pc->connection;
    us = round->upstream->state;
    timedout = (c != NULL && (c->read->timedout || c->write->timedout));

    if (us->header_time == NGX_HTTP_RECOVERY_NO_TIME) {

        /* ended by the client, or by a fault of our own */

        if (!(state & NGX_PEER_FAILED)) {
            return (round->rc == NGX_HTTP_CLIENT_CLOSED_REQUEST)
                   ? NGX_HTTP_RECOVERY_GONE : NGX_DECLINED;
        }

        return timedout ? RCV_RESULT_TIMEOUT : NGX_HTTP_RECOVERY_OVERLOAD;
    }

    if (us->status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return ngx_http_recovery_error_of(us->status);
    }

    /* the body was cut short, which the status does not show */

    if (round->rc == NGX_HTTP_BAD_GATEWAY
        || round->rc == NGX_HTTP_GATEWAY_TIME_OUT)
    {
        return timedout ? RCV_RESULT_TIMEOUT : RCV_RESULT_ERROR;
    }

    return RCV_RESULT_OK;
}


static void
ngx_http_recovery_round_count(ngx_http_recovery_round_t *round,
    ngx_int_t result)
{
    ngx_uint_t                  i;
    ngx_msec_t                  latency_ms;
    ngx_http_upstream_t        *u;

    if (round->counted || result == NGX_DECLINED) {
        return;
    }

    u = round->upstream;
    round->counted = 1;

    latency_ms = u->state->header_time != NGX_HTTP_RECOVERY_NO_TIME
                 ? u->state->header_time : ngx_current_msec - u->start_time;

    for (i = 0; i < round->ncharges; i++) {
        ngx_http_recovery_result_add(&round->charges[i].decision,
                                     (ngx_uint_t) result, latency_ms);
    }
}


void
ngx_http_recovery_round_release(ngx_http_recovery_round_t *round)
{
    ngx_uint_t                     i;
    ngx_http_recovery_decision_t  *decision;

    for (i = 0; i < round->ncharges; i++) {
        decision = &round->charges[i].decision;
        rcv_admit_release(&decision->backend->gate, &decision->ticket);
    }
}


void
ngx_http_recovery_rounds_release(ngx_http_recovery_ctx_t *ctx)
{
    ngx_http_recovery_round_t  *round;

    for (round = ctx->rounds; round != NULL; round = round->next) {
        ngx_http_recovery_round_release(round);
    }
}


void
ngx_http_recovery_rounds_stream(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx)
{
    ngx_uint_t                  status;
    ngx_http_recovery_round_t  *round;

    for (round = ctx->rounds; round != NULL; round = round->next) {

        if (round->request != r || !round->attempting) {
            continue;
        }

        status = round->upstream->state->status;

        ngx_http_recovery_round_count(round,
                                      status < NGX_HTTP_INTERNAL_SERVER_ERROR
                                      ? RCV_RESULT_OK : RCV_RESULT_ERROR);
    }
}


ngx_http_recovery_round_t *
ngx_http_recovery_round_of(ngx_http_recovery_ctx_t *ctx,
    ngx_http_request_t *r, ngx_uint_t i)
{
    ngx_http_recovery_round_t  *round;

    for (round = ctx->rounds; round != NULL; round = round->next) {
        if (round->request == r && round->first <= i && i <= round->last) {
            return round;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_recovery_round_refused(ngx_http_recovery_round_t *round,
    ngx_uint_t i)
{
    return round->refused && i == round->last;
}


ngx_uint_t
ngx_http_recovery_round_concerns(ngx_http_recovery_round_t *round,
    ngx_http_recovery_backend_t *backend)
{
    ngx_uint_t  i;

    for (i = 0; i < round->ncharges; i++) {
        if (round->charges[i].decision.backend == backend) {
            return 1;
        }
    }

    return 0;
}


ngx_http_recovery_decision_t *
ngx_http_recovery_rounds_shed(ngx_http_recovery_ctx_t *ctx,
    ngx_http_request_t *r, ngx_http_recovery_backend_t *backend)
{
    ngx_uint_t                     i;
    ngx_http_recovery_round_t     *round;
    ngx_http_recovery_decision_t  *decision;

    for (round = ctx->rounds; round != NULL; round = round->next) {

        if (round->request != r || !round->refused) {
            continue;
        }

        for (i = 0; i < round->ncharges; i++) {
            decision = &round->charges[i].decision;

            if (decision->backend == backend
                && decision->outcome == RCV_OUTCOME_SHED)
            {
                return decision;
            }
        }
    }

    return NULL;
}


/* From the latest to the first, so that of several the first one is left. */

ngx_http_recovery_decision_t *
ngx_http_recovery_rounds_told(ngx_http_recovery_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_http_recovery_round_t     *round;
    ngx_http_recovery_decision_t  *decision, *told;

    told = NULL;

    for (round = ctx->rounds; round != NULL; round = round->next) {

        for (i = round->ncharges; i-- > 0; /* void */) {
            decision = &round->charges[i].decision;

            if (decision->outcome == RCV_OUTCOME_NONE) {
                continue;
            }

            if (told == NULL || told->outcome == RCV_OUTCOME_PASSED
                || decision->outcome != RCV_OUTCOME_PASSED)
            {
                told = decision;
            }
        }
    }

    return told;
}
