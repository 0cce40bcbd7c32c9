
/*
 * A law decides what may reach the backend.  The product's core is one
 * behind this interface, others stand beside it for comparison; the engine,
 * the clients and the backend do not know which one they have.
 */

#ifndef SIM_LAW_H_INCLUDED_
#define SIM_LAW_H_INCLUDED_


#include "ablation.h"
#include "backend.h"
#include "policy.h"
#include "admit.h"


typedef enum {
    SIM_RESULT_OK = 0,
    SIM_RESULT_ERROR,                   /* 500 */
    SIM_RESULT_OVERLOAD,                /* 502, 503: refused */
    SIM_RESULT_TIMEOUT,                 /* 504 */
    SIM_RESULT_GONE,                    /* 499: the client left */
    SIM_RESULT_ASIDE,                   /* served without the backend */
    SIM_RESULT_ASIDE_ERROR,             /* ... or not served */
    SIM_RESULTS
} sim_result_t;


/* "weight" equal requests at once. */

typedef struct {
    uint64_t             now_ns;
    unsigned             traffic;       /* class, 0 is the first */
    unsigned             classified;    /* ... of the policy's own */
    uint32_t             weight;
    uint64_t             random;
    uint64_t             user;          /* 0: nobody knows */
    unsigned             retry;         /* not the first attempt */
} sim_ask_t;


/* What was let in; the law's own note is kept with it until the end. */

typedef struct {
    uint64_t             at_ns;
    uint32_t             weight;
    uint8_t              traffic;
    uint8_t              reason;        /* rcv_reason_t of the rest */
    rcv_ticket_t         ticket;
} sim_pass_t;


typedef struct {
    const rcv_policy_t    *policy;
    const sim_scenario_t  *scenario;
    const sim_backend_t   *backend;     /* for the omniscient one only */
    double                 demand;      /* nominal, of this node */
    double                 capacity;    /* configured; 0: not */
    uint64_t               seed;
    void                  *leader;      /* whose allowance it shares, or NULL */
    sim_without_t          without;     /* of the product's law */
} sim_law_facts_t;


/* For the time series. */

typedef struct {
    double               limit;         /* in flight; < 0: none */
    double               rate;          /* a second; < 0: none */
    unsigned             in_flight;
    const char          *phase;
} sim_show_t;


typedef struct {
    const char  *name;
    const char  *what;

    void      *(*create)(const sim_law_facts_t *facts);
    void       (*destroy)(void *law);

    /* How many of them may pass: 0 to ask->weight. */
    uint32_t   (*admit)(void *law, const sim_ask_t *ask, sim_pass_t *pass);

    void       (*done)(void *law, const sim_pass_t *pass,
                       sim_result_t result, uint64_t now_ns);

    /* Seconds; 0: none said. */
    double     (*retry_after_s)(void *law, const sim_ask_t *ask);

    /* Every 100 ms. */
    void       (*tick)(void *law, uint64_t now_ns);

    /* A word in Redis; NULL: laws that know no Redis. */
    void       (*hear)(void *law, const char *health, uint64_t now_ns);

    void       (*show)(void *law, sim_show_t *show);

    sim_without_t  without;             /* which ingredient */
} sim_law_t;


#define SIM_TICK_NS  (100 * SIM_MS)

extern const sim_law_t  sim_law_product;
extern const sim_law_t  sim_law_reference;
extern const sim_law_t  sim_law_vegas;
extern const sim_law_t  sim_law_gradient2;
extern const sim_law_t  sim_law_envoy;
extern const sim_law_t  sim_law_throttle;
extern const sim_law_t  sim_law_linear;
extern const sim_law_t  sim_law_linear_open;
extern const sim_law_t  sim_law_fixed;
extern const sim_law_t  sim_law_fixed_warm;
extern const sim_law_t  sim_law_none;
extern const sim_law_t  sim_law_oracle;

/*
 * The laws, and behind them the product's without each ingredient; NULL:
 * no more.
 */
const sim_law_t *sim_law(unsigned i);
const sim_law_t *sim_law_find(const char *name);


#endif /* SIM_LAW_H_INCLUDED_ */
