
/*
 * Permits in flight under fire:
 *
 *   stress_inflight [threads|processes|all [SECONDS [SEED]]]
 *
 * threads    workers that take, give and "die" (are torn out of whatever
 *            they do, and begin anew as somebody else), two who reclaim, one
 *            of whom reconciles; for ThreadSanitizer.
 * processes  the same with real processes on shared memory, which kill -9
 *            themselves or are killed by the parent, who reclaims,
 *            reconciles, and starts others.  Now and then it stops all of
 *            them and counts.
 *
 * Every atomic operation of inflight.c is a point at which the one who does
 * it may be held up, or die: one core is enough to meet every order.
 *
 * Every worker keeps its own account of the permits that it holds, written
 * after a take and before a give: never too high.  What is checked is that
 * these accounts never add up to more than the limit, that nothing is left
 * at the end, and that reconciling gets through at all.
 *
 * -DSTRESS_BREAK=N puts a faulty code in the place of the one under test:
 * see stress_faults.h; the program must then fail.
 */

#define _GNU_SOURCE

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stress_faults.h"


#define GATES        3
#define SLOTS        7                  /* tight: freed and taken at once */
#define WORKERS      6
#define LIMIT        5
#define PLACES       (LIMIT + 1)        /* with the spare one */
#define OWNERS_MAX   65536              /* threads: lives in one run */
#define DEAD_MAX     8                  /* processes: last ones killed */
#define HOLD_MAX     4                  /* permits of one worker at a gate */


typedef struct {
    uint64_t    owner;                  /* 0: has no slot */
    uint32_t    slot;
    uint32_t    held[GATES];
    uint64_t    unused[5];
} account_t;


typedef struct {
    rcv_gate_t  gates[GATES];
    char        slots[SLOTS][128];
    account_t   accounts[WORKERS];

    uint32_t    held[GATES];            /* threads: all accounts together */
    uint32_t    stop;
    uint32_t    over;                   /* times that held was too much */
    uint32_t    foreign;                /* times that start was another's */
    uint64_t    takes;
    uint64_t    next_owner;
    uint32_t    ndead;
    uint64_t    dead[OWNERS_MAX];
} world_t;


static world_t     *world;
static rcv_slots_t  all_slots;
static unsigned     npassed, nfailed;


static void
check(int ok, const char *what, uint64_t number)
{
    printf("%s - %s (%llu)\n", ok ? "ok" : "not ok", what,
           (unsigned long long) number);

    npassed += (ok != 0);
    nfailed += (ok == 0);
}


static uint64_t
now_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


static rcv_slot_t *
slot_at(unsigned i)
{
    return rcv_slot_at(&all_slots, i);
}


static void
world_init(void)
{
    memset(world, 0, sizeof(*world));
    all_slots.first = (rcv_slot_t *) (void *) world->slots;
    all_slots.stride = sizeof(world->slots[0]);
    all_slots.count = SLOTS;
}


static rcv_slot_t *
claim(account_t *account, uint64_t owner)
{
    rcv_slot_t  *slot;

    do {
        slot = rcv_slot_claim(&all_slots, owner, owner, 1, GATES);

        if (slot == NULL) {
            sched_yield();
        }

    } while (slot == NULL && !rcv_load(&world->stop));

    if (slot != NULL) {
        rcv_store(&account->slot,
                  (uint32_t) (((char *) slot - (char *) all_slots.first)
                              / (ptrdiff_t) all_slots.stride));
        rcv_store_release(&account->owner, owner);
    }

    return slot;
}


/*
 * Gives back one permit of a gate, or keeps it as a spare; the account first:
 * of spares it knows nothing.
 */

static void
give_one(account_t *account, rcv_slot_t *slot, unsigned i, uint32_t keep)
{
    rcv_store_release(&account->held[i], rcv_load(&account->held[i]) - 1);
    (void) rcv_fetch_sub(&world->held[i], 1);

    if (!rcv_inflight_keep(slot, i, keep)) {
        rcv_inflight_give(&world->gates[i], slot, i, keep / 2);
    }
}


/* One take or give at some gate, as some class. */

static void
step(account_t *account, rcv_slot_t *slot, uint64_t *seed)
{
    uint32_t  i, rank, held;

    i = roll(seed, GATES);
    held = rcv_load(&account->held[i]);

    if (held > 0 && (held == HOLD_MAX || roll(seed, 2) == 0)) {
        give_one(account, slot, i, roll(seed, 3));
        return;
    }

    if (roll(seed, 4) == 0) {
        settle(&world->gates[i], slot, i);
    }

    rank = roll(seed, 4) ? 0 : roll(seed, 4);

    if (take(&world->gates[i], slot, i,
             rcv_inflight_watermark(LIMIT, RCV_PPM - rank * 100000, rank),
             roll(seed, 3)))
    {
        rcv_store_release(&account->held[i], held + 1);
        rcv_add(&world->takes, 1);

        if (rcv_fetch_add(&world->held[i], 1) + 1 > PLACES) {
            rcv_add(&world->over, 1);
        }
    }
}


