
#include "health.h"
#include "words.h"


/* The word "degraded" without a number. */
#define RCV_HEALTH_DEGRADED_PPM  500000u

/* As far as Redis can count, and readers of JSON. */
#define RCV_EPOCH_MAX            ((uint64_t) INT64_MAX)

/* A ceiling may lie above the reference, as far as a ramp goes. */
#define RCV_CEILING_MAX_PPM      (100ull * RCV_PPM)

/*
 * TIME is read in whole seconds, so the same end comes out up to a second
 * apart from poll to poll.
 */
#define RCV_UNTIL_JITTER_MS      1500


const char *const  rcv_field_names[RCV_FIELDS] = {
    "health", "ceiling", "force", "force_until", "by", "reason", "epoch",
    "override_safety", "promote"
};


typedef struct {
    const char      *word;
    rcv_health_t     health;
    uint32_t         ppm;
} rcv_health_word_t;


static const rcv_health_word_t  rcv_health_words[] = {
    { "up",         RCV_HEALTH_UP,         RCV_PPM },
    { "degraded",   RCV_HEALTH_DEGRADED,   RCV_HEALTH_DEGRADED_PPM },
    { "down",       RCV_HEALTH_DOWN,       0 },
    { "recovering", RCV_HEALTH_RECOVERING, RCV_PPM },
};

#define RCV_HEALTH_WORDS                                                      \
    (sizeof(rcv_health_words) / sizeof(rcv_health_words[0]))


int
rcv_health_read(rcv_str_t word, rcv_health_t *health, uint32_t *ppm)
{
    size_t    i;
    uint64_t  milli;

    for (i = 0; i < RCV_HEALTH_WORDS; i++) {
        if (rcv_str_eq(word, rcv_health_words[i].word)) {
            *health = rcv_health_words[i].health;
            *ppm = rcv_health_words[i].ppm;
            return 0;
        }
    }

    if (rcv_parse_decimal(word, RCV_MILLI, &milli) != 0) {
        return -1;
    }

    *health = (milli == 0) ? RCV_HEALTH_DOWN
              : (milli == RCV_MILLI) ? RCV_HEALTH_UP : RCV_HEALTH_DEGRADED;
    *ppm = (uint32_t) (milli * (RCV_PPM / RCV_MILLI));

    return 0;
}


static int
health_read_health(rcv_signal_t *signal, rcv_str_t word)
{
    uint32_t      ppm;
    rcv_health_t  health;

    if (rcv_health_read(word, &health, &ppm) != 0) {
        return -1;
    }

    signal->health = (uint8_t) health;
    signal->health_ppm = ppm;

    return 0;
}


static int
health_read_ceiling(rcv_signal_t *signal, rcv_str_t word)
{
    uint32_t  ppm;
    uint64_t  rate_milli;

    if (word.data == NULL) {
        signal->ceiling_kind = RCV_CEILING_NONE;
        signal->ceiling = 0;
        return 0;
    }

    if (rcv_parse_percent(word, RCV_CEILING_MAX_PPM, &ppm) == 0) {
        signal->ceiling_kind = RCV_CEILING_LEVEL;
        signal->ceiling = ppm;
        return 0;
    }

    if (rcv_parse_rate(word, &rate_milli) == 0) {
        signal->ceiling_kind = RCV_CEILING_RATE;
        signal->ceiling = rate_milli;
        return 0;
    }

    return -1;
}


int
rcv_force_read(rcv_str_t word, rcv_force_t *force, uint32_t *ppm)
{
    unsigned  i;

    static const rcv_force_t  named[] = {
        RCV_FORCE_OPEN, RCV_FORCE_CLOSED, RCV_FORCE_HOLD
    };

    for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        if (rcv_str_eq(word, rcv_force_names[named[i]])) {
            *force = named[i];
            return 0;
        }
    }

    if (rcv_parse_percent(word, RCV_PPM, ppm) != 0) {
        return -1;
    }

    *force = RCV_FORCE_LEVEL;

    return 0;
}


