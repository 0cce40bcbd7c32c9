
/*
 * The decision alone, without nginx: rcv_admit() and the release that belongs
 * to it, by one process or by several on the same gate.
 *
 *   decision MODE PROCESSES [LOOPS]
 *
 * open     as in "up": a place in flight, no rate
 * pass     as in a ramp that admits: a place in flight, and the bucket
 * shed     as in a ramp that sheds by rate
 * closed   as in "down"
 *
 * Nothing else is done between two decisions, which no server does: for who
 * shares a gate it is the worst case there is.  MODE-paced does other things
 * in between, as much as a server at least does.
 */

#include <stdio.h>
#include <string.h>

#include "admit.h"
#include "race.h"
#include "rcv_atomic.h"


#define NOW         1000000000000ull
#define BACKENDS    64
#define CLASS       2                   /* of four: rank and share count */


typedef struct {
    rcv_gate_t  gate;

    struct {
        rcv_slot_t  head;
        uint32_t    cells[BACKENDS];
    } slots[RACE_PROCESSES_MAX];
} shared_t;


static rcv_policy_t    policy;
static rcv_admit_at_t  at;
static int             paced;


static rcv_allowance_t
allowance(const char *mode)
{
    rcv_allowance_t  a;

    memset(&a, 0, sizeof(a));

    a.word.class_max = RCV_CLASSES_MAX - 1;
    a.word.in_flight_limit = 10000;
    a.rate_milli = RCV_UNLIMITED;
    a.word.processes = 2;
    a.burst_milli = 200000 * RCV_MILLI;     /* 200 ms, as in service */

    if (strcmp(mode, "open") == 0) {
        a.word.phase = RCV_PHASE_UP;
        a.word.mode = RCV_GATE_OPEN;

    } else if (strcmp(mode, "closed") == 0) {
        a.word.phase = RCV_PHASE_DOWN;
        a.word.mode = RCV_GATE_CLOSED;
        a.word.reason = RCV_REASON_DOWN;

    } else {
        a.word.phase = RCV_PHASE_RAMPING;
        a.word.mode = RCV_GATE_LIMIT;
        a.word.reason = RCV_REASON_RATE;
        a.rate_milli = 1000000 * RCV_MILLI;
    }

    return a;
}


static void
enter(void *data, unsigned number)
{
    shared_t     *shared = data;
    rcv_slots_t   slots;

    /* its own, and empty whoever had it before */

    memset(&shared->slots[number], 0, sizeof(shared->slots[number]));

    slots.first = &shared->slots[number].head;
    slots.stride = sizeof(shared->slots[number]);
    slots.count = 1;

    at.gate = &shared->gate;
    at.slot = rcv_slot_claim(&slots, number + 1, 1, 1, BACKENDS);
    at.gate_index = 3;
    at.policy = &policy;
}


/*
 * Time moves on by one interval with each decision, so that the bucket always
 * owes something and never fills: the way that computes most.
 */

static void
pass_round(void *data, unsigned number, unsigned long loops)
{
    uint64_t        now_ns;
    shared_t       *shared = data;
    rcv_ticket_t    ticket;
    unsigned long   i;

    (void) number;
    now_ns = rcv_load(&shared->gate.tat_ns);
    now_ns = rcv_since(rcv_max(now_ns, NOW), 10000);

    for (i = 0; i < loops; i++) {
        now_ns += 1100;
        (void) rcv_admit(&at, CLASS, RCV_MILLI, now_ns, &ticket);
        rcv_admit_release(&at, &ticket);

        if (paced) {
            race_pause();
        }
    }
}


/* Time stands still: what is used up stays so. */

static void
still_round(void *data, unsigned number, unsigned long loops)
{
    rcv_ticket_t   ticket;
    unsigned long  i;

    (void) data;
    (void) number;

    for (i = 0; i < loops; i++) {
        (void) rcv_admit(&at, CLASS, RCV_MILLI, NOW, &ticket);
        rcv_admit_release(&at, &ticket);

        if (paced) {
            race_pause();
        }
    }
}


int
main(int argc, char **argv)
{
    char              name[32];
    race_t            it;
    unsigned          i;
    shared_t         *shared;
    rcv_allowance_t   a;

    if (argc < 3) {
        fprintf(stderr, "usage: decision open|pass|shed|closed[-paced]"
                        " PROCESSES [LOOPS]\n");
        return 2;
    }

    snprintf(name, sizeof(name), "%s", argv[1]);
    paced = race_paced(argv[1]);

    shared = race_shared(sizeof(shared_t));

    policy.nclasses = 4;
    policy.cohort = -1;

    for (i = 0; i < policy.nclasses; i++) {
        policy.classes[i].share_ppm = RCV_PPM - i * (RCV_PPM / 10);
    }

    a = allowance(argv[1]);
    rcv_gate_publish(&shared->gate, &a, NOW);

    if (strcmp(argv[1], "shed") == 0) {
        rcv_store(&shared->gate.tat_ns, NOW + shared->gate.burst_ns);
    }

    it.name = name;
    it.enter = enter;
    it.round = strcmp(argv[1], "pass") == 0 ? pass_round : still_round;

    return race(&it, shared, argv[2], argv[3]);
}
