
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "walk.h"
#include "words.h"


#define CHECK_RECOVERY_MAX  8           /* backends of one "recovery" */

/* check->inside */
#define INSIDE_POLICY   1
#define INSIDE_BACKEND  2


static check_place_t
check_here(const conf_token_t *token)
{
    check_place_t  place = { token->path, token->line };

    return place;
}


static void
check_broken_file(void *data, const char *path, unsigned line,
    const char *what)
{
    check_t        *check = data;
    check_place_t   place = { path, line };

    /* what could not be opened is named in the message */

    if (path == NULL) {
        place.path = "recoveryctl";
    }

    ctl_bad(check, place, "%s", what);
}


static check_kind_t
check_kind(const check_t *check, rcv_str_t word)
{
    size_t  i;

    static const struct {
        const char    *word;
        check_kind_t   kind;
    } kinds[] = {
        { "http", CHECK_HTTP },
        { "server", CHECK_SERVER },
        { "location", CHECK_LOCATION },
        { "if", CHECK_LOCATION },
        { "limit_except", CHECK_LOCATION },
        { "upstream", CHECK_UPSTREAM },
        { "map", CHECK_MAP }
    };

    /* a server in "stream" or "mail" is none of ours */

    if (check->scopes[check->at].kind >= CHECK_UPSTREAM) {
        return CHECK_OTHER;
    }

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (rcv_str_eq(word, kinds[i].word)) {
            return kinds[i].kind;
        }
    }

    return CHECK_OTHER;
}


static void
check_scope_begin(check_t *check, check_kind_t kind)
{
    check_scope_t  *scope;

    check->scopes = ctl_grow(check->scopes, check->nscopes,
                             sizeof(check_scope_t));
    scope = &check->scopes[check->nscopes];

    scope->kind = kind;
    scope->parent = check->at;
    check->at = check->nscopes++;
    check->whole |= (kind == CHECK_HTTP);
}


static void
check_made_begin(check_t *check, const conf_token_t *token, rcv_str_t name,
    rcv_str_t source)
{
    check_made_t  *made;

    check->made = ctl_grow(check->made, check->nmade, sizeof(check_made_t));
    made = &check->made[check->nmade++];

    made->place = check_here(token);
    made->name = name;
    made->source = source;
}


static void
check_made_value(check_t *check, rcv_str_t value)
{
    check_made_t  *made;

    made = &check->made[check->nmade - 1];
    made->values = ctl_grow(made->values, made->nvalues, sizeof(rcv_str_t));
    made->values[made->nvalues++] = value;
}


/* "recovery_policy" and "recovery_backend": 0 when the block may begin. */

static int
check_block_name(check_t *check, const conf_token_t *token)
{
    int        backend;
    rcv_str_t  name;

    backend = rcv_str_eq(token->words[0], "recovery_backend");

    if (token->nwords != 2) {
        ctl_bad(check, check_here(token), "invalid number of arguments "
                "in \"%.*s\" directive", CHECK_WORD(token->words[0]));
        return -1;
    }

    name = token->words[1];

    if (backend && !rcv_backend_name_valid(name)) {
        ctl_bad(check, check_here(token), "\"recovery_backend\": invalid "
                "name \"%.*s\", " RCV_BACKEND_NAME_RULE,
                CHECK_WORD(name));
        return -1;
    }

    if (!backend && !rcv_name_valid(name)) {
        ctl_bad(check, check_here(token), "\"recovery_policy\": invalid "
                "name \"%.*s\", it must be 1 to %d letters, digits, "
                "\"_\", \"-\" or \".\" and start with a letter or a "
                "digit", CHECK_WORD(name), RCV_NAME_MAX);
        return -1;
    }

    if (backend ? ctl_backend_find(check, name) != NULL
                : ctl_policy_find(check, name) != NULL)
    {
        ctl_bad(check, check_here(token), "\"%.*s %.*s\" is duplicate, "
                "a %s must be defined once", CHECK_WORD(token->words[0]),
                CHECK_WORD(name), backend ? "backend" : "policy");
        return -1;
    }

    return 0;
}


static void
check_policy_begin(check_t *check, const conf_token_t *token)
{
    check_policy_t  *policy;

    policy = ctl_grow(NULL, 0, sizeof(check_policy_t));
    check->policies = ctl_grow(check->policies, check->npolicies,
                               sizeof(policy));
    check->policies[check->npolicies++] = policy;

    policy->name = token->words[1];
    policy->place = check_here(token);
    policy->scope = check->at;

    rcv_policy_init(&policy->core, policy->name);
}


