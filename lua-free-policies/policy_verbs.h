
/*
 * Between the files of the policy: what each line does, and which lines were
 * there.  Each function gets a line of a checked number of words and returns
 * 0, or -1 with a message.
 */

#ifndef RCV_POLICY_VERBS_H_INCLUDED_
#define RCV_POLICY_VERBS_H_INCLUDED_


#include "line.h"


/* policy->seen */

#define RCV_SEEN_RAMP         0x01u
#define RCV_SEEN_FEEDBACK     0x02u
#define RCV_SEEN_MATCH        0x04u
#define RCV_SEEN_COHORT       0x08u
#define RCV_SEEN_RETRIES      0x10u
#define RCV_SEEN_SHED         0x20u
#define RCV_SEEN_DOWN         0x40u
#define RCV_SEEN_SIGNAL_LOST  0x80u
#define RCV_SEEN_DEFAULT      0x100u    /* a class with "default" */

/* reserve_ppm of a class whose line gives none, until the policy's end */
#define RCV_RESERVE_UNSET     UINT32_MAX


int rcv_line_ramp(rcv_line_t *line);
int rcv_line_feedback(rcv_line_t *line);
int rcv_line_shed(rcv_line_t *line);
int rcv_line_when(rcv_line_t *line);

int rcv_line_class(rcv_line_t *line);
int rcv_line_match(rcv_line_t *line);
int rcv_line_trust(rcv_line_t *line);
int rcv_line_cohort(rcv_line_t *line);
int rcv_line_retries(rcv_line_t *line);

/* critical, high, normal and low, if no class was listed. */
void rcv_policy_builtin_classes(rcv_policy_t *policy);

/* A percentage above 0 and up to max_ppm. */
int rcv_parse_portion(rcv_str_t word, uint32_t max_ppm, uint32_t *ppm);


#endif /* RCV_POLICY_VERBS_H_INCLUDED_ */
