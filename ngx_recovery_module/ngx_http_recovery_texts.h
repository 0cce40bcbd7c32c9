
/*
 * Who said it and why: "by" and "reason" of backends, display only, in a pool
 * that all backends share.  Few have such texts at a time, and a thousand
 * times two texts would be a seventh of the zone.
 *
 * An entry is found by the number of its backend's record.  Its word tells
 * whose it is, whether a force stands behind it, and a version: a reader that
 * finds the word unchanged behind its copy has both texts of one writing.
 * The leader writes those that the source has.  Those of an order are written
 * by the worker that it came to, and count once the state refers to them.
 * What a process leaves that dies in between is swept up by the leader.
 */

#ifndef _NGX_HTTP_RECOVERY_TEXTS_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_TEXTS_H_INCLUDED_


#include "ngx_http_recovery.h"


/* How many a zone of this many bytes has: small ones spend a part of 64. */
ngx_uint_t ngx_http_recovery_texts_count(size_t size);

/*
 * Leader: the texts that the source has of a record from now on; both empty:
 * none.  NGX_DECLINED when all entries are taken.  A forced one may take the
 * entry of one that is not: who shut a backend is worth more than who called
 * it healthy.
 */
ngx_int_t ngx_http_recovery_texts_set(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, ngx_uint_t forced,
    const ngx_http_recovery_texts_t *texts);

/* Of the source.  Any process.  Empty when there are none. */
void ngx_http_recovery_texts_get(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, ngx_http_recovery_texts_t *texts);

/* Forgets all of them: the record is another backend's from now on. */
void ngx_http_recovery_texts_drop(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record);

/*
 * The texts of an order, which the state of the record will refer to by the
 * number returned.  Any process; 0: they are empty, or there is no room.
 */
uint8_t ngx_http_recovery_texts_put(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, const ngx_http_recovery_texts_t *texts);

/* Nobody refers to it any more; 0 is none. */
void ngx_http_recovery_texts_unput(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, ngx_uint_t number);

/* What is there by that number.  Empty when it is not the record's. */
void ngx_http_recovery_texts_at(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, ngx_uint_t number, ngx_http_recovery_texts_t *texts);

/*
 * Leader, once a second: frees what nobody refers to any more, or has not
 * finished writing, if that was so already the last time.  seen has
 * NGX_HTTP_RECOVERY_TEXTS words for it.
 */
void ngx_http_recovery_texts_sweep(ngx_http_recovery_zone_t *zone,
    uint64_t *seen);


#endif /* _NGX_HTTP_RECOVERY_TEXTS_H_INCLUDED_ */
