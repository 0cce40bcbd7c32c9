
#include <limits.h>
#include <string.h>

#include "policy.h"
#include "policy_verbs.h"


#define RCV_RESERVE_PPM       (RCV_PPM / 10)
#define RCV_RESERVES_PPM      (RCV_PPM / 10 * 9)    /* of all, if not given */


typedef struct {
    const char  *name;
    int        (*read)(rcv_line_t *line);
    unsigned     once;                  /* RCV_SEEN_*; 0: may repeat */
    unsigned     nwords_min;
    unsigned     nwords_max;
    const char  *usage;
} rcv_verb_t;


static const rcv_verb_t  rcv_verbs[] = {

    { "ramp", rcv_line_ramp, RCV_SEEN_RAMP, 2, UINT_MAX,
      "ramp [from=PERCENT] [double=TIME | over=TIME | "
      "steps=PERCENT:TIME,...,100%] [verify=TIME]" },

    { "feedback", rcv_line_feedback, RCV_SEEN_FEEDBACK, 2, UINT_MAX,
      "feedback off | [errors=PERCENT] [latency=Nx]" },

    { "class", rcv_line_class, 0, 2, UINT_MAX,
      "class NAME [reserve=PERCENT] [default]" },

    { "match", rcv_line_match, 0, 5, 5,
      "match CLASS STRING = | ~ | ~* PATTERN" },

    { "trust", rcv_line_trust, 0, 2, UINT_MAX,
      "trust ADDRESS[/BITS]..." },

    { "cohort", rcv_line_cohort, RCV_SEEN_COHORT, 2, 2,
      "cohort STRING" },

    { "retries", rcv_line_retries, RCV_SEEN_RETRIES, 5, 5,
      "retries STRING = | ~ | ~* PATTERN budget=PERCENT" },

    { "shed", rcv_line_shed, RCV_SEEN_SHED, 2, UINT_MAX,
      "shed [status=CODE] [retry_after=TIME..TIME]" },

    { "when", rcv_line_when, 0, 2, UINT_MAX,
      "when down shed | pass | probe=PERCENT, or "
      "when signal_lost [hold=TIME] [then=keep | shed | pass]" }
};

#define RCV_VERBS  (sizeof(rcv_verbs) / sizeof(rcv_verbs[0]))


void
rcv_policy_init(rcv_policy_t *policy, rcv_str_t name)
{
    size_t  len;

    memset(policy, 0, sizeof(rcv_policy_t));

    len = (name.len > RCV_NAME_MAX) ? RCV_NAME_MAX : name.len;
    memcpy(policy->name, name.data, len);

    policy->ramp.kind = RCV_RAMP_DOUBLE;
    policy->ramp.from_ppm = RCV_PPM / 50;
    policy->ramp.double_ms = 1000;
    policy->ramp.verify_ms = 60 * 1000;

    policy->feedback = 1;
    policy->feedback_errors_ppm = RCV_PPM / 50;
    policy->feedback_latency_milli = 2 * RCV_MILLI;

    policy->cohort = -1;

    policy->shed_status = 503;
    policy->retry_after_min_s = 1;
    policy->retry_after_max_s = 60;

    policy->down_mode = RCV_DOWN_SHED;
    policy->probe_ppm = RCV_PPM / 100;

    policy->lost_mode = RCV_LOST_KEEP;
    policy->lost_hold_ms = 30 * 1000;
}


static int
rcv_policy_unknown_verb(rcv_line_t *line)
{
    size_t      i;
    rcv_list_t  list = { .len = 0 };

    for (i = 0; i < RCV_VERBS; i++) {
        rcv_list_add(&list, rcv_verbs[i].name, "");
    }

    return rcv_line_error(line, "unknown line \"%s\" in a policy, "
                          "it must be one of %s",
                          rcv_line_show(line, line->words[0]), list.text);
}


