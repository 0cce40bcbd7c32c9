
/*
 * The backend that a verb is for, and what Redis knows of it before anything
 * is written.
 */

#ifndef CTL_TARGET_H_INCLUDED_
#define CTL_TARGET_H_INCLUDED_


#include "ctl.h"
#include "nodes.h"


typedef struct {
    char          *name;
    ctl_nodes_t    nodes;
    json_t       **reports;             /* of each node, or NULL */
    redisReply    *hash;                /* HGETALL of its hash */
} ctl_target_t;


/*
 * name NULL: the only one there is.  Anything but CTL_OK is an exit code,
 * after a message.  To be freed in either case.
 */
int ctl_target_read(ctl_t *ctl, const char *name, ctl_target_t *target);
void ctl_target_free(ctl_target_t *target);

/* The same with --url: the name alone, for free(). */
int ctl_target_at_url(ctl_t *ctl, const char *name, char **found);

/* A field of the hash; NULL: it has none. */
const char *ctl_target_field(const ctl_target_t *target, const char *field);

/* Does any node report the backend? */
int ctl_target_reported(const ctl_target_t *target);

/* Could it be the name of a backend?  CTL_USAGE after a message. */
int ctl_name_check(const char *name);

/* "There is no backend kvv; there are: ..."  Returns CTL_USAGE. */
int ctl_name_unknown(const char *name, char *const *names, size_t n);

/* "Which backend?" */
int ctl_name_missing(char *const *names, size_t n);


#endif /* CTL_TARGET_H_INCLUDED_ */
