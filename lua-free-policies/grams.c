
#include <string.h>

#include "grams.h"


static uint32_t
rcv_gram_at(const rcv_grams_t *grams, const char *data, size_t size)
{
    uint32_t  bytes;

    bytes = 0;
    memcpy(&bytes, data, size);

    return (bytes | 0x20202020u) & grams->mask;
}


static int
rcv_word_stands(const rcv_word_t *word, unsigned bits, const char *data)
{
    unsigned  k;

    for (k = 0; k < word->len; k++) {
        if ((bits >> k & 1) && rcv_fold((uint8_t) data[k]) != word->data[k]) {
            return 0;
        }
    }

    return 1;
}


/* The words of the gram that stand there. */

static void
rcv_gram_words(const rcv_grams_t *grams, const rcv_gram_t *gram,
    const char *data, size_t len, uint64_t *found)
{
    uint8_t              byte;
    const rcv_listed_t  *listed, *last;
    const rcv_wanted_t  *wanted;

    listed = &grams->list[gram->first];
    last = listed + gram->n;

    if (!rcv_word_stands(&grams->words[listed->word].word, gram->common,
                         data))
    {
        return;
    }

    byte = rcv_fold((uint8_t) data[gram->differs]);

    if (!(gram->differing & rcv_gram_bit(byte))) {
        return;
    }

    for ( /* void */ ; listed != last; listed++) {

        if (listed->byte != byte) {
            continue;
        }

        wanted = &grams->words[listed->word];

        if (len >= wanted->word.len
            && rcv_word_stands(&wanted->word, UINT16_MAX, data))
        {
            found[wanted->rule >> 6] |= 1ull << (wanted->rule & 63);
        }
    }
}


/* All words that have the piece which stands there. */

static void
rcv_grams_meet(const rcv_grams_t *grams, uint32_t bytes, rcv_str_t value,
    size_t at, uint64_t *found)
{
    unsigned           i, mask;
    const rcv_gram_t  *gram;

    mask = UINT32_MAX >> grams->shift;

    for (i = rcv_gram_slot(grams, bytes); grams->slots[i] != 0;
         i = (i + 1) & mask)
    {
        gram = &grams->grams[grams->slots[i] - 1];

        if (gram->bytes != bytes || at < gram->offset
            || value.len - (at - gram->offset) < gram->len)
        {
            continue;
        }

        rcv_gram_words(grams, gram, value.data + (at - gram->offset),
                       value.len - (at - gram->offset), found);
    }
}


void
rcv_grams_find(const rcv_grams_t *grams, rcv_str_t value, uint64_t *found)
{
    size_t    at;
    uint32_t  bytes;

    for (at = 0; at + sizeof(bytes) <= value.len; at += grams->step) {
        bytes = rcv_gram_at(grams, value.data + at, sizeof(bytes));

        if (grams->slots[rcv_gram_slot(grams, bytes)] != 0) {
            rcv_grams_meet(grams, bytes, value, at, found);
        }
    }

    for ( /* void */ ; at + grams->size <= value.len; at += grams->step) {
        bytes = rcv_gram_at(grams, value.data + at, grams->size);
        rcv_grams_meet(grams, bytes, value, at, found);
    }
}
