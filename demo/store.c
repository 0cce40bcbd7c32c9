
/*
 * demo-store: a storage-dependent service, to be broken and restored.
 *
 * It has what makes real ones stay down after the fault is gone:
 *
 *   - bounded slots: so many pieces of work at a time, no more;
 *   - a bounded first-in-first-out queue in front of them;
 *   - a cache that a restart empties and that only work fills again: a miss
 *     costs several times a hit and leaves its key warm;
 *   - work goes on after the client has gone: nobody tells a storage engine
 *     that the caller of the caller has timed out.  Such work is "wasted".
 *
 * Service times are timers, not CPU.  One thread, one epoll, HTTP/1.1 with
 * keep-alive on a loopback address.  Everything is bounded and allocated at
 * start.
 *
 * A piece of work is queued, then in a slot, then answered; its connection
 * pointer becomes NULL when the client goes, and that changes nothing else.
 */


#define _GNU_SOURCE

#include "demo.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>


#define STORE_CONNECTIONS_MAX  8192
#define STORE_BUFFER_SIZE      4096
#define STORE_EVENTS_MAX       256
#define STORE_SLOTS_MAX        1024
#define STORE_QUEUE_MAX        100000
#define STORE_KEYS_MAX         10000000


typedef struct conn_s  conn_t;
typedef struct work_s  work_t;


typedef enum {
    STORE_UP = 0,
    STORE_BROKEN,             /* answers 503 at once */
    STORE_HANGING             /* answers nothing */
} store_state_t;


struct work_s {
    work_t         *next;
    conn_t         *conn;     /* NULL: the client has gone */
    uint64_t        due_ns;
    uint64_t        cost_ns;
    uint32_t        key;
    bool            hit;
};


struct conn_s {
    conn_t         *next;
    work_t         *work;
    uint64_t        skip;     /* bytes of a request body still to come */
    size_t          length;
    int             fd;       /* -1: closed, perhaps with an event pending */
    bool            held;     /* waits for ever: the store hangs */
    bool            last;     /* close after the answer */
    char            buffer[STORE_BUFFER_SIZE];
};


typedef struct {
    uint64_t        offered;
    uint64_t        served;
    uint64_t        wasted;
    uint64_t        refused;  /* queue full */
    uint64_t        failed;   /* while broken, or lost when it broke */
    uint64_t        hits;
    uint64_t        misses;
    uint64_t        work_ns;
    uint64_t        wasted_ns;
} store_count_t;


typedef struct {
    struct sockaddr_in  address;
    uint32_t            slots;
    uint32_t            queue;
    uint32_t            hit_ms;
    uint32_t            miss_factor;
    uint32_t            keys;
    uint32_t            jitter_percent;
    uint32_t            seed;
    bool                cold;
} store_conf_t;


typedef struct {
    store_conf_t        conf;
    store_count_t       count;
    store_state_t       state;

    int                 epoll;
    int                 listener;

    uint32_t            connections;    /* at most */
    conn_t             *conns;
    conn_t             *conns_free;
    conn_t             *conns_closed;   /* not reused before the next turn */

    work_t             *works_free;
    work_t             *queue_first;
    work_t            **queue_last;
    uint32_t            queued;

    work_t             *slot[STORE_SLOTS_MAX];
    uint32_t            busy;

    uint8_t            *warm;
    uint32_t            warm_keys;
    double              hit_ratio;      /* moving, of about 100 pieces */
    uint64_t            random;
} store_t;


static const char  store_help[] =
"usage: demo-store [OPTION...]\n"
"\n"
"A service with bounded slots, a queue and a cold cache, to be broken and\n"
"restored.  Any path is work; its last number is the key.\n"
"\n"
"  --listen=ADDR:PORT   loopback only (127.0.0.1:9080)\n"
"  --slots=N            pieces of work at a time (20)\n"
"  --queue=N            pieces that may wait (1000)\n"
"  --hit=MS             work of a request whose key is warm (40)\n"
"  --miss-factor=N      a miss costs so many times a hit (8)\n"
"  --keys=N             keys in the cache (300)\n"
"  --jitter=PERCENT     service times vary by so much each way (20)\n"
"  --seed=N             of the jitter (1)\n"
"  --cold               start with a cold cache (default: warm)\n"
"  --help\n"
"\n"
"  POST /_store/break         answer 503 at once; queued work is lost\n"
"  POST /_store/break?hang    answer nothing\n"
"  POST /_store/restore       back at work, cache cold\n"
"  GET  /_store/stats         JSON\n";


