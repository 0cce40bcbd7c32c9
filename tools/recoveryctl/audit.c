
/*
 * The stream PREFIXaudit: who ordered what, and what became of it.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "order.h"
#include "pause.h"
#include "words.h"


#define AUDIT_SHOWN      20             /* without --follow */
#define AUDIT_BATCH      "200"
#define AUDIT_PAGES_MAX  64             /* of those; the stream is capped */
#define AUDIT_FOLLOW_MS  500
#define AUDIT_ID_MAX     48


typedef struct {
    ctl_t       *ctl;
    char        *key;
    const char  *only;                  /* a backend; NULL: all */
    char         last[AUDIT_ID_MAX];    /* the latest that was read */
} audit_t;


typedef struct {
    redisReply        *page[AUDIT_PAGES_MAX];
    size_t             npages;
    const redisReply  *shown[AUDIT_SHOWN];
    size_t             nshown;
} audit_pages_t;


static const char *
audit_field(const redisReply *entry, const char *name)
{
    size_t             i;
    const redisReply  *fields;

    fields = entry->element[1];

    for (i = 0; i + 1 < fields->elements; i += 2) {
        if (fields->element[i]->type == REDIS_REPLY_STRING
            && fields->element[i + 1]->type == REDIS_REPLY_STRING
            && strcmp(fields->element[i]->str, name) == 0)
        {
            return fields->element[i + 1]->str;
        }
    }

    return "";
}


/* An id, and fields; of the backend that is asked for. */

static int
audit_wanted(const audit_t *audit, const redisReply *entry)
{
    return entry->type == REDIS_REPLY_ARRAY && entry->elements == 2
           && entry->element[0]->type == REDIS_REPLY_STRING
           && entry->element[0]->len < AUDIT_ID_MAX
           && entry->element[1]->type == REDIS_REPLY_ARRAY
           && (audit->only == NULL
               || strcmp(audit_field(entry, "backend"), audit->only) == 0);
}


/* When it happened, by the clock of the node; else when it was written. */

