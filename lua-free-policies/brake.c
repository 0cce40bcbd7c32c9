
#include "law.h"


/* A cut helped when failures fell to so much of what they were. */
#define RCV_HELPED_PPM      700000

/*
 * It did harm when what is delivered fell to so much of what it was; but not
 * when it fell to so much of what the limit fell to: then it is still worse.
 */
#define RCV_HARMED_PPM      800000
#define RCV_WORSE_PPM       600000

/* More than half are no background. */
#define RCV_BACKGROUND_MAX_PPM  500000

/* A cut is judged by so many results, or after so long, unless it is plain. */
#define RCV_TRIAL_RESULTS   60
#define RCV_TRIAL_MS        3000

/* One overload in so many results, and even the start is too much. */
#define RCV_START_PART          3

/* Of the background, what each good round takes back. */
#define RCV_BACKGROUND_SHIFT  4
#define RCV_BACKGROUND_UP_SHIFT  5
#define RCV_BACKGROUND_LOAD_SHIFT  8
#define RCV_BACKGROUND_BUG_SHIFT  2

/* In full service more than so many times the healthy number is a queue. */
#define RCV_CONGESTED       2


/*
 * By three standard deviations and one: four of twenty, forty of a thousand
 * where 2 % are normal.
 */

int
rcv_brake_damage(const rcv_control_t *control, const rcv_policy_t *policy,
    uint64_t ok, uint64_t bad)
{
    uint64_t  share_ppm, normal, n;

    n = rcv_min(rcv_add_sat(ok, bad), UINT32_MAX);
    share_ppm = (uint64_t) control->background_ppm
                + policy->feedback_errors_ppm;
    normal = n * share_ppm;

    /* in thousandths of a result */

    return rcv_mul_sat(bad, 1000)
           > normal / 1000 + 3 * rcv_sqrt(normal) + 1000;
}


/* More in flight than health explains. */

static int
brake_congested(const rcv_round_t *round, const rcv_control_facts_t *facts)
{
    return round->in_flight_max
           > (uint64_t) facts->healthy_in_flight * RCV_CONGESTED;
}


/*
 * Plain errors come from load only where there is a queue as well; else they
 * are somebody's bug.
 */

static int
brake_queued(const rcv_control_t *control, const rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts)
{
    if (facts->full && !brake_congested(round, facts)) {
        return 0;
    }

    return rcv_round_latency_us(round) * 1000
           > (uint64_t) control->base_us
             * (1000 + policy->feedback_latency_milli) / 2;
}


static uint64_t
brake_cut_milli(const rcv_control_t *control, const rcv_round_t *round,
    const rcv_control_facts_t *facts)
{
    uint64_t  used_milli;

    used_milli = round->in_flight_max * RCV_MILLI;

    if (control->mode != RCV_MODE_WIDE) {
        return rcv_min(control->limit_milli, 2 * used_milli) / 2;
    }

    return brake_congested(round, facts) ? used_milli / 2 : used_milli;
}


static void
brake_cut(rcv_control_t *control, const rcv_round_t *round,
    const rcv_control_facts_t *facts)
{
    uint64_t  cut_milli;

    cut_milli = brake_cut_milli(control, round, facts);

    if (control->cut_from_milli == 0) {
        control->cut_from_milli =
            (control->mode == RCV_MODE_WIDE)
            ? (uint32_t) rcv_min((uint64_t) facts->guard * RCV_MILLI,
                                 RCV_LIMIT_MAX_MILLI)
            : control->limit_milli;
        control->cut_ok_milli =
            (uint32_t) rcv_min(rcv_round_ok_milli(round), UINT32_MAX);
        control->cut_bad_ppm = rcv_round_bad_ppm(round);
    }

    control->mode = RCV_MODE_STEER;
    control->dip_from_milli = 0;
    control->dip_low = 0;
    rcv_limit_set(control, cut_milli);
    rcv_limit_wait(control, 2 * rcv_round_latency_us(round));
}


static void
brake_background(rcv_control_t *control, const rcv_round_t *round,
    unsigned up_shift)
{
    uint32_t  bad_ppm;

    bad_ppm = rcv_round_bad_ppm(round);

    if (bad_ppm < control->background_ppm) {
        control->background_ppm -= (control->background_ppm - bad_ppm)
                                   >> RCV_BACKGROUND_SHIFT;

    } else {
        control->background_ppm += (bad_ppm - control->background_ppm)
                                   >> up_shift;
    }
}


