
/*
 * Times as logs and command lines have them.
 */

#ifndef SIM_LOGTIME_H_INCLUDED_
#define SIM_LOGTIME_H_INCLUDED_


#include "rcv.h"


#define SIM_CLOCK_TEXT  9               /* "10:05:00" and a NUL */
#define SIM_TIME_TEXT   (11 + SIM_CLOCK_TEXT)   /* "2026-11-23 10:05:00" */


/* A point in time that may need a log to be one. */

typedef enum {
    SIM_MOMENT_NONE = 0,
    SIM_MOMENT_AFTER,                   /* the beginning, ms */
    SIM_MOMENT_CLOCK,                   /* ms since midnight, log's zone */
    SIM_MOMENT_LOCAL,                   /* unix time, log's zone left out */
    SIM_MOMENT_UNIX
} sim_moment_kind_t;

typedef struct {
    sim_moment_kind_t    kind;
    uint64_t             ms;
} sim_moment_t;


/*
 * $time_local or $time_iso8601: unix time and what the zone adds to it.  0,
 * or -1.
 */
int sim_time_read(rcv_str_t text, uint64_t *unix_ms, int32_t *zone_s);

/*
 * "+10m", "10:05", "10:05:30", either of the above with or without a zone.
 * 0, or -1.
 */
int sim_moment_read(rcv_str_t text, sim_moment_t *moment);

/*
 * As unix time.  A time of day is the first one that is not before "from".
 */
uint64_t sim_moment_ms(const sim_moment_t *moment, uint64_t from_ms,
    int32_t zone_s);

/* Date and time, and the time alone, of the zone. */
const char *sim_time_text(char *to, uint64_t unix_ms, int32_t zone_s);
const char *sim_clock_text(char *to, uint64_t unix_ms, int32_t zone_s);


#endif /* SIM_LOGTIME_H_INCLUDED_ */
