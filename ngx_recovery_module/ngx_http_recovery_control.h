
/*
 * Orders of an operator: the handler of "recovery_control" (_control.c), what
 * carries them out (_order.c).
 */

#ifndef _NGX_HTTP_RECOVERY_CONTROL_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_CONTROL_H_INCLUDED_


#include "ngx_http_recovery.h"
#include "order.h"


/*
 * Carries an order out, at once and in this worker: when it returns NGX_OK
 * the gate is what the order makes it.  NGX_DECLINED: result says why not.
 * NGX_BUSY: other processes were writing all the time.
 */
ngx_int_t ngx_http_recovery_order(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_backend_t *backend, const rcv_order_t *order,
    rcv_order_result_t *result);


#endif /* _NGX_HTTP_RECOVERY_CONTROL_H_INCLUDED_ */