int
rcv_policy_line(rcv_policy_t *policy, const rcv_str_t *words,
    unsigned nwords, char *err, size_t err_size)
{
    size_t             i;
    rcv_line_t         line = { .policy = policy, .words = words,
                                .nwords = nwords, .err = err,
                                .err_size = err_size };
    const rcv_verb_t  *verb;

    if (nwords == 0) {
        return rcv_line_error(&line, "empty line in a policy");
    }

    for (i = 0; i < RCV_VERBS; i++) {
        if (rcv_str_eq(words[0], rcv_verbs[i].name)) {
            break;
        }
    }

    if (i == RCV_VERBS) {
        return rcv_policy_unknown_verb(&line);
    }

    verb = &rcv_verbs[i];
    line.name = verb->name;

    if (nwords < verb->nwords_min || nwords > verb->nwords_max) {
        return rcv_line_error(&line, "invalid number of words in \"%s\", "
                              "it must be \"%s\"", verb->name, verb->usage);
    }

    if (policy->seen & verb->once) {
        return rcv_line_error(&line, "\"%s\" is duplicate", verb->name);
    }

    policy->seen |= verb->once;

    return verb->read(&line);
}


/*
 * What no line gave is a tenth, or less where that would leave too little
 * for the classes after it: defaults are legal together with any legal
 * reserve that was given.
 */

static int
rcv_policy_reserves(rcv_policy_t *policy, rcv_line_t *line)
{
    unsigned      i, last, nunset;
    uint32_t      given_ppm, unset_ppm, share_ppm;
    rcv_class_t  *class;

    last = policy->nclasses - 1;
    class = &policy->classes[last];

    if (class->reserve_ppm != RCV_RESERVE_UNSET && class->reserve_ppm != 0) {
        return rcv_line_error(line, "\"reserve\" of the last class \"%s\" "
                              "must be 0%% or absent, no class comes after "
                              "it", class->name);
    }

    class->reserve_ppm = 0;
    given_ppm = 0;
    nunset = 0;

    for (i = 0; i < last; i++) {
        class = &policy->classes[i];

        if (class->reserve_ppm == RCV_RESERVE_UNSET) {
            nunset++;
            continue;
        }

        given_ppm += class->reserve_ppm;

        if (given_ppm >= RCV_PPM) {
            return rcv_line_error(line, "\"reserve\" of class \"%s\" leaves "
                                  "nothing for the classes after it, all "
                                  "reserves together must be below 100%%",
                                  class->name);
        }
    }

    unset_ppm = (uint32_t) rcv_min(RCV_RESERVE_PPM,
                                   RCV_RESERVES_PPM / policy->nclasses);
    unset_ppm = (uint32_t) rcv_min(unset_ppm,
                                   (RCV_PPM - given_ppm) / (nunset + 1));
    share_ppm = RCV_PPM;

    for (i = 0; i < policy->nclasses; i++) {
        class = &policy->classes[i];

        if (class->reserve_ppm == RCV_RESERVE_UNSET) {
            class->reserve_ppm = unset_ppm;
        }

        class->share_ppm = share_ppm;
        share_ppm -= class->reserve_ppm;
    }

    return 0;
}


int
rcv_policy_finish(rcv_policy_t *policy, char *err, size_t err_size)
{
    int         normal;
    rcv_str_t   name = { "normal", sizeof("normal") - 1 };
    rcv_line_t  line = { .policy = policy, .err = err,
                         .err_size = err_size };

    rcv_policy_builtin_classes(policy);

    if (!(policy->seen & RCV_SEEN_DEFAULT)) {
        normal = rcv_policy_class(policy, name);
        policy->default_class = (normal >= 0) ? (unsigned) normal
                                              : policy->nclasses - 1;
    }

    return rcv_policy_reserves(policy, &line);
}


void
rcv_policy_free(rcv_policy_t *policy)
{
    unsigned  i;

    for (i = 0; i < policy->nmatches; i++) {
        rcv_pattern_free(policy->matches[i].test.pattern);
        policy->matches[i].test.pattern = NULL;
    }

    rcv_pattern_free(policy->retries_test.pattern);
    policy->retries_test.pattern = NULL;
}


int
rcv_policy_class(const rcv_policy_t *policy, rcv_str_t name)
{
    unsigned  i;

    for (i = 0; i < policy->nclasses; i++) {
        if (rcv_str_eq(name, policy->classes[i].name)) {
            return (int) i;
        }
    }

    return -1;
}
