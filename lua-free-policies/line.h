
/*
 * One line of a policy while it is read: its words, "key=value" parameters
 * from a table, and messages in nginx's tone.
 */

#ifndef RCV_LINE_H_INCLUDED_
#define RCV_LINE_H_INCLUDED_


#include "policy.h"


#define RCV_SHOWN_MAX   64              /* bytes of a word in a message */
#define RCV_SHOWN       4               /* words in one message */
#define RCV_LIST_SIZE   256             /* bytes of a list of words, and NUL */


typedef struct {
    rcv_policy_t     *policy;
    const char       *name;             /* of the line, in messages */
    const rcv_str_t  *words;
    unsigned          nwords;

    char             *err;
    size_t            err_size;

    char              shown[RCV_SHOWN][RCV_SHOWN_MAX + sizeof("...")];
    unsigned          nshown;
} rcv_line_t;


/* A list of quoted words for a message; what does not fit becomes "...". */

typedef struct {
    char              text[RCV_LIST_SIZE];
    size_t            len;
    unsigned          full;
} rcv_list_t;


/*
 * "name=value", or the bare word "name" if it is a flag, which has no set().
 * set() stores the value, or returns -1 when it is not what "allowed" says.
 */

typedef struct {
    const char       *name;
    unsigned          flag;
    int             (*set)(rcv_line_t *line, rcv_str_t value);
    const char       *allowed;
} rcv_param_t;


/* Writes the message and returns -1. */
int rcv_line_error(rcv_line_t *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The word as a message may show it: bounded, no control bytes.  Good until
 * RCV_SHOWN more words were shown.
 */
const char *rcv_line_show(rcv_line_t *line, rcv_str_t word);

void rcv_list_add(rcv_list_t *list, const char *word, const char *suffix);

/*
 * Reads the words from "first" on; bit i of *given says that params[i] was
 * there.  At most 32 params.
 */
int rcv_line_params(rcv_line_t *line, unsigned first,
    const rcv_param_t *params, unsigned nparams, unsigned *given);

/*
 * Cuts at the first separator; returns 0 and an empty tail if there is none.
 */
int rcv_split(rcv_str_t word, const char *separator, rcv_str_t *head,
    rcv_str_t *tail);


#endif /* RCV_LINE_H_INCLUDED_ */
