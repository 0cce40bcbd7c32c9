
/*
 * The formats of the status: each writes a whole view; and how an answer of
 * ours goes out.
 */

#ifndef _NGX_HTTP_RECOVERY_STATUS_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_STATUS_H_INCLUDED_


#include "ngx_http_recovery_fields.h"


void ngx_http_recovery_render_json(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node);
void ngx_http_recovery_render_prometheus(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node);
void ngx_http_recovery_render_html(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node);

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
    void               (*render)(ngx_http_recovery_out_t *out,
                                 const ngx_http_recovery_node_view_t *node);
    const char          *type;
    const ngx_str_t     *policy;        /* NULL: nothing to restrict */
} ngx_http_recovery_format_t;

extern const ngx_http_recovery_format_t  ngx_http_recovery_format_json;


ngx_int_t ngx_http_recovery_status_send(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_http_recovery_format_t *format,
    ngx_http_recovery_out_t *out);
ngx_int_t ngx_http_recovery_status_header(ngx_http_request_t *r,
    const char *key, const char *value);


#endif /* _NGX_HTTP_RECOVERY_STATUS_H_INCLUDED_ */
