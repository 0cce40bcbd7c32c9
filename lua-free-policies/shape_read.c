
/*
 * The part of PCRE2's language that most rules are written in, as states.
 *
 * Anything else ends what is known: from there on any string will do.  That
 * holds only as long as what follows cannot take back what stands before it,
 * so within a group, or with an alternative still to come, nothing is known
 * at all; and the piece right before it may be repeated or left out.
 *
 * What PCRE2 might give up on, as it takes too long, ends it as well.  There
 * no string comes that has not what stands before.
 */

#include <string.h>

#include "shape_nfa.h"


#define RCV_NFA_SPARE    24             /* more than one piece may take */
#define RCV_NFA_COPIES   16
#define RCV_NFA_DEPTH    16


typedef struct {
    rcv_nfa_t      *nfa;
    const uint8_t  *p;
    const uint8_t  *end;
    int             caseless;
    int             newline;
    unsigned        depth;
    unsigned        turns;              /* what PCRE2 may come back to */
    int             stuck;              /* any string from here on */
    int             failed;             /* nothing is known */

    unsigned        found;              /* states: anything may follow, */
    unsigned        tail;               /* a line feed at most, */
    unsigned        over;               /* nothing */
} rcv_reader_t;


static void rcv_read_either(rcv_reader_t *reader, rcv_part_t *part);


static rcv_nfa_state_t *
rcv_reader_state(rcv_reader_t *reader, unsigned i)
{
    return &reader->nfa->states[i];
}


static unsigned
rcv_reader_add(rcv_reader_t *reader, rcv_nfa_kind_t kind)
{
    unsigned          i;
    rcv_nfa_state_t  *state;

    if (reader->nfa->n == RCV_NFA_MAX) {
        reader->failed = 1;
        return 0;
    }

    i = reader->nfa->n++;
    state = rcv_reader_state(reader, i);

    memset(state, 0, sizeof(rcv_nfa_state_t));
    state->kind = kind;
    state->out = RCV_NFA_NONE;
    state->also = RCV_NFA_NONE;

    return i;
}


static void
rcv_reader_stuck(rcv_reader_t *reader)
{
    reader->stuck = 1;

    if (reader->depth != 0
        || memchr(reader->p, '|', (size_t) (reader->end - reader->p)) != NULL)
    {
        reader->failed = 1;
    }
}


static void
rcv_part_byte(rcv_reader_t *reader, rcv_part_t *part,
    const rcv_bytes_t *set)
{
    part->first = part->last = rcv_reader_add(reader, RCV_NFA_BYTE);
    part->byte = 1;
    rcv_reader_state(reader, part->first)->set = *set;
}


static void
rcv_part_literal(rcv_reader_t *reader, rcv_part_t *part, unsigned c)
{
    rcv_bytes_t  set;

    memset(&set, 0, sizeof(set));
    rcv_lex_literal(&set, c, reader->caseless);
    rcv_part_byte(reader, part, &set);

    if (c < 128 || !reader->caseless) {
        part->fold = rcv_fold((uint8_t) c);
    }
}


/* No byte: "kind" is RCV_NFA_SPLIT or RCV_NFA_START. */

static void
rcv_part_empty(rcv_reader_t *reader, rcv_part_t *part, rcv_nfa_kind_t kind)
{
    part->first = part->last = rcv_reader_add(reader, kind);
}


/* The end of the string, or what may still come then: the rest is left out. */

static void
rcv_part_end(rcv_reader_t *reader, rcv_part_t *part, unsigned end)
{
    part->first = rcv_reader_add(reader, RCV_NFA_SPLIT);
    part->last = rcv_reader_add(reader, RCV_NFA_SPLIT);
    rcv_reader_state(reader, part->first)->out = end;
}


/* A backslash and what is known to come behind it. */

static void
rcv_read_escape(rcv_reader_t *reader, rcv_part_t *part)
{
    unsigned     c;
    rcv_bytes_t  set;

    memset(&set, 0, sizeof(set));

    c = reader->p[1];

    if (c == 'Z' && !reader->newline) {
        rcv_reader_stuck(reader);
        return;
    }

    reader->p += 2;

    if (rcv_lex_type(&set, c)) {
        rcv_part_byte(reader, part, &set);
        return;
    }

    switch (c) {

    case 'b':
    case 'B':
        rcv_part_empty(reader, part, RCV_NFA_SPLIT);
        return;

    case 'A':
        rcv_part_empty(reader, part, RCV_NFA_START);
        return;

    case 'z':
        rcv_part_end(reader, part, reader->over);
        return;

    case 'Z':
        rcv_part_end(reader, part, reader->tail);
        return;

    case 'n':
        c = '\n';
        break;

    case 'r':
        c = '\r';
        break;

    case 't':
        c = '\t';
        break;
    }

    rcv_part_literal(reader, part, c);
}


