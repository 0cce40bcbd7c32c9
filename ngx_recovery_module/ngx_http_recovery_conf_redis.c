
/*
 * "recovery_redis URI... [key=value...]".
 *
 * Names are resolved here, once, as proxy_pass does it.  Nothing is
 * connected to: that is for the worker that leads.  A password comes out of
 * a file only, and no message repeats one.
 */

#include "ngx_http_recovery_conf.h"
#include "ngx_http_recovery_source.h"


#define NGX_HTTP_RECOVERY_REDIS_SERVERS_MAX   8
#define NGX_HTTP_RECOVERY_REDIS_PORT          6379
#define NGX_HTTP_RECOVERY_REDIS_DB_MAX        65535
#define NGX_HTTP_RECOVERY_REDIS_PASSWORD_MAX  512

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
static char *ngx_http_recovery_redis_server(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *uri);
static char *ngx_http_recovery_redis_inet(ngx_conf_t *cf,
    ngx_http_recovery_redis_server_t *server, ngx_str_t *host);
static char *ngx_http_recovery_redis_resolve(ngx_conf_t *cf,
    ngx_http_recovery_redis_server_t *server, ngx_str_t *host);
static char *ngx_http_recovery_redis_finish(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words);
static char *ngx_http_recovery_redis_password_file(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static ssize_t ngx_http_recovery_redis_read(ngx_conf_t *cf, ngx_str_t *name,
    u_char *buf, size_t size);
static char *ngx_http_recovery_redis_prefix(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_poll(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_timeout(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_db(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static char *ngx_http_recovery_redis_missing(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value);
static ngx_int_t ngx_http_recovery_redis_number(ngx_str_t *value,
    ngx_uint_t *db);
static ngx_uint_t ngx_http_recovery_redis_starts(ngx_str_t *word,
    const char *start);


static ngx_http_recovery_redis_key_t  ngx_http_recovery_redis_keys[] = {

    { ngx_string("password_file="), ngx_http_recovery_redis_password_file },
    { ngx_string("prefix="), ngx_http_recovery_redis_prefix },
    { ngx_string("poll="), ngx_http_recovery_redis_poll },
    { ngx_string("timeout="), ngx_http_recovery_redis_timeout },
    { ngx_string("db="), ngx_http_recovery_redis_db },
    { ngx_string("sentinel="), ngx_http_recovery_redis_missing },
    { ngx_string("tls_ca="), ngx_http_recovery_redis_missing },
    { ngx_string("tls_cert="), ngx_http_recovery_redis_missing },
    { ngx_string("tls_key="), ngx_http_recovery_redis_missing },
    { ngx_string("tls_verify="), ngx_http_recovery_redis_missing },
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

    words.redis = redis;
    words.seen = 0;
    words.db = 0;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_recovery_redis_starts(&value[i], "unix:")
            || ngx_strstr(value[i].data, "://") != NULL)
        {
            rv = ngx_http_recovery_redis_server(cf, &words, &value[i]);

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
                       "takes URIs (\"redis://[user@]host[:port][/db]\", "
                       "\"unix:/path\") and \"password_file=\", \"prefix=\", "
                       "\"poll=\", \"timeout=\", \"db=\"", &value);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_recovery_redis_server(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *uri)
{
    u_char                            *at, *p, *last;
    ngx_str_t                          host;
    ngx_http_recovery_redis_server_t  *server;

    if (words->redis->servers.nelts == NGX_HTTP_RECOVERY_REDIS_SERVERS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": too many URIs, at most %d "
                           "are allowed", NGX_HTTP_RECOVERY_REDIS_SERVERS_MAX);
        return NGX_CONF_ERROR;
    }

    server = ngx_array_push(&words->redis->servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_recovery_redis_server_t));
    server->uri = *uri;

    if (ngx_http_recovery_redis_starts(uri, "unix:")) {

        /* a relative path counts from nginx's working directory */

        if (uri->len == sizeof("unix:") - 1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"recovery_redis\": \"%V\" must name a "
                               "path, as in \"unix:/path\"", uri);
            return NGX_CONF_ERROR;
        }

        return ngx_http_recovery_redis_resolve(cf, server, uri);
    }

    if (ngx_http_recovery_redis_starts(uri, "rediss://")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": \"rediss://\" (TLS) is not "
                           "supported in this version, use \"redis://\" or "
                           "\"unix:\"");
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_recovery_redis_starts(uri, "redis://")) {

        /* nothing that could be a password is repeated */

        host.data = uri->data;
        host.len = strcspn((char *) uri->data, "@");

        if (host.len < uri->len) {
            host.len = strcspn((char *) uri->data, ":");
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": unknown scheme in \"%V\", a "
                           "URI must be \"redis://[user@]host[:port][/db]\" "
                           "or \"unix:/path\"", &host);
        return NGX_CONF_ERROR;
    }

    host.data = uri->data + sizeof("redis://") - 1;
    host.len = uri->len - (sizeof("redis://") - 1);
    last = host.data + host.len;
    at = NULL;

    for (p = host.data; p < last; p++) {
        if (*p == '@') {
            at = p;
        }
    }

    if (at != NULL) {
        server->user.data = host.data;
        server->user.len = at - host.data;

        host.data = at + 1;
        host.len = last - host.data;

        if (server->user.len == 0
            || ngx_strlchr(server->user.data, at, ':') != NULL)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"recovery_redis\": before the \"@\" of a URI "
                               "must be a user name alone, a password goes "
                               "into a file that \"password_file=\" names");
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_recovery_redis_inet(cf, server, &host);
}


/* host[:port][/db] */

static char *
ngx_http_recovery_redis_inet(ngx_conf_t *cf,
    ngx_http_recovery_redis_server_t *server, ngx_str_t *host)
{
    u_char     *slash, *last;
    ngx_str_t   db;

    last = host->data + host->len;
    slash = ngx_strlchr(host->data, last, '/');

    if (slash != NULL) {
        db.data = slash + 1;
        db.len = last - db.data;
        host->len = slash - host->data;

        if (db.len
            && ngx_http_recovery_redis_number(&db, &server->db) != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"recovery_redis\": invalid database \"%V\" "
                               "in \"%V\", it must be a number from 0 to %d",
                               &db, &server->uri,
                               NGX_HTTP_RECOVERY_REDIS_DB_MAX);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_recovery_redis_resolve(cf, server, host);
}


static char *
ngx_http_recovery_redis_resolve(ngx_conf_t *cf,
    ngx_http_recovery_redis_server_t *server, ngx_str_t *host)
{
    ngx_url_t  u;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *host;
    u.default_port = NGX_HTTP_RECOVERY_REDIS_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": %s in \"%V\", it must be "
                           "\"redis://[user@]host[:port][/db]\" or "
                           "\"unix:/path\"",
                           u.err ? u.err : "invalid address", &server->uri);
        return NGX_CONF_ERROR;
    }

    server->addrs = u.addrs;
    server->naddrs = u.naddrs;

    return NGX_CONF_OK;
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
                           "\"recovery_redis\": no URI, at least one "
                           "\"redis://[user@]host[:port][/db]\" or "
                           "\"unix:/path\" must be given");
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

    return NGX_CONF_OK;
}


