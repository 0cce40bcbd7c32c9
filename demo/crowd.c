
/*
 * demo-crowd: users who do not wait for each other.
 *
 * The loop is open: users arrive on a schedule of their own, whatever became
 * of those before them.  (A tool that sends the next request when the last was
 * answered slows down together with the service, and can show neither an
 * overload nor a second spike.)  A user whose attempt fails or times out tries
 * again after a short pause, --retries times, and then gives up; some of them
 * come back later (--come-back), which is the pent-up demand of an outage.
 *
 * One line of CSV a second.  The schedule (when, which class, which key) and
 * the behaviour (pauses) draw from two random sources, so that two runs with
 * one seed meet exactly the same demand.
 *
 * Bounds: run time, rate, users alive, open connections, bytes of an answer's
 * header.  What the cap on connections refused is counted ("capped").
 *
 * A user is in one place at a time: in the wheel (waits to try), on a
 * connection (an attempt is in flight), or in the free list.
 */


#define _GNU_SOURCE

#include "demo.h"

#include <math.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>


#define CROWD_CONNECTIONS_MAX  16384
#define CROWD_BUFFER_SIZE      2048
#define CROWD_EVENTS_MAX       256
#define CROWD_USERS_MAX        200000
#define CROWD_TIMEOUT_MS_MAX   10000
#define CROWD_WHEEL_SIZE       131072     /* ms; longer pauses are cut */
#define CROWD_CLASSES          3


typedef struct conn_s  conn_t;
typedef struct user_s  user_t;


typedef enum {
    CROWD_OK = 0,
    CROWD_SHED,               /* 503 or 429 with Retry-After */
    CROWD_ERROR,
    CROWD_TIMEOUT,
    CROWD_CAPPED              /* no connection left: never sent */
} crowd_outcome_t;


struct user_s {
    user_t         *next;
    uint32_t        key;
    uint8_t         class;
    uint8_t         attempts;
};


struct conn_s {
    conn_t         *prev;     /* attempts in order of their start, or idle */
    conn_t         *next;
    user_t         *user;     /* NULL: idle */
    uint64_t        start_ns;
    uint64_t        body;     /* bytes of the answer's body still to come */
    size_t          length;
    int             fd;       /* -1: closed, perhaps with an event pending */
    bool            connecting;
    bool            answered; /* header read, outcome known */
    bool            last;
    uint32_t        retry_after_s;
    crowd_outcome_t outcome;
    char            buffer[CROWD_BUFFER_SIZE];
};


typedef struct {
    uint32_t        users;
    uint32_t        offered;
    uint32_t        outcome[CROWD_CAPPED + 1];
    uint32_t        gave_up;
    uint32_t        users_of[CROWD_CLASSES];
    uint32_t        ok_of[CROWD_CLASSES];
    uint32_t        latency[CROWD_TIMEOUT_MS_MAX + 1];  /* of ok, by ms */
} crowd_second_t;


typedef struct {
    struct sockaddr_in  target;
    uint32_t            rate;
    uint32_t            seconds;
    uint32_t            timeout_ms;
    uint32_t            retries;
    uint32_t            pause_ms;
    uint32_t            come_back_percent;
    uint32_t            come_back_ms;
    uint32_t            keys;
    uint32_t            share[CROWD_CLASSES];
    uint32_t            open;
    uint32_t            seed;
    bool                even;
    bool                honour;
    const char         *output;
} crowd_conf_t;


typedef struct {
    crowd_conf_t    conf;
    crowd_second_t  second;
    FILE           *out;

    uint64_t        schedule;           /* random: who comes when */
    uint64_t        behaviour;          /* random: pauses */

    uint64_t        start_ns;
    double          arrival_ns;         /* next, since the start */
    uint32_t        seconds;            /* printed */

    int             epoll;
    uint32_t        open;
    uint32_t        waiting;            /* users in the wheel */

    conn_t         *conns_free;
    conn_t         *conns_closed;       /* not reused before the next turn */
    conn_t          attempts;           /* list head, oldest first */
    conn_t          idle;               /* list head, latest used first */

    user_t         *users_free;
    user_t         *wheel[CROWD_WHEEL_SIZE];
    uint64_t        wheel_ms;           /* up to here it has turned */
} crowd_t;


