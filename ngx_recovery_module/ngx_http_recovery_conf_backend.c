
/*
 * "recovery_backend NAME { ... }", and the names of backends elsewhere.
 *
 * A backend may be named by "recovery" before its block is read; that every
 * name has one is checked when all is read.
 */

#include "ngx_http_recovery_conf.h"
#include "backend_lines.h"


/* What a backend's block is being read into. */

typedef struct {
    ngx_http_recovery_backend_t  *backend;
    rcv_backend_lines_t           lines;
} ngx_http_recovery_backend_block_t;


static char *ngx_http_recovery_backend_line(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_http_recovery_backend_t *ngx_http_recovery_backend_find(
    ngx_http_recovery_main_conf_t *rmcf, ngx_str_t *name);
static size_t ngx_http_recovery_backend_names(
    ngx_http_recovery_main_conf_t *rmcf, u_char *buf);


char *
ngx_http_recovery_set_backend(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recovery_main_conf_t *rmcf = conf;

    char                               *rv;
    ngx_str_t                          *value;
    ngx_conf_t                          save;
    ngx_http_recovery_backend_t        *backend;
    ngx_http_recovery_backend_block_t   block;

    value = cf->args->elts;

    if (!rcv_backend_name_valid(ngx_http_recovery_str(&value[1]))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_backend\": invalid name \"%V\", "
                           RCV_BACKEND_NAME_RULE, &value[1]);
        return NGX_CONF_ERROR;
    }

    backend = ngx_http_recovery_backend_refer(cf, rmcf, &value[1]);
    if (backend == NULL) {
        return NGX_CONF_ERROR;
    }

    if (backend->declared) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_backend %V\" is duplicate, a backend "
                           "must be defined once", &value[1]);
        return NGX_CONF_ERROR;
    }

    backend->declared = 1;
    backend->at = ngx_http_recovery_here(cf);

    block.backend = backend;
    rcv_backend_lines_init(&block.lines);

    save = *cf;
    cf->handler = ngx_http_recovery_backend_line;
    cf->handler_conf = (void *) &block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    backend->limits = block.lines.limits;
    backend->policy_name.data = (u_char *) block.lines.policy.data;
    backend->policy_name.len = block.lines.policy.len;

    return rv;
}


static char *
ngx_http_recovery_backend_line(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                                err[RCV_ERROR_MAX];
    ngx_str_t                          *value;
    rcv_str_t                           words[2];
    ngx_uint_t                          i;
    ngx_http_recovery_backend_block_t  *block;

    block = cf->handler_conf;
    value = cf->args->elts;

    if (ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_http_recovery_include(cf, cmd, conf);
    }

    /* no line reads more words */

    for (i = 0; i < ngx_min(cf->args->nelts, 2); i++) {
        words[i] = ngx_http_recovery_str(&value[i]);
    }

    if (rcv_backend_line(&block->lines, words, (unsigned) cf->args->nelts,
                         err, sizeof(err))
        != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in recovery_backend \"%V\"", err,
                           &block->backend->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_http_recovery_backend_t *
ngx_http_recovery_backend_find(ngx_http_recovery_main_conf_t *rmcf,
    ngx_str_t *name)
{
    ngx_uint_t                     i;
    ngx_http_recovery_backend_t  **backends;

    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        if (backends[i]->name.len == name->len
            && ngx_memcmp(backends[i]->name.data, name->data, name->len) == 0)
        {
            return backends[i];
        }
    }

    return NULL;
}


ngx_http_recovery_backend_t *
ngx_http_recovery_backend_refer(ngx_conf_t *cf,
    ngx_http_recovery_main_conf_t *rmcf, ngx_str_t *name)
{
    ngx_http_recovery_backend_t  *backend, **slot;

    backend = ngx_http_recovery_backend_find(rmcf, name);
    if (backend != NULL) {
        return backend;
    }

    backend = ngx_pcalloc(cf->pool, sizeof(ngx_http_recovery_backend_t));
    if (backend == NULL) {
        return NULL;
    }

    slot = ngx_array_push(&rmcf->backends);
    if (slot == NULL) {
        return NULL;
    }

    *slot = backend;

    backend->name = *name;
    backend->limits.quota_milli = RCV_UNLIMITED;
    backend->limits.initial = RCV_PHASE_UP;
    backend->at = ngx_http_recovery_here(cf);

    return backend;
}


ngx_int_t
ngx_http_recovery_backends_resolve(ngx_conf_t *cf,
    ngx_http_recovery_main_conf_t *rmcf)
{
    size_t                         len;
    u_char                         names[NGX_HTTP_RECOVERY_LIST_MAX];
    ngx_uint_t                     i;
    ngx_http_recovery_backend_t   *backend, **backends;

    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        backend = backends[i];

        if (!backend->declared) {
            len = ngx_http_recovery_backend_names(rmcf, names);

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"recovery\": unknown backend \"%V\", it must "
                          "have a \"recovery_backend\" block, known are: "
                          "%*s in %V:%ui",
                          &backend->name, len, names, &backend->at.file,
                          backend->at.line);
            return NGX_ERROR;
        }

        if (backend->policy_name.len == 0
            || ngx_strcmp(backend->policy_name.data, "default") == 0)
        {
            backend->policy = ngx_http_recovery_policy_default(cf, rmcf);

            if (backend->policy == NULL) {
                return NGX_ERROR;
            }

            continue;
        }

        backend->policy = ngx_http_recovery_policy_find(rmcf,
                                                       &backend->policy_name);
        if (backend->policy == NULL) {
            len = ngx_http_recovery_policy_names(rmcf, names);

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "recovery_backend \"%V\": unknown policy \"%V\", "
                          "known are: %*s in %V:%ui",
                          &backend->name, &backend->policy_name, len, names,
                          &backend->at.file, backend->at.line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static size_t
ngx_http_recovery_backend_names(ngx_http_recovery_main_conf_t *rmcf,
    u_char *buf)
{
    u_char                        *p;
    ngx_uint_t                     i;
    ngx_http_recovery_backend_t  **backends;

    p = buf;
    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        if (backends[i]->declared) {
            p = ngx_slprintf(p, buf + NGX_HTTP_RECOVERY_LIST_MAX, "%s\"%V\"",
                             p == buf ? "" : ", ", &backends[i]->name);
        }
    }

    if (p == buf) {
        p = ngx_slprintf(p, buf + NGX_HTTP_RECOVERY_LIST_MAX, "none");
    }

    return (size_t) (p - buf);
}
