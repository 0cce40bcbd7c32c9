
#include <stdlib.h>
#include <string.h>

#include "nodes.h"
#include "words.h"


#define NODES_SCAN_COUNT  "1000"
#define NODES_NAMES_MAX   16384


static int
number_of(const redisReply *reply, uint64_t *n)
{
    rcv_str_t  word;

    if (reply->type != REDIS_REPLY_STRING) {
        return -1;
    }

    word.data = reply->str;
    word.len = (size_t) reply->len;

    return rcv_parse_integer(word, n);
}


static int
node_compare(const void *a, const void *b)
{
    return strcmp(((const ctl_node_t *) a)->name,
                  ((const ctl_node_t *) b)->name);
}


static int
nodes_time(ctl_redis_t *redis, uint64_t *now_ms)
{
    uint64_t     s, us;
    redisReply  *reply;

    reply = ctl_redis_call(redis, "TIME");

    if (reply == NULL) {
        return -1;
    }

    *now_ms = 0;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && number_of(reply->element[0], &s) == 0
        && number_of(reply->element[1], &us) == 0)
    {
        *now_ms = s * 1000 + us / 1000;
    }

    freeReplyObject(reply);

    return 0;
}


/* Pairs of a name and a time. */

static int
nodes_take(ctl_nodes_t *nodes, const redisReply *reply)
{
    size_t       i;
    uint64_t     heard_ms;
    ctl_node_t  *node;

    nodes->node = calloc(reply->elements / 2 + 1, sizeof(ctl_node_t));

    if (nodes->node == NULL) {
        return -1;
    }

    for (i = 0; i + 1 < reply->elements && nodes->n < CTL_NODES_MAX; i += 2) {

        if (reply->element[i]->type != REDIS_REPLY_STRING
            || reply->element[i]->len == 0
            || number_of(reply->element[i + 1], &heard_ms) != 0)
        {
            continue;
        }

        node = &nodes->node[nodes->n];
        node->name = strdup(reply->element[i]->str);

        if (node->name == NULL) {
            return -1;
        }

        node->heard_age_ms = rcv_since(nodes->redis_ms, heard_ms);
        nodes->n++;
    }

    qsort(nodes->node, nodes->n, sizeof(ctl_node_t), node_compare);

    return 0;
}


int
ctl_nodes_read(ctl_redis_t *redis, ctl_nodes_t *nodes)
{
    int          rc;
    char        *key;
    redisReply  *reply;

    memset(nodes, 0, sizeof(*nodes));

    key = ctl_redis_key(redis, "nodes", NULL);

    if (key == NULL || nodes_time(redis, &nodes->redis_ms) != 0) {
        free(key);
        return -1;
    }

    reply = ctl_redis_call(redis, "HGETALL", key);
    free(key);

    if (reply == NULL) {
        return -1;
    }

    rc = (reply->type == REDIS_REPLY_ARRAY) ? nodes_take(nodes, reply) : 0;

    freeReplyObject(reply);

    return rc;
}


void
ctl_nodes_free(ctl_nodes_t *nodes)
{
    size_t  i;

    for (i = 0; i < nodes->n; i++) {
        free(nodes->node[i].name);
    }

    free(nodes->node);
    memset(nodes, 0, sizeof(*nodes));
}


int
ctl_node_alive(const ctl_node_t *node)
{
    return node->heard_age_ms <= CTL_ALIVE_MS;
}


static json_t *
report_of(const redisReply *reply)
{
    json_t  *report;

    if (reply->type != REDIS_REPLY_STRING) {
        return NULL;
    }

    report = json_loadb(reply->str, (size_t) reply->len, JSON_ALLOW_NUL,
                        NULL);

    if (report != NULL && !json_is_object(report)) {
        json_decref(report);
        return NULL;
    }

    return report;
}


/* All in one MGET. */

int
ctl_reports_read(ctl_redis_t *redis, const ctl_nodes_t *nodes,
    const char *backend, json_t ***reports)
{
    char          *key, **keys;
    size_t         i, size;
    redisReply    *reply;
    const char   **words;

    *reports = calloc(nodes->n + 1, sizeof(json_t *));

    if (*reports == NULL || nodes->n == 0) {
        return *reports ? 0 : -1;
    }

    words = calloc(nodes->n + 1, sizeof(char *));
    keys = calloc(nodes->n, sizeof(char *));
    reply = NULL;

    for (i = 0; words != NULL && keys != NULL && i < nodes->n; i++) {
        size = strlen(nodes->node[i].name) + strlen(backend) + 2;
        key = malloc(size);

        if (key != NULL) {
            (void) snprintf(key, size, "%s:%s", nodes->node[i].name, backend);
            keys[i] = ctl_redis_key(redis, "node:", key);
            free(key);
        }

        if (keys[i] == NULL) {
            break;
        }

        words[i + 1] = keys[i];
    }

    if (words != NULL && keys != NULL && i == nodes->n) {
        words[0] = "MGET";
        reply = ctl_redis_words(redis, (int) nodes->n + 1, words, 0);
    }

    for (i = 0; keys != NULL && i < nodes->n; i++) {
        free(keys[i]);
    }

    free(keys);
    free(words);

    if (reply == NULL) {
        free(*reports);
        *reports = NULL;
        return -1;
    }

    for (i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements
                && i < nodes->n; i++)
    {
        (*reports)[i] = report_of(reply->element[i]);
    }

    freeReplyObject(reply);

    return 0;
}


