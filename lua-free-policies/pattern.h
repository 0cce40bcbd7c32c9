
/*
 * One compiled PCRE2 pattern with bounds on what a match may cost.
 *
 * A pattern is written by the operator, the subject by anybody: without
 * bounds one crafted URI keeps a worker busy for minutes.  A match that hits
 * a bound is "no match" for the caller and is told apart so that it can be
 * counted.
 */

#ifndef RCV_PATTERN_H_INCLUDED_
#define RCV_PATTERN_H_INCLUDED_


#include "rcv.h"


typedef struct rcv_pattern_s  rcv_pattern_t;

typedef enum {
    RCV_PATTERN_NO = 0,
    RCV_PATTERN_YES,
    RCV_PATTERN_LIMIT                   /* a bound was hit: not decided */
} rcv_pattern_result_t;

#define RCV_PATTERN_MATCH_LIMIT  10000u
#define RCV_PATTERN_DEPTH_LIMIT  250u
#define RCV_PATTERN_HEAP_KB      64u
#define RCV_PATTERN_SUBJECT_MAX  4096u  /* bytes; a longer one is a LIMIT */


/*
 * Compiles with JIT where the library has it.  Set-up only: allocates.
 * Returns NULL and a message (offset included) in err.
 */
rcv_pattern_t *rcv_pattern_compile(rcv_str_t text, int caseless, char *err,
    size_t err_size);

void rcv_pattern_free(rcv_pattern_t *pattern);

/* Is a line feed, and nothing else, what "$" lets come behind it? */
int rcv_pattern_line_feed(const rcv_pattern_t *pattern);

/*
 * A subject of more than RCV_PATTERN_SUBJECT_MAX bytes is not looked at, also
 * not in part: its first bytes could match where the whole does not ("$").
 *
 * Does not allocate with JIT; without it PCRE2 keeps its working memory, at
 * most RCV_PATTERN_HEAP_KB a pattern, with the pattern from the first match
 * on.  Not reentrant for one pattern: one match at a time in a process.
 */
rcv_pattern_result_t rcv_pattern_match(const rcv_pattern_t *pattern,
    rcv_str_t subject);


#endif /* RCV_PATTERN_H_INCLUDED_ */
