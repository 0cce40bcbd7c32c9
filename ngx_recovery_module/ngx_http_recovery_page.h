
/*
 * The live page, as util/page.sh makes it of dashboard/page/: what stands
 * before the numbers and after them, and the Content-Security-Policy that
 * names its style and its script by their hashes.  No byte of it is copied
 * for a request.
 */

#ifndef _NGX_HTTP_RECOVERY_PAGE_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_PAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


extern const ngx_str_t  ngx_http_recovery_page_head;
extern const ngx_str_t  ngx_http_recovery_page_tail;
extern const ngx_str_t  ngx_http_recovery_page_policy;


#endif /* _NGX_HTTP_RECOVERY_PAGE_H_INCLUDED_ */
