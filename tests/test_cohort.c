
/*
 * Cohorts: the hash, the word, who is let in, and how the cut moves.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admit.h"
#include "cohort.h"
#include "world.h"


#define nelts(table)  (sizeof(table) / sizeof((table)[0]))

#define SALT  0x5eed5a17u


/* The first of the vectors that come with the reference implementation. */

static void
siphash_vectors(void **state)
{
    size_t    len;
    uint8_t   text[16];
    uint64_t  key0, key1;

    static const uint64_t  expected[] = {
        0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
        0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
        0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462,
        0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
        0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee,
        0xa129ca6149be45e5
    };

    (void) state;

    for (len = 0; len < sizeof(text); len++) {
        text[len] = (uint8_t) len;
    }

    key0 = 0x0706050403020100;
    key1 = 0x0f0e0d0c0b0a0908;

    for (len = 0; len < nelts(expected); len++) {
        assert_true(rcv_siphash(key0, key1, text, len) == expected[len]);
    }
}


static unsigned
slot_of(uint32_t salt, unsigned user)
{
    char       text[32];
    rcv_str_t  name;

    name.data = text;
    name.len = (size_t) snprintf(text, sizeof(text), "user-%u", user);

    return rcv_cohort_slot(salt, name);
}


/* Chi-square of 127 degrees: 190 is exceeded once in 4000. */

static void
slots_are_even(void **state)
{
    double    chi, mean;
    unsigned  i, slot, counts[RCV_COHORTS];

    (void) state;

    memset(counts, 0, sizeof(counts));

    for (i = 0; i < 128000; i++) {
        slot = slot_of(SALT, i);
        assert_true(slot < RCV_COHORTS);
        counts[slot]++;
    }

    mean = 1000;
    chi = 0;

    for (i = 0; i < RCV_COHORTS; i++) {
        chi += (counts[i] - mean) * (counts[i] - mean) / mean;
    }

    assert_true(chi < 190);
}


static void
salt_draws_anew(void **state)
{
    unsigned  i, same;

    (void) state;

    same = 0;

    for (i = 0; i < 12800; i++) {
        assert_int_equal(slot_of(SALT, i), slot_of(SALT, i));
        same += (slot_of(SALT, i) == slot_of(SALT + 1, i));
    }

    /* one in 128 by chance */
    assert_in_range(same, 50, 170);

    assert_int_equal(rcv_cohort_slot(SALT, (rcv_str_t) { "", 0 }),
                     RCV_COHORT_NONE);
}


static void
word_survives_packing(void **state)
{
    size_t     i;
    rcv_cut_t  cut;

    static const rcv_cut_t  cuts[] = {
        { 1, 0, 0 }, { UINT32_MAX, RCV_CLASSES_MAX - 1, RCV_COHORTS },
        { SALT, 2, 77 }, { 1, 0, 1 },
    };

    (void) state;

    for (i = 0; i < nelts(cuts); i++) {
        assert_true(rcv_cut_pack(&cuts[i]) != 0);

        cut = rcv_cut_unpack(rcv_cut_pack(&cuts[i]));
        assert_true(cut.salt == cuts[i].salt);
        assert_int_equal(cut.class_index, cuts[i].class_index);
        assert_int_equal(cut.slots, cuts[i].slots);
    }
}


/*
 * A service in virtual time.  Room for so many requests a tick, on average
 * (it varies); classes before the marginal one are served first, then those
 * let in, then the others, and of what is left the classes after.
 */

#define CLASSES     4
#define USERS_MAX   2000

typedef struct {
    rcv_policy_t        policy;
    rcv_cohort_t        cohort;
    rcv_cohort_round_t  round;
    rcv_window_t        window;
    unsigned            class_index;    /* of all users */
    unsigned            nusers;
    unsigned            slots[USERS_MAX];
    uint64_t            weights[USERS_MAX];     /* of 1000 ticks */
    uint64_t            carry[USERS_MAX];
    uint64_t            before;         /* a tick, of the classes before */
    uint64_t            room;           /* a tick */
    unsigned            swing;          /* per cent, a second up and down */
    uint64_t            ticks;
    uint64_t            passed;         /* of the class, in the last run */
    uint64_t            offered;
    uint64_t            lost;           /* of those let in */
    uint64_t            shed;           /* all of the class */
    uint64_t            idle;           /* room that nobody used */
} service_t;


static void
service_init(service_t *service, unsigned nusers, uint64_t each_milli)
{
    unsigned  i;

    memset(service, 0, sizeof(*service));

    service->policy.nclasses = CLASSES;
    service->policy.cohort = 0;
    service->class_index = 2;
    service->nusers = nusers;
    service->cohort.salt = SALT;

    for (i = 0; i < nusers; i++) {
        service->slots[i] = slot_of(SALT, i);
        service->weights[i] = each_milli;
        service->carry[i] = i * 379 % 1000;
    }
}


