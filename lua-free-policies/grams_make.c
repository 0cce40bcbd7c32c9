
/* Which rules are found by their words, and the hash of the pieces. */

#include <string.h>

#include "grams.h"


/* known of the ends, from which on a word is sought if that costs nothing */
#define RCV_ENDS_KNOWN    (3 * RCV_BYTES_TELL)

#define RCV_WORD_MIN      3u
#define RCV_STEP_MAX      6u

/* from here on a longer word makes no wider step */
#define RCV_WORD_ENOUGH   (RCV_STEP_MAX + RCV_WORD_MIN - 1)

#define RCV_SLOTS_LEAST   6u            /* bits */
#define RCV_WORDS_MAX     (RCV_GRAMS_MAX / RCV_STEP_MAX)


/* One piece of a word, while the hash is made. */

typedef struct {
    uint32_t  bytes;
    uint16_t  offset;
    uint16_t  word;
} rcv_piece_t;


static unsigned
rcv_shape_known(const rcv_shape_t *shape)
{
    unsigned  i, known;

    known = 0;

    for (i = 0; i < RCV_SHAPE_HEAD; i++) {
        known += rcv_bytes_tell(&shape->head[i]);
    }

    for (i = 0; i < RCV_SHAPE_TAIL; i++) {
        known += rcv_bytes_tell(&shape->tail[i]);
    }

    return known;
}


/* Does the head tell already that the word is there? */

static int
rcv_shape_heads(const rcv_shape_t *shape, const rcv_word_t *word)
{
    unsigned            i, k;
    const rcv_bytes_t  *set;

    for (i = 0; i + word->len <= RCV_SHAPE_HEAD; i++) {

        for (k = 0; k < word->len; k++) {
            set = &shape->head[i + k];

            if (rcv_bytes_tell(set) < RCV_BYTES_TELL - 1
                || !(rcv_bytes_has(set, word->data[k])
                     || rcv_bytes_has(set, word->data[k] ^ 0x20u)))
            {
                break;
            }
        }

        if (k == word->len) {
            return 1;
        }
    }

    return 0;
}


/* The length of the shortest of the words; 0: not worth a search. */

static unsigned
rcv_shape_word(const rcv_shape_t *shape)
{
    unsigned  i, least;

    least = (shape->words.n != 0) ? RCV_SHAPE_WORD : 0;

    for (i = 0; i < shape->words.n; i++) {
        least = (unsigned) rcv_min(least, shape->words.of[i].len);
    }

    return (least >= RCV_WORD_MIN) ? least : 0;
}


/* Is it to stand behind the other? */

static int
rcv_piece_after(const rcv_piece_t *piece, const rcv_piece_t *other)
{
    return piece->bytes > other->bytes
           || (piece->bytes == other->bytes && piece->offset > other->offset);
}


/* Puts one more into those that are in their order. */

static void
rcv_piece_insert(rcv_piece_t *pieces, unsigned n, const rcv_piece_t *piece)
{
    for ( /* void */ ; n != 0 && rcv_piece_after(&pieces[n - 1], piece); n--)
    {
        pieces[n] = pieces[n - 1];
    }

    pieces[n] = *piece;
}


/* What the words of a gram have in common. */

static void
rcv_gram_common(const rcv_grams_t *grams, rcv_gram_t *gram)
{
    unsigned           i, k;
    const rcv_word_t  *word, *first;

    first = &grams->words[grams->list[gram->first].word].word;
    gram->len = first->len;
    gram->common = (uint16_t) ((1u << first->len) - 1);

    for (i = 1; i < gram->n; i++) {
        word = &grams->words[grams->list[gram->first + i].word].word;
        gram->len = (uint8_t) rcv_min(gram->len, word->len);

        for (k = 0; k < RCV_SHAPE_WORD; k++) {
            if (k >= gram->len || word->data[k] != first->data[k]) {
                gram->common &= (uint16_t) ~(1u << k);
            }
        }
    }

    /* the first byte that differs; if none does, one that all have */

    gram->differs = 0;

    for (k = 0; k < gram->len; k++) {
        if (!(gram->common >> k & 1)) {
            gram->differs = (uint8_t) k;
            break;
        }
    }

    for (i = 0; i < gram->n; i++) {
        word = &grams->words[grams->list[gram->first + i].word].word;
        grams->list[gram->first + i].byte = word->data[gram->differs];
        gram->differing |= rcv_gram_bit(word->data[gram->differs]);
    }
}


/* The pieces in their order: those that are alike become one gram. */

static void
rcv_grams_fill(rcv_grams_t *grams, const rcv_piece_t *pieces, unsigned n)
{
    unsigned     i, slot, ngrams;
    rcv_gram_t  *gram;

    gram = NULL;
    ngrams = 0;

    for (i = 0; i < n; i++) {
        grams->list[i].word = pieces[i].word;

        if (gram == NULL || pieces[i].bytes != gram->bytes
            || pieces[i].offset != gram->offset)
        {
            gram = &grams->grams[ngrams++];
            gram->bytes = pieces[i].bytes;
            gram->offset = pieces[i].offset;
            gram->first = (uint16_t) i;
            gram->n = 0;
            gram->differing = 0;

            slot = rcv_gram_slot(grams, gram->bytes);

            while (grams->slots[slot] != 0) {
                slot = (slot + 1) & (UINT32_MAX >> grams->shift);
            }

            grams->slots[slot] = (uint16_t) ngrams;
        }

        gram->n++;
    }

    for (i = 0; i < ngrams; i++) {
        rcv_gram_common(grams, &grams->grams[i]);
    }
}


