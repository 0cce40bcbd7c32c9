
#include "json.h"

#include <string.h>


/* A character as it goes into a text: at most four bytes. */

typedef struct {
    char    byte[4];
    size_t  len;
} json_char_t;


static int
json_fail(rcv_json_t *json, const char *expected)
{
    json->error = expected;

    return -1;
}


static void
json_blanks(rcv_json_t *json)
{
    while (json->next < json->end
           && (*json->next == ' ' || *json->next == '\t'
               || *json->next == '\n' || *json->next == '\r'))
    {
        json->next++;
    }
}


/* Takes the byte, if it is the next one that is not blank. */

static int
json_take(rcv_json_t *json, char byte)
{
    json_blanks(json);

    if (json->next == json->end || *json->next != byte) {
        return 0;
    }

    json->next++;

    return 1;
}


size_t
rcv_utf8_length(const char *p, const char *end)
{
    size_t         i, len;
    uint32_t       code;
    unsigned char  first;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    first = (unsigned char) p[0];

    if (first < 0x80) {
        return 1;
    }

    len = (first >= 0xf0) ? 4 : (first >= 0xe0) ? 3 : 2;

    if (first < 0xc2 || first > 0xf4 || (size_t) (end - p) < len) {
        return 0;
    }

    code = first & (0x7fu >> len);

    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = (code << 6) | ((unsigned char) p[i] & 0x3f);
    }

    if (code < least[len] || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return 0;
    }

    return len;
}


static void
json_encode(uint32_t code, json_char_t *c)
{
    size_t  i;

    static const uint32_t  heads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

    if (code < 0x80) {
        c->byte[0] = (char) code;
        c->len = 1;
        return;
    }

    c->len = (code < 0x800) ? 2 : (code < 0x10000) ? 3 : 4;

    for (i = c->len - 1; i > 0; i--) {
        c->byte[i] = (char) (0x80 | (code & 0x3f));
        code >>= 6;
    }

    c->byte[0] = (char) (heads[c->len] | code);
}


static int
json_hex4(rcv_json_t *json, uint32_t *code)
{
    char      c;
    unsigned  i, digit;

    *code = 0;

    if (json->end - json->next < 4) {
        return -1;
    }

    for (i = 0; i < 4; i++) {
        c = *json->next++;

        if (c >= '0' && c <= '9') {
            digit = (unsigned) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            digit = (unsigned) ((c | 0x20) - 'a') + 10;

        } else {
            return -1;
        }

        *code = (*code << 4) | digit;
    }

    return 0;
}


/* Behind "\u": one half of a pair alone is no character. */

static int
json_unicode(rcv_json_t *json, json_char_t *c)
{
    uint32_t  code, low;

    if (json_hex4(json, &code) != 0) {
        return -1;
    }

    if (code >= 0xd800 && code <= 0xdbff) {

        if (json->end - json->next < 2
            || json->next[0] != '\\' || json->next[1] != 'u')
        {
            return -1;
        }

        json->next += 2;

        if (json_hex4(json, &low) != 0 || low < 0xdc00 || low > 0xdfff) {
            return -1;
        }

        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);

    } else if (code >= 0xdc00 && code <= 0xdfff) {
        return -1;
    }

    json_encode(code, c);

    return 0;
}


static int
json_escape(rcv_json_t *json, json_char_t *c)
{
    char         byte;
    const char  *found;

    static const char  letters[] = "\"\\/bfnrt";
    static const char  bytes[] = "\"\\/\b\f\n\r\t";

    if (json->next == json->end) {
        return -1;
    }

    byte = *json->next++;

    if (byte == 'u') {
        return json_unicode(json, c);
    }

    found = (byte != '\0') ? strchr(letters, byte) : NULL;

    if (found == NULL) {
        return -1;
    }

    c->byte[0] = bytes[found - letters];
    c->len = 1;

    return 0;
}


/* One character of a string, not its closing quote. */

