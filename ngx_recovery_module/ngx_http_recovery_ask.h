
/*
 * One admission, asked by a location (_request.c) or for an attempt of an
 * upstream (_upstream.c).
 *
 * ask() fills the decision in: NGX_OK: let pass, or would be shed but for the
 * dry run; NGX_DECLINED: shed, nothing is held.  When all backends have let it
 * pass, each is told by ask_passed(), which counts; when one has not, the
 * others are told by ask_undo(), and it by ask_shed(), which counts, logs, and
 * says when to come back.
 *
 * What every request goes through while all is well stands here, so that it
 * becomes one piece of code where it is used; the rest is in _ask.c.
 */

#ifndef _NGX_HTTP_RECOVERY_ASK_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_ASK_H_INCLUDED_


#include "ngx_http_recovery.h"
#include "ngx_http_recovery_lots.h"


/* _decide.c: the value is the phase handler's to return. */
ngx_int_t ngx_http_recovery_decide(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx);

/* The same for ctx->first, of which all is known but the decision. */
ngx_int_t ngx_http_recovery_decide_plain(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx);

/* Either of the two, by what has come of the body. */
ngx_int_t ngx_http_recovery_decide_body(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx);

/* The same with nothing remembered yet, and for who may be here again. */
ngx_int_t ngx_http_recovery_first(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf);
ngx_int_t ngx_http_recovery_again(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf);

/* By what a request says of itself; _facts.c. */
ngx_uint_t ngx_http_recovery_classify(ngx_http_recovery_ask_t *ask);
rcv_str_t ngx_http_recovery_user(ngx_http_recovery_ask_t *ask);
uint32_t ngx_http_recovery_cost_named(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf);
ngx_uint_t ngx_http_recovery_is_retry(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_backend_t *backend);

/* As rcv_admit(), of which it asks what few requests are asked for. */
rcv_reason_t ngx_http_recovery_ask_closely(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_backend_t *backend,
    ngx_http_recovery_decision_t *decision);

/* It does not pass: the value is that of ask(). */
ngx_int_t ngx_http_recovery_ask_refused(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision);

void ngx_http_recovery_ask_undo(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision);
/* gRPC's way to be turned away; _answer.c. */
ngx_int_t ngx_http_recovery_answer_grpc(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx);

/* Sends nginx's page for who is, if it is that simple; _special.c. */
ngx_int_t ngx_http_recovery_special(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx);

void ngx_http_recovery_ask_log(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf,
    ngx_http_recovery_decision_t *decision, ngx_uint_t retry_after_s);


/* Of a request over HTTP/2 only nginx can tell. */

static ngx_inline ngx_uint_t
ngx_http_recovery_has_body(ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked
#if (NGX_HTTP_V2)
           || r->stream != NULL
#endif
           ;
}


/*
 * Is the body of the main request still to come from the client?  Then it
 * holds no place until it is there: see _hold.c.
 */

static ngx_inline ngx_uint_t
ngx_http_recovery_uploading(ngx_http_request_t *mr)
{
    off_t  n;

#if (NGX_HTTP_V2)

    if (mr->stream != NULL) {
        return !mr->stream->in_closed && mr->request_body == NULL;
    }

#endif

    n = mr->headers_in.content_length_n;

    if (n <= 0 && !mr->headers_in.chunked) {
        return 0;
    }

    return mr->request_body == NULL
           && (mr->headers_in.chunked
               || n > mr->header_in->last - mr->header_in->pos);
}


static ngx_inline void
ngx_http_recovery_ask_init(ngx_http_recovery_ask_t *ask,
    ngx_http_request_t *r)
{
    ask->request = r;
    ask->conf = ngx_http_get_module_loc_conf(r, ngx_http_recovery_module);
    ask->main = ngx_http_get_module_main_conf(r, ngx_http_recovery_module);
    ask->policy = NULL;
    ask->uploading = 0;
    ask->again = 0;

    ask->cost_milli = (ask->conf->cost == NULL)
                      ? (uint32_t) ask->conf->cost_milli
                      : ngx_http_recovery_cost_named(r, ask->conf);

    if (!ngx_http_recovery_led(ask->main->zone)) {
        ngx_http_recovery_lead(ask->main);
    }
}


/* The policy's view of the request; the last one's is forgotten. */

static ngx_inline void
ngx_http_recovery_ask_policy(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_policy_t *policy)
{
    ask->policy = policy;
    ask->retry = NGX_HTTP_RECOVERY_RETRY_UNKNOWN;
    ask->user_known = 0;

    ask->class_index = (policy->core->nmatches == 0
                        && ask->conf->class_name == NULL)
                       ? policy->core->default_class
                       : ngx_http_recovery_classify(ask);
}


/* A decision as it begins: what is asked for, and nothing against it. */

static ngx_inline void
ngx_http_recovery_decision_init(ngx_http_recovery_decision_t *decision,
    ngx_http_recovery_backend_t *backend, ngx_uint_t class_index,
    uint32_t cost_milli)
{
    decision->backend = backend;
    decision->cost_milli = cost_milli;
    decision->class_index = (uint8_t) class_index;
    decision->outcome = RCV_OUTCOME_PASSED;
    decision->reason = RCV_REASON_NONE;
    decision->active = 0;
    decision->attempted = 0;
}


