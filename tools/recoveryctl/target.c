
#include <stdlib.h>
#include <string.h>

#include "near.h"
#include "target.h"
#include "url.h"
#include "words.h"


#define TARGET_NAMES_SHOWN  32
#define TARGET_LIST_MAX     (TARGET_NAMES_SHOWN * (RCV_NAME_MAX + 2) + 64)


int
ctl_name_check(const char *name)
{
    rcv_str_t  word = { name, strlen(name) };

    if (rcv_name_valid(word)) {
        return CTL_OK;
    }

    ctl_error("\"%s\" is no name of a backend: 1 to 63 letters, digits, "
              "\"_\", \"-\" and \".\", a letter or digit first", name);
    ctl_hint("recoveryctl status shows which there are; words with blanks "
             "are to be quoted: --reason \"disk full\"");

    return CTL_USAGE;
}


/* Names that a URL has answered with may be of any length. */

static const char *
names_list(char *buf, char *const *names, size_t n)
{
    size_t  i, len;

    for (i = 0, len = 0; i < n && i < TARGET_NAMES_SHOWN; i++) {
        len += (size_t) snprintf(buf + len, TARGET_LIST_MAX - len, "%s%.*s",
                                 i ? ", " : "", RCV_NAME_MAX, names[i]);
    }

    if (i < n) {
        (void) snprintf(buf + len, TARGET_LIST_MAX - len,
                        " and %zu more: recoveryctl status", n - i);
    }

    return buf;
}


int
ctl_name_unknown(const char *name, char *const *names, size_t n)
{
    char         list[TARGET_LIST_MAX];
    size_t       i;
    const char  *near;
    ctl_near_t   search;

    ctl_error("there is no backend \"%s\"", name);

    if (n == 0) {
        ctl_hint("none has been reported: is this the Redis, the database "
                 "and the prefix of recovery_redis?");
        return CTL_USAGE;
    }

    ctl_near_begin(&search, name, strlen(name));

    for (i = 0; i < n; i++) {
        ctl_near_try(&search, names[i]);
    }

    near = ctl_near_best(&search);

    ctl_hint("%s%s%sthere %s: %s", near ? "is it " : "", near ? near : "",
             near ? "?  " : "", n == 1 ? "is" : "are",
             names_list(list, names, n));

    return CTL_USAGE;
}


int
ctl_name_missing(char *const *names, size_t n)
{
    char  list[TARGET_LIST_MAX];

    ctl_error("which backend?");

    if (n == 0) {
        ctl_hint("none has been reported: is this the Redis, the database "
                 "and the prefix of recovery_redis?  Then name it:");

    } else {
        ctl_hint("there are: %s", names_list(list, names, n));
    }

    ctl_again(NULL, n == 1 ? names[0] : "NAME");

    return CTL_USAGE;
}


/* The only one there is, or nobody knows. */

static int
target_alone(ctl_t *ctl, char **found)
{
    int      rc;
    char   **names;
    size_t   n;

    if (ctl_backends_read(ctl->redis, &names, &n) != 0) {
        rc = ctl_redis_failed(ctl->redis);
        ctl_hint("or name the backend: then nobody has to be asked for the "
                 "names");
        return rc;
    }

    if (n == 1) {
        *found = names[0];
        names[0] = NULL;
        rc = *found ? CTL_OK : CTL_UNREACHABLE;

    } else {
        rc = ctl_name_missing(names, n);
    }

    ctl_names_free(names, n);

    return rc;
}


static int
target_hash(ctl_t *ctl, ctl_target_t *target)
{
    char  *key;

    key = ctl_redis_key(ctl->redis, target->name, NULL);

    if (key != NULL) {
        target->hash = ctl_redis_call(ctl->redis, "HGETALL", key);
    }

    if (target->hash != NULL) {
        free(key);
        return CTL_OK;
    }

    (void) ctl_redis_failed(ctl->redis);

    if (key != NULL && strstr(ctl_redis_why(ctl->redis), "WRONGTYPE")) {
        ctl_hint("the key \"%s\" is no hash; away with it: redis-cli DEL %s",
                 key, key);
    }

    free(key);

    return CTL_UNREACHABLE;
}


/*
 * A name that no node has and nobody has ever written to, while there are
 * nodes: a slip of the hand.
 */

static int
target_known(ctl_t *ctl, const ctl_target_t *target)
{
    int      rc;
    char   **names;
    size_t   i, n;

    if (target->hash->elements != 0 || ctl_target_reported(target)) {
        return CTL_OK;
    }

    for (i = 0; i < target->nodes.n && !ctl_node_alive(&target->nodes.node[i]);
         i++)
    {
        /* void */
    }

    if (i == target->nodes.n) {
        return CTL_OK;
    }

    n = 0;
    names = NULL;

    if (ctl_backends_read(ctl->redis, &names, &n) != 0) {
        n = 0;
    }

    rc = ctl_name_unknown(target->name, names, n);
    ctl_names_free(names, n);

    return rc;
}


