
/*
 * When the state file is written, and by whom: the leader collects what is
 * to be written in a tick; a thread writes it, one for each writing, since
 * fsync() takes as long as the disk likes, and a leader that waits for a disk
 * loses its lease.  nginx's own thread pools are not in every build, and
 * would be 32 threads in every worker.  The thread has its bytes and paths to
 * itself and makes system calls only; a flag tells that it is done, and the
 * next tick looks at it.  A leader that another one has relieved leaves its
 * thread alone: it may still have requests to end.
 */

#include "ngx_http_recovery_state.h"
#include "ngx_http_recovery_texts.h"

#include <pthread.h>


/* What a thread needs that only opens, writes and renames. */
#define NGX_HTTP_RECOVERY_STATE_STACK  65536


/* Of the leader, and of its thread as long as that runs. */

typedef enum {
    NGX_HTTP_RECOVERY_WRITING_DONE = 0,
    NGX_HTTP_RECOVERY_WRITING_ON,
    NGX_HTTP_RECOVERY_WRITING_LEFT      /* the thread frees it */
} ngx_http_recovery_writing_state_t;

typedef struct {
    uint32_t                        state;
    size_t                          size;
    ngx_http_recovery_file_job_t    job;
    u_char                          data[];     /* then the paths */
} ngx_http_recovery_writing_t;


struct ngx_http_recovery_keeper_s {
    ngx_http_recovery_leader_t     *leader;
    rcv_restore_mark_t             *marks;      /* one a backend */
    rcv_due_t                       due;
    uint64_t                        begun_ms;   /* of the last writing */
    ngx_http_recovery_writing_t    *writing;
    pthread_t                       thread;
    unsigned                        running:1;
    unsigned                        failed:1;
};


static ngx_http_recovery_writing_t *ngx_http_recovery_writing_create(
    size_t size, ngx_str_t *file);
static ngx_int_t ngx_http_recovery_keeper_take(
    ngx_http_recovery_keeper_t *keeper);
static void ngx_http_recovery_keeper_start(
    ngx_http_recovery_keeper_t *keeper);
static void *ngx_http_recovery_keeper_thread(void *data);
static void ngx_http_recovery_keeper_finish(
    ngx_http_recovery_keeper_t *keeper);
static void ngx_http_recovery_keeper_leave(
    ngx_http_recovery_keeper_t *keeper);
static void ngx_http_recovery_keeper_tell(ngx_http_recovery_keeper_t *keeper,
    ngx_http_recovery_kept_state_t state);
static size_t ngx_http_recovery_state_directory(ngx_str_t *file);
static ngx_err_t ngx_http_recovery_state_access(const char *directory,
    ngx_core_conf_t *ccf);


ngx_http_recovery_keeper_t *
ngx_http_recovery_state_keeper(ngx_http_recovery_leader_t *leader)
{
    ngx_uint_t                      n;
    ngx_http_recovery_keeper_t     *keeper;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = leader->main;

    if (rmcf->state_file.len == 0) {
        rcv_store(&rmcf->zone->kept.state, NGX_HTTP_RECOVERY_KEPT_OFF);
        rmcf->zone->kept.error[0] = '\0';
        return NULL;
    }

    n = rmcf->backends.nelts;

    keeper = ngx_pcalloc(leader->pool, sizeof(ngx_http_recovery_keeper_t));
    if (keeper == NULL) {
        return NULL;
    }

    keeper->leader = leader;
    keeper->due = RCV_DUE_SOON;
    keeper->marks = ngx_pcalloc(leader->pool, n * sizeof(rcv_restore_mark_t));

    if (keeper->marks != NULL) {
        keeper->writing = ngx_http_recovery_writing_create(
                                  RCV_SNAPSHOT_SIZE(n), &rmcf->state_file);
    }

    if (keeper->writing == NULL) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "recovery: no memory to write the state file");
        return NULL;
    }

    if (rcv_load(&rmcf->zone->kept.state) == NGX_HTTP_RECOVERY_KEPT_OFF) {
        rcv_store(&rmcf->zone->kept.state, NGX_HTTP_RECOVERY_KEPT_WAITING);
    }

    return keeper;
}


