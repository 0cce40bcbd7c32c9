
/*
 * The audit: events of all backends, appended to a capped stream in Redis.
 *
 * The rings of events in the zone are the queue: what was not sent yet waits
 * there, up to 32 of each backend, whoever leads; what is overwritten
 * meanwhile is counted as dropped.  An event goes out with the next batch of
 * questions, and is done with when its XADD was answered: one that was on its
 * way when the connection broke is sent once more.
 */

#ifndef _NGX_HTTP_RECOVERY_AUDIT_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_AUDIT_H_INCLUDED_


#include "ngx_http_recovery_redis.h"


#define NGX_HTTP_RECOVERY_AUDIT_BATCH    8
#define NGX_HTTP_RECOVERY_AUDIT_ENTRIES  10000   /* of the stream, some more */

/* Bytes of the largest XADD. */
#define NGX_HTTP_RECOVERY_AUDIT_COMMAND_MAX  1536


typedef struct {
    ngx_uint_t                  n;          /* on their way */
    ngx_uint_t                  answered;
    ngx_uint_t                  next;       /* backend to go on with */
    ngx_uint_t                  backend[NGX_HTTP_RECOVERY_AUDIT_BATCH];
    uint32_t                    event[NGX_HTTP_RECOVERY_AUDIT_BATCH];
    unsigned                    off:1;      /* refused on this connection */
    unsigned                    said:1;
} ngx_http_recovery_audit_t;


/* A new connection: nothing is on its way. */
void ngx_http_recovery_audit_ready(ngx_http_recovery_audit_t *audit);

/* Adds to the batch.  NGX_ERROR: the link has failed. */
ngx_int_t ngx_http_recovery_audit_send(ngx_http_recovery_audit_t *audit,
    ngx_http_recovery_link_t *link);

void ngx_http_recovery_audit_reply(ngx_http_recovery_audit_t *audit,
    ngx_http_recovery_link_t *link,
    const ngx_http_recovery_resp_value_t *value);

/* Leader, once a second: gives up what its ring has overwritten. */
void ngx_http_recovery_audit_trim(ngx_http_recovery_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RECOVERY_AUDIT_H_INCLUDED_ */