static const struct {
    const char  *path;
    const char  *priority;
} crowd_class[CROWD_CLASSES] = {
    { "/login/", "critical" },
    { "/kv/", "normal" },
    { "/bulk/", "low" }
};


static const char  crowd_help[] =
"usage: demo-crowd [OPTION...]\n"
"\n"
"Open-loop load on a loopback address: GET /login/KEY, /kv/KEY and /bulk/KEY\n"
"with X-Priority critical, normal and low.  One line of CSV a second.\n"
"\n"
"  --target=ADDR:PORT    loopback only (127.0.0.1:8080)\n"
"  --rate=N              users a second (350)\n"
"  --seconds=N           run time, at most 3600 (30)\n"
"  --even                evenly spaced arrivals (default: Poisson)\n"
"  --timeout=MS          of an attempt (1000)\n"
"  --retries=N           attempts after the first (3)\n"
"  --retry-delay=MS      pause before a retry, +-50 % (100)\n"
"  --honour-retry-after  pause as long as a shed answer says\n"
"  --come-back=PERCENT   of those who gave up come back (0)\n"
"  --come-back-after=MS  on average (5000)\n"
"  --login=N --kv=N --bulk=N   shares of the classes (10, 70, 20)\n"
"  --keys=N              (300)\n"
"  --max-open=N          connections (6000)\n"
"  --seed=N              (1)\n"
"  --output=FILE         (standard output)\n"
"  --help\n";


static void
crowd_list_remove(conn_t *c)
{
    c->prev->next = c->next;
    c->next->prev = c->prev;
}


static void
crowd_list_insert(conn_t *after, conn_t *c)
{
    c->prev = after;
    c->next = after->next;
    after->next->prev = c;
    after->next = c;
}


/* by reset, so that no connection is left in TIME_WAIT */

static void
crowd_conn_close(crowd_t *s, conn_t *c)
{
    struct linger  linger;

    crowd_list_remove(c);

    linger.l_onoff = 1;
    linger.l_linger = 0;
    (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));

    close(c->fd);
    s->open--;

    c->fd = -1;
    c->next = s->conns_closed;
    s->conns_closed = c;
}


static void
crowd_user_wait(crowd_t *s, user_t *u, double pause_ms)
{
    user_t    **slot;
    uint64_t    ms;

    ms = pause_ms < 1 ? 1 : (uint64_t) pause_ms;

    if (ms >= CROWD_WHEEL_SIZE) {
        ms = CROWD_WHEEL_SIZE - 1;
    }

    slot = &s->wheel[(s->wheel_ms + ms) % CROWD_WHEEL_SIZE];
    u->next = *slot;
    *slot = u;
    s->waiting++;
}


static void
crowd_user_give_up(crowd_t *s, user_t *u)
{
    double  pause_ms;

    s->second.gave_up++;

    if (demo_random_unit(&s->behaviour) * 100 < s->conf.come_back_percent) {
        pause_ms = -log(1 - demo_random_unit(&s->behaviour))
                   * s->conf.come_back_ms;
        u->attempts = 0;
        crowd_user_wait(s, u, pause_ms);
        return;
    }

    u->next = s->users_free;
    s->users_free = u;
}


static void
crowd_user_result(crowd_t *s, user_t *u, crowd_outcome_t outcome,
    uint32_t retry_after_s)
{
    double  pause_ms;

    s->second.outcome[outcome]++;

    if (outcome == CROWD_OK) {
        s->second.ok_of[u->class]++;
        u->next = s->users_free;
        s->users_free = u;
        return;
    }

    if (u->attempts > s->conf.retries) {
        crowd_user_give_up(s, u);
        return;
    }

    pause_ms = s->conf.pause_ms * (0.5 + demo_random_unit(&s->behaviour));

    if (s->conf.honour && retry_after_s > 0) {
        pause_ms += retry_after_s * 1000.0;
    }

    crowd_user_wait(s, u, pause_ms);
}


