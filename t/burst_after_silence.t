#!/usr/bin/perl

# Goal: what was allowed and not used is not saved up.  After a silence a
# burst gets no more at once than the bucket's burst and the places in flight,
# while the ramp is on its way and when it has stood still for long; and the
# backend answers all it got.
# Method: a backend that counts how many it works on at a time.  Silence, then
# many at the same moment, several times.  Control: without the gate all of
# them are there at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;

my $N = 150;

my $t = Test::Recovery->new()->plan(31);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms;

    recovery_policy   slow   { class normal; ramp from=5% over=10m; }
    recovery_policy   blind  { class normal; ramp from=5% over=10m;
                               feedback off; }

    recovery_backend  kv     { policy slow;  capacity 1000r/s; }
    recovery_backend  d1     { policy blind; capacity 200r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /kv  { recovery kv;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /d1  { recovery d1;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /off { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

sub ramping {
    my ($name) = @_;

    $t->health($name, 'down');
    $t->wait_phase($name, 'down') or return;
    $t->health($name, 'up');

    my $load = $t->load(rate => 40, uris => ["/$name"]);
    my $ok = $t->wait_phase($name, 'ramping');

    $load->stop();

    return $ok;
}

sub silence {
    my ($s) = @_;
    my $end = time() + $s;
    return $t->wait_for(sub { time() > $end });
}

# N at the same moment: how many were let in, at once and over all

sub burst {
    my ($name) = @_;

    $b->reset();

    my $before = $t->backend_status($name);
    my $start = time();
    my @r = $t->http_burst($N, "/$name");
    my $took_s = time() - $start;
    my $after = $t->backend_status($name);

    my %seen;
    $seen{$_->{status}}++ for @r;

    return { ok => $seen{200} // 0, shed => $seen{503} // 0,
             took_s => $took_s, at_once => $b->active_max(),
             before => $before, after => $after };
}

# control

$b->set(delay => 0.3);

my @open = $t->http_burst($N, '/off');

is(scalar(grep { $_->{status} == 200 } @open), $N, 'control: all pass');
cmp_ok($b->active_max(), '>', $N / 2, 'control: and are there together');

# the places in flight: a level proven with a few, then silence, then many

ok(ramping('kv'), 'kv: ramping');

my $limit = 0;

for my $round (1 .. 3) {
    ok(silence(1.5), "kv $round: silence");

    my $x = burst('kv');
    my $most = $x->{before}{in_flight_limit} > $x->{after}{in_flight_limit}
             ? $x->{before}{in_flight_limit} : $x->{after}{in_flight_limit};

    # one spare place is the first class's

    cmp_ok($x->{at_once}, '<=', $most + 1,
           "kv $round: no more at once than there are places");
    cmp_ok($x->{at_once}, '>=', 2, "kv $round: some are let in");
    is($x->{ok} + $x->{shed}, $N, "kv $round: served or shed, nothing else");
    is($x->{after}{phase}, 'ramping', "kv $round: no collapse");

    if ($round > 1) {
        cmp_ok($most, '<=', 3 * $limit,
               "kv $round: places do not grow in silence");
    }

    $limit = $most;
}

# the bucket alone: a fifth of a second of its rate, and two at the least

$b->set();
ok(ramping('d1'), 'd1: ramping');

for my $round (1 .. 2) {
    ok(silence(1.5), "d1 $round: silence");

    my $x = burst('d1');
    my $rate = $x->{after}{allowed_per_s};
    my $burst = $rate / 5 > 2 ? $rate / 5 : 2;

    cmp_ok($rate, '<=', 20, "d1 $round: the rate is low");
    cmp_ok($x->{ok}, '<=', $burst + $rate * $x->{took_s} + 1,
           "d1 $round: the burst and what the time brings");
    cmp_ok($x->{ok}, '>=', 2, "d1 $round: the burst is there");
    is($x->{ok} + $x->{shed}, $N, "d1 $round: served or shed");
}
