
/*
 * The longest stretch for which a worker does not look after anybody else:
 * preloaded into nginx, it takes the processor time between one epoll_wait()
 * and the next, which is where an event loop learns of others.  What else runs
 * on the machine does not count, nor how fast anybody is to ask.
 *
 * The file that BENCH_STRETCH names holds one number of 64 bits, the longest
 * in ns; who writes a 0 there begins anew.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


typedef int (*stretch_wait_pt)(int ep, struct epoll_event *events, int n,
    int timeout);


static volatile uint64_t  *longest_ns;
static uint64_t            since_ns;    /* 0: has not waited yet */


static uint64_t
stretch_now_ns(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


__attribute__((constructor)) static void
stretch_begin(void)
{
    int          fd;
    void        *map;
    const char  *path;

    path = getenv("BENCH_STRETCH");
    fd = (path != NULL) ? open(path, O_RDWR) : -1;

    if (fd == -1) {
        return;
    }

    map = mmap(NULL, sizeof(uint64_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd,
               0);
    (void) close(fd);

    if (map != MAP_FAILED) {
        longest_ns = map;
    }
}


int
epoll_wait(int ep, struct epoll_event *events, int n, int timeout)
{
    int       rc;
    uint64_t  ns;

    static stretch_wait_pt  wait_next;

    if (longest_ns != NULL && since_ns != 0) {
        ns = stretch_now_ns() - since_ns;

        if (ns > *longest_ns) {
            *longest_ns = ns;
        }
    }

    if (wait_next == NULL) {
        *(void **) &wait_next = dlsym(RTLD_NEXT, "epoll_wait");
    }

    rc = wait_next(ep, events, n, timeout);

    since_ns = stretch_now_ns();

    return rc;
}
