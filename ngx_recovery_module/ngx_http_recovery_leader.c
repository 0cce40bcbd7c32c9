
/*
 * One worker leads: it holds the lease in the zone, runs the tick of every
 * backend (_tick.c), and owns the Redis link.
 *
 * The lease is taken at worker start when it is free, has run out, belongs
 * to a dead process or to the workers of an older configuration; and later
 * by any request that finds it run out.  So nobody has to wake up only to
 * watch the leader: when no request comes, nothing needs a decision.
 *
 * A leader that finds another one in the lease resigns at once.  Whatever it
 * may still write then is refused by the version of the state.
 */

#include <sys/random.h>

#include "ngx_http_recovery_leader.h"
#include "ngx_http_recovery_audit.h"
#include "ngx_http_recovery_slots.h"
#include "ngx_http_recovery_state.h"
#include "ngx_http_recovery_texts.h"


#define NGX_HTTP_RECOVERY_LEASE_SPARE_MS  500
#define NGX_HTTP_RECOVERY_HOUSEKEEP_MS    1000


static ngx_uint_t ngx_http_recovery_lease_open(
    ngx_http_recovery_main_conf_t *rmcf, uint64_t owner);
static ngx_int_t ngx_http_recovery_leader_start(
    ngx_http_recovery_main_conf_t *rmcf, uint64_t identity);
static void ngx_http_recovery_leader_key(ngx_http_recovery_leader_t *leader);
static void ngx_http_recovery_leader_stop(
    ngx_http_recovery_main_conf_t *rmcf, ngx_uint_t last);
static ngx_uint_t ngx_http_recovery_leader_renew(
    ngx_http_recovery_leader_t *leader);
static void ngx_http_recovery_leader_tick(ngx_event_t *ev);
static void ngx_http_recovery_housekeep(ngx_http_recovery_leader_t *leader);


void
ngx_http_recovery_lead(ngx_http_recovery_main_conf_t *rmcf)
{
    uint64_t                   owner, identity;
    ngx_http_recovery_zone_t  *zone;

    zone = rmcf->zone;

    if (rmcf->leader != NULL || ngx_exiting || ngx_terminate) {
        return;
    }

    owner = rcv_load_acquire(&zone->lease_owner);

    if (!ngx_http_recovery_lease_open(rmcf, owner)) {
        return;
    }

    identity = (rmcf->generation << 32) | (uint64_t) ngx_pid;

    if (!rcv_cas(&zone->lease_owner, &owner, identity)) {
        return;
    }

    rcv_store(&zone->lease_deadline_ms,
              (uint64_t) ngx_current_msec + NGX_HTTP_RECOVERY_LEASE_SPARE_MS);

    if (ngx_http_recovery_leader_start(rmcf, identity) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "recovery: this worker could not start to lead");
        rcv_store(&zone->lease_deadline_ms, 0);
    }
}


/* May the lease be taken from this owner? */

static ngx_uint_t
ngx_http_recovery_lease_open(ngx_http_recovery_main_conf_t *rmcf,
    uint64_t owner)
{
    ngx_pid_t  pid;

    if (owner == 0 || !ngx_http_recovery_led(rmcf->zone)) {
        return 1;
    }

    /* workers of an older configuration do not know the new backends */

    if ((owner >> 32) < rmcf->generation) {
        return 1;
    }

    pid = (ngx_pid_t) (owner & 0xffffffff);

    return pid == ngx_pid || ngx_http_recovery_process_gone(pid, 0);
}


static ngx_int_t
ngx_http_recovery_leader_start(ngx_http_recovery_main_conf_t *rmcf,
    uint64_t identity)
{
    ngx_uint_t                   i;
    ngx_pool_t                  *pool;
    ngx_http_recovery_leader_t  *leader;

    /* its own pool: a worker may lead, resign and lead again for years */

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    leader = ngx_pcalloc(pool, sizeof(ngx_http_recovery_leader_t));
    if (leader == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    ngx_http_recovery_leader_key(leader);

    leader->seen = ngx_pcalloc(pool, rmcf->backends.nelts
                                     * sizeof(ngx_http_recovery_seen_t));
    if (leader->seen == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    leader->pool = pool;
    leader->main = rmcf;
    leader->identity = identity;
    leader->interval_ms = RCV_TICK_MS;
    leader->timer.handler = ngx_http_recovery_leader_tick;
    leader->timer.data = leader;
    leader->timer.log = ngx_cycle->log;
    leader->timer.cancelable = 1;

    rmcf->leader = leader;

    ngx_http_recovery_state_wake(rmcf, ngx_cycle->log);
    leader->keeper = ngx_http_recovery_state_keeper(leader);

    for (i = 0; i < rmcf->backends.nelts; i++) {
        ngx_http_recovery_backend_begin(leader, i);
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "recovery: this worker leads");

    ngx_http_recovery_housekeep(leader);

    if (rmcf->redis != NULL) {
        leader->redis = ngx_http_recovery_redis_create(rmcf, ngx_cycle->log);

        if (leader->redis == NULL) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "recovery: the link to redis could not be made");
        }
    }

    ngx_http_recovery_leader_tick(&leader->timer);

    return NGX_OK;
}


