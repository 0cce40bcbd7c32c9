
/*
 * Words of the command line, and of RECOVERY_REDIS in the environment, which
 * holds what the directive "recovery_redis" holds.
 */

#ifndef CTL_OPTIONS_H_INCLUDED_
#define CTL_OPTIONS_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define CTL_SERVERS_MAX   8
#define CTL_URLS_MAX      64
#define CTL_PREFIX_MAX    64
#define CTL_WORD_MAX      128           /* a name of a user or a master */
#define CTL_PASSWORD_MAX  512
#define CTL_HOST_MAX      255
#define CTL_TEXT_MAX      512           /* by, reason: nginx shows 63 bytes */


/* Which options a verb takes, besides those that say where to connect to. */

#define CTL_TAKES_BY       0x0001
#define CTL_TAKES_REASON   0x0002
#define CTL_TAKES_FOR      0x0004
#define CTL_TAKES_WAIT     0x0008
#define CTL_TAKES_LEVEL    0x0010
#define CTL_TAKES_SAFETY   0x0020
#define CTL_TAKES_JSON     0x0040
#define CTL_TAKES_WATCH    0x0080
#define CTL_TAKES_FOLLOW   0x0100
#define CTL_TAKES_COLOR    0x0200
#define CTL_TAKES_RAW      0x8000       /* reads all its words itself */


/* redis://[user@]host[:port][/db], rediss://..., unix:/path */

typedef struct {
    const char    *uri;                 /* as it was given */
    char           user[CTL_WORD_MAX + 1];      /* "": none */
    char           host[CTL_HOST_MAX + 1];      /* or a path */
    uint16_t       port;                /* 0: host is a path */
    unsigned       db;
    unsigned       tls;
} ctl_server_t;


/* Strings are NULL when they were not given. */

typedef struct {
    ctl_server_t   servers[CTL_SERVERS_MAX];
    unsigned       nservers;            /* at least 1 */
    unsigned       guessed;             /* nobody has said where Redis is */
    const char    *prefix;
    uint64_t       timeout_ms;
    unsigned       db;                  /* of unix: servers */
    const char    *password;
    const char    *sentinel;
    const char    *sentinel_user;
    const char    *sentinel_password;
    const char    *tls_ca;
    const char    *tls_cert;
    const char    *tls_key;
    unsigned       tls_verify;
} ctl_redis_conf_t;


typedef struct {
    ctl_redis_conf_t  redis;

    const char    *urls[CTL_URLS_MAX];  /* --url: then Redis is not touched */
    unsigned       nurls;
    const char    *status_url;

    const char    *by;                  /* never NULL */
    const char    *reason;
    const char    *level;
    uint64_t       for_ms;              /* 0: not given */
    uint64_t       wait_ms;             /* 0: do not */
    unsigned       override_safety;
    unsigned       json;
    unsigned       watch;
    unsigned       follow;
    unsigned       no_color;
    unsigned       help;

    /* until all is read */
    const char    *password_file;
    const char    *sentinel_password_file;
    unsigned       own_servers;         /* servers are of the command line */
    unsigned       own_password;
} ctl_options_t;


/*
 * Reads all words behind argv[0]: options go into *options, the others are
 * left in argv from 1 on, and *argc says how many.  The first of them is the
 * verb: takes() says which options it takes.  -1: has said what is wrong, and
 * what is allowed.
 */
int ctl_options_read(ctl_options_t *options, int *argc, char **argv,
    unsigned (*takes)(const char *verb));

/* The options of a verb, a line each; 0: those that every verb takes. */
void ctl_options_help(unsigned takes);


/* Pieces of it.  -1 after a message; "where" is the option or the variable. */

/* One URI; it is added to the servers. */
int ctl_server_read(ctl_redis_conf_t *conf, const char *uri,
    const char *where);

/* What can be judged only when all is read. */
int ctl_servers_check(ctl_redis_conf_t *conf);

/* The first line of a file, for free(); NULL after a message. */
char *ctl_password_read(const char *path, const char *where);

/*
 * The next word of text, which moves behind it: without its quotes, for
 * free().  NULL at the end; *bad: a quote is missing.
 */
char *ctl_word_next(const char **text, int *bad);

/* Who we are: the login name. */
const char *ctl_login(void);


#endif /* CTL_OPTIONS_H_INCLUDED_ */
