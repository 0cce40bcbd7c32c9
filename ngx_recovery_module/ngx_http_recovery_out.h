
/*
 * Text going out: a chain of buffers of one bounded size, so that the status
 * of a thousand backends needs no contiguous megabytes and nothing is copied
 * twice.  Buffers that were sent are written again: see "free".
 *
 * A failed allocation is remembered in "failed" and makes every later call a
 * no-op: whoever renders writes straight on, whoever sends looks once.
 */

#ifndef _NGX_HTTP_RECOVERY_OUT_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_OUT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_RECOVERY_OUT_BUFFER  16384


/* More than this is sent before more is written: see _stream.c. */
#define NGX_HTTP_RECOVERY_OUT_PIECE   65536


typedef struct {
    ngx_pool_t          *pool;
    ngx_chain_t         *first;
    ngx_chain_t        **next;
    ngx_chain_t         *free;          /* to take before a new one is made */
    ngx_buf_t           *buf;           /* the last one; NULL: none yet */
    u_char              *pos;           /* what is left of it */
    u_char              *end;
    off_t                size;          /* bytes in all buffers before it */
    ngx_uint_t           failed;
} ngx_http_recovery_out_t;


void ngx_http_recovery_out_init(ngx_http_recovery_out_t *out,
    ngx_pool_t *pool);

/* All that was written, to be sent; then _reset(), and it begins anew. */
ngx_chain_t *ngx_http_recovery_out_chain(ngx_http_recovery_out_t *out);
void ngx_http_recovery_out_reset(ngx_http_recovery_out_t *out);

/* All bytes written so far. */

static ngx_inline off_t
ngx_http_recovery_out_size(const ngx_http_recovery_out_t *out)
{
    return out->buf ? out->size + (out->pos - out->buf->pos) : 0;
}


/* Room for len bytes in one piece, or NULL; then _advance() to its end. */

u_char *ngx_http_recovery_out_grow(ngx_http_recovery_out_t *out, size_t len);

static ngx_inline u_char *
ngx_http_recovery_out_room(ngx_http_recovery_out_t *out, size_t len)
{
    return (size_t) (out->end - out->pos) < len
           ? ngx_http_recovery_out_grow(out, len) : out->pos;
}


static ngx_inline void
ngx_http_recovery_out_advance(ngx_http_recovery_out_t *out, u_char *end)
{
    out->pos = end;
}


void ngx_http_recovery_out_split(ngx_http_recovery_out_t *out,
    const void *data, size_t len);

static ngx_inline void
ngx_http_recovery_out_bytes(ngx_http_recovery_out_t *out, const void *data,
    size_t len)
{
    if ((size_t) (out->end - out->pos) < len) {
        ngx_http_recovery_out_split(out, data, len);
        return;
    }

    out->pos = ngx_cpymem(out->pos, data, len);
}


static ngx_inline void
ngx_http_recovery_out_str(ngx_http_recovery_out_t *out, const ngx_str_t *s)
{
    ngx_http_recovery_out_bytes(out, s->data, s->len);
}


/* A string literal. */
#define ngx_http_recovery_out_text(out, text)                                 \
    ngx_http_recovery_out_bytes(out, text, sizeof(text) - 1)

/* Bytes that outlive the request: sent from where they are. */
void ngx_http_recovery_out_static(ngx_http_recovery_out_t *out,
    const ngx_str_t *s);

/* n / 10^digits, digits <= 9, no zeros at the end: 1500, 3 -> "1.5". */
void ngx_http_recovery_out_decimal(ngx_http_recovery_out_t *out, uint64_t n,
    ngx_uint_t digits);

u_char *ngx_http_recovery_decimal(u_char *p, uint64_t n, ngx_uint_t digits);

/* With its point and, for who wants to write one, a NUL. */
#define NGX_HTTP_RECOVERY_DECIMAL_LEN  (NGX_INT64_LEN + 2)

/* "2025-06-12T17:51:00.250Z" */
void ngx_http_recovery_out_time(ngx_http_recovery_out_t *out,
    uint64_t unix_ms);

/* Escaped, without quotes.  The text must be valid UTF-8 (_view.c sees to
   it); no text is longer than a few hundred bytes. */
void ngx_http_recovery_out_json(ngx_http_recovery_out_t *out,
    const ngx_str_t *s);
void ngx_http_recovery_out_html(ngx_http_recovery_out_t *out,
    const ngx_str_t *s);


#endif /* _NGX_HTTP_RECOVERY_OUT_H_INCLUDED_ */
