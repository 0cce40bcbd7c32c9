
/*
 * The state machine, edge by edge, and over all facts there can be.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "phase.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define FROM(p, h)  .facts.phase = RCV_PHASE_##p, .facts.health = RCV_HEALTH_##h
#define TO(p, w)    .to = RCV_PHASE_##p, .why = RCV_WHY_##w
#define STAYS(p)    .to = RCV_PHASE_##p, .why = RCV_WHYS


typedef struct {
    rcv_phase_facts_t  facts;
    rcv_phase_t        to;
    rcv_why_t          why;
} edge_t;


static const edge_t  edges[] = {

    /* full service */

    { FROM(UP, NONE), STAYS(UP) },
    { FROM(UP, UP), STAYS(UP) },
    { FROM(UP, RECOVERING), STAYS(UP) },
    { FROM(UP, RECOVERING), .facts.recovering = 1,
      TO(PROBING, HEALTH_RECOVERING) },
    { FROM(UP, DEGRADED), TO(DEGRADED, HEALTH_DEGRADED) },
    { FROM(UP, DOWN), TO(DOWN, HEALTH_DOWN) },
    { FROM(UP, DOWN), .facts.lost = 1, TO(DOWN, SIGNAL_LOST) },
    { FROM(UP, UP), .facts.verified = 1, .facts.relapse = 1,
      .facts.ramp_done = 1, STAYS(UP) },

    { FROM(VERIFYING, UP), STAYS(VERIFYING) },
    { FROM(VERIFYING, UP), .facts.verified = 1, TO(UP, VERIFIED) },
    { FROM(VERIFYING, NONE), .facts.verified = 1, TO(UP, VERIFIED) },
    { FROM(VERIFYING, DEGRADED), .facts.verified = 1,
      TO(DEGRADED, HEALTH_DEGRADED) },
    { FROM(VERIFYING, RECOVERING), .facts.verified = 1, TO(UP, VERIFIED) },
    { FROM(VERIFYING, RECOVERING), .facts.recovering = 1,
      TO(PROBING, HEALTH_RECOVERING) },
    { FROM(VERIFYING, DOWN), .facts.verified = 1, TO(DOWN, HEALTH_DOWN) },

    /* found dead, whatever the source says, and alive again */

    { FROM(UP, UP), .facts.dead = 1, TO(DOWN, DEAD) },
    { FROM(VERIFYING, NONE), .facts.dead = 1, TO(DOWN, DEAD) },
    { FROM(DEGRADED, DEGRADED), .facts.dead = 1, TO(DOWN, DEAD) },
    { FROM(RAMPING, UP), .facts.dead = 1, .facts.relapse = 1,
      TO(PROBING, RELAPSE) },
    { FROM(UP, DOWN), .facts.dead = 1, TO(DOWN, HEALTH_DOWN) },
    { FROM(DOWN, UP), .facts.found_dead = 1, STAYS(DOWN) },
    { FROM(DOWN, NONE), .facts.found_dead = 1, STAYS(DOWN) },
    { FROM(DOWN, NONE), .facts.found_dead = 1, .facts.alive = 1,
      TO(PROBING, ALIVE) },
    { FROM(DOWN, RECOVERING), .facts.found_dead = 1, .facts.recovering = 1,
      TO(PROBING, HEALTH_RECOVERING) },
    { FROM(DOWN, DOWN), .facts.found_dead = 1, .facts.alive = 1,
      STAYS(DOWN) },

    /* degraded */

    { FROM(DEGRADED, DEGRADED), STAYS(DEGRADED) },
    { FROM(DEGRADED, DEGRADED), .facts.less_degraded = 1,
      TO(RAMPING, HEALTH_DEGRADED) },
    { FROM(DEGRADED, UP), TO(RAMPING, HEALTH_UP) },
    { FROM(DEGRADED, UP), .facts.lost = 1, TO(RAMPING, SIGNAL_LOST) },
    { FROM(DEGRADED, RECOVERING), .facts.recovering = 1,
      TO(RAMPING, HEALTH_RECOVERING) },
    { FROM(DEGRADED, DOWN), TO(DOWN, HEALTH_DOWN) },

    /* down */

    { FROM(DOWN, NONE), STAYS(DOWN) },
    { FROM(DOWN, DOWN), STAYS(DOWN) },
    { FROM(DOWN, DOWN), .facts.probes_ok = 1, .facts.ramp_done = 1,
      .facts.verified = 1, STAYS(DOWN) },
    { FROM(DOWN, UP), .facts.probes_ok = 1, .facts.ramp_done = 1,
      .facts.verified = 1, TO(PROBING, HEALTH_UP) },
    { FROM(DOWN, UP), .facts.lost = 1, TO(PROBING, SIGNAL_LOST) },
    { FROM(DOWN, UP), .facts.back = 1, TO(PROBING, SIGNAL_BACK) },
    { FROM(DOWN, RECOVERING), TO(PROBING, HEALTH_RECOVERING) },
    { FROM(DOWN, DEGRADED), TO(PROBING, HEALTH_DEGRADED) },

    /* probing */

    { FROM(PROBING, RECOVERING), STAYS(PROBING) },
    { FROM(PROBING, NONE), .facts.probes_ok = 1, TO(RAMPING, PROBES_OK) },
    { FROM(PROBING, UP), .facts.ramp_done = 1, .facts.verified = 1,
      STAYS(PROBING) },
    { FROM(PROBING, DEGRADED), .facts.probes_ok = 1,
      TO(RAMPING, PROBES_OK) },
    { FROM(PROBING, DOWN), .facts.probes_ok = 1, TO(DOWN, HEALTH_DOWN) },

    /* ramping */

    { FROM(RAMPING, RECOVERING), .facts.recovering = 1, STAYS(RAMPING) },
    { FROM(RAMPING, UP), .facts.verified = 1, .facts.probes_ok = 1,
      STAYS(RAMPING) },
    { FROM(RAMPING, UP), .facts.ramp_done = 1, TO(VERIFYING, RAMP_DONE) },
    { FROM(RAMPING, NONE), .facts.ramp_done = 1, TO(VERIFYING, RAMP_DONE) },
    { FROM(RAMPING, DEGRADED), .facts.ramp_done = 1,
      TO(DEGRADED, RAMP_DONE) },
    { FROM(RAMPING, UP), .facts.relapse = 1, .facts.ramp_done = 1,
      TO(PROBING, RELAPSE) },
    { FROM(RAMPING, DOWN), .facts.ramp_done = 1, TO(DOWN, HEALTH_DOWN) },
};