static void
store_conn_watch(store_t *s, conn_t *c)
{
    struct epoll_event  ee;

    memset(&ee, 0, sizeof(ee));
    ee.events = EPOLLIN | EPOLLRDHUP;
    ee.data.ptr = c;

    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &ee) != 0) {
        perror("demo-store: epoll_ctl()");
        exit(1);
    }
}


/*
 * Unless the answer said so, closed by reset: thousands of timed out clients
 * would leave as many connections in TIME_WAIT and the next run without ports.
 */

static void
store_conn_close(store_t *s, conn_t *c)
{
    struct linger  linger;

    if (c->work) {
        c->work->conn = NULL;
        c->work = NULL;
    }

    linger.l_onoff = !c->last;
    linger.l_linger = 0;
    (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));

    close(c->fd);
    c->fd = -1;
    c->next = s->conns_closed;
    s->conns_closed = c;
}


/* the answers are far smaller than a socket buffer: one write or none */

static bool
store_answer(store_t *s, conn_t *c, const char *status, const char *type,
    const char *body)
{
    int   length;
    char  answer[2048];

    length = snprintf(answer, sizeof(answer),
                      "HTTP/1.1 %s\r\n"
                      "Server: demo-store\r\n"
                      "Content-Type: %s\r\n"
                      "Content-Length: %zu\r\n"
                      "Connection: %s\r\n"
                      "\r\n"
                      "%s",
                      status, type, strlen(body),
                      c->last ? "close" : "keep-alive", body);

    if (length < 0 || (size_t) length >= sizeof(answer)
        || send(c->fd, answer, (size_t) length, MSG_NOSIGNAL) != length
        || c->last)
    {
        store_conn_close(s, c);
        return false;
    }

    return true;
}


static bool
store_answer_text(store_t *s, conn_t *c, const char *status, const char *body)
{
    return store_answer(s, c, status, "text/plain", body);
}


static void
store_work_free(store_t *s, work_t *w)
{
    if (w->conn) {
        w->conn->work = NULL;
    }

    w->next = s->works_free;
    s->works_free = w;
}


static void
store_work_start(store_t *s, work_t *w, uint64_t at_ns)
{
    double    cost_ms, jitter;
    uint32_t  i;

    cost_ms = s->conf.hit_ms;
    w->hit = s->warm[w->key];

    if (!w->hit) {
        cost_ms *= s->conf.miss_factor;
    }

    jitter = (2 * demo_random_unit(&s->random) - 1)
             * s->conf.jitter_percent / 100;

    w->cost_ns = (uint64_t) (cost_ms * (1 + jitter) * 1e6);
    w->due_ns = at_ns + w->cost_ns;

    for (i = 0; s->slot[i]; i++) { /* void: a slot is free */ }

    s->slot[i] = w;
    s->busy++;
}


static void
store_work_account(store_t *s, work_t *w)
{
    s->count.work_ns += w->cost_ns;
    s->hit_ratio += ((w->hit ? 1.0 : 0.0) - s->hit_ratio) / 100;

    if (w->hit) {
        s->count.hits++;

    } else {
        s->count.misses++;
    }

    /* wasted work warms the cache too: that alone does not save it */

    if (!s->warm[w->key]) {
        s->warm[w->key] = 1;
        s->warm_keys++;
    }

    if (w->conn) {
        s->count.served++;

    } else {
        s->count.wasted++;
        s->count.wasted_ns += w->cost_ns;
    }
}


static void  store_conn_process(store_t *s, conn_t *c, uint64_t now_ns);


static void
store_work_finish(store_t *s, uint32_t i)
{
    bool       hit;
    conn_t    *c;
    work_t    *w, *next;
    uint64_t   due_ns;

    w = s->slot[i];
    c = w->conn;
    hit = w->hit;
    due_ns = w->due_ns;

    s->slot[i] = NULL;
    s->busy--;

    store_work_account(s, w);
    store_work_free(s, w);

    /* from the due time, not from now: a late wake-up loses no capacity */

    next = s->queue_first;

    if (next) {
        s->queue_first = next->next;
        s->queued--;

        if (s->queue_first == NULL) {
            s->queue_last = &s->queue_first;
        }

        store_work_start(s, next, due_ns);
    }

    if (c && store_answer_text(s, c, "200 OK", hit ? "hit\n" : "miss\n")) {
        store_conn_process(s, c, due_ns);
    }
}


