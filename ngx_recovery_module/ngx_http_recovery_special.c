
/*
 * nginx's own page for a status, sent in one piece: the same bytes and headers
 * by half of the way.
 *
 * nginx makes it of two or three buffers, on a way that looks for an error
 * page first.  Here is the usual case: a main request of which nothing else is
 * to be told, no "error_page", no header yet.  All others go nginx's way.
 *
 * What the page is we only believe to know: nginx may be built under another
 * name.  So its own is sent and compared until it has been seen to be ours,
 * and for good if it is another one.
 */

#include <nginx.h>
#include "ngx_http_recovery_ask.h"


typedef enum {
    NGX_HTTP_RECOVERY_SPECIAL_UNSEEN = 0,
    NGX_HTTP_RECOVERY_SPECIAL_OURS,
    NGX_HTTP_RECOVERY_SPECIAL_OTHER
} ngx_http_recovery_seen_t;


typedef struct {
    ngx_str_t                   text;
    ngx_http_recovery_seen_t    seen;           /* by this process */
    ngx_buf_t                   buf;            /* to be copied */
} ngx_http_recovery_piece_t;


/* What each answer needs of its own. */

typedef struct {
    ngx_chain_t                 out;
    ngx_buf_t                   buf;
} ngx_http_recovery_sent_t;


struct ngx_http_recovery_special_s {
    ngx_uint_t                  status;
    ngx_uint_t                  server_tokens;
    ngx_http_recovery_piece_t   pieces[2];      /* without, with padding */
};


static ngx_inline ngx_http_recovery_piece_t *ngx_http_recovery_piece(
    ngx_http_request_t *r, ngx_http_recovery_loc_conf_t *rlcf);
static void ngx_http_recovery_piece_buf(ngx_http_recovery_piece_t *piece);
static ngx_int_t ngx_http_recovery_special_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_http_recovery_piece_t *piece);
static ngx_inline ngx_int_t ngx_http_recovery_special_body(
    ngx_http_request_t *r, ngx_http_recovery_piece_t *piece);


#define NGX_HTTP_RECOVERY_HEAD(status)                                        \
    "<html>" CRLF                                                             \
    "<head><title>" status "</title></head>" CRLF                             \
    "<body>" CRLF                                                             \
    "<center><h1>" status "</h1></center>" CRLF

#define NGX_HTTP_RECOVERY_TAIL(name)                                          \
    "<hr><center>" name "</center>" CRLF                                      \
    "</body>" CRLF                                                            \
    "</html>" CRLF

#define NGX_HTTP_RECOVERY_COMMENT                                             \
    "<!-- a padding to disable MSIE and Chrome friendly error page -->" CRLF

#define NGX_HTTP_RECOVERY_PADDING                                             \
    NGX_HTTP_RECOVERY_COMMENT NGX_HTTP_RECOVERY_COMMENT                       \
    NGX_HTTP_RECOVERY_COMMENT NGX_HTTP_RECOVERY_COMMENT                       \
    NGX_HTTP_RECOVERY_COMMENT NGX_HTTP_RECOVERY_COMMENT

#define NGX_HTTP_RECOVERY_PIECES(status, name)                                \
    { { ngx_string(NGX_HTTP_RECOVERY_HEAD(status)                             \
                   NGX_HTTP_RECOVERY_TAIL(name)),                             \
        NGX_HTTP_RECOVERY_SPECIAL_UNSEEN, { 0 } },                            \
      { ngx_string(NGX_HTTP_RECOVERY_HEAD(status)                             \
                   NGX_HTTP_RECOVERY_TAIL(name)                               \
                   NGX_HTTP_RECOVERY_PADDING),                                \
        NGX_HTTP_RECOVERY_SPECIAL_UNSEEN, { 0 } } }


/* "build" is known to nginx alone. */

static ngx_http_recovery_special_t  ngx_http_recovery_specials[] = {

    { NGX_HTTP_SERVICE_UNAVAILABLE, NGX_HTTP_SERVER_TOKENS_ON,
      NGX_HTTP_RECOVERY_PIECES("503 Service Temporarily Unavailable",
                               NGINX_VER) },

    { NGX_HTTP_SERVICE_UNAVAILABLE, NGX_HTTP_SERVER_TOKENS_OFF,
      NGX_HTTP_RECOVERY_PIECES("503 Service Temporarily Unavailable",
                               "nginx") },

    { NGX_HTTP_TOO_MANY_REQUESTS, NGX_HTTP_SERVER_TOKENS_ON,
      NGX_HTTP_RECOVERY_PIECES("429 Too Many Requests", NGINX_VER) },

    { NGX_HTTP_TOO_MANY_REQUESTS, NGX_HTTP_SERVER_TOKENS_OFF,
      NGX_HTTP_RECOVERY_PIECES("429 Too Many Requests", "nginx") }
};


#define NGX_HTTP_RECOVERY_SPECIALS                                            \
    (sizeof(ngx_http_recovery_specials)                                       \
     / sizeof(ngx_http_recovery_special_t))


