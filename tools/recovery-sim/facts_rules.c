
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "facts_rules.h"


static const char *const  var_names[SIM_VAR_ARG] = {
    "uri", "document_uri", "request_uri", "request_method", "args",
    "query_string", "is_args", "request", "remote_addr", "binary_remote_addr",
    "remote_user", "http_referer", "http_user_agent"
};


static int
facts_is_name(char ch)
{
    return (ch >= '0' && ch <= '9') || ch == '_' || (ch >= 'a' && ch <= 'z')
           || (ch >= 'A' && ch <= 'Z');
}


static sim_var_kind_t
var_kind(rcv_str_t name)
{
    unsigned  i;

    for (i = 0; i < SIM_VAR_ARG; i++) {
        if (rcv_str_eq(name, var_names[i])) {
            return (sim_var_kind_t) i;
        }
    }

    return (name.len > 4 && memcmp(name.data, "arg_", 4) == 0) ? SIM_VAR_ARG
                                                               : SIM_VAR_FIELD;
}


static int
facts_var(sim_facts_t *facts, rcv_str_t name)
{
    unsigned    i;
    sim_var_t  *var;

    for (i = 0; i < facts->nvars; i++) {
        if (sim_facts_same(facts->vars[i].name, name)) {
            return (int) i;
        }
    }

    facts->vars = sim_grow(facts->vars, (facts->nvars + 1) * sizeof(sim_var_t));
    var = &facts->vars[facts->nvars];

    var->name = name;
    var->kind = var_kind(name);
    var->seen = (var->kind != SIM_VAR_FIELD);
    var->value = (rcv_str_t) { "", 0 };

    return (int) facts->nvars++;
}


static void
facts_part(sim_facts_t *facts, rcv_str_t text, int var)
{
    facts->parts = sim_grow(facts->parts,
                            (facts->nparts + 1) * sizeof(sim_part_t));
    facts->parts[facts->nparts].text = text;
    facts->parts[facts->nparts++].var = var;
}


/* "a$b${c}d" */

static void
facts_subject(sim_facts_t *facts, rcv_str_t text)
{
    size_t     i, brace, from;
    rcv_str_t  name;

    for (from = i = 0; i < text.len; /* void */) {

        if (text.data[i] != '$') {
            i++;
            continue;
        }

        if (i > from) {
            name = (rcv_str_t) { text.data + from, i - from };
            facts_part(facts, name, -1);
        }

        i++;
        brace = (i < text.len && text.data[i] == '{');
        i += brace;
        name = (rcv_str_t) { text.data + i, 0 };

        while (i < text.len && facts_is_name(text.data[i])) {
            name.len++;
            i++;
        }

        i += (brace && i < text.len);
        from = i;

        facts_part(facts, (rcv_str_t) { "", 0 }, facts_var(facts, name));
    }

    if (i > from) {
        name = (rcv_str_t) { text.data + from, i - from };
        facts_part(facts, name, -1);
    }
}


/* Of the subject's variables those that were never logged, and all. */

static unsigned
facts_lacks(const sim_facts_t *facts, unsigned subject, unsigned *all)
{
    int       var;
    unsigned  i, n;

    n = 0;
    *all = 0;

    for (i = facts->first[subject]; i < facts->first[subject + 1]; i++) {
        var = facts->parts[i].var;

        if (var >= 0) {
            (*all)++;
            n += !facts->vars[var].seen;
        }
    }

    return n;
}


void
sim_facts_ask(sim_facts_t *facts)
{
    int                 cohort;
    unsigned            i, all;
    rcv_policy_t       *asked;
    const rcv_match_t  *match;

    asked = &facts->asked;
    asked->nmatches = 0;

    for (i = 0; i < facts->policy->nmatches; i++) {
        match = &facts->policy->matches[i];

        if (facts_lacks(facts, match->test.subject, &all) == 0) {
            asked->matches[asked->nmatches++] = *match;
        }
    }

    asked->retries = facts->policy->retries
                     && facts_lacks(facts, asked->retries_test.subject, &all)
                        == 0;

    cohort = facts->policy->cohort;

    facts->played.cohort = (cohort >= 0
                            && facts_lacks(facts, (unsigned) cohort, &all)
                               != all)
                           ? cohort : -1;
}


sim_facts_t *
sim_facts_new(const rcv_policy_t *policy)
{
    unsigned      i;
    rcv_str_t     named = { SIM_FACTS_NAMED, sizeof(SIM_FACTS_NAMED) - 1 };
    sim_facts_t  *facts;

    facts = sim_alloc(sizeof(*facts));
    facts->policy = policy;
    facts->asked = *policy;
    facts->played = *policy;

    for (i = 0; i < policy->nsubjects; i++) {
        facts->first[i] = facts->nparts;
        facts_subject(facts, policy->subjects[i].text);
    }

    facts->first[i] = facts->nparts;
    facts->named = facts_var(facts, named);
    sim_facts_ask(facts);

    return facts;
}


const rcv_policy_t *
sim_facts_policy(const sim_facts_t *facts)
{
    return &facts->played;
}


void
sim_facts_free(sim_facts_t *facts)
{
    free(facts->vars);
    free(facts->parts);
    free(facts);
}


/* The subject's variables that were never logged, each once. */

static void
facts_name(const sim_facts_t *facts, unsigned subject, unsigned *named,
    unsigned *n, FILE *file)
{
    int       var;
    unsigned  i;

    for (i = facts->first[subject]; i < facts->first[subject + 1]; i++) {
        var = facts->parts[i].var;

        if (var < 0 || facts->vars[var].seen || named[var]) {
            continue;
        }

        named[var] = 1;
        fprintf(file, "%s$%.*s", (*n)++ ? ", " : "",
                (int) facts->vars[var].name.len, facts->vars[var].name.data);
    }
}


static void
facts_missing_matches(const sim_facts_t *facts, FILE *file)
{
    unsigned  i, n, all, subject;
    unsigned  *named;

    n = facts->policy->nmatches - facts->asked.nmatches;

    if (n == 0) {
        return;
    }

    fprintf(file, "not in the log: %u rule%s of \"match\" never matched: ",
            n, (n == 1) ? "" : "s");

    named = sim_alloc(facts->nvars * sizeof(unsigned));

    for (n = i = 0; i < facts->policy->nmatches; i++) {
        subject = facts->policy->matches[i].test.subject;

        if (facts_lacks(facts, subject, &all) != 0) {
            facts_name(facts, subject, named, &n, file);
        }
    }

    free(named);
    fputc('\n', file);
}


static void
facts_missing_one(const sim_facts_t *facts, unsigned subject,
    const char *what, FILE *file)
{
    unsigned  n, *named;

    fprintf(file, "not in the log: %s: ", what);

    n = 0;
    named = sim_alloc(facts->nvars * sizeof(unsigned));
    facts_name(facts, subject, named, &n, file);

    free(named);
    fputc('\n', file);
}


void
sim_facts_missing(const sim_facts_t *facts, FILE *file)
{
    unsigned             n, all;
    const rcv_policy_t  *policy;

    policy = facts->policy;

    facts_missing_matches(facts, file);

    if (policy->retries && !facts->asked.retries) {
        facts_missing_one(facts, policy->retries_test.subject,
                          "nobody was known to retry by \"retries\"", file);
    }

    if (policy->cohort < 0) {
        return;
    }

    n = facts_lacks(facts, (unsigned) policy->cohort, &all);

    if (n != 0) {
        facts_missing_one(facts, (unsigned) policy->cohort,
                          (n == all) ? "\"cohort\" was left out"
                                     : "a part of \"cohort\" was empty",
                          file);
    }
}
