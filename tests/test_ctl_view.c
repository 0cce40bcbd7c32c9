
/*
 * What recoveryctl shows of two nodes, from statuses that real ones have
 * given a second apart (tests/status).  The texts that are wanted lie
 * beside them; CTL_VIEW_WRITE=1 in the environment writes them.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "status.h"


#define WHERE  "tests/status/"


static ctl_fleet_t  before, fleet;
static char        *text;


static json_t *
load(const char *name)
{
    char     path[128];
    json_t  *json;

    (void) snprintf(path, sizeof(path), WHERE "%s", name);
    json = json_load_file(path, 0, NULL);
    assert_non_null(json);

    return json;
}


/* As gather.c makes it of two URLs. */

static void
fill(ctl_fleet_t *to, uint64_t taken_ms, json_t *one, json_t *other)
{
    size_t          i;
    json_t         *statuses[2] = { one, other }, *json;
    const char     *name;
    ctl_backend_t  *backend;

    memset(to, 0, sizeof(ctl_fleet_t));
    to->taken_ms = taken_ms;

    for (i = 0; i < 2; i++) {
        name = json_string_value(json_object_get(statuses[i], "instance"));
        ctl_fleet_member(to, name)->alive = 1;
    }

    for (i = 0; i < 2; i++) {
        json_object_foreach(json_object_get(statuses[i], "backends"), name,
                            json)
        {
            backend = ctl_fleet_backend(to, name);
            ctl_report_read(&backend->reports[i], json);
        }

        json_decref(statuses[i]);
    }
}


static int
begin(void **state)
{
    (void) state;

    (void) setlocale(LC_CTYPE, "C.UTF-8");

    fill(&before, 1000, load("edge-1.before.json"),
         load("edge-2.before.json"));
    fill(&fleet, 2000, load("edge-1.json"), load("edge-2.json"));

    ctl_fleet_finish(&before, NULL);
    ctl_fleet_finish(&fleet, &before);

    return 0;
}


static int
end(void **state)
{
    (void) state;

    ctl_fleet_free(&before);
    ctl_fleet_free(&fleet);
    free(text);
    text = NULL;

    return 0;
}


static ctl_screen_t
open_screen(void)
{
    static size_t  size;
    ctl_screen_t   screen = { NULL, 0, 0, 0 };

    free(text);
    text = NULL;
    screen.to = open_memstream(&text, &size);
    assert_non_null(screen.to);

    return screen;
}


static void
assert_file(const char *name)
{
    char     path[128], wanted[32768];
    FILE    *file;
    size_t   n;

    (void) snprintf(path, sizeof(path), WHERE "%s", name);

    if (getenv("CTL_VIEW_WRITE") != NULL) {
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }

    file = fopen(path, "r");
    assert_non_null(file);
    n = fread(wanted, 1, sizeof(wanted) - 1, file);
    wanted[n] = '\0';
    fclose(file);

    assert_string_equal(text, wanted);
}


static void
test_report(void **state)
{
    const ctl_report_t  *report;

    (void) state;

    report = &ctl_fleet_find(&fleet, "kv")->reports[0];

    assert_string_equal(report->phase, "ramping");
    assert_string_equal(report->health_by, "jo");
    assert_string_equal(report->force.word, "hold");
    assert_string_equal(report->force.source, "local");
    assert_true(report->force.left_s == 599);
    assert_true(isnan(report->force.level));
    assert_true(report->override.there);
    assert_null(report->override.health);
    assert_true(report->reference_per_s == 60);
    assert_int_equal(report->nclasses, 4);
    assert_string_equal(report->classes[3].name, "low");
    assert_int_equal(report->nevents, 4);
    assert_string_equal(report->events[3].to, "ramping");

    report = &ctl_fleet_find(&fleet, "d1")->reports[0];

    assert_null(report->health);
    assert_null(report->force.word);
    assert_true(isnan(report->allowed_per_s));
    assert_true(report->eta_s == 0);
    assert_false(ctl_report_busy(report));
}


/* Whatever a writer of Redis puts there. */

