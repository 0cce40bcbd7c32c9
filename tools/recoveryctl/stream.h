
/*
 * A connection to a server, plain or TLS, of which every step has a deadline
 * (ctl_now_ms(), monotonic).
 */

#ifndef CTL_STREAM_H_INCLUDED_
#define CTL_STREAM_H_INCLUDED_


#include <openssl/ssl.h>
#include <sys/types.h>

#include "options.h"


#define CTL_WHY_MAX  512


typedef struct {
    int    fd;                          /* -1: none */
    SSL   *ssl;                         /* NULL: plain */
    char   why[CTL_WHY_MAX];            /* the last thing has failed */
} ctl_stream_t;


/* NULL: conf->tls_... cannot be used, said why. */
SSL_CTX *ctl_tls_new(const ctl_redis_conf_t *conf);

/*
 * Connects to a host (name or address) and a port, or where the port is 0 to
 * a path; with a context by TLS, whose handshake has timeout_ms of its own.
 * All return -1 after a failure, which stream->why tells.
 */
int ctl_stream_open(ctl_stream_t *stream, const char *host, uint16_t port,
    SSL_CTX *tls, unsigned verify, uint64_t timeout_ms);
int ctl_stream_write(ctl_stream_t *stream, const char *data, size_t len,
    uint64_t deadline_ms);

/* Bytes; 0: the server has closed. */
ssize_t ctl_stream_read(ctl_stream_t *stream, char *buf, size_t size,
    uint64_t deadline_ms);

void ctl_stream_close(ctl_stream_t *stream);

/* Of stream.c, for tls.c: -1 at the deadline, or after a failure. */
int ctl_stream_wait(ctl_stream_t *stream, short events, uint64_t deadline_ms);
int ctl_stream_secure(ctl_stream_t *stream, const char *host, SSL_CTX *tls,
    unsigned verify, uint64_t deadline_ms);

/* What OpenSSL has to say; into stream->why. */
void ctl_stream_tls_why(ctl_stream_t *stream, int rc, const char *what);


#endif /* CTL_STREAM_H_INCLUDED_ */
