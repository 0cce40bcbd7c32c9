
/*
 * $recovery_outcome, $recovery_reason, $recovery_class, $recovery_phase and
 * $recovery_backend.  Where a request stands on several backends, or makes
 * several attempts, they tell of what turned it away, else of the first.
 */

#include "ngx_http_recovery.h"


typedef enum {
    NGX_HTTP_RECOVERY_VAR_OUTCOME = 0,
    NGX_HTTP_RECOVERY_VAR_REASON,
    NGX_HTTP_RECOVERY_VAR_CLASS,
    NGX_HTTP_RECOVERY_VAR_PHASE,
    NGX_HTTP_RECOVERY_VAR_BACKEND
} ngx_http_recovery_var_t;


static ngx_int_t ngx_http_recovery_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_http_recovery_decision_t *ngx_http_recovery_told(
    ngx_http_recovery_ctx_t *ctx);


static ngx_http_variable_t  ngx_http_recovery_vars[] = {

    { ngx_string("recovery_outcome"), NULL, ngx_http_recovery_variable,
      NGX_HTTP_RECOVERY_VAR_OUTCOME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("recovery_reason"), NULL, ngx_http_recovery_variable,
      NGX_HTTP_RECOVERY_VAR_REASON, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("recovery_class"), NULL, ngx_http_recovery_variable,
      NGX_HTTP_RECOVERY_VAR_CLASS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("recovery_phase"), NULL, ngx_http_recovery_variable,
      NGX_HTTP_RECOVERY_VAR_PHASE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("recovery_backend"), NULL, ngx_http_recovery_variable,
      NGX_HTTP_RECOVERY_VAR_BACKEND, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_recovery_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_recovery_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const char                    *text;
    ngx_http_recovery_ctx_t       *ctx;
    ngx_http_recovery_decision_t  *decision;

    ctx = ngx_http_recovery_ctx(r);
    decision = ctx ? ngx_http_recovery_told(ctx) : NULL;

    if (decision == NULL) {

        if (data != NGX_HTTP_RECOVERY_VAR_OUTCOME
            && data != NGX_HTTP_RECOVERY_VAR_REASON)
        {
            v->not_found = 1;
            return NGX_OK;
        }

        text = "none";

    } else {

        switch (data) {

        case NGX_HTTP_RECOVERY_VAR_OUTCOME:
            text = rcv_outcome_names[decision->outcome];
            break;

        case NGX_HTTP_RECOVERY_VAR_REASON:
            text = rcv_reason_names[decision->reason];
            break;

        case NGX_HTTP_RECOVERY_VAR_CLASS:
            text = decision->backend->policy->core
                       ->classes[decision->class_index].name;
            break;

        case NGX_HTTP_RECOVERY_VAR_PHASE:
            text = rcv_phase_names[decision->ticket.phase];
            break;

        default: /* NGX_HTTP_RECOVERY_VAR_BACKEND */
            v->data = decision->backend->name.data;
            v->len = decision->backend->name.len;
            text = NULL;
            break;
        }
    }

    if (text != NULL) {
        v->data = (u_char *) text;
        v->len = ngx_strlen(text);
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_http_recovery_decision_t *
ngx_http_recovery_told(ngx_http_recovery_ctx_t *ctx)
{
    ngx_http_recovery_decision_t  *decision, *attempted;

    for (decision = ctx->decisions; decision; decision = decision->next) {
        if (decision->outcome != RCV_OUTCOME_PASSED) {
            return decision;
        }
    }

    attempted = ngx_http_recovery_rounds_told(ctx);

    if (ctx->decisions == NULL
        || (attempted != NULL && attempted->outcome != RCV_OUTCOME_PASSED))
    {
        return attempted;
    }

    return ctx->decisions;
}
