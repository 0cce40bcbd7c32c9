
/*
 * recovery_state_file: what goes into it and when (_state.c), and what comes
 * back from it (_state_load.c).
 *
 *   the master    reads it for a zone that is new, before there is a worker:
 *                 not one request is decided by less than what was known
 *   the leader    writes it, and reads it once more when its zone has slept
 *                 while another process tree led: after an upgrade (USR2)
 *                 that was called off
 *
 * The zone has what the status shows of it, and who wrote what (kept in
 * zone.h): a tree writes over its own file and over that of the one it went
 * on from, and leaves alone what a third one keeps up.
 */

#ifndef _NGX_HTTP_RECOVERY_STATE_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_STATE_H_INCLUDED_


#include "ngx_http_recovery_leader.h"
#include "ngx_http_recovery_file.h"
#include "restore.h"


/* A change that allows less is written after so long, others later. */
#define NGX_HTTP_RECOVERY_STATE_SOON_MS    1000
#define NGX_HTTP_RECOVERY_STATE_LATER_MS   5000
#define NGX_HTTP_RECOVERY_STATE_AGAIN_MS   60000    /* nothing has changed */

/* A zone without a leader for so long has slept. */
#define NGX_HTTP_RECOVERY_STATE_SLEPT_MS   3000


/* What a file has given, while a zone is being filled from it. */

struct ngx_http_recovery_loaded_s {
    rcv_snapshot_reader_t   reader;
    uint64_t                age_ms;
    void                   *data;               /* malloc()ed; NULL: none */
};


/* _state_load.c */

/* Reads and judges the file, and notes in the zone what came of it. */
void ngx_http_recovery_state_load(ngx_http_recovery_main_conf_t *rmcf,
    ngx_http_recovery_zone_t *zone, ngx_http_recovery_loaded_t *loaded,
    ngx_log_t *log);
void ngx_http_recovery_state_unload(ngx_http_recovery_loaded_t *loaded);

/* Into a state that has just been made; 0: the file has none of its name. */
ngx_uint_t ngx_http_recovery_state_apply(
    ngx_http_recovery_main_conf_t *rmcf, ngx_http_recovery_zone_t *zone,
    ngx_http_recovery_loaded_t *loaded, ngx_http_recovery_backend_t *backend,
    rcv_state_t *state);

/* A leader that begins: has its zone slept while others led? */
void ngx_http_recovery_state_wake(ngx_http_recovery_main_conf_t *rmcf,
    ngx_log_t *log);


/* _state.c; NULL: no file is configured, or no memory */

ngx_http_recovery_keeper_t *ngx_http_recovery_state_keeper(
    ngx_http_recovery_leader_t *leader);

/* A backend has ticked. */
void ngx_http_recovery_state_note(ngx_http_recovery_keeper_t *keeper,
    ngx_uint_t i, const rcv_state_t *state);

/* Once in every tick of the leader. */
void ngx_http_recovery_state_turn(ngx_http_recovery_keeper_t *keeper);

/* The end of the leader's reign; last: what there is, now, and wait for it. */
void ngx_http_recovery_state_end(ngx_http_recovery_keeper_t *keeper,
    ngx_uint_t last);

/* "WHAT: STEP failed (...)", or "WHAT: it is ...", for the status. */
void ngx_http_recovery_state_error(ngx_http_recovery_kept_t *kept,
    const char *what, const ngx_http_recovery_file_outcome_t *outcome);

/* At start, reload and nginx -t: warns when workers could not write it. */
void ngx_http_recovery_state_check(ngx_cycle_t *cycle,
    ngx_http_recovery_main_conf_t *rmcf);


static ngx_inline uint64_t
ngx_http_recovery_unix_ms(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


#endif /* _NGX_HTTP_RECOVERY_STATE_H_INCLUDED_ */
