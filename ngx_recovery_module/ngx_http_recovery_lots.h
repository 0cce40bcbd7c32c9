
/*
 * What this process has taken in advance (admit.h) goes back after a while:
 * another one may need it.
 */

#ifndef _NGX_HTTP_RECOVERY_LOTS_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_LOTS_H_INCLUDED_


#include "ngx_http_recovery.h"


/* Sees to it that the lots of a backend are settled. */
void ngx_http_recovery_lots_watch(ngx_http_recovery_backend_t *backend);

/* Settles all of them now; no request is decided here any more. */
void ngx_http_recovery_lots_leave(ngx_http_recovery_main_conf_t *rmcf);


/* After each decision: most take no lot. */

static ngx_inline void
ngx_http_recovery_lots_look(ngx_http_recovery_backend_t *backend)
{
    if (backend->gate.news) {
        ngx_http_recovery_lots_watch(backend);
    }
}


#endif /* _NGX_HTTP_RECOVERY_LOTS_H_INCLUDED_ */
