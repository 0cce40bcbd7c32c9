
#include <arpa/inet.h>
#include <string.h>

#include "classify.h"
#include "cohort.h"
#include "facts_rules.h"


/* Room for so many bytes, or NULL. */

static char *
facts_room(sim_facts_t *facts, size_t len)
{
    char  *p;

    if (len > SIM_FACTS_ROOM - facts->used) {
        return NULL;
    }

    p = facts->room + facts->used;
    facts->used += len;

    return p;
}


/* What does not fit is as if it were not there. */

static rcv_str_t
facts_plain(sim_facts_t *facts, rcv_str_t escaped)
{
    char       *p;
    rcv_str_t   s = { "", 0 };

    if (rcv_str_eq(escaped, "-")) {
        return s;
    }

    if (memchr(escaped.data, '\\', escaped.len) == NULL) {
        return escaped;
    }

    p = facts_room(facts, escaped.len);

    if (p != NULL) {
        s.data = p;
        s.len = sim_log_unescape(escaped, p);
    }

    return s;
}


static int
facts_caseless(const char *a, const char *b, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if ((a[i] | 0x20) != (b[i] | 0x20)) {
            return 0;
        }
    }

    return 1;
}


/* Raw, as nginx has it. */

static rcv_str_t
facts_arg(const sim_facts_t *facts, rcv_str_t name)
{
    rcv_str_t    value = { "", 0 };
    const char  *p, *end, *next;

    p = facts->known[SIM_VAR_ARGS].data;
    end = p + facts->known[SIM_VAR_ARGS].len;

    for (/* void */ ; p < end; p = next + 1) {
        next = memchr(p, '&', (size_t) (end - p));
        next = (next != NULL) ? next : end;

        if ((size_t) (next - p) > name.len && p[name.len] == '='
            && facts_caseless(p, name.data, name.len))
        {
            value.data = p + name.len + 1;
            value.len = (size_t) (next - value.data);
            break;
        }
    }

    return value;
}


/* 4 or 16 bytes; 0: it is no address. */

static size_t
facts_address(rcv_str_t text, uint8_t *addr)
{
    char  buf[INET6_ADDRSTRLEN];

    static const uint8_t  mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (text.len >= sizeof(buf)) {
        return 0;
    }

    memcpy(buf, text.data, text.len);
    buf[text.len] = '\0';

    if (inet_pton(AF_INET, buf, addr) == 1) {
        return 4;
    }

    if (inet_pton(AF_INET6, buf, addr) != 1) {
        return 0;
    }

    if (memcmp(addr, mapped, sizeof(mapped)) == 0) {
        memmove(addr, addr + sizeof(mapped), 4);
        return 4;
    }

    return 16;
}


static rcv_str_t
facts_binary(sim_facts_t *facts)
{
    char       *p;
    rcv_str_t   s = { "", 0 };

    p = facts_room(facts, 16);

    if (p != NULL) {
        s.data = p;
        s.len = facts_address(facts->line->addr, (uint8_t *) p);
    }

    return s;
}


static rcv_str_t
facts_value(sim_facts_t *facts, const sim_var_t *var)
{
    rcv_str_t  name;

    switch (var->kind) {

    case SIM_VAR_BINARY_REMOTE_ADDR:
        return facts_binary(facts);

    case SIM_VAR_REMOTE_USER:
        return facts_plain(facts, facts->line->user);

    case SIM_VAR_HTTP_REFERER:
        return facts_plain(facts, facts->line->referer);

    case SIM_VAR_HTTP_USER_AGENT:
        return facts_plain(facts, facts->line->agent);

    case SIM_VAR_ARG:
        name = (rcv_str_t) { var->name.data + 4, var->name.len - 4 };
        return facts_arg(facts, name);

    case SIM_VAR_FIELD:
        return var->value;

    default:
        return facts->known[var->kind];
    }
}


/* Values first: they may take room of their own. */

