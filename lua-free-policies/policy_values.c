
/* The lines of a policy that set numbers: ramp, feedback, shed, when. */

#include "policy_verbs.h"
#include "words.h"


#define RCV_DOUBLE_MIN_MS       10u
#define RCV_OVER_MIN_MS         100u
#define RCV_STEP_MIN_MS         10u
#define RCV_VERIFY_MAX_MS       (3600 * 1000u)
#define RCV_HOLD_MAX_MS         (24 * 3600 * 1000u)
#define RCV_RETRY_AFTER_MAX_MS  (3600 * 1000u)
#define RCV_PROBE_MAX_PPM       (RCV_PPM / 10)
#define RCV_LATENCY_MAX_MILLI   (100 * RCV_MILLI)

#define rcv_count(table)        (sizeof(table) / sizeof((table)[0]))


int
rcv_parse_portion(rcv_str_t word, uint32_t max_ppm, uint32_t *ppm)
{
    uint32_t  value;

    if (rcv_parse_percent(word, max_ppm, &value) != 0 || value == 0) {
        return -1;
    }

    *ppm = value;

    return 0;
}


static int
rcv_parse_duration_in(rcv_str_t word, uint64_t min_ms, uint64_t max_ms,
    uint64_t *ms)
{
    uint64_t  value;

    if (rcv_parse_duration(word, &value) != 0
        || value < min_ms || value > max_ms)
    {
        return -1;
    }

    *ms = value;

    return 0;
}


static int
rcv_ramp_from(rcv_line_t *line, rcv_str_t value)
{
    return rcv_parse_portion(value, RCV_PPM, &line->policy->ramp.from_ppm);
}


static int
rcv_ramp_double(rcv_line_t *line, rcv_str_t value)
{
    line->policy->ramp.kind = RCV_RAMP_DOUBLE;

    return rcv_parse_duration_in(value, RCV_DOUBLE_MIN_MS, UINT64_MAX,
                                 &line->policy->ramp.double_ms);
}


static int
rcv_ramp_over(rcv_line_t *line, rcv_str_t value)
{
    line->policy->ramp.kind = RCV_RAMP_OVER;

    return rcv_parse_duration_in(value, RCV_OVER_MIN_MS, UINT64_MAX,
                                 &line->policy->ramp.over_ms);
}


static int
rcv_ramp_verify(rcv_line_t *line, rcv_str_t value)
{
    return rcv_parse_duration_in(value, 0, RCV_VERIFY_MAX_MS,
                                 &line->policy->ramp.verify_ms);
}


static int
rcv_ramp_steps(rcv_line_t *line, rcv_str_t value)
{
    int          more, timed;
    uint32_t     below_ppm;
    rcv_str_t    item, level, time;
    rcv_ramp_t  *ramp;
    rcv_step_t  *step;

    ramp = &line->policy->ramp;
    ramp->kind = RCV_RAMP_STEPS;
    ramp->nsteps = 0;
    below_ppm = 0;

    do {
        if (ramp->nsteps == RCV_STEPS_MAX) {
            return -1;
        }

        more = rcv_split(value, ",", &item, &value);
        timed = rcv_split(item, ":", &level, &time);

        step = &ramp->steps[ramp->nsteps++];
        step->for_ms = 0;

        if (timed != more
            || rcv_parse_portion(level, RCV_PPM, &step->level_ppm) != 0
            || step->level_ppm <= below_ppm)
        {
            return -1;
        }

        if (timed
            && rcv_parse_duration_in(time, RCV_STEP_MIN_MS, UINT64_MAX,
                                     &step->for_ms)
               != 0)
        {
            return -1;
        }

        below_ppm = step->level_ppm;

    } while (more);

    ramp->from_ppm = ramp->steps[0].level_ppm;

    return (below_ppm == RCV_PPM) ? 0 : -1;
}


