#!/usr/bin/perl

# Goal: no evidence, no increase.  Without traffic, with errors, while the
# backend fails, or while only work of before is delivered, nothing rises;
# when most requests fail a ramp ends where it began.
# Method: a ramp slow enough to be looked at, and a backend that does each of
# these in turn.  What must not happen is watched for a while in which it
# would have happened ten times over.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;

my $t = Test::Recovery->new()->plan(37);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=100ms;

    recovery_policy slow  { ramp from=2% double=3s verify=1s; }
    recovery_policy blind { ramp from=2% double=200ms verify=1s;
                            feedback off; }

    recovery_backend  kv { policy slow; capacity 1000r/s; }
    recovery_backend  d1 { policy blind; capacity 1000r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /    { recovery kv;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /d1  { recovery d1;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /off { recovery off;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

# the status, as often as it goes, for some time

sub watch {
    my ($for_s) = @_;

    my @s;
    my $end = time() + $for_s;

    $t->wait_for(sub {
        push @s, $t->backend_status('kv');
        return time() > $end;
    });

    return @s;
}

sub kinds {
    my ($field, @s) = @_;

    my %seen;
    my @kinds = grep { !$seen{$_}++ } map { $_->{$field} } @s;

    return "@kinds";
}

sub kv { return $t->backend_status('kv') }

sub wait_why {
    my ($re) = @_;
    return $t->wait_for(sub { kv()->{why} =~ $re }, "why: $re");
}

# what was let in before proves nothing of now: thirty are held while up, and
# delivered while probing

$b->set_path('/hold', hang => 1);

my @held = map { $t->http_start('/hold') } 1 .. 30;

ok($t->wait_for(sub { $b->active() == 30 }), 'thirty are held');

$t->health('kv', 'recovering');
ok($t->wait_phase('kv', 'probing'), 'probing');
is($b->release('/hold'), 30, 'they are delivered');
is(scalar(grep { $t->http_end($_)->{status} == 200 } @held), 30,
   'and answered');
$t->http_close($_) for @held;

# no traffic at all, and traffic of others

my @s;
my $load = $t->load(rate => 50, uris => ['/off']);

@s = watch(1);
is(kinds('phase', @s), 'probing', 'no traffic: probing');
is(kinds('allowed_per_s', @s), '10', 'no traffic: the floor');
is($t->metrics()->value('nginx_recovery_upstream_responses_total',
                        backend => 'kv', result => 'ok'), 30,
   'the thirty were counted, though');
$load->stop();

# probes that fail

$b->set(status => 500);
$load = $t->load(rate => 50, uris => ['/']);

my $count = $b->count('/');

ok(wait_why(qr/probe failed/), 'probes fail: said so');
ok($t->wait_for(sub { $b->count('/') > $count + 10 }), 'probes fail: ten');
is(kv()->{phase}, 'probing', 'probes fail: probing');
is(kv()->{allowed_per_s}, 10, 'probes fail: the floor');

# probes that time out, are refused, or are cut: no better

for my $how ([close => 'before'], [status => 503], [status => 502]) {
    $b->set(@$how);
    $count = $b->count('/');
    $t->wait_for(sub { $b->count('/') > $count + 6 });
    is(kv()->{phase}, 'probing', "probes fail, @$how: probing");
}

# they succeed

$b->set();
ok($t->wait_phase('kv', 'ramping'), 'probes succeed: ramping');

my $first = kv()->{allowed_per_s};

ok($t->wait_for(sub { kv()->{allowed_per_s} > $first }),
   'work is delivered: it rises');

# traffic stops: within a second the ramp does too

$load->stop();
ok(wait_why(qr/no work was delivered/), 'no traffic: said so');
@s = watch(0.8);
is(kinds('level', @s) =~ tr/ //, 0, 'no traffic: it holds');
is(kinds('phase', @s), 'ramping', 'no traffic: ramping');

# and goes on from there

my $level = $s[-1]{level};

$load = $t->load(rate => 50, uris => ['/']);
ok($t->wait_for(sub { kv()->{level} > $level }), 'traffic: it goes on');
cmp_ok(kv()->{level}, '<', 4 * $level, 'traffic: without a leap');
$load->stop();

# one in five fails: more than the policy allows, less than a relapse.  Load
# has nothing to do with it, so it waits only until that is known

$load = $t->load(rate => 60, uris => [('/') x 4, '/?status=500']);
ok($t->wait_for(sub { (kv()->{error_ratio} // 0) > 0.05 }), 'errors: seen');

$level = kv()->{level};
ok($t->wait_for(sub { kv()->{level} > $level }), 'errors: it goes on');
is(kv()->{phase}, 'ramping', 'errors: ramping');
$level = kv()->{level};
$load->stop();

# client errors are no errors of the backend, nor is a client that leaves

$load = $t->load(rate => 60, uris => ['/?status=404', '/?status=403']);
ok($t->wait_for(sub { kv()->{level} > $level }), '4xx: it rises');
$load->stop();

$level = kv()->{level};
$load = $t->load(rate => 40, uris => [('/') x 3, '/gone?delay=60'],
                 timeout => 0.5);
$b->reset();
ok($t->wait_for(sub { $b->aborted() > 10 }), 'clients leave');
is(kv()->{phase}, 'ramping', 'clients leave: no relapse');
$load->stop();

# most requests fail: back to probing, and from there anew

$load = $t->load(rate => 60, uris => ['/']);
ok($t->wait_for(sub { kv()->{level} > $level }), 'it rises');
$b->set(status => 500);
ok($t->wait_phase('kv', 'probing'), 'all fail: relapse');
is(kv()->{allowed_per_s}, 10, 'relapse: the floor');
like(kv()->{events}[-1]{why}, qr/most requests failed/, 'relapse: said so');
is(kv()->{health}, 'recovering', 'relapse: whatever the source says');

@s = watch(0.5);
is(kinds('phase', @s), 'probing', 'relapse: while it fails');

$b->set();
ok($t->wait_phase('kv', 'ramping'), 'healed: ramping again');
cmp_ok(kv()->{level}, '<', 0.05, 'healed: from the beginning');
$load->stop();

# "feedback off": the schedule alone; but work is needed all the same

$t->health('d1', 'recovering');
$load = $t->load(rate => 60, uris => ['/d1']);
ok($t->wait_phase('d1', 'ramping'), 'feedback off: ramping');
$load->stop();
$load = $t->load(rate => 60, uris => ['/d1', '/d1', '/d1?status=500']);
ok($t->wait_phase('d1', qr/verifying|up/), 'feedback off: errors do not hold');
$load->stop();
