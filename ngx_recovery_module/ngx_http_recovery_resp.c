
/*
 * Bounded replies over hiredis' reader.
 *
 * The reader calls the functions below for every element as soon as its
 * header (of an array) or all of it (of anything else) was read.  NULL from
 * one of them ends the stream.  The root of a reply is always made first, so
 * that is where the arena starts again.
 */

#include <stdio.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "ngx_http_recovery_resp.h"


static size_t ngx_http_recovery_resp_line(ngx_http_recovery_resp_t *resp,
    const char *data, size_t len);
static int ngx_http_recovery_resp_header(ngx_http_recovery_resp_t *resp,
    char byte);
static int ngx_http_recovery_resp_push(ngx_http_recovery_resp_t *resp,
    const char *data, size_t len);
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
    resp->refused = NULL;
    resp->unfinished = 0;
    resp->keep = 0;
    resp->skip = 0;
    resp->tail = 0;
    resp->in_line = 0;
    resp->nheader = 0;
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


/*
 * Lets all through but the middle of strings that are too long: what is left
 * of one, and the length that it says, still are the protocol.
 */

int
ngx_http_recovery_resp_feed(ngx_http_recovery_resp_t *resp, const char *data,
    size_t len)
{
    size_t  n;

    if (resp->error != NULL) {
        return -1;
    }

    while (len != 0 && resp->refused == NULL) {

        if (resp->keep) {
            n = resp->keep < len ? resp->keep : len;
            resp->keep -= n;

        } else if (resp->skip) {
            n = resp->skip < len ? resp->skip : len;
            resp->skip -= n;
            data += n;
            len -= n;
            continue;

        } else if (resp->tail) {
            n = resp->tail < len ? resp->tail : len;
            resp->tail -= n;

        } else if (!resp->in_line && (resp->nheader || *data == '$')) {
            if (ngx_http_recovery_resp_header(resp, *data) != 0) {
                return -1;
            }

            data++;
            len--;
            continue;

        } else {
            n = ngx_http_recovery_resp_line(resp, data, len);
        }

        if (ngx_http_recovery_resp_push(resp, data, n) != 0) {
            return -1;
        }

        data += n;
        len -= n;
    }

    return 0;
}


/* Bytes up to the end of a line. */

static size_t
ngx_http_recovery_resp_line(ngx_http_recovery_resp_t *resp, const char *data,
    size_t len)
{
    const char  *end;

    end = memchr(data, '\n', len);

    resp->in_line = (end == NULL);

    return end == NULL ? len : (size_t) (end - data) + 1;
}


/* "$length", byte by byte; anything else in its place is for the reader. */

static int
ngx_http_recovery_resp_header(ngx_http_recovery_resp_t *resp, char byte)
{
    size_t  i, length, n;

    resp->header[resp->nheader++] = byte;

    n = resp->nheader;

    if (byte != '\n' && n < sizeof(resp->header)) {
        return 0;
    }

    resp->nheader = 0;
    resp->in_line = (byte != '\n');
    length = 0;

    for (i = 1; i < n && resp->header[i] >= '0' && resp->header[i] <= '9';
         i++)
    {
        if (length <= NGX_HTTP_RECOVERY_RESP_STRING_MAX) {
            length = length * 10 + (size_t) (resp->header[i] - '0');
        }
    }

    /* not a length, or that of nil, or one that the reader refuses */

    if (i == 1 || n != i + 2 || resp->header[i] != '\r') {
        return ngx_http_recovery_resp_push(resp, resp->header, n);
    }

    if (length > NGX_HTTP_RECOVERY_RESP_STRING_MAX) {
        resp->refused = "a string of more than 1 MB";
        return 0;
    }

    resp->keep = length;
    resp->tail = 2;

    if (length > NGX_HTTP_RECOVERY_RESP_TEXT) {
        resp->keep = NGX_HTTP_RECOVERY_RESP_TEXT;
        resp->skip = length - NGX_HTTP_RECOVERY_RESP_TEXT;
        n = (size_t) snprintf(resp->header, sizeof(resp->header), "$%d\r\n",
                              NGX_HTTP_RECOVERY_RESP_TEXT);
    }

    return ngx_http_recovery_resp_push(resp, resp->header, n);
}


static int
ngx_http_recovery_resp_push(ngx_http_recovery_resp_t *resp, const char *data,
    size_t len)
{
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
        resp->error = resp->refused;
        return resp->error == NULL ? 0 : -1;
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
     * everybody, and no word that means something is that long.  Strings with
     * a length have been cut already.
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
                                             "64 elements");
    }

    if (task->parent != NULL && task->parent->parent != NULL
        && task->parent->parent->parent != NULL)
    {
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