static void
give_all(account_t *account, rcv_slot_t *slot)
{
    unsigned  i;

    for (i = 0; i < GATES; i++) {
        while (rcv_load(&account->held[i]) > 0) {
            give_one(account, slot, i, 0);
        }

        settle(&world->gates[i], slot, i);
    }
}


static uint64_t
sum_of_cells(void)
{
    unsigned  i, s;
    uint64_t  sum;

    sum = 0;

    for (s = 0; s < SLOTS; s++) {
        for (i = 0; i < GATES && rcv_load(&slot_at(s)->owner) != 0; i++) {
            sum += rcv_cell_held(rcv_load(rcv_slot_cell(slot_at(s), i)));
        }
    }

    return sum;
}


/* Nobody runs any more and every dead one was reclaimed. */

static void
check_end(void)
{
    unsigned  i, s;
    uint64_t  in_flight, agreed, owned, claimed;

    in_flight = 0;
    agreed = 0;
    owned = 0;
    claimed = 0;

    for (i = 0; i < GATES; i++) {
        agreed += (uint64_t) rcv_inflight_reconcile(&world->gates[i],
                                                    &all_slots, i);
        in_flight += rcv_load(&world->gates[i].in_flight);
    }

    for (s = 0; s < SLOTS; s++) {
        owned += (rcv_load(&slot_at(s)->owner) != 0);
    }

    check(agreed == GATES, "end: every gate could be reconciled", agreed);
    check(in_flight == 0, "end: nothing in flight", in_flight);
    check(sum_of_cells() == 0, "end: nothing booked", sum_of_cells());
    check(owned == 0, "end: no slot has an owner", owned);

    while (rcv_slot_claim(&all_slots, 1 + claimed, 0, 1, GATES) != NULL) {
        claimed++;
    }

    check(claimed == SLOTS, "end: every slot can be claimed", claimed);
}


/* Threads. */

typedef struct {
    unsigned   index;
    uint64_t   seed;
    uint64_t   reconciled;
} thread_t;


/* Leaves all behind as it is: only the account closes. */

static void
die(account_t *account, uint64_t owner)
{
    uint32_t  i, held;

    for (i = 0; i < GATES; i++) {
        held = rcv_load(&account->held[i]);
        rcv_store(&account->held[i], 0);
        (void) rcv_fetch_sub(&world->held[i], held);
    }

    rcv_store_release(&world->dead[owner], 1);
}


/* One life, until death or the end of the run. */

static void
live(thread_t *thread, account_t *account, uint64_t owner)
{
    rcv_slot_t  *slot;

    if (setjmp(grave) != 0) {
        danger = SAFE;
        die(account, owner);
        return;
    }

    danger = owner < OWNERS_MAX - WORKERS ? MAY_DIE_BY_JUMP : MAY_WAIT;

    slot = claim(account, owner);

    while (slot != NULL && !rcv_load(&world->stop)) {
        step(account, slot, &thread->seed);
    }

    danger = MAY_WAIT;

    if (slot != NULL) {
        give_all(account, slot);
        (void) rcv_slot_reclaim(slot, owner);
    }

    danger = SAFE;
}


static void *
worker_thread(void *data)
{
    thread_t  *thread;

    thread = data;
    danger_seed = thread->seed;

    while (!rcv_load(&world->stop)) {
        live(thread, &world->accounts[thread->index],
             rcv_fetch_add(&world->next_owner, 1) + 1);
    }

    return NULL;
}


static void
reclaim_dead_threads(void)
{
    unsigned  s;
    uint64_t  owner, start;

    for (s = 0; s < SLOTS; s++) {
        owner = rcv_load_acquire(&slot_at(s)->owner);
        start = rcv_load_acquire(&slot_at(s)->start);

        if (start != 0 && start != owner
            && rcv_load_acquire(&slot_at(s)->owner) == owner)
        {
            rcv_add(&world->foreign, 1);
        }

        if (owner != 0 && rcv_load_acquire(&world->dead[owner])) {
            reclaim(slot_at(s), owner, GATES);
        }
    }
}


/* The first of the two is the leader: it reconciles. */