static void
test_edges(void **unused)
{
    size_t       i;
    rcv_why_t    why;
    rcv_phase_t  to;

    (void) unused;

    for (i = 0; i < nelts(edges); i++) {
        why = RCV_WHYS;
        to = rcv_phase_next(&edges[i].facts, &why);

        if (to != edges[i].to || why != edges[i].why) {
            fail_msg("edge %zu, from \"%s\" by \"%s\": to \"%s\", why %u", i,
                     rcv_phase_names[edges[i].facts.phase],
                     rcv_health_names[edges[i].facts.health],
                     rcv_phase_names[to], why);
        }
    }
}


/* Which phases may follow which, whatever the facts. */

static void
test_all_facts(void **unused)
{
    unsigned           phase, health, bits;
    rcv_why_t          why;
    rcv_phase_t        to;
    rcv_phase_facts_t  facts;

    static const unsigned char  may[RCV_PHASES][RCV_PHASES] = {
        /*               up  deg down prob ramp verify */
        /* up */        { 1,  1,  1,   1,   0,   0 },
        /* degraded */  { 0,  1,  1,   0,   1,   0 },
        /* down */      { 0,  0,  1,   1,   0,   0 },
        /* probing */   { 0,  0,  1,   1,   1,   0 },
        /* ramping */   { 0,  1,  1,   1,   1,   1 },
        /* verifying */ { 1,  1,  1,   1,   0,   1 },
    };

    (void) unused;

    for (phase = 0; phase < RCV_PHASES; phase++) {
        for (health = 0; health < RCV_HEALTHS; health++) {
            for (bits = 0; bits < 2048; bits++) {
                facts.phase = (rcv_phase_t) phase;
                facts.health = (rcv_health_t) health;
                facts.lost = bits & 1;
                facts.back = (bits >> 1) & 1;
                facts.recovering = (bits >> 2) & 1;
                facts.less_degraded = (bits >> 3) & 1;
                facts.probes_ok = (bits >> 4) & 1;
                facts.relapse = (bits >> 5) & 1;
                facts.ramp_done = (bits >> 6) & 1;
                facts.verified = (bits >> 7) & 1;
                facts.dead = (bits >> 8) & 1;
                facts.found_dead = (bits >> 9) & 1;
                facts.alive = (bits >> 10) & 1;

                why = RCV_WHYS;
                to = rcv_phase_next(&facts, &why);

                assert_true(may[phase][to]);
                assert_int_equal(why != RCV_WHYS, to != facts.phase);

                if (health == RCV_HEALTH_DOWN) {
                    assert_int_equal(to, RCV_PHASE_DOWN);
                }
            }
        }
    }
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_all_facts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
