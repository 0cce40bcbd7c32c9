
/*
 * What is not asked of every request: the user under a cut, whether it is a
 * retry while the budget is in force; and what becomes of those turned away.
 */

#include "ngx_http_recovery_ask.h"


rcv_reason_t
ngx_http_recovery_ask_closely(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_backend_t *backend,
    ngx_http_recovery_decision_t *decision)
{
    uint64_t        now_ns;
    unsigned        class_index;
    rcv_admit_at_t  at;

    at = rcv_admit_alone(&backend->gate);
    class_index = decision->class_index;
    now_ns = ngx_http_recovery_now_ns();

    if (ask->uploading) {
        at.slot = NULL;
    }

    if (rcv_admit_asks_user(&at, class_index)) {
        at.user = ngx_http_recovery_user(ask);
    }

    if (ngx_http_recovery_is_retry(ask, backend)) {
        return rcv_admit_retry(&at, class_index, decision->cost_milli, now_ns,
                               &decision->ticket);
    }

    return rcv_admit(&at, class_index, decision->cost_milli, now_ns,
                     &decision->ticket);
}


ngx_int_t
ngx_http_recovery_ask_refused(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision)
{
    if (ask->conf->dry_run) {
        decision->outcome = RCV_OUTCOME_SHED_DRY_RUN;
        ngx_http_recovery_ask_log(ask->request, ask->conf, decision, 0);
        return NGX_OK;
    }

    decision->outcome = RCV_OUTCOME_SHED;

    return NGX_DECLINED;
}


void
ngx_http_recovery_ask_undo(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_decision_t *decision)
{
    rcv_admit_undo(&decision->backend->gate, ask->cost_milli,
                   &decision->ticket);
}


void
ngx_http_recovery_ask_log(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf,
    ngx_http_recovery_decision_t *decision, ngx_uint_t retry_after_s)
{
    ngx_log_t   *log;
    const char  *class, *reason, *phase;

    class = decision->backend->policy->core
                ->classes[decision->class_index].name;
    reason = rcv_reason_names[decision->reason];
    phase = rcv_phase_names[decision->ticket.phase];
    log = r->connection->log;

    if (decision->outcome == RCV_OUTCOME_SHED_DRY_RUN) {
        ngx_log_error(rlcf->log_level, log, 0,
                      "recovery: dry run, would be shed by backend \"%V\", "
                      "class \"%s\", reason %s, phase %s",
                      &decision->backend->name, class, reason, phase);
        return;
    }

    ngx_log_error(rlcf->log_level, log, 0,
                  "recovery: shed by backend \"%V\", class \"%s\", "
                  "reason %s, phase %s, retry after %ui s",
                  &decision->backend->name, class, reason, phase,
                  retry_after_s);
}
