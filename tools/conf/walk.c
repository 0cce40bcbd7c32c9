
#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "walk.h"


#define CONF_INCLUDES_MAX  16           /* one in another */
#define CONF_PATH_MAX      4096


typedef struct {
    const conf_reader_t  *reader;
    const char           *dir;          /* of the first file */
    int                   dir_len;      /* with its "/" */
    unsigned              depth;
} conf_walk_t;


static int walk_file(conf_walk_t *walk, const char *path,
    const conf_token_t *from);


static int
walk_error(const conf_walk_t *walk, const conf_token_t *token,
    const char *format, ...)
    __attribute__((format(printf, 3, 4)));


/* token NULL: of no line */

static int
walk_error(const conf_walk_t *walk, const conf_token_t *token,
    const char *format, ...)
{
    char     what[CONF_PATH_MAX + RCV_ERROR_MAX];
    va_list  args;

    va_start(args, format);
    (void) vsnprintf(what, sizeof(what), format, args);
    va_end(args);

    walk->reader->error(walk->reader->data,
                        token != NULL ? token->path : NULL,
                        token != NULL ? token->line : 0, what);

    return -1;
}


static int
walk_include(conf_walk_t *walk, const conf_token_t *token)
{
    int        rc, len;
    char       path[CONF_PATH_MAX], *file;
    size_t     i;
    glob_t     found;
    rcv_str_t  word;

    if (token->nwords != 2) {
        return walk_error(walk, token, "invalid number of arguments in "
                                       "\"include\" directive");
    }

    if (walk->depth == CONF_INCLUDES_MAX) {
        return walk_error(walk, token, "\"include\" goes too deep");
    }

    word = token->words[1];
    len = (word.len != 0 && word.data[0] == '/') ? 0 : walk->dir_len;
    len = snprintf(path, sizeof(path), "%.*s%.*s", len, walk->dir,
                   (int) word.len, word.data);

    if (len >= (int) sizeof(path)) {
        return walk_error(walk, token, "too long a path in \"include\"");
    }

    /* without a pattern the file has to be there */
    rc = glob(path, strpbrk(path, "*?[") == NULL ? GLOB_NOCHECK : 0, NULL,
              &found);

    if (rc == GLOB_NOMATCH) {
        return 0;
    }

    if (rc != 0) {
        return walk_error(walk, token, "glob() \"%s\" failed", path);
    }

    for (i = 0; i < found.gl_pathc && rc == 0; i++) {
        file = strdup(found.gl_pathv[i]);
        rc = (file == NULL) ? walk_error(walk, token, "no memory")
                            : walk_file(walk, file, token);
    }

    globfree(&found);

    return rc;
}


static int
walk_line(conf_walk_t *walk, const conf_token_t *token,
    conf_token_kind_t kind)
{
    if (kind == CONF_TOKEN_LINE && rcv_str_eq(token->words[0], "include")) {
        return walk_include(walk, token);
    }

    return walk->reader->line(walk->reader->data, token, kind);
}


static int
walk_tokens(conf_walk_t *walk, conf_token_t *token)
{
    unsigned           blocks;
    conf_token_kind_t  kind;

    blocks = 0;

    for ( ;; ) {
        kind = conf_token_next(token);

        if (kind == CONF_TOKEN_ERROR) {
            return walk_error(walk, token, "%s", token->error);
        }

        if (kind == CONF_TOKEN_FILE_END) {
            return (blocks == 0) ? 0
                   : walk_error(walk, token, "unexpected end of file, "
                                             "expecting \"}\"");
        }

        if (kind == CONF_TOKEN_END && blocks-- == 0) {
            return walk_error(walk, token, "unexpected \"}\"");
        }

        blocks += (kind == CONF_TOKEN_BLOCK);

        if (walk_line(walk, token, kind) != 0) {
            return -1;
        }
    }
}


static int
walk_file(conf_walk_t *walk, const char *path, const conf_token_t *from)
{
    int            rc;
    conf_token_t  *token;

    token = malloc(sizeof(conf_token_t));

    if (token == NULL || conf_token_open(token, path) != 0) {
        rc = walk_error(walk, from, "open() \"%s\" failed (%s)", path,
                        strerror(errno));
        free(token);
        return rc;
    }

    walk->depth++;
    rc = walk_tokens(walk, token);
    walk->depth--;

    free(token);

    return rc;
}


int
conf_walk(const char *path, const conf_reader_t *reader)
{
    const char   *slash;
    conf_walk_t   walk;

    slash = strrchr(path, '/');

    walk.reader = reader;
    walk.dir = path;
    walk.dir_len = (slash != NULL) ? (int) (slash + 1 - path) : 0;
    walk.depth = 0;

    return walk_file(&walk, path, NULL);
}
