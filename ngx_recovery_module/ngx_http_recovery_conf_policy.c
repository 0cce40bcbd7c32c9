
/*
 * "recovery_policy NAME { ... }": nginx splits the lines, the core gives
 * them their meaning (policy.h), this file compiles the strings with
 * variables and adds file and line to what the core has to say.
 */

#include "ngx_http_recovery_conf.h"


#define NGX_HTTP_RECOVERY_WORDS_MAX  72


static char *ngx_http_recovery_policy_line(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_http_recovery_policy_t *ngx_http_recovery_policy_create(
    ngx_conf_t *cf, ngx_str_t *name);
static ngx_int_t ngx_http_recovery_policy_finish(ngx_conf_t *cf,
    ngx_http_recovery_policy_t *policy);
static ngx_int_t ngx_http_recovery_policy_subjects(ngx_conf_t *cf,
    ngx_http_recovery_policy_t *policy);
static ngx_uint_t ngx_http_recovery_lone_variable(ngx_str_t *text);
static ngx_uint_t ngx_http_recovery_is_uri(ngx_str_t *name);
static ngx_int_t ngx_http_recovery_policy_sieve(ngx_conf_t *cf,
    ngx_http_recovery_policy_t *policy);
static void *ngx_http_recovery_policy_alloc(void *pool, size_t size);
static void ngx_http_recovery_policy_cleanup(void *data);


char *
ngx_http_recovery_set_policy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recovery_main_conf_t *rmcf = conf;

    char                         *rv;
    ngx_str_t                    *value;
    ngx_conf_t                    save;
    ngx_http_recovery_policy_t   *policy, **slot;

    value = cf->args->elts;

    if (!rcv_name_valid(ngx_http_recovery_str(&value[1]))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_policy\": invalid name \"%V\", it must "
                           "be 1 to %d letters, digits, \"_\", \"-\" or "
                           "\".\" and start with a letter or a digit",
                           &value[1], RCV_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_recovery_policy_find(rmcf, &value[1]) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_policy %V\" is duplicate, a policy "
                           "must be defined once", &value[1]);
        return NGX_CONF_ERROR;
    }

    policy = ngx_http_recovery_policy_create(cf, &value[1]);
    if (policy == NULL) {
        return NGX_CONF_ERROR;
    }

    slot = ngx_array_push(&rmcf->policies);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = policy;

    save = *cf;
    cf->handler = ngx_http_recovery_policy_line;
    cf->handler_conf = policy;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_http_recovery_policy_finish(cf, policy) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_policy_line(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                         err[RCV_ERROR_MAX];
    ngx_str_t                   *value;
    rcv_str_t                    words[NGX_HTTP_RECOVERY_WORDS_MAX];
    ngx_uint_t                   i;
    ngx_http_recovery_policy_t  *policy;

    policy = cf->handler_conf;
    value = cf->args->elts;

    if (ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_http_recovery_include(cf, cmd, conf);
    }

    if (cf->args->nelts > NGX_HTTP_RECOVERY_WORDS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in recovery_policy \"%V\" has %ui "
                           "parameters, at most %d are allowed",
                           &value[0], &policy->name, cf->args->nelts - 1,
                           NGX_HTTP_RECOVERY_WORDS_MAX - 1);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < cf->args->nelts; i++) {
        words[i] = ngx_http_recovery_str(&value[i]);
    }

    if (rcv_policy_line(policy->core, words, (unsigned) cf->args->nelts,
                        err, sizeof(err))
        != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in recovery_policy \"%V\"", err,
                           &policy->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_http_recovery_policy_t *
ngx_http_recovery_policy_create(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_recovery_policy_t  *policy;

    policy = ngx_pcalloc(cf->pool, sizeof(ngx_http_recovery_policy_t));
    if (policy == NULL) {
        return NULL;
    }

    policy->core = ngx_pcalloc(cf->pool, sizeof(rcv_policy_t));
    if (policy->core == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    policy->name = *name;
    rcv_policy_init(policy->core, ngx_http_recovery_str(name));

    cln->handler = ngx_http_recovery_policy_cleanup;
    cln->data = policy->core;

    return policy;
}


static ngx_int_t
ngx_http_recovery_policy_finish(ngx_conf_t *cf,
    ngx_http_recovery_policy_t *policy)
{
    char  err[RCV_ERROR_MAX];

    if (rcv_policy_finish(policy->core, err, sizeof(err)) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in recovery_policy \"%V\"", err,
                           &policy->name);
        return NGX_ERROR;
    }

    if (ngx_http_recovery_policy_subjects(cf, policy) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_recovery_policy_sieve(cf, policy);
}


/* Strings with variables -> nginx's compiled form, one each. */

static ngx_int_t
ngx_http_recovery_policy_subjects(ngx_conf_t *cf,
    ngx_http_recovery_policy_t *policy)
{
    ngx_str_t                          text;
    ngx_uint_t                         i;
    rcv_policy_t                      *core;
    ngx_http_recovery_string_t        *string;
    ngx_http_compile_complex_value_t   ccv;

    core = policy->core;

    policy->subjects = ngx_pcalloc(cf->pool, ngx_max(core->nsubjects, 1)
                                             * sizeof(
                                                ngx_http_recovery_string_t));
    if (policy->subjects == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < core->nsubjects; i++) {
        text.data = (u_char *) core->subjects[i].text.data;
        text.len = core->subjects[i].text.len;
        string = &policy->subjects[i];

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &text;
        ccv.complex_value = &string->value;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_ERROR;
        }

        string->variable = NGX_ERROR;

        if (!ngx_http_recovery_lone_variable(&text)) {
            continue;
        }

        string->variable = ngx_http_get_variable_index(cf, &text);

        if (string->variable == NGX_ERROR) {
            return NGX_ERROR;
        }

        string->uri = ngx_http_recovery_is_uri(&text);
    }

    return NGX_OK;
}


/* "$name" or "${name}" and no more; text becomes the name. */

static ngx_uint_t
ngx_http_recovery_lone_variable(ngx_str_t *text)
{
    size_t      i, len;
    u_char      c, *name;
    ngx_uint_t  braces;

    braces = (text->len > 3 && text->data[1] == '{');

    if (text->len < 2 || text->data[0] != '$'
        || (braces && text->data[text->len - 1] != '}'))
    {
        return 0;
    }

    name = text->data + 1 + braces;
    len = text->len - 1 - 2 * braces;

    /* $1 is a capture */

    if (name[0] >= '0' && name[0] <= '9') {
        return 0;
    }

    for (i = 0; i < len; i++) {
        c = ngx_tolower(name[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
        {
            return 0;
        }
    }

    text->data = name;
    text->len = len;

    return 1;
}


/* What nobody can define anew is read where nginx's own variable reads it. */

static ngx_uint_t
ngx_http_recovery_is_uri(ngx_str_t *name)
{
    return (name->len == 3
            && ngx_strncasecmp(name->data, (u_char *) "uri", 3) == 0)
           || (name->len == 12
               && ngx_strncasecmp(name->data, (u_char *) "document_uri", 12)
                  == 0);
}


/* So that a request pays for the rules that concern it; see sieve.h. */

static ngx_int_t
ngx_http_recovery_policy_sieve(ngx_conf_t *cf,
    ngx_http_recovery_policy_t *policy)
{
    int           rc;
    uint32_t      subject;
    ngx_uint_t    i;
    rcv_shape_t  *shapes;

    if (policy->core->nmatches == 0) {
        return NGX_OK;
    }

    shapes = ngx_alloc(policy->core->nmatches * sizeof(rcv_shape_t), cf->log);
    if (shapes == NULL) {
        return NGX_ERROR;
    }

    rc = rcv_sieve_make(policy->core, shapes, ngx_http_recovery_policy_alloc,
                        cf->pool);
    ngx_free(shapes);

    if (rc != 0) {
        return NGX_ERROR;
    }

    subject = policy->core->matches[0].test.subject;

    for (i = 1; i < policy->core->nmatches; i++) {
        if (policy->core->matches[i].test.subject != subject) {
            return NGX_OK;
        }
    }

    if (policy->subjects[subject].uri) {
        policy->uri_sieve = &policy->core->sieve->subjects[subject];
    }

    return NGX_OK;
}


static void *
ngx_http_recovery_policy_alloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


static void
ngx_http_recovery_policy_cleanup(void *data)
{
    rcv_policy_free(data);
}


ngx_http_recovery_policy_t *
ngx_http_recovery_policy_find(ngx_http_recovery_main_conf_t *rmcf,
    ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_http_recovery_policy_t  **policies;

    policies = rmcf->policies.elts;

    for (i = 0; i < rmcf->policies.nelts; i++) {
        if (policies[i]->name.len == name->len
            && ngx_memcmp(policies[i]->name.data, name->data, name->len) == 0)
        {
            return policies[i];
        }
    }

    return NULL;
}


ngx_http_recovery_policy_t *
ngx_http_recovery_policy_default(ngx_conf_t *cf,
    ngx_http_recovery_main_conf_t *rmcf)
{
    ngx_http_recovery_policy_t  *policy, **slot;

    static ngx_str_t  name = ngx_string("default");

    policy = ngx_http_recovery_policy_find(rmcf, &name);
    if (policy != NULL) {
        return policy;
    }

    policy = ngx_http_recovery_policy_create(cf, &name);
    if (policy == NULL) {
        return NULL;
    }

    slot = ngx_array_push(&rmcf->policies);
    if (slot == NULL) {
        return NULL;
    }

    *slot = policy;

    if (ngx_http_recovery_policy_finish(cf, policy) != NGX_OK) {
        return NULL;
    }

    return policy;
}


size_t
ngx_http_recovery_policy_names(ngx_http_recovery_main_conf_t *rmcf,
    u_char *buf)
{
    u_char                       *p;
    ngx_uint_t                    i;
    ngx_http_recovery_policy_t  **policies;

    p = buf;
    policies = rmcf->policies.elts;

    for (i = 0; i < rmcf->policies.nelts; i++) {
        p = ngx_slprintf(p, buf + NGX_HTTP_RECOVERY_LIST_MAX, "%s\"%V\"",
                         i ? ", " : "", &policies[i]->name);
    }

    return (size_t) (p - buf);
}