ngx_http_recovery_special_t *
ngx_http_recovery_special_find(ngx_http_core_loc_conf_t *clcf,
    ngx_uint_t status)
{
    ngx_uint_t                    i;
    ngx_http_recovery_special_t  *special;

    if (clcf->error_pages != NULL) {
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_RECOVERY_SPECIALS; i++) {
        special = &ngx_http_recovery_specials[i];

        if (special->status == status
            && special->server_tokens == clcf->server_tokens)
        {
            ngx_http_recovery_piece_buf(&special->pieces[0]);
            ngx_http_recovery_piece_buf(&special->pieces[1]);

            return special;
        }
    }

    return NULL;
}


static void
ngx_http_recovery_piece_buf(ngx_http_recovery_piece_t *piece)
{
    ngx_buf_t  *b;

    b = &piece->buf;

    b->pos = piece->text.data;
    b->last = piece->text.data + piece->text.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;
}


/* As nginx does; who speaks HTTP/0.9 has not said who he is. */

static ngx_inline ngx_http_recovery_piece_t *
ngx_http_recovery_piece(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf)
{
    return &rlcf->special->pieces[(r->headers_in.msie || r->headers_in.chrome)
                                  && rlcf->msie_padding];
}


ngx_int_t
ngx_http_recovery_special(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf, ngx_http_recovery_ctx_t *ctx)
{
    ngx_uint_t                  status;
    ngx_http_recovery_piece_t  *piece;

    status = ctx->shed_status;

    if (rlcf->special == NULL || rlcf->special->status != status
        || r != r->main
        || ctx->decisions->next != NULL
        || ctx->subrequests != NULL || ctx->rounds != NULL
        || r->headers_out.headers.part.nelts != 0)
    {
        return (ngx_int_t) status;
    }

    /* nothing was let in, and nothing attempted */

    ctx->stage = NGX_HTTP_RECOVERY_SETTLED;

    piece = ngx_http_recovery_piece(r, rlcf);

    if (piece->seen == NGX_HTTP_RECOVERY_SPECIAL_OURS) {
        return ngx_http_recovery_special_send(r, status, piece);
    }

    ctx->compares = (piece->seen == NGX_HTTP_RECOVERY_SPECIAL_UNSEEN);

    return (ngx_int_t) status;
}


static ngx_int_t
ngx_http_recovery_special_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_recovery_piece_t *piece)
{
    ngx_int_t  rc;

    r->err_status = status;
    r->expect_tested = 1;

    if (ngx_http_recovery_has_body(r)
        && ngx_http_discard_request_body(r) != NGX_OK)
    {
        r->keepalive = 0;
    }

    r->headers_out.content_length_n = piece->text.len;
    r->headers_out.content_type_len = sizeof("text/html") - 1;
    ngx_str_set(&r->headers_out.content_type, "text/html");
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.last_modified_time = -1;
    r->allow_ranges = 0;

    rc = ngx_http_send_header(r);

    if (rc != NGX_ERROR && !r->header_only) {
        rc = ngx_http_recovery_special_body(r, piece);
    }

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


static ngx_inline ngx_int_t
ngx_http_recovery_special_body(ngx_http_request_t *r,
    ngx_http_recovery_piece_t *piece)
{
    void                      *room;
    ngx_http_recovery_sent_t  *sent;

    if (!ngx_http_recovery_room(r->pool, sizeof(ngx_http_recovery_sent_t),
                                &room))
    {
        room = ngx_palloc(r->pool, sizeof(ngx_http_recovery_sent_t));

        if (room == NULL) {
            return NGX_ERROR;
        }
    }

    sent = room;
    sent->buf = piece->buf;
    sent->out.buf = &sent->buf;
    sent->out.next = NULL;

    return ngx_http_output_filter(r, &sent->out);
}


/* The page of a request that compares, all of it or it is another one. */

void
ngx_http_recovery_special_seen(ngx_http_request_t *r,
    ngx_http_recovery_ctx_t *ctx, ngx_chain_t *in)
{
    size_t                         len, left;
    u_char                        *p;
    ngx_buf_t                     *b;
    ngx_http_recovery_piece_t     *piece;
    ngx_http_recovery_loc_conf_t  *rlcf;

    ctx->compares = 0;

    if (r->filter_finalize || r->headers_out.status != ctx->shed_status) {
        return;     /* a filter has made it another answer */
    }

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_recovery_module);
    piece = ngx_http_recovery_piece(r, rlcf);

    piece->seen = NGX_HTTP_RECOVERY_SPECIAL_OTHER;

    p = piece->text.data;
    left = piece->text.len;

    for ( /* void */ ; in != NULL; in = in->next) {
        b = in->buf;
        len = b->last - b->pos;

        if (b->in_file || !ngx_buf_in_memory(b) || len > left
            || ngx_memcmp(b->pos, p, len) != 0)
        {
            return;
        }

        p += len;
        left -= len;
    }

    if (left == 0) {
        piece->seen = NGX_HTTP_RECOVERY_SPECIAL_OURS;
    }
}