static void
test_bad_reports(void **state)
{
    size_t         i;
    json_t        *json;
    ctl_report_t   report;

    static const char *const  bad[] = {
        "[]", "1", "null", "{}",
        "{\"phase\": 7, \"classes\": {}, \"events\": 1, \"force\": []}",
        "{\"phase\": \"dancing\", \"classes\": [1, {\"name\": 2},"
        " {\"name\": \"a\", \"offered\": \"many\"}]}",
        "{\"reported_ms\": -5, \"level\": \"high\", \"events\": [null, 3]}",
        "{\"reported_ms\": 1e300, \"force\": {\"force\": {}}}"
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json = json_loads(bad[i], JSON_DECODE_ANY, NULL);
        assert_non_null(json);

        ctl_report_read(&report, json);
        json_decref(json);

        assert_int_equal(report.json != NULL, bad[i][0] == '{');
        assert_int_equal(report.reported_ms, 0);
        assert_true(isnan(report.level) || report.json == NULL);
        (void) ctl_report_busy(&report);

        ctl_report_free(&report);
    }

    ctl_report_read(&report, NULL);
    assert_null(report.json);
    assert_int_equal(ctl_phase("dancing"), RCV_PHASES);
}


/* An array of more than there is room for. */

static void
test_many(void **state)
{
    int            i;
    char           name[16];
    json_t        *json, *classes, *events, *one;
    ctl_report_t   report;

    (void) state;

    classes = json_array();
    events = json_array();

    for (i = 0; i < 100; i++) {
        (void) snprintf(name, sizeof(name), "c%d", i);

        one = json_object();
        (void) json_object_set_new(one, "name", json_string(name));
        (void) json_object_set_new(one, "why", json_string(name));
        (void) json_array_append(classes, one);
        (void) json_array_append_new(events, one);
    }

    json = json_object();
    (void) json_object_set_new(json, "classes", classes);
    (void) json_object_set_new(json, "events", events);

    ctl_report_read(&report, json);
    json_decref(json);

    assert_int_equal(report.nclasses, RCV_CLASSES_MAX);
    assert_string_equal(report.classes[15].name, "c15");
    assert_int_equal(report.nevents, CTL_EVENTS_MAX);
    assert_string_equal(report.events[31].why, "c99");

    ctl_report_free(&report);
}


static void
test_rates(void **state)
{
    ctl_report_t        *now, *was;
    const ctl_class_t   *class;

    (void) state;

    now = &ctl_fleet_find(&fleet, "kv")->reports[0];
    was = &ctl_fleet_find(&before, "kv")->reports[0];
    class = &now->classes[0];

    assert_true(class->demand_per_s == class->offered
                                       - was->classes[0].offered);
    assert_true(class->demand_per_s
                == class->passed_per_s + class->shed_per_s);
    assert_true(isnan(was->classes[0].demand_per_s));

    /* twice the time, half the rate */

    ctl_report_rates(now, was, 2000);
    assert_true(class->demand_per_s == (class->offered
                                        - was->classes[0].offered) / 2);

    /* hardly any time: those of before go on */

    was->classes[0].demand_per_s = 42;
    ctl_report_rates(now, was, 5);
    assert_true(class->demand_per_s == 42);

    /* nginx was restarted, or the list is another one */

    was->classes[0].offered = 1e9;
    ctl_report_rates(now, was, 1000);
    assert_true(isnan(class->demand_per_s));
    assert_true(isnan(ctl_report_demand(now)));

    was->classes[0].name = "other";
    now->classes[0].demand_per_s = 7;
    ctl_report_rates(now, was, 1000);
    assert_true(class->demand_per_s == 7);
}