static void
audit_time(const redisReply *entry)
{
    char         text[32];
    time_t       s;
    uint64_t     ms;
    struct tm    tm;
    rcv_str_t    word;
    const char  *value;

    value = audit_field(entry, "time_ms");
    value = *value ? value : entry->element[0]->str;

    word.data = value;
    word.len = strcspn(value, "-");

    if (rcv_parse_integer(word, &ms) != 0) {
        ms = 0;
    }

    s = (time_t) (ms / 1000);

    if (localtime_r(&s, &tm) == NULL
        || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
    {
        text[0] = '\0';
    }

    fputs(text, stdout);
}


static void
audit_word(const char *before, const char *word)
{
    if (*word != '\0') {
        fputs(before, stdout);
        ctl_text(stdout, word);
    }
}


static void
audit_line(const redisReply *entry)
{
    const char  *from, *to, *force;

    from = audit_field(entry, "from");
    to = audit_field(entry, "to");
    force = audit_field(entry, "force");

    audit_time(entry);
    audit_word("  ", audit_field(entry, "backend"));
    audit_word("  ", audit_field(entry, "node"));
    audit_word("  ", from);

    if (strcmp(from, to) != 0) {
        audit_word(" -> ", to);
    }

    if (strcmp(force, "none") != 0) {
        audit_word(", force ", force);
    }

    audit_word(": ", audit_field(entry, "what"));
    audit_word(", by ", audit_field(entry, "by"));
    audit_word(": ", audit_field(entry, "reason"));
    fputc('\n', stdout);
}


/* Fields as they are; what is no UTF-8 is left out. */

static void
audit_json(const redisReply *entry)
{
    size_t             i;
    json_t            *object;
    const redisReply  *fields;

    object = json_object();
    fields = entry->element[1];

    (void) json_object_set_new(object, "id",
                               json_string(entry->element[0]->str));

    for (i = 0; i + 1 < fields->elements; i += 2) {
        if (fields->element[i]->type == REDIS_REPLY_STRING
            && fields->element[i + 1]->type == REDIS_REPLY_STRING)
        {
            (void) json_object_set_new(object, fields->element[i]->str,
                                       json_string(fields->element[i + 1]
                                                   ->str));
        }
    }

    (void) json_dumpf(object, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    json_decref(object);
}


static void
audit_show(audit_t *audit, const redisReply *entry)
{
    if (audit->ctl->options.json) {
        audit_json(entry);

    } else {
        audit_line(entry);
    }
}


/* The id behind, or before, another one: "ms-sequence". */

static void
audit_beside(char *id, int after)
{
    char           *dash;
    uint64_t        ms, n;

    dash = strchr(id, '-');
    ms = strtoull(id, NULL, 10);
    n = dash ? strtoull(dash + 1, NULL, 10) : 0;

    if (after) {
        ms += (n == UINT64_MAX);
        n++;

    } else {
        ms -= (n == 0 && ms != 0);
        n--;
    }

    (void) snprintf(id, AUDIT_ID_MAX, "%llu-%llu", (unsigned long long) ms,
                    (unsigned long long) n);
}


/* The id of an entry; NULL: this is none. */

static const char *
audit_id(const redisReply *entry)
{
    return entry->type == REDIS_REPLY_ARRAY && entry->elements == 2
           && entry->element[0]->type == REDIS_REPLY_STRING
           && entry->element[0]->len < AUDIT_ID_MAX
           ? entry->element[0]->str : NULL;
}


/* The page that ends at id, which moves before it.  0: it is the first. */

static int
audit_page(audit_t *audit, audit_pages_t *pages, char *id)
{
    size_t       i;
    redisReply  *reply;
    const char  *first;

    reply = ctl_redis_call(audit->ctl->redis, "XREVRANGE", audit->key, id,
                           "-", "COUNT", AUDIT_BATCH);

    if (reply == NULL) {
        return -1;
    }

    pages->page[pages->npages++] = reply;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        return 0;
    }

    for (i = 0; i < reply->elements && pages->nshown < AUDIT_SHOWN; i++) {
        if (audit_wanted(audit, reply->element[i])) {
            pages->shown[pages->nshown++] = reply->element[i];
        }
    }

    if (pages->npages == 1 && audit_id(reply->element[0]) != NULL) {
        (void) snprintf(audit->last, sizeof(audit->last), "%s",
                        audit_id(reply->element[0]));
    }

    first = audit_id(reply->element[reply->elements - 1]);

    if (first == NULL) {
        return 0;
    }

    (void) snprintf(id, AUDIT_ID_MAX, "%s", first);
    audit_beside(id, 0);

    return 1;
}


/*
 * The latest ones, from the last backwards until there are enough; shown in
 * the order of time.
 */

static int
audit_latest(audit_t *audit)
{
    int            rc;
    char           id[AUDIT_ID_MAX];
    size_t         i;
    audit_pages_t  pages;

    memset(&pages, 0, sizeof(pages));
    strcpy(id, "+");

    do {
        rc = audit_page(audit, &pages, id);
    } while (rc == 1 && pages.nshown < AUDIT_SHOWN
             && pages.npages < AUDIT_PAGES_MAX);

    for (i = pages.nshown; rc >= 0 && i > 0; i--) {
        audit_show(audit, pages.shown[i - 1]);
    }

    for (i = 0; i < pages.npages; i++) {
        freeReplyObject(pages.page[i]);
    }

    if (rc >= 0 && pages.nshown == 0) {
        ctl_hint("nothing in %s%s%s yet", audit->key,
                 audit->only ? " of " : "", audit->only ? audit->only : "");
    }

    return rc;
}


/* What has come since. */

static int
audit_new(audit_t *audit)
{
    size_t       i;
    char         from[AUDIT_ID_MAX];
    redisReply  *reply;

    (void) snprintf(from, sizeof(from), "%s", audit->last);
    audit_beside(from, 1);

    reply = ctl_redis_call(audit->ctl->redis, "XRANGE", audit->key, from, "+",
                           "COUNT", AUDIT_BATCH);

    if (reply == NULL) {
        return -1;
    }

    for (i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {

        if (audit_wanted(audit, reply->element[i])) {
            audit_show(audit, reply->element[i]);
        }

        if (audit_id(reply->element[i]) != NULL) {
            (void) snprintf(audit->last, sizeof(audit->last), "%s",
                            audit_id(reply->element[i]));
        }
    }

    freeReplyObject(reply);

    return 0;
}


/* Redis may go and come back meanwhile; each is said once. */

static int
audit_follow(audit_t *audit)
{
    unsigned  away;

    ctl_pause_begin();
    away = 0;

    while (ctl_flush() == 0 && ctl_pause(AUDIT_FOLLOW_MS) == 0) {

        if (audit_new(audit) == 0) {
            if (away) {
                ctl_error("Redis answers again");
            }

            away = 0;

        } else if (!away) {
            (void) ctl_redis_failed(audit->ctl->redis);
            away = 1;
        }
    }

    return CTL_OK;
}


int
ctl_audit(ctl_t *ctl)
{
    int      rc;
    audit_t  audit;

    if (ctl->options.nurls != 0) {
        return ctl_usage(ctl, NULL, "the audit is in Redis; what a node knows "
                         "is in its status, as events: recoveryctl --url URL "
                         "status --json");
    }

    if (ctl->argc > 1) {
        return ctl_usage(ctl, NULL, "\"%s\" is one word too many",
                         ctl->argv[1]);
    }

    audit.ctl = ctl;
    audit.only = ctl->argc ? ctl->argv[0] : NULL;
    strcpy(audit.last, "0-0");

    if (audit.only != NULL && ctl_name_check(audit.only) != CTL_OK) {
        return CTL_USAGE;
    }

    ctl_again_url_set(NULL, "status");
    audit.key = ctl_redis_key(ctl->redis, "audit", NULL);

    if (audit.key == NULL) {
        return CTL_UNREACHABLE;
    }

    rc = audit_latest(&audit) < 0 ? ctl_redis_failed(ctl->redis)
         : ctl->options.follow ? audit_follow(&audit) : CTL_OK;

    free(audit.key);

    return rc;
}