static void
service_tick(service_t *service)
{
    int            let_in;
    uint64_t       in, others, room, n;
    unsigned       i, marginal;
    rcv_window_t  *window;

    window = &service->window;
    memset(window, 0, sizeof(*window));

    in = 0;
    others = 0;
    marginal = service->cohort.marginal;

    for (i = 0; i < service->nusers; i++) {
        service->carry[i] += service->weights[i];
        n = service->carry[i] / 1000;
        service->carry[i] %= 1000;

        let_in = (marginal == 0 || marginal > service->class_index + 1
                  || (marginal == service->class_index + 1
                      && service->slots[i]
                         < (unsigned) service->cohort.cut / 256));
        in += let_in ? n : 0;
        others += let_in ? 0 : n;
    }

    room = service->room;

    if (service->ticks++ / 5 % 2 != 0) {
        room += service->room * service->swing / 100;
    } else {
        room -= service->room * service->swing / 100;
    }

    n = rcv_min(service->before, room);
    window->offered[0] = service->before;
    window->passed[0] = n;
    window->shed_limit[0] = service->before - n;
    room -= n;

    i = service->class_index;
    window->offered[i] = in + others;

    n = rcv_min(in, room);
    window->shed_limit[i] = in - n;
    window->passed[i] = n;
    service->lost += in - n;
    room -= n;

    n = rcv_min(others, room);
    window->passed[i] += n;
    room -= n;

    if (marginal == i + 1) {
        window->spilled = n;
        window->shed_cohort[i] = others - n;

    } else {
        window->shed_limit[i] += others - n;
    }

    service->offered += in + others;
    service->passed += window->passed[i];
    service->shed += in + others - window->passed[i];

    if (in + others > window->passed[i]) {
        service->idle += room;
    }

    window->dt_ms = 100;
    window->random = SALT;

    rcv_cohort_tick(&service->cohort, &service->round, &service->policy,
                    window, 1);
}


static void
service_run(service_t *service, unsigned ticks)
{
    service->passed = 0;
    service->offered = 0;
    service->lost = 0;
    service->shed = 0;

    while (ticks-- != 0) {
        service_tick(service);
        assert_true(service->cohort.cut <= RCV_COHORTS * 256);
        assert_true(service->cohort.marginal <= CLASSES);
    }
}


static double
share_of(uint64_t part, uint64_t whole)
{
    return (double) part / (double) rcv_max(whole, 1);
}


/* Half fits: about half of the slots are let in, and lose next to nothing. */

static void
cut_finds_its_place(void **state)
{
    size_t     i;
    unsigned   least, most, ticks;
    service_t  service;

    static const struct {
        unsigned  users;
        uint64_t  each_milli;
        uint64_t  room;
        unsigned  swing;
        unsigned  low, high;
    } cases[] = {
        { 1000, 100, 50, 0, 48, 72 },
        { 1000, 100, 50, 10, 40, 72 },
        { 1000, 100, 20, 10, 14, 34 },
        { 1000, 100, 90, 10, 85, 128 },
        { 100, 100, 5, 0, 30, 90 },
        { 2000, 5000, 5000, 10, 44, 72 },
    };

    (void) state;

    for (i = 0; i < nelts(cases); i++) {
        service_init(&service, cases[i].users, cases[i].each_milli);
        service.room = cases[i].room;
        service.swing = cases[i].swing;

        service_run(&service, 300);

        least = RCV_COHORTS;
        most = 0;

        for (ticks = 0; ticks < 600; ticks++) {
            service_run(&service, 1);
            assert_int_equal(service.cohort.marginal,
                             service.class_index + 1);
            least = (unsigned) rcv_min(least, service.cohort.cut / 256);
            most = (unsigned) rcv_max(most, service.cohort.cut / 256);
        }

        assert_in_range(least, cases[i].low, cases[i].high);
        assert_in_range(most, cases[i].low, cases[i].high);

        /* no hunting: a minute within a sixteenth of all */

        assert_true(most - least <= RCV_COHORTS / 16);

        service_run(&service, 600);
        assert_true(share_of(service.lost, service.offered) < 0.03);
        assert_int_equal(service.idle, 0);
    }
}


/* While room grows who is in stays; the end of the last class ends it. */

static void
rising_evicts_nobody(void **state)
{
    unsigned   was_class, was_cut;
    service_t  service;

    (void) state;

    service_init(&service, 1000, 100);
    service.class_index = 3;
    service.room = 10;

    service_run(&service, 200);
    assert_int_equal(service.cohort.marginal, 4);

    while (service.room < 130) {
        was_class = service.cohort.marginal;
        was_cut = service.cohort.cut;

        service.room++;
        service_run(&service, 20);

        if (service.cohort.marginal != was_class) {
            assert_int_equal(service.cohort.marginal, 0);
            assert_int_equal(was_class, 4);

        } else if (was_class != 0) {
            /* those of the last step may have been too many */
            assert_true(service.cohort.cut + 3u * 256 >= was_cut);
        }
    }

    assert_int_equal(service.cohort.marginal, 0);
    assert_int_equal(rcv_cohort_word(&service.cohort), 0);
}


/* What falls comes off the top, and by no more than is too much. */

