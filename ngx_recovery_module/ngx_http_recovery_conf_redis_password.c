
/*
 * A password of "recovery_redis": out of a file only, and no message repeats
 * one.
 */

#include "ngx_http_recovery_conf.h"


#define NGX_HTTP_RECOVERY_REDIS_PASSWORD_MAX  512


static ssize_t ngx_http_recovery_redis_read(ngx_conf_t *cf, ngx_str_t *name,
    u_char *buf, size_t size);


char *
ngx_http_recovery_redis_password(ngx_conf_t *cf, char *key, ngx_str_t *value,
    ngx_str_t *password)
{
    u_char      *end;
    ssize_t      n;
    ngx_str_t    name;

    /* one byte more than allowed, and the end of the line */
    u_char       buf[NGX_HTTP_RECOVERY_REDIS_PASSWORD_MAX + 3];

    if (value->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": \"%s\" must name a file",
                           key);
        return NGX_CONF_ERROR;
    }

    name = *value;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    n = ngx_http_recovery_redis_read(cf, &name, buf, sizeof(buf));
    if (n == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    end = ngx_strlchr(buf, buf + n, LF);
    if (end != NULL) {
        n = end - buf;
    }

    if (n && buf[n - 1] == CR) {
        n--;
    }

    if (n == 0 || n > NGX_HTTP_RECOVERY_REDIS_PASSWORD_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": the first line of password "
                           "file \"%V\" must have 1 to %d bytes",
                           &name, NGX_HTTP_RECOVERY_REDIS_PASSWORD_MAX);
        return NGX_CONF_ERROR;
    }

    password->data = ngx_pnalloc(cf->pool, n);
    if (password->data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(password->data, buf, n);
    password->len = n;

    ngx_explicit_memzero(buf, sizeof(buf));

    return NGX_CONF_OK;
}


/* The beginning of a file; NGX_ERROR after a message. */

static ssize_t
ngx_http_recovery_redis_read(ngx_conf_t *cf, ngx_str_t *name, u_char *buf,
    size_t size)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    /* not to wait for somebody at the other end of a named pipe */

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"recovery_redis\": " ngx_open_file_n
                           " password file \"%V\" failed", name);
        return NGX_ERROR;
    }

    n = NGX_ERROR;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"recovery_redis\": password file \"%V\" must be "
                           "a regular file", name);
        goto done;
    }

    if (ngx_file_access(&fi) & 0004) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"recovery_redis\": password file \"%V\" can be "
                           "read by everybody", name);
    }

    n = ngx_read_fd(fd, buf, size);

    if (n == -1) {
        n = NGX_ERROR;
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"recovery_redis\": " ngx_read_fd_n
                           " password file \"%V\" failed", name);
    }

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return n;
}
