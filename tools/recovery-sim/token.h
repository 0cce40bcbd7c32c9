
/*
 * Words of an nginx configuration file, a directive at a time.
 */

#ifndef SIM_TOKEN_H_INCLUDED_
#define SIM_TOKEN_H_INCLUDED_


#include "rcv.h"


#define SIM_WORDS_MAX  2048


typedef enum {
    SIM_TOKEN_LINE = 0,                 /* words, then ";" */
    SIM_TOKEN_BLOCK,                    /* words, then "{" */
    SIM_TOKEN_END,                      /* "}" */
    SIM_TOKEN_FILE_END,
    SIM_TOKEN_ERROR
} sim_token_kind_t;


typedef struct {
    const char          *path;
    const char          *text;
    size_t               len;
    size_t               at;
    unsigned             line;

    rcv_str_t            words[SIM_WORDS_MAX];
    unsigned             nwords;
    char                 error[RCV_ERROR_MAX];
} sim_token_t;


/* 0, or -1 with errno. */
int sim_token_open(sim_token_t *token, const char *path);

/* The next directive into token->words. */
sim_token_kind_t sim_token_next(sim_token_t *token);


#endif /* SIM_TOKEN_H_INCLUDED_ */