static void
rcv_read_group(rcv_reader_t *reader, rcv_part_t *part)
{
    reader->p++;

    if (reader->p < reader->end && *reader->p == '?') {
        /* "?:", or it would be odd */
        reader->p += 2;
    }

    if (++reader->depth > RCV_NFA_DEPTH) {
        reader->failed = 1;
        return;
    }

    rcv_read_either(reader, part);
    reader->depth--;

    if (reader->failed || reader->p == reader->end) {
        reader->failed = 1;
        return;
    }

    reader->p++;
}


static void
rcv_read_atom(rcv_reader_t *reader, rcv_part_t *part)
{
    rcv_bytes_t  set;

    part->byte = 0;
    part->fold = -1;
    part->ways = 1;
    part->tries = 0;
    part->words.n = 0;

    if (rcv_lex_odd(reader->p, reader->end)) {
        rcv_reader_stuck(reader);
        return;
    }

    switch (*reader->p) {

    case '\\':
        rcv_read_escape(reader, part);
        return;

    case '(':
        rcv_read_group(reader, part);
        return;

    case '[':
        if (!rcv_lex_class(&reader->p, reader->end, reader->caseless, &set)) {
            rcv_reader_stuck(reader);
            return;
        }

        rcv_part_byte(reader, part, &set);
        return;

    case ')':
    case '*':
    case '+':
    case '?':
        reader->failed = 1;
        return;

    case '$':
        if (!reader->newline) {
            rcv_reader_stuck(reader);
            return;
        }

        rcv_part_end(reader, part, reader->tail);
        break;

    case '^':
        rcv_part_empty(reader, part, RCV_NFA_START);
        break;

    case '.':
        memset(&set, 0xff, sizeof(set));
        rcv_part_byte(reader, part, &set);
        break;

    default:
        rcv_part_literal(reader, part, *reader->p);
    }

    reader->p++;
}


/*
 * How often the piece that was read last may stand there.  Whatever is odd
 * behind it may be its quantifier, or nothing between it and that.
 */

static void
rcv_read_times(rcv_reader_t *reader, rcv_times_t *times)
{
    if (!rcv_lex_quantifier(&reader->p, reader->end, times)) {
        times->min = 1;
        times->max = 1;

    } else if (reader->p < reader->end
               && (*reader->p == '?' || *reader->p == '+'))
    {
        /* lazy or possessive: never more than without */
        reader->p++;
    }

    if (rcv_lex_odd(reader->p, reader->end)) {
        times->min = 0;
        times->max = RCV_TIMES_MAX;
    }
}


/*
 * "max" as one, or as any number; "min" exactly for few bytes.  Of what is not
 * one byte, rcv_row_add() takes nothing but "?".
 */

static void
rcv_part_repeat(rcv_reader_t *reader, rcv_part_t *part,
    const rcv_times_t *times)
{
    unsigned          i, copy, begin, split, last;
    rcv_nfa_state_t  *state;

    if (times->min == 1 && times->max == 1) {
        return;
    }

    begin = part->first;

    for (i = 1; part->byte && i < times->min && i < RCV_NFA_COPIES; i++) {
        copy = rcv_reader_add(reader, RCV_NFA_BYTE);
        rcv_reader_state(reader, copy)->set
            = rcv_reader_state(reader, begin)->set;

        rcv_reader_state(reader, part->last)->out = copy;
        part->last = begin = copy;
    }

    if (i == times->min && i == times->max) {
        return;
    }

    split = rcv_reader_add(reader, RCV_NFA_SPLIT);
    last = rcv_reader_add(reader, RCV_NFA_SPLIT);

    state = rcv_reader_state(reader, split);
    state->out = begin;
    state->also = last;

    rcv_reader_state(reader, part->last)->out
        = (times->max == 1) ? last : split;

    if (times->min == 0) {
        part->first = split;
    }

    part->last = last;
}


static int
rcv_row_ends(const rcv_reader_t *reader)
{
    return reader->failed || reader->stuck || reader->p == reader->end
           || *reader->p == '|'
           || (*reader->p == ')' && reader->depth != 0);
}


/* Pieces one after the other. */

