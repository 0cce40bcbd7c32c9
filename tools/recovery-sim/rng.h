
/*
 * Random numbers of our own, so that a seed gives the same run everywhere.
 *
 * Two kinds.  A stream, for what happens in the same order in every run of a
 * seed.  And a hash of (seed, who, what), for what must not depend on the
 * order: a law that sheds more must not change the luck of a request.
 */

#ifndef SIM_RNG_H_INCLUDED_
#define SIM_RNG_H_INCLUDED_


#include <stdint.h>


typedef struct {
    uint64_t             state;
} sim_rng_t;


/* Quantiles of a log-normal distribution with mean 1. */

#define SIM_NOISE_STEPS  4096

typedef struct {
    double               value[SIM_NOISE_STEPS];
} sim_noise_t;


uint64_t sim_rng_next(sim_rng_t *rng);
uint64_t sim_hash(uint64_t seed, uint64_t who, uint64_t what);

/* 64 random bits to a number in [0, 1). */
double sim_uniform(uint64_t bits);

/* ... to one of mean 1, as the gap between independent arrivals. */
double sim_exponential(uint64_t bits);

void sim_noise_init(sim_noise_t *noise, double sigma);
double sim_noise(const sim_noise_t *noise, uint64_t bits);


#endif /* SIM_RNG_H_INCLUDED_ */