static void
rcv_grams_pieces(rcv_grams_t *grams, unsigned nwords)
{
    unsigned           i, k, n;
    rcv_piece_t        piece, pieces[RCV_GRAMS_MAX];
    const rcv_word_t  *word;

    n = 0;

    for (i = 0; i < nwords; i++) {
        word = &grams->words[i].word;

        for (k = 0; k < grams->step; k++) {
            piece.bytes = 0;
            memcpy(&piece.bytes, word->data + k, grams->size);
            piece.offset = (uint16_t) k;
            piece.word = (uint16_t) i;

            rcv_piece_insert(pieces, n++, &piece);
        }
    }

    rcv_grams_fill(grams, pieces, n);
}


/* Pieces as large, and steps as wide, as the shortest word bears. */

static rcv_grams_t *
rcv_grams_create(unsigned least, unsigned nwords, rcv_alloc_pt alloc,
    void *data)
{
    unsigned      n, nslots, bits;
    uint8_t       mask[sizeof(uint32_t)] = { 0 };
    rcv_grams_t  *grams;

    grams = alloc(data, sizeof(rcv_grams_t));
    if (grams == NULL) {
        return NULL;
    }

    memset(grams, 0, sizeof(rcv_grams_t));

    grams->step = (unsigned) rcv_min(RCV_STEP_MAX, least - RCV_WORD_MIN + 1);
    grams->size = (unsigned) rcv_min(sizeof(uint32_t),
                                     least - grams->step + 1);

    memset(mask, 0xff, grams->size);
    memcpy(&grams->mask, mask, sizeof(mask));

    n = nwords * grams->step;

    for (bits = RCV_SLOTS_LEAST; n * 4 > 1u << bits; bits++) {
        /* void */
    }

    nslots = 1u << bits;
    grams->shift = 32 - bits;
    grams->words = alloc(data, nwords * sizeof(rcv_wanted_t));
    grams->grams = alloc(data, n * sizeof(rcv_gram_t));
    grams->list = alloc(data, n * sizeof(rcv_listed_t));
    grams->slots = alloc(data, nslots * sizeof(uint16_t));

    if (grams->words == NULL || grams->grams == NULL || grams->list == NULL
        || grams->slots == NULL)
    {
        return NULL;
    }

    memset(grams->slots, 0, nslots * sizeof(uint16_t));

    return grams;
}


/*
 * Rules of which too little is known at both ends, and those others that say
 * more by their words: as long as these are no shorter, they cost nothing.
 */

static unsigned
rcv_grams_choose(const rcv_policy_t *policy, unsigned subject,
    const rcv_shape_t *shapes, uint8_t *chosen, unsigned *least)
{
    int       weak;
    unsigned  i, len, pass, nwords;

    nwords = 0;
    *least = RCV_SHAPE_WORD;
    memset(chosen, 0, RCV_MATCHES_MAX);

    for (pass = 0; pass < 2; pass++) {

        for (i = 0; i < policy->nmatches; i++) {
            len = rcv_shape_word(&shapes[i]);

            if (policy->matches[i].test.subject != subject || len == 0
                || nwords + shapes[i].words.n > RCV_WORDS_MAX)
            {
                continue;
            }

            weak = rcv_shape_known(&shapes[i]) < RCV_ENDS_KNOWN;

            if (pass == 0 ? !weak
                          : (weak || len < rcv_min(*least, RCV_WORD_ENOUGH)
                             || rcv_shape_heads(&shapes[i],
                                                &shapes[i].words.of[0])))
            {
                continue;
            }

            chosen[i] = 1;
            nwords += shapes[i].words.n;

            *least = (unsigned) rcv_min(*least, len);
        }
    }

    return nwords;
}


int
rcv_grams_make(const rcv_grams_t **made, const rcv_policy_t *policy,
    unsigned subject, const rcv_shape_t *shapes, rcv_alloc_pt alloc,
    void *data)
{
    uint8_t       chosen[RCV_MATCHES_MAX];
    unsigned      i, k, n, nwords, least;
    rcv_grams_t  *grams;

    *made = NULL;
    nwords = rcv_grams_choose(policy, subject, shapes, chosen, &least);

    if (nwords == 0) {
        return 0;
    }

    grams = rcv_grams_create(least, nwords, alloc, data);
    if (grams == NULL) {
        return -1;
    }

    n = 0;

    for (i = 0; i < policy->nmatches; i++) {

        for (k = 0; chosen[i] && k < shapes[i].words.n; k++) {
            grams->words[n].word = shapes[i].words.of[k];
            grams->words[n++].rule = (uint16_t) i;
            grams->rules[i >> 6] |= 1ull << (i & 63);
        }
    }

    rcv_grams_pieces(grams, nwords);
    *made = grams;

    return 0;
}
