
/*
 * The verb "check": what a configuration says of recovery, as read by the
 * core that nginx has inside, and what is legal there and yet most likely
 * not meant.
 *
 * check_read.c reads files into this, check_names.c sees whether names fit,
 * check_policy.c looks at the rules of a policy, check_forged.c at variables
 * that a client chooses in the end.
 */

#ifndef CTL_CHECK_H_INCLUDED_
#define CTL_CHECK_H_INCLUDED_


#include <string.h>

#include "backend_lines.h"
#include "policy.h"
#include "token.h"


typedef struct {
    const char           *path;
    unsigned              line;
} check_place_t;


typedef struct {
    check_place_t         place;
    size_t                file;         /* the first one in this file */
    size_t                order;        /* in which they were found */
    unsigned              warning;      /* nginx takes it all the same */
    char                 *text;
} check_finding_t;


typedef struct {
    rcv_str_t             name;
    check_place_t         place;
    size_t                scope;        /* in which the block is */
    unsigned              broken;       /* a line of it was refused */

    rcv_policy_t          core;
    check_place_t         class_at[RCV_CLASSES_MAX];
    check_place_t         match_at[RCV_MATCHES_MAX];
    rcv_str_t             match_text[RCV_MATCHES_MAX];  /* the PATTERN */
    check_place_t         trust_at;     /* of the first line */
} check_policy_t;


typedef struct {
    rcv_str_t             name;
    check_place_t         place;
    size_t                scope;
    unsigned              broken;
    unsigned              named;        /* some "recovery" names it */

    rcv_backend_lines_t   core;
    check_place_t         policy_at;
} check_backend_t;


/* A block of the file, or all of it. */

typedef enum {
    CHECK_MAIN = 0,                     /* outside of every block */
    CHECK_HTTP,
    CHECK_SERVER,
    CHECK_LOCATION,                     /* and what is inside of one */
    CHECK_UPSTREAM,
    CHECK_MAP,
    CHECK_OTHER                         /* nothing of ours can be in it */
} check_kind_t;

typedef struct {
    check_kind_t          kind;
    size_t                parent;

    /* "recovery": n is 0 for "off" */
    unsigned              governed;     /* the line is there */
    check_place_t         governed_at;
    rcv_str_t            *names;
    unsigned              nnames;

    rcv_str_t             class_name;   /* "recovery_class"; empty: none */
    check_place_t         class_at;

    const char           *answers;      /* "recovery_status", "..._control" */
    check_place_t         answers_at;
} check_scope_t;


/* A variable of "map" or "set". */

typedef struct {
    rcv_str_t             name;         /* with its "$" */
    rcv_str_t             source;
    check_place_t         place;
    rcv_str_t            *values;
    size_t                nvalues;
} check_made_t;


typedef struct {
    check_finding_t      *findings;
    size_t                nfindings;

    check_policy_t      **policies;
    size_t                npolicies;
    check_policy_t       *builtin;      /* that of who names none */
    check_backend_t      *backends;
    size_t                nbackends;
    check_scope_t        *scopes;       /* scopes[0]: outside of every block */
    size_t                nscopes;
    check_made_t         *made;
    size_t                nmade;

    unsigned              whole;        /* it has an "http" block */
    unsigned              hears;        /* of health: by Redis, by orders */

    /* while it is read */
    size_t                at;           /* the scope we are in */
    unsigned              inside;       /* a policy, a backend, or neither */
    unsigned              skip;         /* blocks where none may be */
} check_t;


void ctl_bad(check_t *check, check_place_t place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ctl_warn(check_t *check, check_place_t place, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/* Room for one more element behind n, zeroed; ends when there is none. */
void *ctl_grow(void *list, size_t n, size_t size);

/* For "%.*s". */
#define CHECK_WORD(word)  (int) (word).len, (word).data

static inline int
check_same(rcv_str_t a, rcv_str_t b)
{
    size_t  i;

    for (i = 0; i < a.len && i < b.len && a.data[i] == b.data[i]; i++) {
        /* void */
    }

    return i == a.len && i == b.len;
}


static inline int
check_has_variable(rcv_str_t text)
{
    return text.len != 0 && memchr(text.data, '$', text.len) != NULL;
}


/* The stages; each adds what it finds. */
void ctl_check_read(check_t *check, const char *path);
void ctl_check_names(check_t *check);
void ctl_check_policies(check_t *check);
void ctl_check_forged(check_t *check);


/* By name; NULL: there is none. */
check_policy_t *ctl_policy_find(const check_t *check, rcv_str_t name);
check_backend_t *ctl_backend_find(const check_t *check, rcv_str_t name);

/* The policy that a backend has, NULL: what it names is not there. */
check_policy_t *ctl_policy_of(const check_t *check,
    const check_backend_t *backend);

/* The nearest scope, from this one outwards, that has the line; or NULL. */
const check_scope_t *ctl_governs(const check_t *check, size_t scope);
const check_scope_t *ctl_classes(const check_t *check, size_t scope);


#endif /* CTL_CHECK_H_INCLUDED_ */
