
#include <math.h>

#include "rng.h"


#define SIM_GOLDEN  0x9e3779b97f4a7c15ull


/* SplitMix64: Steele, Lea, Flood, "Fast splittable generators", 2014. */

static uint64_t
rng_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;

    return z ^ (z >> 31);
}


uint64_t
sim_rng_next(sim_rng_t *rng)
{
    rng->state += SIM_GOLDEN;

    return rng_mix(rng->state);
}


uint64_t
sim_hash(uint64_t seed, uint64_t who, uint64_t what)
{
    return rng_mix(rng_mix(seed + SIM_GOLDEN * (who + 1))
                   + SIM_GOLDEN * (what + 1));
}


double
sim_uniform(uint64_t bits)
{
    return (double) (bits >> 11) * 0x1p-53;
}


double
sim_exponential(uint64_t bits)
{
    return -log(1 - sim_uniform(bits));
}


/* The normal quantile by bisection: slow, exact enough, done once. */

static double
rng_normal_quantile(double p)
{
    int     i;
    double  low, high, middle;

    low = -8;
    high = 8;

    for (i = 0; i < 50; i++) {
        middle = (low + high) / 2;

        if (0.5 * erfc(-middle / 1.4142135623730951) < p) {
            low = middle;

        } else {
            high = middle;
        }
    }

    return (low + high) / 2;
}


void
sim_noise_init(sim_noise_t *noise, double sigma)
{
    int     i;
    double  sum;

    sum = 0;

    for (i = 0; i < SIM_NOISE_STEPS; i++) {
        noise->value[i] = exp(sigma * rng_normal_quantile(
                                          (i + 0.5) / SIM_NOISE_STEPS));
        sum += noise->value[i];
    }

    for (i = 0; i < SIM_NOISE_STEPS; i++) {
        noise->value[i] *= SIM_NOISE_STEPS / sum;
    }
}


double
sim_noise(const sim_noise_t *noise, uint64_t bits)
{
    return noise->value[bits % SIM_NOISE_STEPS];
}
