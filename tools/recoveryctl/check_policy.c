
/*
 * Rules that are legal and do nothing, or more than was meant.  Said is only
 * what is certain: of a pattern that is more than plain letters nothing is
 * known but what the core makes of a given string.
 */

#include "check.h"


#define LITERAL_MAX  256


static int
pattern_is(rcv_str_t text, const char *const *words)
{
    for ( /* void */ ; *words != NULL; words++) {
        if (rcv_str_eq(text, *words)) {
            return 1;
        }
    }

    return 0;
}


static const rcv_subject_t *
match_subject(const check_policy_t *policy, unsigned i)
{
    return &policy->core.subjects[policy->core.matches[i].test.subject];
}


/* Does the line hold for every request? */

static int
match_always(const check_policy_t *policy, unsigned i)
{
    rcv_str_t  text, subject;

    static const char *const  all[] = {
        "", "^", "$", ".*", "^.*", ".*$", "(.*)", "^(.*)", NULL
    };
    static const char *const  paths[] = {
        "/", "^/", ".", "^.", ".+", "^.+", "^/.*", "/.*", "^/(.*)", NULL
    };

    text = policy->match_text[i];
    subject = match_subject(policy, i)->text;

    if (policy->core.matches[i].test.op == RCV_OP_EQUAL) {
        return 0;
    }

    return pattern_is(text, all)
           || ((rcv_str_eq(subject, "$uri")
                || rcv_str_eq(subject, "$document_uri"))
               && pattern_is(text, paths));
}


/*
 * The letters that a pattern begins with behind its "^"; -1 when it has no
 * "^", or alternatives.  *whole: there is nothing more in it.
 */

static int
pattern_literal(rcv_str_t text, char *literal, int *whole)
{
    int     n;
    char    ch;
    size_t  i;

    if (text.len == 0 || text.data[0] != '^'
        || memchr(text.data, '|', text.len) != NULL)
    {
        return -1;
    }

    n = 0;

    for (i = 1; i < text.len && n < LITERAL_MAX; i++) {
        ch = text.data[i];

        if (ch == '\\' && i + 1 < text.len
            && strchr("./-+?*()[]{}$^\\", text.data[i + 1]) != NULL)
        {
            ch = text.data[++i];

        } else if (strchr("\\.[(){}*+?$^", ch) != NULL) {
            break;
        }

        literal[n++] = ch;
    }

    *whole = (i >= text.len);

    /* a quantifier is of the letter before it */

    if (!*whole && strchr("*+?{", text.data[i]) != NULL) {
        n--;
    }

    return n;
}


/* Does the pattern of line i hold whenever that of line j does? */

static int
pattern_covers(const check_policy_t *policy, unsigned i, unsigned j)
{
    int       n, m, whole, ignored;
    char      first[LITERAL_MAX], second[LITERAL_MAX];
    rcv_op_t  op;

    op = policy->core.matches[i].test.op;

    if (op == RCV_OP_REGEX
        && policy->core.matches[j].test.op == RCV_OP_REGEX_CASELESS)
    {
        return 0;
    }

    if (check_same(policy->match_text[i], policy->match_text[j])) {
        return 1;
    }

    n = pattern_literal(policy->match_text[i], first, &whole);
    m = pattern_literal(policy->match_text[j], second, &ignored);

    return n >= 0 && whole && m >= n && memcmp(first, second, (size_t) n) == 0;
}


/* The two lines are of the same string. */

static int
match_covers(const check_policy_t *policy, unsigned i, unsigned j)
{
    const rcv_test_t  *a, *b;

    a = &policy->core.matches[i].test;
    b = &policy->core.matches[j].test;

    if (b->op != RCV_OP_EQUAL) {
        return a->op != RCV_OP_EQUAL && pattern_covers(policy, i, j);
    }

    return (a->op == RCV_OP_EQUAL)
           ? check_same(a->value, b->value)
           : rcv_pattern_match(a->pattern, b->value) == RCV_PATTERN_YES;
}


/*
 * Does line i leave nothing for line j to decide?  Lines of what the client
 * chose and all others are two rows for who is not trusted (classify.h): of
 * his row the first that matches may still lower what the other row says.
 */

