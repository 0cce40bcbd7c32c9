
/*
 * The configuration of http, server, location and upstream: created, set,
 * merged.
 */

#include "ngx_http_recovery_conf.h"


static ngx_int_t ngx_http_recovery_zone_add(ngx_conf_t *cf,
    ngx_http_recovery_main_conf_t *rmcf, ngx_str_t *name, ssize_t size);
static ngx_int_t ngx_http_recovery_check_class(ngx_conf_t *cf,
    ngx_http_recovery_loc_conf_t *conf);
static void ngx_http_recovery_plain(ngx_http_recovery_loc_conf_t *conf);
static void ngx_http_recovery_page_known(ngx_conf_t *cf,
    ngx_http_recovery_loc_conf_t *conf);
static char *ngx_http_recovery_backends_read(ngx_conf_t *cf,
    ngx_array_t **backends);


#define NGX_HTTP_RECOVERY_ZONE_SIZE  (2 * 1024 * 1024)


void *
ngx_http_recovery_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_recovery_main_conf_t));
    if (rmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&rmcf->policies, cf->pool, 4, sizeof(void *))
        != NGX_OK
        || ngx_array_init(&rmcf->backends, cf->pool, 4, sizeof(void *))
           != NGX_OK)
    {
        return NULL;
    }

    rmcf->cycle = cf->cycle;

    return rmcf;
}


char *
ngx_http_recovery_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_recovery_main_conf_t *rmcf = conf;

    ngx_resolver_t            *resolver;
    ngx_http_core_loc_conf_t  *clcf;

    static ngx_str_t  name = ngx_string("recovery");

    if (ngx_http_recovery_backends_resolve(cf, rmcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /* where none is configured nginx has put one that asks nobody */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    resolver = clcf->resolver;

    if (resolver != NULL && resolver->connections.nelts == 0) {
        resolver = NULL;
    }

    if (rmcf->redis != NULL
        && ngx_http_recovery_redis_names(cf, rmcf->redis, resolver) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (rmcf->backends.nelts != 0 && rmcf->shm_zone == NULL
        && ngx_http_recovery_zone_add(cf, rmcf, &name,
                                      NGX_HTTP_RECOVERY_ZONE_SIZE)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_recovery_zone_add(ngx_conf_t *cf,
    ngx_http_recovery_main_conf_t *rmcf, ngx_str_t *name, ssize_t size)
{
    rmcf->shm_zone = ngx_shared_memory_add(cf, name, size,
                                           &ngx_http_recovery_module);
    if (rmcf->shm_zone == NULL) {
        return NGX_ERROR;
    }

    rmcf->zone_at = ngx_http_recovery_here(cf);
    rmcf->shm_zone->init = ngx_http_recovery_zone_init;
    rmcf->shm_zone->data = rmcf;

    return NGX_OK;
}


char *
ngx_http_recovery_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recovery_main_conf_t *rmcf = conf;

    u_char     *p;
    ssize_t     size;
    ngx_str_t  *value, name, s;

    value = cf->args->elts;

    if (rmcf->shm_zone != NULL) {
        return "is duplicate, one zone is allowed";
    }

    name = value[1];
    size = NGX_ERROR;

    p = (u_char *) ngx_strchr(value[1].data, ':');

    if (p != NULL) {
        name.len = p - value[1].data;

        s.data = p + 1;
        s.len = value[1].data + value[1].len - s.data;

        size = ngx_parse_size(&s);
    }

    if (size == NGX_ERROR || name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_zone\": invalid value \"%V\", it must "
                           "be a name and a size such as \"recovery:2m\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) (16 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_zone\": \"%V\" is too small, it must "
                           "be at least %uzk", &value[1],
                           16 * ngx_pagesize / 1024);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_recovery_zone_add(cf, rmcf, &name, size) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_recovery_set_state_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_recovery_main_conf_t *rmcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (rmcf->state_file.len != 0) {
        return "is duplicate, one file is allowed";
    }

    if (value[1].len == 0 || value[1].data[value[1].len - 1] == '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_state_file\": invalid value \"%V\", "
                           "it must be the path of a file", &value[1]);
        return NGX_CONF_ERROR;
    }

    rmcf->state_file = value[1];
    rmcf->state_at = ngx_http_recovery_here(cf);

    if (ngx_conf_full_name(cf->cycle, &rmcf->state_file, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (rmcf->state_file.len + sizeof(".tmp") > NGX_MAX_PATH) {
        return "is too long a path";
    }

    return NGX_CONF_OK;
}


void *
ngx_http_recovery_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_recovery_srv_conf_t));
}


void *
ngx_http_recovery_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_recovery_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_recovery_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->class_name = NGX_CONF_UNSET_PTR;
    conf->cost = NGX_CONF_UNSET_PTR;
    conf->cost_milli = NGX_CONF_UNSET_UINT;
    conf->dry_run = NGX_CONF_UNSET;
    conf->log_level = NGX_CONF_UNSET_UINT;

    return conf;
}


