
/*
 * What this node tells others through Redis: that it is there, and of each
 * backend what its status shows.
 *
 *     <prefix>nodes               hash: node -> Redis' time in ms
 *     <prefix>node:NODE:BACKEND   the status' object of the backend, in JSON
 *
 * They go out with the questions of a batch (_source.h), or in one of their
 * own: at once what somebody waits for (an event, an epoch), each second what
 * is not quietly up, the rest every ten.  A bucket of tokens bounds what a
 * thousand backends may cost Redis.  Changes go first, and leave some for the
 * others, so that nobody is forgotten.
 *
 * Whoever may not write may still read: a refusal is told of once, tried again
 * after a pause, and hurts nothing else.
 */

#ifndef _NGX_HTTP_RECOVERY_REPORT_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_REPORT_H_INCLUDED_


#include "ngx_http_recovery_redis.h"


/* At most so many at once, and so many more a second: 64 in any second. */
#define NGX_HTTP_RECOVERY_REPORT_BATCH     16
#define NGX_HTTP_RECOVERY_REPORT_PER_S     48
#define NGX_HTTP_RECOVERY_REPORT_OTHERS    4    /* of a batch: no changes */

/* Bytes of the reports of one batch. */
#define NGX_HTTP_RECOVERY_REPORT_BYTES     65536


typedef struct {
    ngx_msec_t                  written_ms;
    uint64_t                    epoch;
    uint32_t                    nevents;
    unsigned                    has_epoch:1;
    unsigned                    noted:1;    /* the above is known */
    unsigned                    changed:1;
    unsigned                    written:1;  /* on this connection */
    unsigned                    quiet:1;
} ngx_http_recovery_report_entry_t;


typedef struct {
    ngx_uint_t                        nbackends;
    ngx_http_recovery_report_entry_t *entries;
    ngx_uint_t                        changed;      /* how many of them */
    ngx_uint_t                        next[2];      /* of either round */

    uint64_t                          unix_ms;      /* Redis' clock; 0: not
                                                       known yet ... */
    ngx_msec_t                        heard_ms;     /* ... as it was here */
    ngx_msec_t                        present_ms;   /* last told ... */
    uint64_t                          present_unix_ms;  /* ... so */
    uint64_t                          before_unix_ms;   /* ... and before */
    ngx_uint_t                        twins;        /* others' in a row */

    ngx_uint_t                        tokens_milli;
    ngx_msec_t                        filled_ms;

    ngx_uint_t                        n;            /* on their way */
    ngx_uint_t                        answered;
    ngx_msec_t                        refused_ms;
    unsigned                          present:1;    /* ... with those */
    unsigned                          more:1;       /* than went out */
    unsigned                          off:1;        /* refused */
    unsigned                          said:1;
    unsigned                          twins_said:1;
} ngx_http_recovery_report_t;


/* NGX_ERROR: no memory. */
ngx_int_t ngx_http_recovery_report_init(ngx_http_recovery_report_t *report,
    ngx_http_recovery_redis_t *redis);

/* A new connection: all is to be told anew. */
void ngx_http_recovery_report_ready(ngx_http_recovery_report_t *report);

/* Redis' clock now. */
void ngx_http_recovery_report_time(ngx_http_recovery_report_t *report,
    uint64_t unix_ms);

/* A backend has ticked.  1: somebody may be waiting to be told. */
ngx_uint_t ngx_http_recovery_report_note(ngx_http_recovery_report_t *report,
    ngx_uint_t i, ngx_http_recovery_record_t *record,
    const rcv_state_t *state);

/* When a batch should go out for their sake, if none does before. */
ngx_msec_t ngx_http_recovery_report_due(ngx_http_recovery_report_t *report,
    ngx_msec_t sent_ms);

/* Adds to the batch.  NGX_ERROR: the link has failed. */
ngx_int_t ngx_http_recovery_report_send(ngx_http_recovery_report_t *report,
    ngx_http_recovery_link_t *link);

void ngx_http_recovery_report_reply(ngx_http_recovery_report_t *report,
    ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);


#endif /* _NGX_HTTP_RECOVERY_REPORT_H_INCLUDED_ */
