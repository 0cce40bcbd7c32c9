
/*
 * TLS as nginx's link has it: 1.2 and 1.3; a server must be whom we called,
 * and before that is known nothing is sent.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "out.h"
#include "stream.h"


/* Nobody is asked for the password of a key. */

static int
tls_no_password(char *buf, int size, int rwflag, void *data)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) data;

    return 0;
}


static SSL_CTX *
tls_bad(SSL_CTX *ctx, const char *format, const char *a, const char *b)
{
    ctl_error(format, a, b);
    SSL_CTX_free(ctx);
    ERR_clear_error();

    return NULL;
}


SSL_CTX *
ctl_tls_new(const ctl_redis_conf_t *conf)
{
    SSL_CTX  *ctx;

    ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL) {
        return NULL;
    }

    (void) SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                          |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(ctx, tls_no_password);

    if (conf->tls_cert != NULL
        && (SSL_CTX_use_certificate_chain_file(ctx, conf->tls_cert) != 1
            || SSL_CTX_use_PrivateKey_file(ctx, conf->tls_key,
                                           SSL_FILETYPE_PEM) != 1
            || SSL_CTX_check_private_key(ctx) != 1))
    {
        return tls_bad(ctx, "--tls-cert \"%s\" and --tls-key \"%s\" cannot "
                       "be used, they must be a certificate and its key "
                       "without a password, in PEM", conf->tls_cert,
                       conf->tls_key);
    }

    if (!conf->tls_verify) {
        return ctx;
    }

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);

    if (conf->tls_ca != NULL
        ? SSL_CTX_load_verify_file(ctx, conf->tls_ca) != 1
        : SSL_CTX_set_default_verify_paths(ctx) != 1)
    {
        return tls_bad(ctx, "--tls-ca \"%s\" cannot be used, it must be a "
                       "file of certificates in PEM%s",
                       conf->tls_ca ? conf->tls_ca : "of this machine", "");
    }

    ERR_clear_error();

    return ctx;
}


static int
tls_is_address(const char *host)
{
    unsigned char  buf[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, buf) == 1
           || inet_pton(AF_INET6, host, buf) == 1;
}


/* Whom we want: an address is compared with addresses alone. */

static int
tls_whom(SSL *ssl, const char *host, unsigned verify)
{
    if (tls_is_address(host)) {
        return !verify
               || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    }

    /* SNI: which of its certificates a server is to show */

    return SSL_set_tlsext_host_name(ssl, host)
           && (!verify || SSL_set1_host(ssl, host));
}


void
ctl_stream_tls_why(ctl_stream_t *stream, int rc, const char *what)
{
    int            error, saved;
    long           verified;
    unsigned long  code;

    saved = errno;
    error = SSL_get_error(stream->ssl, rc);
    code = ERR_peek_last_error();
    verified = SSL_get_verify_result(stream->ssl);

    if (error == SSL_ERROR_SSL && verified != X509_V_OK) {
        (void) snprintf(stream->why, sizeof(stream->why),
                        "certificate of the server refused: %s",
                        X509_verify_cert_error_string(verified));

    } else if (code != 0) {
        (void) snprintf(stream->why, sizeof(stream->why), "%s: %s", what,
                        ERR_reason_error_string(code)
                        ? ERR_reason_error_string(code) : "unknown error");

    } else {
        (void) snprintf(stream->why, sizeof(stream->why), "%s: %s", what,
                        saved && rc == -1 ? strerror(saved)
                                          : "the server has hung up");
    }

    ERR_clear_error();
}


int
ctl_stream_secure(ctl_stream_t *stream, const char *host, SSL_CTX *tls,
    unsigned verify, uint64_t deadline_ms)
{
    int    rc, error;
    short  events;

    stream->ssl = SSL_new(tls);

    if (stream->ssl == NULL || SSL_set_fd(stream->ssl, stream->fd) != 1
        || !tls_whom(stream->ssl, host, verify))
    {
        (void) snprintf(stream->why, sizeof(stream->why),
                        "TLS could not be set up");
        goto failed;
    }

    for ( ;; ) {
        errno = 0;
        rc = SSL_connect(stream->ssl);

        if (rc == 1) {
            return 0;
        }

        error = SSL_get_error(stream->ssl, rc);
        events = (error == SSL_ERROR_WANT_READ) ? POLLIN
                 : (error == SSL_ERROR_WANT_WRITE) ? POLLOUT : 0;

        if (events == 0) {
            ctl_stream_tls_why(stream, rc, "TLS has failed");
            goto failed;
        }

        if (ctl_stream_wait(stream, events, deadline_ms) != 0) {
            (void) snprintf(stream->why, sizeof(stream->why),
                            "no TLS in time; is this a port for TLS?");
            goto failed;
        }
    }

failed:

    ctl_stream_close(stream);

    return -1;
}