/* finishes what is due, oldest first; returns when the next is due */

static uint64_t
store_work_advance(store_t *s, uint64_t now_ns)
{
    uint32_t  i, first;
    uint64_t  due_ns;

    for ( ;; ) {
        first = 0;
        due_ns = UINT64_MAX;

        for (i = 0; i < s->conf.slots; i++) {
            if (s->slot[i] && s->slot[i]->due_ns < due_ns) {
                due_ns = s->slot[i]->due_ns;
                first = i;
            }
        }

        if (due_ns > now_ns) {
            return due_ns;
        }

        store_work_finish(s, first);
    }
}


static uint32_t
store_key(store_t *s, const char *path, size_t length)
{
    size_t    i;
    uint64_t  key;

    key = 0;

    for (i = length; i > 0 && path[i - 1] >= '0' && path[i - 1] <= '9'; i--) {
        /* void: to the first digit of the last number */
    }

    for ( /* void */ ; i < length; i++) {
        key = key * 10 + (uint64_t) (path[i] - '0');
    }

    return (uint32_t) (key % s->conf.keys);
}


static bool
store_work_accept(store_t *s, conn_t *c, uint32_t key, uint64_t now_ns)
{
    work_t  *w;

    s->count.offered++;

    if (s->state == STORE_HANGING) {
        c->held = true;
        return true;
    }

    if (s->state == STORE_BROKEN) {
        s->count.failed++;
        return store_answer_text(s, c, "503 Service Unavailable", "broken\n");
    }

    if (s->busy == s->conf.slots && s->queued == s->conf.queue) {
        s->count.refused++;
        return store_answer_text(s, c, "503 Service Unavailable",
                                 "queue full\n");
    }

    w = s->works_free;
    s->works_free = w->next;

    w->next = NULL;
    w->conn = c;
    w->key = key;
    c->work = w;

    if (s->busy < s->conf.slots) {
        store_work_start(s, w, now_ns);
        return true;
    }

    *s->queue_last = w;
    s->queue_last = &w->next;
    s->queued++;

    return true;
}


static void
store_fail(store_t *s, conn_t *c)
{
    s->count.failed++;

    if (c) {
        c->held = false;
        (void) store_answer_text(s, c, "503 Service Unavailable", "broken\n");
    }
}


/* the process behind the service dies: work in hand is lost */

static void
store_break(store_t *s, store_state_t state)
{
    conn_t    *c;
    work_t    *w;
    uint32_t   i;

    s->state = state;

    for (i = 0; i < s->conf.slots; i++) {
        w = s->slot[i];

        if (w) {
            s->slot[i] = NULL;
            c = w->conn;
            store_work_free(s, w);
            store_fail(s, c);
        }
    }

    while (s->queue_first) {
        w = s->queue_first;
        s->queue_first = w->next;
        c = w->conn;
        store_work_free(s, w);
        store_fail(s, c);
    }

    s->queue_last = &s->queue_first;
    s->queued = 0;
    s->busy = 0;
}


static void
store_restore(store_t *s)
{
    uint32_t  i;

    for (i = 0; i < s->connections; i++) {
        if (s->conns[i].fd != -1 && s->conns[i].held) {
            store_fail(s, &s->conns[i]);
        }
    }

    memset(s->warm, 0, s->conf.keys);
    s->warm_keys = 0;
    s->hit_ratio = 0;
    s->state = STORE_UP;
}


static bool
store_stats(store_t *s, conn_t *c)
{
    char                 body[1024];
    const store_count_t *n;

    static const char   *states[] = { "up", "broken", "hanging" };

    n = &s->count;

    (void) snprintf(body, sizeof(body),
        "{\"state\":\"%s\",\"offered\":%llu,\"served\":%llu,\"wasted\":%llu,"
        "\"refused\":%llu,\"failed\":%llu,\"queue\":%u,\"queue_max\":%u,"
        "\"in_service\":%u,\"slots\":%u,\"hits\":%llu,\"misses\":%llu,"
        "\"hit_ratio\":%.3f,\"warm_ratio\":%.3f,\"work_ms\":%llu,"
        "\"wasted_ms\":%llu}\n",
        states[s->state],
        (unsigned long long) n->offered, (unsigned long long) n->served,
        (unsigned long long) n->wasted, (unsigned long long) n->refused,
        (unsigned long long) n->failed, s->queued, s->conf.queue,
        s->busy, s->conf.slots,
        (unsigned long long) n->hits, (unsigned long long) n->misses,
        s->hit_ratio, (double) s->warm_keys / s->conf.keys,
        (unsigned long long) (n->work_ns / DEMO_MS_NS),
        (unsigned long long) (n->wasted_ns / DEMO_MS_NS));

    return store_answer(s, c, "200 OK", "application/json", body);
}


