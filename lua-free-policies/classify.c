
#include <string.h>

#include "classify.h"
#include "sieve.h"


/* The subjects' values, asked for once and only when a rule needs them. */

typedef struct {
    const rcv_policy_t       *policy;
    const rcv_class_facts_t  *facts;
    rcv_class_decision_t     *decision;
    uint64_t                  known;    /* bit i: values[i] is there */
    rcv_str_t                 values[RCV_SUBJECTS_MAX];
} rcv_subjects_t;

_Static_assert(RCV_SUBJECTS_MAX <= 64, "a bit of \"known\" for each subject");


static rcv_str_t
rcv_subject_value(rcv_subjects_t *subjects, unsigned subject)
{
    rcv_str_t                 *value;
    const rcv_class_facts_t   *facts;

    value = &subjects->values[subject];

    if (!(subjects->known & (1ull << subject))) {
        subjects->known |= 1ull << subject;
        facts = subjects->facts;

        if (facts->subject(facts->data, subject, value) != 0) {
            value->data = "";
            value->len = 0;
        }
    }

    return *value;
}


static int
rcv_match_holds(rcv_subjects_t *subjects, const rcv_test_t *test)
{
    rcv_str_t             value;
    rcv_pattern_result_t  result;

    value = rcv_subject_value(subjects, test->subject);

    if (test->op == RCV_OP_EQUAL) {
        return value.len == test->value.len
               && (value.len == 0
                   || memcmp(value.data, test->value.data, value.len) == 0);
    }

    result = rcv_pattern_match(test->pattern, value);

    if (result == RCV_PATTERN_LIMIT) {
        subjects->decision->pattern_limits++;
    }

    return result == RCV_PATTERN_YES;
}


/* Each rule has a bit: it is still to be tried. */

static void
rcv_rules_all(const rcv_policy_t *policy, uint64_t *left)
{
    unsigned  word, n;

    n = policy->nmatches;

    for (word = 0; word < RCV_GRAMS_RULES; word++) {
        left[word] = (n >= 64) ? UINT64_MAX : (1ull << n) - 1;
        n -= (n >= 64) ? 64 : n;
    }
}


/* Asks for the value, if nobody has, and lets the sieve see it. */

static int
rcv_subject_new(rcv_subjects_t *subjects, unsigned subject, uint64_t *left)
{
    if (subjects->known & (1ull << subject)) {
        return 0;
    }

    if (subjects->policy->sieve == NULL) {
        return 0;
    }

    rcv_sieve(subjects->policy->sieve, subject,
              rcv_subject_value(subjects, subject), left);

    return 1;
}


/*
 * What the rules say.  Of an address that is not trusted, the first rule that
 * the client cannot choose decides and the first that it can may lower that,
 * wherever the two stand.
 */

static unsigned
rcv_rules_class(rcv_subjects_t *subjects)
{
    int                  chosen, fixed;
    int                 *first;
    unsigned             i, word, subject, trusted;
    uint64_t             left[RCV_GRAMS_RULES];
    const rcv_match_t   *match;
    const rcv_policy_t  *policy;

    policy = subjects->policy;
    trusted = subjects->facts->trusted;
    fixed = -1;
    chosen = -1;

    rcv_rules_all(policy, left);

    for (word = 0; word * 64 < policy->nmatches; word++) {

        while (left[word] != 0) {
            i = (unsigned) __builtin_ctzll(left[word]);
            match = &policy->matches[word * 64 + i];
            subject = match->test.subject;

            first = (policy->subjects[subject].client_chosen && !trusted)
                    ? &chosen : &fixed;

            if (*first < 0 && rcv_subject_new(subjects, subject, left)) {
                /* this very rule may be gone */
                continue;
            }

            left[word] &= left[word] - 1;

            if (*first >= 0 || !rcv_match_holds(subjects, &match->test)) {
                continue;
            }

            *first = (int) match->class_index;

            if (fixed >= 0 && (trusted || chosen >= 0)) {
                return (unsigned) (chosen > fixed ? chosen : fixed);
            }
        }
    }

    if (fixed < 0) {
        fixed = (int) policy->default_class;
    }

    return (unsigned) (chosen > fixed ? chosen : fixed);
}


void
rcv_classify(const rcv_policy_t *policy, const rcv_class_facts_t *facts,
    rcv_class_decision_t *decision)
{
    int             named;
    rcv_subjects_t  subjects;

    memset(decision, 0, sizeof(rcv_class_decision_t));

    named = -1;

    if (facts->named.len != 0) {
        named = rcv_policy_class(policy, facts->named);
        decision->unknown_name = (named < 0);

        if (named >= 0 && (!facts->named_client_chosen || facts->trusted)) {
            decision->class_index = (unsigned) named;
            return;
        }
    }

    subjects.policy = policy;
    subjects.facts = facts;
    subjects.decision = decision;
    subjects.known = 0;

    decision->class_index = rcv_rules_class(&subjects);

    if (named > (int) decision->class_index) {
        decision->class_index = (unsigned) named;
    }
}


int
rcv_classify_retry(const rcv_policy_t *policy,
    const rcv_class_facts_t *facts, unsigned *pattern_limits)
{
    int                   holds;
    rcv_subjects_t        subjects;
    rcv_class_decision_t  decision;

    *pattern_limits = 0;

    if (!policy->retries) {
        return 0;
    }

    decision.pattern_limits = 0;

    subjects.policy = policy;
    subjects.facts = facts;
    subjects.decision = &decision;
    subjects.known = 0;

    holds = rcv_match_holds(&subjects, &policy->retries_test);
    *pattern_limits = decision.pattern_limits;

    return holds;
}
