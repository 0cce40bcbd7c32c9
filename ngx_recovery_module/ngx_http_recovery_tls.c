
/*
 * TLS of the link to Redis, by nginx's own means: the context that the
 * configuration makes, the handshake, and whether the server is who it should
 * be.  Nothing is sent to a server before that is known.
 *
 * nginx logs what OpenSSL says at each try.  Here its words are caught, so
 * that they can be said once, in our line.
 */

#include "ngx_http_recovery_conf.h"
#include "ngx_http_recovery_redis.h"


#if (NGX_SSL)

#define NGX_HTTP_RECOVERY_TLS_DEPTH  10         /* of a chain, below the CA */


static ngx_int_t ngx_http_recovery_tls_own_certificate(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis);
static ngx_int_t ngx_http_recovery_tls_authorities(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis);
static void ngx_http_recovery_tls_catch(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static ngx_int_t ngx_http_recovery_tls_name(ngx_http_recovery_link_t *link);
static void ngx_http_recovery_tls_handler(ngx_connection_t *c);
static ngx_int_t ngx_http_recovery_tls_done(ngx_http_recovery_link_t *link);
static ngx_int_t ngx_http_recovery_tls_verify(ngx_http_recovery_link_t *link);
static ngx_uint_t ngx_http_recovery_tls_is_host(ngx_connection_t *c,
    ngx_str_t *host);
static ngx_uint_t ngx_http_recovery_tls_is_address(ngx_str_t *host);


ngx_int_t
ngx_http_recovery_tls_create(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis)
{
    ngx_pool_cleanup_t  *cln;

    redis->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (redis->ssl == NULL) {
        return NGX_ERROR;
    }

    redis->ssl->log = cf->log;

    if (ngx_ssl_create(redis->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(redis->ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = redis->ssl;

    if (ngx_http_recovery_tls_own_certificate(cf, redis) != NGX_OK) {
        return NGX_ERROR;
    }

    return redis->tls_verify ? ngx_http_recovery_tls_authorities(cf, redis)
                             : NGX_OK;
}


static ngx_int_t
ngx_http_recovery_tls_own_certificate(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis)
{
    ngx_array_t  passwords;

    if (redis->tls_cert.len == 0) {
        return NGX_OK;
    }

    /* no password: a key that needs one is an error, and nobody is asked */

    ngx_memzero(&passwords, sizeof(ngx_array_t));

    if (ngx_ssl_certificate(cf, redis->ssl, &redis->tls_cert, &redis->tls_key,
                            &passwords)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": \"tls_cert=%V\" and "
                           "\"tls_key=%V\" cannot be used, they must be a "
                           "certificate and its key without a password, in "
                           "PEM", &redis->tls_cert, &redis->tls_key);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Without "tls_ca=": whom this machine trusts. */

static ngx_int_t
ngx_http_recovery_tls_authorities(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis)
{
    if (ngx_ssl_trusted_certificate(cf, redis->ssl, &redis->tls_ca,
                                    NGX_HTTP_RECOVERY_TLS_DEPTH)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": \"tls_ca=%V\" cannot be used, "
                           "it must be a file of certificates in PEM",
                           &redis->tls_ca);
        return NGX_ERROR;
    }

    if (redis->tls_ca.len == 0
        && SSL_CTX_set_default_verify_paths(redis->ssl->ctx) == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": the certificates of this "
                           "machine cannot be used, \"tls_ca=\" must name a "
                           "file");
        return NGX_ERROR;
    }

    ERR_clear_error();

    return NGX_OK;
}


void
ngx_http_recovery_tls_init(ngx_http_recovery_link_t *link)
{
    if (link->redis->conf->ssl == NULL) {
        return;
    }

    link->quiet.log_level = NGX_LOG_INFO;
    link->quiet.writer = ngx_http_recovery_tls_catch;
    link->quiet.wdata = link;
    link->quiet.next = NULL;
    link->quiet.handler = NULL;
}


static void
ngx_http_recovery_tls_catch(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    u_char                    *p, *last;
    ngx_http_recovery_link_t  *link;

    link = log->wdata;

    if (level <= NGX_LOG_ALERT) {
        ngx_log_error(level, &link->log, 0, "%*s", len, buf);
        return;
    }

    p = ngx_strnstr(buf, "(SSL: ", len);

    if (p == NULL || link->tls_said[0] != '\0') {
        return;
    }

    last = buf + len;

    if (last[-1] == LF) {
        last--;
    }

    len = ngx_min((size_t) (last - p), sizeof(link->tls_said) - 1);

    ngx_memcpy(link->tls_said, p, len);
    link->tls_said[len] = '\0';
}


ngx_uint_t
ngx_http_recovery_tls_said(ngx_http_recovery_link_t *link)
{
    return link->tls_said[0] != '\0';
}


void
ngx_http_recovery_tls_fail(ngx_http_recovery_link_t *link)
{
    u_char  text[NGX_HTTP_RECOVERY_REDIS_SAID_MAX + 64];

    if (link->tls_said[0] == '\0') {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_TLS, 0,
                                    "server closed the connection");
        return;
    }

    (void) ngx_snprintf(text, sizeof(text), "TLS has failed %s%Z",
                        link->tls_said);

    ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_TLS, 0,
                                (char *) text);
}


ngx_int_t
ngx_http_recovery_tls_handshake(ngx_http_recovery_link_t *link)
{
    ngx_connection_t  *c;

    if (!link->site->server->tls) {
        return NGX_DECLINED;
    }

    c = link->connection;
    link->tls_said[0] = '\0';

    if (ngx_ssl_create_connection(link->redis->conf->ssl, c, NGX_SSL_CLIENT)
        != NGX_OK
        || ngx_http_recovery_tls_name(link) != NGX_OK)
    {
        ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_CONNECT, 0,
                                    "TLS could not be set up");
        return NGX_ERROR;
    }

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = ngx_http_recovery_tls_handler;
        return NGX_AGAIN;
    }

    return ngx_http_recovery_tls_done(link);
}


