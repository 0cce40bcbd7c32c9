
#include "cohort.h"


/* The cut's finest part: a slot has so many. */
#define RCV_CUT_PART          256
#define RCV_CUT_ALL           (RCV_COHORTS * RCV_CUT_PART)

/* Two rounds: one for what is plain to see, one over a wave of the limit. */
#define RCV_COHORT_SAMPLES    100
#define RCV_COHORT_FINE_MS    2000
#define RCV_COHORT_LONGEST_MS 4000
#define RCV_COHORT_ABSENT_MS  500       /* a class of which nobody comes */

/* After it has fallen the cut waits before it rises, in 100 ms. */
#define RCV_COHORT_HOLD       20

/* Turned away of those let in: chance, too many, far too many. */
#define RCV_COHORT_LOST_LEAST 3
#define RCV_COHORT_LOW_PPM    5000
#define RCV_COHORT_HIGH_PPM   10000
#define RCV_COHORT_ENGAGE_PPM 50000
#define RCV_COHORT_GROSS_PPM  100000

/* What goes to the others, of all that passes: some, a lot. */
#define RCV_COHORT_SPILL_PPM  50000
#define RCV_COHORT_FLOOD_PPM  250000

/* Less than this of a class shed is as good as none: so many slots more. */
#define RCV_COHORT_FEW_PPM    50000
#define RCV_COHORT_LEAP       (16 * RCV_CUT_PART)

#define RCV_SIP_FINAL         0xff


uint64_t
rcv_cut_pack(const rcv_cut_t *cut)
{
    return (uint64_t) cut->salt << RCV_CUT_SALT_SHIFT
           | (uint64_t) cut->class_index << RCV_CUT_CLASS_SHIFT
           | cut->slots;
}


rcv_cut_t
rcv_cut_unpack(uint64_t word)
{
    rcv_cut_t  cut;

    cut.salt = rcv_cut_salt(word);
    cut.class_index = rcv_cut_class(word);
    cut.slots = rcv_cut_slots(word);

    return cut;
}


static uint64_t
sip_rotate(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}


static void
sip_rounds(uint64_t v[4], unsigned n)
{
    for (/* void */ ; n != 0; n--) {
        v[0] += v[1];
        v[1] = sip_rotate(v[1], 13) ^ v[0];
        v[0] = sip_rotate(v[0], 32);

        v[2] += v[3];
        v[3] = sip_rotate(v[3], 16) ^ v[2];

        v[0] += v[3];
        v[3] = sip_rotate(v[3], 21) ^ v[0];

        v[2] += v[1];
        v[1] = sip_rotate(v[1], 17) ^ v[2];
        v[2] = sip_rotate(v[2], 32);
    }
}


/* Up to eight bytes, the first one lowest, whatever the machine's order. */

static uint64_t
sip_word(const uint8_t *p, size_t len)
{
    uint64_t  word;

    word = 0;

    while (len != 0) {
        word = word << 8 | p[--len];
    }

    return word;
}


uint64_t
rcv_siphash(uint64_t key0, uint64_t key1, const void *data, size_t len)
{
    size_t          left;
    uint64_t        word, v[4];
    const uint8_t  *p;

    /* "somepseudorandomlygeneratedbytes" */

    v[0] = key0 ^ 0x736f6d6570736575ull;
    v[1] = key1 ^ 0x646f72616e646f6dull;
    v[2] = key0 ^ 0x6c7967656e657261ull;
    v[3] = key1 ^ 0x7465646279746573ull;

    p = data;

    for (left = len; left >= 8; left -= 8, p += 8) {
        word = sip_word(p, 8);
        v[3] ^= word;
        sip_rounds(v, 2);
        v[0] ^= word;
    }

    word = (uint64_t) (len & 0xff) << 56 | sip_word(p, left);
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;

    v[2] ^= RCV_SIP_FINAL;
    sip_rounds(v, 4);

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}