static bool
store_control(store_t *s, conn_t *c, bool post, const char *verb)
{
    if (strcmp(verb, "stats") == 0) {
        return store_stats(s, c);
    }

    if (!post) {
        return store_answer_text(s, c, "405 Method Not Allowed",
                                 "POST it\n");
    }

    if (strcmp(verb, "break") == 0) {
        store_break(s, STORE_BROKEN);
        return store_answer_text(s, c, "200 OK", "broken\n");
    }

    if (strcmp(verb, "break?hang") == 0) {
        store_break(s, STORE_HANGING);
        return store_answer_text(s, c, "200 OK", "hanging\n");
    }

    if (strcmp(verb, "restore") == 0) {
        store_restore(s);
        return store_answer_text(s, c, "200 OK", "restored, cache cold\n");
    }

    return store_answer_text(s, c, "404 Not Found",
                             "break, break?hang, restore, stats\n");
}


/* one request, its header ended by NUL; false: the connection is closed */

static bool
store_request(store_t *s, conn_t *c, char *header, uint64_t now_ns)
{
    char        *path, *end, *field;
    static char  control[] = "/_store/";

    path = strchr(header, ' ');
    end = path ? strchr(path + 1, ' ') : NULL;

    if (end == NULL || path[1] != '/') {
        c->last = true;
        return store_answer_text(s, c, "400 Bad Request", "HTTP/1.1 only\n");
    }

    path++;
    *end++ = '\0';

    field = strcasestr(end, "\nconnection:");
    c->last = strncmp(end, "HTTP/1.1", 8) != 0
              || (field && strncasecmp(field + 12, " close", 6) == 0);

    field = strcasestr(end, "\ncontent-length:");
    c->skip = field ? strtoull(field + 16, NULL, 10) : 0;

    if (strncmp(path, control, sizeof(control) - 1) == 0) {
        return store_control(s, c, strncmp(header, "POST ", 5) == 0,
                             path + sizeof(control) - 1);
    }

    return store_work_accept(s, c, store_key(s, path, strlen(path)), now_ns);
}


/* requests in the buffer, one after the other, while nothing is in hand */

static void
store_conn_process(store_t *s, conn_t *c, uint64_t now_ns)
{
    char    *end, header[STORE_BUFFER_SIZE + 1];
    size_t   size;

    while (c->work == NULL && !c->held && c->length > 0) {

        if (c->skip > 0) {
            size = c->skip < c->length ? (size_t) c->skip : c->length;
            c->skip -= size;
            c->length -= size;
            memmove(c->buffer, c->buffer + size, c->length);
            continue;
        }

        end = memmem(c->buffer, c->length, "\r\n\r\n", 4);

        if (end == NULL) {
            if (c->length == STORE_BUFFER_SIZE) {
                store_conn_close(s, c);
            }

            return;
        }

        size = (size_t) (end - c->buffer) + 4;
        memcpy(header, c->buffer, size);
        header[size] = '\0';

        c->length -= size;
        memmove(c->buffer, c->buffer + size, c->length);

        if (!store_request(s, c, header, now_ns)) {
            return;
        }
    }
}


static void
store_conn_read(store_t *s, conn_t *c, uint64_t now_ns)
{
    ssize_t  n;

    n = recv(c->fd, c->buffer + c->length, STORE_BUFFER_SIZE - c->length, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    /* also a client that fills the buffer while it waits */

    if (n <= 0) {
        store_conn_close(s, c);
        return;
    }

    c->length += (size_t) n;
    store_conn_process(s, c, now_ns);
}


/* beyond the table connections are closed: left waiting, they would spin us */

static void
store_listener_accept(store_t *s)
{
    int      fd;
    conn_t  *c;

    for ( ;; ) {
        fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd == -1) {
            return;
        }

        c = s->conns_free;

        if (c == NULL) {
            close(fd);
            continue;
        }

        s->conns_free = c->next;

        c->fd = fd;
        c->work = NULL;
        c->skip = 0;
        c->length = 0;
        c->held = false;
        c->last = false;

        store_conn_watch(s, c);
    }
}


