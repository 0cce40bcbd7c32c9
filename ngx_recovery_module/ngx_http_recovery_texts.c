
/*
 * The pool of texts; see the header.
 */

#include "ngx_http_recovery_texts.h"


/* The word of an entry: version << 32 | forced | record + 1. */

#define NGX_HTTP_RECOVERY_TEXTS_VERSION  (1ull << 32)
#define NGX_HTTP_RECOVERY_TEXTS_FORCED   0x80000000ull
#define NGX_HTTP_RECOVERY_TEXTS_OWNER    0x7fffffffull
#define NGX_HTTP_RECOVERY_TEXTS_FREE     0
#define NGX_HTTP_RECOVERY_TEXTS_WRITTEN  NGX_HTTP_RECOVERY_TEXTS_OWNER


static ngx_http_recovery_text_t *ngx_http_recovery_texts_find(
    ngx_http_recovery_zone_t *zone, uint64_t owner);
static ngx_http_recovery_text_t *ngx_http_recovery_texts_take(
    ngx_http_recovery_zone_t *zone, ngx_uint_t forced);
static uint64_t ngx_http_recovery_texts_mark(ngx_http_recovery_text_t *text,
    uint64_t word, uint64_t owner);


static ngx_inline uint64_t
ngx_http_recovery_texts_owner(uint64_t word)
{
    return word & NGX_HTTP_RECOVERY_TEXTS_OWNER;
}


static ngx_inline ngx_http_recovery_text_t *
ngx_http_recovery_text(ngx_http_recovery_zone_t *zone, ngx_uint_t i)
{
    return (ngx_http_recovery_text_t *)
               ((u_char *) zone + zone->texts_offset) + i;
}


ngx_uint_t
ngx_http_recovery_texts_count(size_t size)
{
    ngx_uint_t  n;

    n = size / 64 / sizeof(ngx_http_recovery_text_t);

    return ngx_min(ngx_max(n, 1), NGX_HTTP_RECOVERY_TEXTS);
}


ngx_int_t
ngx_http_recovery_texts_set(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, ngx_uint_t forced,
    const ngx_http_recovery_texts_t *texts)
{
    uint64_t                   word, owner;
    ngx_http_recovery_text_t  *text;

    if (texts->by[0] == '\0' && texts->reason[0] == '\0') {
        ngx_http_recovery_texts_drop(zone, record);
        return NGX_OK;
    }

    owner = (uint64_t) (record + 1)
            | (forced ? NGX_HTTP_RECOVERY_TEXTS_FORCED : 0);
    text = ngx_http_recovery_texts_find(zone, record + 1);

    if (text != NULL
        && (uint32_t) rcv_load(&text->word) == owner
        && ngx_memcmp(&text->texts, texts, sizeof(ngx_http_recovery_texts_t))
           == 0)
    {
        return NGX_OK;
    }

    if (text == NULL) {
        text = ngx_http_recovery_texts_take(zone, forced);
    }

    if (text == NULL) {
        return NGX_DECLINED;
    }

    word = ngx_http_recovery_texts_mark(text, rcv_load(&text->word),
                                        NGX_HTTP_RECOVERY_TEXTS_WRITTEN);
    if (word == 0) {
        return NGX_DECLINED;
    }

    __atomic_thread_fence(__ATOMIC_RELEASE);
    text->texts = *texts;

    (void) ngx_http_recovery_texts_mark(text, word, owner);

    return NGX_OK;
}


void
ngx_http_recovery_texts_get(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, ngx_http_recovery_texts_t *texts)
{
    uint64_t                   word;
    ngx_uint_t                 i;
    ngx_http_recovery_text_t  *text;

    for (i = 0; i < zone->texts; i++) {
        text = ngx_http_recovery_text(zone, i);
        word = rcv_load_acquire(&text->word);

        if (ngx_http_recovery_texts_owner(word) != record + 1) {
            continue;
        }

        *texts = text->texts;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (rcv_load(&text->word) == word) {
            return;
        }
    }

    ngx_memzero(texts, sizeof(ngx_http_recovery_texts_t));
}


void
ngx_http_recovery_texts_drop(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record)
{
    ngx_http_recovery_text_t  *text;

    text = ngx_http_recovery_texts_find(zone, record + 1);

    if (text != NULL) {
        (void) ngx_http_recovery_texts_mark(text, rcv_load(&text->word),
                                            NGX_HTTP_RECOVERY_TEXTS_FREE);
    }
}


void
ngx_http_recovery_texts_sweep(ngx_http_recovery_zone_t *zone)
{
    ngx_http_recovery_text_t  *text;

    for ( ;; ) {
        text = ngx_http_recovery_texts_find(zone,
                                            NGX_HTTP_RECOVERY_TEXTS_WRITTEN);
        if (text == NULL) {
            return;
        }

        (void) ngx_http_recovery_texts_mark(text, rcv_load(&text->word),
                                            NGX_HTTP_RECOVERY_TEXTS_FREE);
    }
}


static ngx_http_recovery_text_t *
ngx_http_recovery_texts_find(ngx_http_recovery_zone_t *zone, uint64_t owner)
{
    ngx_uint_t                 i;
    ngx_http_recovery_text_t  *text;

    for (i = 0; i < zone->texts; i++) {
        text = ngx_http_recovery_text(zone, i);

        if (ngx_http_recovery_texts_owner(rcv_load(&text->word)) == owner) {
            return text;
        }
    }

    return NULL;
}


/* A free entry; for a force also one that has none behind it. */

static ngx_http_recovery_text_t *
ngx_http_recovery_texts_take(ngx_http_recovery_zone_t *zone,
    ngx_uint_t forced)
{
    ngx_uint_t                 i;
    ngx_http_recovery_text_t  *text;

    text = ngx_http_recovery_texts_find(zone, NGX_HTTP_RECOVERY_TEXTS_FREE);

    for (i = 0; forced && text == NULL && i < zone->texts; i++) {
        text = ngx_http_recovery_text(zone, i);

        if (rcv_load(&text->word) & NGX_HTTP_RECOVERY_TEXTS_FORCED) {
            text = NULL;
        }
    }

    return text;
}


/* Makes an entry somebody's; 0 when it is not any more what it was. */

static uint64_t
ngx_http_recovery_texts_mark(ngx_http_recovery_text_t *text, uint64_t word,
    uint64_t owner)
{
    uint64_t  next;

    next = ((word & ~(NGX_HTTP_RECOVERY_TEXTS_VERSION - 1))
            + NGX_HTTP_RECOVERY_TEXTS_VERSION) | owner;

    return rcv_cas(&text->word, &word, next) ? next : 0;
}
