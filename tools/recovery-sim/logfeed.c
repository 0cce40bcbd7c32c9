
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logfeed.h"
#include "engine.h"
#include "rng.h"


#define FEED_BUFFER  (4 * (SIM_FEED_LINE_MAX + 1))
#define FEED_NONE    UINT32_MAX
#define FEED_US      1000000ull

/* What the luck of a line is asked for. */
#define FEED_LUCK    2000


typedef struct {
    const char          *name;
    int                  fd;
    uint64_t             line;          /* number of the last one */
    unsigned             ended;
    unsigned             failed;
    unsigned             skipping;      /* the rest of a line too long */

    char                *buffer;
    size_t               at;
    size_t               len;

    uint64_t             logged_us;     /* of the request at hand */
    uint32_t             request;       /* FEED_NONE: no more */
} source_t;


struct sim_feed_s {
    sim_facts_t         *facts;
    uint64_t             seed;
    sim_feed_sums_t      sums;

    source_t             sources[SIM_FEED_FILES_MAX];
    unsigned             nsources;

    sim_request_t       *requests;
    uint32_t            *next;          /* of the free ones */
    uint32_t             room;
    uint32_t             free;

    uint32_t            *heap;          /* those that wait, by at_us */
    uint32_t             held;
    uint64_t             logged_us;     /* of the last one read */
    uint64_t             given_us;      /* of the last one given */
};


static uint32_t
feed_take(sim_feed_t *feed)
{
    uint32_t  i, room;

    if (feed->free == FEED_NONE) {
        room = feed->room ? 2 * feed->room : 1024;
        feed->requests = sim_grow(feed->requests,
                                  room * sizeof(sim_request_t));
        feed->next = sim_grow(feed->next, room * sizeof(uint32_t));

        for (i = room; i > feed->room; i--) {
            feed->next[i - 1] = feed->free;
            feed->free = i - 1;
        }

        feed->room = room;
    }

    i = feed->free;
    feed->free = feed->next[i];

    return i;
}


void
sim_feed_give(sim_feed_t *feed, uint32_t i)
{
    feed->next[i] = feed->free;
    feed->free = i;
}


sim_request_t *
sim_feed_request(const sim_feed_t *feed, uint32_t i)
{
    return &feed->requests[i];
}


const sim_feed_sums_t *
sim_feed_sums(const sim_feed_t *feed)
{
    return &feed->sums;
}


int
sim_feed_failed(const sim_feed_t *feed)
{
    unsigned  i, failed;

    failed = 0;

    for (i = 0; i < feed->nsources; i++) {
        failed |= feed->sources[i].failed;
    }

    return failed != 0;
}


static int
feed_before(const sim_feed_t *feed, uint32_t a, uint32_t b)
{
    const sim_request_t  *x, *y;

    x = &feed->requests[a];
    y = &feed->requests[b];

    return x->at_us < y->at_us
           || (x->at_us == y->at_us && x->order < y->order);
}


static void
feed_hold(sim_feed_t *feed, uint32_t request)
{
    uint32_t  i, parent;

    for (i = feed->held++; i != 0; i = parent) {
        parent = (i - 1) / 2;

        if (!feed_before(feed, request, feed->heap[parent])) {
            break;
        }

        feed->heap[i] = feed->heap[parent];
    }

    feed->heap[i] = request;
}


static uint32_t
feed_first(sim_feed_t *feed)
{
    uint32_t  i, child, first, last;

    first = feed->heap[0];
    last = feed->heap[--feed->held];

    for (i = 0; (child = 2 * i + 1) < feed->held; i = child) {

        if (child + 1 < feed->held
            && feed_before(feed, feed->heap[child + 1], feed->heap[child]))
        {
            child++;
        }

        if (!feed_before(feed, feed->heap[child], last)) {
            break;
        }

        feed->heap[i] = feed->heap[child];
    }

    feed->heap[i] = last;

    return first;
}


/* More bytes into the buffer; 0, or -1 with a message. */

static int
source_fill(source_t *source)
{
    ssize_t  n;

    if (source->at != 0) {
        memmove(source->buffer, source->buffer + source->at,
                source->len - source->at);
        source->len -= source->at;
        source->at = 0;
    }

    do {
        n = read(source->fd, source->buffer + source->len,
                 FEED_BUFFER - source->len);
    } while (n < 0 && errno == EINTR);

    if (n < 0) {
        fprintf(stderr, "recovery-sim: \"%s\" could not be read (%s)\n",
                source->name, strerror(errno));
        source->ended = 1;
        source->failed = 1;
        return -1;
    }

    source->ended = (n == 0);
    source->len += (size_t) n;

    return 0;
}


