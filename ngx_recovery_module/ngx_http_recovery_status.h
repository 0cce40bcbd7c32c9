
/*
 * The formats of the status: each writes a whole view; and how an answer of
 * ours goes out.
 */

#ifndef _NGX_HTTP_RECOVERY_STATUS_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_STATUS_H_INCLUDED_


#include "ngx_http_recovery_fields.h"


/*
 * How far a format has come: it goes on from there.  What the two numbers
 * count is its own affair; both begin with 0.
 */

typedef struct {
    ngx_uint_t           part;
    ngx_uint_t           view;
    ngx_uint_t           work;          /* backends to look at until the end
                                           of this piece */
} ngx_http_recovery_cursor_t;


/* A piece ends when it is long, or was much work. */

static ngx_inline ngx_uint_t
ngx_http_recovery_piece_done(const ngx_http_recovery_out_t *out,
    ngx_http_recovery_cursor_t *cursor)
{
    return --cursor->work == 0
           || ngx_http_recovery_out_size(out) >= NGX_HTTP_RECOVERY_OUT_PIECE;
}


/* One piece; NGX_AGAIN: there is more. */

typedef ngx_int_t (*ngx_http_recovery_render_pt)(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node,
    ngx_http_recovery_cursor_t *cursor);

ngx_int_t ngx_http_recovery_render_json(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node,
    ngx_http_recovery_cursor_t *cursor);
ngx_int_t ngx_http_recovery_render_prometheus(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node,
    ngx_http_recovery_cursor_t *cursor);
ngx_int_t ngx_http_recovery_render_html(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node,
    ngx_http_recovery_cursor_t *cursor);

/* For Redis, in one line. */
void ngx_http_recovery_render_report(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_report_view_t *report);

/*
 * What "recovery_control" answers: what is in force at one backend, or at all
 * where something was ordered.
 */
void ngx_http_recovery_render_control(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node, const ngx_str_t *only);


typedef struct {
    ngx_http_recovery_render_pt  render;
    const char                  *type;
    const ngx_str_t             *policy;    /* NULL: nothing to restrict */
} ngx_http_recovery_format_t;

extern const ngx_http_recovery_format_t  ngx_http_recovery_format_json;


/* A whole answer. */
ngx_int_t ngx_http_recovery_status_send(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_http_recovery_format_t *format,
    ngx_http_recovery_out_t *out);

/* What goes before an answer of so many bytes; -1: it is not known yet. */
ngx_int_t ngx_http_recovery_status_head(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_http_recovery_format_t *format,
    off_t length);
ngx_int_t ngx_http_recovery_status_header(ngx_http_request_t *r,
    const char *key, const char *value);

/* The status, in as many pieces as it needs; see _stream.c. */
ngx_int_t ngx_http_recovery_stream(ngx_http_request_t *r,
    const ngx_http_recovery_format_t *format);


#endif /* _NGX_HTTP_RECOVERY_STATUS_H_INCLUDED_ */
