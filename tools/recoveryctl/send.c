
/*
 * An order to recovery_control of each --url.  Redis is not touched: nodes
 * obey at once, and one by one.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "order.h"
#include "sight.h"
#include "url.h"


#define SEND_TRIES     3
#define SEND_PAUSE_MS  200


/* What became of it at the nodes. */

typedef struct {
    unsigned      done;
    unsigned      refused;
    unsigned      bad;
    unsigned      unreached;
    ctl_sights_t  sights;
} send_t;


static json_t *
send_body(const ctl_options_t *options, const char *name,
    const ctl_order_t *order)
{
    char     for_ms[32];
    json_t  *body;

    body = json_pack("{s:s, s:s, s:s}", "backend", name, "action",
                     order->action, "by", options->by);

    if (body == NULL) {
        return NULL;
    }

    if (options->reason != NULL) {
        (void) json_object_set_new(body, "reason",
                                   json_string(options->reason));
    }

    if (order->value[0] != '\0') {
        (void) json_object_set_new(body, "value", json_string(order->value));
    }

    if (order->for_ms != 0) {
        (void) snprintf(for_ms, sizeof(for_ms), "%llums",
                        (unsigned long long) order->for_ms);
        (void) json_object_set_new(body, "for", json_string(for_ms));
    }

    if (options->override_safety) {
        (void) json_object_set_new(body, "override_safety",
                                   json_string("failing"));
    }

    return body;
}


/* 503: others were writing all the time. */

static void
send_post(const ctl_options_t *options, const char *url, const json_t *body,
    ctl_answer_t *answer)
{
    unsigned         tries;
    struct timespec  ts;

    for (tries = 1; /* void */ ; tries++) {
        (void) ctl_url_post(options, url, body, answer);

        if (answer->status != 503 || tries == SEND_TRIES) {
            return;
        }

        ctl_answer_free(answer);
        ts.tv_sec = 0;
        ts.tv_nsec = SEND_PAUSE_MS * 1000000l;
        (void) nanosleep(&ts, NULL);
    }
}


static void
send_judge(send_t *sent, const char *url, const ctl_answer_t *answer)
{
    const char  *error;

    error = json_string_value(json_object_get(answer->json, "error"));

    if (answer->status == 0) {
        sent->unreached++;
        ctl_error("%s: %s", url, answer->why);
        return;
    }

    /* a good answer is what is in force at the backend now */

    if (answer->status == 200
        && json_object_get(answer->json, "backend") != NULL)
    {
        sent->done++;
        return;
    }

    if (error != NULL) {
        ctl_error("%s: %s", url, error);

        if (answer->status == 409) {
            sent->refused++;

        } else if (answer->status == 503) {
            sent->unreached++;

        } else {
            sent->bad++;
        }

        return;
    }

    sent->unreached++;
    ctl_error("%s: answers %ld, this is no recovery_control", url,
              answer->status);

    if (answer->status == 401 || answer->status == 403) {
        ctl_hint("it is protected: by address (allow, deny), or by a "
                 "password that ~/.netrc has to hold");
    }
}


/* What the node makes of it. */

static void
send_look(const ctl_options_t *options, unsigned i, const char *name,
    ctl_sights_t *sights)
{
    char          *url;
    ctl_answer_t   answer;

    url = ctl_url_status(options, i);

    if (url == NULL) {
        return;
    }

    (void) ctl_url_get(options, url, &answer);

    ctl_sight_add(sights, json_object_get(json_object_get(answer.json,
                                                          "backends"),
                                          name));

    ctl_answer_free(&answer);
    free(url);
}


static int
send_result(const send_t *sent, const ctl_order_t *order)
{
    if (sent->refused != 0) {
        ctl_hint("look first: recoveryctl --url URL status");

        if (strcmp(order->action, "force") == 0) {
            ctl_hint("to break the rule, if you know better:");
            ctl_again(NULL, "--override-safety failing");
        }

        return CTL_REFUSED;
    }

    if (sent->done == 0) {
        return sent->unreached ? CTL_UNREACHABLE : CTL_USAGE;
    }

    if (sent->unreached + sent->bad != 0) {
        ctl_hint("those that have not obeyed go on as before: order them "
                 "again");
        return CTL_UNCONFIRMED;
    }

    return CTL_OK;
}


int
ctl_send(ctl_t *ctl, const char *name, const ctl_order_t *order)
{
    json_t        *body;
    send_t         sent;
    unsigned       i, done;
    ctl_answer_t   answer;

    memset(&sent, 0, sizeof(sent));
    body = send_body(&ctl->options, name, order);

    if (body == NULL) {
        ctl_error("the order is no UTF-8, which JSON must be");
        return CTL_USAGE;
    }

    for (i = 0; i < ctl->options.nurls; i++) {
        done = sent.done;
        send_post(&ctl->options, ctl->options.urls[i], body, &answer);
        send_judge(&sent, ctl->options.urls[i], &answer);
        ctl_answer_free(&answer);

        if (sent.done > done) {
            send_look(&ctl->options, i, name, &sent.sights);
        }
    }

    json_decref(body);

    if (sent.done != 0) {
        ctl_order_told(&ctl->options, name, order);
        ctl_sight_print(&sent.sights, sent.done, ctl->options.nurls);
    }

    return send_result(&sent, order);
}
