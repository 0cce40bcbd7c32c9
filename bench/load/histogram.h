
/*
 * Times in ns, counted in buckets that are at most 1.6 % wide: 64 of them for
 * each power of two.
 */

#ifndef HISTOGRAM_H_INCLUDED_
#define HISTOGRAM_H_INCLUDED_


#include <stdint.h>


#define HISTOGRAM_FINE     64
#define HISTOGRAM_BUCKETS  (HISTOGRAM_FINE * 59)


typedef struct {
    uint64_t  total;
    uint64_t  counts[HISTOGRAM_BUCKETS];
} histogram_t;


static inline unsigned
histogram_bucket(uint64_t ns)
{
    unsigned  shift;

    if (ns < HISTOGRAM_FINE) {
        return (unsigned) ns;
    }

    shift = 57 - (unsigned) __builtin_clzll(ns);

    return HISTOGRAM_FINE * shift + (unsigned) (ns >> shift);
}


static inline void
histogram_add(histogram_t *h, uint64_t ns)
{
    h->total++;
    h->counts[histogram_bucket(ns)]++;
}


/* The lower end of the bucket in which the quantile lies; 0: nothing there. */

static inline double
histogram_at(const histogram_t *h, double quantile)
{
    unsigned  i, shift;
    uint64_t  seen, wanted;

    wanted = (uint64_t) ((double) h->total * quantile);
    seen = 0;

    for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];

        if (seen > wanted) {
            break;
        }
    }

    if (seen <= wanted) {
        return 0;
    }

    if (i < 2 * HISTOGRAM_FINE) {
        return i;
    }

    shift = i / HISTOGRAM_FINE - 1;

    return (double) ((uint64_t) (i - shift * HISTOGRAM_FINE) << shift);
}


#endif /* HISTOGRAM_H_INCLUDED_ */
