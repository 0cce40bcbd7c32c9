
/*
 * HTTP to nodes: --url.  A URL is that of a node's recovery_control; its
 * status is at --status-url, or where "control" is replaced by "status".
 */

#ifndef CTL_URL_H_INCLUDED_
#define CTL_URL_H_INCLUDED_


#include <jansson.h>

#include "options.h"


typedef struct {
    long       status;                  /* 0: no answer */
    char      *body;                    /* with a NUL behind it; never NULL */
    json_t    *json;                    /* of the body; NULL: it is none */
    char       why[256];                /* of no answer */
} ctl_answer_t;


/*
 * -1: no answer, and answer->why says so.  Redirects are not followed, a
 * proxy is not asked.  The answer is to be freed in either case.
 */
int ctl_url_get(const ctl_options_t *options, const char *url,
    ctl_answer_t *answer);
int ctl_url_post(const ctl_options_t *options, const char *url,
    const json_t *body, ctl_answer_t *answer);
void ctl_answer_free(ctl_answer_t *answer);

/* Where the status of the node urls[i] is; for free(). */
char *ctl_url_status(const ctl_options_t *options, unsigned i);

/* "host:port" of a URL, to call the node by; for free(). */
char *ctl_url_node(const char *url);


#endif /* CTL_URL_H_INCLUDED_ */
