
/*
 * Slots of worker processes: which process is alive, whose permits come
 * back.
 */

#ifndef _NGX_HTTP_RECOVERY_SLOTS_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_SLOTS_H_INCLUDED_


#include "ngx_http_recovery.h"


/*
 * Is the process gone?  start is what was noted of it when it took its slot:
 * another process with the same pid does not pass for it.  0: only the pid
 * counts.
 */
ngx_uint_t ngx_http_recovery_process_gone(ngx_pid_t pid, uint64_t start);

/* Takes a slot for this process; leaves rmcf->slot NULL when all are taken. */
void ngx_http_recovery_slot_take(ngx_http_recovery_main_conf_t *rmcf);

/* Gives this process's slot back, at exit. */
void ngx_http_recovery_slot_leave(ngx_http_recovery_main_conf_t *rmcf);

/* The slot in which this process books from now on; NULL: none. */
void ngx_http_recovery_slot_use(ngx_http_recovery_main_conf_t *rmcf,
    rcv_slot_t *slot);

/* Empties the slots of dead processes.  Any worker may call it. */
void ngx_http_recovery_slots_reclaim(ngx_http_recovery_zone_t *zone);

/* How many processes have a slot. */
uint32_t ngx_http_recovery_processes(ngx_http_recovery_zone_t *zone);

/* Requests with a permit at a backend, of all processes. */
uint32_t ngx_http_recovery_in_flight(ngx_http_recovery_backend_t *backend);


#endif /* _NGX_HTTP_RECOVERY_SLOTS_H_INCLUDED_ */
