
#define _GNU_SOURCE                     /* getaddrinfo_a() */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "out.h"
#include "stream.h"


#define STREAM_ADDRESSES_MAX  8


static int
stream_fail(ctl_stream_t *stream, const char *what)
{
    (void) snprintf(stream->why, sizeof(stream->why), "%s", what);

    return -1;
}


int
ctl_stream_wait(ctl_stream_t *stream, short events, uint64_t deadline_ms)
{
    int            n;
    uint64_t       now_ms;
    struct pollfd  pfd;

    pfd.fd = stream->fd;
    pfd.events = events;

    do {
        now_ms = ctl_now_ms();

        if (now_ms >= deadline_ms) {
            return stream_fail(stream, "no answer in time");
        }

        n = poll(&pfd, 1, (int) (deadline_ms - now_ms));
    } while (n == 0 || (n == -1 && errno == EINTR));

    return n == -1 ? stream_fail(stream, strerror(errno)) : 0;
}


static int
stream_socket(ctl_stream_t *stream, const struct sockaddr *sa, socklen_t len,
    uint64_t deadline_ms)
{
    int        error, on;
    socklen_t  size;

    stream->fd = socket(sa->sa_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC,
                        0);

    if (stream->fd == -1) {
        return stream_fail(stream, strerror(errno));
    }

    on = 1;
    (void) setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    if (connect(stream->fd, sa, len) == 0) {
        return 0;
    }

    error = errno;

    /* EAGAIN of a unix socket: too many are waiting already */

    if (error == EINPROGRESS) {

        if (ctl_stream_wait(stream, POLLOUT, deadline_ms) != 0) {
            ctl_stream_close(stream);
            return stream_fail(stream, "not connected in time");
        }

        size = sizeof(error);

        if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
            error = errno;
        }
    }

    if (error == 0) {
        return 0;
    }

    ctl_stream_close(stream);

    return stream_fail(stream, strerror(error));
}


static int
stream_path(ctl_stream_t *stream, const char *path, uint64_t deadline_ms)
{
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    (void) snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);

    return stream_socket(stream, (struct sockaddr *) &sun, sizeof(sun),
                         deadline_ms);
}


/*
 * getaddrinfo() with a deadline.  What is still being asked then goes on in a
 * thread of libc, which writes into the request: that is left to it.
 */

typedef struct {
    struct gaicb     request;
    struct addrinfo  hints;
    char             port[8];
    char             host[CTL_HOST_MAX + 1];
} stream_lookup_t;


static struct addrinfo *
stream_lookup(ctl_stream_t *stream, const char *host, uint16_t port,
    uint64_t timeout_ms)
{
    int               rc;
    struct gaicb     *list[1];
    struct timespec   ts;
    struct addrinfo  *found;
    stream_lookup_t  *lookup;

    lookup = calloc(1, sizeof(*lookup));

    if (lookup == NULL) {
        (void) stream_fail(stream, "no memory");
        return NULL;
    }

    (void) snprintf(lookup->host, sizeof(lookup->host), "%s", host);
    (void) snprintf(lookup->port, sizeof(lookup->port), "%u", port);
    lookup->hints.ai_socktype = SOCK_STREAM;
    lookup->request.ar_name = lookup->host;
    lookup->request.ar_service = lookup->port;
    lookup->request.ar_request = &lookup->hints;
    list[0] = &lookup->request;

    rc = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);

    if (rc == 0) {
        ts.tv_sec = (time_t) (timeout_ms / 1000);
        ts.tv_nsec = (long) (timeout_ms % 1000) * 1000000;

        (void) gai_suspend((const struct gaicb *const *) list, 1, &ts);
        rc = gai_error(&lookup->request);
    }

    if (rc == EAI_INPROGRESS) {
        (void) stream_fail(stream, "the name was not looked up in time");
        return NULL;
    }

    found = (rc == 0) ? lookup->request.ar_result : NULL;
    free(lookup);

    if (found == NULL) {
        (void) stream_fail(stream, gai_strerror(rc));
    }

    return found;
}


/* Every address of a name. */

