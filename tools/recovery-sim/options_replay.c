
/* The part of the command line that is about logs. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "options.h"
#include "words.h"


#define OPTIONS_COLD_MAX  1000
#define OPTIONS_KEYS_MAX  1000000000


static void
options_invalid(const char *name, const char *value, const char *must)
{
    fprintf(stderr, "recovery-sim: invalid value \"%s\" of \"%s\", it must "
            "be %s\n", value, name, must);
    exit(2);
}


static rcv_str_t
options_str(const char *text)
{
    rcv_str_t  s = { text, strlen(text) };

    return s;
}


static double
options_time_s(const char *name, const char *value)
{
    uint64_t  ms;

    if (rcv_parse_duration(options_str(value), &ms) != 0 || ms == 0) {
        options_invalid(name, value, "a time like 50ms or 10s, above 0");
    }

    return (double) ms / 1000;
}


static double
options_decimal(const char *name, const char *value, uint64_t most)
{
    char      must[64];
    uint64_t  milli;

    if (rcv_parse_decimal(options_str(value), most * RCV_MILLI, &milli) != 0
        || milli < RCV_MILLI)
    {
        snprintf(must, sizeof(must), "a number from 1 to %llu",
                 (unsigned long long) most);
        options_invalid(name, value, must);
    }

    return (double) milli / RCV_MILLI;
}


static double
options_rate(const char *name, const char *value)
{
    uint64_t  milli;

    if (rcv_parse_rate(options_str(value), &milli) != 0) {
        options_invalid(name, value, "a rate like 500r/s or 30r/m");
    }

    return (double) milli / RCV_MILLI;
}


static void
options_outage(sim_replay_conf_t *replay, const char *value)
{
    rcv_str_t    from, to;
    const char  *dots;

    dots = strstr(value, "..");
    replay->outage = 1;

    if (dots != NULL) {
        from.data = value;
        from.len = (size_t) (dots - value);
        to = options_str(dots + 2);

        if (sim_moment_read(from, &replay->from) == 0
            && sim_moment_read(to, &replay->to) == 0)
        {
            return;
        }
    }

    options_invalid("--outage", value,
                    "START..END, as in 10:05..10:12, 10:05..+7m, +10m..+7m "
                    "or 2026-11-23T10:05:00..2026-11-23T10:12:00");
}


void
sim_options_log(sim_replay_conf_t *replay, const char *path)
{
    if (replay->npaths == SIM_FEED_FILES_MAX) {
        fprintf(stderr, "recovery-sim: more than %d logs\n",
                SIM_FEED_FILES_MAX);
        exit(2);
    }

    replay->paths = sim_grow(replay->paths,
                             (replay->npaths + 1) * sizeof(char *));
    replay->paths[replay->npaths++] = path;
}


int
sim_options_replay(sim_replay_conf_t *replay, int which, const char *value)
{
    switch (which) {

    case SIM_OPTION_REPLAY:
        sim_options_log(replay, value);
        return 1;

    case SIM_OPTION_OUTAGE:
        options_outage(replay, value);
        break;

    case SIM_OPTION_UNTOLD:
        replay->untold = 1;
        break;

    case SIM_OPTION_COLD:
        replay->cold_x = options_decimal("--cold", value, OPTIONS_COLD_MAX);
        break;

    case SIM_OPTION_KEYS:
        replay->keys = options_decimal("--keys", value, OPTIONS_KEYS_MAX);
        break;

    case SIM_OPTION_CAPACITY:
        replay->capacity = options_rate("--capacity", value);
        break;

    case SIM_OPTION_SERVICE:
        replay->service_s = options_time_s("--service", value);
        break;

    case SIM_OPTION_PATIENCE:
        replay->patience_s = options_time_s("--patience", value);
        break;

    case SIM_OPTION_RETRIES:
        replay->retries = 1;
        break;

    default:
        return 0;
    }

    replay->asked = 1;

    return 1;
}


static void
options_refuse(const char *what)
{
    fprintf(stderr, "recovery-sim: %s; see --help\n", what);
    exit(2);
}


void
sim_options_replay_end(const sim_options_t *options)
{
    const sim_replay_conf_t  *replay;

    replay = &options->replay;

    if (replay->npaths == 0) {

        if (replay->asked) {
            options_refuse("--outage, --untold, --cold, --keys, --capacity, "
                           "--service, --patience and --retries are of "
                           "--replay");
        }

        return;
    }

    if (options->law != &sim_law_product && options->law != &sim_law_none) {
        options_refuse("--law of a replay is product or none");
    }

    if (options->staged || options->nseeds != 1 || options->floors != NULL
        || options->record != NULL)
    {
        options_refuse("--scenario, --seeds, --floors and --record are not of "
                       "--replay");
    }

    if (!replay->outage && (replay->untold || replay->cold_x != SIM_COLD_X
                            || replay->keys > 0 || replay->capacity > 0))
    {
        options_refuse("--untold, --cold, --keys and --capacity are of "
                       "--outage");
    }
}