static ngx_http_recovery_writing_t *
ngx_http_recovery_writing_create(size_t size, ngx_str_t *file)
{
    u_char                       *p;
    ngx_http_recovery_writing_t  *writing;

    writing = calloc(1, sizeof(ngx_http_recovery_writing_t) + size
                        + 3 * file->len + sizeof(".tmp") + 2);
    if (writing == NULL) {
        return NULL;
    }

    writing->size = size;
    writing->job.data = writing->data;

    p = writing->data + size;
    writing->job.path = (char *) p;
    p = ngx_sprintf(p, "%V%Z", file);

    writing->job.temp = (char *) p;
    p = ngx_sprintf(p, "%V.tmp%Z", file);

    writing->job.directory = (char *) p;
    ngx_memcpy(p, file->data, ngx_http_recovery_state_directory(file));

    return writing;
}


void
ngx_http_recovery_state_note(ngx_http_recovery_keeper_t *keeper, ngx_uint_t i,
    const rcv_state_t *state)
{
    rcv_due_t  due;

    if (keeper->due != RCV_DUE_SOON) {
        due = rcv_restore_due(&keeper->marks[i], state);
        keeper->due = ngx_max(keeper->due, due);
    }
}


void
ngx_http_recovery_state_turn(ngx_http_recovery_keeper_t *keeper)
{
    uint64_t  wait_ms;

    rcv_store(&keeper->leader->main->zone->kept.led_unix_ms,
              ngx_http_recovery_unix_ms());

    if (keeper->running) {

        if (rcv_load_acquire(&keeper->writing->state)
            == NGX_HTTP_RECOVERY_WRITING_ON)
        {
            return;
        }

        ngx_http_recovery_keeper_finish(keeper);
    }

    switch (keeper->due) {

    case RCV_DUE_SOON:
        wait_ms = keeper->failed ? NGX_HTTP_RECOVERY_STATE_LATER_MS
                                 : NGX_HTTP_RECOVERY_STATE_SOON_MS;
        break;

    case RCV_DUE_LATER:
        wait_ms = NGX_HTTP_RECOVERY_STATE_LATER_MS;
        break;

    default:
        wait_ms = NGX_HTTP_RECOVERY_STATE_AGAIN_MS;
    }

    /* a quiet leader ticks once a second, give or take some ms */

    if (keeper->begun_ms == 0
        || rcv_since(ngx_current_msec, keeper->begun_ms) + RCV_TICK_MS
           > wait_ms)
    {
        ngx_http_recovery_keeper_start(keeper);
    }
}


void
ngx_http_recovery_state_end(ngx_http_recovery_keeper_t *keeper,
    ngx_uint_t last)
{
    if (last && keeper->running) {
        ngx_http_recovery_keeper_finish(keeper);
    }

    if (last && ngx_http_recovery_keeper_take(keeper) == NGX_OK) {
        ngx_http_recovery_file_replace(&keeper->writing->job);
        ngx_http_recovery_keeper_finish(keeper);
    }

    ngx_http_recovery_keeper_leave(keeper);
}


/* Without waiting for a thread that is not done. */

static void
ngx_http_recovery_keeper_leave(ngx_http_recovery_keeper_t *keeper)
{
    uint32_t  state;

    if (keeper->running) {
        (void) pthread_detach(keeper->thread);

        state = NGX_HTTP_RECOVERY_WRITING_ON;

        if (rcv_cas(&keeper->writing->state, &state,
                    NGX_HTTP_RECOVERY_WRITING_LEFT))
        {
            return;
        }
    }

    free(keeper->writing);
}


/* What there is now, as bytes. */

