
/*
 * The accessors of a record: its state, its pen, what is in force, its
 * events.  The contract is at the top of _zone.h.
 */

#include "ngx_http_recovery.h"
#include "ngx_http_recovery_slots.h"


/* Nobody has use for a pen for longer than some microseconds. */
#define NGX_HTTP_RECOVERY_PEN_MS  1000


_Static_assert(RCV_PHASES <= 8 && RCV_WHYS <= 256 && RCV_FORCES <= 8
               && NGX_HTTP_RECOVERY_BYS <= 8, "an event fits into its word");


ngx_int_t
ngx_http_recovery_pen_take(ngx_http_recovery_record_t *record)
{
    uint64_t   word;
    uint32_t   now, age;
    ngx_pid_t  pid;

    now = (uint32_t) ngx_current_msec;
    word = rcv_load_acquire(&record->pen);

    if (word != 0) {
        pid = (ngx_pid_t) (word >> 32);
        age = now - (uint32_t) word;

        /* clocks of two processes are a few ms apart, either way */

        if (pid != ngx_pid
            && (age < NGX_HTTP_RECOVERY_PEN_MS || age > UINT32_MAX / 2)
            && !ngx_http_recovery_process_gone(pid, 0))
        {
            return NGX_DECLINED;
        }
    }

    return rcv_cas(&record->pen, &word, (uint64_t) ngx_pid << 32 | now)
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_recovery_pen_give(ngx_http_recovery_record_t *record)
{
    uint64_t  word;

    word = rcv_load(&record->pen);

    if (word >> 32 == (uint64_t) ngx_pid) {
        (void) rcv_cas(&record->pen, &word, 0);
    }
}


void
ngx_http_recovery_allowance_publish(ngx_http_recovery_record_t *record,
    const rcv_tick_t *tick, uint64_t now_ms)
{
    ngx_uint_t  i;

    for (i = 0; i < RCV_CLASSES_MAX; i++) {
        rcv_store(&record->retry[i], tick->retry[i]);
    }

    rcv_store(&record->rate_milli, tick->allowance.rate_milli);
    rcv_store(&record->ceiling_milli, tick->ceiling_milli);

    rcv_gate_publish(&record->gate, &tick->allowance, now_ms * 1000000);
    rcv_budget_fill(&record->gate, &tick->retries);
}


uint64_t
ngx_http_recovery_state_read(ngx_http_recovery_record_t *record,
    rcv_state_t *state)
{
    uint64_t    version;
    ngx_uint_t  tries;

    /*
     * A copy is written again only at the second publish after it was left:
     * one that changes under 100 readings means 200 publishes meanwhile.
     */

    for (tries = 0; /* void */ ; tries++) {
        version = rcv_load_acquire(&record->version);
        ngx_memcpy(state, &record->state[version & 1], sizeof(rcv_state_t));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (rcv_load(&record->version) == version || tries == 100) {
            return version;
        }
    }
}


ngx_int_t
ngx_http_recovery_state_write(ngx_http_recovery_record_t *record,
    uint64_t version, const rcv_state_t *state)
{
    uint64_t  expected;

    if (rcv_load_acquire(&record->version) != version) {
        return NGX_DECLINED;
    }

    ngx_memcpy(&record->state[(version + 1) & 1], state, sizeof(rcv_state_t));

    expected = version;

    if (!rcv_cas(&record->version, &expected, version + 1)) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_http_recovery_event_add(ngx_http_recovery_record_t *record,
    const rcv_change_t *change, ngx_http_recovery_by_t by, rcv_force_t force)
{
    uint32_t     n;
    uint64_t     unix_ms;
    ngx_time_t  *tp;

    n = rcv_load(&record->nevents);
    tp = ngx_timeofday();
    unix_ms = (uint64_t) tp->sec * 1000 + tp->msec;

    rcv_store(&record->events[n % NGX_HTTP_RECOVERY_EVENTS],
              unix_ms << 20 | (uint64_t) change->from << 17
              | (uint64_t) change->to << 14 | (uint64_t) change->why << 6
              | (uint64_t) by << 3 | (uint64_t) force);

    rcv_store_release(&record->nevents, n + 1);
}


ngx_http_recovery_event_t
ngx_http_recovery_event_at(ngx_http_recovery_record_t *record, uint32_t n)
{
    uint64_t                   word;
    ngx_http_recovery_event_t  event;

    word = rcv_load(&record->events[n % NGX_HTTP_RECOVERY_EVENTS]);

    event.unix_ms = word >> 20;
    event.from = (rcv_phase_t) (word >> 17 & 0x7);
    event.to = (rcv_phase_t) (word >> 14 & 0x7);
    event.why = (rcv_why_t) (word >> 6 & 0xff);
    event.by = (ngx_http_recovery_by_t) (word >> 3 & 0x7);
    event.force = (rcv_force_t) (word & 0x7);

    return event;
}
