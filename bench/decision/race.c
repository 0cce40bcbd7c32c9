
#define _GNU_SOURCE

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "race.h"


#define ROUND_NS     500000
#define ROUNDS       600                /* tried */
#define ROUNDS_MIN   20                 /* must be left */
#define TRIES        20                 /* when less is left */
#define LOOPS_FIRST  200
#define PAUSE        8000


typedef struct {
    unsigned       arrived[ROUNDS];
    unsigned       disturbed[ROUNDS];
    uint64_t       start[ROUNDS][RACE_PROCESSES_MAX];
    double         ns[ROUNDS][RACE_PROCESSES_MAX];
    unsigned long  loops;
} field_t;


static field_t  *field;


void *
race_shared(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
             -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }

    return p;
}


void
race_pause(void)
{
    volatile unsigned  i;

    for (i = 0; i < PAUSE; i++) {
    }
}


int
race_paced(char *mode)
{
    char  *suffix;

    suffix = strstr(mode, "-paced");

    if (suffix == NULL) {
        return 0;
    }

    *suffix = '\0';

    return 1;
}


static uint64_t
now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


static long
switches(void)
{
    struct rusage  u;

    getrusage(RUSAGE_SELF, &u);

    return u.ru_nivcsw;
}


static void
pin(unsigned number)
{
    long       n;
    cpu_set_t  cpu;

    n = sysconf(_SC_NPROCESSORS_ONLN);

    CPU_ZERO(&cpu);
    CPU_SET(number % (unsigned) n, &cpu);

    if (sched_setaffinity(0, sizeof(cpu), &cpu) != 0) {
        perror("sched_setaffinity");
        exit(1);
    }
}


/*
 * Waits by spinning: to be woken takes longer than a round.  A yield now and
 * then lets others on where there are more processes than processors.
 */

static void
together(unsigned round, unsigned processes)
{
    unsigned  spins;

    __atomic_fetch_add(&field->arrived[round], 1, __ATOMIC_ACQ_REL);

    for (spins = 1;
         __atomic_load_n(&field->arrived[round], __ATOMIC_ACQUIRE) < processes;
         spins++)
    {
        if (spins % 100000 == 0) {
            sched_yield();
        }
    }
}


static void
run(const race_t *it, void *shared, unsigned number, unsigned processes)
{
    long      before;
    unsigned  round;
    uint64_t  start, end;

    pin(number);
    it->enter(shared, number);

    for (round = 0; round < ROUNDS; round++) {
        together(round, processes);

        before = switches();
        start = now_ns();
        it->round(shared, number, field->loops);
        end = now_ns();

        if (switches() != before) {
            __atomic_store_n(&field->disturbed[round], 1, __ATOMIC_RELAXED);
        }

        field->start[round][number] = start;
        field->ns[round][number] = (double) (end - start)
                                   / (double) field->loops;
    }
}


/* Runs alone, before the others are there. */

static unsigned long
calibrate(const race_t *it, void *shared)
{
    uint64_t       start, ns;
    unsigned long  loops;

    it->enter(shared, 0);

    for (loops = LOOPS_FIRST; ; loops *= 2) {
        start = now_ns();
        it->round(shared, 0, loops);
        ns = now_ns() - start;

        if (ns >= ROUND_NS / 2) {
            return loops;
        }
    }
}


static int
by_value(const void *one, const void *two)
{
    double  a, b;

    a = *(const double *) one;
    b = *(const double *) two;

    return (a > b) - (a < b);
}


/* Have all begun at the same time, and has nobody been interrupted? */

static int
counts(unsigned round, unsigned processes)
{
    unsigned  i;
    uint64_t  first, last;

    if (field->disturbed[round]) {
        return 0;
    }

    first = field->start[round][0];
    last = first;

    for (i = 1; i < processes; i++) {
        first = first < field->start[round][i] ? first
                                               : field->start[round][i];
        last = last > field->start[round][i] ? last : field->start[round][i];
    }

    return last - first < ROUND_NS / 20;
}


/* 0: told; -1: too little is left */

static int
report(const race_t *it, unsigned processes)
{
    double    sum, rates[ROUNDS], each[ROUNDS];
    unsigned  i, n, round;

    n = 0;

    for (round = 0; round < ROUNDS; round++) {
        if (!counts(round, processes)) {
            continue;
        }

        sum = 0;
        rates[n] = 0;

        for (i = 0; i < processes; i++) {
            sum += field->ns[round][i];
            rates[n] += 1e9 / field->ns[round][i];
        }

        each[n++] = sum / processes;
    }

    if (n < ROUNDS_MIN) {
        return -1;
    }

    qsort(each, n, sizeof(double), by_value);
    qsort(rates, n, sizeof(double), by_value);

    printf("%s processes=%u ns=%.2f low=%.2f high=%.2f per_s=%.0f rounds=%u\n",
           it->name, processes, each[n / 2], each[n / 10], each[n * 9 / 10],
           rates[n / 2], n);

    return 0;
}


static int
start_all(const race_t *it, void *shared, unsigned processes)
{
    int       status, bad;
    pid_t     parent;
    unsigned  i;

    parent = getpid();

    for (i = 0; i < processes; i++) {
        switch (fork()) {

        case -1:
            perror("fork");
            return 1;

        case 0:
            prctl(PR_SET_PDEATHSIG, SIGKILL);

            if (getppid() == parent) {
                run(it, shared, i, processes);
            }

            _exit(0);
        }
    }

    bad = 0;

    while (wait(&status) > 0) {
        bad |= (status != 0);
    }

    return bad;
}


int
race(const race_t *it, void *shared, const char *processes, const char *loops)
{
    unsigned  n, tries;

    n = (unsigned) strtoul(processes, NULL, 10);

    if (n < 1 || n > RACE_PROCESSES_MAX) {
        fprintf(stderr, "processes: 1 to %d\n", RACE_PROCESSES_MAX);
        return 1;
    }

    if (loops != NULL) {
        it->enter(shared, 0);
        it->round(shared, 0, strtoul(loops, NULL, 10));
        return 0;
    }

    field = race_shared(sizeof(field_t));
    field->loops = calibrate(it, shared);

    for (tries = 0; tries < TRIES; tries++) {
        memset(field->arrived, 0, sizeof(field->arrived));
        memset(field->disturbed, 0, sizeof(field->disturbed));

        if (start_all(it, shared, n) != 0) {
            return 1;
        }

        if (report(it, n) == 0) {
            return 0;
        }
    }

    fprintf(stderr, "%s: the machine is too busy\n", it->name);

    return 1;
}
