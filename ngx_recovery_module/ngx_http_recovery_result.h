
/*
 * One result of one attempt, for one backend: counted by _observe.c and, where
 * "recovery" is in upstream {}, by _round.c.
 */

#ifndef _NGX_HTTP_RECOVERY_RESULT_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_RESULT_H_INCLUDED_


#include "ngx_http_recovery.h"


/* Beside the results of the core: an error by load, a client that left. */
#define NGX_HTTP_RECOVERY_OVERLOAD  RCV_RESULTS
#define NGX_HTTP_RECOVERY_GONE      (RCV_RESULTS + 1)

/* RCV_RESULT_ERROR or _OVERLOAD: the error that a status says. */
ngx_uint_t ngx_http_recovery_error_of(ngx_uint_t status);

/* What is not simply good. */
void ngx_http_recovery_failure_add(ngx_http_recovery_decision_t *decision,
    ngx_uint_t result, ngx_msec_t latency_ms);


static ngx_inline void
ngx_http_recovery_latency_add(ngx_http_recovery_record_t *record,
    ngx_msec_t latency_ms)
{
    rcv_add(&record->latency[rcv_latency_bucket(latency_ms)], 1);

    if (latency_ms != 0) {
        rcv_add(&record->latency_sum_us, (uint64_t) latency_ms * 1000);
    }
}


/*
 * Does it say something of the phase that the gate is in?  What an earlier
 * one let in does not.  Nor does what passed in a dry run alone: it came to
 * the backend past the limit, and by that a limit would seem to make no
 * difference.
 */

static ngx_inline ngx_uint_t
ngx_http_recovery_evidence(ngx_http_recovery_record_t *record,
    ngx_http_recovery_decision_t *decision)
{
    uint64_t  word;

    word = rcv_load(&record->gate.word);

    return rcv_gate_epoch(word) == decision->ticket.epoch
           && decision->outcome != RCV_OUTCOME_SHED_DRY_RUN;
}


static ngx_inline void
ngx_http_recovery_success_add(ngx_http_recovery_decision_t *decision,
    ngx_msec_t latency_ms)
{
    ngx_http_recovery_record_t  *record;

    record = decision->backend->record;

    rcv_add(&record->results[RCV_RESULT_OK], 1);
    ngx_http_recovery_latency_add(record, latency_ms);

    if (ngx_http_recovery_evidence(record, decision)) {
        rcv_add(&record->evidence[RCV_RESULT_OK], 1);

        if (latency_ms != 0) {
            rcv_add(&record->work_us, (uint64_t) latency_ms * 1000);
        }
    }
}


static ngx_inline void
ngx_http_recovery_result_add(ngx_http_recovery_decision_t *decision,
    ngx_uint_t result, ngx_msec_t latency_ms)
{
    if (result == RCV_RESULT_OK) {
        ngx_http_recovery_success_add(decision, latency_ms);
        return;
    }

    ngx_http_recovery_failure_add(decision, result, latency_ms);
}


#endif /* _NGX_HTTP_RECOVERY_RESULT_H_INCLUDED_ */
