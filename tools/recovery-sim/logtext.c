
/* What stands in a line: escapes of nginx, requests, paths. */

#include <string.h>

#include "logline.h"


static int
text_is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}


static rcv_str_t
text_str(const char *from, const char *to)
{
    rcv_str_t  s = { from, (size_t) (to - from) };

    return s;
}


static int
text_hex(char ch)
{
    if (text_is_digit(ch)) {
        return ch - '0';
    }

    ch = (char) (ch | 0x20);

    return (ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : -1;
}


/* Two digits to a byte; -1: they are none. */

static int
text_byte(const char *p, const char *end)
{
    if (end - p < 2 || text_hex(p[0]) < 0 || text_hex(p[1]) < 0) {
        return -1;
    }

    return text_hex(p[0]) * 16 + text_hex(p[1]);
}


/* Of escape=json, what stands for a control character. */

static char
text_letter(char ch)
{
    static const char  letters[] = "nrtbf", bytes[] = "\n\r\t\b\f";
    const char        *p;

    p = (ch != '\0') ? strchr(letters, ch) : NULL;

    return (p != NULL) ? bytes[p - letters] : ch;
}


size_t
sim_log_unescape(rcv_str_t from, char *to)
{
    int          byte;
    char        *begin;
    const char  *p, *end;

    begin = to;
    end = from.data + from.len;

    for (p = from.data; p < end; /* void */) {

        if (*p != '\\' || end - p < 2) {
            *to++ = *p++;
            continue;
        }

        byte = -1;

        if (p[1] == 'x') {
            byte = text_byte(p + 2, end);
            p += (byte >= 0) ? 4 : 0;

        } else if (p[1] == 'u' && end - p >= 6 && p[2] == '0' && p[3] == '0') {
            byte = text_byte(p + 4, end);
            p += (byte >= 0) ? 6 : 0;
        }

        if (byte < 0) {
            byte = (unsigned char) text_letter(p[1]);
            p += 2;
        }

        *to++ = (char) byte;
    }

    return (size_t) (to - begin);
}


static int
text_is_scheme(char ch)
{
    return text_is_digit(ch) || ch == '+' || ch == '-' || ch == '.'
           || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}


/* "http://host/path" to "/path": who talks to a proxy. */

static int
text_target(rcv_str_t *uri)
{
    size_t       i;
    const char  *p;

    if (uri->len != 0 && (uri->data[0] == '/' || rcv_str_eq(*uri, "*"))) {
        return 0;
    }

    for (i = 0; i < uri->len && text_is_scheme(uri->data[i]); i++) {
        /* void */
    }

    if (i == 0 || uri->len - i < 4 || memcmp(uri->data + i, "://", 3) != 0) {
        return -1;
    }

    p = memchr(uri->data + i + 3, '/', uri->len - i - 3);

    *uri = (p != NULL) ? text_str(p, uri->data + uri->len)
                       : (rcv_str_t) { "/", 1 };

    return 0;
}


int
sim_log_request(rcv_str_t request, rcv_str_t *method, rcv_str_t *path,
    rcv_str_t *args)
{
    size_t       i;
    const char  *p, *end;

    end = request.data + request.len;

    for (i = 0; i < request.len
                && ((request.data[i] >= 'A' && request.data[i] <= 'Z')
                    || request.data[i] == '_' || request.data[i] == '-');
         i++)
    {
        /* void */
    }

    if (i == 0 || i == request.len || request.data[i] != ' ') {
        return -1;
    }

    *method = text_str(request.data, request.data + i);

    /* without a protocol it is HTTP/0.9 */

    for (p = end; p > request.data + i && *(p - 1) != ' '; p--) { /* void */ }

    if (end - p > 5 && memcmp(p, "HTTP/", 5) == 0) {
        end = p - 1;
    }

    p = request.data + i + 1;
    *path = text_str(p, (p < end) ? end : p);

    if (text_target(path) != 0) {
        return -1;
    }

    p = memchr(path->data, '?', path->len);
    *args = text_str(path->data + path->len, path->data + path->len);

    if (p != NULL) {
        *args = text_str(p + 1, path->data + path->len);
        path->len = (size_t) (p - path->data);
    }

    return 0;
}


/* Takes back what was written of a segment that is no name. */

static char *
text_segment(char *begin, char *segment, char *to)
{
    size_t  len;

    len = (size_t) (to - segment);

    if (len == 0 || (len == 1 && segment[0] == '.')) {
        return segment;
    }

    if (len != 2 || memcmp(segment, "..", 2) != 0) {
        return NULL;
    }

    for (to = segment; to - begin > 1 && *(to - 2) != '/'; to--) { /* void */ }

    return (to - begin > 1) ? to - 1 : segment;
}


size_t
sim_log_uri(rcv_str_t path, char *to)
{
    int          byte;
    char         ch;
    char        *begin, *segment, *back;
    const char  *p, *end;

    begin = to;
    segment = NULL;
    end = path.data + path.len;

    for (p = path.data; p < end; /* void */) {
        ch = *p++;

        if (ch == '%' && (byte = text_byte(p, end)) >= 0) {
            ch = (char) byte;
            p += 2;

        } else if (ch == '#') {
            break;
        }

        if (ch != '/') {
            *to++ = ch;
            continue;
        }

        back = (segment != NULL) ? text_segment(begin, segment, to) : NULL;

        if (back != NULL) {
            to = back;

        } else {
            *to++ = '/';
        }

        segment = to;
    }

    back = (segment != NULL && to != segment)
           ? text_segment(begin, segment, to) : NULL;

    return (size_t) ((back != NULL ? back : to) - begin);
}