static void
check_backend_begin(check_t *check, const conf_token_t *token)
{
    check_backend_t  *backend;

    check->backends = ctl_grow(check->backends, check->nbackends,
                               sizeof(check_backend_t));
    backend = &check->backends[check->nbackends++];

    backend->name = token->words[1];
    backend->place = check_here(token);
    backend->scope = check->at;

    rcv_backend_lines_init(&backend->core);
}


static void
check_policy_line(check_t *check, const conf_token_t *token)
{
    char             err[RCV_ERROR_MAX];
    unsigned         nclasses, nmatches, ntrust;
    check_policy_t  *policy;

    policy = check->policies[check->npolicies - 1];
    nclasses = policy->core.nclasses;
    nmatches = policy->core.nmatches;
    ntrust = policy->core.ntrust;

    if (rcv_policy_line(&policy->core, token->words, token->nwords, err,
                        sizeof(err))
        != 0)
    {
        policy->broken = 1;
        ctl_bad(check, check_here(token), "%s in recovery_policy "
                "\"%s\"", err, policy->core.name);
        return;
    }

    /* the built-in classes come from no line, with the first "match" */

    if (nclasses < policy->core.nclasses
        && rcv_str_eq(token->words[0], "class"))
    {
        policy->class_at[nclasses] = check_here(token);
    }

    if (nmatches < policy->core.nmatches) {
        policy->match_at[nmatches] = check_here(token);
        policy->match_text[nmatches] = token->words[4];
    }

    if (ntrust == 0 && policy->core.ntrust != 0) {
        policy->trust_at = check_here(token);
    }
}


static void
check_backend_line(check_t *check, const conf_token_t *token)
{
    char              err[RCV_ERROR_MAX];
    check_backend_t  *backend;

    backend = &check->backends[check->nbackends - 1];

    if (rcv_backend_line(&backend->core, token->words, token->nwords, err,
                         sizeof(err))
        != 0)
    {
        backend->broken = 1;
        ctl_bad(check, check_here(token), "%s in recovery_backend "
                "\"%.*s\"", err, CHECK_WORD(backend->name));

    } else if (rcv_str_eq(token->words[0], "policy")) {
        backend->policy_at = check_here(token);
    }
}


static void
check_inside_end(check_t *check, const conf_token_t *token)
{
    char             err[RCV_ERROR_MAX];
    check_policy_t  *policy;

    if (check->inside == INSIDE_POLICY) {
        policy = check->policies[check->npolicies - 1];

        if (rcv_policy_finish(&policy->core, err, sizeof(err)) != 0) {
            policy->broken = 1;
            ctl_bad(check, check_here(token), "%s in recovery_policy "
                    "\"%s\"", err, policy->core.name);
        }
    }

    check->inside = 0;
}


static void
check_recovery(check_t *check, const conf_token_t *token,
    check_scope_t *scope)
{
    unsigned   i, j;
    rcv_str_t  name;

    if (token->nwords < 2) {
        ctl_bad(check, check_here(token), "invalid number of arguments "
                "in \"recovery\" directive");
        return;
    }

    if (scope->governed) {
        ctl_bad(check, check_here(token), "\"recovery\" directive is "
                "duplicate, name all backends in one directive");
        return;
    }

    scope->governed = 1;
    scope->governed_at = check_here(token);

    if (token->nwords == 2 && rcv_str_eq(token->words[1], "off")) {
        return;
    }

    if (token->nwords - 1 > CHECK_RECOVERY_MAX) {
        ctl_bad(check, check_here(token), "\"recovery\" names %u "
                "backends, at most %d are allowed", token->nwords - 1,
                CHECK_RECOVERY_MAX);
        return;
    }

    for (i = 1; i < token->nwords; i++) {
        name = token->words[i];

        if (!rcv_name_valid(name) || rcv_str_eq(name, "off")) {
            ctl_bad(check, check_here(token), "\"recovery\": invalid "
                    "value \"%.*s\", it must be names of backends, or "
                    "\"off\" alone", CHECK_WORD(name));
            return;
        }

        for (j = 0; j < scope->nnames; j++) {
            if (check_same(scope->names[j], name)) {
                ctl_bad(check, check_here(token), "\"recovery\": "
                        "backend \"%.*s\" is duplicate, each is allowed "
                        "once", CHECK_WORD(name));
                return;
            }
        }

        scope->names = ctl_grow(scope->names, scope->nnames,
                                sizeof(rcv_str_t));
        scope->names[scope->nnames++] = name;
    }
}


