
/*
 * What can be said of every string that a rule matches: how long it may be,
 * which bytes may stand at its first and last places, which words are in it.
 *
 * Always too much and never too little: with a string that has not the shape
 * PCRE2 finds no match, and hits none of its bounds (pattern.h) either; with
 * one that has it, who knows.  Whatever of a pattern is not surely understood
 * stands for any string at all.
 */

#ifndef RCV_SHAPE_H_INCLUDED_
#define RCV_SHAPE_H_INCLUDED_


#include "pattern.h"
#include "rcv.h"


#define RCV_SHAPE_LONGEST  512          /* of longer strings nothing is said */
#define RCV_SHAPE_HEAD     32
#define RCV_SHAPE_TAIL     8
#define RCV_SHAPE_LENGTHS  64           /* the last one: this long or longer */
#define RCV_SHAPE_WORDS    8
#define RCV_SHAPE_WORD     16           /* bytes */


#define RCV_BYTES_TELL     6


/* A set of bytes. */

typedef struct {
    uint64_t             bits[4];
} rcv_bytes_t;


/* Bytes that follow each other, as rcv_fold() makes them. */

typedef struct {
    uint8_t              len;
    uint8_t              data[RCV_SHAPE_WORD];
} rcv_word_t;


/* One of them is in it; n is 0 when that is not known. */

typedef struct {
    unsigned             n;
    rcv_word_t           of[RCV_SHAPE_WORDS];
} rcv_words_t;


typedef struct {
    uint64_t             lengths;       /* bit n: n bytes */
    rcv_bytes_t          head[RCV_SHAPE_HEAD];
    rcv_bytes_t          tail[RCV_SHAPE_TAIL];      /* the last byte first */
    rcv_words_t          words;
} rcv_shape_t;


/* Letters of either case to one byte; others may meet there too. */

static inline uint8_t
rcv_fold(uint8_t byte)
{
    return byte | 0x20;
}


static inline int
rcv_bytes_has(const rcv_bytes_t *set, unsigned byte)
{
    return (set->bits[byte >> 6] >> (byte & 63)) & 1;
}


static inline void
rcv_bytes_add(rcv_bytes_t *set, unsigned byte)
{
    set->bits[byte >> 6] |= 1ull << (byte & 63);
}


static inline int
rcv_bytes_meet(const rcv_bytes_t *a, const rcv_bytes_t *b)
{
    return ((a->bits[0] & b->bits[0]) | (a->bits[1] & b->bits[1])
            | (a->bits[2] & b->bits[2]) | (a->bits[3] & b->bits[3])) != 0;
}


/*
 * How much it tells that a byte is of the set: the most is that it is a
 * certain one, 0 that half of those below 128 will do.
 */
unsigned rcv_bytes_tell(const rcv_bytes_t *set);

/* Of a string that is equal to the text. */
void rcv_shape_equal(rcv_shape_t *shape, rcv_str_t text);

/*
 * Of a string in which PCRE2 finds the pattern, which has been compiled
 * without other options than those of pattern.c; "newline" is a line feed.
 */
void rcv_shape_pattern(rcv_shape_t *shape, rcv_str_t text, int caseless,
    int newline);


#endif /* RCV_SHAPE_H_INCLUDED_ */