static void
store_loop(store_t *s)
{
    int                 i, n, timeout_ms;
    conn_t             *c;
    uint64_t            now_ns, due_ns;
    struct epoll_event  events[STORE_EVENTS_MAX];

    for ( ;; ) {
        now_ns = demo_now_ns();
        due_ns = store_work_advance(s, now_ns);

        timeout_ms = due_ns == UINT64_MAX ? -1
                     : (int) ((due_ns - now_ns) / DEMO_MS_NS + 1);

        n = epoll_wait(s->epoll, events, STORE_EVENTS_MAX, timeout_ms);
        now_ns = demo_now_ns();

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c == NULL) {
                store_listener_accept(s);

            } else if (c->fd != -1) {
                store_conn_read(s, c, now_ns);
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
store_options(store_conf_t *conf, int argc, char **argv)
{
    const demo_option_t  options[] = {
        { "--listen", DEMO_LOOPBACK, &conf->address, 0, 0 },
        { "--slots", DEMO_NUMBER, &conf->slots, 1, STORE_SLOTS_MAX },
        { "--queue", DEMO_NUMBER, &conf->queue, 0, STORE_QUEUE_MAX },
        { "--hit", DEMO_NUMBER, &conf->hit_ms, 1, 60000 },
        { "--miss-factor", DEMO_NUMBER, &conf->miss_factor, 1, 1000 },
        { "--keys", DEMO_NUMBER, &conf->keys, 1, STORE_KEYS_MAX },
        { "--jitter", DEMO_NUMBER, &conf->jitter_percent, 0, 90 },
        { "--seed", DEMO_NUMBER, &conf->seed, 0, UINT32_MAX },
        { "--cold", DEMO_FLAG, &conf->cold, 0, 0 },
        { NULL, DEMO_FLAG, NULL, 0, 0 }
    };

    (void) demo_loopback("127.0.0.1:9080", &conf->address);
    conf->slots = 20;
    conf->queue = 1000;
    conf->hit_ms = 40;
    conf->miss_factor = 8;
    conf->keys = 300;
    conf->jitter_percent = 20;
    conf->seed = 1;

    demo_options("demo-store", store_help, options, argc, argv);
}


static void
store_init(store_t *s)
{
    work_t    *works;
    uint32_t   i, n;

    n = s->conf.slots + s->conf.queue;

    works = calloc(n, sizeof(work_t));
    s->conns = calloc(STORE_CONNECTIONS_MAX, sizeof(conn_t));
    s->warm = malloc(s->conf.keys);

    if (works == NULL || s->conns == NULL || s->warm == NULL) {
        fprintf(stderr, "demo-store: out of memory\n");
        exit(1);
    }

    for (i = 0; i < n; i++) {
        works[i].next = s->works_free;
        s->works_free = &works[i];
    }

    /* some descriptors for ourselves, so that accept() never fails */

    s->connections = demo_descriptors() - 32;

    if (s->connections > STORE_CONNECTIONS_MAX) {
        s->connections = STORE_CONNECTIONS_MAX;
    }

    for (i = 0; i < s->connections; i++) {
        s->conns[i].fd = -1;
        s->conns[i].next = s->conns_free;
        s->conns_free = &s->conns[i];
    }

    memset(s->warm, s->conf.cold ? 0 : 1, s->conf.keys);
    s->warm_keys = s->conf.cold ? 0 : s->conf.keys;
    s->hit_ratio = s->conf.cold ? 0 : 1;
    s->queue_last = &s->queue_first;
    s->random = s->conf.seed;
}


static void
store_listen(store_t *s)
{
    int                 on;
    struct epoll_event  ee;

    on = 1;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                         0);

    if (s->listener == -1
        || setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))
        || bind(s->listener, (struct sockaddr *) &s->conf.address,
                sizeof(s->conf.address))
        || listen(s->listener, 4096))
    {
        fprintf(stderr, "demo-store: cannot listen on port %u: %s\n",
                ntohs(s->conf.address.sin_port), strerror(errno));
        exit(1);
    }

    memset(&ee, 0, sizeof(ee));
    ee.events = EPOLLIN;
    ee.data.ptr = NULL;

    s->epoll = epoll_create1(EPOLL_CLOEXEC);

    if (s->epoll == -1
        || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &ee) != 0)
    {
        perror("demo-store: epoll");
        exit(1);
    }
}


int
main(int argc, char **argv)
{
    static store_t  store;

    store_options(&store.conf, argc, argv);
    store_init(&store);
    store_listen(&store);
    store_loop(&store);

    return 0;
}
