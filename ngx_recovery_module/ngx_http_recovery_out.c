
#include "ngx_http_recovery_out.h"


static ngx_int_t ngx_http_recovery_out_grow(ngx_http_recovery_out_t *out,
    size_t len);
static ngx_int_t ngx_http_recovery_out_add(ngx_http_recovery_out_t *out,
    ngx_buf_t *b);


void
ngx_http_recovery_out_init(ngx_http_recovery_out_t *out, ngx_pool_t *pool)
{
    ngx_memzero(out, sizeof(ngx_http_recovery_out_t));

    out->pool = pool;
    out->next = &out->first;
}


off_t
ngx_http_recovery_out_size(ngx_http_recovery_out_t *out)
{
    return out->buf ? out->size + (out->buf->last - out->buf->pos) : 0;
}


static ngx_int_t
ngx_http_recovery_out_grow(ngx_http_recovery_out_t *out, size_t len)
{
    if (out->failed) {
        return NGX_ERROR;
    }

    return ngx_http_recovery_out_add(out,
                 ngx_create_temp_buf(out->pool,
                                ngx_max(len, NGX_HTTP_RECOVERY_OUT_BUFFER)));
}


/* b is the last one from now on; NULL: there was no memory for it. */

static ngx_int_t
ngx_http_recovery_out_add(ngx_http_recovery_out_t *out, ngx_buf_t *b)
{
    off_t         size;
    ngx_chain_t  *cl;

    size = ngx_http_recovery_out_size(out);
    cl = ngx_alloc_chain_link(out->pool);

    if (b == NULL || cl == NULL) {
        out->failed = 1;
        return NGX_ERROR;
    }

    cl->buf = b;
    cl->next = NULL;

    *out->next = cl;
    out->next = &cl->next;
    out->buf = b;
    out->size = size;

    return NGX_OK;
}


u_char *
ngx_http_recovery_out_room(ngx_http_recovery_out_t *out, size_t len)
{
    if ((out->buf == NULL || (size_t) (out->buf->end - out->buf->last) < len)
        && ngx_http_recovery_out_grow(out, len) != NGX_OK)
    {
        return NULL;
    }

    return out->failed ? NULL : out->buf->last;
}


void
ngx_http_recovery_out_bytes(ngx_http_recovery_out_t *out, const void *data,
    size_t len)
{
    size_t         room;
    const u_char  *p;

    p = data;

    for ( ;; ) {
        if (out->failed) {
            return;
        }

        if (out->buf) {
            room = ngx_min(len, (size_t) (out->buf->end - out->buf->last));
            out->buf->last = ngx_cpymem(out->buf->last, p, room);
            p += room;
            len -= room;
        }

        if (len == 0 || ngx_http_recovery_out_grow(out, 1) != NGX_OK) {
            return;
        }
    }
}


/* The buffer has no room: what comes next begins another one. */

void
ngx_http_recovery_out_static(ngx_http_recovery_out_t *out, const ngx_str_t *s)
{
    ngx_buf_t  *b;

    if (out->failed) {
        return;
    }

    b = ngx_calloc_buf(out->pool);

    if (b) {
        b->memory = 1;
        b->start = s->data;
        b->pos = s->data;
        b->last = s->data + s->len;
        b->end = b->last;
    }

    (void) ngx_http_recovery_out_add(out, b);
}


u_char *
ngx_http_recovery_decimal(u_char *p, uint64_t n, ngx_uint_t digits)
{
    uint64_t    scale;
    ngx_uint_t  i;

    scale = 1;

    for (i = 0; i < digits; i++) {
        scale *= 10;
    }

    p = ngx_sprintf(p, "%uL", n / scale);
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


void
ngx_http_recovery_out_label(ngx_http_recovery_out_t *out, const ngx_str_t *s)
{
    size_t   i;
    u_char  *p, ch;

    p = ngx_http_recovery_out_room(out, 2 * s->len);

    if (p == NULL) {
        return;
    }

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if (ch == '\\' || ch == '"' || ch == '\n') {
            *p++ = '\\';
        }

        *p++ = (ch == '\n') ? 'n' : ch;
    }

    ngx_http_recovery_out_advance(out, p);
}
