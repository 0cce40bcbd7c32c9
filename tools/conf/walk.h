
/*
 * All directives of an nginx configuration, "include" followed as nginx
 * follows it: a relative path is one beside the first file.  What the
 * directives mean is the caller's business.
 */

#ifndef CONF_WALK_H_INCLUDED_
#define CONF_WALK_H_INCLUDED_


#include "token.h"


/*
 * kind is CONF_TOKEN_LINE or CONF_TOKEN_BLOCK, with the words in token, or
 * CONF_TOKEN_END; where is token->path and token->line.  Not 0 ends the walk.
 */
typedef int (*conf_line_pt)(void *data, const conf_token_t *token,
    conf_token_kind_t kind);


/*
 * What is wrong with the file itself: a quote without its end, an include
 * that is not there.  path NULL: the first file cannot be read.
 */
typedef void (*conf_error_pt)(void *data, const char *path, unsigned line,
    const char *what);


typedef struct {
    conf_line_pt         line;
    conf_error_pt        error;
    void                *data;
} conf_reader_t;


/* 0, or -1 after an error, or when a line was not taken. */
int conf_walk(const char *path, const conf_reader_t *reader);


#endif /* CONF_WALK_H_INCLUDED_ */