static void
feed_bad(sim_feed_t *feed, const source_t *source, const char *what)
{
    if (feed->sums.bad++ < SIM_FEED_SHOWN) {
        fprintf(stderr, "recovery-sim: %s in %s:%llu\n", what, source->name,
                (unsigned long long) source->line);
    }
}


/* The next line without its end; 0: there is none. */

static int
source_line(sim_feed_t *feed, source_t *source, rcv_str_t *line)
{
    char    *end, *text;
    size_t   len;

    for ( ;; ) {
        text = source->buffer + source->at;
        len = source->len - source->at;
        end = memchr(text, '\n', len);

        if (end == NULL && len <= SIM_FEED_LINE_MAX && !source->ended) {

            if (source_fill(source) != 0) {
                return 0;
            }

            continue;
        }

        if (end == NULL && len == 0) {
            return 0;
        }

        line->data = text;
        line->len = (end != NULL) ? (size_t) (end - text) : len;
        source->at += line->len + (end != NULL);

        if (source->skipping) {
            source->skipping = (end == NULL);
            continue;
        }

        source->line++;

        if (line->len > SIM_FEED_LINE_MAX) {
            feed_bad(feed, source, "a line of more than 65535 bytes");
            source->skipping = (end == NULL);
            continue;
        }

        if (line->len != 0 && text[line->len - 1] == '\r') {
            line->len--;
        }

        return 1;
    }
}


/* For people: without what a terminal would obey, the end of a long one cut. */

static void
feed_uri(sim_request_t *request, rcv_str_t uri)
{
    char           *to, *end;
    size_t          i;
    unsigned char   ch;

    to = request->uri;
    end = to + SIM_URI_MAX - 3;

    for (i = 0; i < uri.len && to < end; i++) {
        ch = (unsigned char) uri.data[i];

        if (ch > ' ' && ch < 0x7f) {
            *to++ = (char) ch;

        } else {
            to += sprintf(to, "%%%02X", ch);
        }
    }

    strcpy(to, (i < uri.len) ? "..." : "");
}


/*
 * A log that is known to the second only: where in it is by lot, which is how
 * independent requests lie.
 */

static uint64_t
feed_logged_us(const sim_feed_t *feed, const sim_logline_t *line)
{
    uint64_t  us;

    us = line->logged_ms * 1000;

    if (!line->exact && line->logged_ms % 1000 == 0) {
        us += (uint64_t) (sim_uniform(sim_hash(feed->seed,
                                               feed->sums.requests,
                                               FEED_LUCK)) * FEED_US);
    }

    return us;
}


/* nginx has answered what it could not make a request of. */

static int
feed_refused(const sim_logline_t *line)
{
    unsigned  i;

    static const unsigned  statuses[] = {
        400, 408, 414, 431, 494, 495, 496, 497, 505
    };

    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (line->aside && line->status == statuses[i]) {
            return 1;
        }
    }

    return 0;
}


/* The line as a request at hand; 0, or -1: there is none in it. */

static int
source_request(sim_feed_t *feed, source_t *source, const sim_logline_t *line)
{
    uint64_t        us, took_ms;
    sim_fact_t      fact;
    sim_request_t  *request;

    us = feed_logged_us(feed, line);

    if (source->logged_us != 0
        && us > source->logged_us + SIM_FEED_LEAP_S * FEED_US)
    {
        feed_bad(feed, source, "a leap of more than a month");
        return -1;
    }

    source->logged_us = us;

    if (feed_refused(line) || sim_facts_of(feed->facts, line, &fact) != 0) {
        feed->sums.odd++;
        return -1;
    }

    if (feed->sums.requests++ == 0) {
        feed->sums.zone_s = line->zone_s;
    }

    source->request = feed_take(feed);
    request = &feed->requests[source->request];

    request->order = feed->sums.requests;
    request->user = fact.user;
    request->status = (uint16_t) line->status;
    request->class_index = (uint8_t) fact.class_index;
    request->retry = (uint8_t) fact.retry;
    request->aside = (uint8_t) line->aside;
    request->took_ms = (line->upstream_ms != SIM_LOG_UNKNOWN)
                       ? line->upstream_ms : line->request_ms;

    took_ms = (line->request_ms != SIM_LOG_UNKNOWN) ? line->request_ms
              : (line->upstream_ms != SIM_LOG_UNKNOWN) ? line->upstream_ms : 0;
    request->at_us = rcv_since(us, took_ms * 1000);

    feed->sums.untimed += (request->took_ms == SIM_LOG_UNKNOWN);
    feed_uri(request, fact.uri);

    return 0;
}


/* On to the next request of a file. */

