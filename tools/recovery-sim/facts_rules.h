
/*
 * The variables that the rules of a policy ask for, and which rules can be
 * asked by what has been logged so far.
 */

#ifndef SIM_FACTS_RULES_H_INCLUDED_
#define SIM_FACTS_RULES_H_INCLUDED_


#include <string.h>

#include "facts.h"


/* Unescaped values of a line, and strings put together of them. */
#define SIM_FACTS_ROOM  (256 * 1024)

/* What recovery_class was given, if it was logged. */
#define SIM_FACTS_NAMED  "recovery_class"


typedef enum {
    SIM_VAR_URI = 0,
    SIM_VAR_DOCUMENT_URI,
    SIM_VAR_REQUEST_URI,
    SIM_VAR_REQUEST_METHOD,
    SIM_VAR_ARGS,
    SIM_VAR_QUERY_STRING,
    SIM_VAR_IS_ARGS,
    SIM_VAR_REQUEST,
    SIM_VAR_REMOTE_ADDR,
    SIM_VAR_KNOWN,                      /* those above always are */
    SIM_VAR_BINARY_REMOTE_ADDR = SIM_VAR_KNOWN,
    SIM_VAR_REMOTE_USER,
    SIM_VAR_HTTP_REFERER,
    SIM_VAR_HTTP_USER_AGENT,
    SIM_VAR_ARG,                        /* $arg_NAME */
    SIM_VAR_FIELD                       /* logged by name, or not at all */
} sim_var_kind_t;

typedef struct {
    rcv_str_t            name;
    sim_var_kind_t       kind;
    unsigned             seen;          /* has been logged */
    rcv_str_t            value;         /* of this line */
} sim_var_t;


/* A piece of a subject: text, or a variable. */

typedef struct {
    rcv_str_t            text;
    int                  var;           /* -1: none */
} sim_part_t;


struct sim_facts_s {
    const rcv_policy_t  *policy;
    rcv_policy_t         asked;         /* without what is not in the log */
    rcv_policy_t         played;

    sim_var_t           *vars;
    unsigned             nvars;
    sim_part_t          *parts;
    unsigned             nparts;
    unsigned             first[RCV_SUBJECTS_MAX + 1];   /* parts of each */
    int                  named;         /* variable */

    const sim_logline_t *line;
    rcv_str_t            known[SIM_VAR_KNOWN];

    char                 room[SIM_FACTS_ROOM];
    size_t               used;
};


static inline int
sim_facts_same(rcv_str_t a, rcv_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


/* The rules that can be asked: again when one more variable has come. */
void sim_facts_ask(sim_facts_t *facts);


#endif /* SIM_FACTS_RULES_H_INCLUDED_ */