/* the attempt on a connection is over; the connection goes or stays */

static void
crowd_conn_result(crowd_t *s, conn_t *c, crowd_outcome_t outcome, bool keep)
{
    user_t    *u;
    uint64_t   ms;

    u = c->user;
    c->user = NULL;

    if (outcome == CROWD_OK) {
        ms = (demo_now_ns() - c->start_ns) / DEMO_MS_NS;
        s->second.latency[ms < CROWD_TIMEOUT_MS_MAX ? ms
                          : CROWD_TIMEOUT_MS_MAX]++;
    }

    if (keep) {
        crowd_list_remove(c);
        crowd_list_insert(&s->idle, c);

    } else {
        crowd_conn_close(s, c);
    }

    crowd_user_result(s, u, outcome, c->retry_after_s);
}


static bool
crowd_conn_send(conn_t *c)
{
    int      length;
    char     request[256];
    user_t  *u;

    u = c->user;

    length = snprintf(request, sizeof(request),
                      "GET %s%u HTTP/1.1\r\n"
                      "Host: demo\r\n"
                      "X-Priority: %s\r\n"
                      "X-Retry-Attempt: %u\r\n"
                      "\r\n",
                      crowd_class[u->class].path, u->key,
                      crowd_class[u->class].priority,
                      (uint32_t) u->attempts - 1);

    return send(c->fd, request, (size_t) length, MSG_NOSIGNAL) == length;
}


static bool
crowd_conn_watch(crowd_t *s, conn_t *c, int operation)
{
    struct epoll_event  ee;

    memset(&ee, 0, sizeof(ee));
    ee.events = c->connecting ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
    ee.data.ptr = c;

    return epoll_ctl(s->epoll, operation, c->fd, &ee) == 0;
}


static crowd_outcome_t
crowd_conn_open(crowd_t *s, conn_t **opened)
{
    int      rc;
    conn_t  *c;

    if (s->conns_free == NULL || s->open == s->conf.open) {
        return CROWD_CAPPED;
    }

    c = s->conns_free;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (c->fd == -1) {
        return CROWD_CAPPED;
    }

    rc = connect(c->fd, (struct sockaddr *) &s->conf.target,
                 sizeof(s->conf.target));
    c->connecting = rc != 0;

    if ((rc != 0 && errno != EINPROGRESS)
        || !crowd_conn_watch(s, c, EPOLL_CTL_ADD))
    {
        rc = errno;
        close(c->fd);
        c->fd = -1;
        return rc == EADDRNOTAVAIL ? CROWD_CAPPED : CROWD_ERROR;
    }

    s->conns_free = c->next;
    s->open++;

    *opened = c;

    return CROWD_OK;
}


/* takes the connection used last, so that the others may grow old */

static void
crowd_user_attempt(crowd_t *s, user_t *u, uint64_t now_ns)
{
    conn_t           *c;
    crowd_outcome_t   outcome;

    u->attempts++;
    s->second.offered++;

    c = s->idle.next;

    if (c != &s->idle) {
        crowd_list_remove(c);

    } else {
        outcome = crowd_conn_open(s, &c);

        if (outcome != CROWD_OK) {
            crowd_user_result(s, u, outcome, 0);
            return;
        }
    }

    c->user = u;
    c->start_ns = now_ns;
    c->length = 0;
    c->answered = false;
    c->last = false;
    c->retry_after_s = 0;

    crowd_list_insert(s->attempts.prev, c);

    if (!c->connecting && !crowd_conn_send(c)) {
        crowd_conn_result(s, c, CROWD_ERROR, false);
    }
}


/* the value of a header field, or NULL */

