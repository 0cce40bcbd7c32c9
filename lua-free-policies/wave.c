
#include "law.h"


/* Half a period of the wave: this, doubled while shorter than 3 bases. */
#define RCV_WAVE_MIN_MS     500
#define RCV_WAVE_MAX_MS     4000

/* Up and down: a tenth; of a small limit so much as shows, by its root. */
#define RCV_WAVE_PPM        100000
#define RCV_WAVE_MAX_PPM    250000
#define RCV_WAVE_ROOT_PPM   800000

/* How often a tick of a half must fit into it. */
#define RCV_WAVE_TICKS      4

/* The slope is a mean over so many halves. */
#define RCV_WAVE_HALVES     6

/* Chance makes 1/sqrt(n) of n results; up to so much of that is chance. */
#define RCV_WAVE_CHANCE_MILLI  1500

/* Steep: a limit higher by a tenth delivers so much of a tenth more. */
#define RCV_STEEP_PPM       600000

/*
 * Each half moves the limit by so much of how steep it was, less the second:
 * where it is flat the limit falls a little.  A half of few results counts
 * less; several steep ones in a row count more.
 */
#define RCV_MOVE_PPM        80000
#define RCV_MOVE_FLAT_PPM   20000
#define RCV_MOVE_STEEP_PPM  250000
#define RCV_MOVE_RESULTS    50

/* More are no count, and would not fit where slopes are reckoned. */
#define RCV_WAVE_RESULTS_MAX  1000000000ull
#define RCV_WAVE_RATE_MAX     (RCV_WAVE_RESULTS_MAX * RCV_MILLI)


static uint64_t
wave_half_ms(const rcv_control_t *control, uint64_t dt_ms)
{
    uint64_t  half_ms, least_ms;

    least_ms = rcv_max((uint64_t) control->base_us * 3 / 1000,
                       dt_ms * RCV_WAVE_TICKS);
    half_ms = RCV_WAVE_MIN_MS;

    while (half_ms < least_ms && half_ms < RCV_WAVE_MAX_MS) {
        half_ms *= 2;
    }

    return half_ms;
}


static int64_t
wave_swing_ppm(const rcv_control_t *control)
{
    uint64_t  root_milli;

    root_milli = rcv_sqrt((uint64_t) control->limit_milli * RCV_MILLI);

    return (int64_t) rcv_min(rcv_max(RCV_WAVE_PPM,
                                     RCV_WAVE_ROOT_PPM * (uint64_t) RCV_MILLI
                                     / rcv_max(root_milli, 1)),
                             RCV_WAVE_MAX_PPM);
}


/* What is in it by now is of no use. */

static void
wave_forget(rcv_wave_t *wave)
{
    wave->ok = 0;
    wave->ms = 0;
    wave->shed = 0;
}


/*
 * (high - low) / (high + low) of the half that is over and its neighbours,
 * so that a backend that warms up does not look like one that likes load.
 */

static void
wave_learn(rcv_wave_t *wave, uint64_t rate_milli)
{
    int64_t   slope_ppm, apart;
    uint64_t  beside;
    uint32_t  halves;

    beside = (rate_milli + wave->rate_milli[1]) / 2;

    apart = (int64_t) wave->rate_milli[0] - (int64_t) beside;
    slope_ppm = apart * (int64_t) RCV_PPM
                / (int64_t) rcv_max(wave->rate_milli[0] + beside, 1);

    if (wave->half % 2 != 0) {
        /* the one in the middle was low */
        slope_ppm = -slope_ppm;
    }

    halves = (uint32_t) rcv_min(wave->halves + 1, RCV_WAVE_HALVES);

    wave->last_ppm = slope_ppm;
    wave->last_results = wave->ok;
    wave->fresh = 1;
    wave->slope_ppm += (slope_ppm - wave->slope_ppm) / (int64_t) halves;
    wave->results = wave->results * (halves - 1) / halves + wave->ok;
    wave->halves = halves;
}


static void
wave_over(rcv_wave_t *wave)
{
    uint64_t  rate_milli;

    rate_milli = 0;

    if (wave->ms != 0 && wave->shed != 0) {
        rate_milli = rcv_min(rcv_mul_div(wave->ok, 1000 * RCV_MILLI,
                                         wave->ms), RCV_WAVE_RATE_MAX);

    } else if (wave->rate_milli[0] == 0) {
        /* nobody is kept out: what was seen when some were is long ago */
        wave->halves = 0;
    }

    if (rate_milli != 0 && wave->rate_milli[0] != 0
        && wave->rate_milli[1] != 0)
    {
        wave_learn(wave, rate_milli);
    }

    wave->rate_milli[1] = wave->rate_milli[0];
    wave->rate_milli[0] = rate_milli;
    wave_forget(wave);
}


