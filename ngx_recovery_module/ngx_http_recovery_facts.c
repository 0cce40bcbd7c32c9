
/*
 * What a request says of itself: its class, whether it is a retry, who its
 * user is, what it costs.  Strings are evaluated when a rule asks, and once.
 */

#include "ngx_http_recovery_ask.h"


static void ngx_http_recovery_facts(ngx_http_recovery_ask_t *ask,
    rcv_class_facts_t *facts);
static void ngx_http_recovery_pattern_limits(ngx_http_recovery_ask_t *ask,
    ngx_uint_t n);
static int ngx_http_recovery_subject(void *data, unsigned subject,
    rcv_str_t *value);
static ngx_uint_t ngx_http_recovery_trusted(ngx_http_request_t *r,
    const rcv_policy_t *policy);


ngx_uint_t
ngx_http_recovery_classify(ngx_http_recovery_ask_t *ask)
{
    ngx_str_t                      name;
    rcv_policy_t                  *policy;
    rcv_class_facts_t              facts;
    ngx_http_request_t            *r;
    rcv_class_decision_t           decision;
    ngx_http_recovery_loc_conf_t  *rlcf;

    r = ask->request;
    rlcf = ask->conf;
    policy = ask->policy->core;

    ngx_http_recovery_facts(ask, &facts);
    facts.trusted = policy->ntrust != 0
                    && ngx_http_recovery_trusted(r, policy);
    facts.named_client_chosen = (unsigned) rlcf->class_client_chosen;

    if (rlcf->class_name != NULL
        && ngx_http_complex_value(r, rlcf->class_name, &name) == NGX_OK)
    {
        facts.named.data = (const char *) name.data;
        facts.named.len = name.len;
    }

    rcv_classify(policy, &facts, &decision);

    ngx_http_recovery_pattern_limits(ask, decision.pattern_limits);

    if (decision.unknown_name) {
        rcv_add(&ask->main->zone->undecided
                    [NGX_HTTP_RECOVERY_UNDECIDED_UNKNOWN_CLASS], 1);
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "recovery: policy \"%V\" has no class \"%*s\", "
                      "its rules decide",
                      &ask->policy->name, facts.named.len,
                      facts.named.data);
    }

    return decision.class_index;
}


static void
ngx_http_recovery_facts(ngx_http_recovery_ask_t *ask,
    rcv_class_facts_t *facts)
{
    ngx_memzero(facts, sizeof(rcv_class_facts_t));

    facts->subject = ngx_http_recovery_subject;
    facts->data = ask;
}


ngx_uint_t
ngx_http_recovery_is_retry(ngx_http_recovery_ask_t *ask,
    ngx_http_recovery_backend_t *backend)
{
    unsigned           limits;
    rcv_class_facts_t  facts;

    if (!rcv_budget_on(&backend->record->gate)) {
        return 0;
    }

    if (ask->again) {
        return 1;
    }

    if (ask->retry == NGX_HTTP_RECOVERY_RETRY_UNKNOWN) {
        ngx_http_recovery_facts(ask, &facts);

        ask->retry = rcv_classify_retry(ask->policy->core, &facts, &limits)
                     ? NGX_HTTP_RECOVERY_RETRY_YES
                     : NGX_HTTP_RECOVERY_RETRY_NO;

        ngx_http_recovery_pattern_limits(ask, limits);
    }

    return ask->retry == NGX_HTTP_RECOVERY_RETRY_YES;
}


static void
ngx_http_recovery_pattern_limits(ngx_http_recovery_ask_t *ask, ngx_uint_t n)
{
    if (n == 0) {
        return;
    }

    rcv_add(&ask->main->zone->undecided
                [NGX_HTTP_RECOVERY_UNDECIDED_PATTERN_LIMIT], n);

    ngx_log_error(NGX_LOG_INFO, ask->request->connection->log, 0,
                  "recovery: %ui patterns of policy \"%V\" hit a limit "
                  "and count as no match", n, &ask->policy->name);
}


static int
ngx_http_recovery_subject(void *data, unsigned subject, rcv_str_t *value)
{
    ngx_http_recovery_ask_t *ask = data;

    ngx_str_t                    text;
    ngx_http_variable_value_t   *v;
    ngx_http_recovery_string_t  *string;

    string = &ask->policy->subjects[subject];

    if (string->uri) {
        value->data = (const char *) ask->request->uri.data;
        value->len = ask->request->uri.len;
        return 0;
    }

    if (string->variable != NGX_ERROR) {
        v = ngx_http_get_flushed_variable(ask->request,
                                          (ngx_uint_t) string->variable);

        if (v == NULL || v->not_found) {
            return -1;
        }

        value->data = (const char *) v->data;
        value->len = v->len;

        return 0;
    }

    if (ngx_http_complex_value(ask->request, &string->value, &text)
        != NGX_OK)
    {
        return -1;
    }

    value->data = (const char *) text.data;
    value->len = text.len;

    return 0;
}


/* Asked for once, and only under a cut. */

rcv_str_t
ngx_http_recovery_user(ngx_http_recovery_ask_t *ask)
{
    if (!ask->user_known) {
        ask->user_known = 1;

        if (ngx_http_recovery_subject(ask,
                                      (unsigned) ask->policy->core->cohort,
                                      &ask->user)
            != 0)
        {
            ask->user.len = 0;
        }
    }

    return ask->user;
}


static ngx_uint_t
ngx_http_recovery_trusted(ngx_http_request_t *r, const rcv_policy_t *policy)
{
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return rcv_policy_trusts(policy, (uint8_t *) &sin->sin_addr, 4);

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            return rcv_policy_trusts(policy, &sin6->sin6_addr.s6_addr[12],
                                     4);
        }

        return rcv_policy_trusts(policy, sin6->sin6_addr.s6_addr, 16);
#endif

    default:
        return 0;
    }
}


/* A cost that is no number is 1: it must not make a request free. */

uint32_t
ngx_http_recovery_cost_named(ngx_http_request_t *r,
    ngx_http_recovery_loc_conf_t *rlcf)
{
    uint64_t   cost_milli;
    ngx_str_t  text;
    rcv_str_t  word;

    if (ngx_http_complex_value(r, rlcf->cost, &text) == NGX_OK) {
        word.data = (const char *) text.data;
        word.len = text.len;

        if (rcv_parse_decimal(word, (uint64_t) RCV_COST_MAX * RCV_MILLI,
                              &cost_milli)
            == 0)
        {
            return (uint32_t) cost_milli;
        }

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "recovery: cost \"%V\" is not a number from 0 to %d, "
                      "1 is taken", &text, RCV_COST_MAX);
    }

    return RCV_MILLI;
}
