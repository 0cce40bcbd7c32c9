
/*
 * "recovery_redis URI... [key=value...]".
 *
 * Nothing is connected to: that is for the worker that leads.
 */

#include "ngx_http_recovery_conf.h"
#include "ngx_http_recovery_source.h"


#define NGX_HTTP_RECOVERY_REDIS_NAME_MAX      128

#define NGX_HTTP_RECOVERY_REDIS_POLL_MIN_MS     50
#define NGX_HTTP_RECOVERY_REDIS_TIMEOUT_MIN_MS  10
#define NGX_HTTP_RECOVERY_REDIS_TIME_MAX_MS     60000


/* What the directive is being read into. */

typedef struct {
    ngx_http_recovery_redis_conf_t  *redis;
    ngx_uint_t                       seen;      /* bits of keys */
    ngx_uint_t                       db;        /* of unix sockets */
} ngx_http_recovery_redis_words_t;


typedef struct {
    ngx_str_t    name;                          /* with the "=" */
    char      *(*set)(ngx_conf_t *cf, ngx_http_recovery_redis_words_t *words,
                      ngx_str_t *value);
} ngx_http_recovery_redis_key_t;


static char *ngx_http_recovery_redis_key(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *word);
static char *ngx_http_recovery_redis_finish(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words);
static char *ngx_http_recovery_redis_password_file(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_prefix(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_node(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_host(ngx_conf_t *cf, ngx_str_t *node);
static char *ngx_http_recovery_redis_poll(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_timeout(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_db(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_sentinel(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_sentinel_user(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_sentinel_password(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_name(ngx_conf_t *cf, char *key,
    ngx_str_t *value, ngx_str_t *name);
static char *ngx_http_recovery_redis_tls_ca(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_tls_cert(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_tls_key(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_file(ngx_conf_t *cf, char *key,
    ngx_str_t *value, ngx_str_t *file);
static char *ngx_http_recovery_redis_tls_verify(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_sentinels(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis);
static char *ngx_http_recovery_redis_tls(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis);


static ngx_http_recovery_redis_key_t  ngx_http_recovery_redis_keys[] = {

    { ngx_string("password_file="), ngx_http_recovery_redis_password_file },
    { ngx_string("prefix="), ngx_http_recovery_redis_prefix },
    { ngx_string("node="), ngx_http_recovery_redis_node },
    { ngx_string("poll="), ngx_http_recovery_redis_poll },
    { ngx_string("timeout="), ngx_http_recovery_redis_timeout },
    { ngx_string("db="), ngx_http_recovery_redis_db },
    { ngx_string("sentinel="), ngx_http_recovery_redis_sentinel },
    { ngx_string("sentinel_user="), ngx_http_recovery_redis_sentinel_user },
    { ngx_string("sentinel_password_file="),
      ngx_http_recovery_redis_sentinel_password },
    { ngx_string("tls_ca="), ngx_http_recovery_redis_tls_ca },
    { ngx_string("tls_cert="), ngx_http_recovery_redis_tls_cert },
    { ngx_string("tls_key="), ngx_http_recovery_redis_tls_key },
    { ngx_string("tls_verify="), ngx_http_recovery_redis_tls_verify },
    { ngx_null_string, NULL }
};


char *
ngx_http_recovery_set_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_recovery_main_conf_t *rmcf = conf;

    char                             *rv;
    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_http_recovery_redis_conf_t   *redis;
    ngx_http_recovery_redis_words_t   words;

    if (rmcf->redis != NULL) {
        return "is duplicate, it takes several URIs";
    }

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_http_recovery_redis_conf_t));
    if (redis == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&redis->servers, cf->pool, 2,
                       sizeof(ngx_http_recovery_redis_server_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&redis->prefix, "recovery:");
    redis->poll_ms = 1000;
    redis->timeout_ms = 1000;
    redis->tls_verify = 1;
    redis->at = ngx_http_recovery_here(cf);

    words.redis = redis;
    words.seen = 0;
    words.db = 0;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_recovery_redis_starts(&value[i], "unix:")
            || ngx_strstr(value[i].data, "://") != NULL)
        {
            rv = ngx_http_recovery_redis_server(cf, redis, &value[i]);

        } else {
            rv = ngx_http_recovery_redis_key(cf, &words, &value[i]);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_http_recovery_redis_finish(cf, &words);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rmcf->redis = redis;

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_redis_key(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *word)
{
    ngx_str_t                       value;
    ngx_uint_t                      i;
    ngx_http_recovery_redis_key_t  *key;

    for (i = 0; ngx_http_recovery_redis_keys[i].name.len; i++) {
        key = &ngx_http_recovery_redis_keys[i];

        if (!ngx_http_recovery_redis_starts(word, (char *) key->name.data)) {
            continue;
        }

        if (words->seen & (1u << i)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"recovery_redis\": \"%V\" is duplicate",
                               &key->name);
            return NGX_CONF_ERROR;
        }

        words->seen |= 1u << i;

        value.data = word->data + key->name.len;
        value.len = word->len - key->name.len;

        return key->set(cf, words, &value);
    }

    /* it may be a password in the wrong place: only its name is repeated */

    value.data = word->data;
    value.len = strcspn((char *) word->data, "=:@");

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"recovery_redis\": unknown parameter \"%V\", it "
                       "takes URIs (" NGX_HTTP_RECOVERY_REDIS_URIS ") and "
                       "\"password_file=\", \"prefix=\", \"node=\", "
                       "\"poll=\", \"timeout=\", \"db=\", \"sentinel=\", "
                       "\"sentinel_user=\", "
                       "\"sentinel_password_file=\", \"tls_ca=\", "
                       "\"tls_cert=\", \"tls_key=\", \"tls_verify=\"",
                       &value);

    return NGX_CONF_ERROR;
}


/* What can be checked only when all words have been read. */

static char *
ngx_http_recovery_redis_finish(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words)
{
    ngx_uint_t                         i, sockets;
    ngx_http_recovery_redis_server_t  *servers;

    servers = words->redis->servers.elts;

    if (words->redis->servers.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": no URI, at least one must be "
                           "given, " NGX_HTTP_RECOVERY_REDIS_URIS);
        return NGX_CONF_ERROR;
    }

    sockets = 0;

    for (i = 0; i < words->redis->servers.nelts; i++) {

        if (servers[i].uri.data[0] == 'u') {
            servers[i].db = words->db;
            sockets++;
        }

        if (servers[i].user.len && words->redis->password.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"recovery_redis\": \"%V\" names a user, "
                               "which needs \"password_file=\"",
                               &servers[i].uri);
            return NGX_CONF_ERROR;
        }
    }

    if (words->db && sockets == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": \"db=\" is for \"unix:\" "
                           "URIs, others name it as "
                           "\"redis://host:port/db\"");
        return NGX_CONF_ERROR;
    }

    if (words->redis->node.len == 0
        && ngx_http_recovery_redis_host(cf, &words->redis->node)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_recovery_redis_sentinels(cf, words->redis) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_recovery_redis_tls(cf, words->redis);
}


/* What the URIs of Sentinels say besides an address is of the master. */

static char *
ngx_http_recovery_redis_sentinels(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis)
{
    char                              *wrong;
    ngx_uint_t                         i;
    ngx_http_recovery_redis_server_t  *servers;

    servers = redis->servers.elts;
    wrong = NULL;

    if (redis->sentinel.len == 0) {
        if (redis->sentinel_user.len || redis->sentinel_password.len) {
            wrong = "\"sentinel_...=\" is for Sentinels, \"sentinel=\" must "
                    "name the master";
        }

    } else if (redis->sentinel_user.len
               && redis->sentinel_password.len == 0)
    {
        wrong = "\"sentinel_user=\" needs \"sentinel_password_file=\", "
                "both must be given";
    }

    for (i = 0; redis->sentinel.len && i < redis->servers.nelts; i++) {

        if (servers[i].uri.data[0] == 'u') {
            wrong = "with \"sentinel=\" URIs must be \"redis://\" or "
                    "\"rediss://\"";

        } else if (servers[i].tls != servers[0].tls
                   || servers[i].db != servers[0].db
                   || servers[i].user.len != servers[0].user.len
                   || ngx_strncmp(servers[i].user.data, servers[0].user.data,
                                  servers[0].user.len) != 0)
        {
            wrong = "with \"sentinel=\" scheme, user and database are those "
                    "of the master, all URIs must have the same";
        }
    }

    if (wrong != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"recovery_redis\": %s",
                           wrong);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_redis_tls(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis)
{
    ngx_uint_t                         i, secured;
    ngx_http_recovery_redis_server_t  *servers;

    servers = redis->servers.elts;
    secured = 0;

    for (i = 0; i < redis->servers.nelts; i++) {
        secured |= servers[i].tls;
    }

    if (!secured
        && (redis->tls_ca.len || redis->tls_cert.len || redis->tls_key.len
            || !redis->tls_verify))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": \"tls_...=\" is for "
                           "\"rediss://\" URIs, at least one must be given");
        return NGX_CONF_ERROR;
    }

    if ((redis->tls_cert.len == 0) != (redis->tls_key.len == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": \"tls_cert=\" and "
                           "\"tls_key=\" must be given together");
        return NGX_CONF_ERROR;
    }

    if (secured && ngx_http_recovery_tls_create(cf, redis) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_redis_password_file(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    return ngx_http_recovery_redis_password(cf, "password_file=", value,
                                            &words->redis->password);
}


static char *
ngx_http_recovery_redis_sentinel_password(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    return ngx_http_recovery_redis_password(cf, "sentinel_password_file=",
                                            value,
                                            &words->redis->sentinel_password);
}


static char *
ngx_http_recovery_redis_sentinel(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    return ngx_http_recovery_redis_name(cf, "sentinel=", value,
                                        &words->redis->sentinel);
}


static char *
ngx_http_recovery_redis_sentinel_user(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    return ngx_http_recovery_redis_name(cf, "sentinel_user=", value,
                                        &words->redis->sentinel_user);
}


static char *
ngx_http_recovery_redis_name(ngx_conf_t *cf, char *key, ngx_str_t *value,
    ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < value->len && value->data[i] > 0x20; i++) {
        /* void */
    }

    if (i == 0 || i < value->len || i > NGX_HTTP_RECOVERY_REDIS_NAME_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": invalid \"%s%V\", it must "
                           "be a name of 1 to %d bytes without blanks", key,
                           value, NGX_HTTP_RECOVERY_REDIS_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    *name = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_redis_prefix(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    u_char  ch;
    size_t  i;

    if (value->len == 0
        || value->len > NGX_HTTP_RECOVERY_SOURCE_PREFIX_MAX)
    {
        goto invalid;
    }

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if (ch <= 0x20 || ch == 0x7f) {
            goto invalid;
        }
    }

    words->redis->prefix = *value;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"recovery_redis\": invalid \"prefix=\", it must be 1 "
                       "to %d bytes without blanks and control characters",
                       NGX_HTTP_RECOVERY_SOURCE_PREFIX_MAX);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_recovery_redis_node(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    if (!rcv_name_valid(ngx_http_recovery_str(value))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": invalid \"node=%V\", it "
                           "must be 1 to %d letters, digits, \"_\", \"-\" "
                           "or \".\", and start with a letter or a digit",
                           value, RCV_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    words->redis->node = *value;

    return NGX_CONF_OK;
}


/* The host name, as far as it is a name: it becomes a part of keys. */

static char *
ngx_http_recovery_redis_host(ngx_conf_t *cf, ngx_str_t *node)
{
    size_t     i;
    u_char     ch;
    ngx_str_t  host;

    host = cf->cycle->hostname;
    host.len = ngx_min(host.len, RCV_NAME_MAX);
    host.data = ngx_pstrdup(cf->pool, &host);

    if (host.data == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < host.len; i++) {
        ch = host.data[i];

        if (!isalnum(ch) && ch != '_' && ch != '.') {
            host.data[i] = '-';
        }
    }

    if (!rcv_name_valid(ngx_http_recovery_str(&host))) {
        ngx_str_set(&host, "nginx");
    }

    *node = host;

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_redis_poll(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    uint64_t  ms;

    if (rcv_parse_duration(ngx_http_recovery_str(value), &ms) != 0
        || ms < NGX_HTTP_RECOVERY_REDIS_POLL_MIN_MS
        || ms > NGX_HTTP_RECOVERY_REDIS_TIME_MAX_MS)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": invalid \"poll=%V\", it must "
                           "be a time from 50ms to 1m", value);
        return NGX_CONF_ERROR;
    }

    words->redis->poll_ms = (ngx_msec_t) ms;

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_redis_timeout(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    uint64_t  ms;

    if (rcv_parse_duration(ngx_http_recovery_str(value), &ms) != 0
        || ms < NGX_HTTP_RECOVERY_REDIS_TIMEOUT_MIN_MS
        || ms > NGX_HTTP_RECOVERY_REDIS_TIME_MAX_MS)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": invalid \"timeout=%V\", it "
                           "must be a time from 10ms to 1m", value);
        return NGX_CONF_ERROR;
    }

    words->redis->timeout_ms = (ngx_msec_t) ms;

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_redis_db(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    if (ngx_http_recovery_redis_number(value, &words->db) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": invalid \"db=%V\", it must be "
                           "a number from 0 to %d", value,
                           NGX_HTTP_RECOVERY_REDIS_DB_MAX);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_redis_tls_ca(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    return ngx_http_recovery_redis_file(cf, "tls_ca=", value,
                                        &words->redis->tls_ca);
}


static char *
ngx_http_recovery_redis_tls_cert(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    return ngx_http_recovery_redis_file(cf, "tls_cert=", value,
                                        &words->redis->tls_cert);
}


static char *
ngx_http_recovery_redis_tls_key(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    return ngx_http_recovery_redis_file(cf, "tls_key=", value,
                                        &words->redis->tls_key);
}


static char *
ngx_http_recovery_redis_file(ngx_conf_t *cf, char *key, ngx_str_t *value,
    ngx_str_t *file)
{
    if (value->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": \"%s\" must name a file",
                           key);
        return NGX_CONF_ERROR;
    }

    *file = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_redis_tls_verify(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "on") == 0) {
        words->redis->tls_verify = 1;

    } else if (ngx_strcmp(value->data, "off") == 0) {
        words->redis->tls_verify = 0;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": invalid \"tls_verify=%V\", "
                           "it must be \"on\" or \"off\"", value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
