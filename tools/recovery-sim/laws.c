
#include <stddef.h>
#include <string.h>

#include "law.h"


const sim_law_t *const  sim_laws[] = {
    &sim_law_product,
    &sim_law_reference,
    &sim_law_vegas,
    &sim_law_gradient2,
    &sim_law_throttle,
    &sim_law_linear,
    &sim_law_fixed,
    &sim_law_none,
    &sim_law_oracle,
    NULL
};


const sim_law_t *
sim_law_find(const char *name)
{
    unsigned  i;

    for (i = 0; sim_laws[i] != NULL; i++) {
        if (strcmp(sim_laws[i]->name, name) == 0) {
            return sim_laws[i];
        }
    }

    return NULL;
}
