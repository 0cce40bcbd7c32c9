
/*
 * Facts of a request -> its class.
 *
 * First match wins.  What the client chose (headers, cookies, arguments) may
 * lower the class of anybody, but raises only trusted addresses: for others
 * the class is the lower of what the remaining rules say and what the first
 * matching client-chosen rule says, so that sending something never gives
 * more than sending nothing.
 */

#ifndef RCV_CLASSIFY_H_INCLUDED_
#define RCV_CLASSIFY_H_INCLUDED_


#include "policy.h"


/*
 * Value of a subject; called at most once per subject and only when a rule
 * needs it.  0, or -1 when it cannot be had (counts as empty).
 */
typedef int (*rcv_subject_pt)(void *data, unsigned subject,
    rcv_str_t *value);


typedef struct {
    rcv_subject_pt       subject;
    void                *data;
    unsigned             trusted;

    /* the value of recovery_class; empty: not given */
    rcv_str_t            named;
    unsigned             named_client_chosen;
} rcv_class_facts_t;


typedef struct {
    unsigned             class_index;
    unsigned             pattern_limits;    /* patterns that hit a bound */
    unsigned             unknown_name;      /* named a class we do not have */
} rcv_class_decision_t;


void rcv_classify(const rcv_policy_t *policy, const rcv_class_facts_t *facts,
    rcv_class_decision_t *decision);

/*
 * Does the policy's "retries" rule know the request for a retry?  Who hides
 * that it is one is let in as without the rule, who claims it falsely only
 * hurts itself: so it needs no trust.
 */
int rcv_classify_retry(const rcv_policy_t *policy,
    const rcv_class_facts_t *facts, unsigned *pattern_limits);


#endif /* RCV_CLASSIFY_H_INCLUDED_ */