static void
falling_takes_the_latest(void **state)
{
    unsigned   before, cut;
    service_t  service;

    (void) state;

    service_init(&service, 1000, 100);
    service.room = 80;
    service_run(&service, 300);
    before = service.cohort.cut / 256;
    assert_in_range(before, 85, 110);

    service.room = 40;

    do {
        cut = service.cohort.cut;
        service_run(&service, 1);
        assert_true(service.cohort.cut <= cut);
    } while (service.window.shed_limit[2] * 50 > service.window.passed[2]);

    assert_in_range(service.cohort.cut / 256, 30, 54);

    service_run(&service, 300);
    assert_in_range(service.cohort.cut / 256, 36, 58);
}


/* A class before it needs the room: the whole of ours goes, then theirs. */

static void
the_class_before_comes_first(void **state)
{
    service_t  service;

    (void) state;

    service_init(&service, 1000, 100);
    service.room = 60;
    service_run(&service, 300);
    assert_int_equal(service.cohort.marginal, 3);

    service.before = 100;
    service_run(&service, 100);
    assert_int_equal(service.cohort.marginal, 1);

    /* and back */

    service.before = 10;
    service_run(&service, 400);
    assert_int_equal(service.cohort.marginal, 3);
    assert_in_range(service.cohort.cut / 256, 40, 80);
}


/*
 * Whatever the hash makes of few users, or of one who is many: room is never
 * unused while somebody is shed.
 */

static void
nobody_is_strangled(void **state)
{
    size_t     i;
    service_t  service;

    static const struct {
        unsigned  users;
        uint64_t  each_milli;
        uint64_t  first_milli;          /* of the first one */
        uint64_t  room;
    } cases[] = {
        { 1, 0, 20000, 10 }, { 2, 10000, 10000, 10 },
        { 3, 10000, 10000, 25 }, { 100, 100, 50000, 30 },
        { 1000, 100, 100000, 150 }, { 5, 200, 200, 1 },
    };

    (void) state;

    for (i = 0; i < nelts(cases); i++) {
        service_init(&service, cases[i].users, cases[i].each_milli);
        service.weights[0] = cases[i].first_milli;
        service.room = cases[i].room;

        service_run(&service, 1200);

        assert_true(service.passed != 0);
        assert_true(service.shed != 0 || service.cohort.marginal == 0);
        assert_int_equal(service.idle, 0);
    }
}


static void
there_is_none(void **state)
{
    service_t  service;

    (void) state;

    /* nothing is shed: no cut */

    service_init(&service, 1000, 100);
    service.room = 200;
    service_run(&service, 300);
    assert_int_equal(service.cohort.marginal, 0);

    /* the gate sheds for nothing that a cut could mend */

    service.room = 50;
    service_run(&service, 100);
    assert_int_equal(service.cohort.marginal, 3);
    rcv_cohort_tick(&service.cohort, &service.round, &service.policy,
                    &service.window, 0);
    assert_int_equal(rcv_cohort_word(&service.cohort), 0);
    assert_true(service.cohort.salt == SALT);

    /* no line in the policy */

    service_init(&service, 1000, 100);
    service.policy.cohort = -1;
    service.room = 50;
    service_run(&service, 300);
    assert_int_equal(service.cohort.marginal, 0);

    /* fewer classes than before a reload */

    service_init(&service, 1000, 100);
    service.room = 50;
    service_run(&service, 100);
    service.policy.nclasses = 2;
    service.class_index = 1;
    service_run(&service, 1);
    assert_int_equal(service.cohort.marginal, 0);
}


/* One salt for an outage, relapse and all; another for the next one. */

static void
salt_lasts_an_outage(void **state)
{
    uint32_t  first, second;
    world_t   world;

    (void) state;

    world_init(&world, "cohort $remote_addr; ramp double=1s verify=2s;");
    world_learn(&world, 100000);

    world_health(&world, "down");
    world_until(&world, RCV_PHASE_DOWN, 5000);
    world_tick(&world);
    first = world.state.cohort.salt;
    assert_true(first != 0);

    world_health(&world, "up");
    world_until(&world, RCV_PHASE_RAMPING, 60000);
    assert_true(world.state.cohort.salt == first);
    world.bad_ppm = RCV_PPM;
    world_until(&world, RCV_PHASE_PROBING, 60000);
    world.bad_ppm = 0;
    world_until(&world, RCV_PHASE_UP, 120000);
    assert_true(world.state.cohort.salt == first);

    world_health(&world, "down");
    world_until(&world, RCV_PHASE_DOWN, 5000);
    world_tick(&world);
    second = world.state.cohort.salt;
    assert_true(second != 0 && second != first);

    world_done(&world);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(siphash_vectors),
        cmocka_unit_test(slots_are_even),
        cmocka_unit_test(salt_draws_anew),
        cmocka_unit_test(word_survives_packing),
        cmocka_unit_test(cut_finds_its_place),
        cmocka_unit_test(rising_evicts_nobody),
        cmocka_unit_test(falling_takes_the_latest),
        cmocka_unit_test(the_class_before_comes_first),
        cmocka_unit_test(nobody_is_strangled),
        cmocka_unit_test(there_is_none),
        cmocka_unit_test(salt_lasts_an_outage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
