
/*
 * What came most often, in bounded memory (Space-Saving; Metwally, Agrawal
 * and El Abbadi, 2005): a name that is not among those counted takes the
 * place of the rarest, and its count, so that no count is too low.
 */

#ifndef SIM_TOPURI_H_INCLUDED_
#define SIM_TOPURI_H_INCLUDED_


#include "logfeed.h"


#define SIM_TOP_KEPT  256


typedef struct {
    uint64_t             count;
    uint64_t             error;         /* it may be so much lower */
    uint64_t             hash;
    char                 uri[SIM_URI_MAX + 1];
} sim_top_uri_t;


typedef struct {
    unsigned             n;
    sim_top_uri_t        uris[SIM_TOP_KEPT];
} sim_top_t;


void sim_top_add(sim_top_t *top, const char *uri);

/* Most frequent first. */
void sim_top_sort(sim_top_t *top);


#endif /* SIM_TOPURI_H_INCLUDED_ */
