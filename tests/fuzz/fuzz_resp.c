
/*
 * libFuzzer: a stream of a server -> replies.
 *
 * The first byte says in pieces of which size the rest is fed.  Whatever the
 * bytes: no crash, every reply within its bounds and readable to its last
 * byte, no more than the allowed bytes held, the same replies as when all is
 * fed at once, and nothing after an error.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../ngx_recovery_module/ngx_http_recovery_resp.h"


#define INPUT_MAX  32768u


typedef struct {
    uint64_t  sum;                      /* over all that was read */
    size_t    replies;
    int       failed;
} outcome_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ngx_http_recovery_resp_t  resp;


static void
require(int holds)
{
    if (!holds) {
        abort();
    }
}


static void
add(outcome_t *outcome, uint64_t n)
{
    outcome->sum = (outcome->sum ^ n) * 1099511628211ull;
}


static void
read_value(outcome_t *outcome, const ngx_http_recovery_resp_value_t *value,
    unsigned depth)
{
    size_t  i;

    add(outcome, value->type);

    switch (value->type) {

    case NGX_HTTP_RECOVERY_RESP_ARRAY:
        require(depth < NGX_HTTP_RECOVERY_RESP_DEPTH);
        require(value->len <= NGX_HTTP_RECOVERY_RESP_ELEMENTS);

        for (i = 0; i < value->len; i++) {
            read_value(outcome, &value->elements[i], depth + 1);
        }

        break;

    case NGX_HTTP_RECOVERY_RESP_INTEGER:
        add(outcome, (uint64_t) value->integer);
        break;

    case NGX_HTTP_RECOVERY_RESP_NIL:
        require(value->data == NULL && value->len == 0);
        break;

    default:
        require(value->len <= NGX_HTTP_RECOVERY_RESP_TEXT);

        for (i = 0; i < value->len; i++) {
            add(outcome, (uint8_t) value->data[i]);
        }
    }
}


static outcome_t
run(const char *data, size_t size, size_t piece)
{
    int                                    rc;
    size_t                                 n;
    outcome_t                              outcome;
    const ngx_http_recovery_resp_value_t  *value;

    memset(&outcome, 0, sizeof(outcome));
    require(ngx_http_recovery_resp_init(&resp) == 0);

    while (size != 0 && !outcome.failed) {
        n = (size < piece) ? size : piece;
        rc = ngx_http_recovery_resp_feed(&resp, data, n);

        data += n;
        size -= n;

        while (rc == 0) {
            rc = ngx_http_recovery_resp_next(&resp, &value);

            if (rc == 0) {
                break;
            }

            if (rc == 1) {
                read_value(&outcome, value, 0);
                outcome.replies++;
                rc = 0;
            }
        }

        outcome.failed = (rc != 0);
        require(resp.unfinished <= NGX_HTTP_RECOVERY_RESP_BYTES);
    }

    if (outcome.failed) {
        require(resp.error != NULL && strlen(resp.error) < 128);
        require(ngx_http_recovery_resp_feed(&resp, "+OK\r\n", 5) == -1);
        require(ngx_http_recovery_resp_next(&resp, &value) == -1);
    }

    ngx_http_recovery_resp_free(&resp);

    return outcome;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t     piece;
    outcome_t  pieces, whole;

    if (size < 1 || size > INPUT_MAX) {
        return 0;
    }

    piece = data[0] ? data[0] : 4096;

    pieces = run((const char *) data + 1, size - 1, piece);
    whole = run((const char *) data + 1, size - 1, INPUT_MAX);

    require(pieces.sum == whole.sum);
    require(pieces.replies == whole.replies);
    require(pieces.failed == whole.failed);

    return 0;
}