char *
ngx_http_recovery_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_recovery_loc_conf_t *prev = parent;
    ngx_http_recovery_loc_conf_t *conf = child;

    if (!conf->set) {
        conf->backends = prev->backends;
        conf->set = prev->set;
    }

    if (conf->class_name == NGX_CONF_UNSET_PTR) {
        conf->class_client_chosen = prev->class_client_chosen;
        conf->class_at = prev->class_at;
    }

    if (conf->cost == NGX_CONF_UNSET_PTR) {
        ngx_conf_merge_uint_value(conf->cost_milli, prev->cost_milli,
                                  RCV_MILLI);
    }

    ngx_conf_merge_ptr_value(conf->class_name, prev->class_name, NULL);
    ngx_conf_merge_ptr_value(conf->cost, prev->cost, NULL);
    ngx_conf_merge_value(conf->dry_run, prev->dry_run, 0);
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level,
                              NGX_LOG_INFO);

    if (ngx_http_recovery_check_class(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_recovery_plain(conf);
    ngx_http_recovery_page_known(cf, conf);

    return NGX_CONF_OK;
}


/*
 * One backend, and nothing that a request says counts, or no more than rules
 * on $uri: then all decisions of the location, or of those that come under no
 * rule, begin as one does.
 */

static void
ngx_http_recovery_plain(ngx_http_recovery_loc_conf_t *conf)
{
    rcv_policy_t                  *policy;
    ngx_http_recovery_backend_t  **backends;
    ngx_http_recovery_decision_t  *plain;

    if (conf->backends == NULL || conf->backends->nelts != 1
        || conf->class_name != NULL
        || conf->cost != NULL || conf->cost_milli != RCV_MILLI)
    {
        return;
    }

    backends = conf->backends->elts;
    policy = backends[0]->policy->core;

    if (policy->cohort >= 0 || policy->retries) {
        return;
    }

    plain = &conf->plain;

    if (policy->nmatches != 0) {
        plain = &conf->unruled;
        conf->rules = backends[0]->policy->uri_sieve;

        if (conf->rules == NULL) {
            return;
        }
    }

    plain->backend = backends[0];
    plain->cost_milli = RCV_MILLI;
    plain->class_index = (uint8_t) policy->default_class;
    plain->outcome = RCV_OUTCOME_PASSED;
    plain->active = 1;
}


/* nginx's core has merged its configuration before us. */

static void
ngx_http_recovery_page_known(ngx_conf_t *cf,
    ngx_http_recovery_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_recovery_backend_t  **backends;

    if (conf->backends == NULL) {
        return;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    backends = conf->backends->elts;

    conf->special = ngx_http_recovery_special_find(clcf,
                                     backends[0]->policy->core->shed_status);
    conf->msie_padding = clcf->msie_padding;
}


/* A class named without variables is known now, and so is its policy. */

static ngx_int_t
ngx_http_recovery_check_class(ngx_conf_t *cf,
    ngx_http_recovery_loc_conf_t *conf)
{
    ngx_str_t                     *name;
    ngx_uint_t                     i;
    ngx_http_recovery_backend_t  **backends;

    if (conf->backends == NULL || conf->class_name == NULL
        || conf->class_name->lengths != NULL)
    {
        return NGX_OK;
    }

    name = &conf->class_name->value;
    backends = conf->backends->elts;

    for (i = 0; i < conf->backends->nelts; i++) {

        if (rcv_policy_class(backends[i]->policy->core,
                             ngx_http_recovery_str(name))
            < 0)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"recovery_class\": unknown class \"%V\", it must "
                          "be a class of policy \"%V\" of backend \"%V\" "
                          "in %V:%ui",
                          name, &backends[i]->policy->name,
                          &backends[i]->name, &conf->class_at.file,
                          conf->class_at.line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


char *
ngx_http_recovery_set_recovery(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recovery_loc_conf_t *rlcf = conf;

    if (rlcf->set) {
        return "is duplicate, name all backends in one directive";
    }

    rlcf->set = 1;

    return ngx_http_recovery_backends_read(cf, &rlcf->backends);
}


char *
ngx_http_recovery_set_upstream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recovery_srv_conf_t *rscf = conf;

    if (rscf->set) {
        return "is duplicate, name all backends in one directive";
    }

    rscf->set = 1;

    return ngx_http_recovery_backends_read(cf, &rscf->backends);
}


/* NAME... or "off" */

static char *
ngx_http_recovery_backends_read(ngx_conf_t *cf, ngx_array_t **backends)
{
    ngx_str_t                      *value;
    ngx_uint_t                      i, j;
    ngx_http_recovery_backend_t    *backend, **slot, **known;
    ngx_http_recovery_main_conf_t  *rmcf;

    value = cf->args->elts;
    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_recovery_module);

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        *backends = NULL;
        return NGX_CONF_OK;
    }

    if (cf->args->nelts - 1 > NGX_HTTP_RECOVERY_BACKENDS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery\" names %ui backends, at most %d are "
                           "allowed", cf->args->nelts - 1,
                           NGX_HTTP_RECOVERY_BACKENDS_MAX);
        return NGX_CONF_ERROR;
    }

    *backends = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                 sizeof(void *));
    if (*backends == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "off") == 0
            || !rcv_name_valid(ngx_http_recovery_str(&value[i])))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"recovery\": invalid value \"%V\", it must "
                               "be names of backends, or \"off\" alone",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        backend = ngx_http_recovery_backend_refer(cf, rmcf, &value[i]);
        if (backend == NULL) {
            return NGX_CONF_ERROR;
        }

        known = (*backends)->elts;

        for (j = 0; j < (*backends)->nelts; j++) {
            if (known[j] == backend) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"recovery\": backend \"%V\" is "
                                   "duplicate, each is allowed once",
                                   &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        slot = ngx_array_push(*backends);
        if (slot == NULL) {
            return NGX_CONF_ERROR;
        }

        *slot = backend;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_recovery_set_class(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recovery_loc_conf_t *rlcf = conf;

    char       *rv;
    ngx_str_t  *value;

    if (rlcf->class_name != NGX_CONF_UNSET_PTR) {
        return "is duplicate, it is allowed once on a level";
    }

    value = cf->args->elts;
    rlcf->class_name = NULL;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rlcf->class_at = ngx_http_recovery_here(cf);
    rlcf->class_client_chosen =
                           rcv_client_chosen(ngx_http_recovery_str(&value[1]));

    return NGX_CONF_OK;
}


char *
ngx_http_recovery_set_cost(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recovery_loc_conf_t *rlcf = conf;

    uint64_t    cost_milli;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (rlcf->cost != NGX_CONF_UNSET_PTR) {
        return "is duplicate, it is allowed once on a level";
    }

    rlcf->cost = NULL;

    if (ngx_http_script_variables_count(&value[1]) != 0) {
        return ngx_http_set_complex_value_slot(cf, cmd, conf);
    }

    if (rcv_parse_decimal(ngx_http_recovery_str(&value[1]),
                          (uint64_t) RCV_COST_MAX * RCV_MILLI, &cost_milli)
        != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_cost\": invalid value \"%V\", it must "
                           "be a number from 0 to %d with at most three "
                           "decimals, or a variable",
                           &value[1], RCV_COST_MAX);
        return NGX_CONF_ERROR;
    }

    rlcf->cost_milli = (ngx_uint_t) cost_milli;

    return NGX_CONF_OK;
}


