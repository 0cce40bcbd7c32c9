
/*
 * An order is a turn of its backend in which no time passes: any worker can
 * make it, whoever leads, and whether anybody does.  The leader's next tick
 * goes on from there.
 */

#include "ngx_http_recovery_control.h"
#include "ngx_http_recovery_leader.h"
#include "ngx_http_recovery_texts.h"


/* A turn takes some microseconds; its worker may lose the CPU meanwhile. */
#define NGX_HTTP_RECOVERY_ORDER_TRIES  2000


static ngx_int_t ngx_http_recovery_order_try(
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_backend_t *backend,
    const rcv_order_t *order, uint8_t text, rcv_order_result_t *result);
static void ngx_http_recovery_order_forget(
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_backend_t *backend,
    const rcv_override_t *override, ngx_uint_t text);


ngx_int_t
ngx_http_recovery_order(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_backend_t *backend, const rcv_order_t *order,
    rcv_order_result_t *result)
{
    uint8_t                    text;
    ngx_int_t                  rc;
    ngx_uint_t                 tries;
    ngx_http_recovery_texts_t  texts;

    ngx_memcpy(texts.by, order->by, sizeof(texts.by));
    ngx_memcpy(texts.reason, order->reason, sizeof(texts.reason));

    text = ngx_http_recovery_texts_put(rmcf->zone, backend->index, &texts);

    *result = RCV_ORDER_OK;
    rc = NGX_BUSY;

    for (tries = 0; rc == NGX_BUSY && tries < NGX_HTTP_RECOVERY_ORDER_TRIES;
         tries++)
    {
        if (ngx_http_recovery_pen_take(backend->record) != NGX_OK) {
            ngx_sched_yield();
            continue;
        }

        rc = ngx_http_recovery_order_try(rmcf, backend, order, text, result);

        ngx_http_recovery_pen_give(backend->record);
    }

    return rc;
}


/* With the pen.  What the new state refers to no more gives its room back. */

static ngx_int_t
ngx_http_recovery_order_try(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_backend_t *backend, const rcv_order_t *order,
    uint8_t text, rcv_order_result_t *result)
{
    rcv_override_t            before;
    ngx_http_recovery_turn_t  turn;

    ngx_http_recovery_turn_begin(rmcf, backend, &turn);

    before = turn.state.override;
    *result = rcv_order_apply(&turn.state, backend->policy->core, order, text,
                              turn.now_ms);

    if (*result != RCV_ORDER_OK) {
        ngx_http_recovery_texts_unput(rmcf->zone, backend->index, text);
        return NGX_DECLINED;
    }

    turn.by = NGX_HTTP_RECOVERY_BY_LOCAL;

    if (ngx_http_recovery_turn_end(&turn) != NGX_OK) {
        return NGX_BUSY;
    }

    ngx_http_recovery_order_forget(rmcf, backend, &turn.state.override,
                                   before.force_text);
    ngx_http_recovery_order_forget(rmcf, backend, &turn.state.override,
                                   before.health_text);
    ngx_http_recovery_order_forget(rmcf, backend, &turn.state.override, text);

    return NGX_OK;
}


static void
ngx_http_recovery_order_forget(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_backend_t *backend, const rcv_override_t *override,
    ngx_uint_t text)
{
    if (text != override->force_text && text != override->health_text) {
        ngx_http_recovery_texts_unput(rmcf->zone, backend->index, text);
    }
}
