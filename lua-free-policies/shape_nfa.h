
/*
 * Between shape_read.c, which makes states of a pattern with the help of
 * shape_lex.c and shape_row.c, and shape.c, which walks through them.
 */

#ifndef RCV_SHAPE_NFA_H_INCLUDED_
#define RCV_SHAPE_NFA_H_INCLUDED_


#include "shape.h"


#define RCV_NFA_MAX   256
#define RCV_NFA_NONE  RCV_NFA_MAX

/*
 * So that PCRE2 surely keeps its bounds (pattern.h) with each string of up to
 * RCV_SHAPE_LONGEST bytes, interpreted or not: what it comes back to, and with
 * that how deep it gets; groups, and with them the memory for each; tries.
 */
#define RCV_NFA_TURNS   48
#define RCV_NFA_GROUPS  24
#define RCV_NFA_TRIES   (RCV_PATTERN_MATCH_LIMIT - RCV_PATTERN_MATCH_LIMIT / 8)

_Static_assert(RCV_NFA_TURNS * 2 < RCV_PATTERN_DEPTH_LIMIT, "two levels each");


typedef enum {
    RCV_NFA_BYTE = 0,                   /* one of a set, then out */
    RCV_NFA_SPLIT,                      /* out and also */
    RCV_NFA_START                       /* out, before the first byte only */
} rcv_nfa_kind_t;


typedef struct {
    rcv_nfa_kind_t       kind;
    unsigned             ends;          /* the string may end here */
    unsigned             out;
    unsigned             also;
    rcv_bytes_t          set;
} rcv_nfa_state_t;


typedef struct {
    rcv_nfa_state_t      states[RCV_NFA_MAX];
    unsigned             n;
    unsigned             first;
    rcv_words_t          words;
} rcv_nfa_t;


#define RCV_TIMES_MAX  99999u           /* and more */

typedef struct {
    unsigned             min;
    unsigned             max;
} rcv_times_t;


/*
 * A piece of the pattern: states from first to last, whose "out" is still to
 * be set.  From one place in a string so many ways at most lead through it,
 * and PCRE2 counts so many tries until it has been through all of them.
 */

typedef struct {
    unsigned             first;
    unsigned             last;
    int                  byte;          /* one state, of one byte */
    int                  fold;          /* of that byte, or -1 */
    uint64_t             ways;
    uint64_t             tries;
    rcv_words_t          words;
} rcv_part_t;


/* Pieces one after the other, and what is known of the last of them. */

typedef struct {
    rcv_part_t           part;
    rcv_words_t          now;           /* the bytes that it ends with */
    int                  repeated;      /* one byte, so often as they come: */
    rcv_bytes_t          set;           /* of these, */
    uint64_t             before;        /* after so many ways to it */
} rcv_row_t;


/* shape_lex.c: what is read moves *from; 0: nothing is */

/* [...]; 0 also where it is not fully understood. */
int rcv_lex_class(const uint8_t **from, const uint8_t *end, int caseless,
    rcv_bytes_t *set);

/* *, +, ?, {n}, {n,}, {n,m} */
int rcv_lex_quantifier(const uint8_t **from, const uint8_t *end,
    rcv_times_t *times);

/* Is what comes next something that is not read, and may be no piece? */
int rcv_lex_odd(const uint8_t *p, const uint8_t *end);

void rcv_lex_literal(rcv_bytes_t *set, unsigned c, int caseless);

/* \d, \w, \s and their opposites; 0: none of these. */
int rcv_lex_type(rcv_bytes_t *set, unsigned type);

/* Bytes above 127 depend on PCRE2's tables: where it asks them, all do. */

static inline void
rcv_bytes_high(rcv_bytes_t *set)
{
    set->bits[2] = UINT64_MAX;
    set->bits[3] = UINT64_MAX;
}


/* shape_row.c */

void rcv_row_init(rcv_row_t *row);

/* "set": of a byte.  0: PCRE2 might not get to an end with it. */
int rcv_row_add(rcv_row_t *row, const rcv_part_t *part,
    const rcv_times_t *times, const rcv_bytes_t *set);

void rcv_row_end(rcv_row_t *row);

/* Either of them. */
void rcv_part_or(rcv_part_t *part, const rcv_part_t *other);


/* shape_read.c: 0, or -1: nothing can be said. */
int rcv_nfa_read(rcv_nfa_t *nfa, rcv_str_t text, int caseless, int newline);


#endif /* RCV_SHAPE_NFA_H_INCLUDED_ */
