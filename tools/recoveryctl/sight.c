
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "sight.h"


const char *
ctl_word(const json_t *object, const char *member)
{
    const char  *word;

    word = json_string_value(json_object_get(object, member));

    return word ? word : "";
}


/* "probing", "up, force closed" */

void
ctl_sight_add(ctl_sights_t *sights, const json_t *backend)
{
    char         text[CTL_SIGHT_MAX];
    size_t       i;
    const char  *phase, *force;

    phase = ctl_word(backend, "phase");
    force = ctl_word(json_object_get(backend, "force"), "force");

    if (*phase == '\0') {
        return;
    }

    (void) snprintf(text, sizeof(text), "%.64s%s%.64s", phase,
                    *force ? ", force " : "", force);

    for (i = 0; i < sights->n && strcmp(sights->text[i], text) != 0; i++) {
        /* void */
    }

    if (i == CTL_SIGHTS_MAX) {
        return;
    }

    if (i == sights->n) {
        strcpy(sights->text[i], text);
        sights->count[i] = 0;
        sights->n++;
    }

    sights->count[i]++;
}


void
ctl_sight_print(const ctl_sights_t *sights, size_t done, size_t nodes)
{
    size_t  i;

    printf("%zu of %zu nodes", done, nodes);

    for (i = 0; i < sights->n; i++) {
        fputs(i ? "; " : ": ", stdout);

        if (sights->count[i] < done) {
            printf("%zu ", sights->count[i]);
        }

        ctl_text(stdout, sights->text[i]);
    }

    fputc('\n', stdout);
    (void) ctl_flush();
}
