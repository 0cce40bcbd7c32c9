
#include "ngx_http_recovery_file.h"
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


#define NGX_HTTP_RECOVERY_FILE_MODE  0600

/* A name that is no plain file must not be followed, nor waited for. */
#define NGX_HTTP_RECOVERY_FILE_SAFE  (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)


static ngx_http_recovery_file_outcome_t ngx_http_recovery_file_is(
    ngx_http_recovery_file_result_t result, const char *step);
static ngx_http_recovery_file_outcome_t ngx_http_recovery_file_judge(
    const struct stat *st, uid_t user, size_t max);
static ngx_http_recovery_file_outcome_t ngx_http_recovery_file_look(
    ngx_http_recovery_file_job_t *job);
static int ngx_http_recovery_file_temp(ngx_http_recovery_file_job_t *job);
static ngx_http_recovery_file_outcome_t ngx_http_recovery_file_fill(
    ngx_http_recovery_file_job_t *job, int fd);
static ngx_http_recovery_file_outcome_t ngx_http_recovery_file_move(
    ngx_http_recovery_file_job_t *job);
static uint64_t ngx_http_recovery_file_now_us(void);


static ngx_http_recovery_file_outcome_t
ngx_http_recovery_file_is(ngx_http_recovery_file_result_t result,
    const char *step)
{
    ngx_http_recovery_file_outcome_t  outcome;

    outcome.result = result;
    outcome.step = step;
    outcome.err = (result == NGX_HTTP_RECOVERY_FILE_FAILED) ? errno : 0;

    return outcome;
}


ngx_http_recovery_file_outcome_t
ngx_http_recovery_file_read(const char *path, uid_t user, size_t max,
    void **data, size_t *len)
{
    int                                fd;
    ssize_t                            n;
    struct stat                        st;
    ngx_http_recovery_file_outcome_t   outcome;

    *data = NULL;
    *len = 0;

    fd = open(path, O_RDONLY | NGX_HTTP_RECOVERY_FILE_SAFE);

    if (fd == -1) {
        switch (errno) {

        case ENOENT:
            return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_NONE,
                                             "open");
        case ELOOP:
            return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FOREIGN,
                                             "a symbolic link");
        case ENXIO:
            return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FOREIGN,
                                             "not a plain file");
        default:
            return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                             "open()");
        }
    }

    if (fstat(fd, &st) == -1) {
        outcome = ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                            "fstat()");
        goto done;
    }

    outcome = ngx_http_recovery_file_judge(&st, user, max);

    if (outcome.result != NGX_HTTP_RECOVERY_FILE_OK) {
        goto done;
    }

    *data = malloc((size_t) st.st_size + 1);

    if (*data == NULL) {
        outcome = ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                            "malloc()");
        goto done;
    }

    while (*len < (size_t) st.st_size) {
        n = read(fd, (char *) *data + *len, (size_t) st.st_size - *len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            outcome = ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                                "read()");
            free(*data);
            *data = NULL;
            goto done;
        }

        if (n == 0) {
            break;
        }

        *len += (size_t) n;
    }

done:

    close(fd);

    return outcome;
}


static ngx_http_recovery_file_outcome_t
ngx_http_recovery_file_judge(const struct stat *st, uid_t user, size_t max)
{
    const char  *wrong;

    wrong = NULL;

    if (!S_ISREG(st->st_mode)) {
        wrong = "not a plain file";

    } else if (st->st_uid != 0 && st->st_uid != user
               && st->st_uid != geteuid())
    {
        wrong = "of another user";

    } else if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        wrong = "writable for others";

    } else if (st->st_size < 0 || (uint64_t) st->st_size > max) {
        wrong = "too large";
    }

    return ngx_http_recovery_file_is(wrong ? NGX_HTTP_RECOVERY_FILE_FOREIGN
                                           : NGX_HTTP_RECOVERY_FILE_OK,
                                     wrong);
}


void
ngx_http_recovery_file_replace(ngx_http_recovery_file_job_t *job)
{
    int       fd;
    uint64_t  started_us;

    started_us = ngx_http_recovery_file_now_us();

    job->outcome = ngx_http_recovery_file_look(job);

    if (job->outcome.result == NGX_HTTP_RECOVERY_FILE_OK) {
        fd = ngx_http_recovery_file_temp(job);

        if (fd != -1) {
            job->outcome = ngx_http_recovery_file_fill(job, fd);

            if (job->outcome.result == NGX_HTTP_RECOVERY_FILE_OK) {
                job->outcome = ngx_http_recovery_file_move(job);

            } else {
                (void) unlink(job->temp);
            }

            close(fd);
        }
    }

    job->took_us = ngx_http_recovery_file_now_us() - started_us;
}