unsigned
rcv_cohort_slot(uint32_t salt, rcv_str_t user)
{
    if (user.len == 0) {
        return RCV_COHORT_NONE;
    }

    return (unsigned) (rcv_siphash(salt, 0, user.data, user.len)
                       % RCV_COHORTS);
}


static void
cohort_add(rcv_cohort_round_t *round, const rcv_window_t *window)
{
    unsigned  i;

    round->dt_ms = rcv_add_sat(round->dt_ms, window->dt_ms);
    round->spilled = rcv_add_sat(round->spilled, window->spilled);

    for (i = 0; i < RCV_CLASSES_MAX; i++) {
        round->offered[i] = rcv_add_sat(round->offered[i],
                                        window->offered[i]);
        round->refused[i] = rcv_add_sat(round->refused[i],
                                        window->shed_limit[i]);
        round->cut[i] = rcv_add_sat(round->cut[i], window->shed_cohort[i]);
    }
}


/* Of the class has come enough to judge by, or will not in time. */

static int
cohort_enough(const rcv_cohort_round_t *round, unsigned class_index)
{
    return round->offered[class_index] >= RCV_COHORT_SAMPLES
           || (round->offered[class_index] == 0
               && round->dt_ms >= RCV_COHORT_ABSENT_MS)
           || round->dt_ms >= RCV_COHORT_LONGEST_MS;
}


static uint64_t
cohort_ppm(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : rcv_mul_div(part, RCV_PPM, whole);
}


/* Of those let in, the part that bucket or places turned away. */

static uint64_t
cohort_lost_ppm(const rcv_cohort_t *cohort, const rcv_cohort_round_t *round,
    unsigned class_index)
{
    uint64_t  others;

    others = round->cut[class_index];

    if (class_index + 1u == cohort->marginal) {
        others += round->spilled;
    }

    if (round->refused[class_index] < RCV_COHORT_LOST_LEAST) {
        return 0;
    }

    return rcv_min(cohort_ppm(round->refused[class_index],
                              rcv_since(round->offered[class_index],
                                        others)),
                   RCV_PPM);
}


static void
cohort_move(rcv_cohort_t *cohort, unsigned class_index, uint64_t cut)
{
    cohort->marginal = (uint8_t) (class_index + 1);
    cohort->cut = (uint16_t) rcv_min(cut, RCV_CUT_ALL);
}


/*
 * A class that is let in whole does not fit: it is the marginal one, and as
 * many of it stay in as found room.
 */

static int
cohort_engage(rcv_cohort_t *cohort, const rcv_cohort_round_t *round,
    unsigned nclasses)
{
    uint64_t  lost_ppm;
    unsigned  i;

    for (i = 0; i < nclasses && i + 1u != cohort->marginal; i++) {

        if (!cohort_enough(round, i)) {
            continue;
        }

        lost_ppm = cohort_lost_ppm(cohort, round, i);

        if (lost_ppm >= RCV_COHORT_ENGAGE_PPM) {
            cohort_move(cohort, i, rcv_mul_div(RCV_CUT_ALL,
                                               RCV_PPM - lost_ppm, RCV_PPM));
            cohort->hold = RCV_COHORT_HOLD;
            return 1;
        }
    }

    return 0;
}


/*
 * Those let in last go first.  By half at most: when the limit itself has
 * been cut nobody passes for a moment, which says nothing of how many fit.
 */

static int
cohort_fall(rcv_cohort_t *cohort, uint64_t lost_ppm, unsigned fine)
{
    uint64_t  cut, step;

    cut = cohort->cut;

    if (lost_ppm >= RCV_COHORT_GROSS_PPM) {
        step = rcv_min(rcv_mul_div(cut, lost_ppm, RCV_PPM), cut / 2);

    } else if (fine && lost_ppm >= RCV_COHORT_HIGH_PPM) {
        step = rcv_mul_div(cut, lost_ppm, RCV_PPM) / 2;

    } else {
        return 0;
    }

    cut = rcv_since(cut, rcv_max(step, RCV_CUT_PART));

    cohort->cut = (uint16_t) cut;
    cohort->hold = RCV_COHORT_HOLD;

    return 1;
}


