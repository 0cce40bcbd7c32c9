
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "url.h"


#define URL_BODY_MAX  (16 * 1024 * 1024)


typedef struct {
    ctl_answer_t  *answer;
    size_t         len;
} url_body_t;


static size_t
url_take(char *data, size_t size, size_t n, void *arg)
{
    char        *room;
    url_body_t  *body = arg;

    n *= size;

    if (body->len + n > URL_BODY_MAX) {
        return 0;
    }

    room = realloc(body->answer->body, body->len + n + 1);

    if (room == NULL) {
        return 0;
    }

    memcpy(room + body->len, data, n);
    body->len += n;
    room[body->len] = '\0';
    body->answer->body = room;

    return n;
}


static void
url_tls(CURL *curl, const ctl_redis_conf_t *conf)
{
    if (conf->tls_ca != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, conf->tls_ca);
    }

    if (conf->tls_cert != NULL) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, conf->tls_cert);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, conf->tls_key);
    }

    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, (long) conf->tls_verify);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST,
                     conf->tls_verify ? 2L : 0L);
}


/* The order is for this node: no proxy, no redirect. */

static void
url_set(CURL *curl, const ctl_options_t *options, const char *url,
    url_body_t *body)
{
    long  timeout_ms;

    timeout_ms = (long) options->redis.timeout_ms;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NETRC, (long) CURL_NETRC_OPTIONAL);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2 * timeout_ms);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, body->answer->why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, url_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "recoveryctl");

    url_tls(curl, &options->redis);
}


static int
url_perform(CURL *curl, ctl_answer_t *answer)
{
    CURLcode  rc;

    rc = curl_easy_perform(curl);

    if (rc == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
        answer->json = json_loads(answer->body, JSON_ALLOW_NUL, NULL);
        return 0;
    }

    if (answer->why[0] == '\0') {
        (void) snprintf(answer->why, sizeof(answer->why), "%s",
                        curl_easy_strerror(rc));
    }

    return -1;
}


static int
url_send(const ctl_options_t *options, const char *url, const char *post,
    ctl_answer_t *answer)
{
    int                 rc;
    CURL               *curl;
    url_body_t          body;
    struct curl_slist  *headers;

    memset(answer, 0, sizeof(*answer));
    answer->body = calloc(1, 1);

    curl = curl_easy_init();

    if (curl == NULL || answer->body == NULL) {
        curl_easy_cleanup(curl);
        (void) snprintf(answer->why, sizeof(answer->why), "no memory");
        return -1;
    }

    body.answer = answer;
    body.len = 0;
    headers = NULL;
    url_set(curl, options, url, &body);

    if (post != NULL) {
        headers = curl_slist_append(headers, "X-Recovery-Control: 1");
        headers = curl_slist_append(headers,
                                    "Content-Type: application/json");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post);
    }

    rc = url_perform(curl, answer);

    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);

    return rc;
}


int
ctl_url_get(const ctl_options_t *options, const char *url,
    ctl_answer_t *answer)
{
    return url_send(options, url, NULL, answer);
}


int
ctl_url_post(const ctl_options_t *options, const char *url,
    const json_t *body, ctl_answer_t *answer)
{
    int    rc;
    char  *text;

    text = json_dumps(body, JSON_COMPACT);

    if (text == NULL) {
        memset(answer, 0, sizeof(*answer));
        answer->body = calloc(1, 1);
        (void) snprintf(answer->why, sizeof(answer->why),
                        "a word is not UTF-8");
        return -1;
    }

    rc = url_send(options, url, text, answer);
    free(text);

    return rc;
}


void
ctl_answer_free(ctl_answer_t *answer)
{
    json_decref(answer->json);
    free(answer->body);
    memset(answer, 0, sizeof(*answer));
}


char *
ctl_url_status(const ctl_options_t *options, unsigned i)
{
    char        *status;
    size_t       len, size;
    const char  *url, *end;

    if (options->status_url != NULL) {
        return strdup(options->status_url);
    }

    url = options->urls[i];
    end = url + strcspn(url, "?#");

    while (end > url && end[-1] != '/') {
        end--;
    }

    /* "http://host" has no path yet */

    len = (size_t) (end - url);
    len = (len < sizeof("https://")) ? strlen(url) : len;

    size = len + sizeof("/status");
    status = malloc(size);

    if (status != NULL) {
        (void) snprintf(status, size, "%.*s%sstatus", (int) len, url,
                        url[len - 1] == '/' ? "" : "/");
    }

    return status;
}


char *
ctl_url_node(const char *url)
{
    const char  *host;

    host = strstr(url, "://");
    host = host ? host + 3 : url;

    return strndup(host, strcspn(host, "/?#"));
}
