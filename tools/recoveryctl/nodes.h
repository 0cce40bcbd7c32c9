
/*
 * What the nodes report in Redis: PREFIXnodes says who was heard when,
 * PREFIXnode:NODE:BACKEND what a node sees of a backend (docs/redis.md).
 */

#ifndef CTL_NODES_H_INCLUDED_
#define CTL_NODES_H_INCLUDED_


#include <jansson.h>

#include "redis.h"


#define CTL_NODES_MAX    1024
#define CTL_ALIVE_MS     10000          /* heard within: it is there */


typedef struct {
    char      *name;
    uint64_t   heard_age_ms;            /* by the clock of Redis */
} ctl_node_t;


typedef struct {
    ctl_node_t  *node;                  /* by name */
    size_t       n;
    uint64_t     redis_ms;              /* TIME of Redis */
} ctl_nodes_t;


/* All return -1 when Redis does not answer: ctl_redis_failed() says why. */
int ctl_nodes_read(ctl_redis_t *redis, ctl_nodes_t *nodes);
void ctl_nodes_free(ctl_nodes_t *nodes);

/* Was it heard within the last 10 s? */
int ctl_node_alive(const ctl_node_t *node);

/*
 * reports[i] is what node i says of the backend, NULL: nothing, or what is
 * no JSON.  For ctl_reports_free().
 */
int ctl_reports_read(ctl_redis_t *redis, const ctl_nodes_t *nodes,
    const char *backend, json_t ***reports);
void ctl_reports_free(const ctl_nodes_t *nodes, json_t **reports);

/*
 * Names of all backends that a node reports or that have a hash, sorted; for
 * ctl_names_free().
 */
int ctl_backends_read(ctl_redis_t *redis, char ***names, size_t *n);
void ctl_names_free(char **names, size_t n);


#endif /* CTL_NODES_H_INCLUDED_ */
