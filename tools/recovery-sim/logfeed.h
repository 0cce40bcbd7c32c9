
/*
 * Requests of access logs in the order in which they began.
 *
 * A log has the order in which they ended, and less than that when it is
 * written through a buffer or by several nginx.  So lines wait for a minute
 * of the log's time, in bounded memory, until no earlier one can come.  Files
 * may be parts of one log or logs of several nodes: they are read together.
 */

#ifndef SIM_LOGFEED_H_INCLUDED_
#define SIM_LOGFEED_H_INCLUDED_


#include "facts.h"


#define SIM_FEED_FILES_MAX   256
#define SIM_FEED_WAIT_S      60
#define SIM_FEED_HELD_MAX    262144     /* requests that wait at once */
#define SIM_FEED_DOUBT_S     600        /* a line that leaps so far ahead */
#define SIM_FEED_LEAP_S      (31 * 86400)
#define SIM_FEED_SHOWN       5          /* lines that are bad */

#define SIM_URI_MAX          95


/* A request, until it is played. */

typedef struct {
    uint64_t             at_us;         /* unix time; it began */
    uint64_t             order;         /* in which they were read */
    uint64_t             user;
    uint32_t             took_ms;       /* SIM_LOG_UNKNOWN */
    uint16_t             status;
    uint8_t              class_index;
    uint8_t              retry;
    uint8_t              aside;         /* without the backend */
    char                 uri[SIM_URI_MAX + 1];
} sim_request_t;


typedef struct {
    uint64_t             requests;
    uint64_t             bad;           /* lines that could not be read */
    uint64_t             odd;           /* ... that are no requests */
    uint64_t             late;          /* taken later than they began */
    uint64_t             untimed;       /* without a time */
    int32_t              zone_s;        /* of the first line */
} sim_feed_sums_t;


typedef struct sim_feed_s  sim_feed_t;


/*
 * paths: "-" is stdin.  NULL, with a message on stderr: one of them cannot
 * be read.
 */
sim_feed_t *sim_feed_open(const char **paths, unsigned npaths,
    sim_facts_t *facts, uint64_t seed);
void sim_feed_close(sim_feed_t *feed);

/* The next request; -1: there is none. */
int64_t sim_feed_next(sim_feed_t *feed);

/* By its number, until it is given back. */
sim_request_t *sim_feed_request(const sim_feed_t *feed, uint32_t i);
void sim_feed_give(sim_feed_t *feed, uint32_t i);

const sim_feed_sums_t *sim_feed_sums(const sim_feed_t *feed);

/* A file could not be read to its end; it has been said. */
int sim_feed_failed(const sim_feed_t *feed);


#endif /* SIM_LOGFEED_H_INCLUDED_ */
