
/*
 * Between the files that read the configuration.
 */

#ifndef _NGX_HTTP_RECOVERY_CONF_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_CONF_H_INCLUDED_


#include "ngx_http_recovery.h"


static ngx_inline rcv_str_t
ngx_http_recovery_str(ngx_str_t *s)
{
    rcv_str_t  str;

    str.data = (const char *) s->data;
    str.len = s->len;

    return str;
}


static ngx_inline ngx_http_recovery_at_t
ngx_http_recovery_here(ngx_conf_t *cf)
{
    ngx_http_recovery_at_t  at;

    at.file = cf->conf_file->file.name;
    at.line = cf->conf_file->line;

    return at;
}


/* _conf.c: "include" in a block whose lines we read ourselves */
char *ngx_http_recovery_include(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* A bound for the lists of known names in messages. */
#define NGX_HTTP_RECOVERY_LIST_MAX  256


/* _conf_policy.c: finds by name; NULL: none */
ngx_http_recovery_policy_t *ngx_http_recovery_policy_find(
    ngx_http_recovery_main_conf_t *rmcf, ngx_str_t *name);

/* The policy "default", built in unless the configuration has its own. */
ngx_http_recovery_policy_t *ngx_http_recovery_policy_default(ngx_conf_t *cf,
    ngx_http_recovery_main_conf_t *rmcf);

/* Names of all policies, for messages. */
size_t ngx_http_recovery_policy_names(ngx_http_recovery_main_conf_t *rmcf,
    u_char *buf);


/* _conf_backend.c: finds by name, or makes one that waits for its block */
ngx_http_recovery_backend_t *ngx_http_recovery_backend_refer(ngx_conf_t *cf,
    ngx_http_recovery_main_conf_t *rmcf, ngx_str_t *name);

/* Once all is read: every name that was used must have its block. */
ngx_int_t ngx_http_recovery_backends_resolve(ngx_conf_t *cf,
    ngx_http_recovery_main_conf_t *rmcf);


/* Of URIs in "recovery_redis", for messages. */
#define NGX_HTTP_RECOVERY_REDIS_URIS                                          \
    "\"redis://[user@]host[:port][/db]\", "                                   \
    "\"rediss://[user@]host[:port][/db]\" or \"unix:/path\""

#define NGX_HTTP_RECOVERY_REDIS_DB_MAX  65535


/* _conf_redis_uri.c: adds the server that a URI names */
char *ngx_http_recovery_redis_server(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis, ngx_str_t *uri);

/* Once all is read: names to addresses, where the resolver is not to. */
ngx_int_t ngx_http_recovery_redis_names(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis, ngx_resolver_t *resolver);

/* The number of a database. */
ngx_int_t ngx_http_recovery_redis_number(ngx_str_t *value, ngx_uint_t *db);

ngx_uint_t ngx_http_recovery_redis_starts(ngx_str_t *word, const char *start);


/* _conf_redis_password.c: the first line of the file that a key names */
char *ngx_http_recovery_redis_password(ngx_conf_t *cf, char *key,
    ngx_str_t *value, ngx_str_t *password);


/* _tls.c: for rediss://, from what tls_...= say */
ngx_int_t ngx_http_recovery_tls_create(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis);


#endif /* _NGX_HTTP_RECOVERY_CONF_H_INCLUDED_ */
