#!/usr/bin/perl

# Goal: the Prometheus text is exactly what a scrape needs: content type,
# HELP and TYPE once, families in one piece, every fixed name with its labels
# and type, and the same numbers as the JSON.
# Method: a strict reader; three backends in different phases; promtool as
# the second opinion where it is installed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Schema qw(@PHASES);

my %FIXED = (
    requests_total                        => 'counter',
    shed_total                            => 'counter',
    phase                                 => 'gauge',
    allowed_requests_per_second           => 'gauge',
    level_ratio                           => 'gauge',
    reference_requests_per_second         => 'gauge',
    in_flight_requests                    => 'gauge',
    upstream_responses_total              => 'counter',
    upstream_latency_seconds              => 'histogram',
    health_age_seconds                    => 'gauge',
    force                                 => 'gauge',
    class_rank                            => 'gauge',
    redis_up                              => 'gauge',
    redis_last_success_timestamp_seconds  => 'gauge',
    redis_bad_values_total                => 'counter',
    undecided_total                       => 'counter',
    slots_reclaimed_total                 => 'counter',
    info                                  => 'gauge',
);

my $t = Test::Recovery->new();
$t->plan(43 + 2 * keys %FIXED);
$t->backend(8081);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_backend  a { capacity 300r/s; }
    recovery_backend  b { }
    recovery_backend  c.d_e-2 { }

    server {
        listen      127.0.0.1:%%PORT_8080%%;

        location /a { recovery a;
                      proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /b { recovery b;
                      proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /c { recovery c.d_e-2;
                      proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /v { recovery b; recovery_class low; recovery_dry_run on;
                      proxy_read_timeout 200ms;
                      proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location = /metrics { recovery_status prometheus; }
    }
}

EOF2

$t->run();

my $p = 'nginx_recovery_';

# the resource

my $r = $t->http_get('/metrics');
is($r->{status}, 200, 'status');
is($r->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8',
   'type');
is($t->http_get('/metrics', method => 'HEAD')->{body}, '', 'head');

$r = $t->http_get('/metrics', method => 'POST', body => 'x');
is($r->{status}, 405, 'POST is refused');
like($r->{headers}{allow} // '', qr/^GET, ?HEAD$/, 'Allow');

# traffic with known numbers

$t->http_get('/a') for 1 .. 7;
$t->http_get('/a?status=503') for 1 .. 3;
$t->http_get('/v?delay=1') for 1 .. 2;
$t->health('b', 'down');
ok($t->wait_phase('b', 'down'), 'b is down');
$t->http_get('/b') for 1 .. 4;
$t->http_get('/v') for 1 .. 5;

my $m = $t->metrics();
my $s = $t->status();

is_deeply([$m->problems()], [], 'the text is clean');
is(scalar(grep { !/^$p/ } $m->families()), 0, 'one prefix');

for my $name (sort keys %FIXED) {
    is($m->type("$p$name"), $FIXED{$name}, "$name: type");
    cmp_ok(length($m->help("$p$name") // ''), '>', 5, "$name: help");
}

is(scalar(grep { /_total$/ && $m->type($_) ne 'counter'
                 || !/_total$/ && $m->type($_) eq 'counter'
               } $m->families()), 0, 'counters and only they end in _total');

# numbers

my %b = (backend => 'b');

is($m->value("${p}requests_total", backend => 'a', class => 'normal',
             outcome => 'passed'), 10, 'a: passed');
is($m->sum("${p}requests_total", backend => 'a', outcome => 'shed'), 0,
   'a: shed');
is($m->sum("${p}requests_total", %b, outcome => 'shed'), 4, 'b: shed');
is($m->sum("${p}requests_total", %b, outcome => 'shed_dry_run'), 5,
   'b: shed in a dry run');
is($m->value("${p}shed_total", %b, class => 'normal', reason => 'down'), 4,
   'b: reason');
is($m->value("${p}upstream_responses_total", backend => 'a',
             result => 'ok'), 7, 'a: ok');
is($m->value("${p}upstream_responses_total", backend => 'a',
             result => 'error'), 3, 'a: error');
is($m->value("${p}upstream_responses_total", %b, result => 'timeout'), 2,
   'b: timeout');
is($m->value("${p}upstream_latency_seconds_count", backend => 'a') // 0, 10,
   'a: latencies');

is(join(' ', map { "$_->{labels}{class}=$_->{value}" }
             grep { $_->{labels}{backend} eq 'a' }
             @{$m->samples("${p}class_rank")}),
   join(' ', map { "$s->{backends}{a}{classes}[$_]{name}=" . ($_ + 1) }
             0 .. $#{$s->{backends}{a}{classes}}),
   'a: ranks in the order of the classes');

for my $name (keys %{$s->{backends}}) {
    my $backend = $s->{backends}{$name};
    my %label = (backend => $name);
    my @phases = grep { $_->{labels}{backend} eq $name }
                      @{$m->samples("${p}phase")};

    is(join(' ', sort map { $_->{labels}{phase} } @phases),
       join(' ', sort @PHASES), "$name: a sample for every phase");
    is(join(' ', map { $_->{labels}{phase} } grep { $_->{value} } @phases),
       $backend->{phase}, "$name: one of them is 1");
    is($m->sum("${p}requests_total", %label),
       eval { my $n = 0; $n += $_->{offered} for @{$backend->{classes}}; $n },
       "$name: the same sum as in JSON");
    is($m->value("${p}in_flight_requests", %label), $backend->{in_flight},
       "$name: in flight as in JSON");
}

is($m->value("${p}reference_requests_per_second", backend => 'a'), 300,
   'a: reference as in JSON');
is($m->value("${p}redis_up"), 1, 'redis_up');
is($m->value("${p}redis_bad_values_total"), 0, 'bad values');
is($m->value("${p}slots_reclaimed_total"), 0, 'slots reclaimed');

my ($info) = @{$m->samples("${p}info")};
is("$info->{labels}{version} $info->{labels}{nginx} $info->{value}",
   "$s->{version} $s->{nginx} 1", 'info');

# a force: one of four, and none when it ends

sub forces {
    my $metrics = $t->metrics();
    return join ' ', map { $_->{value} ? $_->{labels}{force} : '-' }
                     grep { $_->{labels}{backend} eq 'a' }
                     @{$metrics->samples("${p}force")};
}

is(forces(), '- - - -', 'a: no force');

for my $force (['open', 'open - - -'], ['closed', '- closed - -']) {
    $t->redis('HSET', 'recovery:a', 'force', $force->[0], 'force_until',
              time() + 600);
    $t->redis('PUBLISH', 'recovery:changed', 'a');
    ok($t->wait_for(sub { forces() eq $force->[1] }), "a: $force->[0]");
}

$t->redis('HDEL', 'recovery:a', 'force', 'force_until');
$t->redis('PUBLISH', 'recovery:changed', 'a');
ok($t->wait_for(sub { forces() eq '- - - -' }), 'a: the force has ended');

# the histogram is cumulative and ends with +Inf

my @buckets = grep { $_->{labels}{backend} eq 'a' }
              @{$m->samples("${p}upstream_latency_seconds_bucket")};
my @values = map { $_->{value} } @buckets;
is("@values", join(' ', sort { $a <=> $b } @values), 'buckets rise');
is($buckets[-1]{labels}{le}, '+Inf', 'the last bucket');

SKIP: {
    skip 'promtool is not installed', 1
        unless grep { -x "$_/promtool" } split /:/, $ENV{PATH};

    $t->write_file('metrics', $t->http_get('/metrics')->{body});
    is(`promtool check metrics < @{[$t->dir()]}/metrics 2>&1`, '',
       'promtool is silent');
}