static int
json_char(rcv_json_t *json, json_char_t *c)
{
    if ((unsigned char) *json->next < 0x20) {
        return json_fail(json, "no control bytes in a string");
    }

    if (*json->next == '\\') {
        json->next++;

        if (json_escape(json, c) != 0) {
            return json_fail(json, "a valid escape in a string");
        }

        return 0;
    }

    c->len = rcv_utf8_length(json->next, json->end);

    if (c->len == 0) {
        return json_fail(json, "valid UTF-8");
    }

    memcpy(c->byte, json->next, c->len);
    json->next += c->len;

    return 0;
}


/* Behind its opening quote.  What does not fit is read and not kept. */

static int
json_string(rcv_json_t *json, char *data, size_t size, rcv_str_t *text,
    unsigned *cut)
{
    json_char_t  c;

    text->data = data;
    text->len = 0;
    *cut = 0;

    while (json->next < json->end && *json->next != '"') {

        if (json_char(json, &c) != 0) {
            return -1;
        }

        if (*cut || c.len > size - text->len) {
            *cut = 1;
            continue;
        }

        memcpy(data + text->len, c.byte, c.len);
        text->len += c.len;
    }

    return json_take(json, '"') ? 0 : json_fail(json, "a closing quote");
}


static size_t
json_digits(const char *p, const char *end)
{
    size_t  n;

    for (n = 0; p + n < end && p[n] >= '0' && p[n] <= '9'; n++) {
        /* void */
    }

    return n;
}


/* The length of the number at p, 0 when it is none. */

static size_t
json_number(const char *p, const char *end)
{
    size_t       n;
    const char  *start;

    start = p;

    if (p < end && *p == '-') {
        p++;
    }

    n = json_digits(p, end);

    if (n == 0 || (n > 1 && *p == '0')) {
        return 0;
    }

    p += n;

    if (p < end && *p == '.') {
        n = json_digits(p + 1, end);

        if (n == 0) {
            return 0;
        }

        p += 1 + n;
    }

    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }

        n = json_digits(p, end);

        if (n == 0) {
            return 0;
        }

        p += n;
    }

    return (size_t) (p - start);
}


static int
json_bare(rcv_json_t *json, rcv_json_member_t *member)
{
    size_t    i, len;
    unsigned  n;

    static const char *const  words[] = { "true", "false", "null" };

    member->kind = RCV_JSON_NUMBER;
    len = json_number(json->next, json->end);

    for (n = 0; len == 0 && n < 3; n++) {
        i = strlen(words[n]);

        if ((size_t) (json->end - json->next) >= i
            && memcmp(json->next, words[n], i) == 0)
        {
            member->kind = RCV_JSON_WORD;
            len = i;
        }
    }

    if (len == 0) {
        return json_fail(json, "a string or a number for each member");
    }

    member->cut = (len > sizeof(member->value_data));
    member->value.data = member->value_data;
    member->value.len = rcv_min(len, sizeof(member->value_data));
    memcpy(member->value_data, json->next, member->value.len);
    json->next += len;

    return 0;
}


int
rcv_json_begin(rcv_json_t *json, rcv_str_t text)
{
    json->next = text.data;
    json->end = text.data + text.len;
    json->members = 0;
    json->error = NULL;

    return json_take(json, '{') ? 0 : json_fail(json, "an object");
}


int
rcv_json_next(rcv_json_t *json, rcv_json_member_t *member)
{
    unsigned  cut;

    if (json_take(json, '}')) {
        json_blanks(json);

        return json->next == json->end
               ? 0 : json_fail(json, "nothing behind the object");
    }

    if (json->members != 0 && !json_take(json, ',')) {
        return json_fail(json, "\",\" or \"}\" behind a member");
    }

    json->members++;

    if (!json_take(json, '"')) {
        return json_fail(json, "a member's name in quotes");
    }

    if (json_string(json, member->key_data, sizeof(member->key_data),
                    &member->key, &cut)
        != 0)
    {
        return -1;
    }

    if (!json_take(json, ':')) {
        return json_fail(json, "\":\" behind a member's name");
    }

    if (json_take(json, '"')) {
        member->kind = RCV_JSON_STRING;

        return json_string(json, member->value_data,
                           sizeof(member->value_data), &member->value,
                           &member->cut)
               == 0 ? 1 : -1;
    }

    return json_bare(json, member) == 0 ? 1 : -1;
}