static int
health_read_force_word(rcv_signal_t *signal, rcv_str_t word)
{
    uint32_t     ppm;
    rcv_force_t  force;

    ppm = signal->force_ppm;

    if (rcv_force_read(word, &force, &ppm) != 0) {
        return -1;
    }

    signal->force = (uint8_t) force;
    signal->force_ppm = ppm;

    return 0;
}


/* Which rule of safety the force may break. */

static int
health_read_safety(rcv_signal_t *signal, rcv_str_t word)
{
    unsigned  i;

    signal->safety = RCV_SAFETY_NONE;

    if (word.data == NULL || word.len == 0) {
        return 0;
    }

    for (i = RCV_SAFETY_NONE + 1; i < RCV_SAFETIES; i++) {
        if (rcv_str_eq(word, rcv_safety_names[i])) {
            signal->safety = (uint8_t) i;
            return 0;
        }
    }

    return -1;
}


static int
health_same_force(const rcv_signal_t *a, const rcv_signal_t *b)
{
    return a->force == b->force
           && (a->force != RCV_FORCE_LEVEL || a->force_ppm == b->force_ppm);
}


/* The same one, read once more; not one that was given anew. */

static int
health_same_order(const rcv_signal_t *a, const rcv_signal_t *b)
{
    return health_same_force(a, b)
           && a->safety == b->safety
           && rcv_since(a->force_until_ms, b->force_until_ms)
              <= RCV_UNTIL_JITTER_MS
           && rcv_since(b->force_until_ms, a->force_until_ms)
              <= RCV_UNTIL_JITTER_MS;
}


/*
 * The end of the force in "fresh", which "old" perhaps holds already.  0, or
 * -1 when it is one that a force of that kind must not have.
 */

static int
health_read_until(rcv_signal_t *fresh, const rcv_signal_t *old,
    const uint64_t *until_s, uint64_t unix_s, uint64_t now_ms)
{
    int       bounded;
    uint64_t  until_ms;

    bounded = (fresh->force == RCV_FORCE_OPEN
               || fresh->force == RCV_FORCE_CLOSED);

    if (until_s == NULL) {
        fresh->force_until_ms = 0;
        return bounded ? -1 : 0;
    }

    if (*until_s <= unix_s) {

        if (bounded && !health_same_force(fresh, old)) {
            return -1;
        }

        /* it has run out: not later than now, and 0 means no end */

        until_ms = rcv_max(now_ms, 1);

        if (health_same_force(fresh, old) && old->force_until_ms != 0) {
            until_ms = rcv_min(until_ms, old->force_until_ms);
        }

        fresh->force_until_ms = until_ms;
        return 0;
    }

    until_ms = rcv_add_sat(now_ms, rcv_mul_sat(*until_s - unix_s, 1000));

    if (health_same_force(fresh, old)
        && old->force_until_ms < until_ms
        && until_ms - old->force_until_ms <= RCV_UNTIL_JITTER_MS)
    {
        until_ms = old->force_until_ms;
    }

    fresh->force_until_ms = until_ms;

    return 0;
}


/* Both fields at once: a force is taken with its end or not at all. */

static unsigned
health_read_force(rcv_signal_t *signal, const rcv_fields_t *fields,
    uint64_t unix_s, uint64_t now_ms)
{
    unsigned      bad, unsafe, has_until;
    uint64_t      until_s;
    rcv_str_t     force, until;
    rcv_signal_t  fresh;

    force = fields->value[RCV_FIELD_FORCE];
    until = fields->value[RCV_FIELD_FORCE_UNTIL];

    bad = 0;
    until_s = 0;
    has_until = (until.data != NULL);

    if (has_until && rcv_parse_integer(until, &until_s) != 0) {
        bad |= 1u << RCV_FIELD_FORCE_UNTIL;
    }

    if (force.data == NULL) {
        signal->force = RCV_FORCE_NONE;
        signal->force_until_ms = 0;
        signal->safety = RCV_SAFETY_NONE;
        signal->fresh = 0;
        signal->refused = 0;
        return bad;
    }

    fresh = *signal;

    /* an unknown name breaks no rule, and must not keep a gate from closing */

    unsafe = (health_read_safety(&fresh, fields->value[RCV_FIELD_SAFETY]) != 0)
             ? 1u << RCV_FIELD_SAFETY : 0;

    if (health_read_force_word(&fresh, force) != 0) {
        bad |= 1u << RCV_FIELD_FORCE;
    }

    if (bad == 0
        && health_read_until(&fresh, signal, has_until ? &until_s : NULL,
                             unix_s, now_ms)
           != 0)
    {
        bad |= 1u << RCV_FIELD_FORCE_UNTIL;
    }

    if (bad != 0) {
        return bad | unsafe;
    }

    if (!health_same_order(&fresh, signal)) {
        fresh.fresh = 1;
    }

    *signal = fresh;

    return unsafe;
}