static void
rcv_read_row(rcv_reader_t *reader, rcv_row_t *row)
{
    rcv_part_t   part;
    rcv_times_t  times;
    rcv_bytes_t  set;

    rcv_row_init(row);
    rcv_part_empty(reader, &row->part, RCV_NFA_SPLIT);

    while (!rcv_row_ends(reader)) {

        if (reader->depth == 0
            && reader->nfa->n > RCV_NFA_MAX - RCV_NFA_SPARE)
        {
            /* the piece before this one has been read with its number */
            rcv_reader_stuck(reader);
            break;
        }

        rcv_read_atom(reader, &part);

        if (reader->failed || reader->stuck) {
            break;
        }

        rcv_read_times(reader, &times);
        set = rcv_reader_state(reader, part.first)->set;

        reader->turns += part.byte ? 0 : 1;
        reader->turns += (times.min == 1 && times.max == 1) ? 0 : 1;

        if (reader->turns > RCV_NFA_TURNS
            || !rcv_row_add(row, &part, &times, &set))
        {
            rcv_reader_stuck(reader);
            break;
        }

        rcv_part_repeat(reader, &part, &times);

        rcv_reader_state(reader, row->part.last)->out = part.first;
        row->part.last = part.last;
    }

    rcv_row_end(row);
}


/* Rows with "|" in between. */

static void
rcv_read_either(rcv_reader_t *reader, rcv_part_t *part)
{
    unsigned          split, last;
    rcv_row_t         row;
    rcv_nfa_state_t  *state;

    last = rcv_reader_add(reader, RCV_NFA_SPLIT);

    rcv_read_row(reader, &row);
    *part = row.part;

    for ( ;; ) {
        rcv_reader_state(reader, row.part.last)->out = last;

        if (reader->failed || reader->stuck || reader->p == reader->end
            || *reader->p != '|')
        {
            break;
        }

        reader->p++;
        rcv_read_row(reader, &row);

        split = rcv_reader_add(reader, RCV_NFA_SPLIT);
        state = rcv_reader_state(reader, split);
        state->out = part->first;
        state->also = row.part.first;
        part->first = split;

        rcv_part_or(part, &row.part);
    }

    part->last = last;
}


/* The states in which a string may end, and one that lets a match begin. */

static void
rcv_reader_ends(rcv_reader_t *reader)
{
    unsigned          skip;
    rcv_nfa_state_t  *state;

    reader->nfa->first = rcv_reader_add(reader, RCV_NFA_SPLIT);
    skip = rcv_reader_add(reader, RCV_NFA_BYTE);
    reader->found = rcv_reader_add(reader, RCV_NFA_BYTE);
    reader->tail = rcv_reader_add(reader, RCV_NFA_BYTE);
    reader->over = rcv_reader_add(reader, RCV_NFA_BYTE);

    rcv_reader_state(reader, reader->nfa->first)->also = skip;

    state = rcv_reader_state(reader, skip);
    memset(&state->set, 0xff, sizeof(rcv_bytes_t));
    state->out = reader->nfa->first;

    state = rcv_reader_state(reader, reader->found);
    memset(&state->set, 0xff, sizeof(rcv_bytes_t));
    state->out = reader->found;
    state->ends = 1;

    state = rcv_reader_state(reader, reader->tail);
    rcv_bytes_add(&state->set, '\n');
    state->out = reader->over;
    state->ends = 1;

    rcv_reader_state(reader, reader->over)->ends = 1;
}


/* Each makes all that PCRE2 remembers of a turn larger, known or not. */

static unsigned
rcv_nfa_groups(rcv_str_t text)
{
    size_t    i;
    unsigned  n;

    for (i = 0, n = 0; i < text.len; i++) {
        n += (text.data[i] == '(');
    }

    return n;
}


int
rcv_nfa_read(rcv_nfa_t *nfa, rcv_str_t text, int caseless, int newline)
{
    rcv_part_t    part;
    rcv_reader_t  reader;

    memset(&reader, 0, sizeof(reader));

    reader.nfa = nfa;
    reader.p = (const uint8_t *) text.data;
    reader.end = reader.p + text.len;
    reader.caseless = caseless;
    reader.newline = newline;
    nfa->n = 0;

    if (text.len == 0 || rcv_nfa_groups(text) > RCV_NFA_GROUPS) {
        return -1;
    }

    if (text.len >= 4 && memcmp(text.data, "(?i)", 4) == 0) {
        reader.p += 4;
        reader.caseless = 1;
    }

    rcv_reader_ends(&reader);
    rcv_read_either(&reader, &part);

    if (reader.failed || part.tries > RCV_NFA_TRIES
        || (!reader.stuck && reader.p != reader.end))
    {
        return -1;
    }

    rcv_reader_state(&reader, part.last)->out = reader.found;
    rcv_reader_state(&reader, nfa->first)->out = part.first;
    nfa->words = part.words;

    return 0;
}
