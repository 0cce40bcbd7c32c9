
/*
 * A backend: the words of a "recovery_backend" block as numbers, so that
 * nginx -t and the linter accept the same blocks with the same messages.
 */

#ifndef RCV_BACKEND_LINES_H_INCLUDED_
#define RCV_BACKEND_LINES_H_INCLUDED_


#include "state.h"


typedef struct {
    rcv_str_t            policy;        /* its name; empty: not given */
    rcv_limits_t         limits;
    unsigned             seen;          /* lines given, to find duplicates */
} rcv_backend_lines_t;


void rcv_backend_lines_init(rcv_backend_lines_t *backend);

/*
 * One line; words[0] says which.  0, or -1 and a message that says what is
 * allowed.  Keeps a pointer to the words.
 */
int rcv_backend_line(rcv_backend_lines_t *backend, const rcv_str_t *words,
    unsigned nwords, char *err, size_t err_size);


#endif /* RCV_BACKEND_LINES_H_INCLUDED_ */