static int
facts_subject_value(void *data, unsigned subject, rcv_str_t *value)
{
    char         *p;
    sim_part_t   *part, *first, *end;
    sim_facts_t  *facts = data;

    first = facts->parts + facts->first[subject];
    end = facts->parts + facts->first[subject + 1];
    value->len = 0;

    for (part = first; part < end; part++) {

        if (part->var >= 0) {
            part->text = facts_value(facts, &facts->vars[part->var]);
        }

        value->len += part->text.len;
    }

    if (end - first == 1) {
        *value = first->text;
        return 0;
    }

    p = facts_room(facts, value->len);

    if (p == NULL) {
        return -1;
    }

    value->data = p;

    for (part = first; part < end; part++) {
        memcpy(p, part->text.data, part->text.len);
        p += part->text.len;
    }

    return 0;
}


/* Takes what was logged by name; a variable may be there for the first time. */

static void
facts_fields(sim_facts_t *facts)
{
    unsigned                i, k, more;
    sim_var_t              *var;
    const sim_log_field_t  *field;

    more = 0;

    for (k = 0; k < facts->nvars; k++) {
        var = &facts->vars[k];

        if (var->kind != SIM_VAR_FIELD) {
            continue;
        }

        var->value.len = 0;

        for (i = 0; i < facts->line->nfields; i++) {
            field = &facts->line->fields[i];

            if (sim_facts_same(field->name, var->name)) {
                more |= !var->seen;
                var->seen = 1;
                var->value = facts_plain(facts, field->value);
                break;
            }
        }
    }

    if (more) {
        sim_facts_ask(facts);
    }
}


static uint64_t
facts_user(sim_facts_t *facts)
{
    uint64_t   hash;
    rcv_str_t  user;

    if (facts->played.cohort < 0
        || facts_subject_value(facts, (unsigned) facts->policy->cohort, &user)
           != 0
        || user.len == 0)
    {
        return 0;
    }

    hash = rcv_siphash(0, 0, user.data, user.len);

    return hash ? hash : 1;
}


/* What is in every line; 0, or -1: it is no request. */

static int
facts_request(sim_facts_t *facts)
{
    char       *p;
    rcv_str_t   request, method, path, args, *known;

    request = facts_plain(facts, facts->line->request);

    if (sim_log_request(request, &method, &path, &args) != 0) {
        return -1;
    }

    p = facts_room(facts, path.len);

    if (p == NULL) {
        return -1;
    }

    known = facts->known;
    known[SIM_VAR_REQUEST] = request;
    known[SIM_VAR_REQUEST_METHOD] = method;

    known[SIM_VAR_URI].data = p;
    known[SIM_VAR_URI].len = sim_log_uri(path, p);
    known[SIM_VAR_DOCUMENT_URI] = known[SIM_VAR_URI];

    known[SIM_VAR_ARGS] = args;
    known[SIM_VAR_QUERY_STRING] = args;
    known[SIM_VAR_IS_ARGS] = (rcv_str_t) { "?", args.len != 0 };

    known[SIM_VAR_REQUEST_URI].data = path.data;
    known[SIM_VAR_REQUEST_URI].len = (size_t) (args.data + args.len
                                               - path.data);

    known[SIM_VAR_REMOTE_ADDR] = facts->line->addr;

    return 0;
}


int
sim_facts_of(sim_facts_t *facts, const sim_logline_t *line, sim_fact_t *fact)
{
    uint8_t               addr[16];
    unsigned              limits;
    rcv_class_facts_t     asked;
    rcv_class_decision_t  decision;

    facts->line = line;
    facts->used = 0;

    if (facts_request(facts) != 0) {
        return -1;
    }

    facts_fields(facts);

    memset(&asked, 0, sizeof(asked));

    asked.subject = facts_subject_value;
    asked.data = facts;
    asked.named = facts->vars[facts->named].value;
    asked.trusted = facts->policy->ntrust != 0
                    && rcv_policy_trusts(facts->policy, addr,
                                         facts_address(line->addr, addr));

    rcv_classify(&facts->asked, &asked, &decision);

    fact->class_index = decision.class_index;
    fact->retry = (unsigned) rcv_classify_retry(&facts->asked, &asked,
                                                &limits);
    fact->user = facts_user(facts);
    fact->uri = facts->known[SIM_VAR_URI];

    return 0;
}