static void *
reaper_thread(void *data)
{
    unsigned   i;
    thread_t  *thread;

    thread = data;
    danger_seed = thread->seed;
    danger = MAY_DIE_BY_JUMP;

    /* a reaper that dies is followed by another */

    (void) setjmp(grave);

    while (!rcv_load(&world->stop)) {
        reclaim_dead_threads();

        for (i = 0; i < GATES && thread->index == 0; i++) {
            thread->reconciled += (uint64_t)
                rcv_inflight_reconcile(&world->gates[i], &all_slots, i);
        }

        sched_yield();
    }

    danger = SAFE;

    return NULL;
}


static void
run_threads(uint64_t seconds_us, uint64_t seed)
{
    unsigned   i;
    thread_t   threads[WORKERS + 2];
    pthread_t  ids[WORKERS + 2];

    world_init();

    for (i = 0; i < WORKERS + 2; i++) {
        threads[i].index = i < WORKERS ? i : i - WORKERS;
        threads[i].seed = seed + i;
        threads[i].reconciled = 0;

        if (pthread_create(&ids[i], NULL,
                           i < WORKERS ? worker_thread : reaper_thread,
                           &threads[i])
            != 0)
        {
            perror("pthread_create");
            exit(2);
        }
    }

    nap_us(seconds_us);
    rcv_store(&world->stop, 1);

    for (i = 0; i < WORKERS + 2; i++) {
        pthread_join(ids[i], NULL);
    }

    check(world->over == 0, "threads: never over the limit", world->over);
    check(world->foreign == 0, "threads: no start of another owner",
          world->foreign);
    check(world->takes > 100, "threads: permits taken", world->takes);
    check(threads[WORKERS].reconciled > 0, "threads: reconciled",
          threads[WORKERS].reconciled);
    check(world->next_owner > WORKERS, "threads: slots taken over",
          world->next_owner);

    reclaim_dead_threads();
    check_end();
}


/* Processes. */

static pid_t  pids[WORKERS];


static void
worker_process(unsigned index, uint64_t seed)
{
    unsigned     s;
    uint64_t     owner, dead;
    account_t   *account;
    rcv_slot_t  *slot;

    account = &world->accounts[index];
    owner = (uint64_t) getpid();
    danger_seed = seed ^ owner;
    danger = MAY_DIE_BY_KILL;

    slot = claim(account, owner);

    while (slot != NULL && !rcv_load(&world->stop)) {
        step(account, slot, &seed);

        /* anybody may find a dead one; the parent is at it as well */

        if (roll(&seed, 200) == 0) {
            dead = rcv_load_acquire(&world->dead[roll(&seed, DEAD_MAX)]);

            for (s = 0; s < SLOTS && dead != 0; s++) {
                reclaim(slot_at(s), dead, GATES);
            }
        }
    }

    danger = MAY_WAIT;

    if (slot != NULL) {
        give_all(account, slot);
        (void) rcv_slot_reclaim(slot, owner);
    }

    _exit(0);
}


static void
spawn(unsigned index, uint64_t seed)
{
    pid_t  parent;

    parent = getpid();
    memset(&world->accounts[index], 0, sizeof(account_t));
    pids[index] = fork();

    if (pids[index] == -1) {
        perror("fork");
        exit(2);
    }

    if (pids[index] == 0) {
        /* no child outlives an interrupted run */
        prctl(PR_SET_PDEATHSIG, SIGKILL);

        if (getppid() != parent) {
            _exit(1);
        }

        worker_process(index, seed);
    }
}


static void
reclaim_dead_process(unsigned index)
{
    unsigned  s;
    uint64_t  dead;

    dead = (uint64_t) pids[index];
    rcv_store_release(&world->dead[world->ndead++ % DEAD_MAX], dead);

    for (s = 0; s < SLOTS; s++) {
        reclaim(slot_at(s), dead, GATES);
    }
}


/* Takes back what a dead one held, starts another in its place. */

static void
replace(unsigned index, uint64_t *seed)
{
    reclaim_dead_process(index);
    spawn(index, roll(seed, UINT32_MAX));
}


typedef struct {
    uint64_t  deaths;
    uint64_t  stops;
    uint64_t  reconciled;
    uint64_t  over;                     /* stops with too much held */
    uint64_t  below;                    /* in_flight less than the cells */
    uint64_t  uneven;                   /* agreed, but not equal */
} tally_t;


/* All stand still: every number can be trusted. */

static void
check_stopped(tally_t *tally)
{
    int         agreed;
    unsigned    i, w;
    uint64_t    held, cells;
    account_t  *account;

    for (i = 0; i < GATES; i++) {
        held = 0;
        cells = 0;

        for (w = 0; w < WORKERS; w++) {
            account = &world->accounts[w];

            if (rcv_load_acquire(&account->owner) != 0) {
                held += rcv_load(&account->held[i]);
                cells += rcv_cell_held(rcv_load(
                                    rcv_slot_cell(slot_at(account->slot), i)));
            }
        }

        tally->over += (held > PLACES);
        tally->below += (rcv_load(&world->gates[i].in_flight) < cells);

        agreed = rcv_inflight_reconcile(&world->gates[i], &all_slots, i);
        tally->reconciled += (uint64_t) agreed;
        tally->uneven += (agreed && world->gates[i].in_flight != cells);
    }
}


