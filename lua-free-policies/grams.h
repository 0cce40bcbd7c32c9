
/*
 * The words of many rules, searched for in one walk over a string.
 *
 * Each word is so long that one of its pieces begins at every step-th place,
 * wherever in the string the word stands: so the walk takes steps, and looks
 * each piece that it meets up in a hash.  There it finds which words have the
 * piece; what these have in common is compared first.
 */

#ifndef RCV_GRAMS_H_INCLUDED_
#define RCV_GRAMS_H_INCLUDED_


#include "policy.h"
#include "shape.h"


#define RCV_GRAMS_MAX     2048          /* pieces of the rules on a string */
#define RCV_GRAMS_RULES   (RCV_MATCHES_MAX / 64)


typedef struct {
    rcv_word_t           word;
    uint16_t             rule;
} rcv_wanted_t;


typedef struct {
    uint16_t             word;
    uint8_t              byte;          /* its byte that differs */
} rcv_listed_t;


/* The words that have the same piece at the same place. */

typedef struct {
    uint32_t             bytes;
    uint64_t             differing;     /* rcv_gram_bit() of those bytes */
    uint16_t             offset;        /* of the piece */
    uint16_t             n;
    uint16_t             first;         /* in "list" */
    uint16_t             common;        /* bit k: byte k is that of all */
    uint8_t              len;           /* of the shortest */
    uint8_t              differs;       /* the byte that tells them apart */
} rcv_gram_t;


typedef struct {
    unsigned             size;          /* of a piece: 3 or 4 bytes */
    unsigned             step;
    unsigned             shift;         /* of the hash */
    uint32_t             mask;
    uint64_t             rules[RCV_GRAMS_RULES];    /* that are found so */
    uint16_t            *slots;         /* of grams, from 1 on; 0: none */
    rcv_gram_t          *grams;
    rcv_listed_t        *list;
    rcv_wanted_t        *words;
} rcv_grams_t;


static inline unsigned
rcv_gram_slot(const rcv_grams_t *grams, uint32_t bytes)
{
    return (bytes * 2654435761u) >> grams->shift;
}


/* Of a folded byte; those below 128 all have one of their own. */

static inline uint64_t
rcv_gram_bit(unsigned byte)
{
    return 1ull << ((byte & 0x1f) | (byte >> 1 & 0x20));
}


/*
 * Of the rules on the subject that are best found by their words; *grams is
 * NULL when there are none.  0, or -1: no memory.
 */
int rcv_grams_make(const rcv_grams_t **grams, const rcv_policy_t *policy,
    unsigned subject, const rcv_shape_t *shapes, rcv_alloc_pt alloc,
    void *data);

/* Adds the rules of which a word may be in the value. */
void rcv_grams_find(const rcv_grams_t *grams, rcv_str_t value,
    uint64_t *found);


#endif /* RCV_GRAMS_H_INCLUDED_ */
