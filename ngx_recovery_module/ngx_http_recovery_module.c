
/*
 * ngx_http_recovery_module: admission control in front of services that
 * must come back from an outage.
 *
 * Tables and life cycle only; ngx_http_recovery.h has the map.
 */

#include "ngx_http_recovery.h"
#include "ngx_http_recovery_lots.h"
#include "ngx_http_recovery_slots.h"
#include "ngx_http_recovery_state.h"


static ngx_int_t ngx_http_recovery_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_recovery_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_recovery_init_module(ngx_cycle_t *cycle);
static void ngx_http_recovery_content_phase(ngx_cycle_t *cycle,
    ngx_http_recovery_main_conf_t *rmcf);
static ngx_int_t ngx_http_recovery_init_process(ngx_cycle_t *cycle);
static void ngx_http_recovery_exit_process(ngx_cycle_t *cycle);
static ngx_http_recovery_main_conf_t *ngx_http_recovery_running(
    ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_recovery_log_levels[] = {
    { ngx_string("debug"), NGX_LOG_DEBUG },
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_recovery_commands[] = {

    { ngx_string("recovery_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_recovery_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recovery_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_recovery_set_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recovery_state_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_recovery_set_state_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recovery_policy"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_recovery_set_policy,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recovery_backend"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_recovery_set_backend,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recovery"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_HTTP_LIF_CONF|NGX_CONF_1MORE,
      ngx_http_recovery_set_recovery,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recovery"),
      NGX_HTTP_UPS_CONF|NGX_CONF_1MORE,
      ngx_http_recovery_set_upstream,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recovery_class"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_recovery_set_class,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_recovery_loc_conf_t, class_name),
      NULL },

    { ngx_string("recovery_cost"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_recovery_set_cost,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_recovery_loc_conf_t, cost),
      NULL },

    { ngx_string("recovery_dry_run"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_recovery_loc_conf_t, dry_run),
      NULL },

    { ngx_string("recovery_log_level"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_recovery_loc_conf_t, log_level),
      &ngx_http_recovery_log_levels },

    { ngx_string("recovery_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_recovery_set_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recovery_control"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_recovery_set_control,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_recovery_module_ctx = {
    ngx_http_recovery_preconfiguration,     /* preconfiguration */
    ngx_http_recovery_postconfiguration,    /* postconfiguration */

    ngx_http_recovery_create_main_conf,     /* create main configuration */
    ngx_http_recovery_init_main_conf,       /* init main configuration */

    ngx_http_recovery_create_srv_conf,      /* create server configuration */
    NULL,                                   /* merge server configuration */

    ngx_http_recovery_create_loc_conf,      /* create location configuration */
    ngx_http_recovery_merge_loc_conf        /* merge location configuration */
};


ngx_module_t  ngx_http_recovery_module = {
    NGX_MODULE_V1,
    &ngx_http_recovery_module_ctx,          /* module context */
    ngx_http_recovery_commands,             /* module directives */
    NGX_HTTP_MODULE,                        /* module type */
    NULL,                                   /* init master */
    ngx_http_recovery_init_module,          /* init module */
    ngx_http_recovery_init_process,         /* init process */
    NULL,                                   /* init thread */
    NULL,                                   /* exit thread */
    ngx_http_recovery_exit_process,         /* exit process */
    NULL,                                   /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_recovery_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_recovery_add_variables(cf);
}


static ngx_int_t
ngx_http_recovery_postconfiguration(ngx_conf_t *cf)
{
    ngx_array_t                    *handlers;
    ngx_http_handler_pt            *h;
    ngx_http_core_main_conf_t      *cmcf;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_recovery_module);

    if (rmcf->backends.nelts == 0) {
        return NGX_OK;      /* loaded and not used: costs nothing */
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handlers = &cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    /*
     * Handlers of a phase run from the last to the first.  The first place
     * is behind limit_req, limit_conn and realip, in a static build as in a
     * dynamic one: what they reject never reaches us, and the address is the
     * real one.
     */

    h = handlers->elts;
    ngx_memmove(h + 1, h, (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));
    *h = ngx_http_recovery_handler;

    if (ngx_http_recovery_upstream_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_recovery_hold_init();

    return NGX_OK;
}


/*
 * Without a master process a reload does not call init_process: the new
 * configuration takes over here, in the middle of the old one's life.
 */

static ngx_int_t
ngx_http_recovery_init_module(ngx_cycle_t *cycle)
{
    ngx_http_recovery_main_conf_t  *rmcf, *old;

    rmcf = ngx_http_recovery_running(cycle);

    if (rmcf != NULL) {
        ngx_http_recovery_content_phase(cycle, rmcf);
        ngx_http_recovery_state_check(cycle, rmcf);
    }

    if (ngx_process != NGX_PROCESS_SINGLE || ngx_test_config
        || ngx_is_init_cycle(cycle->old_cycle))
    {
        return NGX_OK;
    }

    old = ngx_http_recovery_running(cycle->old_cycle);

    if (old != NULL) {
        ngx_http_recovery_resign(old);
        ngx_http_recovery_lots_leave(old);
    }

    if (rmcf == NULL) {
        return NGX_OK;
    }

    if (old != NULL && old->zone == rmcf->zone) {

        /* requests of the old configuration still hold permits in it */

        ngx_http_recovery_slot_use(rmcf, old->slot);

    } else {
        ngx_http_recovery_slot_take(rmcf);
    }

    return NGX_OK;
}


/* Its handlers are the last of all. */

static void
ngx_http_recovery_content_phase(ngx_cycle_t *cycle,
    ngx_http_recovery_main_conf_t *rmcf)
{
    ngx_int_t                      first;
    ngx_uint_t                     i;
    ngx_http_phase_handler_t      *handlers;
    ngx_http_core_main_conf_t     *cmcf;
    ngx_http_recovery_backend_t  **backends;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);
    handlers = cmcf->phase_engine.handlers;

    first = 0;

    while (handlers[first].checker != ngx_http_core_content_phase) {
        first++;
    }

    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        backends[i]->content_phase = first;
    }
}


static ngx_int_t
ngx_http_recovery_init_process(ngx_cycle_t *cycle)
{
    ngx_http_recovery_main_conf_t  *rmcf;

    /* cache manager and loader run this too */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    rmcf = ngx_http_recovery_running(cycle);

    if (rmcf != NULL) {
        ngx_http_recovery_slot_take(rmcf);
        ngx_http_recovery_lead(rmcf);
    }

    return NGX_OK;
}


static void
ngx_http_recovery_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = ngx_http_recovery_running(cycle);

    if (rmcf != NULL) {
        ngx_http_recovery_resign(rmcf);
        ngx_http_recovery_lots_leave(rmcf);
        ngx_http_recovery_slot_leave(rmcf);
    }
}


/* NULL: the cycle has no http block, or no backend in it. */

static ngx_http_recovery_main_conf_t *
ngx_http_recovery_running(ngx_cycle_t *cycle)
{
    ngx_http_recovery_main_conf_t  *rmcf;

    if (cycle->conf_ctx == NULL
        || ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL)
    {
        return NULL;
    }

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_recovery_module);

    if (rmcf == NULL || rmcf->zone == NULL || rmcf->backends.nelts == 0) {
        return NULL;
    }

    return rmcf;
}
