
/*
 * Classes that a client gives himself.  nginx goes by the names of variables
 * when it asks who may be raised; one that "map" or "set" makes of a header
 * is not recognised (docs/directives.md, "Which class").
 */

#include "check.h"


/* Is all that varies in a string what the client chose? */

static int
forged_text(rcv_str_t text)
{
    size_t      i;
    unsigned    variables;
    rcv_str_t   piece;
    const char *next, *end;

    variables = 0;
    end = text.data + text.len;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] != '$') {
            continue;
        }

        piece.data = &text.data[i];
        next = memchr(piece.data + 1, '$', (size_t) (end - piece.data - 1));
        piece.len = (size_t) ((next != NULL ? next : end) - piece.data);

        if (!rcv_client_chosen(piece)) {
            return 0;
        }

        variables++;
    }

    return variables != 0;
}


/* Does the text have the variable ("$x"), as $x or ${x}? */

static int
forged_has(rcv_str_t text, rcv_str_t variable)
{
    char    ch;
    size_t  i, skip, len;

    len = variable.len - 1;

    for (i = 0; i + 1 + len <= text.len; i++) {

        if (text.data[i] != '$') {
            continue;
        }

        skip = i + 1 + (text.data[i + 1] == '{');

        if (skip + len > text.len
            || memcmp(&text.data[skip], variable.data + 1, len) != 0)
        {
            continue;
        }

        ch = (skip + len < text.len) ? text.data[skip + len] : ' ';

        if (ch != '_' && !(ch >= '0' && ch <= '9')
            && !((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
        {
            return 1;
        }
    }

    return 0;
}


/* What has made a variable in the text of what a client sends; or NULL. */

static const check_made_t *
forged_in(const check_t *check, rcv_str_t text)
{
    size_t  i;

    for (i = 0; i < check->nmade; i++) {
        if (check->made[i].name.len > 1
            && forged_text(check->made[i].source)
            && forged_has(text, check->made[i].name))
        {
            return &check->made[i];
        }
    }

    return NULL;
}


static void
forged_matches(check_t *check, const check_policy_t *policy)
{
    unsigned             i;
    rcv_str_t            subject;
    const rcv_match_t   *match;
    const check_made_t  *made;

    for (i = 0; i < policy->core.nmatches; i++) {
        match = &policy->core.matches[i];
        subject = policy->core.subjects[match->test.subject].text;
        made = forged_in(check, subject);

        if (made == NULL || match->class_index >= policy->core.default_class)
        {
            continue;
        }

        ctl_warn(check, policy->match_at[i], "\"match %s\" goes by "
                 "\"%.*s\", which is made of what a client sends "
                 "(%s:%u): anybody may raise himself, \"trust\" is not "
                 "asked; put \"%.*s\" itself here",
                 policy->core.classes[match->class_index].name,
                 CHECK_WORD(made->name), made->place.path,
                 made->place.line, CHECK_WORD(made->source));
    }
}


/* The best class that the variable can name; -1: none above the default. */

static int
forged_class(const rcv_policy_t *policy, const check_made_t *made)
{
    int     i, best;
    size_t  n;

    best = (int) policy->default_class;

    /* "set" hands on whatever was sent */

    if (made->nvalues == 0) {
        return best > 0 ? 0 : -1;
    }

    for (n = 0; n < made->nvalues; n++) {
        i = rcv_policy_class(policy, made->values[n]);
        best = (i >= 0 && i < best) ? i : best;
    }

    return best < (int) policy->default_class ? best : -1;
}


static void
forged_name(check_t *check, size_t at)
{
    int                     best;
    size_t                  i;
    const check_made_t     *made;
    const check_scope_t    *governs, *classes;
    const check_policy_t   *policy;
    const check_backend_t  *backend;

    governs = ctl_governs(check, at);
    classes = ctl_classes(check, at);

    if (governs == NULL || classes == NULL
        || (governs != &check->scopes[at] && classes != &check->scopes[at]))
    {
        return;
    }

    made = forged_in(check, classes->class_name);

    for (i = 0; made != NULL && i < governs->nnames; i++) {
        backend = ctl_backend_find(check, governs->names[i]);
        policy = backend ? ctl_policy_of(check, backend) : NULL;

        if (policy == NULL || policy->broken) {
            continue;
        }

        best = forged_class(&policy->core, made);

        if (best < 0) {
            continue;
        }

        ctl_warn(check, classes->class_at, "\"recovery_class\" goes by "
                 "\"%.*s\", which is made of what a client sends "
                 "(%s:%u): anybody may make himself \"%s\", \"trust\" "
                 "is not asked", CHECK_WORD(made->name),
                 made->place.path, made->place.line,
                 policy->core.classes[best].name);
        return;
    }
}


void
ctl_check_forged(check_t *check)
{
    size_t  i;

    for (i = 0; i < check->npolicies; i++) {
        if (!check->policies[i]->broken) {
            forged_matches(check, check->policies[i]);
        }
    }

    for (i = 0; i < check->nscopes; i++) {
        forged_name(check, i);
    }
}