int
rcv_line_ramp(rcv_line_t *line)
{
    unsigned  i, n, given;

    static const rcv_param_t  params[] = {
        { "from", 0, rcv_ramp_from,
          "a percentage above 0% and up to 100%" },
        { "double", 0, rcv_ramp_double,
          "a time from 10ms to 30d" },
        { "over", 0, rcv_ramp_over,
          "a time from 100ms to 30d" },
        { "steps", 0, rcv_ramp_steps,
          "up to 16 rising steps \"PERCENT:TIME,PERCENT:TIME,...,100%\" "
          "with times from 10ms to 30d, the last step without a time" },
        { "verify", 0, rcv_ramp_verify,
          "a time up to 1h" }
    };

    static const unsigned char  excluded[][2] = {
        { 1, 2 }, { 1, 3 }, { 2, 3 }, { 0, 3 }
    };

    if (rcv_line_params(line, 1, params, rcv_count(params), &given) != 0) {
        return -1;
    }

    for (i = 0; i < rcv_count(excluded); i++) {
        n = (1u << excluded[i][0]) | (1u << excluded[i][1]);

        if ((given & n) == n) {
            return rcv_line_error(line, "\"%s\" and \"%s\" in \"ramp\" "
                                  "exclude each other",
                                  params[excluded[i][0]].name,
                                  params[excluded[i][1]].name);
        }
    }

    return 0;
}


static int
rcv_feedback_errors(rcv_line_t *line, rcv_str_t value)
{
    return rcv_parse_portion(value, RCV_PPM,
                             &line->policy->feedback_errors_ppm);
}


static int
rcv_feedback_latency(rcv_line_t *line, rcv_str_t value)
{
    uint64_t  milli;

    if (value.len == 0 || value.data[value.len - 1] != 'x') {
        return -1;
    }

    value.len--;

    if (rcv_parse_decimal(value, RCV_LATENCY_MAX_MILLI, &milli) != 0
        || milli <= RCV_MILLI)
    {
        return -1;
    }

    line->policy->feedback_latency_milli = (uint32_t) milli;

    return 0;
}


int
rcv_line_feedback(rcv_line_t *line)
{
    unsigned  given;

    static const rcv_param_t  params[] = {
        { "off", 1, NULL, NULL },
        { "errors", 0, rcv_feedback_errors,
          "a percentage above 0% and up to 100%" },
        { "latency", 0, rcv_feedback_latency,
          "a factor such as \"2x\", above 1x and up to 100x" }
    };

    if (rcv_line_params(line, 1, params, rcv_count(params), &given) != 0) {
        return -1;
    }

    if (!(given & 1)) {
        return 0;
    }

    if (given != 1) {
        return rcv_line_error(line, "\"off\" in \"feedback\" excludes all "
                              "other parameters");
    }

    line->policy->feedback = 0;

    return 0;
}


static int
rcv_shed_status(rcv_line_t *line, rcv_str_t value)
{
    uint64_t  status;

    if (rcv_parse_integer(value, &status) != 0
        || status < 400 || status > 599)
    {
        return -1;
    }

    line->policy->shed_status = (unsigned) status;

    return 0;
}


static int
rcv_shed_retry_after(rcv_line_t *line, rcv_str_t value)
{
    uint64_t   min_ms, max_ms;
    rcv_str_t  min, max;

    if (!rcv_split(value, "..", &min, &max)
        || rcv_parse_duration_in(max, 1000, RCV_RETRY_AFTER_MAX_MS, &max_ms)
           != 0
        || rcv_parse_duration_in(min, 1000, max_ms, &min_ms) != 0
        || min_ms % 1000 != 0
        || max_ms % 1000 != 0)
    {
        return -1;
    }

    line->policy->retry_after_min_s = (uint32_t) (min_ms / 1000);
    line->policy->retry_after_max_s = (uint32_t) (max_ms / 1000);

    return 0;
}