static ngx_int_t
ngx_http_recovery_keeper_take(ngx_http_recovery_keeper_t *keeper)
{
    ngx_uint_t                      i, text;
    rcv_state_t                     state;
    rcv_snapshot_t                  snapshot;
    rcv_snapshot_head_t             head;
    rcv_snapshot_writer_t           writer;
    ngx_http_recovery_zone_t       *zone;
    ngx_http_recovery_texts_t       texts;
    ngx_http_recovery_backend_t    *backend;
    ngx_http_recovery_file_job_t   *job;
    ngx_http_recovery_main_conf_t  *rmcf;

    rmcf = keeper->leader->main;
    zone = rmcf->zone;
    job = &keeper->writing->job;

    rcv_snapshot_begin(&writer, keeper->writing->data, keeper->writing->size);

    for (i = 0; i < rmcf->backends.nelts; i++) {
        backend = ngx_http_recovery_led_backend(keeper->leader, i);

        (void) ngx_http_recovery_state_read(backend->record, &state);

        /* of who has the last word: an order, else the source */

        text = state.override.force_text ? state.override.force_text
                                         : state.override.health_text;
        if (text != 0) {
            ngx_http_recovery_texts_at(zone, backend->index, text, &texts);

        } else {
            ngx_http_recovery_texts_get(zone, backend->index, &texts);
        }

        ngx_memzero(&snapshot, sizeof(rcv_snapshot_t));
        ngx_memcpy(snapshot.name, backend->name.data,
                   ngx_min(backend->name.len, RCV_NAME_MAX));
        ngx_memcpy(snapshot.by, texts.by, sizeof(texts.by));
        ngx_memcpy(snapshot.reason, texts.reason, sizeof(texts.reason));

        rcv_restore_take(&snapshot, &state, ngx_current_msec);
        rcv_restore_mark(&keeper->marks[i], &state);
        rcv_snapshot_add(&writer, &snapshot);
    }

    head.writer = zone->kept.writer;
    head.written_ms = ngx_http_recovery_unix_ms();
    head.records = writer.records;

    job->writer = head.writer;
    job->predecessor = zone->kept.predecessor;
    job->unix_ms = head.written_ms;
    job->len = rcv_snapshot_end(&writer, &head);

    keeper->due = RCV_DUE_NONE;
    keeper->begun_ms = ngx_max(ngx_current_msec, 1);

    return job->len ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_recovery_keeper_start(ngx_http_recovery_keeper_t *keeper)
{
    int                            err;
    sigset_t                       all, before;
    pthread_attr_t                 attr;
    ngx_http_recovery_file_job_t  *job;

    if (ngx_http_recovery_keeper_take(keeper) != NGX_OK) {
        return;
    }

    err = pthread_attr_init(&attr);

    if (err == 0) {
        (void) pthread_attr_setstacksize(&attr, NGX_HTTP_RECOVERY_STATE_STACK);

        /* signals are the worker's */

        sigfillset(&all);
        (void) pthread_sigmask(SIG_BLOCK, &all, &before);

        rcv_store(&keeper->writing->state, NGX_HTTP_RECOVERY_WRITING_ON);
        err = pthread_create(&keeper->thread, &attr,
                             ngx_http_recovery_keeper_thread,
                             keeper->writing);

        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        (void) pthread_attr_destroy(&attr);
    }

    if (err != 0) {
        job = &keeper->writing->job;
        job->outcome.result = NGX_HTTP_RECOVERY_FILE_FAILED;
        job->outcome.step = "pthread_create()";
        job->outcome.err = err;
        ngx_http_recovery_keeper_finish(keeper);
        return;
    }

    keeper->running = 1;
}


/* Nothing of nginx in here. */

static void *
ngx_http_recovery_keeper_thread(void *data)
{
    ngx_http_recovery_writing_t *writing = data;

    uint32_t  state;

    ngx_http_recovery_file_replace(&writing->job);

    state = NGX_HTTP_RECOVERY_WRITING_ON;

    if (!rcv_cas(&writing->state, &state, NGX_HTTP_RECOVERY_WRITING_DONE)) {
        free(writing);
    }

    return NULL;
}


static void
ngx_http_recovery_keeper_finish(ngx_http_recovery_keeper_t *keeper)
{
    ngx_http_recovery_kept_t      *kept;
    ngx_http_recovery_file_job_t  *job;

    if (keeper->running) {
        (void) pthread_join(keeper->thread, NULL);
        keeper->running = 0;
    }

    job = &keeper->writing->job;
    kept = &keeper->leader->main->zone->kept;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "recovery state file: %uz bytes, %uL us, result %d",
                   job->len, job->took_us, (int) job->outcome.result);

    keeper->failed = (job->outcome.result != NGX_HTTP_RECOVERY_FILE_OK);

    switch (job->outcome.result) {

    case NGX_HTTP_RECOVERY_FILE_OK:
        rcv_store(&kept->written_unix_ms, job->unix_ms);
        ngx_http_recovery_keeper_tell(keeper, NGX_HTTP_RECOVERY_KEPT_WRITTEN);
        break;

    case NGX_HTTP_RECOVERY_FILE_BUSY:
        /* for a moment only: the other one shows in what it has written */
        keeper->due = RCV_DUE_SOON;
        break;

    case NGX_HTTP_RECOVERY_FILE_SHARED:
        keeper->due = RCV_DUE_SOON;
        ngx_http_recovery_keeper_tell(keeper, NGX_HTTP_RECOVERY_KEPT_SHARED);
        break;

    default:
        keeper->due = RCV_DUE_SOON;
        ngx_http_recovery_keeper_tell(keeper, NGX_HTTP_RECOVERY_KEPT_FAILED);
    }
}