int
ctl_target_read(ctl_t *ctl, const char *name, ctl_target_t *target)
{
    int  rc;

    memset(target, 0, sizeof(*target));

    if (name != NULL) {
        rc = ctl_name_check(name);
        target->name = strdup(name);

    } else {
        rc = target_alone(ctl, &target->name);
    }

    if (rc != CTL_OK) {
        return rc;
    }

    if (target->name == NULL
        || ctl_nodes_read(ctl->redis, &target->nodes) != 0
        || ctl_reports_read(ctl->redis, &target->nodes, target->name,
                            &target->reports)
           != 0)
    {
        return ctl_redis_failed(ctl->redis);
    }

    rc = target_hash(ctl, target);

    return rc == CTL_OK ? target_known(ctl, target) : rc;
}


void
ctl_target_free(ctl_target_t *target)
{
    ctl_reports_free(&target->nodes, target->reports);
    ctl_nodes_free(&target->nodes);

    if (target->hash != NULL) {
        freeReplyObject(target->hash);
    }

    free(target->name);
    memset(target, 0, sizeof(*target));
}


const char *
ctl_target_field(const ctl_target_t *target, const char *field)
{
    size_t             i;
    const redisReply  *hash;

    hash = target->hash;

    for (i = 0; hash != NULL && hash->type == REDIS_REPLY_ARRAY
                && i + 1 < hash->elements; i += 2)
    {
        if (hash->element[i]->type == REDIS_REPLY_STRING
            && hash->element[i + 1]->type == REDIS_REPLY_STRING
            && strcmp(hash->element[i]->str, field) == 0)
        {
            return hash->element[i + 1]->str;
        }
    }

    return NULL;
}


int
ctl_target_reported(const ctl_target_t *target)
{
    size_t  i;

    for (i = 0; i < target->nodes.n; i++) {
        if (target->reports[i] != NULL) {
            return 1;
        }
    }

    return 0;
}


/* The backends in the status of a node. */

static int
target_names(const json_t *backends, char ***names, size_t *n)
{
    void        *i;
    const char  *key;

    *n = 0;
    *names = calloc(json_object_size(backends) + 1, sizeof(char *));

    if (*names == NULL) {
        return -1;
    }

    for (i = json_object_iter((json_t *) backends); i != NULL;
         i = json_object_iter_next((json_t *) backends, i))
    {
        key = json_object_iter_key(i);
        (*names)[*n] = strdup(key);

        if ((*names)[*n] == NULL) {
            return -1;
        }

        (*n)++;
    }

    return 0;
}


static int
target_judge(const json_t *backends, const char *name, char **found)
{
    int      rc;
    char   **names;
    size_t   n;

    if (target_names(backends, &names, &n) != 0) {
        return CTL_UNREACHABLE;
    }

    if (name != NULL) {
        rc = json_object_get(backends, name) != NULL
             ? CTL_OK : ctl_name_unknown(name, names, n);

    } else {
        rc = (n == 1) ? CTL_OK : ctl_name_missing(names, n);
        *found = (n == 1) ? strdup(names[0]) : NULL;
    }

    ctl_names_free(names, n);

    return rc;
}


/*
 * Of the first node whose status can be read.  A name that was given is
 * believed where none can: the node itself will say if it is none.
 */

int
ctl_target_at_url(ctl_t *ctl, const char *name, char **found)
{
    int            rc;
    char          *url, why[512];
    unsigned       i;
    const json_t  *backends;
    ctl_answer_t   answer;

    *found = NULL;
    why[0] = '\0';

    if (name != NULL) {
        *found = strdup(name);
        rc = ctl_name_check(name);

        if (rc != CTL_OK) {
            return rc;
        }
    }

    for (i = 0; i < ctl->options.nurls; i++) {
        url = ctl_url_status(&ctl->options, i);

        if (url == NULL) {
            return CTL_UNREACHABLE;
        }

        (void) ctl_url_get(&ctl->options, url, &answer);
        backends = json_object_get(answer.json, "backends");

        if (json_is_object(backends)) {
            rc = target_judge(backends, name, found);
            ctl_answer_free(&answer);
            free(url);
            return rc;
        }

        if (answer.status != 0) {
            (void) snprintf(why, sizeof(why), "%s: answers %ld, and no "
                            "status", url, answer.status);
        } else {
            (void) snprintf(why, sizeof(why), "%s: %s", url, answer.why);
        }

        ctl_answer_free(&answer);
        free(url);
    }

    if (name != NULL) {
        return CTL_OK;
    }

    ctl_error("which backend?  No node shows its status:");
    ctl_hint("%s", why);
    ctl_hint("where recovery_status is: --status-url URL; or name it:");
    ctl_again(NULL, "NAME");

    return CTL_USAGE;
}
