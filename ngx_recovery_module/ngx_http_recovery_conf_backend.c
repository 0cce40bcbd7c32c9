
/*
 * "recovery_backend NAME { ... }", and the names of backends elsewhere.
 *
 * A backend may be named by "recovery" before its block is read; that every
 * name has one is checked when all is read.
 */

#include "ngx_http_recovery_conf.h"


typedef struct {
    ngx_str_t    name;
    char      *(*set)(ngx_conf_t *cf, ngx_http_recovery_backend_t *backend,
                      ngx_str_t *value);
    ngx_uint_t   bit;
} ngx_http_recovery_backend_line_t;


/* What a backend's block is being read into. */

typedef struct {
    ngx_http_recovery_backend_t  *backend;
    ngx_uint_t                    seen;
} ngx_http_recovery_backend_block_t;


static char *ngx_http_recovery_backend_line(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_recovery_backend_policy(ngx_conf_t *cf,
    ngx_http_recovery_backend_t *backend, ngx_str_t *value);
static char *ngx_http_recovery_backend_capacity(ngx_conf_t *cf,
    ngx_http_recovery_backend_t *backend, ngx_str_t *value);
static char *ngx_http_recovery_backend_quota(ngx_conf_t *cf,
    ngx_http_recovery_backend_t *backend, ngx_str_t *value);
static char *ngx_http_recovery_backend_initial(ngx_conf_t *cf,
    ngx_http_recovery_backend_t *backend, ngx_str_t *value);
static char *ngx_http_recovery_backend_rate(ngx_conf_t *cf, const char *line,
    ngx_str_t *value, uint64_t *rate_milli);
static ngx_http_recovery_backend_t *ngx_http_recovery_backend_find(
    ngx_http_recovery_main_conf_t *rmcf, ngx_str_t *name);
static size_t ngx_http_recovery_backend_names(
    ngx_http_recovery_main_conf_t *rmcf, u_char *buf);


static ngx_http_recovery_backend_line_t  ngx_http_recovery_backend_lines[] = {

    { ngx_string("policy"), ngx_http_recovery_backend_policy, 0x01 },
    { ngx_string("capacity"), ngx_http_recovery_backend_capacity, 0x02 },
    { ngx_string("quota"), ngx_http_recovery_backend_quota, 0x04 },
    { ngx_string("initial"), ngx_http_recovery_backend_initial, 0x08 },
    { ngx_null_string, NULL, 0 }
};


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

    if (!rcv_name_valid(ngx_http_recovery_str(&value[1]))
        || ngx_strcmp(value[1].data, "off") == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_backend\": invalid name \"%V\", it "
                           "must be 1 to %d letters, digits, \"_\", \"-\" or "
                           "\".\", start with a letter or a digit, and not "
                           "be \"off\"",
                           &value[1], RCV_NAME_MAX);
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
    block.seen = 0;

    save = *cf;
    cf->handler = ngx_http_recovery_backend_line;
    cf->handler_conf = (void *) &block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_http_recovery_backend_line(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                          *value;
    ngx_http_recovery_backend_line_t   *line;
    ngx_http_recovery_backend_block_t  *block;

    block = cf->handler_conf;
    value = cf->args->elts;

    if (ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_http_recovery_include(cf, cmd, conf);
    }

    for (line = ngx_http_recovery_backend_lines; line->name.len; line++) {
        if (ngx_strcmp(value[0].data, line->name.data) == 0) {
            break;
        }
    }

    if (line->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown \"%V\" in recovery_backend \"%V\", "
                           "allowed are \"policy\", \"capacity\", \"quota\" "
                           "and \"initial\"",
                           &value[0], &block->backend->name);
        return NGX_CONF_ERROR;
    }

    if (block->seen & line->bit) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is duplicate in recovery_backend \"%V\", "
                           "it is allowed once",
                           &value[0], &block->backend->name);
        return NGX_CONF_ERROR;
    }

    block->seen |= line->bit;

    if (cf->args->nelts != 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in recovery_backend \"%V\" has %ui "
                           "parameters, it must have exactly one",
                           &value[0], &block->backend->name,
                           cf->args->nelts - 1);
        return NGX_CONF_ERROR;
    }

    return line->set(cf, block->backend, &value[1]);
}


static char *
ngx_http_recovery_backend_policy(ngx_conf_t *cf,
    ngx_http_recovery_backend_t *backend, ngx_str_t *value)
{
    backend->policy_name = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_backend_capacity(ngx_conf_t *cf,
    ngx_http_recovery_backend_t *backend, ngx_str_t *value)
{
    return ngx_http_recovery_backend_rate(cf, "capacity", value,
                                          &backend->limits.capacity_milli);
}


static char *
ngx_http_recovery_backend_quota(ngx_conf_t *cf,
    ngx_http_recovery_backend_t *backend, ngx_str_t *value)
{
    return ngx_http_recovery_backend_rate(cf, "quota", value,
                                          &backend->limits.quota_milli);
}


static char *
ngx_http_recovery_backend_rate(ngx_conf_t *cf, const char *line,
    ngx_str_t *value, uint64_t *rate_milli)
{
    if (rcv_parse_rate(ngx_http_recovery_str(value), rate_milli) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" in recovery_backend: invalid rate \"%V\", "
                           "it must be a rate above 0 such as \"500r/s\" or "
                           "\"30r/m\"", line, value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_backend_initial(ngx_conf_t *cf,
    ngx_http_recovery_backend_t *backend, ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "up") == 0) {
        backend->limits.initial = RCV_PHASE_UP;

    } else if (ngx_strcmp(value->data, "down") == 0) {
        backend->limits.initial = RCV_PHASE_DOWN;

    } else if (ngx_strcmp(value->data, "probing") == 0) {
        backend->limits.initial = RCV_PHASE_PROBING;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"initial\" in recovery_backend: invalid value "
                           "\"%V\", it must be \"up\", \"down\" or "
                           "\"probing\"", value);
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

        if (backend->policy_name.len == 0) {
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
