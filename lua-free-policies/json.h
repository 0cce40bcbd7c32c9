
/*
 * JSON of one flat object: strings, numbers, true, false and null, nothing
 * in them.  That is all an order needs, and what nests cannot exhaust
 * anything.  Strict where parsers differ: no comments, no second value, no
 * bad UTF-8, no control bytes, no lone surrogates.
 */

#ifndef RCV_JSON_H_INCLUDED_
#define RCV_JSON_H_INCLUDED_


#include "rcv.h"


#define RCV_JSON_KEY_MAX   32
#define RCV_JSON_TEXT_MAX  256


typedef enum {
    RCV_JSON_STRING = 0,
    RCV_JSON_NUMBER,                    /* as it is written */
    RCV_JSON_WORD                       /* true, false, null */
} rcv_json_kind_t;


/* One member.  A text too long for its room is cut between characters. */

typedef struct {
    rcv_json_kind_t      kind;
    rcv_str_t            key;
    rcv_str_t            value;
    unsigned             cut;
    char                 key_data[RCV_JSON_KEY_MAX];
    char                 value_data[RCV_JSON_TEXT_MAX];
} rcv_json_member_t;


typedef struct {
    const char          *next;
    const char          *end;
    unsigned             members;       /* read so far */
    const char          *error;         /* what was expected */
} rcv_json_t;


/* Before the first member.  -1: this is no object. */
int rcv_json_begin(rcv_json_t *json, rcv_str_t text);

/* 1: a member; 0: the object ended, and nothing follows; -1: an error. */
int rcv_json_next(rcv_json_t *json, rcv_json_member_t *member);

/* Bytes of the character at p, 0 when it is not valid UTF-8. */
size_t rcv_utf8_length(const char *p, const char *end);


#endif /* RCV_JSON_H_INCLUDED_ */
