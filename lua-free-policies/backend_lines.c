
#include <string.h>

#include "backend_lines.h"
#include "line.h"
#include "words.h"


typedef struct {
    const char  *name;
    int        (*read)(rcv_line_t *line, rcv_backend_lines_t *backend);
} rcv_backend_verb_t;


static int rcv_backend_policy(rcv_line_t *line, rcv_backend_lines_t *backend);
static int rcv_backend_capacity(rcv_line_t *line,
    rcv_backend_lines_t *backend);
static int rcv_backend_quota(rcv_line_t *line, rcv_backend_lines_t *backend);
static int rcv_backend_initial(rcv_line_t *line,
    rcv_backend_lines_t *backend);


/* Each line is allowed once, and has one parameter. */

static const rcv_backend_verb_t  rcv_backend_verbs[] = {
    { "policy", rcv_backend_policy },
    { "capacity", rcv_backend_capacity },
    { "quota", rcv_backend_quota },
    { "initial", rcv_backend_initial }
};

#define RCV_BACKEND_VERBS                                                     \
    (sizeof(rcv_backend_verbs) / sizeof(rcv_backend_verbs[0]))


_Static_assert(RCV_NAME_MAX == 63, "RCV_BACKEND_NAME_RULE says so");


int
rcv_backend_name_valid(rcv_str_t name)
{
    return rcv_name_valid(name) && !rcv_str_eq(name, "off")
           && !rcv_str_eq(name, "audit") && !rcv_str_eq(name, "nodes");
}


void
rcv_backend_lines_init(rcv_backend_lines_t *backend)
{
    memset(backend, 0, sizeof(rcv_backend_lines_t));

    backend->limits.quota_milli = RCV_UNLIMITED;
    backend->limits.initial = RCV_PHASE_UP;
}


static int
rcv_backend_policy(rcv_line_t *line, rcv_backend_lines_t *backend)
{
    backend->policy = line->words[1];

    return 0;
}


static int
rcv_backend_rate(rcv_line_t *line, uint64_t *rate_milli)
{
    if (rcv_parse_rate(line->words[1], rate_milli) == 0) {
        return 0;
    }

    return rcv_line_error(line, "invalid rate \"%s\" in \"%s\", it must be a "
                          "rate above 0 such as \"500r/s\" or \"30r/m\"",
                          rcv_line_show(line, line->words[1]), line->name);
}


static int
rcv_backend_capacity(rcv_line_t *line, rcv_backend_lines_t *backend)
{
    return rcv_backend_rate(line, &backend->limits.capacity_milli);
}


static int
rcv_backend_quota(rcv_line_t *line, rcv_backend_lines_t *backend)
{
    return rcv_backend_rate(line, &backend->limits.quota_milli);
}


static int
rcv_backend_initial(rcv_line_t *line, rcv_backend_lines_t *backend)
{
    size_t  i;

    static const rcv_phase_t  phases[] = {
        RCV_PHASE_UP, RCV_PHASE_DOWN, RCV_PHASE_PROBING
    };

    for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {

        if (rcv_str_eq(line->words[1], rcv_phase_names[phases[i]])) {
            backend->limits.initial = phases[i];
            return 0;
        }
    }

    return rcv_line_error(line, "invalid value \"%s\" in \"initial\", it "
                          "must be \"up\", \"down\" or \"probing\"",
                          rcv_line_show(line, line->words[1]));
}


static int
rcv_backend_unknown(rcv_line_t *line)
{
    size_t      i;
    rcv_list_t  list = { .len = 0 };

    for (i = 0; i < RCV_BACKEND_VERBS; i++) {
        rcv_list_add(&list, rcv_backend_verbs[i].name, "");
    }

    return rcv_line_error(line, "unknown line \"%s\" in a backend, it must "
                          "be one of %s",
                          rcv_line_show(line, line->words[0]), list.text);
}


int
rcv_backend_line(rcv_backend_lines_t *backend, const rcv_str_t *words,
    unsigned nwords, char *err, size_t err_size)
{
    size_t      i;
    rcv_line_t  line = { .words = words, .nwords = nwords, .err = err,
                         .err_size = err_size };

    if (nwords == 0) {
        return rcv_line_error(&line, "empty line in a backend");
    }

    for (i = 0; i < RCV_BACKEND_VERBS; i++) {
        if (rcv_str_eq(words[0], rcv_backend_verbs[i].name)) {
            break;
        }
    }

    if (i == RCV_BACKEND_VERBS) {
        return rcv_backend_unknown(&line);
    }

    line.name = rcv_backend_verbs[i].name;

    if (backend->seen & (1u << i)) {
        return rcv_line_error(&line, "\"%s\" is duplicate, it is allowed "
                              "once", line.name);
    }

    backend->seen |= 1u << i;

    if (nwords != 2) {
        return rcv_line_error(&line, "\"%s\" has %u parameters, it must have "
                              "exactly one", line.name, nwords - 1);
    }

    return rcv_backend_verbs[i].read(&line, backend);
}
