
#include "ngx_http_recovery.h"
#include "ngx_http_recovery_out.h"


static ngx_chain_t *ngx_http_recovery_out_take(ngx_http_recovery_out_t *out,
    size_t len);
static void ngx_http_recovery_out_add(ngx_http_recovery_out_t *out,
    ngx_chain_t *cl);


static const uint64_t  ngx_http_recovery_scales[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000
};


void
ngx_http_recovery_out_init(ngx_http_recovery_out_t *out, ngx_pool_t *pool)
{
    ngx_memzero(out, sizeof(ngx_http_recovery_out_t));

    out->pool = pool;
    out->next = &out->first;
}


ngx_chain_t *
ngx_http_recovery_out_chain(ngx_http_recovery_out_t *out)
{
    if (out->buf) {
        out->buf->last = out->pos;
    }

    return out->first;
}


void
ngx_http_recovery_out_reset(ngx_http_recovery_out_t *out)
{
    out->first = NULL;
    out->next = &out->first;
    out->buf = NULL;
    out->pos = NULL;
    out->end = NULL;
    out->size = 0;
}


u_char *
ngx_http_recovery_out_grow(ngx_http_recovery_out_t *out, size_t len)
{
    ngx_chain_t  *cl;

    if (out->failed) {
        return NULL;
    }

    cl = ngx_http_recovery_out_take(out, len);

    if (cl == NULL) {
        out->end = out->pos;
        out->failed = 1;
        return NULL;
    }

    ngx_http_recovery_out_add(out, cl);

    return out->pos;
}


static ngx_chain_t *
ngx_http_recovery_out_take(ngx_http_recovery_out_t *out, size_t len)
{
    ngx_chain_t  *cl;

    cl = out->free;

    if (cl && (size_t) (cl->buf->end - cl->buf->start) >= len) {
        out->free = cl->next;
        return cl;
    }

    cl = ngx_alloc_chain_link(out->pool);
    if (cl == NULL) {
        return NULL;
    }

    cl->buf = ngx_create_temp_buf(out->pool,
                                  ngx_max(len, NGX_HTTP_RECOVERY_OUT_BUFFER));
    if (cl->buf == NULL) {
        return NULL;
    }

    cl->buf->tag = (ngx_buf_tag_t) &ngx_http_recovery_module;

    return cl;
}


/* It is the last one from now on. */

static void
ngx_http_recovery_out_add(ngx_http_recovery_out_t *out, ngx_chain_t *cl)
{
    out->size = ngx_http_recovery_out_size(out);
    (void) ngx_http_recovery_out_chain(out);

    cl->next = NULL;
    *out->next = cl;
    out->next = &cl->next;

    out->buf = cl->buf;
    out->pos = cl->buf->last;
    out->end = cl->buf->end;
}


/* What there is no room for in one piece. */

void
ngx_http_recovery_out_split(ngx_http_recovery_out_t *out, const void *data,
    size_t len)
{
    size_t         room;
    const u_char  *p;

    p = data;

    for ( ;; ) {
        room = ngx_min(len, (size_t) (out->end - out->pos));

        if (room) {
            out->pos = ngx_cpymem(out->pos, p, room);
            p += room;
            len -= room;
        }

        if (len == 0 || ngx_http_recovery_out_grow(out, 1) == NULL) {
            return;
        }
    }
}


/* The buffer has no room: what comes next begins another one. */

void
ngx_http_recovery_out_static(ngx_http_recovery_out_t *out, const ngx_str_t *s)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (out->failed) {
        return;
    }

    b = ngx_calloc_buf(out->pool);
    cl = ngx_alloc_chain_link(out->pool);

    if (b == NULL || cl == NULL) {
        out->end = out->pos;
        out->failed = 1;
        return;
    }

    b->memory = 1;
    b->start = s->data;
    b->pos = s->data;
    b->last = s->data + s->len;
    b->end = b->last;

    cl->buf = b;
    ngx_http_recovery_out_add(out, cl);
}


static u_char *
ngx_http_recovery_digits(u_char *p, uint64_t n)
{
    u_char  *q, text[NGX_INT64_LEN];

    if (n < 10) {
        *p++ = (u_char) ('0' + n);
        return p;
    }

    q = text + sizeof(text);

    do {
        *--q = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return ngx_cpymem(p, q, text + sizeof(text) - q);
}


u_char *
ngx_http_recovery_decimal(u_char *p, uint64_t n, ngx_uint_t digits)
{
    uint64_t  scale;

    if (digits == 0) {
        return ngx_http_recovery_digits(p, n);
    }

    scale = ngx_http_recovery_scales[digits];

    p = ngx_http_recovery_digits(p, n / scale);
    n %= scale;

    if (n) {
        *p++ = '.';
    }

    while (n) {
        scale /= 10;
        *p++ = (u_char) ('0' + n / scale);
        n %= scale;
    }

    return p;
}


void
ngx_http_recovery_out_decimal(ngx_http_recovery_out_t *out, uint64_t n,
    ngx_uint_t digits)
{
    u_char  *p;

    p = ngx_http_recovery_out_room(out, NGX_HTTP_RECOVERY_DECIMAL_LEN);

    if (p) {
        p = ngx_http_recovery_decimal(p, n, digits);
        ngx_http_recovery_out_advance(out, p);
    }
}


void
ngx_http_recovery_out_time(ngx_http_recovery_out_t *out, uint64_t unix_ms)
{
    u_char    *p;
    ngx_tm_t   tm;

    p = ngx_http_recovery_out_room(out, sizeof("1970-01-01T00:00:00.000Z")
                                        + NGX_INT64_LEN);
    if (p == NULL) {
        return;
    }

    ngx_gmtime((time_t) (unix_ms / 1000), &tm);

    p = ngx_sprintf(p, "%4d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                    (int) (unix_ms % 1000));

    ngx_http_recovery_out_advance(out, p);
}


void
ngx_http_recovery_out_json(ngx_http_recovery_out_t *out, const ngx_str_t *s)
{
    u_char     *p;
    uintptr_t   more;

    more = ngx_escape_json(NULL, s->data, s->len);

    if (more == 0) {
        ngx_http_recovery_out_str(out, s);
        return;
    }

    p = ngx_http_recovery_out_room(out, s->len + more);

    if (p) {
        p = (u_char *) ngx_escape_json(p, s->data, s->len);
        ngx_http_recovery_out_advance(out, p);
    }
}


void
ngx_http_recovery_out_html(ngx_http_recovery_out_t *out, const ngx_str_t *s)
{
    u_char     *p;
    uintptr_t   more;

    more = ngx_escape_html(NULL, s->data, s->len);

    if (more == 0) {
        ngx_http_recovery_out_str(out, s);
        return;
    }

    p = ngx_http_recovery_out_room(out, s->len + more);

    if (p) {
        p = (u_char *) ngx_escape_html(p, s->data, s->len);
        ngx_http_recovery_out_advance(out, p);
    }
}
