
/*
 * Bounded replies over hiredis' reader.
 *
 * The reader calls the functions below for every element as soon as its
 * header (of an array) or all of it (of anything else) was read.  NULL from
 * one of them ends the stream.  The root of a reply is always made first, so
 * that is where the arena starts again.
 */

#include <string.h>

#include <hiredis/hiredis.h>

#include "ngx_http_recovery_resp.h"


static ngx_http_recovery_resp_value_t *ngx_http_recovery_resp_place(
    const redisReadTask *task);
static void *ngx_http_recovery_resp_refuse(const redisReadTask *task,
    const char *error);
static void *ngx_http_recovery_resp_string(const redisReadTask *task,
    char *data, size_t len);
#if (HIREDIS_MAJOR >= 1)
static void *ngx_http_recovery_resp_array(const redisReadTask *task,
    size_t elements);
static void *ngx_http_recovery_resp_double(const redisReadTask *task,
    double number, char *data, size_t len);
static void *ngx_http_recovery_resp_bool(const redisReadTask *task,
    int truth);
#else
static void *ngx_http_recovery_resp_array(const redisReadTask *task,
    int elements);
#endif
static void *ngx_http_recovery_resp_integer(const redisReadTask *task,
    long long number);
static void *ngx_http_recovery_resp_nil(const redisReadTask *task);
static void ngx_http_recovery_resp_forget(void *value);


static redisReplyObjectFunctions  ngx_http_recovery_resp_functions = {
    .createString = ngx_http_recovery_resp_string,
    .createArray = ngx_http_recovery_resp_array,
    .createInteger = ngx_http_recovery_resp_integer,
#if (HIREDIS_MAJOR >= 1)
    .createDouble = ngx_http_recovery_resp_double,
    .createBool = ngx_http_recovery_resp_bool,
#endif
    .createNil = ngx_http_recovery_resp_nil,
    .freeObject = ngx_http_recovery_resp_forget
};


int
ngx_http_recovery_resp_init(ngx_http_recovery_resp_t *resp)
{
    redisReader  *reader;

    resp->error = NULL;
    resp->unfinished = 0;
    resp->nvalues = 0;
    resp->ntext = 0;

    reader = redisReaderCreateWithFunctions(&ngx_http_recovery_resp_functions);
    resp->reader = reader;

    if (reader == NULL) {
        return -1;
    }

    reader->privdata = resp;

    return 0;
}


void
ngx_http_recovery_resp_free(ngx_http_recovery_resp_t *resp)
{
    if (resp->reader != NULL) {
        redisReaderFree(resp->reader);
        resp->reader = NULL;
    }
}


int
ngx_http_recovery_resp_feed(ngx_http_recovery_resp_t *resp, const char *data,
    size_t len)
{
    if (resp->error != NULL) {
        return -1;
    }

    if (len > NGX_HTTP_RECOVERY_RESP_BYTES - resp->unfinished) {
        resp->error = "too many bytes without a complete reply";
        return -1;
    }

    if (redisReaderFeed(resp->reader, data, len) != REDIS_OK) {
        resp->error = "no memory for a reply";
        return -1;
    }

    resp->unfinished += len;

    return 0;
}


int
ngx_http_recovery_resp_next(ngx_http_recovery_resp_t *resp,
    const ngx_http_recovery_resp_value_t **reply)
{
    void         *value;
    redisReader  *reader;

    if (resp->error != NULL) {
        return -1;
    }

    reader = resp->reader;

    if (redisReaderGetReply(reader, &value) != REDIS_OK) {

        if (resp->error == NULL) {
            resp->error = reader->errstr;
        }

        return -1;
    }

    if (value == NULL) {
        return 0;
    }

    resp->unfinished = reader->len - reader->pos;
    *reply = value;

    return 1;
}


/* Where the value of a task goes; the arena starts again with a root. */

static ngx_http_recovery_resp_value_t *
ngx_http_recovery_resp_place(const redisReadTask *task)
{
    ngx_http_recovery_resp_t        *resp;
    ngx_http_recovery_resp_value_t  *value, *parent;

    if (task->parent == NULL) {
        resp = task->privdata;
        resp->nvalues = 1;
        resp->ntext = 0;

        value = &resp->values[0];

    } else {
        parent = task->parent->obj;
        value = &parent->elements[task->idx];
    }

    memset(value, 0, sizeof(ngx_http_recovery_resp_value_t));

    return value;
}


