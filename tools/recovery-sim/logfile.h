
/*
 * Lines of one access log, of any length, in bounded memory.
 */

#ifndef SIM_LOGFILE_H_INCLUDED_
#define SIM_LOGFILE_H_INCLUDED_


#include "rcv.h"


#define SIM_LOG_LINE_MAX  65535         /* bytes */


typedef struct {
    const char          *name;
    int                  fd;
    uint64_t             line;          /* number of the last one */
    unsigned             ended;
    unsigned             failed;        /* could not be read to its end */
    unsigned             skipping;      /* the rest of a line too long */

    char                *buffer;
    size_t               at;
    size_t               len;
} sim_logfile_t;


typedef enum {
    SIM_LOG_END = 0,
    SIM_LOG_LINE,
    SIM_LOG_TOO_LONG
} sim_log_read_t;


/* path: "-" is stdin.  0, or -1 with a message: unreadable, or compressed. */
int sim_logfile_open(sim_logfile_t *file, const char *path);
void sim_logfile_close(sim_logfile_t *file);

/* The next line without its end, until the one after it. */
sim_log_read_t sim_logfile_next(sim_logfile_t *file, rcv_str_t *line);


#endif /* SIM_LOGFILE_H_INCLUDED_ */
