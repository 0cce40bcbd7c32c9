
/*
 * Open-loop load: requests are due at times that no answer changes, and
 * latency counts from the time at which a request was due.  A server that is
 * held up for 100 ms has made all wait who would have come meanwhile; a
 * client that waits for each answer before it asks again does not see that
 * ("coordinated omission").
 *
 *   load PORT CONNECTIONS RATE SECONDS spin|sleep
 *
 * RATE a second in the mean, at random (Poisson), the same for every run.
 * What is due waits for a free connection.  A RATE that nobody can serve
 * tells by per_s what can be served; its latencies then only grow.
 * spin: on a processor of its own; sleep: between requests it takes none.
 *
 * Prints one JSON object.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"


#define CONNECTIONS_MAX  1024
#define ANSWER_MAX       8192
#define STATUS_MAX       600
#define SEED             0x2545f4914f6cdd1dull
#define SECOND_NS        1000000000ull


typedef struct {
    int       fd;
    unsigned  busy;
    uint64_t  due_ns;
    size_t    len;
    char      answer[ANSWER_MAX];
} connection_t;


static connection_t  connections[CONNECTIONS_MAX];
static connection_t *idle[CONNECTIONS_MAX];
static unsigned      nidle;

static histogram_t   latencies;
static uint64_t      statuses[STATUS_MAX];
static uint64_t      asked, answered, broken;

static int           ep;
static unsigned      port;


static void
die(const char *what)
{
    perror(what);
    exit(1);
}


static uint64_t
now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * SECOND_NS + (uint64_t) ts.tv_nsec;
}


/* Time to the next request: exponential, by xorshift. */

static uint64_t
gap_ns(double rate)
{
    static uint64_t  x = SEED;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;

    return (uint64_t) (-log(((double) (x >> 11) + 1) / 9007199254740993.0)
                       / rate * (double) SECOND_NS);
}


static void
open_connection(connection_t *c)
{
    int                 one;
    struct sockaddr_in  addr;
    struct epoll_event  event;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_port = htons((uint16_t) port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &addr, sizeof(addr)) != 0)
    {
        die("connect");
    }

    one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        die("epoll_ctl");
    }

    c->busy = 0;
    c->len = 0;
    idle[nidle++] = c;
}


static void
ask(connection_t *c, uint64_t due_ns)
{
    static const char  request[] = "GET /x HTTP/1.1\r\nHost: bench\r\n\r\n";

    c->busy = 1;
    c->due_ns = due_ns;
    c->len = 0;
    asked++;

    if (send(c->fd, request, sizeof(request) - 1, MSG_NOSIGNAL)
        != (ssize_t) sizeof(request) - 1)
    {
        die("send");
    }
}


/* Is the answer whole?  All that are asked for have a length, or no body. */

static int
is_whole(const connection_t *c)
{
    size_t       length;
    const char  *end, *field;

    end = strstr(c->answer, "\r\n\r\n");

    if (end == NULL) {
        return 0;
    }

    field = strcasestr(c->answer, "\r\nContent-Length: ");
    length = 0;

    if (field != NULL && field < end) {
        length = strtoul(field + sizeof("\r\nContent-Length: ") - 1, NULL,
                         10);
    }

    return c->len >= (size_t) (end - c->answer) + 4 + length;
}


static void
answer(connection_t *c, uint64_t now)
{
    unsigned  status;

    status = (unsigned) strtoul(c->answer + sizeof("HTTP/1.1 ") - 1, NULL,
                                10);
    statuses[status < STATUS_MAX ? status : 0]++;

    histogram_add(&latencies, now - c->due_ns);
    answered++;

    c->busy = 0;
    idle[nidle++] = c;
}


static void
readable(connection_t *c)
{
    ssize_t  n;

    n = recv(c->fd, c->answer + c->len, ANSWER_MAX - 1 - c->len,
             MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0 || !c->busy) {
        fprintf(stderr, "load: a connection was closed\n");
        exit(1);
    }

    c->len += (size_t) n;
    c->answer[c->len] = '\0';

    if (is_whole(c)) {
        answer(c, now_ns());
    }
}


static void
wait_until(uint64_t until, int spin)
{
    int                 i, n;
    uint64_t            now;
    struct timespec     timeout;
    struct epoll_event  events[64];

    now = now_ns();
    timeout.tv_sec = 0;
    timeout.tv_nsec = 0;

    if (!spin && until > now) {
        timeout.tv_sec = (time_t) ((until - now) / SECOND_NS);
        timeout.tv_nsec = (long) ((until - now) % SECOND_NS);
    }

    n = epoll_pwait2(ep, events, 64, &timeout, NULL);

    for (i = 0; i < n; i++) {
        readable(events[i].data.ptr);
    }
}


/* Until no more is due, and what has been asked is answered. */

static void
run(double rate, uint64_t start, uint64_t end, int spin)
{
    uint64_t  due, now;

    due = start + gap_ns(rate);

    for ( ;; ) {
        now = now_ns();

        while (nidle > 0 && due <= now && now < end) {
            ask(idle[--nidle], due);
            due += gap_ns(rate);
        }

        if (now >= end && asked == answered) {
            return;
        }

        if (now >= end + SECOND_NS) {
            broken = asked - answered;
            return;
        }

        wait_until(now >= end ? end + SECOND_NS
                              : due > now ? due : now + SECOND_NS / 1000,
                   spin);
    }
}


static void
report(double rate, uint64_t ns)
{
    unsigned     i;
    const char  *comma;

    printf("{\"rate\":%.0f,\"per_s\":%.0f,\"unanswered\":%llu,"
           "\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,"
           "\"p999_us\":%.1f,\"statuses\":{",
           rate, (double) answered * 1e9 / (double) ns,
           (unsigned long long) broken,
           histogram_at(&latencies, 0.5) / 1e3,
           histogram_at(&latencies, 0.9) / 1e3,
           histogram_at(&latencies, 0.99) / 1e3,
           histogram_at(&latencies, 0.999) / 1e3);

    comma = "";

    for (i = 0; i < STATUS_MAX; i++) {
        if (statuses[i] != 0) {
            printf("%s\"%u\":%llu", comma, i,
                   (unsigned long long) statuses[i]);
            comma = ",";
        }
    }

    printf("}}\n");
}


int
main(int argc, char **argv)
{
    int        spin;
    double     rate;
    unsigned   i, n;
    uint64_t   start, end;

    if (argc != 6) {
        fprintf(stderr, "usage: load PORT CONNECTIONS RATE SECONDS"
                        " spin|sleep\n");
        return 2;
    }

    port = (unsigned) strtoul(argv[1], NULL, 10);
    n = (unsigned) strtoul(argv[2], NULL, 10);
    rate = strtod(argv[3], NULL);
    spin = strcmp(argv[5], "spin") == 0;

    if (n == 0 || n > CONNECTIONS_MAX || !(rate > 0)) {
        fprintf(stderr, "load: 1 to %d connections, a rate above 0\n",
                CONNECTIONS_MAX);
        return 2;
    }

    ep = epoll_create1(0);

    for (i = 0; i < n; i++) {
        open_connection(&connections[i]);
    }

    start = now_ns();
    end = start + (uint64_t) (strtod(argv[4], NULL) * (double) SECOND_NS);

    run(rate, start, end, spin);
    report(rate, now_ns() - start);

    return 0;
}