/* Counts what all backends have let pass; "books": a place is to be held. */

static ngx_inline void
ngx_http_recovery_passed(ngx_http_request_t *r,
    ngx_http_recovery_decision_t *decision, ngx_uint_t books)
{
    ngx_http_recovery_record_t  *record;

    record = decision->backend->record;

    rcv_admit_passed(&decision->backend->gate, &decision->ticket);

    rcv_add(&ngx_http_recovery_record_class(record, decision->class_index)
                 ->passed, 1);

    if (decision->cost_milli != RCV_MILLI) {
        rcv_add(&record->extra_milli,
                (uint64_t) decision->cost_milli - RCV_MILLI);
    }

    if (books && !decision->ticket.booked) {
        ngx_http_recovery_undecided(r, NGX_HTTP_RECOVERY_UNDECIDED_NO_SLOT);
    }
}


static ngx_inline void
ngx_http_recovery_ask_told(ngx_http_request_t *r,
    ngx_http_recovery_decision_t *decision)
{
    ngx_log_debug5(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "recovery \"%V\": class %ui, cost %uD, phase %s: %s",
                   &decision->backend->name,
                   (ngx_uint_t) decision->class_index, decision->cost_milli,
                   rcv_phase_names[decision->ticket.phase],
                   rcv_reason_names[decision->reason]);
}


static ngx_inline ngx_int_t
ngx_http_recovery_ask(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_backend_t *backend,
    ngx_http_recovery_decision_t *decision)
{
    rcv_reason_t  reason;

    if (ask->policy != backend->policy) {
        ngx_http_recovery_ask_policy(ask, backend->policy);
    }

    ngx_http_recovery_decision_init(decision, backend, ask->class_index,
                                    ask->cost_milli);

    reason = (ask->uploading || rcv_admit_asks(&backend->gate))
             ? ngx_http_recovery_ask_closely(ask, backend, decision)
             : rcv_admit(&backend->gate, (unsigned) ask->class_index,
                         ask->cost_milli, ngx_http_recovery_now_ns(),
                         &decision->ticket);

    ngx_http_recovery_lots_look(backend);

    decision->reason = (uint8_t) reason;

    ngx_http_recovery_ask_told(ask->request, decision);

    return (reason == RCV_REASON_NONE)
           ? NGX_OK : ngx_http_recovery_ask_refused(ask, decision);
}


static ngx_inline void
ngx_http_recovery_ask_passed(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision)
{
    ngx_http_recovery_record_t  *record;

    if (decision->outcome == RCV_OUTCOME_PASSED) {
        ngx_http_recovery_passed(ask->request, decision, !ask->uploading);
        return;
    }

    record = decision->backend->record;

    rcv_add(&ngx_http_recovery_record_class(record, decision->class_index)
                 ->shed_dry_run, 1);
    rcv_add(&record->dry[decision->reason], 1);
}


/*
 * Marsaglia's xorshift: who is told which second is no secret, and random()
 * takes longer than all the rest.
 */

static ngx_inline uint32_t
ngx_http_recovery_random(ngx_http_recovery_main_conf_t *rmcf)
{
    uint32_t  x;

    x = rmcf->random;

    if (x == 0) {
        x = (uint32_t) ngx_random() | 1;
    }

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;

    rmcf->random = x;

    return x;
}


static ngx_inline void
ngx_http_recovery_ask_shed(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx,
    ngx_http_recovery_decision_t *decision)
{
    ngx_http_recovery_record_t   *record;
    ngx_http_recovery_backend_t  *backend;

    backend = decision->backend;
    record = backend->record;

    rcv_add(&ngx_http_recovery_record_class(record, decision->class_index)
                 ->shed[decision->reason], 1);

    ctx->retry_after_s = rcv_retry_s(backend->policy->core, record->retry,
                                     rcv_load(&record->gate.cohort),
                                     (unsigned) decision->class_index,
                                     decision->ticket.slot,
                                     ngx_http_recovery_random(backend->main));

    if (r->connection->log->log_level >= rlcf->log_level) {
        ngx_http_recovery_ask_log(r, rlcf, decision, ctx->retry_after_s);
    }
}


/* Turns the request away; the value is the phase handler's to return. */

static ngx_inline ngx_int_t
ngx_http_recovery_answer(ngx_http_request_t *r, ngx_http_recovery_ctx_t *ctx,
    ngx_uint_t status)
{
    ctx->shed_status = (uint16_t) status;

    /* nobody waits for a mirror: the main request's answer is its own */

    if (!r->background) {
        ctx->shed = 1;
        ctx->shed_subrequest = (r != r->main);
    }

    if (r == r->main && r->headers_in.content_type != NULL
        && ngx_http_recovery_is_grpc(&r->headers_in.content_type->value))
    {
        return ngx_http_recovery_answer_grpc(r, ctx);
    }

    return (ngx_int_t) status;
}


#endif /* _NGX_HTTP_RECOVERY_ASK_H_INCLUDED_ */
