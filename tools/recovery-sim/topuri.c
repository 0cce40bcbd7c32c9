
#include <stdlib.h>
#include <string.h>

#include "topuri.h"
#include "cohort.h"


void
sim_top_add(sim_top_t *top, const char *uri)
{
    uint64_t        hash;
    unsigned        i, rarest;
    sim_top_uri_t  *one;

    hash = rcv_siphash(0, 0, uri, strlen(uri));
    rarest = 0;

    for (i = 0; i < top->n; i++) {

        if (top->uris[i].hash == hash && strcmp(top->uris[i].uri, uri) == 0) {
            top->uris[i].count++;
            return;
        }

        if (top->uris[i].count < top->uris[rarest].count) {
            rarest = i;
        }
    }

    if (top->n < SIM_TOP_KEPT) {
        one = &top->uris[top->n++];
        one->error = 0;

    } else {
        one = &top->uris[rarest];
        one->error = one->count;
    }

    one->count = one->error + 1;
    one->hash = hash;
    strcpy(one->uri, uri);
}


static int
top_compare(const void *a, const void *b)
{
    const sim_top_uri_t  *x = a, *y = b;

    return (x->count != y->count) ? (x->count < y->count ? 1 : -1)
                                  : strcmp(x->uri, y->uri);
}


void
sim_top_sort(sim_top_t *top)
{
    qsort(top->uris, top->n, sizeof(sim_top_uri_t), top_compare);
}
