
/*
 * What demo-store and demo-crowd have in common: a clock, a seeded random
 * source, command line values with bounds, loopback addresses.
 *
 * Both programs are toys that put load on a machine, so both refuse every
 * address that is not in 127.0.0.0/8.
 */


#ifndef DEMO_H_INCLUDED
#define DEMO_H_INCLUDED


#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>


#define DEMO_MS_NS      UINT64_C(1000000)
#define DEMO_SECOND_NS  UINT64_C(1000000000)


static inline uint64_t
demo_now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * DEMO_SECOND_NS + (uint64_t) ts.tv_nsec;
}


/* splitmix64: every seed is good, zero too */

static inline uint64_t
demo_random(uint64_t *state)
{
    uint64_t  z;

    *state += UINT64_C(0x9e3779b97f4a7c15);
    z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);

    return z ^ (z >> 31);
}


/* uniform in [0, 1) */

static inline double
demo_random_unit(uint64_t *state)
{
    return (double) (demo_random(state) >> 11) / 9007199254740992.0;
}


typedef enum {
    DEMO_FLAG = 0,            /* bool */
    DEMO_NUMBER,              /* uint32_t, from min to max */
    DEMO_TEXT,                /* const char * */
    DEMO_LOOPBACK             /* struct sockaddr_in */
} demo_kind_t;


typedef struct {
    const char   *name;       /* with the dashes; NULL ends the table */
    demo_kind_t   kind;
    void         *value;
    uint32_t      min;
    uint32_t      max;
} demo_option_t;


static inline bool
demo_number(const char *text, uint32_t min, uint32_t max, uint32_t *number)
{
    char                *end;
    unsigned long long   value;

    errno = 0;
    value = strtoull(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0
        || value < min || value > max)
    {
        return false;
    }

    *number = (uint32_t) value;

    return true;
}


/* ADDRESS:PORT in 127.0.0.0/8 */

static inline bool
demo_loopback(const char *text, struct sockaddr_in *sin)
{
    char         address[64];
    size_t       length;
    uint32_t     port;
    const char  *colon;

    colon = strrchr(text, ':');
    length = colon ? (size_t) (colon - text) : 0;

    if (length == 0 || length >= sizeof(address)
        || !demo_number(colon + 1, 1, 65535, &port))
    {
        return false;
    }

    memcpy(address, text, length);
    address[length] = '\0';

    memset(sin, 0, sizeof(*sin));
    sin->sin_family = AF_INET;
    sin->sin_port = htons((uint16_t) port);

    return inet_pton(AF_INET, address, &sin->sin_addr) == 1
           && (ntohl(sin->sin_addr.s_addr) >> 24) == 127;
}


static inline bool
demo_option_set(const demo_option_t *option, const char *text)
{
    switch (option->kind) {

    case DEMO_FLAG:
        *(bool *) option->value = true;
        return text == NULL;

    case DEMO_NUMBER:
        return text
               && demo_number(text, option->min, option->max, option->value);

    case DEMO_TEXT:
        *(const char **) option->value = text;
        return text != NULL;

    case DEMO_LOOPBACK:
        return text && demo_loopback(text, option->value);
    }

    return false;
}


static inline void
demo_option_refuse(const char *program, const char *argument,
    const demo_option_t *option)
{
    fprintf(stderr, "%s: %s: ", program, argument);

    switch (option->kind) {

    case DEMO_FLAG:
        fprintf(stderr, "takes no value\n");
        break;

    case DEMO_NUMBER:
        fprintf(stderr, "a whole number from %u to %u expected\n",
                option->min, option->max);
        break;

    case DEMO_TEXT:
        fprintf(stderr, "a value expected\n");
        break;

    case DEMO_LOOPBACK:
        fprintf(stderr, "ADDRESS:PORT in 127.0.0.0/8 expected\n");
        break;
    }

    exit(2);
}


/* --name=value arguments; a wrong one ends the program */

static inline void
demo_options(const char *program, const char *help,
    const demo_option_t *options, int argc, char **argv)
{
    int                   i;
    size_t                length;
    const char           *value;
    const demo_option_t  *option;

    for (i = 1; i < argc; i++) {

        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            exit(0);
        }

        value = strchr(argv[i], '=');
        length = value ? (size_t) (value - argv[i]) : strlen(argv[i]);

        for (option = options; option->name; option++) {
            if (strlen(option->name) == length
                && strncmp(option->name, argv[i], length) == 0)
            {
                break;
            }
        }

        if (option->name == NULL) {
            fprintf(stderr, "%s: unknown option \"%s\", see --help\n",
                    program, argv[i]);
            exit(2);
        }

        if (!demo_option_set(option, value ? value + 1 : NULL)) {
            demo_option_refuse(program, argv[i], option);
        }
    }
}


/* as many descriptors as we may have; returns how many that is, at least 64 */

static inline uint32_t
demo_descriptors(void)
{
    struct rlimit  limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < 64) {
        return 64;
    }

    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit);

    return limit.rlim_cur > 1000000 ? 1000000 : (uint32_t) limit.rlim_cur;
}


#endif /* DEMO_H_INCLUDED */