static const char *
crowd_field(const char *header, const char *name)
{
    const char  *field;

    field = strcasestr(header, name);

    if (field == NULL) {
        return NULL;
    }

    field += strlen(name);

    return field + strspn(field, " ");
}


/* the header is complete and ended by NUL; size is its length */

static void
crowd_conn_header(conn_t *c, size_t size)
{
    uint64_t     length;
    const char  *field;
    uint32_t     status;

    status = (uint32_t) strtoul(c->buffer + sizeof("HTTP/1.1"), NULL, 10);

    field = crowd_field(c->buffer, "\nretry-after:");
    c->retry_after_s = field ? (uint32_t) strtoul(field, NULL, 10) : 0;

    field = crowd_field(c->buffer, "\nconnection:");
    c->last = field && strncasecmp(field, "close", 5) == 0;

    field = crowd_field(c->buffer, "\ncontent-length:");
    length = field ? strtoull(field, NULL, 10) : 0;

    /* a chunked body is not read: its connection is not used again */

    if (field == NULL) {
        c->last = true;
    }

    c->body = length > c->length - size ? length - (c->length - size) : 0;
    c->answered = true;

    if (status >= 200 && status < 400) {
        c->outcome = CROWD_OK;

    } else if ((status == 503 || status == 429) && c->retry_after_s > 0) {
        c->outcome = CROWD_SHED;

    } else {
        c->outcome = CROWD_ERROR;
    }
}


static void
crowd_conn_read(crowd_t *s, conn_t *c)
{
    char     *end;
    size_t    header;
    ssize_t   n;

    n = recv(c->fd, c->buffer + c->length, CROWD_BUFFER_SIZE - 1 - c->length,
             0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (c->user == NULL) {
        crowd_conn_close(s, c);
        return;
    }

    if (n <= 0) {
        crowd_conn_result(s, c, CROWD_ERROR, false);
        return;
    }

    if (c->answered) {
        c->body -= (uint64_t) n < c->body ? (uint64_t) n : c->body;

    } else {
        c->length += (size_t) n;
        c->buffer[c->length] = '\0';

        end = strstr(c->buffer, "\r\n\r\n");

        if (end == NULL) {
            if (c->length == CROWD_BUFFER_SIZE - 1) {
                crowd_conn_result(s, c, CROWD_ERROR, false);
            }

            return;
        }

        header = (size_t) (end - c->buffer) + 4;
        end[2] = '\0';
        crowd_conn_header(c, header);
        c->length = 0;
    }

    if (c->body == 0) {
        crowd_conn_result(s, c, c->outcome, !c->last);
    }
}


static void
crowd_conn_event(crowd_t *s, conn_t *c)
{
    int        error;
    socklen_t  size;

    if (!c->connecting) {
        crowd_conn_read(s, c);
        return;
    }

    error = 0;
    size = sizeof(error);
    (void) getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);

    c->connecting = false;

    if (error != 0 || !crowd_conn_watch(s, c, EPOLL_CTL_MOD)
        || !crowd_conn_send(c))
    {
        crowd_conn_result(s, c, CROWD_ERROR, false);
    }
}


static void
crowd_arrive(crowd_t *s, uint64_t now_ns)
{
    double    gap, pick;
    user_t   *u;
    uint8_t   class;

    while (s->arrival_ns <= (double) (now_ns - s->start_ns)) {

        gap = 1e9 / s->conf.rate;

        if (!s->conf.even) {
            gap *= -log(1 - demo_random_unit(&s->schedule));
        }

        s->arrival_ns += gap;

        pick = demo_random_unit(&s->schedule)
               * (s->conf.share[0] + s->conf.share[1] + s->conf.share[2]);

        for (class = 0; class < CROWD_CLASSES - 1; class++) {
            if (pick < s->conf.share[class]) {
                break;
            }

            pick -= s->conf.share[class];
        }

        s->second.users++;
        s->second.users_of[class]++;

        u = s->users_free;

        if (u == NULL) {
            (void) demo_random(&s->schedule);
            s->second.outcome[CROWD_CAPPED]++;
            continue;
        }

        s->users_free = u->next;
        u->key = (uint32_t) (demo_random(&s->schedule) % s->conf.keys);
        u->class = class;
        u->attempts = 0;

        crowd_user_attempt(s, u, now_ns);
    }
}


