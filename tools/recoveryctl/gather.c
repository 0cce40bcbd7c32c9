
#include <stdlib.h>
#include <string.h>

#include "gather.h"
#include "target.h"
#include "url.h"


#define GATHER_NAMES_MS  10000          /* names are asked for anew */


static int
gather_backend(ctl_t *ctl, ctl_fleet_t *fleet, const ctl_nodes_t *nodes,
    const char *name)
{
    size_t          i;
    json_t        **reports;
    ctl_backend_t  *backend;

    if (ctl_reports_read(ctl->redis, nodes, name, &reports) != 0) {
        return CTL_UNREACHABLE;
    }

    backend = ctl_fleet_backend(fleet, name);

    for (i = 0; backend != NULL && i < nodes->n; i++) {
        ctl_report_read(&backend->reports[i], reports[i]);
    }

    ctl_reports_free(nodes, reports);

    return (backend != NULL) ? CTL_OK : CTL_UNREACHABLE;
}


/*
 * Names cost a walk through all keys of Redis: who asks every second is given
 * those of before for a while.
 */

static int
gather_backends(ctl_t *ctl, ctl_fleet_t *fleet, const ctl_nodes_t *nodes,
    const ctl_fleet_t *before)
{
    int      rc;
    char   **names;
    size_t   i, n;

    rc = CTL_OK;

    if (before != NULL && before->nbackends != 0
        && fleet->taken_ms - before->named_ms < GATHER_NAMES_MS)
    {
        fleet->named_ms = before->named_ms;

        for (i = 0; i < before->nbackends && rc == CTL_OK; i++) {
            rc = gather_backend(ctl, fleet, nodes, before->backends[i].name);
        }

        return rc;
    }

    fleet->named_ms = fleet->taken_ms;

    if (ctl_backends_read(ctl->redis, &names, &n) != 0) {
        return CTL_UNREACHABLE;
    }

    for (i = 0; i < n && rc == CTL_OK; i++) {
        rc = gather_backend(ctl, fleet, nodes, names[i]);
    }

    ctl_names_free(names, n);

    return rc;
}


static int
gather_redis(ctl_t *ctl, const char *name, const ctl_fleet_t *before,
    ctl_fleet_t *fleet)
{
    int            rc;
    size_t         i;
    ctl_nodes_t    nodes;
    ctl_member_t  *member;

    if (ctl_nodes_read(ctl->redis, &nodes) != 0) {
        ctl_nodes_free(&nodes);
        return CTL_UNREACHABLE;
    }

    rc = CTL_OK;

    for (i = 0; i < nodes.n && rc == CTL_OK; i++) {
        member = ctl_fleet_member(fleet, nodes.node[i].name);

        if (member == NULL) {
            rc = CTL_UNREACHABLE;
            break;
        }

        member->alive = ctl_node_alive(&nodes.node[i]) != 0;
        member->age_ms = nodes.node[i].heard_age_ms;
    }

    if (rc == CTL_OK) {
        fleet->taken_ms = ctl_now_ms();
        rc = (name != NULL) ? gather_backend(ctl, fleet, &nodes, name)
                            : gather_backends(ctl, fleet, &nodes, before);
    }

    ctl_nodes_free(&nodes);

    return rc;
}


/* What an answer that is no status says instead. */

static char *
gather_refusal(const ctl_answer_t *answer)
{
    char  why[320];

    if (answer->status == 0) {
        return strdup(answer->why);
    }

    if (answer->status != 200) {
        (void) snprintf(why, sizeof(why), "HTTP %ld", answer->status);

    } else {
        (void) snprintf(why, sizeof(why), "no recovery_status in JSON; "
                        "--status-url says where it is");
    }

    return strdup(why);
}


static void
gather_status(ctl_fleet_t *fleet, size_t n, json_t *status)
{
    json_t         *json;
    const char     *key;
    ctl_backend_t  *backend;

    json_object_foreach(json_object_get(status, "backends"), key, json) {
        backend = ctl_fleet_backend(fleet, key);

        if (backend != NULL) {
            ctl_report_read(&backend->reports[n], json);
        }
    }
}


/* The node calls itself "instance"; until it has answered its URL has to do. */

static int
gather_url(ctl_t *ctl, unsigned n, ctl_answer_t *answer, ctl_fleet_t *fleet)
{
    char          *url, *host;
    const char    *instance;
    ctl_member_t  *member;

    url = ctl_url_status(&ctl->options, n);
    host = ctl_url_node(ctl->options.urls[n]);

    if (url != NULL) {
        (void) ctl_url_get(&ctl->options, url, answer);
    }

    instance = json_string_value(json_object_get(answer->json, "instance"));
    member = (url != NULL && host != NULL)
             ? ctl_fleet_member(fleet, instance != NULL ? instance : host)
             : NULL;

    if (member != NULL) {
        member->alive = (answer->status == 200
                         && json_is_object(json_object_get(answer->json,
                                                           "backends")));
        member->why = member->alive ? NULL : gather_refusal(answer);
    }

    free(url);
    free(host);

    return (member != NULL) ? CTL_OK : CTL_UNREACHABLE;
}