/* What is there now must be ours to replace. */

static ngx_http_recovery_file_outcome_t
ngx_http_recovery_file_look(ngx_http_recovery_file_job_t *job)
{
    int                    fd;
    ssize_t                n;
    uint8_t                bytes[RCV_SNAPSHOT_HEAD_SIZE];
    struct stat            st;
    rcv_snapshot_head_t    head;
    rcv_snapshot_result_t  result;

    fd = open(job->path, O_RDONLY | NGX_HTTP_RECOVERY_FILE_SAFE);

    if (fd == -1) {
        if (errno == ENOENT) {
            return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_OK, NULL);
        }

        return (errno == ELOOP || errno == ENXIO)
               ? ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FOREIGN,
                                           "not a plain file")
               : ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                           "open()");
    }

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        close(fd);
        return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FOREIGN,
                                         "not a plain file");
    }

    n = read(fd, bytes, sizeof(bytes));
    close(fd);

    result = rcv_snapshot_head(&head, bytes, n < 0 ? 0 : (size_t) n);

    if (result == RCV_SNAPSHOT_FOREIGN) {
        return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FOREIGN,
                                         rcv_snapshot_texts[result]);
    }

    if (result == RCV_SNAPSHOT_OK
        && head.writer != job->writer
        && head.writer != job->predecessor
        && rcv_since(job->unix_ms, head.written_ms)
           < NGX_HTTP_RECOVERY_FILE_SHARED_MS
        && rcv_since(head.written_ms, job->unix_ms)
           < NGX_HTTP_RECOVERY_FILE_SHARED_MS)
    {
        return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_SHARED,
                                         "kept up by another nginx");
    }

    return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_OK, NULL);
}


/* Opened, ours, and locked; else -1 and an outcome. */

static int
ngx_http_recovery_file_temp(ngx_http_recovery_file_job_t *job)
{
    int          fd;
    struct stat  st, named;

    fd = open(job->temp, O_WRONLY | O_CREAT | NGX_HTTP_RECOVERY_FILE_SAFE,
              NGX_HTTP_RECOVERY_FILE_MODE);

    if (fd == -1) {
        job->outcome = ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                                 "open() of its \".tmp\"");
        return -1;
    }

    if (flock(fd, LOCK_EX | LOCK_NB) == -1
        || fstat(fd, &st) == -1
        || lstat(job->temp, &named) == -1
        || st.st_ino != named.st_ino || st.st_dev != named.st_dev)
    {
        job->outcome = ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_BUSY,
                                       "being written by another process");
        close(fd);
        return -1;
    }

    if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid()) {
        job->outcome = ngx_http_recovery_file_is(
                                         NGX_HTTP_RECOVERY_FILE_FOREIGN,
                                         "beside a \".tmp\" that is not ours");
        close(fd);
        return -1;
    }

    return fd;
}


static ngx_http_recovery_file_outcome_t
ngx_http_recovery_file_fill(ngx_http_recovery_file_job_t *job, int fd)
{
    size_t   at;
    ssize_t  n;

    if (ftruncate(fd, 0) == -1
        || fchmod(fd, NGX_HTTP_RECOVERY_FILE_MODE) == -1)
    {
        return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                         "ftruncate()");
    }

    for (at = 0; at < job->len; at += (size_t) n) {
        n = write(fd, (const char *) job->data + at, job->len - at);

        if (n == -1 && errno == EINTR) {
            n = 0;

        } else if (n == -1) {
            return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                             "write()");
        }
    }

    if (fsync(fd) == -1) {
        return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                         "fsync()");
    }

    return ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_OK, NULL);
}


/* The new name lasts only when the directory has been synced, too. */

static ngx_http_recovery_file_outcome_t
ngx_http_recovery_file_move(ngx_http_recovery_file_job_t *job)
{
    int                                fd;
    ngx_http_recovery_file_outcome_t   outcome;

    if (rename(job->temp, job->path) == -1) {
        outcome = ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                            "rename()");
        (void) unlink(job->temp);
        return outcome;
    }

    outcome = ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_OK, NULL);

    fd = open(job->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd == -1) {
        return (errno == EACCES)        /* may be written, not be listed */
               ? outcome
               : ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                           "open() of its directory");
    }

    /* some file systems know no fsync() of a directory */

    if (fsync(fd) == -1 && errno != EINVAL && errno != ENOTSUP) {
        outcome = ngx_http_recovery_file_is(NGX_HTTP_RECOVERY_FILE_FAILED,
                                            "fsync() of its directory");
    }

    close(fd);

    return outcome;
}


static uint64_t
ngx_http_recovery_file_now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}