static void
crowd_wheel_turn(crowd_t *s, uint64_t now_ns)
{
    user_t    *u, *next;
    uint64_t   now_ms;

    now_ms = (now_ns - s->start_ns) / DEMO_MS_NS;

    while (s->wheel_ms < now_ms) {
        s->wheel_ms++;

        u = s->wheel[s->wheel_ms % CROWD_WHEEL_SIZE];
        s->wheel[s->wheel_ms % CROWD_WHEEL_SIZE] = NULL;

        for ( /* void */ ; u; u = next) {
            next = u->next;
            s->waiting--;
            crowd_user_attempt(s, u, now_ns);
        }
    }
}


static void
crowd_attempts_expire(crowd_t *s, uint64_t now_ns)
{
    conn_t    *c;
    uint64_t   timeout_ns;

    timeout_ns = s->conf.timeout_ms * DEMO_MS_NS;

    for (c = s->attempts.next;
         c != &s->attempts && c->start_ns + timeout_ns <= now_ns;
         c = s->attempts.next)
    {
        crowd_conn_result(s, c, CROWD_TIMEOUT, false);
    }
}


/* the latency that the given share of the ok answers did not exceed */

static uint32_t
crowd_quantile(const crowd_second_t *second, double share)
{
    double    left;
    uint32_t  ms;

    left = second->outcome[CROWD_OK] * share;

    for (ms = 0; ms < CROWD_TIMEOUT_MS_MAX; ms++) {
        left -= second->latency[ms];

        if (left <= 0) {
            break;
        }
    }

    return ms;
}


static void
crowd_second_print(crowd_t *s)
{
    uint32_t         i;
    crowd_second_t  *n;

    n = &s->second;

    fprintf(s->out, "%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u", ++s->seconds,
            n->users, n->offered, n->outcome[CROWD_OK],
            n->outcome[CROWD_SHED], n->outcome[CROWD_ERROR],
            n->outcome[CROWD_TIMEOUT], n->outcome[CROWD_CAPPED],
            n->gave_up, s->waiting, s->open,
            crowd_quantile(n, 0.5), crowd_quantile(n, 0.99));

    for (i = 0; i < CROWD_CLASSES; i++) {
        fprintf(s->out, ",%u,%u", n->users_of[i], n->ok_of[i]);
    }

    fputc('\n', s->out);
    fflush(s->out);

    memset(n, 0, sizeof(*n));
}


static void
crowd_loop(crowd_t *s)
{
    int                 i, n;
    conn_t             *c;
    uint64_t            now_ns;
    struct epoll_event  events[CROWD_EVENTS_MAX];

    s->start_ns = demo_now_ns();

    for ( ;; ) {
        now_ns = demo_now_ns();

        while (now_ns - s->start_ns >= (s->seconds + 1) * DEMO_SECOND_NS) {
            crowd_second_print(s);

            if (s->seconds == s->conf.seconds) {
                return;
            }
        }

        crowd_arrive(s, now_ns);
        crowd_wheel_turn(s, now_ns);
        crowd_attempts_expire(s, now_ns);

        n = epoll_wait(s->epoll, events, CROWD_EVENTS_MAX, 1);

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c->fd != -1) {
                crowd_conn_event(s, c);
            }
        }

        while (s->conns_closed) {
            c = s->conns_closed;
            s->conns_closed = c->next;
            c->next = s->conns_free;
            s->conns_free = c;
        }
    }
}


