
#include <string.h>

#include "near.h"


void
ctl_near_begin(ctl_near_t *search, const char *word, size_t len)
{
    if (len >= CTL_NEAR_MAX) {
        len = CTL_NEAR_MAX - 1;
    }

    memcpy(search->word, word, len);
    search->word[len] = '\0';
    search->best = NULL;

    /* of three letters one may be wrong */
    search->distance = (unsigned) len / 3 + 1;
}


static unsigned
near_min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}


/* Levenshtein's distance, with two rows. */

static unsigned
near_distance(const char *a, const char *b)
{
    size_t    i, j, n;
    unsigned  above, left, row[CTL_NEAR_MAX];

    n = strlen(b);

    if (n >= CTL_NEAR_MAX) {
        return CTL_NEAR_MAX;
    }

    for (j = 0; j <= n; j++) {
        row[j] = (unsigned) j;
    }

    for (i = 0; a[i] != '\0'; i++) {
        left = row[0];
        row[0] = (unsigned) i + 1;

        for (j = 1; j <= n; j++) {
            above = row[j];
            row[j] = near_min(left + (a[i] != b[j - 1]),
                              near_min(above, row[j - 1]) + 1);
            left = above;
        }
    }

    return row[n];
}


void
ctl_near_try(ctl_near_t *search, const char *word)
{
    unsigned  distance;

    distance = near_distance(search->word, word);

    /* a beginning is meant: "deg" */

    if (search->word[0] != '\0' && search->word[1] != '\0'
        && strncmp(word, search->word, strlen(search->word)) == 0)
    {
        distance = 1;
    }

    if (distance < search->distance
        || (distance == search->distance && search->best == NULL
            && distance < strlen(word)))
    {
        search->distance = distance;
        search->best = word;
    }
}


const char *
ctl_near_best(const ctl_near_t *search)
{
    return search->best;
}
