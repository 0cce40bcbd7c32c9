
/* The formats of the status: each writes a whole view. */

#ifndef _NGX_HTTP_RECOVERY_STATUS_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_STATUS_H_INCLUDED_


#include "ngx_http_recovery_fields.h"


/* Refers to the page's style by its hash: nothing else may be applied. */
extern const ngx_str_t  ngx_http_recovery_html_policy;


void ngx_http_recovery_render_json(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node);
void ngx_http_recovery_render_prometheus(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node);
void ngx_http_recovery_render_html(ngx_http_recovery_out_t *out,
    const ngx_http_recovery_node_view_t *node);


#endif /* _NGX_HTTP_RECOVERY_STATUS_H_INCLUDED_ */