/* SNI: which of its certificates a server is to show; never an address. */

static ngx_int_t
ngx_http_recovery_tls_name(ngx_http_recovery_link_t *link)
{
    u_char     *name;
    ngx_str_t  *host;

    host = &link->site->host;

    if (ngx_http_recovery_tls_is_address(host)) {
        return NGX_OK;
    }

    name = ngx_pnalloc(link->connection->pool, host->len + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(name, host->data, host->len + 1);

    if (SSL_set_tlsext_host_name(link->connection->ssl->connection,
                                 (char *) name)
        == 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_recovery_tls_handler(ngx_connection_t *c)
{
    ngx_http_recovery_link_t   *link;
    ngx_http_recovery_redis_t  *redis;

    link = c->data;
    redis = link->redis;

    redis->busy++;

    if (ngx_http_recovery_tls_done(link) == NGX_DECLINED) {
        ngx_http_recovery_link_advance(link);
    }

    ngx_http_recovery_redis_leave(redis);
}


static ngx_int_t
ngx_http_recovery_tls_done(ngx_http_recovery_link_t *link)
{
    if (!link->connection->ssl->handshaked) {
        ngx_http_recovery_tls_fail(link);
        return NGX_ERROR;
    }

    ngx_http_recovery_link_listen(link);

    if (link->redis->conf->tls_verify
        && ngx_http_recovery_tls_verify(link) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_recovery_tls_verify(ngx_http_recovery_link_t *link)
{
    long        rc;
    u_char      text[NGX_HTTP_RECOVERY_REDIS_SAID_MAX + 256];
    ngx_str_t  *host;

    host = &link->site->host;
    rc = SSL_get_verify_result(link->connection->ssl->connection);

    if (rc != X509_V_OK) {
        (void) ngx_snprintf(text, sizeof(text), "certificate of the server "
                            "refused: %s%Z", X509_verify_cert_error_string(rc));

    } else if (!ngx_http_recovery_tls_is_host(link->connection, host)) {
        (void) ngx_snprintf(text, sizeof(text), "certificate of the server is "
                            "not one of \"%V\"%Z", host);

    } else {
        return NGX_OK;
    }

    ngx_http_recovery_link_fail(link, NGX_HTTP_RECOVERY_FAILURE_TLS, 0,
                                (char *) text);

    return NGX_ERROR;
}


/* Addresses are compared with the addresses of a certificate alone. */

static ngx_uint_t
ngx_http_recovery_tls_is_host(ngx_connection_t *c, ngx_str_t *host)
{
    X509        *cert;
    ngx_uint_t   is;
    u_char       address[NGX_INET6_ADDRSTRLEN + 1];

    if (!ngx_http_recovery_tls_is_address(host)) {
        return ngx_ssl_check_host(c, host) == NGX_OK;
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return 0;
    }

    (void) ngx_cpystrn(address, host->data,
                       ngx_min(host->len + 1, sizeof(address)));

    is = (X509_check_ip_asc(cert, (char *) address, 0) == 1);

    X509_free(cert);

    return is;
}


static ngx_uint_t
ngx_http_recovery_tls_is_address(ngx_str_t *host)
{
#if (NGX_HAVE_INET6)
    if (ngx_strlchr(host->data, host->data + host->len, ':') != NULL) {
        return 1;
    }
#endif

    return ngx_inet_addr(host->data, host->len) != INADDR_NONE;
}


/* Nothing is left to be said, and nobody is waited for. */

void
ngx_http_recovery_tls_close(ngx_connection_t *c)
{
    if (c->ssl == NULL) {
        return;
    }

    c->ssl->no_wait_shutdown = 1;
    c->ssl->no_send_shutdown = 1;

    (void) ngx_ssl_shutdown(c);
}


#else /* !NGX_SSL */


ngx_int_t
ngx_http_recovery_tls_create(ngx_conf_t *cf,
    ngx_http_recovery_redis_conf_t *redis)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"recovery_redis\": \"rediss://\" must have an nginx "
                       "that was built with SSL (--with-http_ssl_module), "
                       "this one was not");

    return NGX_ERROR;
}


void
ngx_http_recovery_tls_init(ngx_http_recovery_link_t *link)
{
}


ngx_int_t
ngx_http_recovery_tls_handshake(ngx_http_recovery_link_t *link)
{
    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_recovery_tls_said(ngx_http_recovery_link_t *link)
{
    return 0;
}


void
ngx_http_recovery_tls_fail(ngx_http_recovery_link_t *link)
{
}


void
ngx_http_recovery_tls_close(ngx_connection_t *c)
{
}


#endif