/* Nobody of the class is shed any more: on to the next one. */

static void
cohort_next(rcv_cohort_t *cohort, unsigned nclasses)
{
    if (cohort->marginal < nclasses) {
        cohort_move(cohort, cohort->marginal, 0);

    } else {
        cohort->marginal = 0;
    }
}


/*
 * What goes to the others is room: as many slots more as would use it, if
 * users are as many in each.
 */

static int
cohort_rise(rcv_cohort_t *cohort, const rcv_cohort_round_t *round,
    unsigned nclasses, unsigned fine)
{
    uint64_t  offered, shed, spill_ppm, step;
    unsigned  class_index;

    class_index = cohort->marginal - 1u;
    offered = round->offered[class_index];
    shed = round->cut[class_index];

    if (cohort_ppm(shed, offered) < RCV_COHORT_FEW_PPM) {

        if (offered == 0 || (shed == 0 && cohort->cut == RCV_CUT_ALL)) {
            cohort_next(cohort, nclasses);
            return 1;
        }

        step = rcv_max(RCV_COHORT_LEAP, cohort->cut);

    } else {
        spill_ppm = cohort_ppm(round->spilled, rcv_since(offered, shed));

        if (spill_ppm < (fine ? RCV_COHORT_SPILL_PPM : RCV_COHORT_FLOOD_PPM))
        {
            return 0;
        }

        step = rcv_mul_div(RCV_CUT_ALL, round->spilled, offered);
        step = fine ? step / 4 : step / 2;
    }

    step = rcv_max(step, RCV_CUT_PART);
    cohort->cut = (uint16_t) rcv_min(cohort->cut + step, RCV_CUT_ALL);

    return 1;
}


/* Returns 1 when the round has been used up. */

static int
cohort_judge(rcv_cohort_t *cohort, const rcv_cohort_round_t *round,
    unsigned nclasses)
{
    uint64_t  lost_ppm;
    unsigned  fine;

    fine = (round->dt_ms >= RCV_COHORT_FINE_MS);

    if (cohort_engage(cohort, round, nclasses)) {
        return 1;
    }

    if (cohort->marginal == 0
        || !cohort_enough(round, cohort->marginal - 1u))
    {
        return (round->dt_ms >= RCV_COHORT_LONGEST_MS);
    }

    lost_ppm = cohort_lost_ppm(cohort, round, cohort->marginal - 1u);

    if (cohort_fall(cohort, lost_ppm, fine)) {
        return 1;
    }

    if (lost_ppm < RCV_COHORT_LOW_PPM && cohort->hold == 0
        && cohort_rise(cohort, round, nclasses, fine))
    {
        return 1;
    }

    return (int) fine;
}


void
rcv_cohort_tick(rcv_cohort_t *cohort, rcv_cohort_round_t *round,
    const rcv_policy_t *policy, const rcv_window_t *window, unsigned limited)
{
    if (cohort->salt == 0) {
        cohort->salt = window->random;
    }

    if (policy->cohort < 0 || !limited || cohort->salt == 0
        || cohort->marginal > policy->nclasses)
    {
        cohort->marginal = 0;
        cohort->cut = 0;
        cohort->hold = 0;
        *round = (rcv_cohort_round_t) { 0 };
        return;
    }

    cohort->hold = (uint8_t) rcv_since(cohort->hold, window->dt_ms / 100);
    cohort_add(round, window);

    if (cohort_judge(cohort, round, policy->nclasses)) {
        *round = (rcv_cohort_round_t) { 0 };
    }
}


uint64_t
rcv_cohort_word(const rcv_cohort_t *cohort)
{
    rcv_cut_t  cut;

    if (cohort->marginal == 0) {
        return 0;
    }

    cut.salt = cohort->salt;
    cut.class_index = cohort->marginal - 1u;
    cut.slots = cohort->cut / RCV_CUT_PART;

    return rcv_cut_pack(&cut);
}