static int
match_shadows(const check_policy_t *policy, unsigned i, unsigned j)
{
    unsigned  k, best;

    if (policy->core.matches[i].test.subject
        == policy->core.matches[j].test.subject)
    {
        return match_always(policy, i) || match_covers(policy, i, j);
    }

    if (!match_always(policy, i)) {
        return 0;
    }

    if (match_subject(policy, i)->client_chosen
        == match_subject(policy, j)->client_chosen)
    {
        return 1;
    }

    if (match_subject(policy, i)->client_chosen) {
        return 0;
    }

    /* j may lower, if there is anything better to be lowered */

    best = policy->core.matches[i].class_index;

    for (k = 0; k < i; k++) {
        if (!match_subject(policy, k)->client_chosen
            && policy->core.matches[k].class_index < best)
        {
            best = policy->core.matches[k].class_index;
        }
    }

    return policy->core.matches[j].class_index <= best;
}


static void
check_matches(check_t *check, const check_policy_t *policy, unsigned *reached)
{
    unsigned      i, j;
    const char   *name;

    for (j = 0; j < policy->core.nmatches; j++) {
        name = policy->core.classes[policy->core.matches[j].class_index].name;

        for (i = 0; i < j && !match_shadows(policy, i, j); i++) {
            /* void */
        }

        if (i < j) {
            ctl_warn(check, policy->match_at[j], "\"match %s\" never "
                     "decides: where it holds, the \"match\" of line %u "
                     "has decided before it", name,
                     policy->match_at[i].line);
            continue;
        }

        *reached |= 1u << policy->core.matches[j].class_index;
    }
}


/* What a client sends may raise only who is in "trust". */

static void
check_trust(check_t *check, const check_policy_t *policy)
{
    unsigned             i, class_index;
    const rcv_policy_t  *core;

    core = &policy->core;

    for (i = 0; i < core->ntrust; i++) {
        if (core->trust[i].prefix == 0) {
            ctl_warn(check, policy->trust_at, "\"trust\" of a whole "
                     "address family: everybody may raise himself by "
                     "what he sends");
            break;
        }
    }

    for (i = 0; i < core->nmatches && core->ntrust == 0; i++) {
        class_index = core->matches[i].class_index;

        if (class_index < core->default_class
            && match_subject(policy, i)->client_chosen)
        {
            ctl_warn(check, policy->match_at[i], "\"match %s\" goes by "
                     "what a client sends and raises nobody, since there "
                     "is no \"trust\" line",
                     core->classes[class_index].name);
        }
    }
}


/* Classes that "recovery_class" may name: all, when it has a variable. */

static unsigned
check_named(const check_t *check, const check_policy_t *policy)
{
    int        i;
    size_t     at;
    unsigned   named;
    rcv_str_t  name;

    named = 0;

    for (at = 0; at < check->nscopes; at++) {
        name = check->scopes[at].class_name;

        if (check_has_variable(name)) {
            return UINT32_MAX;
        }

        i = rcv_policy_class(&policy->core, name);
        named |= (i >= 0) ? 1u << i : 0;
    }

    return named;
}


static void
check_policy(check_t *check, const check_policy_t *policy)
{
    unsigned  i, reached;

    reached = 1u << policy->core.default_class;

    check_matches(check, policy, &reached);
    check_trust(check, policy);

    /* in a part of a configuration nobody knows who names the class */

    reached |= check->whole ? check_named(check, policy) : UINT32_MAX;

    for (i = 0; i < policy->core.nclasses; i++) {

        if (policy->class_at[i].path != NULL && !(reached & (1u << i))) {
            ctl_warn(check, policy->class_at[i], "nobody is ever of "
                     "class \"%s\": it is not the default, no \"match\" "
                     "leads to it, no \"recovery_class\" names it",
                     policy->core.classes[i].name);
        }
    }
}


void
ctl_check_policies(check_t *check)
{
    size_t  i;

    for (i = 0; i < check->npolicies; i++) {
        if (!check->policies[i]->broken) {
            check_policy(check, check->policies[i]);
        }
    }
}
