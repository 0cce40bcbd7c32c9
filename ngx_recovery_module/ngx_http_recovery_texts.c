
/*
 * The pool of texts; see the header.
 */

#include "ngx_http_recovery_texts.h"


/* The word of an entry: version << 32 | forced | order | record + 1. */

#define NGX_HTTP_RECOVERY_TEXTS_VERSION  (1ull << 32)
#define NGX_HTTP_RECOVERY_TEXTS_FORCED   0x80000000ull
#define NGX_HTTP_RECOVERY_TEXTS_OWNER    0x7fffffffull
#define NGX_HTTP_RECOVERY_TEXTS_ORDER    0x40000000ull
#define NGX_HTTP_RECOVERY_TEXTS_FREE     0
#define NGX_HTTP_RECOVERY_TEXTS_WRITTEN  NGX_HTTP_RECOVERY_TEXTS_OWNER


static ngx_http_recovery_text_t *ngx_http_recovery_texts_find(
    ngx_http_recovery_zone_t *zone, uint64_t owner);
static ngx_http_recovery_text_t *ngx_http_recovery_texts_take(
    ngx_http_recovery_zone_t *zone, ngx_uint_t forced);
static ngx_int_t ngx_http_recovery_texts_write(
    ngx_http_recovery_text_t *text, uint64_t owner,
    const ngx_http_recovery_texts_t *texts);
static ngx_int_t ngx_http_recovery_texts_copy(ngx_http_recovery_text_t *text,
    uint64_t owner, ngx_http_recovery_texts_t *texts);
static ngx_uint_t ngx_http_recovery_texts_left(
    ngx_http_recovery_zone_t *zone, ngx_uint_t i, uint64_t word);
static void ngx_http_recovery_texts_release(ngx_http_recovery_text_t *text);
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
    uint64_t                   owner;
    ngx_http_recovery_text_t  *text;

    text = ngx_http_recovery_texts_find(zone, record + 1);

    if (texts->by[0] == '\0' && texts->reason[0] == '\0') {

        if (text != NULL) {
            ngx_http_recovery_texts_release(text);
        }

        return NGX_OK;
    }

    owner = (uint64_t) (record + 1)
            | (forced ? NGX_HTTP_RECOVERY_TEXTS_FORCED : 0);

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

    return ngx_http_recovery_texts_write(text, owner, texts);
}


uint8_t
ngx_http_recovery_texts_put(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, const ngx_http_recovery_texts_t *texts)
{
    uint64_t                   owner;
    ngx_uint_t                 tries;
    ngx_http_recovery_text_t  *text;

    if (texts->by[0] == '\0' && texts->reason[0] == '\0') {
        return 0;
    }

    owner = (uint64_t) (record + 1) | NGX_HTTP_RECOVERY_TEXTS_ORDER
            | NGX_HTTP_RECOVERY_TEXTS_FORCED;

    /* another process may take the same one */

    for (tries = 0; tries < NGX_HTTP_RECOVERY_TEXTS; tries++) {
        text = ngx_http_recovery_texts_take(zone, 1);

        if (text == NULL) {
            break;
        }

        if (ngx_http_recovery_texts_write(text, owner, texts) == NGX_OK) {
            return (uint8_t) (text - ngx_http_recovery_text(zone, 0) + 1);
        }
    }

    return 0;
}


void
ngx_http_recovery_texts_unput(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, ngx_uint_t number)
{
    uint64_t                   word;
    ngx_http_recovery_text_t  *text;

    if (number == 0 || number > zone->texts) {
        return;
    }

    text = ngx_http_recovery_text(zone, number - 1);
    word = rcv_load(&text->word);

    if (ngx_http_recovery_texts_owner(word)
        == ((record + 1) | NGX_HTTP_RECOVERY_TEXTS_ORDER))
    {
        (void) ngx_http_recovery_texts_mark(text, word,
                                            NGX_HTTP_RECOVERY_TEXTS_FREE);
    }
}


/* NGX_DECLINED: no entry, or another process has taken it. */

