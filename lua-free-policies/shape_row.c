
/*
 * What pieces of a pattern that stand one after the other add up to: the
 * longest word that is surely there, and the work that they make for PCRE2.
 */

#include <string.h>

#include "shape_nfa.h"


static unsigned
rcv_words_worth(const rcv_words_t *words)
{
    unsigned  i, least;

    least = (words->n != 0) ? RCV_SHAPE_WORD : 0;

    for (i = 0; i < words->n; i++) {
        least = (unsigned) rcv_min(least, words->of[i].len);
    }

    return least;
}


static void
rcv_words_better(rcv_words_t *words, const rcv_words_t *other)
{
    if (rcv_words_worth(other) > rcv_words_worth(words)) {
        *words = *other;
    }
}


/* What a piece adds to the word before it, or the end of that word. */

static void
rcv_row_word(rcv_row_t *row, const rcv_part_t *part,
    const rcv_times_t *times)
{
    rcv_word_t  *word;

    if (part->fold >= 0 && times->min == 1 && times->max == 1) {
        word = &row->now.of[0];
        row->now.n = 1;

        if (word->len < RCV_SHAPE_WORD) {
            word->data[word->len++] = (uint8_t) part->fold;
        }

        return;
    }

    rcv_words_better(&row->part.words, &row->now);
    row->now.n = 0;
    row->now.of[0].len = 0;

    if (times->min != 0) {
        rcv_words_better(&row->part.words, &part->words);
    }
}


void
rcv_row_init(rcv_row_t *row)
{
    memset(row, 0, sizeof(rcv_row_t));

    row->part.fold = -1;
    row->part.ways = 1;
    row->before = 1;
}


int
rcv_row_add(rcv_row_t *row, const rcv_part_t *part, const rcv_times_t *times,
    const rcv_bytes_t *set)
{
    int       once;
    uint64_t  ways, tries;

    once = (times->min == 1 && times->max == 1);
    ways = part->ways;
    tries = part->tries;

    if (!once && part->byte) {
        ways = rcv_min(times->max - times->min, RCV_SHAPE_LONGEST) + 1;
        tries = ways + 1;

    } else if (!once && times->max == 1) {
        ways++;
        tries += 2;

    } else if (!once) {
        return 0;
    }

    /* "[0-9]+/": of the ways through the digits only one comes to a slash */

    if (row->repeated && part->byte && times->min != 0
        && !rcv_bytes_meet(&row->set, set))
    {
        row->part.ways = row->before;
    }

    tries = row->part.tries + row->part.ways * tries;

    if (tries > RCV_NFA_TRIES) {
        return 0;
    }

    row->part.tries = tries;
    row->before = row->part.ways;
    row->part.ways *= ways;
    row->repeated = (part->byte && !once);
    row->set = *set;

    rcv_row_word(row, part, times);

    return 1;
}


void
rcv_row_end(rcv_row_t *row)
{
    rcv_words_better(&row->part.words, &row->now);

    /* one to come in, where there are others */
    row->part.tries++;
}


void
rcv_part_or(rcv_part_t *part, const rcv_part_t *other)
{
    unsigned      i;
    rcv_words_t  *words;

    part->ways += other->ways;
    part->tries += other->tries;

    words = &part->words;

    if (words->n == 0 || other->words.n == 0
        || words->n + other->words.n > RCV_SHAPE_WORDS)
    {
        words->n = 0;
        return;
    }

    for (i = 0; i < other->words.n; i++) {
        words->of[words->n++] = other->words.of[i];
    }
}