/* nginx counts parameters only where it reads the lines itself */

char *
ngx_http_recovery_include(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    if (cf->args->nelts != 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"include\" has %ui parameters, it must have "
                           "exactly one", cf->args->nelts - 1);
        return NGX_CONF_ERROR;
    }

    return ngx_conf_include(cf, cmd, conf);
}


char *
ngx_http_recovery_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    ngx_http_handler_pt        handler;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_recovery_status_json
        || clcf->handler == ngx_http_recovery_status_prometheus
        || clcf->handler == ngx_http_recovery_status_html)
    {
        return "is duplicate, it is allowed once in a location";
    }

    if (cf->args->nelts == 1 || ngx_strcmp(value[1].data, "json") == 0) {
        handler = ngx_http_recovery_status_json;

    } else if (ngx_strcmp(value[1].data, "prometheus") == 0) {
        handler = ngx_http_recovery_status_prometheus;

    } else if (ngx_strcmp(value[1].data, "html") == 0) {
        handler = ngx_http_recovery_status_html;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_status\": invalid value \"%V\", it "
                           "must be \"json\", \"prometheus\" or \"html\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf->handler = handler;

    return NGX_CONF_OK;
}


char *
ngx_http_recovery_set_control(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_recovery_control_handler) {
        return "is duplicate, it is allowed once in a location";
    }

    clcf->handler = ngx_http_recovery_control_handler;

    return NGX_CONF_OK;
}
