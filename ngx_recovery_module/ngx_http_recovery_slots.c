
/*
 * A stock nginx leaks here: after one kill -9 limit_conn answers 503 for
 * ever, since nobody is left to count down (nginx/nginx#131 and others).
 */

#include "ngx_http_recovery_slots.h"


static uint64_t ngx_http_recovery_process_start(ngx_pid_t pid);


ngx_uint_t
ngx_http_recovery_process_gone(ngx_pid_t pid, uint64_t start)
{
    uint64_t  now;

    if (kill(pid, 0) == -1 && ngx_errno == ESRCH) {
        return 1;
    }

    if (start == 0) {
        return 0;
    }

    now = ngx_http_recovery_process_start(pid);

    return now != 0 && now != start;
}


void
ngx_http_recovery_slot_take(ngx_http_recovery_main_conf_t *rmcf)
{
    rcv_slots_t  slots;

    slots = ngx_http_recovery_slots(rmcf->zone);

    ngx_http_recovery_slots_reclaim(rmcf->zone);

    ngx_http_recovery_slot_use(rmcf,
                               rcv_slot_claim(&slots, (uint64_t) ngx_pid,
                                     ngx_http_recovery_process_start(ngx_pid),
                                     rmcf->generation, rmcf->zone->records));

    if (rmcf->slot == NULL) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "recovery: all %uD worker slots are taken, "
                      "this worker's requests are not counted in flight",
                      rmcf->zone->slots);
    }
}


void
ngx_http_recovery_slot_leave(ngx_http_recovery_main_conf_t *rmcf)
{
    if (rmcf->slot != NULL) {
        (void) rcv_slot_reclaim(rmcf->slot, (uint64_t) ngx_pid);
        ngx_http_recovery_slot_use(rmcf, NULL);
    }
}


void
ngx_http_recovery_slot_use(ngx_http_recovery_main_conf_t *rmcf,
    rcv_slot_t *slot)
{
    ngx_uint_t                     i;
    ngx_http_recovery_backend_t  **backends;

    rmcf->slot = slot;
    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        backends[i]->gate.slot = slot;
    }
}


void
ngx_http_recovery_slots_reclaim(ngx_http_recovery_zone_t *zone)
{
    uint64_t      owner;
    ngx_uint_t    i;
    rcv_slot_t   *slot;
    rcv_slots_t   slots;

    slots = ngx_http_recovery_slots(zone);

    for (i = 0; i < slots.count; i++) {
        slot = rcv_slot_at(&slots, (unsigned) i);
        owner = rcv_load_acquire(&slot->owner);

        if (owner == 0
            || !ngx_http_recovery_process_gone((ngx_pid_t) owner,
                                               rcv_load(&slot->start)))
        {
            continue;
        }

        if (rcv_slot_reclaim(slot, owner)) {
            rcv_add(&zone->slots_reclaimed, 1);

            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "recovery: took back the permits of process %P",
                          (ngx_pid_t) owner);
        }
    }
}


uint32_t
ngx_http_recovery_processes(ngx_http_recovery_zone_t *zone)
{
    uint32_t      n;
    ngx_uint_t    i;
    rcv_slots_t   slots;

    slots = ngx_http_recovery_slots(zone);
    n = 0;

    for (i = 0; i < slots.count; i++) {
        n += (rcv_load(&rcv_slot_at(&slots, (unsigned) i)->owner) != 0);
    }

    return n;
}


uint32_t
ngx_http_recovery_in_flight(ngx_http_recovery_backend_t *backend)
{
    rcv_slots_t  slots;

    slots = ngx_http_recovery_slots(backend->main->zone);

    return rcv_inflight_used(&backend->record->gate, &slots,
                             (unsigned) backend->index);
}


/*
 * Field 22 of /proc/PID/stat, in clock ticks since boot; 0 when it cannot
 * be read.  The name of the process comes before it, in parentheses, and may
 * itself contain any byte: counting starts behind the last ")".
 */

static uint64_t
ngx_http_recovery_process_start(ngx_pid_t pid)
{
    char       *p, *last;
    u_char      path[sizeof("/proc//stat") + NGX_INT64_LEN], text[1024];
    ssize_t     n;
    ngx_fd_t    fd;
    uint64_t    start;
    ngx_uint_t  field;

    (void) ngx_sprintf(path, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, text, sizeof(text) - 1);

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';
    last = (char *) text + n;

    p = strrchr((char *) text, ')');
    if (p == NULL) {
        return 0;
    }

    for (field = 2; field < 22; field++) {
        p = memchr(p, ' ', last - p);

        if (p == NULL) {
            return 0;
        }

        p++;
    }

    for (start = 0; *p >= '0' && *p <= '9'; p++) {
        start = start * 10 + (uint64_t) (*p - '0');
    }

    return start;
}