static void
source_next(sim_feed_t *feed, source_t *source)
{
    rcv_str_t       text;
    const char     *bad;
    sim_logline_t   line;

    source->request = FEED_NONE;

    while (source->request == FEED_NONE && source_line(feed, source, &text)) {

        if (text.len == 0) {
            continue;
        }

        bad = sim_logline_read(&line, text.data, text.len);

        if (bad != NULL) {
            feed_bad(feed, source, bad);
            continue;
        }

        (void) source_request(feed, source, &line);
    }
}


/* 1: it is compressed, with a message. */

static int
source_packed(const source_t *source)
{
    unsigned  i;

    static const struct {
        const char  *magic;
        const char  *cat;
    } packed[] = {
        { "\x1f\x8b", "zcat" },
        { "\xfd" "7zXZ", "xzcat" },
        { "\x28\xb5\x2f\xfd", "zstdcat" },
        { "BZh", "bzcat" }
    };

    for (i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {

        if (source->len >= strlen(packed[i].magic)
            && memcmp(source->buffer, packed[i].magic,
                      strlen(packed[i].magic)) == 0)
        {
            fprintf(stderr, "recovery-sim: \"%s\" is compressed; try: "
                    "%s %s | recovery-sim POLICY --replay -\n", source->name,
                    packed[i].cat,
                    source->fd == STDIN_FILENO ? "FILE" : source->name);
            return 1;
        }
    }

    return 0;
}


static int
source_open(sim_feed_t *feed, const char *path)
{
    int        fd;
    source_t  *source;

    source = &feed->sources[feed->nsources];
    fd = (strcmp(path, "-") == 0) ? STDIN_FILENO : open(path, O_RDONLY);

    if (fd < 0) {
        fprintf(stderr, "recovery-sim: open() \"%s\" failed (%s)\n", path,
                strerror(errno));
        return -1;
    }

    feed->nsources++;
    source->name = (fd == STDIN_FILENO) ? "stdin" : path;
    source->fd = fd;
    source->request = FEED_NONE;
    source->buffer = sim_alloc(FEED_BUFFER);

    if (source_fill(source) != 0 || source_packed(source)) {
        return -1;
    }

    source_next(feed, source);

    return 0;
}


sim_feed_t *
sim_feed_open(const char **paths, unsigned npaths, sim_facts_t *facts,
    uint64_t seed)
{
    unsigned     i;
    sim_feed_t  *feed;

    feed = sim_alloc(sizeof(*feed));

    feed->facts = facts;
    feed->seed = seed;
    feed->free = FEED_NONE;
    feed->heap = sim_alloc(SIM_FEED_HELD_MAX * sizeof(uint32_t));

    for (i = 0; i < npaths; i++) {
        if (source_open(feed, paths[i]) != 0) {
            sim_feed_close(feed);
            return NULL;
        }
    }

    return feed;
}


void
sim_feed_close(sim_feed_t *feed)
{
    unsigned  i;

    for (i = 0; i < feed->nsources; i++) {
        free(feed->sources[i].buffer);

        if (feed->sources[i].fd != STDIN_FILENO) {
            (void) close(feed->sources[i].fd);
        }
    }

    free(feed->requests);
    free(feed->next);
    free(feed->heap);
    free(feed);
}


/* The file whose next request was logged first; NULL: all have ended. */

static source_t *
feed_earliest(sim_feed_t *feed)
{
    unsigned   i;
    source_t  *source, *earliest;

    earliest = NULL;

    for (i = 0; i < feed->nsources; i++) {
        source = &feed->sources[i];

        if (source->request != FEED_NONE
            && (earliest == NULL || source->logged_us < earliest->logged_us))
        {
            earliest = source;
        }
    }

    return earliest;
}


int64_t
sim_feed_next(sim_feed_t *feed)
{
    uint32_t        i;
    source_t       *source;
    sim_request_t  *request;

    for ( ;; ) {
        source = feed_earliest(feed);

        if (feed->held != 0
            && (source == NULL || feed->held == SIM_FEED_HELD_MAX
                || feed->requests[feed->heap[0]].at_us
                   + SIM_FEED_WAIT_S * FEED_US <= feed->logged_us))
        {
            break;
        }

        if (source == NULL) {
            return -1;
        }

        feed->logged_us = rcv_max(feed->logged_us, source->logged_us);
        feed_hold(feed, source->request);
        source_next(feed, source);
    }

    i = feed_first(feed);
    request = &feed->requests[i];

    if (request->at_us < feed->given_us) {
        request->at_us = feed->given_us;
        feed->sums.late++;
    }

    feed->given_us = request->at_us;

    return i;
}