static void *
ngx_http_recovery_resp_refuse(const redisReadTask *task, const char *error)
{
    ngx_http_recovery_resp_t  *resp;

    resp = task->privdata;
    resp->error = error;

    return NULL;
}


static void *
ngx_http_recovery_resp_string(const redisReadTask *task, char *data,
    size_t len)
{
    ngx_http_recovery_resp_t        *resp;
    ngx_http_recovery_resp_type_t    type;
    ngx_http_recovery_resp_value_t  *value;

    switch (task->type) {

    case REDIS_REPLY_STRING:
        type = NGX_HTTP_RECOVERY_RESP_STRING;
        break;

    case REDIS_REPLY_STATUS:
        type = NGX_HTTP_RECOVERY_RESP_STATUS;
        break;

    case REDIS_REPLY_ERROR:
        type = NGX_HTTP_RECOVERY_RESP_ERROR;
        break;

    default:
        return ngx_http_recovery_resp_refuse(task, "a type of RESP3");
    }

    /*
     * Cut, not refused: somebody's long "reason" must not cut the link for
     * everybody, and no word that means something is that long.
     */

    if (len > NGX_HTTP_RECOVERY_RESP_TEXT) {
        len = NGX_HTTP_RECOVERY_RESP_TEXT;
    }

    value = ngx_http_recovery_resp_place(task);
    resp = task->privdata;

    /* All of them come out of RESP_BYTES bytes; checked all the same. */

    if (len > sizeof(resp->text) - resp->ntext) {
        return ngx_http_recovery_resp_refuse(task, "too much text");
    }

    value->type = type;
    value->data = memcpy(&resp->text[resp->ntext], data, len);
    value->len = len;
    resp->ntext += len;

    return value;
}


static void *
#if (HIREDIS_MAJOR >= 1)
ngx_http_recovery_resp_array(const redisReadTask *task, size_t elements)
#else
ngx_http_recovery_resp_array(const redisReadTask *task, int elements)
#endif
{
    size_t                           n;
    ngx_http_recovery_resp_t        *resp;
    ngx_http_recovery_resp_value_t  *value;

    /* a negative number is a large one */
    n = (size_t) elements;

    if (task->type != REDIS_REPLY_ARRAY) {
        return ngx_http_recovery_resp_refuse(task, "a type of RESP3");
    }

    if (n > NGX_HTTP_RECOVERY_RESP_ELEMENTS) {
        return ngx_http_recovery_resp_refuse(task, "an array of more than "
                                             "16 elements");
    }

    if (task->parent != NULL && task->parent->parent != NULL) {
        return ngx_http_recovery_resp_refuse(task, "arrays nested too deep");
    }

    value = ngx_http_recovery_resp_place(task);
    resp = task->privdata;

    if (n > NGX_HTTP_RECOVERY_RESP_VALUES - resp->nvalues) {
        return ngx_http_recovery_resp_refuse(task, "too many elements");
    }

    value->type = NGX_HTTP_RECOVERY_RESP_ARRAY;
    value->elements = &resp->values[resp->nvalues];
    value->len = n;
    resp->nvalues += n;

    return value;
}


static void *
ngx_http_recovery_resp_integer(const redisReadTask *task, long long number)
{
    ngx_http_recovery_resp_value_t  *value;

    value = ngx_http_recovery_resp_place(task);

    value->type = NGX_HTTP_RECOVERY_RESP_INTEGER;
    value->integer = number;

    return value;
}


static void *
ngx_http_recovery_resp_nil(const redisReadTask *task)
{
    return ngx_http_recovery_resp_place(task);
}


#if (HIREDIS_MAJOR >= 1)

static void *
ngx_http_recovery_resp_double(const redisReadTask *task, double number,
    char *data, size_t len)
{
    (void) number;
    (void) data;
    (void) len;

    return ngx_http_recovery_resp_refuse(task, "a type of RESP3");
}


static void *
ngx_http_recovery_resp_bool(const redisReadTask *task, int truth)
{
    (void) truth;

    return ngx_http_recovery_resp_refuse(task, "a type of RESP3");
}

#endif


/* Values live in the arena. */

static void
ngx_http_recovery_resp_forget(void *value)
{
    (void) value;
}
