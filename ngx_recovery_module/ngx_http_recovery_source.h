
/*
 * What we ask of Redis and what its replies mean.
 *
 * A poll is TIME and one HMGET per backend, in batches of which one is
 * outstanding at a time.  A message on the channel "<prefix>changed" puts
 * the backend that it names into the next batch, at once if the link is
 * idle and has not just asked: however many messages come, a backend has one
 * HMGET outstanding at most, and there are at most 100 such batches a second.
 *
 * What we write goes behind the questions: the audit, then the reports.  For
 * reports there are batches between the polls, too, without an HMGET.
 */

#ifndef _NGX_HTTP_RECOVERY_SOURCE_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_SOURCE_H_INCLUDED_


#include "ngx_http_recovery_audit.h"
#include "ngx_http_recovery_report.h"


#define NGX_HTTP_RECOVERY_SOURCE_BATCH       64     /* backends */
#define NGX_HTTP_RECOVERY_SOURCE_WANTED      32     /* of them by messages */
#define NGX_HTTP_RECOVERY_SOURCE_GAP_MS      10     /* between batches */
#define NGX_HTTP_RECOVERY_SOURCE_PING_MS     5000
#define NGX_HTTP_RECOVERY_SOURCE_PREFIX_MAX  64

/* Bytes of one HMGET or of anything smaller: 10 words with their lengths. */
#define NGX_HTTP_RECOVERY_SOURCE_COMMAND_MAX                                  \
    (NGX_HTTP_RECOVERY_SOURCE_PREFIX_MAX + RCV_NAME_MAX + 256)

/* Bytes of the largest batch. */
#define NGX_HTTP_RECOVERY_SOURCE_OUT                                          \
    ((NGX_HTTP_RECOVERY_SOURCE_BATCH + 1)                                     \
     * NGX_HTTP_RECOVERY_SOURCE_COMMAND_MAX                                   \
     + NGX_HTTP_RECOVERY_AUDIT_BATCH * NGX_HTTP_RECOVERY_AUDIT_COMMAND_MAX    \
     + NGX_HTTP_RECOVERY_REPORT_BYTES)


extern const ngx_http_recovery_link_use_t  ngx_http_recovery_source_commands;
extern const ngx_http_recovery_link_use_t
    ngx_http_recovery_source_subscriber;


/* NULL: no memory. */
ngx_http_recovery_source_t *ngx_http_recovery_source_create(
    ngx_http_recovery_redis_t *redis);


#endif /* _NGX_HTTP_RECOVERY_SOURCE_H_INCLUDED_ */