static int
stream_inet(ctl_stream_t *stream, const char *host, uint16_t port,
    uint64_t timeout_ms)
{
    int               rc;
    unsigned          n;
    struct addrinfo  *found, *a;

    found = stream_lookup(stream, host, port, timeout_ms);

    if (found == NULL) {
        return -1;
    }

    rc = -1;

    for (a = found, n = 0; a != NULL && n < STREAM_ADDRESSES_MAX;
         a = a->ai_next, n++)
    {
        rc = stream_socket(stream, a->ai_addr, a->ai_addrlen,
                           ctl_now_ms() + timeout_ms);
        if (rc == 0) {
            break;
        }
    }

    freeaddrinfo(found);

    return rc;
}


int
ctl_stream_open(ctl_stream_t *stream, const char *host, uint16_t port,
    SSL_CTX *tls, unsigned verify, uint64_t timeout_ms)
{
    int  rc;

    stream->fd = -1;
    stream->ssl = NULL;
    stream->why[0] = '\0';

    rc = (port == 0)
         ? stream_path(stream, host, ctl_now_ms() + timeout_ms)
         : stream_inet(stream, host, port, timeout_ms);

    if (rc != 0 || tls == NULL) {
        return rc;
    }

    return ctl_stream_secure(stream, host, tls, verify,
                             ctl_now_ms() + timeout_ms);
}


/*
 * Reading and writing: the bytes, or the event that has to be waited for in
 * *events, or -1.
 */

static ssize_t
stream_try_read(ctl_stream_t *stream, char *buf, size_t size, short *events)
{
    int      rc, error;
    ssize_t  n;

    *events = 0;

    if (stream->ssl == NULL) {
        n = recv(stream->fd, buf, size, 0);

        if (n == -1) {
            *events = (errno == EAGAIN || errno == EINTR) ? POLLIN : 0;
            (void) stream_fail(stream, strerror(errno));
        }

        return n;
    }

    rc = SSL_read(stream->ssl, buf, (int) size);

    if (rc > 0) {
        return rc;
    }

    error = SSL_get_error(stream->ssl, rc);

    if (error == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }

    *events = (error == SSL_ERROR_WANT_READ) ? POLLIN
              : (error == SSL_ERROR_WANT_WRITE) ? POLLOUT : 0;
    ctl_stream_tls_why(stream, rc, "TLS has failed");

    return -1;
}


static ssize_t
stream_try_write(ctl_stream_t *stream, const char *data, size_t len,
    short *events)
{
    int      rc, error;
    ssize_t  n;

    *events = 0;

    if (stream->ssl == NULL) {
        n = send(stream->fd, data, len, MSG_NOSIGNAL);

        if (n == -1) {
            *events = (errno == EAGAIN || errno == EINTR) ? POLLOUT : 0;
            (void) stream_fail(stream, strerror(errno));
        }

        return n;
    }

    rc = SSL_write(stream->ssl, data, (int) len);

    if (rc > 0) {
        return rc;
    }

    error = SSL_get_error(stream->ssl, rc);
    *events = (error == SSL_ERROR_WANT_READ) ? POLLIN
              : (error == SSL_ERROR_WANT_WRITE) ? POLLOUT : 0;
    ctl_stream_tls_why(stream, rc, "TLS has failed");

    return -1;
}


ssize_t
ctl_stream_read(ctl_stream_t *stream, char *buf, size_t size,
    uint64_t deadline_ms)
{
    short    events;
    ssize_t  n;

    for ( ;; ) {
        n = stream_try_read(stream, buf, size, &events);

        if (n >= 0) {
            return n;
        }

        if (events == 0
            || ctl_stream_wait(stream, events, deadline_ms) != 0)
        {
            return -1;
        }
    }
}


int
ctl_stream_write(ctl_stream_t *stream, const char *data, size_t len,
    uint64_t deadline_ms)
{
    short    events;
    ssize_t  n;

    while (len != 0) {
        n = stream_try_write(stream, data, len, &events);

        if (n >= 0) {
            data += n;
            len -= (size_t) n;

        } else if (events == 0
                   || ctl_stream_wait(stream, events, deadline_ms) != 0)
        {
            return -1;
        }
    }

    return 0;
}


void
ctl_stream_close(ctl_stream_t *stream)
{
    if (stream->ssl != NULL) {
        SSL_free(stream->ssl);
        stream->ssl = NULL;
    }

    if (stream->fd != -1) {
        close(stream->fd);
        stream->fd = -1;
    }
}