static void
test_sum(void **state)
{
    char              phases[CTL_PHASES_MAX];
    const ctl_sum_t  *sum;
    ctl_report_t     *one, *other;

    (void) state;

    sum = &ctl_fleet_find(&fleet, "kv")->sum;
    one = &ctl_fleet_find(&fleet, "kv")->reports[0];
    other = &ctl_fleet_find(&fleet, "kv")->reports[1];

    assert_int_equal(sum->heard, 2);
    assert_int_equal(sum->phases[RCV_PHASE_RAMPING], 2);
    assert_string_equal(ctl_sum_phases(sum, phases), "ramping");
    assert_true(sum->reference_per_s == 120);
    assert_true(fabs(sum->allowed_per_s - one->allowed_per_s
                     - other->allowed_per_s) < 1e-9);
    assert_true(fabs(sum->level - sum->allowed_per_s / 120) < 1e-5);
    assert_true(sum->eta_s == fmax(one->eta_s, other->eta_s));
    assert_true(sum->force_differs && sum->why_differs);
    assert_false(sum->health_differs);

    /* one of them is down, one knows no reference, one has no limit */

    other->phase = "down";
    ctl_fleet_finish(&fleet, &before);
    assert_string_equal(ctl_sum_phases(sum, phases), "down 1, ramping 1");
    assert_ptr_equal(sum->speaker, other);

    /* there when the last one is: 0 is there already, one may not know */

    other->eta_s = 0;
    ctl_fleet_finish(&fleet, &before);
    assert_true(sum->eta_s == one->eta_s);

    other->eta_s = NAN;
    ctl_fleet_finish(&fleet, &before);
    assert_true(isnan(sum->eta_s));

    one->level = 0.2;
    other->level = 0.4;
    other->reference_per_s = NAN;
    ctl_fleet_finish(&fleet, &before);
    assert_true(fabs(sum->level - 0.3) < 1e-9);

    other->allowed_per_s = NAN;
    other->level = NAN;
    ctl_fleet_finish(&fleet, &before);
    assert_true(isnan(sum->allowed_per_s));
    assert_true(fabs(sum->level - 0.6) < 1e-9);

    /* and now it is heard no more */

    fleet.members[1].alive = 0;
    ctl_fleet_finish(&fleet, &before);
    assert_int_equal(sum->heard, 1);
    assert_int_equal(sum->silent, 1);
    assert_true(sum->allowed_per_s == one->allowed_per_s);
    assert_string_equal(ctl_sum_phases(sum, phases), "ramping");

    fleet.members[0].alive = 0;
    ctl_fleet_finish(&fleet, &before);
    assert_int_equal(sum->heard, 0);
    assert_null(sum->speaker);
    assert_string_equal(ctl_sum_phases(sum, phases), "");
    assert_false(ctl_backend_quiet(&fleet, ctl_fleet_find(&fleet, "d1")));
}


static void
test_overview(void **state)
{
    ctl_screen_t  screen;

    (void) state;

    screen = open_screen();
    ctl_view_overview(&screen, &fleet);
    fclose(screen.to);
    assert_file("overview.txt");

    fleet.members[1].alive = 0;
    fleet.members[1].age_ms = 34000;
    ctl_fleet_finish(&fleet, &before);

    screen = open_screen();
    screen.columns = 120;
    screen.blocks = 1;
    screen.colors = 1;
    ctl_view_overview(&screen, &fleet);
    fclose(screen.to);
    assert_file("overview-terminal.txt");
}


static void
test_detail(void **state)
{
    ctl_screen_t  screen;

    (void) state;

    screen = open_screen();
    ctl_view_detail(&screen, &fleet, ctl_fleet_find(&fleet, "kv"));
    fclose(screen.to);
    assert_file("detail.txt");

    screen = open_screen();
    screen.columns = 80;
    screen.blocks = 1;
    ctl_view_detail(&screen, &fleet, ctl_fleet_find(&fleet, "d1"));
    fclose(screen.to);
    assert_file("detail-up.txt");
}


static void
test_line(void **state)
{
    ctl_screen_t  screen;

    (void) state;

    screen = open_screen();
    ctl_view_line(&screen, ctl_fleet_find(&fleet, "kv"));
    fputc('\n', screen.to);
    ctl_view_line(&screen, ctl_fleet_find(&fleet, "d1"));
    fputc('\n', screen.to);
    fclose(screen.to);
    assert_file("lines.txt");
}


static void
test_json(void **state)
{
    json_t        *json, *kv, *theirs;
    ctl_screen_t   screen;

    (void) state;

    screen = open_screen();
    ctl_status_json(screen.to, &fleet, "kv");
    fclose(screen.to);

    json = json_loads(text, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_object_size(json_object_get(json, "backends")), 1);

    kv = json_object_get(json_object_get(json, "backends"), "kv");
    theirs = json_object_get(json_object_get(kv, "nodes"), "edge-1");
    assert_true(json_equal(theirs,
                           ctl_fleet_find(&fleet, "kv")->reports[0].json));
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(kv, "sum"), "reference_per_s")),
                     120);

    json_decref(json);
}


/* Names and texts of others do not reach a terminal as they are. */