static void
crowd_options(crowd_conf_t *conf, int argc, char **argv)
{
    const demo_option_t  options[] = {
        { "--target", DEMO_LOOPBACK, &conf->target, 0, 0 },
        { "--rate", DEMO_NUMBER, &conf->rate, 1, 20000 },
        { "--seconds", DEMO_NUMBER, &conf->seconds, 1, 3600 },
        { "--even", DEMO_FLAG, &conf->even, 0, 0 },
        { "--timeout", DEMO_NUMBER, &conf->timeout_ms, 1,
          CROWD_TIMEOUT_MS_MAX },
        { "--retries", DEMO_NUMBER, &conf->retries, 0, 100 },
        { "--retry-delay", DEMO_NUMBER, &conf->pause_ms, 0, 60000 },
        { "--honour-retry-after", DEMO_FLAG, &conf->honour, 0, 0 },
        { "--come-back", DEMO_NUMBER, &conf->come_back_percent, 0, 100 },
        { "--come-back-after", DEMO_NUMBER, &conf->come_back_ms, 0, 60000 },
        { "--login", DEMO_NUMBER, &conf->share[0], 0, 1000 },
        { "--kv", DEMO_NUMBER, &conf->share[1], 0, 1000 },
        { "--bulk", DEMO_NUMBER, &conf->share[2], 0, 1000 },
        { "--keys", DEMO_NUMBER, &conf->keys, 1, 10000000 },
        { "--max-open", DEMO_NUMBER, &conf->open, 1, CROWD_CONNECTIONS_MAX },
        { "--seed", DEMO_NUMBER, &conf->seed, 0, UINT32_MAX },
        { "--output", DEMO_TEXT, &conf->output, 0, 0 },
        { NULL, DEMO_FLAG, NULL, 0, 0 }
    };

    (void) demo_loopback("127.0.0.1:8080", &conf->target);
    conf->rate = 350;
    conf->seconds = 30;
    conf->timeout_ms = 1000;
    conf->retries = 3;
    conf->pause_ms = 100;
    conf->come_back_ms = 5000;
    conf->keys = 300;
    conf->share[0] = 10;
    conf->share[1] = 70;
    conf->share[2] = 20;
    conf->open = 6000;
    conf->seed = 1;

    demo_options("demo-crowd", crowd_help, options, argc, argv);

    if (conf->share[0] + conf->share[1] + conf->share[2] == 0) {
        fprintf(stderr, "demo-crowd: --login, --kv and --bulk are all 0\n");
        exit(2);
    }
}


static void
crowd_init(crowd_t *s)
{
    conn_t    *conns;
    user_t    *users;
    uint32_t   i, descriptors;

    descriptors = demo_descriptors() - 16;

    if (s->conf.open > descriptors) {
        s->conf.open = descriptors;
    }

    conns = calloc(s->conf.open, sizeof(conn_t));
    users = calloc(CROWD_USERS_MAX, sizeof(user_t));
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->out = s->conf.output ? fopen(s->conf.output, "we") : stdout;

    if (conns == NULL || users == NULL || s->epoll == -1 || s->out == NULL) {
        perror("demo-crowd");
        exit(1);
    }

    for (i = 0; i < s->conf.open; i++) {
        conns[i].fd = -1;
        conns[i].next = s->conns_free;
        s->conns_free = &conns[i];
    }

    for (i = 0; i < CROWD_USERS_MAX; i++) {
        users[i].next = s->users_free;
        s->users_free = &users[i];
    }

    s->attempts.prev = s->attempts.next = &s->attempts;
    s->idle.prev = s->idle.next = &s->idle;
    s->schedule = s->conf.seed;
    s->behaviour = ~(uint64_t) s->conf.seed;

    fprintf(s->out, "t,users,offered,ok,shed,errors,timeouts,capped,gave_up,"
            "waiting,open,p50_ms,p99_ms,users_login,ok_login,users_kv,ok_kv,"
            "users_bulk,ok_bulk\n");
    fflush(s->out);
}


int
main(int argc, char **argv)
{
    static crowd_t  crowd;

    crowd_options(&crowd.conf, argc, argv);
    crowd_init(&crowd);
    crowd_loop(&crowd);

    return 0;
}
