
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"


#define STATUS_SCHEMA  1


static void
json_put(json_t *object, const char *key, double n)
{
    if (isnan(n)) {
        (void) json_object_set_new(object, key, json_null());

    } else if (n == floor(n) && fabs(n) < 1e15) {
        (void) json_object_set_new(object, key, json_integer((json_int_t) n));

    } else {
        (void) json_object_set_new(object, key, json_real(n));
    }
}


static json_t *
json_phases(const ctl_sum_t *sum)
{
    int      phase;
    json_t  *json;

    json = json_object();

    for (phase = 0; phase < RCV_PHASES; phase++) {
        if (sum->phases[phase] != 0) {
            json_put(json, rcv_phase_names[phase], sum->phases[phase]);
        }
    }

    if (sum->others != 0) {
        json_put(json, "unknown", sum->others);
    }

    return json;
}


static json_t *
json_classes(const ctl_sum_t *sum)
{
    json_t             *list, *json;
    unsigned            i;
    const ctl_class_t  *class;

    list = json_array();

    for (i = 0; i < sum->nclasses; i++) {
        class = &sum->classes[i];
        json = json_object();

        (void) json_object_set_new(json, "name", json_string(class->name));
        json_put(json, "offered", class->offered);
        json_put(json, "passed", class->passed);
        json_put(json, "shed", class->shed);
        json_put(json, "shed_dry_run", class->shed_dry_run);
        json_put(json, "cut_cohort", class->cut_cohort);

        (void) json_array_append_new(list, json);
    }

    return list;
}


static json_t *
json_sum(const ctl_sum_t *sum)
{
    json_t  *json;

    json = json_object();

    json_put(json, "nodes_heard", sum->heard);
    json_put(json, "nodes_silent", sum->silent);
    (void) json_object_set_new(json, "phases", json_phases(sum));

    if (sum->heard == 0) {
        return json;
    }

    json_put(json, "level", sum->level);
    json_put(json, "allowed_per_s", sum->allowed_per_s);
    json_put(json, "reference_per_s", sum->reference_per_s);
    json_put(json, "delivered_per_s", sum->delivered_per_s);
    json_put(json, "in_flight", sum->in_flight);
    json_put(json, "in_flight_limit", sum->in_flight_limit);
    json_put(json, "error_ratio", sum->error_ratio);
    json_put(json, "latency_p50_ms", sum->p50_ms);
    json_put(json, "latency_p90_ms", sum->p90_ms);
    json_put(json, "eta_s", sum->eta_s);
    (void) json_object_set_new(json, "classes", json_classes(sum));

    return json;
}


static json_t *
json_backend(const ctl_fleet_t *fleet, const ctl_backend_t *backend)
{
    size_t   i;
    json_t  *json, *nodes;

    json = json_object();
    nodes = json_object();

    for (i = 0; i < fleet->nmembers; i++) {
        if (backend->reports[i].json != NULL) {
            (void) json_object_set(nodes, fleet->members[i].name,
                                   backend->reports[i].json);
        }
    }

    (void) json_object_set_new(json, "sum", json_sum(&backend->sum));
    (void) json_object_set_new(json, "nodes", nodes);

    return json;
}


static json_t *
json_member(const ctl_member_t *member)
{
    json_t  *json;

    json = json_object();

    (void) json_object_set_new(json, "heard", json_boolean(member->alive));
    json_put(json, "heard_age_ms", member->why ? NAN : (double) member->age_ms);
    (void) json_object_set_new(json, "why", member->why
                               ? json_string(member->why) : json_null());

    return json;
}


void
ctl_status_json(FILE *to, const ctl_fleet_t *fleet, const char *name)
{
    char                 *text;
    size_t                i;
    json_t               *json, *nodes, *backends;
    const ctl_backend_t  *backend;

    json = json_object();
    nodes = json_object();
    backends = json_object();

    for (i = 0; i < fleet->nmembers; i++) {
        (void) json_object_set_new(nodes, fleet->members[i].name,
                                   json_member(&fleet->members[i]));
    }

    for (i = 0; i < fleet->nbackends; i++) {
        backend = &fleet->backends[i];

        if ((name == NULL || strcmp(name, backend->name) == 0)
            && backend->sum.heard + backend->sum.silent != 0)
        {
            (void) json_object_set_new(backends, backend->name,
                                       json_backend(fleet, backend));
        }
    }

    json_put(json, "schema", STATUS_SCHEMA);
    (void) json_object_set_new(json, "source", json_string(fleet->source));
    (void) json_object_set_new(json, "nodes", nodes);
    (void) json_object_set_new(json, "backends", backends);

    text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(10));

    if (text != NULL) {
        ctl_text_json(to, text);
        fputc('\n', to);
    }

    free(text);
    json_decref(json);
}
