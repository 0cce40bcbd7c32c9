
#include "ramp.h"


/* Stairs after the last one, when no step has a time. */
#define RCV_STAIR_MS  10000

/* 1 ppm doubled so often is more than RCV_LEVEL_MAX_PPM. */
#define RCV_DOUBLINGS_MAX  27


/* 2^(i/16); straight lines between them are 0.03 % too high at most. */

static const uint32_t  rcv_powers_ppm[17] = {
    1000000, 1044274, 1090508, 1138789, 1189207, 1241858, 1296840, 1354256,
    1414214, 1476826, 1542211, 1610490, 1681793, 1756252, 1834008, 1915207,
    2000000
};


static uint64_t
ramp_double(uint64_t from_ppm, uint64_t ramp_ms, uint64_t double_ms)
{
    uint64_t  doublings, part, i, factor_ppm;

    double_ms = rcv_max(double_ms, 1);
    doublings = ramp_ms / double_ms;

    if (doublings >= RCV_DOUBLINGS_MAX) {
        return RCV_LEVEL_MAX_PPM;
    }

    /* what is left of a doubling, in 65536ths */

    part = rcv_mul_div(ramp_ms % double_ms, 65536, double_ms);
    i = part / 4096;

    factor_ppm = rcv_powers_ppm[i]
                 + (uint64_t) (rcv_powers_ppm[i + 1] - rcv_powers_ppm[i])
                   * (part % 4096) / 4096;

    return rcv_mul_div(from_ppm << doublings, factor_ppm, RCV_PPM);
}


static uint64_t
ramp_over(uint64_t from_ppm, uint64_t ramp_ms, uint64_t over_ms)
{
    uint64_t  rise_ppm;

    rise_ppm = (from_ppm < RCV_PPM) ? RCV_PPM - from_ppm : RCV_PPM;

    return rcv_add_sat(from_ppm,
                       rcv_mul_div(rise_ppm, ramp_ms, rcv_max(over_ms, 1)));
}


static uint64_t
ramp_steps(const rcv_ramp_t *ramp, uint64_t ramp_ms)
{
    uint64_t  level_ppm, stair_ms, left_ms;
    unsigned  i;

    level_ppm = 1;
    stair_ms = RCV_STAIR_MS;
    left_ms = ramp_ms;

    for (i = 0; i < ramp->nsteps; i++) {
        level_ppm = rcv_max(level_ppm, ramp->steps[i].level_ppm);

        if (i + 1 == ramp->nsteps) {
            break;
        }

        if (left_ms < ramp->steps[i].for_ms) {
            return level_ppm;
        }

        left_ms -= ramp->steps[i].for_ms;
        stair_ms = rcv_max(ramp->steps[i].for_ms, 1);
    }

    return level_ppm << rcv_min(left_ms / stair_ms, RCV_DOUBLINGS_MAX);
}


uint32_t
rcv_ramp_level_ppm(const rcv_ramp_t *ramp, uint64_t ramp_ms)
{
    uint64_t  from_ppm, level_ppm;

    from_ppm = rcv_max(ramp->from_ppm, 1);

    switch (ramp->kind) {

    case RCV_RAMP_OVER:
        level_ppm = ramp_over(from_ppm, ramp_ms, ramp->over_ms);
        break;

    case RCV_RAMP_STEPS:
        level_ppm = ramp_steps(ramp, ramp_ms);
        break;

    default: /* RCV_RAMP_DOUBLE */
        level_ppm = ramp_double(from_ppm, ramp_ms, ramp->double_ms);
        break;
    }

    return (uint32_t) rcv_min(level_ppm, RCV_LEVEL_MAX_PPM);
}


/*
 * By halving, on the function itself: whatever the rounding of the forward
 * way, the answer is the first millisecond.
 */

uint64_t
rcv_ramp_time_ms(const rcv_ramp_t *ramp, uint32_t level_ppm)
{
    uint64_t  low, high, middle;

    level_ppm = (uint32_t) rcv_min(level_ppm, RCV_LEVEL_MAX_PPM);

    if (rcv_ramp_level_ppm(ramp, 0) >= level_ppm) {
        return 0;
    }

    low = 0;
    high = 1;

    while (rcv_ramp_level_ppm(ramp, high) < level_ppm) {
        low = high;
        high *= 2;
    }

    /* level(low) < level_ppm <= level(high) */

    while (high - low > 1) {
        middle = low + (high - low) / 2;

        if (rcv_ramp_level_ppm(ramp, middle) < level_ppm) {
            low = middle;

        } else {
            high = middle;
        }
    }

    return high;
}