/* What of a directive matters: everything else is nginx's to judge. */

static void
check_directive(check_t *check, const conf_token_t *token)
{
    rcv_str_t       word;
    check_scope_t  *scope;

    scope = &check->scopes[check->at];
    word = token->words[0];

    if (scope->kind == CHECK_MAP) {
        if (token->nwords == 2) {
            check_made_value(check, token->words[1]);
        }

        return;
    }

    if (scope->kind == CHECK_OTHER) {
        return;
    }

    if (rcv_str_eq(word, "recovery")) {
        check_recovery(check, token, scope);

    } else if (rcv_str_eq(word, "recovery_class") && token->nwords == 2) {
        scope->class_name = token->words[1];
        scope->class_at = check_here(token);

    } else if (rcv_str_eq(word, "recovery_status")) {
        scope->answers = "recovery_status";
        scope->answers_at = check_here(token);

    } else if (rcv_str_eq(word, "recovery_control")) {
        check->hears = 1;
        scope->answers = "recovery_control";
        scope->answers_at = check_here(token);

    } else if (rcv_str_eq(word, "recovery_redis")) {
        check->hears = 1;

    } else if (rcv_str_eq(word, "recovery_policy")
               || rcv_str_eq(word, "recovery_backend"))
    {
        ctl_bad(check, check_here(token), "directive \"%.*s\" has no "
                "opening \"{\"", CHECK_WORD(word));

    } else if (rcv_str_eq(word, "set") && token->nwords == 3) {
        check_made_begin(check, token, token->words[1], token->words[2]);
    }
}


static void
check_block(check_t *check, const conf_token_t *token)
{
    rcv_str_t     word;
    check_kind_t  kind;

    word = token->words[0];

    if (rcv_str_eq(word, "recovery_policy")
        || rcv_str_eq(word, "recovery_backend"))
    {
        if (check_block_name(check, token) != 0) {
            check->skip = 1;
            return;
        }

        if (rcv_str_eq(word, "recovery_policy")) {
            check->inside = INSIDE_POLICY;
            check_policy_begin(check, token);

        } else {
            check->inside = INSIDE_BACKEND;
            check_backend_begin(check, token);
        }

        return;
    }

    kind = check_kind(check, word);

    if (kind == CHECK_MAP && token->nwords == 3) {
        check_made_begin(check, token, token->words[2], token->words[1]);

    } else if (kind == CHECK_MAP) {
        kind = CHECK_OTHER;
    }

    check_scope_begin(check, kind);
}


static int
check_token(void *data, const conf_token_t *token, conf_token_kind_t kind)
{
    check_t  *check = data;

    if (check->skip) {
        check->skip += (kind == CONF_TOKEN_BLOCK);
        check->skip -= (kind == CONF_TOKEN_END);

    } else if (check->inside && kind == CONF_TOKEN_BLOCK) {
        ctl_bad(check, check_here(token), "unexpected \"{\"");
        check->skip = 1;

    } else if (check->inside && kind == CONF_TOKEN_END) {
        check_inside_end(check, token);

    } else if (check->inside == INSIDE_POLICY) {
        check_policy_line(check, token);

    } else if (check->inside == INSIDE_BACKEND) {
        check_backend_line(check, token);

    } else if (kind == CONF_TOKEN_BLOCK) {
        check_block(check, token);

    } else if (kind == CONF_TOKEN_END) {
        check->at = check->scopes[check->at].parent;

    } else {
        check_directive(check, token);
    }

    return 0;
}


void
ctl_check_read(check_t *check, const char *path)
{
    char             err[RCV_ERROR_MAX];
    rcv_str_t        name = { "default", 7 };
    conf_reader_t    reader = { check_token, check_broken_file, check };

    check->builtin = ctl_grow(NULL, 0, sizeof(check_policy_t));
    check->builtin->name = name;
    rcv_policy_init(&check->builtin->core, name);
    (void) rcv_policy_finish(&check->builtin->core, err, sizeof(err));

    check_scope_begin(check, CHECK_MAIN);
    (void) conf_walk(path, &reader);
}
