
#include <stdio.h>

#include "check.h"
#include "line.h"


check_policy_t *
ctl_policy_find(const check_t *check, rcv_str_t name)
{
    size_t  i;

    for (i = 0; i < check->npolicies; i++) {
        if (check_same(check->policies[i]->name, name)) {
            return check->policies[i];
        }
    }

    return NULL;
}


check_backend_t *
ctl_backend_find(const check_t *check, rcv_str_t name)
{
    size_t  i;

    for (i = 0; i < check->nbackends; i++) {
        if (check_same(check->backends[i].name, name)) {
            return &check->backends[i];
        }
    }

    return NULL;
}


check_policy_t *
ctl_policy_of(const check_t *check, const check_backend_t *backend)
{
    rcv_str_t        name;
    check_policy_t  *policy;

    name = backend->core.policy.len ? backend->core.policy
                                    : check->builtin->name;
    policy = ctl_policy_find(check, name);

    return (policy == NULL && check_same(name, check->builtin->name))
           ? check->builtin : policy;
}


const check_scope_t *
ctl_governs(const check_t *check, size_t at)
{
    while (!check->scopes[at].governed && at != 0) {
        at = check->scopes[at].parent;
    }

    return check->scopes[at].governed ? &check->scopes[at] : NULL;
}


const check_scope_t *
ctl_classes(const check_t *check, size_t at)
{
    while (check->scopes[at].class_name.len == 0 && at != 0) {
        at = check->scopes[at].parent;
    }

    return check->scopes[at].class_name.len ? &check->scopes[at] : NULL;
}


/*
 * A name that is not there.  In a file that is but a part of a configuration
 * it may be defined in another one.
 */

static void
check_missing(check_t *check, check_place_t place, const char *what)
{
    if (check->whole) {
        ctl_bad(check, place, "%s", what);

    } else {
        ctl_warn(check, place, "%s; if it is in a file that is not "
                 "included here, check the whole nginx.conf", what);
    }
}


static void
check_backend_policy(check_t *check, const check_backend_t *backend)
{
    char        what[RCV_ERROR_MAX];
    size_t      i;
    rcv_list_t  list = { .len = 0 };

    if (ctl_policy_of(check, backend) != NULL) {
        return;
    }

    for (i = 0; i < check->npolicies; i++) {
        rcv_list_add(&list, check->policies[i]->core.name, "");
    }

    (void) snprintf(what, sizeof(what), "recovery_backend \"%.*s\": unknown "
                    "policy \"%.*s\", known are: %s",
                    CHECK_WORD(backend->name),
                    CHECK_WORD(backend->core.policy),
                    list.len ? list.text : "none");

    check_missing(check, backend->policy_at, what);
}


static void
check_recovery_names(check_t *check, const check_scope_t *scope)
{
    char              what[RCV_ERROR_MAX], name[RCV_NAME_MAX + 1];
    size_t            i, j;
    rcv_list_t        list = { .len = 0 };
    check_backend_t  *backend;

    for (j = 0; j < check->nbackends; j++) {
        (void) snprintf(name, sizeof(name), "%.*s",
                        CHECK_WORD(check->backends[j].name));
        rcv_list_add(&list, name, "");
    }

    for (i = 0; i < scope->nnames; i++) {
        backend = ctl_backend_find(check, scope->names[i]);

        if (backend != NULL) {
            backend->named = 1;
            continue;
        }

        (void) snprintf(what, sizeof(what), "\"recovery\": unknown backend "
                        "\"%.*s\", it must have a \"recovery_backend\" "
                        "block, known are: %s", CHECK_WORD(scope->names[i]),
                        list.len ? list.text : "none");

        check_missing(check, scope->governed_at, what);
    }
}


/* A class without variables, and every policy that it meets. */

static void
check_class_name(check_t *check, size_t at)
{
    size_t                  i;
    const check_scope_t    *governs, *classes;
    const check_policy_t   *policy;
    const check_backend_t  *backend;

    governs = ctl_governs(check, at);
    classes = ctl_classes(check, at);

    if (governs == NULL || classes == NULL
        || (governs != &check->scopes[at] && classes != &check->scopes[at])
        || check_has_variable(classes->class_name))
    {
        return;
    }

    for (i = 0; i < governs->nnames; i++) {
        backend = ctl_backend_find(check, governs->names[i]);
        policy = backend ? ctl_policy_of(check, backend) : NULL;

        if (policy == NULL || policy->broken
            || rcv_policy_class(&policy->core, classes->class_name) >= 0)
        {
            continue;
        }

        ctl_bad(check, classes->class_at, "\"recovery_class\": unknown "
                "class \"%.*s\", it must be a class of policy \"%.*s\" "
                "of backend \"%.*s\"", CHECK_WORD(classes->class_name),
                CHECK_WORD(policy->name), CHECK_WORD(backend->name));
    }
}


/* Blocks that nginx refuses where they are; a part may be put anywhere. */

static void
check_place(check_t *check, check_place_t place, size_t at, const char *word)
{
    check_kind_t  kind;

    kind = check->scopes[at].kind;

    if (check->whole ? kind != CHECK_HTTP : kind != CHECK_MAIN) {
        ctl_bad(check, place, "\"%s\" directive is not allowed here",
                word);
    }
}


/* The status and the orders are needed most when all else is shed. */

static void
check_answers(check_t *check, size_t at)
{
    const check_scope_t  *scope, *governs;

    scope = &check->scopes[at];
    governs = ctl_governs(check, at);

    if (scope->answers == NULL || governs == NULL || governs->nnames == 0) {
        return;
    }

    ctl_warn(check, scope->answers_at, "\"%s\" is governed by "
             "\"recovery %.*s\" (%s:%u) and will be shed when it is "
             "needed, put \"recovery off;\" into its location",
             scope->answers, CHECK_WORD(governs->names[0]),
             governs->governed_at.path, governs->governed_at.line);
}


static void
check_backend(check_t *check, const check_backend_t *backend)
{
    const rcv_limits_t  *limits;

    limits = &backend->core.limits;

    if (limits->capacity_milli > limits->quota_milli) {
        ctl_warn(check, backend->place, "recovery_backend \"%.*s\": "
                 "\"capacity\" is above \"quota\", and more than the "
                 "quota passes in no phase",
                 CHECK_WORD(backend->name));
    }

    if (!check->whole) {
        return;
    }

    if (!backend->named) {
        ctl_warn(check, backend->place, "recovery_backend \"%.*s\" "
                 "governs nothing: no \"recovery\" names it",
                 CHECK_WORD(backend->name));
    }

    if (limits->initial == RCV_PHASE_DOWN && !check->hears) {
        ctl_warn(check, backend->place, "recovery_backend \"%.*s\" is "
                 "down for good: with neither \"recovery_redis\" nor "
                 "\"recovery_control\" nobody can say that it is up",
                 CHECK_WORD(backend->name));
    }
}


void
ctl_check_names(check_t *check)
{
    size_t  i;

    for (i = 0; i < check->npolicies; i++) {
        check_place(check, check->policies[i]->place,
                    check->policies[i]->scope, "recovery_policy");
    }

    for (i = 0; i < check->nscopes; i++) {
        check_recovery_names(check, &check->scopes[i]);
        check_class_name(check, i);
        check_answers(check, i);
    }

    for (i = 0; i < check->nbackends; i++) {
        check_place(check, check->backends[i].place,
                    check->backends[i].scope, "recovery_backend");
        check_backend_policy(check, &check->backends[i]);
        check_backend(check, &check->backends[i]);
    }
}
