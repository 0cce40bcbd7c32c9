
/*
 * Words of an nginx configuration file, a directive at a time.  They lie in
 * the text of the file, which is kept for good: policies point at them.
 */

#ifndef CONF_TOKEN_H_INCLUDED_
#define CONF_TOKEN_H_INCLUDED_


#include "rcv.h"


#define CONF_WORDS_MAX  2048


typedef enum {
    CONF_TOKEN_LINE = 0,                /* words, then ";" */
    CONF_TOKEN_BLOCK,                   /* words, then "{" */
    CONF_TOKEN_END,                     /* "}" */
    CONF_TOKEN_FILE_END,
    CONF_TOKEN_ERROR
} conf_token_kind_t;


typedef struct {
    const char          *path;
    char                *text;
    size_t               len;
    size_t               at;
    unsigned             line;

    rcv_str_t            words[CONF_WORDS_MAX];
    unsigned             nwords;
    char                 error[RCV_ERROR_MAX];
} conf_token_t;


/* 0, or -1 with errno. */
int conf_token_open(conf_token_t *token, const char *path);

/* The next directive into token->words. */
conf_token_kind_t conf_token_next(conf_token_t *token);


#endif /* CONF_TOKEN_H_INCLUDED_ */
