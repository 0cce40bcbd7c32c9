
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "line.h"


int
rcv_line_error(rcv_line_t *line, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    (void) vsnprintf(line->err, line->err_size, format, args);
    va_end(args);

    return -1;
}


const char *
rcv_line_show(rcv_line_t *line, rcv_str_t word)
{
    char    *shown;
    size_t   i;
    size_t   len;

    shown = line->shown[line->nshown++ % RCV_SHOWN];
    len = (word.len > RCV_SHOWN_MAX) ? RCV_SHOWN_MAX : word.len;

    for (i = 0; i < len; i++) {
        shown[i] = word.data[i];

        if ((unsigned char) shown[i] < ' ' || shown[i] == '\x7f') {
            shown[i] = '?';
        }
    }

    strcpy(shown + len, (word.len > len) ? "..." : "");

    return shown;
}


void
rcv_list_add(rcv_list_t *list, const char *word, const char *suffix)
{
    int          len;
    size_t       room;
    char        *end;
    const char  *comma;

    if (list->full) {
        return;
    }

    end = list->text + list->len;
    room = sizeof(list->text) - list->len - strlen(", ...");
    comma = (list->len != 0) ? ", " : "";

    len = snprintf(end, room, "%s\"%s%s\"", comma, word, suffix);

    if (len < 0 || (size_t) len >= room) {
        (void) strcpy(end, ", ...");
        list->full = 1;
        return;
    }

    list->len += (size_t) len;
}


int
rcv_split(rcv_str_t word, const char *separator, rcv_str_t *head,
    rcv_str_t *tail)
{
    size_t  i;
    size_t  len;

    len = strlen(separator);

    for (i = 0; i + len <= word.len; i++) {

        if (memcmp(word.data + i, separator, len) == 0) {
            head->data = word.data;
            head->len = i;
            tail->data = word.data + i + len;
            tail->len = word.len - i - len;
            return 1;
        }
    }

    *head = word;
    tail->data = "";
    tail->len = 0;

    return 0;
}


static int
rcv_line_unknown_param(rcv_line_t *line, rcv_str_t word,
    const rcv_param_t *params, unsigned nparams)
{
    unsigned    i;
    rcv_list_t  list = { .len = 0 };

    for (i = 0; i < nparams; i++) {
        rcv_list_add(&list, params[i].name, params[i].flag ? "" : "=");
    }

    return rcv_line_error(line, "unknown parameter \"%s\" in \"%s\", "
                          "it must be one of %s", rcv_line_show(line, word),
                          line->name, list.text);
}


int
rcv_line_params(rcv_line_t *line, unsigned first, const rcv_param_t *params,
    unsigned nparams, unsigned *given)
{
    int                 has_value;
    unsigned            i, n;
    rcv_str_t           key, value;
    const rcv_param_t  *param;

    *given = 0;

    for (i = first; i < line->nwords; i++) {
        has_value = rcv_split(line->words[i], "=", &key, &value);

        for (n = 0; n < nparams; n++) {
            if (has_value == !params[n].flag
                && rcv_str_eq(key, params[n].name))
            {
                break;
            }
        }

        if (n == nparams) {
            return rcv_line_unknown_param(line, line->words[i], params,
                                          nparams);
        }

        param = &params[n];

        if (*given & (1u << n)) {
            return rcv_line_error(line, "\"%s\" in \"%s\" is duplicate",
                                  param->name, line->name);
        }

        *given |= 1u << n;

        if (param->set != NULL && param->set(line, value) != 0) {
            return rcv_line_error(line, "invalid value \"%s\" of \"%s\" in "
                                  "\"%s\", it must be %s",
                                  rcv_line_show(line, value), param->name,
                                  line->name, param->allowed);
        }
    }

    return 0;
}
