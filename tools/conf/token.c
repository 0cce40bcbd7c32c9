
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"


int
conf_token_open(conf_token_t *token, const char *path)
{
    char    *text, *grown;
    FILE    *file;
    size_t   n, room;

    memset(token, 0, sizeof(*token));

    file = fopen(path, "r");
    if (file == NULL) {
        return -1;
    }

    room = 0;
    text = NULL;

    do {
        room += 65536;
        grown = realloc(text, room);

        if (grown == NULL) {
            free(text);
            fclose(file);
            return -1;
        }

        text = grown;
        n = fread(text + token->len, 1, room - token->len, file);
        token->len += n;
    } while (token->len == room);

    n = (size_t) ferror(file);
    fclose(file);

    token->path = path;
    token->text = text;
    token->line = 1;

    return n ? -1 : 0;
}


static conf_token_kind_t
token_error(conf_token_t *token, const char *what)
{
    snprintf(token->error, sizeof(token->error), "%s", what);

    return CONF_TOKEN_ERROR;
}


static int
token_is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}


static int
token_peek(const conf_token_t *token)
{
    return token->at < token->len ? (unsigned char) token->text[token->at]
                                  : -1;
}


/* Past blanks and comments; returns the character there, -1 at the end. */

static int
token_skip(conf_token_t *token)
{
    int  ch;

    for (ch = token_peek(token); ch != -1; ch = token_peek(token)) {

        if (ch == '#') {
            while (token->at < token->len && token->text[token->at] != '\n') {
                token->at++;
            }
            continue;
        }

        if (!token_is_blank((char) ch)) {
            return ch;
        }

        token->line += (ch == '\n');
        token->at++;
    }

    return -1;
}


/* What stands behind a backslash: nginx knows these and keeps all others. */

static size_t
token_escape(char ch, char *to)
{
    switch (ch) {

    case '"':
    case '\'':
    case '\\':
        to[0] = ch;
        return 1;

    case 't':
        to[0] = '\t';
        return 1;

    case 'r':
        to[0] = '\r';
        return 1;

    case 'n':
        to[0] = '\n';
        return 1;

    default:
        to[0] = '\\';
        to[1] = ch;
        return 2;
    }
}


/* One word, up to its quote, or to what ends it.  0, or -1 at the end. */

static int
token_word(conf_token_t *token)
{
    char       *to, ch, quote, last;
    size_t      start;
    rcv_str_t  *word;

    quote = token->text[token->at];
    quote = (quote == '"' || quote == '\'') ? quote : 0;
    token->at += (quote != 0);
    start = token->at;
    last = 0;

    /* in place: a word never grows */
    to = token->text + start;
    word = &token->words[token->nwords++];
    word->data = to;
    word->len = 0;

    while (token->at < token->len) {
        ch = token->text[token->at];

        if (quote ? ch == quote
                  : token_is_blank(ch) || ch == ';'
                    || (ch == '{' && last != '$'))
        {
            token->at += (quote != 0);
            return 0;
        }

        token->at++;
        token->line += (ch == '\n');
        last = ch;

        if (ch == '\\' && token->at < token->len) {
            word->len += token_escape(token->text[token->at], to + word->len);
            token->line += (token->text[token->at] == '\n');
            token->at++;

        } else {
            to[word->len++] = ch;
        }
    }

    return quote ? -1 : 0;
}


conf_token_kind_t
conf_token_next(conf_token_t *token)
{
    int   ch, quoted;
    char  text[64];

    token->nwords = 0;
    quoted = 0;

    for ( ;; ) {
        ch = token_peek(token);

        if (quoted && ch != -1 && !token_is_blank((char) ch)
            && strchr(";{)", ch) == NULL)
        {
            snprintf(text, sizeof(text), "unexpected \"%c\"", ch);
            return token_error(token, text);
        }

        ch = token_skip(token);

        switch (ch) {

        case -1:
            return (token->nwords == 0) ? CONF_TOKEN_FILE_END
                   : token_error(token, "unexpected end of file, expecting "
                                        "\";\" or \"}\"");

        case ';':
        case '{':
            if (token->nwords == 0) {
                snprintf(text, sizeof(text), "unexpected \"%c\"", ch);
                return token_error(token, text);
            }

            token->at++;
            return (ch == ';') ? CONF_TOKEN_LINE : CONF_TOKEN_BLOCK;

        case '}':
            if (token->nwords != 0) {
                return token_error(token, "unexpected \"}\"");
            }

            token->at++;
            return CONF_TOKEN_END;

        default:
            if (token->nwords == CONF_WORDS_MAX) {
                return token_error(token, "too many parameters");
            }

            quoted = (ch == '"' || ch == '\'');

            if (token_word(token) != 0) {
                return token_error(token, "unexpected end of file, expecting "
                                          "a quote");
            }
        }
    }
}