static void
test_hostile(void **state)
{
    unsigned       i;
    ctl_report_t  *report;
    ctl_screen_t   screen;

    (void) state;

    report = &ctl_fleet_find(&fleet, "kv")->reports[0];

    report->phase = "\033[2Jup";
    report->why = "a\nb\033]0;title\007";
    report->health = "\302\233x";
    report->force.by = "\377";
    report->force.reason = "c\rd";
    report->classes[0].name = "\033c";
    report->events[0].why = "\033[31m";

    screen = open_screen();
    ctl_view_overview(&screen, &fleet);
    ctl_view_detail(&screen, &fleet, ctl_fleet_find(&fleet, "kv"));
    ctl_view_line(&screen, ctl_fleet_find(&fleet, "kv"));
    fclose(screen.to);

    assert_non_null(strstr(text, "\\x1b[2Jup"));
    assert_non_null(strstr(text, "a\\x0ab\\x1b]0;title\\x07"));

    for (i = 0; text[i] != '\0'; i++) {
        assert_true((unsigned char) text[i] >= 0x20 || text[i] == '\n');
        assert_int_not_equal((unsigned char) text[i], 0x9b);
        assert_int_not_equal((unsigned char) text[i], 0xff);
    }
}


static void
test_numbers(void **state)
{
    size_t  i;
    char    buf[CTL_NUMBER_MAX];

    static const struct {
        double       n;
        const char  *number;
        const char  *percent;
        const char  *countdown;
    } rows[] = {
        { 0, "0", "0%", "0:00" },
        { 0.004, "0.004", "0.4%", "0:00" },
        { 0.35, "0.3", "35%", "0:00" },
        { 1, "1", "100%", "0:01" },
        { 9.94, "9.9", "994%", "0:09" },
        { 9.96, "10", "996%", "0:09" },
        { 492, "492", "49200%", "8:12" },
        { 7500, "7500", "750000%", "2:05:00" },
        { 12345, "12.3k", "1234500%", "3:25:45" },
        { 999960, "1.0M", "99996000%", "277:46:00" }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(ctl_number(buf, rows[i].n), rows[i].number);
        assert_string_equal(ctl_percent(buf, rows[i].n), rows[i].percent);
        assert_string_equal(ctl_countdown(buf, rows[i].n),
                            rows[i].countdown);
    }

    assert_string_equal(ctl_number(buf, NAN), "-");
    assert_string_equal(ctl_percent(buf, NAN), "-");
    assert_string_equal(ctl_latency(buf, NAN), "-");
    assert_string_equal(ctl_latency(buf, 12), "12 ms");
    assert_string_equal(ctl_latency(buf, 1340), "1.3 s");
    assert_string_equal(ctl_countdown(buf, -3), "0:00");
    assert_string_equal(ctl_seconds(buf, 1e18), "11574074 days");
}


static void
test_bars(void **state)
{
    size_t         i;
    char           buf[CTL_BAR_MAX];
    ctl_screen_t   screen = { NULL, 0, 0, 0 };

    static const struct {
        double       part;
        double       more;
        const char  *bar;
    } rows[] = {
        { 0, NAN, ".........." },
        { NAN, NAN, ".........." },
        { -1, NAN, ".........." },
        { 0.001, NAN, "#........." },
        { 0.5, NAN, "#####....." },
        { 0.999, NAN, "#########." },
        { 1, NAN, "##########" },
        { 7, NAN, "##########" },
        { 0.3, 0.6, "###---...." },
        { 0.6, 0.3, "######...." }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(ctl_bar(&screen, buf, 10, rows[i].part,
                                    rows[i].more), rows[i].bar);
    }

    screen.blocks = 1;
    (void) ctl_bar(&screen, buf, 1000, 1, NAN);
    assert_int_equal(ctl_width(buf), CTL_BAR_COLUMNS);
    assert_int_equal(ctl_width("\033[1;31mab\033[0m"), 2);
    assert_int_equal(ctl_width("\344\275\240x\314\201"), 3);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_report, begin, end),
        cmocka_unit_test(test_bad_reports),
        cmocka_unit_test(test_many),
        cmocka_unit_test_setup_teardown(test_rates, begin, end),
        cmocka_unit_test_setup_teardown(test_sum, begin, end),
        cmocka_unit_test_setup_teardown(test_overview, begin, end),
        cmocka_unit_test_setup_teardown(test_detail, begin, end),
        cmocka_unit_test_setup_teardown(test_line, begin, end),
        cmocka_unit_test_setup_teardown(test_json, begin, end),
        cmocka_unit_test_setup_teardown(test_hostile, begin, end),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_bars)
    };

    return cmocka_run_group_tests_name("ctl_view", tests, NULL, NULL);
}