void
ctl_reports_free(const ctl_nodes_t *nodes, json_t **reports)
{
    size_t  i;

    for (i = 0; reports != NULL && i < nodes->n; i++) {
        json_decref(reports[i]);
    }

    free(reports);
}


static int
name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


/*
 * A name of a backend has no colon: in "PREFIXnode:NODE:BACKEND" it is what
 * stands behind the last one.
 */

static int
names_take(const char *key, const char *start, char **names, size_t *n)
{
    const char  *name;
    rcv_str_t    word;

    if (strncmp(key, start, strlen(start)) != 0 || *n == NODES_NAMES_MAX) {
        return 0;
    }

    name = strrchr(key + strlen(start), ':');

    if (name == NULL) {
        return 0;
    }

    word.data = ++name;
    word.len = strlen(name);

    if (!rcv_name_valid(word)) {
        return 0;
    }

    names[*n] = strdup(name);

    return names[*n] != NULL ? (*n)++, 0 : -1;
}


static void
names_unique(char **names, size_t *n)
{
    size_t  i, kept;

    qsort(names, *n, sizeof(char *), name_compare);

    for (i = 0, kept = 0; i < *n; i++) {
        if (kept != 0 && strcmp(names[kept - 1], names[i]) == 0) {
            free(names[i]);

        } else {
            names[kept++] = names[i];
        }
    }

    *n = kept;
}


/* What stands in a pattern for itself alone. */

static char *
names_pattern(const char *start)
{
    char  *pattern, *to;

    pattern = to = calloc(2, strlen(start) + 1);

    if (pattern == NULL) {
        return NULL;
    }

    for ( /* void */ ; *start != '\0'; start++) {
        if (strchr("*?[]\\", *start) != NULL) {
            *to++ = '\\';
        }

        *to++ = *start;
    }

    *to++ = '*';
    *to = '\0';

    return pattern;
}


/* 1: there is more; 0: that was all; -1. */

static int
names_scan(ctl_redis_t *redis, const char *start, const char *pattern,
    char *cursor, size_t size, char **names, size_t *n)
{
    int          rc;
    size_t       i;
    redisReply  *reply, *keys;

    reply = ctl_redis_call(redis, "SCAN", cursor, "MATCH", pattern, "COUNT",
                           NODES_SCAN_COUNT);

    if (reply == NULL) {
        return -1;
    }

    rc = 0;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && reply->element[0]->type == REDIS_REPLY_STRING
        && reply->element[1]->type == REDIS_REPLY_ARRAY)
    {
        (void) snprintf(cursor, size, "%s", reply->element[0]->str);
        keys = reply->element[1];

        for (i = 0; i < keys->elements && rc == 0; i++) {
            if (keys->element[i]->type == REDIS_REPLY_STRING) {
                rc = names_take(keys->element[i]->str, start, names, n);
            }
        }

        if (rc == 0) {
            rc = strcmp(cursor, "0") != 0;
        }
    }

    freeReplyObject(reply);

    return rc;
}


int
ctl_backends_read(ctl_redis_t *redis, char ***names, size_t *n)
{
    int    rc;
    char  *start, *pattern, cursor[32];

    *n = 0;
    *names = calloc(NODES_NAMES_MAX, sizeof(char *));
    start = ctl_redis_key(redis, "node:", NULL);
    pattern = start ? names_pattern(start) : NULL;
    cursor[0] = '0';
    cursor[1] = '\0';

    if (*names == NULL || pattern == NULL) {
        rc = -1;

    } else {
        do {
            rc = names_scan(redis, start, pattern, cursor, sizeof(cursor),
                            *names, n);
        } while (rc == 1);
    }

    free(start);
    free(pattern);

    if (rc == 0) {
        names_unique(*names, n);
        return 0;
    }

    ctl_names_free(*names, *n);
    *names = NULL;
    *n = 0;

    return -1;
}


void
ctl_names_free(char **names, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        free(names[i]);
    }

    free(names);
}
