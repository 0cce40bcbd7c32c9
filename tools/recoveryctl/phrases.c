
#include <math.h>
#include <string.h>

#include "view.h"


ctl_style_t
ctl_phase_style(rcv_phase_t phase)
{
    switch (phase) {

    case RCV_PHASE_UP:
    case RCV_PHASE_VERIFYING:
        return CTL_GREEN;

    case RCV_PHASE_DOWN:
        return CTL_RED;

    case RCV_PHASES:
        return CTL_PLAIN;

    default:
        return CTL_YELLOW;
    }
}


const char *
ctl_health_words(const ctl_report_t *report, char buf[CTL_WORDS_MAX])
{
    const char  *by, *where;

    if (report == NULL || report->health == NULL) {
        return strcpy(buf, "not said");
    }

    by = report->health_by;
    where = report->health_source ? report->health_source : "?";

    /* the usual way goes without saying, an order at the node does not */

    (void) snprintf(buf, CTL_WORDS_MAX, "%s by %s%s", report->health,
                    by != NULL ? by : where,
                    by != NULL && strcmp(where, "local") == 0 ? " (at node)"
                                                              : "");

    return buf;
}


const char *
ctl_force_words(const ctl_force_t *force, char buf[CTL_WORDS_MAX])
{
    int   n;
    char  number[CTL_NUMBER_MAX];

    buf[0] = '\0';

    if (force->word == NULL) {
        return buf;
    }

    n = snprintf(buf, CTL_WORDS_MAX, "%s by %s%s",
                 isnan(force->level) ? force->word
                                     : ctl_percent(number, force->level),
                 force->by ? force->by : force->source ? force->source : "?",
                 force->source && strcmp(force->source, "local") == 0
                 ? " (at node)" : "");

    if (n < CTL_WORDS_MAX && isnan(force->left_s)) {
        n += snprintf(buf + n, (size_t) (CTL_WORDS_MAX - n), ", no end");

    } else if (n < CTL_WORDS_MAX) {
        n += snprintf(buf + n, (size_t) (CTL_WORDS_MAX - n), ", %s left",
                      ctl_countdown(number, force->left_s));
    }

    if (n < CTL_WORDS_MAX && force->reason != NULL) {
        (void) snprintf(buf + n, (size_t) (CTL_WORDS_MAX - n), ": %s",
                        force->reason);
    }

    return buf;
}


const char *
ctl_override_words(const ctl_override_t *override, char buf[CTL_WORDS_MAX])
{
    int   n;
    char  left[CTL_NUMBER_MAX];

    buf[0] = '\0';
    n = 0;

    if (override->health != NULL) {
        n = snprintf(buf, CTL_WORDS_MAX, "health %s, %s left",
                     override->health,
                     ctl_countdown(left, override->health_left_s));
    }

    if (override->class_name != NULL && n < CTL_WORDS_MAX) {
        (void) snprintf(buf + n, (size_t) (CTL_WORDS_MAX - n),
                        "%slet in up to %s, %s left", n ? "; " : "",
                        override->class_name,
                        ctl_countdown(left, override->class_left_s));
    }

    return buf;
}


const char *
ctl_signal_words(const ctl_report_t *report)
{
    size_t  i;

    static const struct {
        const char  *mode;
        const char  *words;
    } modes[] = {
        { "held", "no fresh word from Redis: nothing rises" },
        { "kept", "Redis is lost: the last word on health is kept" },
        { "shed", "Redis is lost: shed as if it were down" },
        { "pass", "Redis is lost: let in as if it were up" }
    };

    for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (report->signal_mode != NULL
            && strcmp(report->signal_mode, modes[i].mode) == 0)
        {
            return modes[i].words;
        }
    }

    if (report->health_damped) {
        return "the source flaps: up counts when it has held";
    }

    return report->signal_lost ? "Redis is lost" : "";
}