static void
brake_undo(rcv_control_t *control, const rcv_round_t *round)
{
    rcv_limit_set(control, control->cut_from_milli);
    control->background_ppm =
        (uint32_t) rcv_min(rcv_max(control->cut_bad_ppm,
                                   rcv_round_bad_ppm(round)),
                           RCV_BACKGROUND_MAX_PPM);
    control->cut_from_milli = 0;
    rcv_limit_wait(control, rcv_round_latency_us(round));
}


static int
brake_harmed(const rcv_control_t *control, const rcv_round_t *round)
{
    uint64_t  ok_milli, share_milli;

    ok_milli = rcv_round_ok_milli(round);
    share_milli = rcv_mul_div(control->cut_ok_milli, control->limit_milli,
                              control->cut_from_milli);

    return ok_milli < rcv_mul_div(control->cut_ok_milli, RCV_HARMED_PPM,
                                  RCV_PPM)
           && ok_milli > rcv_mul_div(share_milli, RCV_WORSE_PPM, RCV_PPM);
}


/*
 * The cut of the last round: did failures fall with it?  If not, and less
 * is delivered, it hit the innocent.  If not, and as much is delivered, it
 * was not deep enough to tell.
 */

static rcv_brake_t
brake_trial(rcv_control_t *control, const rcv_round_t *round,
    const rcv_control_facts_t *facts)
{
    uint64_t  n, was, less, bad_ppm;

    n = rcv_add_sat(round->ok, round->bad);
    bad_ppm = rcv_round_bad_ppm(round);

    if (n < RCV_TRIAL_RESULTS && round->dt_ms < RCV_TRIAL_MS) {

        /* would chance make so few of what failed before? */

        was = n * control->cut_bad_ppm;
        less = rcv_since(was, 2 * rcv_sqrt(n * control->cut_bad_ppm) * 1000);

        if (round->bad * RCV_PPM > less && round->bad * RCV_PPM < was) {
            return RCV_BRAKE_WAIT;
        }
    }

    if (bad_ppm <= rcv_mul_div(control->cut_bad_ppm, RCV_HELPED_PPM, RCV_PPM))
    {
        control->failed_milli = control->cut_from_milli;
        control->cut_from_milli = 0;
        control->mode = RCV_MODE_SLOW_START;

        /* at half the load what still fails does so without it */
        control->background_ppm =
            (uint32_t) rcv_max(control->background_ppm,
                               rcv_min(bad_ppm, RCV_BACKGROUND_MAX_PPM));
        return RCV_BRAKE_NONE;
    }

    if (brake_harmed(control, round)
        || control->limit_milli <= RCV_LIMIT_MIN_MILLI)
    {
        brake_undo(control, round);
        return RCV_BRAKE_UNDONE;
    }

    brake_cut(control, round, facts);

    return RCV_BRAKE_CUT;
}


rcv_brake_t
rcv_brake(rcv_control_t *control, const rcv_round_t *round,
    const rcv_policy_t *policy, const rcv_control_facts_t *facts)
{
    if (control->base_us == 0 && control->mode == RCV_MODE_SLOW_START
        && round->overload * RCV_START_PART
           <= rcv_add_sat(round->ok, round->bad))
    {
        /* as few as there ever are: load is not what makes these fail */
        control->background_ppm = rcv_round_bad_ppm(round);
        return RCV_BRAKE_NONE;
    }

    if (control->cut_from_milli != 0) {
        return brake_trial(control, round, facts);
    }

    if (!rcv_brake_damage(control, policy, round->ok, round->bad)) {
        brake_background(control, round, round->overload == 0
                                         ? RCV_BACKGROUND_UP_SHIFT
                                         : RCV_BACKGROUND_LOAD_SHIFT);
        return RCV_BRAKE_NONE;
    }

    if (round->overload == 0 && !brake_queued(control, round, policy, facts))
    {
        brake_background(control, round, RCV_BACKGROUND_BUG_SHIFT);
        return RCV_BRAKE_NONE;
    }

    brake_cut(control, round, facts);

    return RCV_BRAKE_CUT;
}
