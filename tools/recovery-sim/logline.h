
/*
 * A line of an access log: nginx's combined format, and behind it what else
 * was logged.
 *
 *   addr - user [time] "request" status bytes "referer" "agent" MORE...
 *
 * MORE is any of these, in any order:
 *
 *   0.123            a time with a point: the first is $request_time; what
 *   0.120, 0.003     follows it, perhaps a list or "-", is
 *                    $upstream_response_time
 *   NAME=VALUE       a variable of nginx by its name without "$", its value
 *   NAME="VALUE"     in quotes when blanks can be in it; "rt" and "urt" are
 *                    short for the two times
 *   "VALUE"          without a name: passed over
 *
 * Values stand there as nginx has escaped them.  Lines are written by
 * whoever sends requests: whatever the bytes, nothing is read beyond them.
 */

#ifndef SIM_LOGLINE_H_INCLUDED_
#define SIM_LOGLINE_H_INCLUDED_


#include "rcv.h"


#define SIM_LOG_FIELDS_MAX  32
#define SIM_LOG_TIME_MAX    86400000u   /* ms; a request that takes longer */
#define SIM_LOG_UNKNOWN     UINT32_MAX


typedef struct {
    rcv_str_t            name;
    rcv_str_t            value;
} sim_log_field_t;


typedef struct {
    rcv_str_t            addr;
    rcv_str_t            user;
    rcv_str_t            request;
    rcv_str_t            referer;
    rcv_str_t            agent;
    unsigned             status;

    uint64_t             logged_ms;     /* unix time: the request's end */
    int32_t              zone_s;
    unsigned             exact;         /* known to the ms */

    uint32_t             request_ms;    /* SIM_LOG_UNKNOWN */
    uint32_t             upstream_ms;   /* ... the last attempt's */
    unsigned             aside;         /* logged, and there was no upstream */

    sim_log_field_t      fields[SIM_LOG_FIELDS_MAX];
    unsigned             nfields;
} sim_logline_t;


/* NULL, or what is wrong with it.  The line points into the text. */
const char *sim_logline_read(sim_logline_t *line, const char *text,
    size_t len);

/*
 * Undoes nginx's escaping, to at most as many bytes; returns how many.  to
 * may be where it comes from.
 */
size_t sim_log_unescape(rcv_str_t from, char *to);

/*
 * Method, URI and the arguments behind "?" of a request that is unescaped;
 * 0, or -1: it is none (a port scan, a TLS handshake).
 */
int sim_log_request(rcv_str_t request, rcv_str_t *method, rcv_str_t *path,
    rcv_str_t *args);

/*
 * A path as $uri has it: decoded, without "//" and dot segments; to has room
 * for as many bytes.  Returns how many.
 */
size_t sim_log_uri(rcv_str_t path, char *to);


#endif /* SIM_LOGLINE_H_INCLUDED_ */