static int
health_read_promote(rcv_signal_t *signal, rcv_str_t word,
    const rcv_policy_t *policy)
{
    int  i;

    i = -1;

    if (word.data != NULL) {
        i = rcv_policy_class(policy, word);

        if (i < 0) {
            return -1;
        }
    }

    signal->classes = (uint8_t) (i + 1);

    return 0;
}


unsigned
rcv_signal_update(rcv_signal_t *signal, const rcv_fields_t *fields,
    const rcv_policy_t *policy, uint64_t unix_s, uint64_t now_ms)
{
    unsigned   bad;
    uint64_t   epoch;
    rcv_str_t  word;

    bad = 0;
    word = fields->value[RCV_FIELD_EPOCH];

    if (word.data != NULL) {

        if (rcv_parse_integer(word, &epoch) != 0 || epoch > RCV_EPOCH_MAX) {
            bad |= 1u << RCV_FIELD_EPOCH;

        } else if (signal->has_epoch && epoch < signal->epoch) {
            return 1u << RCV_FIELD_EPOCH;

        } else {
            signal->epoch = epoch;
            signal->has_epoch = 1;
        }
    }

    word = fields->value[RCV_FIELD_HEALTH];

    if (word.data != NULL && health_read_health(signal, word) != 0) {
        bad |= 1u << RCV_FIELD_HEALTH;
    }

    if (health_read_ceiling(signal, fields->value[RCV_FIELD_CEILING]) != 0) {
        bad |= 1u << RCV_FIELD_CEILING;
    }

    if (health_read_promote(signal, fields->value[RCV_FIELD_PROMOTE], policy)
        != 0)
    {
        bad |= 1u << RCV_FIELD_PROMOTE;
    }

    return bad | health_read_force(signal, fields, unix_s, now_ms);
}


rcv_force_t
rcv_signal_force(const rcv_signal_t *signal, uint64_t now_ms)
{
    if (signal->force_until_ms != 0 && now_ms >= signal->force_until_ms) {
        return RCV_FORCE_NONE;
    }

    return (rcv_force_t) signal->force;
}


rcv_effective_t
rcv_health_effective(const rcv_signal_t *signal, const rcv_source_t *source,
    const rcv_policy_t *policy)
{
    rcv_effective_t  effective;

    effective.health = (rcv_health_t) signal->health;
    effective.health_ppm = signal->health_ppm;
    effective.lost = 0;
    effective.stale = 0;

    if (!source->configured) {
        return effective;
    }

    if (!source->heard) {
        /* an opinion from before: from another leader, or a state file */
        effective.stale = (signal->health != RCV_HEALTH_NONE);
        return effective;
    }

    effective.stale = (source->age_ms >= RCV_STALE_MS);
    effective.lost = effective.stale && source->age_ms >= policy->lost_hold_ms;

    if (!effective.lost) {
        return effective;
    }

    switch (policy->lost_mode) {

    case RCV_LOST_SHED:
        effective.health = RCV_HEALTH_DOWN;
        effective.health_ppm = 0;
        break;

    case RCV_LOST_PASS:
        effective.health = RCV_HEALTH_UP;
        effective.health_ppm = RCV_PPM;
        effective.stale = 0;
        break;

    case RCV_LOST_KEEP:
        break;
    }

    return effective;
}
