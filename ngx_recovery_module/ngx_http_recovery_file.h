
/*
 * The state file as a file: read and replaced, by system calls alone.  What
 * is in it is the core's (snapshot.h), when it is written is _state.c's.
 *
 * To replace it may take as long as the disk likes, so that is done in a
 * thread of its own and nothing here touches anything of nginx.  Whoever
 * reads PATH sees the old file or the new one, whole: it is written to
 * PATH.tmp, synced, and renamed.  PATH.tmp has one name for all who might
 * write, and a lock: two cannot meet in it, and a killed one leaves no trash.
 */

#ifndef _NGX_HTTP_RECOVERY_FILE_H_INCLUDED_
#define _NGX_HTTP_RECOVERY_FILE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>


typedef enum {
    NGX_HTTP_RECOVERY_FILE_OK = 0,
    NGX_HTTP_RECOVERY_FILE_NONE,        /* reading: there is none */
    NGX_HTTP_RECOVERY_FILE_FAILED,      /* "step" failed with "err" */
    NGX_HTTP_RECOVERY_FILE_FOREIGN,     /* "step" says what is wrong */
    NGX_HTTP_RECOVERY_FILE_SHARED,      /* somebody else keeps it up */
    NGX_HTTP_RECOVERY_FILE_BUSY         /* ... or is about to */
} ngx_http_recovery_file_result_t;


typedef struct {
    ngx_http_recovery_file_result_t  result;
    const char                      *step;
    int                              err;
} ngx_http_recovery_file_outcome_t;


/*
 * Reads all of it into malloc()ed memory.  It must be a plain file that
 * nobody but root, the given user and we ourselves can have written.
 */
ngx_http_recovery_file_outcome_t ngx_http_recovery_file_read(
    const char *path, uid_t user, size_t max, void **data, size_t *len);


typedef struct {
    const char          *path;
    const char          *temp;
    const char          *directory;
    const void          *data;
    size_t               len;

    /* who we are, whose file we go on with, and now, in unix time */
    uint64_t             writer;
    uint64_t             predecessor;
    uint64_t             unix_ms;

    ngx_http_recovery_file_outcome_t  outcome;
    uint64_t             took_us;
} ngx_http_recovery_file_job_t;

/* A file of another writer that is younger than this is kept up by it. */
#define NGX_HTTP_RECOVERY_FILE_SHARED_MS  90000

/* Blocks; in any thread. */
void ngx_http_recovery_file_replace(ngx_http_recovery_file_job_t *job);


#endif /* _NGX_HTTP_RECOVERY_FILE_H_INCLUDED_ */
