
#include "ngx_http_recovery_fields.h"


static ngx_int_t ngx_http_recovery_samples_info(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_undecided(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_requests(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_rank(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_cut(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_shed(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_dry(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_phase(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_mode(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_force(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_overrides(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_results(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);
static ngx_int_t ngx_http_recovery_samples_latency(const void *view,
    ngx_uint_t i, ngx_http_recovery_sample_t *sample);


/* Short words, so that a row stays a row. */

#define NODE(kind, member)                                                    \
    NGX_HTTP_RECOVERY_ ## kind, offsetof(ngx_http_recovery_node_view_t, member)
#define BACKEND(kind, member)                                                 \
    NGX_HTTP_RECOVERY_ ## kind, offsetof(ngx_http_recovery_view_t, member)
#define REPORT(kind, member)                                                  \
    NGX_HTTP_RECOVERY_ ## kind, offsetof(ngx_http_recovery_report_view_t,     \
                                         member)
#define CLASS(kind, member)                                                   \
    NGX_HTTP_RECOVERY_ ## kind, offsetof(ngx_http_recovery_class_view_t,      \
                                         member)
#define EVENT(kind, member)                                                   \
    NGX_HTTP_RECOVERY_ ## kind, offsetof(ngx_http_recovery_event_view_t,      \
                                         member)

#define HIDDEN          ngx_null_string
#define NO_METRIC       { ngx_null_string, 0, NULL, ngx_null_string }
#define SAMPLES_ONLY    HIDDEN, HIDDEN, NGX_HTTP_RECOVERY_NONE, 0, NULL
#define END                                                                   \
    { HIDDEN, HIDDEN, NGX_HTTP_RECOVERY_END, 0, NULL, NO_METRIC }

#define GAUGE(name, help)                                                     \
    { ngx_string(name), NGX_HTTP_RECOVERY_GAUGE, NULL, ngx_string(help) }
#define COUNTER(name, help)                                                   \
    { ngx_string(name), NGX_HTTP_RECOVERY_COUNTER, NULL, ngx_string(help) }
#define FAMILY(name, type, samples, help)                                     \
    { ngx_string(name), NGX_HTTP_RECOVERY_ ## type,                           \
      ngx_http_recovery_samples_ ## samples, ngx_string(help) }


static const ngx_http_recovery_field_t  ngx_http_recovery_redis_fields[] = {

    { ngx_string("state"), ngx_string("Redis"),
      NODE(WORD, redis_state), ngx_http_recovery_redis_state_names,
      NO_METRIC },

    { HIDDEN, HIDDEN,
      NODE(BOOL, redis_up), NULL,
      GAUGE("redis_up",
            "1 while the leader is connected to Redis.") },

    { ngx_string("address"), ngx_string("Redis address"),
      NODE(TEXT, redis_address), NULL,
      NO_METRIC },

    { ngx_string("last_success_age_ms"), ngx_string("Redis answer age"),
      NODE(MS, redis_age_ms), NULL,
      NO_METRIC },

    { HIDDEN, HIDDEN,
      NODE(MS, redis_success_unix_ms), NULL,
      GAUGE("redis_last_success_timestamp_seconds",
            "Unix time of the last good answer from Redis.") },

    { ngx_string("reconnects"), ngx_string("Redis reconnects"),
      NODE(COUNT, redis_reconnects), NULL,
      COUNTER("redis_reconnects_total",
              "Connections to Redis made anew.") },

    { ngx_string("bad_values"), ngx_string("Redis bad values"),
      NODE(COUNT, redis_bad_values), NULL,
      COUNTER("redis_bad_values_total",
              "Malformed values in Redis; the last good ones were kept.") },

    { ngx_string("audit_dropped"), ngx_string("Audit dropped"),
      NODE(COUNT, audit_dropped), NULL,
      COUNTER("audit_dropped_total",
              "Events that were overwritten before Redis had them.") },

    END
};


static const ngx_http_recovery_field_t  ngx_http_recovery_kept_fields[] = {

    { ngx_string("state"), ngx_string("State file"),
      NODE(WORD, kept_state), ngx_http_recovery_kept_names,
      NO_METRIC },

    { HIDDEN, HIDDEN,
      NODE(BOOL, kept_written), NULL,
      GAUGE("state_file_written",
            "1 while the state file is kept up by this nginx.") },

    { ngx_string("age_ms"), ngx_string("State file age"),
      NODE(MS, kept_age_ms), NULL,
      NO_METRIC },

    { HIDDEN, HIDDEN,
      NODE(MS, kept_unix_ms), NULL,
      GAUGE("state_file_last_write_timestamp_seconds",
            "Unix time at which the state file was written last.") },

    { ngx_string("loaded"), ngx_string("State file at the start"),
      NODE(WORD, kept_loaded), ngx_http_recovery_loaded_names,
      NO_METRIC },

    { ngx_string("errors"), ngx_string("State file errors"),
      NODE(COUNT, kept_errors), NULL,
      COUNTER("state_file_errors_total",
              "Failures to read or write the state file, once each.") },

    { ngx_string("error"), ngx_string("State file error"),
      NODE(TEXT, kept_error), NULL,
      NO_METRIC },

    END
};


const ngx_http_recovery_field_t  ngx_http_recovery_node_fields[] = {

    { SAMPLES_ONLY,
      FAMILY("info", GAUGE, info,
             "Versions of the module and of nginx.") },

    { ngx_string("schema"), HIDDEN,
      NODE(COUNT, schema), NULL,
      NO_METRIC },

    { ngx_string("version"), ngx_string("Version"),
      NODE(TEXT, version), NULL,
      NO_METRIC },

    { ngx_string("nginx"), ngx_string("nginx"),
      NODE(TEXT, nginx), NULL,
      NO_METRIC },

    { ngx_string("instance"), ngx_string("Instance"),
      NODE(TEXT, instance), NULL,
      NO_METRIC },

    { ngx_string("now"), ngx_string("Now"),
      NODE(TIME, unix_ms), NULL,
      NO_METRIC },

    { ngx_string("uptime_s"), ngx_string("Uptime"),
      NODE(SECONDS, uptime_s), NULL,
      NO_METRIC },

    { ngx_string("redis"), ngx_string("Redis"),
      NODE(OBJECT, has_redis), ngx_http_recovery_redis_fields,
      NO_METRIC },

    { ngx_string("state_file"), ngx_string("State file"),
      NODE(OBJECT, has_kept), ngx_http_recovery_kept_fields,
      NO_METRIC },

    { SAMPLES_ONLY,
      FAMILY("undecided_total", COUNTER, undecided,
             "Requests let pass because no full decision could be made.") },

    { HIDDEN, HIDDEN,
      NODE(COUNT, slots_reclaimed), NULL,
      COUNTER("slots_reclaimed_total",
              "Process slots taken back from dead workers.") },

    END
};


const ngx_http_recovery_field_t  ngx_http_recovery_report_fields[] = {

    { ngx_string("node"), HIDDEN,
      REPORT(TEXT, node.instance), NULL,
      NO_METRIC },

    { ngx_string("backend"), HIDDEN,
      REPORT(TEXT, backend.name), NULL,
      NO_METRIC },

    { ngx_string("reported_ms"), HIDDEN,
      REPORT(MS, unix_ms), NULL,
      NO_METRIC },

    END
};


static const ngx_http_recovery_field_t  ngx_http_recovery_force_fields[] = {

    { ngx_string("force"), ngx_string("Forced"),
      BACKEND(WORD, force), rcv_force_names,
      NO_METRIC },

    { ngx_string("level"), ngx_string("Forced to"),
      BACKEND(RATIO, force_ppm), NULL,
      NO_METRIC },

    { ngx_string("until_s"), ngx_string("Forced for another"),
      BACKEND(SECONDS, force_left_s), NULL,
      NO_METRIC },

    { ngx_string("by"), ngx_string("Forced by"),
      BACKEND(TEXT, force_by), NULL,
      NO_METRIC },

    { ngx_string("reason"), ngx_string("Forced because"),
      BACKEND(TEXT, force_reason), NULL,
      NO_METRIC },

    { ngx_string("source"), ngx_string("Forced through"),
      BACKEND(WORD, force_source), ngx_http_recovery_source_names,
      NO_METRIC },

    END
};


static const ngx_http_recovery_field_t  ngx_http_recovery_order_fields[] = {

    { ngx_string("force"), ngx_string("Ordered here: force"),
      BACKEND(WORD, order_force), rcv_force_names,
      NO_METRIC },

    { ngx_string("force_level"), HIDDEN,
      BACKEND(RATIO, order_force_ppm), NULL,
      NO_METRIC },

    { ngx_string("force_until_s"), ngx_string("for another"),
      BACKEND(SECONDS, order_force_left_s), NULL,
      NO_METRIC },

    { ngx_string("health"), ngx_string("Ordered here: health"),
      BACKEND(WORD, order_health), rcv_health_names,
      NO_METRIC },

    { ngx_string("health_level"), HIDDEN,
      BACKEND(RATIO, order_health_ppm), NULL,
      NO_METRIC },

    { ngx_string("health_until_s"), ngx_string("for another"),
      BACKEND(SECONDS, order_health_left_s), NULL,
      NO_METRIC },

    { ngx_string("class"), ngx_string("Ordered here: let in to class"),
      BACKEND(TEXT, order_class), NULL,
      NO_METRIC },

    { ngx_string("class_until_s"), ngx_string("for another"),
      BACKEND(SECONDS, order_class_left_s), NULL,
      NO_METRIC },

    END
};


static const ngx_http_recovery_field_t  ngx_http_recovery_dry_fields[] = {

    { ngx_string("rate"), ngx_string("Dry run: rate"),
      BACKEND(COUNT, dry_by[RCV_REASON_RATE]), NULL,
      NO_METRIC },

    { ngx_string("in_flight"), ngx_string("Dry run: in flight"),
      BACKEND(COUNT, dry_by[RCV_REASON_IN_FLIGHT]), NULL,
      NO_METRIC },

    { ngx_string("down"), ngx_string("Dry run: down"),
      BACKEND(COUNT, dry_by[RCV_REASON_DOWN]), NULL,
      NO_METRIC },

    { ngx_string("probing"), ngx_string("Dry run: probing"),
      BACKEND(COUNT, dry_by[RCV_REASON_PROBING]), NULL,
      NO_METRIC },

    { ngx_string("forced"), ngx_string("Dry run: forced"),
      BACKEND(COUNT, dry_by[RCV_REASON_FORCED]), NULL,
      NO_METRIC },

    { ngx_string("quota"), ngx_string("Dry run: quota"),
      BACKEND(COUNT, dry_by[RCV_REASON_QUOTA]), NULL,
      NO_METRIC },

    { ngx_string("ceiling"), ngx_string("Dry run: ceiling"),
      BACKEND(COUNT, dry_by[RCV_REASON_CEILING]), NULL,
      NO_METRIC },

    { ngx_string("degraded"), ngx_string("Dry run: degraded"),
      BACKEND(COUNT, dry_by[RCV_REASON_DEGRADED]), NULL,
      NO_METRIC },

    { ngx_string("cohort"), ngx_string("Dry run: cohort"),
      BACKEND(COUNT, dry_by[RCV_REASON_COHORT]), NULL,
      NO_METRIC },

    { ngx_string("retry_budget"), ngx_string("Dry run: retry budget"),
      BACKEND(COUNT, dry_by[RCV_REASON_RETRY_BUDGET]), NULL,
      NO_METRIC },

    { ngx_string("signal_lost"), ngx_string("Dry run: signal lost"),
      BACKEND(COUNT, dry_by[RCV_REASON_SIGNAL_LOST]), NULL,
      NO_METRIC },

    END
};


static const ngx_http_recovery_words_t  ngx_http_recovery_reason_words = {
    rcv_reason_names, RCV_REASONS
};


static const ngx_http_recovery_field_t  ngx_http_recovery_class_fields[] = {

    { ngx_string("name"), ngx_string("Class"),
      CLASS(TEXT, name), NULL,
      NO_METRIC },

    { ngx_string("offered"), ngx_string("Offered"),
      CLASS(COUNT, offered), NULL,
      NO_METRIC },

    { ngx_string("passed"), ngx_string("Passed"),
      CLASS(COUNT, passed), NULL,
      NO_METRIC },

    { ngx_string("shed"), ngx_string("Shed"),
      CLASS(COUNT, shed), NULL,
      NO_METRIC },

    { ngx_string("shed_by_reason"), ngx_string("Shed because"),
      CLASS(COUNTS, shed_by), &ngx_http_recovery_reason_words,
      NO_METRIC },

    { ngx_string("shed_dry_run"), ngx_string("Dry run"),
      CLASS(COUNT, shed_dry_run), NULL,
      NO_METRIC },

    { ngx_string("cut_cohort"), ngx_string("Cohorts let in"),
      CLASS(COUNT, cut_cohort), NULL,
      NO_METRIC },

    END
};


static const ngx_http_recovery_field_t  ngx_http_recovery_event_fields[] = {

    { ngx_string("time"), ngx_string("Time"),
      EVENT(TIME, unix_ms), NULL,
      NO_METRIC },

    { ngx_string("from"), ngx_string("From"),
      EVENT(WORD, from), rcv_phase_names,
      NO_METRIC },

    { ngx_string("to"), ngx_string("To"),
      EVENT(WORD, to), rcv_phase_names,
      NO_METRIC },

    { ngx_string("why"), ngx_string("Why"),
      EVENT(WORD, why), rcv_why_texts,
      NO_METRIC },

    { ngx_string("by"), ngx_string("By"),
      EVENT(WORD, by), ngx_http_recovery_by_names,
      NO_METRIC },

    { ngx_string("force"), ngx_string("Force"),
      EVENT(WORD, force), rcv_force_names,
      NO_METRIC },

    END
};


const ngx_http_recovery_field_t  ngx_http_recovery_backend_fields[] = {

    { ngx_string("phase"), ngx_string("Phase"),
      BACKEND(WORD, phase), rcv_phase_names,
      FAMILY("phase", GAUGE, phase,
             "1 for the phase that the backend is in, 0 for the others.") },

    { ngx_string("phase_age_ms"), ngx_string("In this phase for"),
      BACKEND(MS, phase_age_ms), NULL,
      NO_METRIC },

    { ngx_string("health"), ngx_string("Health"),
      BACKEND(WORD, health), rcv_health_names,
      NO_METRIC },

    { ngx_string("health_source"), ngx_string("Health said by"),
      BACKEND(WORD, health_source), ngx_http_recovery_source_names,
      NO_METRIC },

    { ngx_string("health_by"), ngx_string("On the word of"),
      BACKEND(TEXT, health_by), NULL,
      NO_METRIC },

    { ngx_string("health_reason"), ngx_string("Because"),
      BACKEND(TEXT, health_reason), NULL,
      NO_METRIC },

    { ngx_string("health_age_ms"), ngx_string("Health age"),
      BACKEND(MS, health_age_ms), NULL,
      GAUGE("health_age_seconds",
            "Time since the source of health last answered.") },

    { ngx_string("health_damped"), ngx_string("Flapping"),
      BACKEND(BOOL, health_damped), NULL,
      GAUGE("health_damped",
            "1 while health flaps, and up is not believed until it holds.") },

    { ngx_string("signal_lost"), ngx_string("Signal lost"),
      BACKEND(BOOL, signal_lost), NULL,
      GAUGE("signal_lost",
            "1 while the policy for a lost signal is in force.") },

    { ngx_string("signal_mode"), ngx_string("Signal"),
      BACKEND(WORD, signal_mode), ngx_http_recovery_mode_names,
      FAMILY("signal_mode", GAUGE, mode,
             "1 for what decides: the source, or what stands in for it.") },

    { ngx_string("epoch"), ngx_string("Epoch"),
      BACKEND(COUNT, epoch), NULL,
      NO_METRIC },

    { ngx_string("promote"), ngx_string("Let in up to class"),
      BACKEND(TEXT, promote), NULL,
      NO_METRIC },

    { ngx_string("allowed_per_s"), ngx_string("Allowed"),
      BACKEND(RATE, allowed_milli), NULL,
      GAUGE("allowed_requests_per_second",
            "Cost per second that may reach the backend; +Inf: no limit.") },

    { ngx_string("ceiling_per_s"), ngx_string("Ceiling"),
      BACKEND(RATE, ceiling_milli), NULL,
      GAUGE("ceiling_requests_per_second",
            "The limit beside the ramp's schedule; +Inf: none.") },

    { ngx_string("reference_per_s"), ngx_string("Reference"),
      BACKEND(RATE, reference_milli), NULL,
      GAUGE("reference_requests_per_second",
            "The normal traffic, configured or learned; left out: unknown.") },

    { ngx_string("level"), ngx_string("Level"),
      BACKEND(RATIO, level_ppm), NULL,
      GAUGE("level_ratio",
            "What is allowed, as a part of the reference; +Inf: no limit.") },

    { ngx_string("in_flight"), ngx_string("In flight"),
      BACKEND(COUNT, in_flight), NULL,
      GAUGE("in_flight_requests",
            "Requests that are at the backend now.") },

    { ngx_string("in_flight_limit"), ngx_string("In flight at most"),
      BACKEND(COUNT, in_flight_limit), NULL,
      GAUGE("in_flight_limit_requests",
            "Requests that may be at the backend at a time.") },

    { ngx_string("delivered_per_s"), ngx_string("Delivered"),
      BACKEND(RATE, delivered_milli), NULL,
      GAUGE("delivered_requests_per_second",
            "Work that the backend delivered, per second.") },

    { ngx_string("error_ratio"), ngx_string("Errors"),
      BACKEND(RATIO, error_ppm), NULL,
      GAUGE("error_ratio",
            "Part of the backend's results that were errors or timeouts.") },

    { ngx_string("latency_p50_ms"), ngx_string("Latency, median"),
      BACKEND(MS, p50_ms), NULL,
      NO_METRIC },

    { ngx_string("latency_p90_ms"), ngx_string("Latency, 90 %"),
      BACKEND(MS, p90_ms), NULL,
      NO_METRIC },

    { ngx_string("eta_s"), ngx_string("Full service in"),
      BACKEND(SECONDS, eta_s), NULL,
      GAUGE("eta_seconds",
            "Forecast of the time until full service.") },

    { ngx_string("why"), ngx_string("Why"),
      BACKEND(WORD, why), rcv_why_texts,
      NO_METRIC },

    { ngx_string("force"), ngx_string("Force"),
      BACKEND(OBJECT, forced), ngx_http_recovery_force_fields,
      FAMILY("force", GAUGE, force,
             "1 for the force that decides, 0 for the others.") },

    { ngx_string("override"), ngx_string("Override"),
      BACKEND(OBJECT, ordered), ngx_http_recovery_order_fields,
      FAMILY("override_in_force", GAUGE, overrides,
             "1 while an operator's force or order is in force.") },

    { ngx_string("classes"), ngx_string("Classes"),
      BACKEND(LIST, classes), ngx_http_recovery_class_fields,
      FAMILY("requests_total", COUNTER, requests,
             "Decided requests by class and outcome.") },

    { SAMPLES_ONLY,
      FAMILY("class_rank", GAUGE, rank,
             "Place of the class: 1 is served first.") },

    { SAMPLES_ONLY,
      FAMILY("cut_cohorts", GAUGE, cut,
             "Cohorts of 128 that are let in, of classes that are cut.") },

    { SAMPLES_ONLY,
      FAMILY("shed_total", COUNTER, shed,
             "Shed requests by class and reason, without dry runs.") },

    { ngx_string("dry_run"), ngx_string("Dry run"),
      BACKEND(OBJECT, dry), ngx_http_recovery_dry_fields,
      FAMILY("shed_dry_run_total", COUNTER, dry,
             "Requests that a dry run would have shed, by reason.") },

    { SAMPLES_ONLY,
      FAMILY("upstream_responses_total", COUNTER, results,
             "Attempts at the backend by result.") },

    { SAMPLES_ONLY,
      FAMILY("upstream_latency_seconds", HISTOGRAM, latency,
             "Time that the backend took for an attempt.") },

    { ngx_string("events"), ngx_string("Events"),
      BACKEND(LIST, events), ngx_http_recovery_event_fields,
      NO_METRIC },

    END
};


const ngx_http_recovery_field_t  ngx_http_recovery_control_fields[] = {

    { ngx_string("phase"), HIDDEN,
      BACKEND(WORD, phase), rcv_phase_names,
      NO_METRIC },

    { ngx_string("health"), HIDDEN,
      BACKEND(WORD, health), rcv_health_names,
      NO_METRIC },

    { ngx_string("health_source"), HIDDEN,
      BACKEND(WORD, health_source), ngx_http_recovery_source_names,
      NO_METRIC },

    { ngx_string("health_by"), HIDDEN,
      BACKEND(TEXT, health_by), NULL,
      NO_METRIC },

    { ngx_string("health_reason"), HIDDEN,
      BACKEND(TEXT, health_reason), NULL,
      NO_METRIC },

    { ngx_string("allowed_per_s"), HIDDEN,
      BACKEND(RATE, allowed_milli), NULL,
      NO_METRIC },

    { ngx_string("level"), HIDDEN,
      BACKEND(RATIO, level_ppm), NULL,
      NO_METRIC },

    { ngx_string("why"), HIDDEN,
      BACKEND(WORD, why), rcv_why_texts,
      NO_METRIC },

    { ngx_string("force"), HIDDEN,
      BACKEND(OBJECT, forced), ngx_http_recovery_force_fields,
      NO_METRIC },

    { ngx_string("promote"), HIDDEN,
      BACKEND(TEXT, promote), NULL,
      NO_METRIC },

    { ngx_string("override"), HIDDEN,
      BACKEND(OBJECT, ordered), ngx_http_recovery_order_fields,
      NO_METRIC },

    END
};


static ngx_inline void
ngx_http_recovery_sample_label(ngx_http_recovery_sample_t *sample,
    const char *label, const char *text)
{
    ngx_uint_t  n;

    n = sample->nlabels++;

    sample->label[n].data = (u_char *) label;
    sample->label[n].len = ngx_strlen(label);
    sample->text[n].data = (u_char *) text;
    sample->text[n].len = ngx_strlen(text);
}


static ngx_int_t
ngx_http_recovery_samples_info(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    if (i > 0) {
        return NGX_DONE;
    }

    ngx_http_recovery_sample_label(sample, "version",
                                   NGX_HTTP_RECOVERY_VERSION);
    ngx_http_recovery_sample_label(sample, "nginx", NGINX_VERSION);
    sample->value = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_samples_undecided(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    const ngx_http_recovery_node_view_t  *node = view;

    if (i >= NGX_HTTP_RECOVERY_UNDECIDED) {
        return NGX_DONE;
    }

    ngx_http_recovery_sample_label(sample, "reason",
                                   ngx_http_recovery_undecided_names[i]);
    sample->value = node->undecided[i];

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_samples_requests(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    const ngx_http_recovery_view_t        *backend = view;
    const ngx_http_recovery_class_view_t  *class;

    static const rcv_outcome_t  outcomes[] = {
        RCV_OUTCOME_PASSED, RCV_OUTCOME_SHED, RCV_OUTCOME_SHED_DRY_RUN
    };

    const ngx_uint_t  n = sizeof(outcomes) / sizeof(outcomes[0]);

    if (i >= n * backend->classes.nelts) {
        return NGX_DONE;
    }

    class = backend->classes.elts;
    class += i / n;

    ngx_http_recovery_sample_label(sample, "class",
                                   (const char *) class->name.data);
    ngx_http_recovery_sample_label(sample, "outcome",
                                   rcv_outcome_names[outcomes[i % n]]);

    switch (outcomes[i % n]) {

    case RCV_OUTCOME_PASSED:
        sample->value = class->passed;
        break;

    case RCV_OUTCOME_SHED:
        sample->value = class->shed;
        break;

    default:
        sample->value = class->shed_dry_run;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_samples_rank(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    const ngx_http_recovery_view_t        *backend = view;
    const ngx_http_recovery_class_view_t  *class;

    if (i >= backend->classes.nelts) {
        return NGX_DONE;
    }

    class = backend->classes.elts;
    class += i;

    ngx_http_recovery_sample_label(sample, "class",
                                   (const char *) class->name.data);
    sample->value = i + 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_samples_cut(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    const ngx_http_recovery_view_t        *backend = view;
    const ngx_http_recovery_class_view_t  *class;

    if (i >= backend->classes.nelts) {
        return NGX_DONE;
    }

    class = backend->classes.elts;
    class += i;

    ngx_http_recovery_sample_label(sample, "class",
                                   (const char *) class->name.data);
    sample->value = class->cut_cohort;

    return NGX_OK;
}


/* REASON_NONE is no reason: the first one is left out. */

static ngx_int_t
ngx_http_recovery_samples_shed(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    ngx_uint_t                             reason;
    const ngx_http_recovery_view_t        *backend = view;
    const ngx_http_recovery_class_view_t  *class;

    if (i >= (RCV_REASONS - 1) * backend->classes.nelts) {
        return NGX_DONE;
    }

    class = backend->classes.elts;
    class += i / (RCV_REASONS - 1);
    reason = 1 + i % (RCV_REASONS - 1);

    ngx_http_recovery_sample_label(sample, "class",
                                   (const char *) class->name.data);
    ngx_http_recovery_sample_label(sample, "reason",
                                   rcv_reason_names[reason]);
    sample->value = class->shed_by[reason];

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_samples_dry(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    const ngx_http_recovery_view_t  *backend = view;

    if (i >= RCV_REASONS - 1) {
        return NGX_DONE;
    }

    ngx_http_recovery_sample_label(sample, "reason", rcv_reason_names[i + 1]);
    sample->value = backend->dry_by[i + 1];

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_samples_phase(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    const ngx_http_recovery_view_t  *backend = view;

    if (i >= RCV_PHASES) {
        return NGX_DONE;
    }

    ngx_http_recovery_sample_label(sample, "phase", rcv_phase_names[i]);
    sample->value = (backend->phase == i);

    return NGX_OK;
}


/* Never heard, or no source: none of them. */

static ngx_int_t
ngx_http_recovery_samples_mode(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    const ngx_http_recovery_view_t  *backend = view;

    if (i >= NGX_HTTP_RECOVERY_MODES) {
        return NGX_DONE;
    }

    ngx_http_recovery_sample_label(sample, "mode",
                                   ngx_http_recovery_mode_names[i]);
    sample->value = (backend->signal_mode == i);

    return NGX_OK;
}


/* RCV_FORCE_NONE is none: the first one is left out. */

static ngx_int_t
ngx_http_recovery_samples_force(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    const ngx_http_recovery_view_t  *backend = view;

    if (i >= RCV_FORCES - 1) {
        return NGX_DONE;
    }

    ngx_http_recovery_sample_label(sample, "force", rcv_force_names[i + 1]);
    sample->value = (backend->forced && backend->force == i + 1);

    return NGX_OK;
}


static ngx_int_t
ngx_http_recovery_samples_overrides(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    const ngx_http_recovery_view_t  *backend = view;

    switch (i) {

    case 0:
        ngx_http_recovery_sample_label(sample, "source", "redis");
        sample->value = backend->forced
                        && backend->force_source
                           == NGX_HTTP_RECOVERY_SOURCE_REDIS;
        return NGX_OK;

    case 1:
        ngx_http_recovery_sample_label(sample, "source", "local");
        sample->value = backend->ordered;
        return NGX_OK;

    default:
        return NGX_DONE;
    }
}


static ngx_int_t
ngx_http_recovery_samples_results(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    const ngx_http_recovery_view_t  *backend = view;

    if (i >= RCV_RESULTS) {
        return NGX_DONE;
    }

    ngx_http_recovery_sample_label(sample, "result", rcv_result_names[i]);
    sample->value = backend->results[i];

    return NGX_OK;
}


/* All buckets, then the sum, then the count, which is the last bucket. */

static ngx_int_t
ngx_http_recovery_samples_latency(const void *view, ngx_uint_t i,
    ngx_http_recovery_sample_t *sample)
{
    u_char                          *p;
    const char                      *le;
    const ngx_http_recovery_view_t  *backend = view;

    if (i < RCV_LATENCY_BUCKETS) {
        le = "+Inf";

        if (i < RCV_LATENCY_BUCKETS - 1) {
            p = ngx_http_recovery_decimal(sample->scratch,
                                          rcv_latency_bounds_ms[i], 3);
            *p = '\0';
            le = (const char *) sample->scratch;
        }

        ngx_str_set(&sample->suffix, "_bucket");
        ngx_http_recovery_sample_label(sample, "le", le);
        sample->value = backend->latency[i];

        return NGX_OK;
    }

    switch (i - RCV_LATENCY_BUCKETS) {

    case 0:
        ngx_str_set(&sample->suffix, "_sum");
        sample->kind = NGX_HTTP_RECOVERY_US;
        sample->value = backend->latency_sum_us;
        return NGX_OK;

    case 1:
        ngx_str_set(&sample->suffix, "_count");
        sample->value = backend->latency[RCV_LATENCY_BUCKETS - 1];
        return NGX_OK;

    default:
        return NGX_DONE;
    }
}
