
/*
 * What a line of a log says of its request, to the rules of a policy: its
 * class, whether it is a retry, who its user is.
 *
 * Rules ask for variables of nginx.  Some are in every line of the combined
 * format, others only when they were logged by name.  A rule that asks for
 * one that was never logged is left out, and said to be.
 */

#ifndef SIM_FACTS_H_INCLUDED_
#define SIM_FACTS_H_INCLUDED_


#include <stdio.h>

#include "logline.h"
#include "policy.h"


typedef struct sim_facts_s  sim_facts_t;

typedef struct {
    unsigned             class_index;
    unsigned             retry;
    uint64_t             user;          /* 0: none */
    rcv_str_t            uri;           /* until the next line */
} sim_fact_t;


sim_facts_t *sim_facts_new(const rcv_policy_t *policy);
void sim_facts_free(sim_facts_t *facts);

/*
 * The policy as it can be played: without a cohort as long as none of what it
 * is made of was logged.
 */
const rcv_policy_t *sim_facts_policy(const sim_facts_t *facts);

/* 0, or -1: it is no request. */
int sim_facts_of(sim_facts_t *facts, const sim_logline_t *line,
    sim_fact_t *fact);

/* A line for each kind of rule that lacked a variable. */
void sim_facts_missing(const sim_facts_t *facts, FILE *file);


#endif /* SIM_FACTS_H_INCLUDED_ */
