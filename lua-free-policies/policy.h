
/*
 * A policy: the words of a "recovery_policy" block as a checked struct.
 *
 * The caller (nginx's configuration parser, or the simulator's) splits lines
 * into words; this file gives them their meaning, so that nginx -t, the
 * simulator and the linter accept the same policies with the same messages.
 *
 * A policy keeps pointers to the words it was given: the caller keeps them
 * for as long as the policy.
 */

#ifndef RCV_POLICY_H_INCLUDED_
#define RCV_POLICY_H_INCLUDED_


#include "rcv.h"
#include "pattern.h"


#define RCV_MATCHES_MAX   256
#define RCV_SUBJECTS_MAX  64
#define RCV_TRUST_MAX     64
#define RCV_STEPS_MAX     16


typedef struct {
    char                 name[RCV_NAME_MAX + 1];
    uint32_t             reserve_ppm;   /* kept from the classes after it */
    uint32_t             share_ppm;     /* of both gates; computed */
} rcv_class_t;


typedef enum {
    RCV_OP_EQUAL = 0,
    RCV_OP_REGEX,
    RCV_OP_REGEX_CASELESS
} rcv_op_t;


/* STRING OP PATTERN, as in "match" and "retries". */

typedef struct {
    uint32_t             subject;       /* index into policy->subjects */
    rcv_op_t             op;
    rcv_str_t            value;         /* PATTERN, as it is written */
    rcv_pattern_t       *pattern;       /* NULL: OP_EQUAL */
} rcv_test_t;


typedef struct {
    uint32_t             class_index;
    rcv_test_t           test;
} rcv_match_t;


/* A string with variables that the shell evaluates for each request. */

typedef struct {
    rcv_str_t            text;
    unsigned             client_chosen;
} rcv_subject_t;


typedef struct {
    uint8_t              family;        /* 4 or 6 */
    uint8_t              prefix;        /* bits */
    uint8_t              addr[16];      /* network order, 4 or 16 bytes */
} rcv_cidr_t;


typedef enum {
    RCV_RAMP_DOUBLE = 0,
    RCV_RAMP_OVER,
    RCV_RAMP_STEPS
} rcv_ramp_kind_t;


typedef struct {
    uint32_t             level_ppm;
    uint64_t             for_ms;        /* 0 for the last step */
} rcv_step_t;


typedef struct {
    rcv_ramp_kind_t      kind;
    uint32_t             from_ppm;
    uint64_t             double_ms;
    uint64_t             over_ms;
    rcv_step_t           steps[RCV_STEPS_MAX];
    unsigned             nsteps;
    uint64_t             verify_ms;
} rcv_ramp_t;


typedef enum {
    RCV_DOWN_SHED = 0,
    RCV_DOWN_PROBE,
    RCV_DOWN_PASS
} rcv_down_mode_t;


typedef enum {
    RCV_LOST_KEEP = 0,
    RCV_LOST_SHED,
    RCV_LOST_PASS
} rcv_lost_mode_t;


typedef struct {
    char                 name[RCV_NAME_MAX + 1];

    rcv_ramp_t           ramp;

    unsigned             feedback;      /* 0: the schedule alone */
    uint32_t             feedback_errors_ppm;
    uint32_t             feedback_latency_milli;    /* 2x is 2000 */

    rcv_class_t          classes[RCV_CLASSES_MAX];
    unsigned             nclasses;
    unsigned             default_class;

    rcv_match_t          matches[RCV_MATCHES_MAX];
    unsigned             nmatches;

    rcv_subject_t        subjects[RCV_SUBJECTS_MAX];
    unsigned             nsubjects;

    rcv_cidr_t           trust[RCV_TRUST_MAX];
    unsigned             ntrust;

    int                  cohort;        /* subject index, -1: none */

    int                  retries;       /* 1: retries_test counts */
    rcv_test_t           retries_test;
    uint32_t             retries_budget_ppm;

    unsigned             shed_status;
    uint32_t             retry_after_min_s;
    uint32_t             retry_after_max_s;

    rcv_down_mode_t      down_mode;
    uint32_t             probe_ppm;     /* the floor: down and probing */

    uint64_t             lost_hold_ms;
    rcv_lost_mode_t      lost_mode;

    unsigned             seen;          /* lines given, to find duplicates */

    const struct rcv_sieve_s *sieve;    /* NULL: all rules are tried */
} rcv_policy_t;


/* Starts an empty policy; the name must be valid (rcv_name_valid). */
void rcv_policy_init(rcv_policy_t *policy, rcv_str_t name);

/*
 * One line; words[0] is its verb.  0, or -1 and a message that says what is
 * allowed.  Set-up only: compiles patterns.
 */
int rcv_policy_line(rcv_policy_t *policy, const rcv_str_t *words,
    unsigned nwords, char *err, size_t err_size);

/*
 * Fills in what no line gave, checks what only the whole shows.  Called
 * once, after the last line; the policy is constant from here on.
 */
int rcv_policy_finish(rcv_policy_t *policy, char *err, size_t err_size);

/* Frees the patterns. */
void rcv_policy_free(rcv_policy_t *policy);

/* Index of a class, or -1. */
int rcv_policy_class(const rcv_policy_t *policy, rcv_str_t name);

/* Does the string draw on something that the client chose freely? */
int rcv_client_chosen(rcv_str_t text);

/* Is the address (4 or 16 bytes, network order) trusted? */
int rcv_policy_trusts(const rcv_policy_t *policy, const uint8_t *addr,
    size_t len);


#endif /* RCV_POLICY_H_INCLUDED_ */