static int
gather_urls(ctl_t *ctl, ctl_fleet_t *fleet)
{
    int            rc;
    unsigned       i, n;
    ctl_answer_t  *answers;

    n = ctl->options.nurls;
    answers = calloc(n, sizeof(ctl_answer_t));
    rc = (answers != NULL) ? CTL_OK : CTL_UNREACHABLE;

    for (i = 0; i < n && rc == CTL_OK; i++) {
        rc = gather_url(ctl, i, &answers[i], fleet);
    }

    fleet->taken_ms = ctl_now_ms();

    /* all members are there before the first backend */

    for (i = 0; i < n && rc == CTL_OK; i++) {
        if (fleet->members[i].alive) {
            gather_status(fleet, i, answers[i].json);
        }
    }

    for (i = 0; answers != NULL && i < n; i++) {
        ctl_answer_free(&answers[i]);
    }

    free(answers);

    return (rc == CTL_OK && ctl_fleet_alive(fleet) == 0) ? CTL_UNREACHABLE
                                                         : rc;
}


int
ctl_gather(ctl_t *ctl, const char *name, const ctl_fleet_t *before,
    ctl_fleet_t *fleet)
{
    int    rc;
    char   source[300];

    memset(fleet, 0, sizeof(ctl_fleet_t));

    if (ctl->redis == NULL) {
        rc = gather_urls(ctl, fleet);
        fleet->source = strdup("url");

    } else {
        rc = gather_redis(ctl, name, before, fleet);
        (void) snprintf(source, sizeof(source), "redis %s",
                        ctl_redis_address(ctl->redis));
        fleet->source = strdup(source);
    }

    if (rc == CTL_OK) {
        ctl_fleet_finish(fleet, before);
    }

    return rc;
}


int
ctl_gather_failed(ctl_t *ctl, const ctl_fleet_t *fleet)
{
    int     rc;
    size_t  i;

    if (ctl->redis != NULL) {
        rc = ctl_redis_failed(ctl->redis);

        if (strstr(ctl_redis_why(ctl->redis), "SCAN: NOPERM") != NULL) {
            ctl_hint("or ask for one: recoveryctl status NAME");
        }

        return rc;
    }

    for (i = 0; i < fleet->nmembers; i++) {
        ctl_error("%s: %s", fleet->members[i].name, fleet->members[i].why
                  ? fleet->members[i].why : "no memory");
    }

    ctl_hint("is --url that of a location with recovery_control, and "
             "recovery_status beside it, or at --status-url?");

    return CTL_UNREACHABLE;
}


void
ctl_gather_why(ctl_t *ctl, const ctl_fleet_t *fleet, char *buf, size_t size)
{
    char        *end;
    const char  *why;

    why = (ctl->redis != NULL) ? ctl_redis_why(ctl->redis)
          : (fleet->nmembers != 0) ? fleet->members[0].why : NULL;

    (void) snprintf(buf, size, "%s", why ? why : "nobody answers");

    /* several servers, a line of each */

    for (end = buf; (end = strchr(end, '\n')) != NULL; end++) {
        *end = ' ';
    }
}


/* All names there are, for who has mistyped one. */

static int
gather_unknown(ctl_t *ctl, const char *name, const ctl_fleet_t *fleet)
{
    int      rc;
    char   **names;
    size_t   i, n;

    if (ctl->redis != NULL) {

        if (ctl_backends_read(ctl->redis, &names, &n) != 0) {
            return ctl_redis_failed(ctl->redis);
        }

        rc = ctl_name_unknown(name, names, n);
        ctl_names_free(names, n);

        return rc;
    }

    names = calloc(fleet->nbackends + 1, sizeof(char *));

    for (i = 0; names != NULL && i < fleet->nbackends; i++) {
        names[i] = fleet->backends[i].name;
    }

    rc = ctl_name_unknown(name, names, names ? fleet->nbackends : 0);
    free(names);

    return rc;
}


int
ctl_gather_known(ctl_t *ctl, const ctl_fleet_t *fleet, const char *name)
{
    const ctl_backend_t  *backend;

    backend = ctl_fleet_find(fleet, name);

    return (backend != NULL && backend->sum.heard + backend->sum.silent != 0)
           ? CTL_OK : gather_unknown(ctl, name, fleet);
}