/* Once for each change. */

static void
ngx_http_recovery_keeper_tell(ngx_http_recovery_keeper_t *keeper,
    ngx_http_recovery_kept_state_t state)
{
    char                       before[sizeof(((ngx_http_recovery_kept_t *)
                                              NULL)->error)];
    uint32_t                   was;
    ngx_str_t                 *file;
    ngx_http_recovery_kept_t  *kept;

    kept = &keeper->leader->main->zone->kept;
    file = &keeper->leader->main->state_file;

    was = rcv_load(&kept->state);

    if (state == NGX_HTTP_RECOVERY_KEPT_WRITTEN) {

        if (was != state) {
            rcv_store(&kept->state, state);
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "recovery_state_file \"%V\" is written", file);
        }

        if (was == NGX_HTTP_RECOVERY_KEPT_FAILED
            || was == NGX_HTTP_RECOVERY_KEPT_SHARED)
        {
            kept->error[0] = '\0';
        }

        return;
    }

    ngx_memcpy(before, kept->error, sizeof(before));
    ngx_http_recovery_state_error(kept, "not written",
                                  &keeper->writing->job.outcome);

    if (was == (uint32_t) state
        && ngx_memcmp(before, kept->error, sizeof(before)) == 0)
    {
        return;
    }

    rcv_store(&kept->state, state);
    rcv_add(&kept->errors, 1);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "recovery_state_file \"%V\" is %s", file, kept->error);
}


void
ngx_http_recovery_state_error(ngx_http_recovery_kept_t *kept,
    const char *what, const ngx_http_recovery_file_outcome_t *outcome)
{
    u_char  *p, *last, reason[80];

    p = (u_char *) kept->error;
    last = p + sizeof(kept->error);

    if (outcome->err != 0) {
        *ngx_strerror(outcome->err, reason, sizeof(reason) - 1) = '\0';
        p = ngx_slprintf(p, last - 1, "%s: %s failed (%d: %s)", what,
                         outcome->step, outcome->err, reason);

    } else {
        p = ngx_slprintf(p, last - 1, "%s: it is %s", what, outcome->step);
    }

    ngx_memzero(p, last - p);
}


/* So many bytes of its name are that of its directory. */

static size_t
ngx_http_recovery_state_directory(ngx_str_t *file)
{
    u_char  *p;

    /* a full name: there is a slash */

    for (p = file->data + file->len; p[-1] != '/'; p--) { /* void */ }

    return p - file->data;
}


/*
 * The leader is a worker and writes as one, so it is asked as one: for root
 * every directory is writable.  Ids are put back at once; only the effective
 * ones are touched, and the master runs no other code meanwhile.
 */

static ngx_err_t
ngx_http_recovery_state_access(const char *directory, ngx_core_conf_t *ccf)
{
    gid_t       group;
    ngx_err_t   err;
    ngx_uint_t  lowered;

    group = getegid();

    lowered = (geteuid() == 0 && ccf->master && ccf->user != 0
               && ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT);

    if (lowered
        && (setegid(ccf->group) == -1 || seteuid(ccf->user) == -1))
    {
        err = ngx_errno;

    } else {
        err = faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == -1
              ? ngx_errno : 0;
    }

    if (lowered && (seteuid(0) == -1 || setegid(group) == -1)) {
        return ngx_errno;
    }

    return err;
}


void
ngx_http_recovery_state_check(ngx_cycle_t *cycle,
    ngx_http_recovery_main_conf_t *rmcf)
{
    size_t     len;
    u_char    *directory;
    ngx_err_t  err;

    if (rmcf->state_file.len == 0) {
        return;
    }

    len = ngx_http_recovery_state_directory(&rmcf->state_file);

    directory = ngx_pnalloc(cycle->pool, len + 1);
    if (directory == NULL) {
        return;
    }

    (void) ngx_cpystrn(directory, rmcf->state_file.data, len + 1);

    err = ngx_http_recovery_state_access((char *) directory,
                                         (ngx_core_conf_t *)
                         ngx_get_conf(cycle->conf_ctx, ngx_core_module));

    if (err != 0) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, err,
                      "recovery_state_file \"%V\" cannot be written, workers "
                      "need to write in directory \"%s\" in %V:%ui",
                      &rmcf->state_file, directory, &rmcf->state_at.file,
                      rmcf->state_at.line);
    }
}
