#!/usr/bin/perl

# Goal: the JSON status holds exactly the fields of the fixed interface, with
# their types, null for what is unknown, and numbers that are true.
# Method: the schema is checked with no traffic, after traffic, in an outage
# and without Redis; methods and headers as for any resource that is read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;
use Test::Recovery::Schema qw(status_problems json_type);

my $t = Test::Recovery->new()->plan(67);
my $b = $t->backend(8081);

$t->redis_start();

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_backend  kv    { quota 5000r/s; }
    recovery_backend  sized { capacity 250r/s; }

    server {
        listen    127.0.0.1:%%PORT_8080%%;
        recovery  kv;

        location / {
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /status      { recovery off; recovery_status; }
        location = /status/json { recovery off; recovery_status json; }
        location = /governed    { recovery_status; }
    }
}

EOF2

$t->write_file_expand('nginx.conf', $conf);
$t->run();

ok($t->wait_for(sub { $t->status()->{redis}{state} eq 'connected' }),
   'Redis is connected');

# the resource

my $r = $t->http_get('/status');
is($r->{status}, 200, 'status');
like($r->{headers}{'content-type'}, qr{^application/json\b}, 'type');
like($r->{headers}{'cache-control'} // '', qr/no-(?:cache|store)/,
     'not for caches');
is($r->{headers}{'content-length'} // length $r->{body}, length $r->{body},
   'length');
is(JSON::PP->new->utf8->decode($t->http_get('/status/json')->{body})
   ->{schema}, 1, '"json" is the default');
is(JSON::PP->new->utf8->decode($t->http_get('/governed')->{body})
   ->{schema}, 1, 'in a governed location');

my $head = $t->http_get('/status', method => 'HEAD');
is($head->{status}, 200, 'head');
is($head->{body}, '', 'head: no body');

for my $method (qw(POST PUT DELETE OPTIONS)) {
    my $r = $t->http_get('/status', method => $method,
                         $method =~ /^P/ ? (body => 'x') : ());
    is($r->{status}, 405, "$method is refused");
    like($r->{headers}{allow} // '', qr/^GET, ?HEAD$/, "$method: Allow");
}

# the fields

my $s = $t->status();
is_deeply([status_problems($s)], [], 'the schema fits');
is($s->{nginx}, (`@{[$t->nginx_binary()]} -v 2>&1` =~ m{nginx/(\S+)})[0],
   'version of nginx');
like($s->{version}, qr/^\d+\.\d+\.\d+/, 'version of the module');
cmp_ok($s->{uptime_s}, '<', 60 * slow(), 'uptime');
like($s->{redis}{address}, qr/127\.0\.0\.1:@{[$t->port(6379)]}/, 'address');
cmp_ok($s->{redis}{last_success_age_ms}, '<', 5000 * slow(), 'poll age');
is($s->{redis}{bad_values}, 0, 'no bad values');
is_deeply([sort keys %{$s->{backends}}], ['kv', 'sized'], 'the backends');

my $kv = $s->{backends}{kv};
is($kv->{phase}, 'up', 'phase');
is($kv->{health}, undef, 'no source has spoken: null');
is($kv->{signal_lost}, JSON::PP::false, 'signal is there');
is($kv->{level}, undef, 'no limit: null');
is($kv->{reference_per_s}, undef, 'nothing learned: null');
is($kv->{in_flight}, 0, 'in flight');
is($kv->{error_ratio}, undef, 'no results: null');
is($kv->{latency_p50_ms}, undef, 'no latency: null');
is($kv->{latency_p90_ms}, undef, 'no latency: null');
is($kv->{force}, undef, 'no force: null');
is_deeply([map { $_->{name} } @{$kv->{classes}}],
          [qw(critical high normal low)], 'classes in order');
is($s->{backends}{sized}{reference_per_s}, 250, 'capacity is the reference');
is($s->{backends}{sized}{ceiling_per_s}, undef, 'no ceiling: null');

# after traffic

$t->http_get('/') for 1 .. 20;
$t->http_get('/?status=500') for 1 .. 5;

my $normal = $t->class_status('kv', 'normal');
is($normal->{offered}, 26, 'offered, with /governed');
is($normal->{passed}, 26, 'passed');
is($normal->{shed}, 0, 'shed');
is_deeply($normal->{shed_by_reason}, {}, 'for no reason');
is($normal->{cut_cohort}, undef, 'no cohorts: null');

ok($t->wait_for(sub { defined $t->backend_status('kv')->{latency_p90_ms} }),
   'latency is known');

my @hang = map { $t->http_start('/hang?hang=1') } 1 .. 3;
ok($t->wait_for(sub { $b->active() == 3 }), 'three requests hang');
is($t->backend_status('kv')->{in_flight}, 3, 'three in flight');
is_deeply([status_problems($t->status())], [], 'the schema fits');
$b->release();
$t->http_end($_) for @hang;
ok($t->wait_for(sub { $t->backend_status('kv')->{in_flight} == 0 }),
   'none in flight');

# in an outage

$t->redis('HSET', 'recovery:kv', 'by', 'ops', 'reason', 'test');
$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
is($t->http_get('/')->{status}, 503, 'shed');

$s = $t->status();
is_deeply([status_problems($s)], [], 'down: the schema fits');

$kv = $s->{backends}{kv};
is($kv->{health}, 'down', 'down: health');
is($kv->{health_source}, 'redis', 'down: source');
is("$kv->{health_by}: $kv->{health_reason}", 'ops: test', 'down: whose word');
is(json_type($kv->{health_age_ms}) =~ /integer|number/ ? 1 : 0, 1,
   'down: age of health');
is($kv->{allowed_per_s}, 0, 'down: nothing is allowed');
is($kv->{level}, 0, 'down: level');
($normal) = grep { $_->{name} eq 'normal' } @{$kv->{classes}};
is($normal->{shed}, 1, 'down: shed');
is_deeply($normal->{shed_by_reason}, { down => 1 }, 'down: the reason');
cmp_ok(scalar @{$kv->{events}}, '>=', 1, 'down: an event');

my ($event) = grep { $_->{to} eq 'down' } @{$kv->{events}};
is($event->{from}, 'up', 'down: from');
like($event->{why}, qr/\S/, 'down: why');
like($kv->{why}, qr/\S/, 'down: why the limit moved');
is($s->{backends}{sized}{phase}, 'up', 'down: not the other one');

# without Redis

$t->redis_stop();
ok($t->wait_for(sub { $t->status()->{redis}{state} ne 'connected' }),
   'Redis is gone, state says so');
is_deeply([status_problems($t->status())], [], 'gone: the schema fits');
is($t->backend_status('kv')->{phase}, 'down', 'gone: health is kept');