void
ngx_http_recovery_resign(ngx_http_recovery_main_conf_t *rmcf)
{
    uint64_t  identity;

    if (rmcf->leader == NULL) {
        return;
    }

    identity = rmcf->leader->identity;

    ngx_http_recovery_leader_stop(rmcf, rcv_load(&rmcf->zone->lease_owner)
                                        == identity);

    /* free for the next one, if nobody has taken it already */

    if (rcv_load(&rmcf->zone->lease_owner) == identity) {
        rcv_store(&rmcf->zone->lease_deadline_ms, 0);
        (void) rcv_cas(&rmcf->zone->lease_owner, &identity, 0);
    }
}


/* The kernel has it, or else it is as good as nginx's own. */

static void
ngx_http_recovery_leader_key(ngx_http_recovery_leader_t *leader)
{
    if (getrandom(leader->key, sizeof(leader->key), GRND_NONBLOCK)
        != (ssize_t) sizeof(leader->key))
    {
        leader->key[0] = (uint64_t) ngx_random() << 32 | (uint64_t) ngx_pid;
        leader->key[1] = (uint64_t) ngx_random() << 32
                         | (uint64_t) ngx_current_msec;
    }
}


/* last: nobody has taken over, and perhaps nobody will. */

static void
ngx_http_recovery_leader_stop(ngx_http_recovery_main_conf_t *rmcf,
    ngx_uint_t last)
{
    ngx_http_recovery_leader_t  *leader;

    leader = rmcf->leader;
    rmcf->leader = NULL;

    if (leader->timer.timer_set) {
        ngx_del_timer(&leader->timer);
    }

    if (leader->redis != NULL) {
        ngx_http_recovery_redis_destroy(leader->redis);
    }

    if (leader->keeper != NULL) {
        ngx_http_recovery_state_end(leader->keeper, last);
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "recovery: this worker leads no longer");

    ngx_destroy_pool(leader->pool);
}


/* Still the leader?  Then for at least one more interval. */

static ngx_uint_t
ngx_http_recovery_leader_renew(ngx_http_recovery_leader_t *leader)
{
    ngx_http_recovery_zone_t  *zone;

    zone = leader->main->zone;

    if (rcv_load_acquire(&zone->lease_owner) != leader->identity) {
        return 0;
    }

    rcv_store(&zone->lease_deadline_ms,
              (uint64_t) ngx_current_msec + leader->interval_ms
              + NGX_HTTP_RECOVERY_LEASE_SPARE_MS);

    return 1;
}


static void
ngx_http_recovery_leader_tick(ngx_event_t *ev)
{
    uint64_t                        now;
    ngx_uint_t                      i;
    ngx_http_recovery_seen_t       *seen;
    ngx_http_recovery_leader_t     *leader;
    ngx_http_recovery_main_conf_t  *rmcf;

    leader = ev->data;
    rmcf = leader->main;

    if (ngx_exiting || ngx_terminate) {
        ngx_http_recovery_resign(rmcf);
        return;
    }

    if (!ngx_http_recovery_leader_renew(leader)) {
        ngx_http_recovery_leader_stop(rmcf, 0);
        return;
    }

    now = ngx_current_msec;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        seen = &leader->seen[i];

        if (!seen->quiet
            || rcv_since(now, seen->tick_ms) >= RCV_TICK_QUIET_MS - 1)
        {
            ngx_http_recovery_backend_tick(leader, i, NULL);
        }
    }

    if (leader->keeper != NULL) {
        ngx_http_recovery_state_turn(leader->keeper);
    }

    if (rcv_since(now, leader->housekept_ms) >= NGX_HTTP_RECOVERY_HOUSEKEEP_MS)
    {
        ngx_http_recovery_housekeep(leader);

        for (i = 0; i < rmcf->backends.nelts; i++) {
            ngx_http_recovery_summary(leader, i);
        }
    }

    ngx_http_recovery_leader_schedule(leader);
}


void
ngx_http_recovery_leader_schedule(ngx_http_recovery_leader_t *leader)
{
    ngx_uint_t  i;

    leader->interval_ms = RCV_TICK_QUIET_MS;

    for (i = 0; i < leader->main->backends.nelts; i++) {
        if (!leader->seen[i].quiet) {
            leader->interval_ms = RCV_TICK_MS;
            break;
        }
    }

    (void) ngx_http_recovery_leader_renew(leader);

    if (leader->timer.timer_set) {
        ngx_del_timer(&leader->timer);
    }

    ngx_add_timer(&leader->timer, leader->interval_ms);
}


/* Once a second: permits of dead processes come back. */

static void
ngx_http_recovery_housekeep(ngx_http_recovery_leader_t *leader)
{
    ngx_uint_t                      i;
    rcv_slots_t                     slots;
    ngx_http_recovery_main_conf_t  *rmcf;
    ngx_http_recovery_backend_t   **backends;

    rmcf = leader->main;
    leader->housekept_ms = ngx_current_msec;

    ngx_http_recovery_slots_reclaim(rmcf->zone);
    ngx_http_recovery_texts_sweep(rmcf->zone, leader->texts);

    if (rmcf->redis != NULL) {
        ngx_http_recovery_audit_trim(rmcf);
    }

    rcv_store(&rmcf->zone->processes,
              ngx_http_recovery_processes(rmcf->zone));

    slots = ngx_http_recovery_slots(rmcf->zone);
    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        (void) rcv_inflight_reconcile(&backends[i]->record->gate, &slots,
                                      (unsigned) backends[i]->index);
    }
}