static ngx_int_t
ngx_http_recovery_texts_write(ngx_http_recovery_text_t *text, uint64_t owner,
    const ngx_http_recovery_texts_t *texts)
{
    uint64_t  word;

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

    return ngx_http_recovery_texts_mark(text, word, owner) ? NGX_OK
                                                           : NGX_DECLINED;
}


void
ngx_http_recovery_texts_get(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, ngx_http_recovery_texts_t *texts)
{
    ngx_uint_t  i;

    for (i = 0; i < zone->texts; i++) {
        if (ngx_http_recovery_texts_copy(ngx_http_recovery_text(zone, i),
                                         record + 1, texts)
            == NGX_OK)
        {
            return;
        }
    }

    ngx_memzero(texts, sizeof(ngx_http_recovery_texts_t));
}


void
ngx_http_recovery_texts_at(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record, ngx_uint_t number, ngx_http_recovery_texts_t *texts)
{
    if (number == 0 || number > zone->texts
        || ngx_http_recovery_texts_copy(
                               ngx_http_recovery_text(zone, number - 1),
                               (record + 1) | NGX_HTTP_RECOVERY_TEXTS_ORDER,
                               texts)
           != NGX_OK)
    {
        ngx_memzero(texts, sizeof(ngx_http_recovery_texts_t));
    }
}


/* The texts of one writing, if they are the owner's. */

static ngx_int_t
ngx_http_recovery_texts_copy(ngx_http_recovery_text_t *text, uint64_t owner,
    ngx_http_recovery_texts_t *texts)
{
    uint64_t  word;

    word = rcv_load_acquire(&text->word);

    if (ngx_http_recovery_texts_owner(word) != owner) {
        return NGX_DECLINED;
    }

    *texts = text->texts;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    return rcv_load(&text->word) == word ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_recovery_texts_drop(ngx_http_recovery_zone_t *zone,
    ngx_uint_t record)
{
    uint64_t                   owner;
    ngx_uint_t                 i;
    ngx_http_recovery_text_t  *text;

    for (i = 0; i < zone->texts; i++) {
        text = ngx_http_recovery_text(zone, i);
        owner = ngx_http_recovery_texts_owner(rcv_load(&text->word));

        if (owner == record + 1
            || owner == ((record + 1) | NGX_HTTP_RECOVERY_TEXTS_ORDER))
        {
            ngx_http_recovery_texts_release(text);
        }
    }
}


void
ngx_http_recovery_texts_sweep(ngx_http_recovery_zone_t *zone, uint64_t *seen)
{
    uint64_t                   word;
    ngx_uint_t                 i;
    ngx_http_recovery_text_t  *text;

    for (i = 0; i < zone->texts; i++) {
        text = ngx_http_recovery_text(zone, i);
        word = rcv_load(&text->word);

        if (!ngx_http_recovery_texts_left(zone, i, word)) {
            seen[i] = 0;

        } else if (seen[i] != word) {
            seen[i] = word;

        } else {
            ngx_http_recovery_texts_release(text);
        }
    }
}


/* Is it half written, or an order's that its state does not refer to? */

static ngx_uint_t
ngx_http_recovery_texts_left(ngx_http_recovery_zone_t *zone, ngx_uint_t i,
    uint64_t word)
{
    uint64_t     owner, record;
    rcv_state_t  state;

    owner = ngx_http_recovery_texts_owner(word);

    if (owner == NGX_HTTP_RECOVERY_TEXTS_WRITTEN) {
        return 1;
    }

    if (!(owner & NGX_HTTP_RECOVERY_TEXTS_ORDER)) {
        return 0;
    }

    record = owner - NGX_HTTP_RECOVERY_TEXTS_ORDER - 1;

    if (record >= zone->records) {
        return 1;
    }

    (void) ngx_http_recovery_state_read(ngx_http_recovery_record(zone, record),
                                        &state);

    return state.override.force_text != i + 1
           && state.override.health_text != i + 1;
}


static void
ngx_http_recovery_texts_release(ngx_http_recovery_text_t *text)
{
    (void) ngx_http_recovery_texts_mark(text, rcv_load(&text->word),
                                        NGX_HTTP_RECOVERY_TEXTS_FREE);
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
