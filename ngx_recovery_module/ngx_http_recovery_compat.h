
/*
 * Every difference between nginx versions that this module meets, in one
 * place: 1.22 is the oldest supported, 1.30 the newest built against.
 */

#ifndef _NGX_HTTP_RECOVERY_COMPAT_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_COMPAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#if (nginx_version < 1022000)
#error "ngx_http_recovery_module needs nginx 1.22.0 or later"
#endif


/* 1.23.0 chains headers of one name: a pushed header must end its chain. */

#if (nginx_version >= 1023000)
#define ngx_http_recovery_header_end(h)  (h)->next = NULL
#else
#define ngx_http_recovery_header_end(h)
#endif


#endif /* _NGX_HTTP_RECOVERY_COMPAT_H_INCLUDED_ */
