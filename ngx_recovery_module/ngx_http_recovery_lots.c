
/*
 * A timer for as long as there is something to give back, and no longer: a
 * process that serves nobody does not wake up.
 */

#include "ngx_http_recovery_lots.h"


/*
 * Long enough that a busy process takes few lots, short enough that who needs
 * the places does not wait for those of an idle one.
 */
#define NGX_HTTP_RECOVERY_LOTS_MS  100


static void ngx_http_recovery_lots_over(ngx_event_t *event);
static void ngx_http_recovery_lots_settle(
    ngx_http_recovery_main_conf_t *rmcf);


void
ngx_http_recovery_lots_watch(ngx_http_recovery_backend_t *backend)
{
    ngx_event_t  *event;

    backend->gate.news = 0;
    event = &backend->main->lots_event;

    if (event->timer_set) {
        return;
    }

    event->handler = ngx_http_recovery_lots_over;
    event->data = backend->main;
    event->log = ngx_cycle->log;
    event->cancelable = 1;

    ngx_add_timer(event, NGX_HTTP_RECOVERY_LOTS_MS);
}


static void
ngx_http_recovery_lots_over(ngx_event_t *event)
{
    ngx_http_recovery_lots_settle(event->data);
}


static void
ngx_http_recovery_lots_settle(ngx_http_recovery_main_conf_t *rmcf)
{
    ngx_uint_t                     i;
    ngx_http_recovery_backend_t  **backends;

    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        rcv_admit_settle(&backends[i]->gate);
    }
}


void
ngx_http_recovery_lots_leave(ngx_http_recovery_main_conf_t *rmcf)
{
    if (rmcf->lots_event.timer_set) {
        ngx_del_timer(&rmcf->lots_event);
    }

    ngx_http_recovery_lots_settle(rmcf);
}
