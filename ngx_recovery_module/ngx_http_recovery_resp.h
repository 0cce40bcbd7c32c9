
/*
 * Replies of a server that is not trusted: bytes in, replies out.
 *
 * hiredis' reader does the protocol; this file says how much of it a reply
 * may be, because the reader of hiredis 0.14 believes an array that claims
 * 10^9 elements.  A long string is cut before the reader sees it, so that it
 * costs itself alone.  Replies are built in an arena of fixed size: no malloc
 * per reply.  There is no nginx in here, so that tests and the fuzzer can run
 * it alone.
 *
 * RESP2 only: what RESP3 added is refused as any other garbage is (a null of
 * RESP3 is nil with a hiredis that knows it).
 */

#ifndef _NGX_HTTP_RECOVERY_RESP_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_RESP_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define NGX_HTTP_RECOVERY_RESP_BYTES     65536   /* of an unfinished reply */
#define NGX_HTTP_RECOVERY_RESP_TEXT      4096    /* of a string: cut */
#define NGX_HTTP_RECOVERY_RESP_STRING_MAX  1048576   /* of one that is cut */
#define NGX_HTTP_RECOVERY_RESP_HEADER    24      /* bytes of "$length" */
#define NGX_HTTP_RECOVERY_RESP_ELEMENTS  64      /* of one array */
#define NGX_HTTP_RECOVERY_RESP_DEPTH     3       /* arrays in each other */

/* In all of a reply: ROLE has four for each replica. */
#define NGX_HTTP_RECOVERY_RESP_VALUES    273


typedef enum {
    NGX_HTTP_RECOVERY_RESP_NIL = 0,
    NGX_HTTP_RECOVERY_RESP_STRING,
    NGX_HTTP_RECOVERY_RESP_STATUS,
    NGX_HTTP_RECOVERY_RESP_ERROR,
    NGX_HTTP_RECOVERY_RESP_INTEGER,
    NGX_HTTP_RECOVERY_RESP_ARRAY
} ngx_http_recovery_resp_type_t;


typedef struct ngx_http_recovery_resp_value_s
    ngx_http_recovery_resp_value_t;

struct ngx_http_recovery_resp_value_s {
    ngx_http_recovery_resp_type_t    type;

    /* string, status, error: not NULL, not terminated; array: elements */
    size_t                           len;
    const char                      *data;
    ngx_http_recovery_resp_value_t  *elements;

    int64_t                          integer;
};


typedef struct {
    void                            *reader;        /* redisReader */
    const char                      *error;         /* NULL: none so far */
    const char                      *refused;       /* where bytes end */
    size_t                           unfinished;    /* bytes */

    /* where we are in the stream: in a line, or in a string ... */
    size_t                           keep;          /* ... its next bytes */
    size_t                           skip;          /* those after them */
    size_t                           tail;          /* and its CRLF */
    unsigned                         in_line;
    size_t                           nheader;
    char                             header[NGX_HTTP_RECOVERY_RESP_HEADER];
    size_t                           nvalues;
    size_t                           ntext;
    ngx_http_recovery_resp_value_t   values[NGX_HTTP_RECOVERY_RESP_VALUES];
    char                             text[NGX_HTTP_RECOVERY_RESP_BYTES];
} ngx_http_recovery_resp_t;


/* Returns -1 when there is no memory.  The struct must not be moved. */
int ngx_http_recovery_resp_init(ngx_http_recovery_resp_t *resp);
void ngx_http_recovery_resp_free(ngx_http_recovery_resp_t *resp);

/*
 * Takes bytes as they came, cut anywhere.  Returns -1 when they are too many
 * without a reply being complete: read with _next() until it says 0 before
 * feeding more.
 */
int ngx_http_recovery_resp_feed(ngx_http_recovery_resp_t *resp,
    const char *data, size_t len);

/*
 * 1: *reply is the next complete one, valid until the next call of _next();
 * 0: more bytes are needed; -1: not the protocol, or more than is allowed.
 * After -1 the stream is lost for good, and resp->error says why (words that
 * may be logged as they are).
 */
int ngx_http_recovery_resp_next(ngx_http_recovery_resp_t *resp,
    const ngx_http_recovery_resp_value_t **reply);


#endif /* _NGX_HTTP_RECOVERY_RESP_H_INCLUDED_ */