void
rcv_wave_note(const rcv_control_t *control, rcv_round_t *round,
    const rcv_control_facts_t *facts, const rcv_window_t *window)
{
    uint64_t     at_ms, half_ms;
    rcv_wave_t  *wave;

    wave = &round->wave;

    if (control->mode != RCV_MODE_STEER || control->cut_from_milli != 0) {
        *wave = (rcv_wave_t) { 0 };
        return;
    }

    if (window->dt_ms == 0) {
        return;
    }

    half_ms = wave_half_ms(control, window->dt_ms);
    at_ms = rcv_since(facts->now_ms, window->dt_ms / 2);

    if (half_ms != wave->half_ms) {
        wave->rate_milli[0] = 0;
        wave->rate_milli[1] = 0;
        wave_forget(wave);

    } else if (at_ms / half_ms != wave->half) {
        wave_over(wave);
    }

    wave->half_ms = half_ms;
    wave->half = at_ms / half_ms;

    if (at_ms % half_ms <= rcv_min(control->latency_us / 1000, half_ms / 2)) {
        /* those who come back now were let in before */
        return;
    }

    wave->ok = rcv_min(rcv_add_sat(wave->ok, window->results[RCV_RESULT_OK]),
                       RCV_WAVE_RESULTS_MAX);
    wave->ms += window->dt_ms;
    wave->shed += window->shed_in_flight;
}


uint64_t
rcv_wave_limit_milli(const rcv_control_t *control, uint64_t now_ms,
    uint64_t dt_ms)
{
    uint64_t  swing_milli;

    if (control->mode != RCV_MODE_STEER || control->cut_from_milli != 0) {
        return control->limit_milli;
    }

    swing_milli = rcv_mul_div(control->limit_milli,
                              (uint64_t) wave_swing_ppm(control), RCV_PPM);

    if (now_ms / wave_half_ms(control, dt_ms) % 2 != 0) {
        return control->limit_milli + swing_milli;
    }

    return control->limit_milli - swing_milli;
}


rcv_slope_t
rcv_wave_slope(const rcv_control_t *control, const rcv_wave_t *wave)
{
    int64_t  chance_ppm;

    if (wave->halves == 0) {
        return RCV_SLOPE_UNKNOWN;
    }

    /* the root is in thousandths */

    chance_ppm = (int64_t) (RCV_WAVE_CHANCE_MILLI * (uint64_t) RCV_PPM
                            / rcv_max(rcv_sqrt(wave->results * RCV_PPM), 1));

    if (wave->slope_ppm > chance_ppm) {
        return RCV_SLOPE_RISING;
    }

    if (wave->slope_ppm < -chance_ppm) {
        return RCV_SLOPE_FALLING;
    }

    /* half of a whole slope would have been seen */

    return (chance_ppm * 2 < wave_swing_ppm(control)) ? RCV_SLOPE_FLAT
                                                      : RCV_SLOPE_UNKNOWN;
}


int
rcv_wave_steep(const rcv_control_t *control, const rcv_wave_t *wave)
{
    return wave->halves >= RCV_WAVE_KNOWN
           && wave->slope_ppm > wave_swing_ppm(control) * RCV_STEEP_PPM
                                / (int64_t) RCV_PPM
           && rcv_wave_slope(control, wave) == RCV_SLOPE_RISING;
}


void
rcv_wave_move(rcv_control_t *control, rcv_wave_t *wave, int hold)
{
    int64_t  steep_ppm, move_ppm, part_ppm;

    if (!wave->fresh) {
        return;
    }

    wave->fresh = 0;

    steep_ppm = wave->last_ppm * (int64_t) RCV_PPM / wave_swing_ppm(control);

    if (steep_ppm > (int64_t) RCV_PPM) {
        steep_ppm = RCV_PPM;

    } else if (steep_ppm < -(int64_t) RCV_PPM) {
        steep_ppm = -(int64_t) RCV_PPM;
    }

    part_ppm = RCV_MOVE_PPM;

    if (steep_ppm > RCV_STEEP_PPM && wave->halves >= RCV_WAVE_KNOWN
        && rcv_wave_slope(control, wave) == RCV_SLOPE_RISING)
    {
        part_ppm = RCV_MOVE_STEEP_PPM;
    }

    part_ppm = part_ppm * (int64_t) rcv_min(wave->last_results,
                                            RCV_MOVE_RESULTS)
               / RCV_MOVE_RESULTS;

    move_ppm = (steep_ppm - RCV_MOVE_FLAT_PPM) * part_ppm / (int64_t) RCV_PPM;

    if (move_ppm > 0 && hold) {
        return;
    }

    rcv_limit_set(control, rcv_mul_div(control->limit_milli,
                                       (uint64_t) ((int64_t) RCV_PPM
                                                   + move_ppm), RCV_PPM));
}