static void
stop_and_count(tally_t *tally, uint64_t *seed)
{
    int       status[WORKERS];
    unsigned  w;

    for (w = 0; w < WORKERS; w++) {
        kill(pids[w], SIGSTOP);
    }

    for (w = 0; w < WORKERS; w++) {
        waitpid(pids[w], &status[w], WUNTRACED);
    }

    check_stopped(tally);
    tally->stops++;

    for (w = 0; w < WORKERS; w++) {

        if (WIFSTOPPED(status[w])) {
            kill(pids[w], SIGCONT);

        } else {
            tally->deaths++;
            replace(w, seed);
        }
    }
}


/* Kills some, finds those who killed themselves. */

static void
bury(tally_t *tally, uint64_t *seed)
{
    unsigned  w;

    kill(pids[roll(seed, WORKERS)], SIGKILL);

    for (w = 0; w < WORKERS; w++) {

        if (waitpid(pids[w], NULL, WNOHANG) > 0) {
            tally->deaths++;
            replace(w, seed);
        }
    }
}


/* They end by themselves; one that does not is a failure. */

static unsigned
wait_for_all(void)
{
    unsigned  w, late;
    uint64_t  deadline_us;

    late = 0;
    deadline_us = now_us() + 20000000;

    for (w = 0; w < WORKERS; w++) {

        while (waitpid(pids[w], NULL, WNOHANG) == 0) {

            if (now_us() > deadline_us) {
                late++;
                kill(pids[w], SIGKILL);
                waitpid(pids[w], NULL, 0);
                break;
            }

            nap_us(200);
        }

        reclaim_dead_process(w);
    }

    return late;
}


static void
run_processes(uint64_t seconds_us, uint64_t seed)
{
    unsigned  i, w, late;
    tally_t   tally;
    uint64_t  end_us;

    world_init();
    memset(&tally, 0, sizeof(tally));

    for (w = 0; w < WORKERS; w++) {
        spawn(w, seed + w);
    }

    end_us = now_us() + seconds_us;

    danger_seed = seed;
    danger = MAY_WAIT;

    while (now_us() < end_us) {
        nap_us(roll(&seed, 1500));

        if (roll(&seed, 2) == 0) {
            stop_and_count(&tally, &seed);

        } else {
            bury(&tally, &seed);
        }

        for (i = 0; i < GATES; i++) {
            tally.reconciled += (uint64_t)
                rcv_inflight_reconcile(&world->gates[i], &all_slots, i);
        }
    }

    rcv_store(&world->stop, 1);
    late = wait_for_all();
    danger = SAFE;

    check(tally.over == 0, "processes: never over the limit", tally.over);
    check(tally.below == 0, "processes: in_flight never below the cells",
          tally.below);
    check(tally.uneven == 0, "processes: reconciled means equal",
          tally.uneven);
    check(tally.reconciled > 0, "processes: reconciled", tally.reconciled);
    check(tally.deaths > 0, "processes: died", tally.deaths);
    check(tally.stops > 0, "processes: stopped and counted", tally.stops);
    check(world->takes > 100, "processes: permits taken", world->takes);
    check(late == 0, "processes: all ended", late);

    check_end();
}


int
main(int argc, char **argv)
{
    double       seconds;
    uint64_t     seed, seconds_us;
    const char  *what;

    what = argc > 1 ? argv[1] : "all";
    seconds = argc > 2 ? atof(argv[2]) : 3;
    seed = argc > 3 ? strtoull(argv[3], NULL, 0) : now_us();
    seconds_us = (uint64_t) (seconds * 1e6);

    if (strcmp(what, "all") == 0) {
        seconds_us /= 2;

    } else if (strcmp(what, "threads") != 0
               && strcmp(what, "processes") != 0)
    {
        fprintf(stderr, "usage: stress_inflight "
                        "[threads|processes|all [SECONDS [SEED]]]\n");
        return 2;
    }

    world = mmap(NULL, sizeof(world_t), PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (world == MAP_FAILED) {
        perror("mmap");
        return 2;
    }

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("# seed %llu\n", (unsigned long long) seed);

    if (strcmp(what, "processes") != 0) {
        run_threads(seconds_us, seed);
    }

    if (strcmp(what, "threads") != 0) {
        run_processes(seconds_us, seed);
    }

    printf("stress_inflight: %u passed, %u failed\n", npassed, nfailed);

    return nfailed != 0;
}
