
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "logfeed.h"
#include "logfile.h"
#include "rng.h"


#define FEED_NONE  UINT32_MAX
#define FEED_US    1000000ull

/* What the luck of a line is asked for. */
#define FEED_LUCK    2000


/* A request, and when it was logged. */

typedef struct {
    uint32_t             request;       /* FEED_NONE: there is none */
    uint64_t             logged_us;
} logged_t;


typedef struct {
    sim_logfile_t        file;
    uint64_t             latest_us;     /* logged so far */
    logged_t             at_hand;
    logged_t             after;         /* already read, too */
} source_t;


struct sim_feed_s {
    sim_facts_t         *facts;
    uint64_t             seed;
    uint64_t             order;
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
        failed |= feed->sources[i].file.failed;
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


static void
feed_bad(sim_feed_t *feed, const source_t *source, uint64_t line,
    const char *what)
{
    if (feed->sums.bad++ < SIM_FEED_SHOWN) {
        fprintf(stderr, "recovery-sim: %s in %s:%llu\n", what,
                source->file.name, (unsigned long long) line);
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
        us += (uint64_t) (sim_uniform(sim_hash(feed->seed, feed->order,
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


/* The line as a request; FEED_NONE: there is none in it. */

static uint32_t
feed_request(sim_feed_t *feed, const sim_logline_t *line, uint64_t logged_us)
{
    uint32_t        i;
    uint64_t        took_ms;
    sim_fact_t      fact;
    sim_request_t  *request;

    if (feed_refused(line) || sim_facts_of(feed->facts, line, &fact) != 0) {
        feed->sums.odd++;
        return FEED_NONE;
    }

    i = feed_take(feed);
    request = &feed->requests[i];

    request->order = feed->order++;
    request->user = fact.user;
    request->status = (uint16_t) line->status;
    request->class_index = (uint8_t) fact.class_index;
    request->retry = (uint8_t) fact.retry;
    request->aside = (uint8_t) line->aside;
    request->took_ms = (line->upstream_ms != SIM_LOG_UNKNOWN)
                       ? line->upstream_ms : line->request_ms;

    took_ms = (line->request_ms != SIM_LOG_UNKNOWN) ? line->request_ms
              : (line->upstream_ms != SIM_LOG_UNKNOWN) ? line->upstream_ms : 0;
    request->at_us = rcv_since(logged_us, took_ms * 1000);

    feed_uri(request, fact.uri);

    if (request->order == 0) {
        feed->sums.zone_s = line->zone_s;
    }

    return i;
}


/* One line; FEED_NONE: no request is in it. */

static logged_t
source_read(sim_feed_t *feed, source_t *source, rcv_str_t text)
{
    logged_t       logged = { FEED_NONE, 0 };
    const char    *bad;
    sim_logline_t  line;

    bad = sim_logline_read(&line, text.data, text.len);

    if (bad == NULL) {
        logged.logged_us = feed_logged_us(feed, &line);

        if (source->latest_us != 0
            && logged.logged_us > source->latest_us
                                  + SIM_FEED_LEAP_S * FEED_US)
        {
            bad = "a leap of more than a month";
        }
    }

    if (bad != NULL) {
        feed_bad(feed, source, source->file.line, bad);
        return logged;
    }

    logged.request = feed_request(feed, &line, logged.logged_us);

    return logged;
}


static logged_t
source_request(sim_feed_t *feed, source_t *source)
{
    logged_t   logged = { FEED_NONE, 0 };
    rcv_str_t  text;

    while (logged.request == FEED_NONE) {

        switch (sim_logfile_next(&source->file, &text)) {

        case SIM_LOG_LINE:

            if (text.len != 0) {
                logged = source_read(feed, source, text);
            }

            break;

        case SIM_LOG_TOO_LONG:
            feed_bad(feed, source, source->file.line,
                     "a line of more than 65535 bytes");
            break;

        default:
            return logged;
        }
    }

    return logged;
}


/*
 * On to the next request of a file.  One that leaps ahead is believed when
 * the next one is there, too: a broken digit would else take all that follows
 * with it.
 */

static void
source_next(sim_feed_t *feed, source_t *source)
{
    uint64_t  line;
    logged_t  logged, next;

    logged = source->after;
    source->after.request = FEED_NONE;

    if (logged.request == FEED_NONE) {
        logged = source_request(feed, source);
    }

    while (logged.request != FEED_NONE && source->latest_us != 0
           && logged.logged_us > source->latest_us
                                 + SIM_FEED_DOUBT_S * FEED_US)
    {
        line = source->file.line;
        next = source_request(feed, source);

        if (next.request != FEED_NONE
            && next.logged_us + SIM_FEED_DOUBT_S * FEED_US >= logged.logged_us)
        {
            source->after = next;
            break;
        }

        feed_bad(feed, source, line, "a leap that no other line makes");
        sim_feed_give(feed, logged.request);
        logged = next;
    }

    source->at_hand = logged;
    source->latest_us = rcv_max(source->latest_us, logged.logged_us);
}


sim_feed_t *
sim_feed_open(const char **paths, unsigned npaths, sim_facts_t *facts,
    uint64_t seed)
{
    unsigned     i;
    source_t    *source;
    sim_feed_t  *feed;

    feed = sim_alloc(sizeof(*feed));

    feed->facts = facts;
    feed->seed = seed;
    feed->free = FEED_NONE;
    feed->heap = sim_alloc(SIM_FEED_HELD_MAX * sizeof(uint32_t));

    for (i = 0; i < npaths; i++) {
        source = &feed->sources[i];

        if (sim_logfile_open(&source->file, paths[i]) != 0) {
            sim_feed_close(feed);
            return NULL;
        }

        feed->nsources++;
        source->after.request = FEED_NONE;
        source_next(feed, source);
    }

    return feed;
}


void
sim_feed_close(sim_feed_t *feed)
{
    unsigned  i;

    for (i = 0; i < feed->nsources; i++) {
        sim_logfile_close(&feed->sources[i].file);
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

        if (source->at_hand.request != FEED_NONE
            && (earliest == NULL
                || source->at_hand.logged_us < earliest->at_hand.logged_us))
        {
            earliest = source;
        }
    }

    return earliest;
}


/* Nobody has waited for one that began so long ago. */

static void
feed_late(sim_feed_t *feed, uint32_t i)
{
    uint64_t        since_us;
    sim_request_t  *request;

    request = &feed->requests[i];
    since_us = rcv_since(feed->logged_us, SIM_FEED_WAIT_S * FEED_US);

    if (request->at_us < since_us) {
        request->at_us = since_us;
        feed->sums.late++;
    }
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

        feed->logged_us = rcv_max(feed->logged_us, source->at_hand.logged_us);
        feed_late(feed, source->at_hand.request);
        feed_hold(feed, source->at_hand.request);
        source_next(feed, source);
    }

    i = feed_first(feed);
    request = &feed->requests[i];

    feed->sums.requests++;
    feed->sums.untimed += (request->took_ms == SIM_LOG_UNKNOWN);

    request->at_us = rcv_max(request->at_us, feed->given_us);
    feed->given_us = request->at_us;

    return i;
}
