
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


/*
 * May a backend have that name?  "off" is a word of "recovery"; "audit" and
 * "nodes" are keys in Redis that are not of a backend.
 */
int rcv_backend_name_valid(rcv_str_t name);

#define RCV_BACKEND_NAME_RULE                                                 \
    "it must be 1 to 63 letters, digits, \"_\", \"-\" or \".\", start "       \
    "with a letter or a digit, and not be \"off\", \"audit\" or \"nodes\""

void rcv_backend_lines_init(rcv_backend_lines_t *backend);

/*
 * One line; words[0] says which.  0, or -1 and a message that says what is
 * allowed.  Keeps a pointer to the words.
 */
int rcv_backend_line(rcv_backend_lines_t *backend, const rcv_str_t *words,
    unsigned nwords, char *err, size_t err_size);


#endif /* RCV_BACKEND_LINES_H_INCLUDED_ */
