
#include <math.h>

#include "view.h"


/* Class by class: what is let in of what is wanted. */

static void
line_classes(const ctl_screen_t *screen, const ctl_sum_t *sum)
{
    char                a[CTL_NUMBER_MAX], b[CTL_NUMBER_MAX];
    unsigned            i;
    const ctl_class_t  *class;

    for (i = 0; i < sum->nclasses; i++) {
        class = &sum->classes[i];

        if (class->demand_per_s > 0) {
            ctl_print(screen, CTL_PLAIN, " %s=%s/%s", class->name,
                      ctl_number(a, class->passed_per_s),
                      ctl_number(b, class->demand_per_s));
        }
    }
}


void
ctl_view_line(const ctl_screen_t *screen, const ctl_backend_t *backend)
{
    char              phases[CTL_PHASES_MAX], words[CTL_WORDS_MAX];
    char              a[CTL_NUMBER_MAX], b[CTL_NUMBER_MAX];
    const ctl_sum_t  *sum;

    sum = &backend->sum;

    ctl_print(screen, CTL_PLAIN, "%s", backend->name);

    if (sum->heard == 0) {
        ctl_print(screen, CTL_PLAIN, " silent nodes=0/%u", sum->silent);
        return;
    }

    ctl_print(screen, CTL_PLAIN, " %s level=%s",
              ctl_sum_phases(sum, phases), ctl_percent(a, sum->level));
    ctl_print(screen, CTL_PLAIN, " demand=%s allowed=%s",
              ctl_number(a, sum->demand_per_s),
              isnan(sum->allowed_per_s)
              ? "no-limit" : ctl_number(b, sum->allowed_per_s));
    ctl_print(screen, CTL_PLAIN, " delivered=%s shed=%s",
              ctl_number(a, sum->delivered_per_s),
              ctl_number(b, sum->shed_per_s));

    line_classes(screen, sum);

    if (!isnan(sum->eta_s)) {
        ctl_print(screen, CTL_PLAIN, " eta=%.0fs", sum->eta_s);
    }

    ctl_print(screen, CTL_PLAIN, " nodes=%u/%u", sum->heard,
              sum->heard + sum->silent);

    if (sum->speaker->force.word != NULL) {
        ctl_print(screen, CTL_PLAIN, " [force %s]",
                  ctl_force_words(&sum->speaker->force, words));
    }

    ctl_print(screen, CTL_PLAIN, " health: %s; why: %s",
              ctl_health_words(sum->speaker, words),
              sum->speaker->why ? sum->speaker->why : "-");
}
