
#include <stddef.h>
#include <string.h>

#include "law.h"


static const sim_law_t *const  laws[] = {
    &sim_law_product,
    &sim_law_reference,
    &sim_law_vegas,
    &sim_law_gradient2,
    &sim_law_envoy,
    &sim_law_throttle,
    &sim_law_linear,
    &sim_law_linear_open,
    &sim_law_fixed,
    &sim_law_fixed_warm,
    &sim_law_none,
    &sim_law_oracle,
};

#define LAWS  (sizeof(laws) / sizeof(laws[0]))


const sim_law_t *
sim_law(unsigned i)
{
    sim_law_t  *law;

    static sim_law_t  ablated[SIM_WITHOUTS];

    if (i < LAWS) {
        return laws[i];
    }

    /* the first one lacks nothing */
    i += 1 - LAWS;

    if (i >= SIM_WITHOUTS) {
        return NULL;
    }

    law = &ablated[i];
    *law = sim_law_product;
    law->name = sim_without_names[i];
    law->what = sim_without_whats[i];
    law->without = (sim_without_t) i;

    return law;
}


const sim_law_t *
sim_law_find(const char *name)
{
    unsigned  i;

    for (i = 0; sim_law(i) != NULL; i++) {
        if (strcmp(sim_law(i)->name, name) == 0) {
            return sim_law(i);
        }
    }

    return NULL;
}