static char *
ngx_http_recovery_redis_password_file(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    u_char      *end;
    ssize_t      n;
    ngx_str_t    name, *password;

    /* one byte more than allowed, and the end of the line */
    u_char       buf[NGX_HTTP_RECOVERY_REDIS_PASSWORD_MAX + 3];

    if (value->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": \"password_file=\" must name "
                           "a file");
        return NGX_CONF_ERROR;
    }

    name = *value;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    n = ngx_http_recovery_redis_read(cf, &name, buf, sizeof(buf));
    if (n == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    end = ngx_strlchr(buf, buf + n, LF);
    if (end != NULL) {
        n = end - buf;
    }

    if (n && buf[n - 1] == CR) {
        n--;
    }

    if (n == 0 || n > NGX_HTTP_RECOVERY_REDIS_PASSWORD_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": the first line of password "
                           "file \"%V\" must have 1 to %d bytes",
                           &name, NGX_HTTP_RECOVERY_REDIS_PASSWORD_MAX);
        return NGX_CONF_ERROR;
    }

    password = &words->redis->password;

    password->data = ngx_pnalloc(cf->pool, n);
    if (password->data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(password->data, buf, n);
    password->len = n;

    ngx_explicit_memzero(buf, sizeof(buf));

    return NGX_CONF_OK;
}


/* The beginning of a file; NGX_ERROR after a message. */

static ssize_t
ngx_http_recovery_redis_read(ngx_conf_t *cf, ngx_str_t *name, u_char *buf,
    size_t size)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    /* not to wait for somebody at the other end of a named pipe */

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"recovery_redis\": " ngx_open_file_n
                           " password file \"%V\" failed", name);
        return NGX_ERROR;
    }

    n = NGX_ERROR;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": password file \"%V\" must be "
                           "a regular file", name);
        goto done;
    }

    if (ngx_file_access(&fi) & 0004) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"recovery_redis\": password file \"%V\" can be "
                           "read by everybody", name);
    }

    n = ngx_read_fd(fd, buf, size);

    if (n == -1) {
        n = NGX_ERROR;
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"recovery_redis\": " ngx_read_fd_n
                           " password file \"%V\" failed", name);
    }

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return n;
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
ngx_http_recovery_redis_missing(ngx_conf_t *cf,
    ngx_http_recovery_redis_words_t *words, ngx_str_t *value)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"recovery_redis\": \"sentinel=\" and \"tls_...=\" "
                       "are not supported in this version");

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_recovery_redis_number(ngx_str_t *value, ngx_uint_t *db)
{
    uint64_t  n;

    if (rcv_parse_integer(ngx_http_recovery_str(value), &n) != 0
        || n > NGX_HTTP_RECOVERY_REDIS_DB_MAX)
    {
        return NGX_ERROR;
    }

    *db = (ngx_uint_t) n;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_recovery_redis_starts(ngx_str_t *word, const char *start)
{
    size_t  len;

    len = ngx_strlen(start);

    return word->len >= len && ngx_strncmp(word->data, start, len) == 0;
}