int
rcv_line_shed(rcv_line_t *line)
{
    unsigned  given;

    static const rcv_param_t  params[] = {
        { "status", 0, rcv_shed_status,
          "a status from 400 to 599, such as 503 or 429" },
        { "retry_after", 0, rcv_shed_retry_after,
          "two times of whole seconds \"MIN..MAX\" such as \"1s..60s\", "
          "1s <= MIN <= MAX <= 1h" }
    };

    return rcv_line_params(line, 1, params, rcv_count(params), &given);
}


static int
rcv_down_probe(rcv_line_t *line, rcv_str_t value)
{
    return rcv_parse_portion(value, RCV_PROBE_MAX_PPM,
                             &line->policy->probe_ppm);
}


static int
rcv_lost_hold(rcv_line_t *line, rcv_str_t value)
{
    return rcv_parse_duration_in(value, 0, RCV_HOLD_MAX_MS,
                                 &line->policy->lost_hold_ms);
}


static int
rcv_lost_then(rcv_line_t *line, rcv_str_t value)
{
    unsigned  i;

    static const char *const  modes[] = {
        [RCV_LOST_KEEP] = "keep",
        [RCV_LOST_SHED] = "shed",
        [RCV_LOST_PASS] = "pass"
    };

    for (i = 0; i < rcv_count(modes); i++) {
        if (rcv_str_eq(value, modes[i])) {
            line->policy->lost_mode = (rcv_lost_mode_t) i;
            return 0;
        }
    }

    return -1;
}


static int
rcv_when_down(rcv_line_t *line)
{
    unsigned  given;

    static const rcv_param_t  params[] = {
        { "shed", 1, NULL, NULL },
        { "pass", 1, NULL, NULL },
        { "probe", 0, rcv_down_probe,
          "a percentage above 0% and up to 10%" }
    };

    if (line->nwords != 3) {
        return rcv_line_error(line, "invalid number of words in "
                              "\"when down\", it must be \"when down shed\", "
                              "\"when down pass\" or "
                              "\"when down probe=PERCENT\"");
    }

    if (rcv_line_params(line, 2, params, rcv_count(params), &given) != 0) {
        return -1;
    }

    line->policy->down_mode = (given & 1) ? RCV_DOWN_SHED
                              : (given & 2) ? RCV_DOWN_PASS : RCV_DOWN_PROBE;

    return 0;
}


static int
rcv_when_signal_lost(rcv_line_t *line)
{
    unsigned  given;

    static const rcv_param_t  params[] = {
        { "hold", 0, rcv_lost_hold,
          "a time up to 1d" },
        { "then", 0, rcv_lost_then,
          "\"keep\", \"shed\" or \"pass\"" }
    };

    if (line->nwords == 2) {
        return rcv_line_error(line, "invalid number of words in "
                              "\"when signal_lost\", it must be "
                              "\"when signal_lost [hold=TIME] "
                              "[then=keep | shed | pass]\"");
    }

    return rcv_line_params(line, 2, params, rcv_count(params), &given);
}


int
rcv_line_when(rcv_line_t *line)
{
    unsigned  i;

    static const struct {
        const char  *word;
        const char  *name;
        int        (*read)(rcv_line_t *line);
        unsigned     seen;
    } conditions[] = {
        { "down", "when down", rcv_when_down, RCV_SEEN_DOWN },
        { "signal_lost", "when signal_lost", rcv_when_signal_lost,
          RCV_SEEN_SIGNAL_LOST }
    };

    for (i = 0; i < rcv_count(conditions); i++) {

        if (!rcv_str_eq(line->words[1], conditions[i].word)) {
            continue;
        }

        line->name = conditions[i].name;

        if (line->policy->seen & conditions[i].seen) {
            return rcv_line_error(line, "\"%s\" is duplicate", line->name);
        }

        line->policy->seen |= conditions[i].seen;

        return conditions[i].read(line);
    }

    return rcv_line_error(line, "unknown condition \"%s\" in \"when\", "
                          "it must be \"down\" or \"signal_lost\"",
                          rcv_line_show(line, line->words[1]));
}
