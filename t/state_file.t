#!/usr/bin/perl

# Goal: a restart in every phase goes on where it was, by the state file
# alone: never more is allowed than before, not for one request, references
# are kept, and what was open is not shut.
# Method: six backends, each brought into one phase and held there, and one
# that learns its reference; Redis stops; nginx ends (quit, terminated, killed
# at once) and starts again under constant load.  What is in force and what
# reaches the backends is compared with what was in force before.  Then the
# same without a state file, where all of that must be missed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;

my @phases = qw(up degraded down probing ramping verifying);
my @ends = qw(QUIT TERM KILL);

my $t = Test::Recovery->new()->plan(@ends * (5 * @phases + 6) + 24);
my $b = $t->backend(8081);

$t->redis_start();

sub configuration {
    my ($file) = @_;

    $t->write_file_expand('nginx.conf', <<"EOF2");

worker_processes  2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    $file

    recovery_policy fast { ramp from=10% double=100ms verify=1h;
                           feedback off; }
    recovery_policy slow { ramp from=10% double=1s verify=1s;
                           feedback off; }

    recovery_backend  up        { policy slow; capacity 100r/s; }
    recovery_backend  degraded  { policy slow; capacity 100r/s; }
    recovery_backend  down      { policy slow; capacity 100r/s; }
    recovery_backend  probing   { policy slow; capacity 100r/s; }
    recovery_backend  ramping   { policy slow; capacity 100r/s; }
    recovery_backend  verifying { policy fast; capacity 1000r/s; }
    recovery_backend  learned   { policy slow; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /up        { recovery up;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /degraded  { recovery degraded;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /down      { recovery down;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /probing   { recovery probing;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /ramping   { recovery ramping;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /verifying { recovery verifying;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /learned   { recovery learned;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2
}

configuration('recovery_state_file state;');
$t->run();

sub status { return $t->backend_status($_[0]) }
sub file { return $t->status()->{state_file} }

# the file has what is known now: what allows less is written within a second

sub written {
    return $t->wait_for(sub {
        my $f = file();
        return $f->{state} eq 'written' && $f->{age_ms} > 1500;
    }, 'a file', 30);
}

is(file()->{loaded}, 'none', 'nothing to load');
ok($t->wait_for(sub { file()->{state} eq 'written' }), 'written');
is(sprintf('%o', (stat($t->dir() . '/state'))[2] & 07777), '600',
   'for nobody else');

$b->set_path('/probing', status => 500);

my $load = $t->load(rate => 140,
                    uris => [map { "/$_" } @phases, 'learned']);

$t->redis('HSET', 'recovery:degraded', health => '0.1');
$t->redis('HSET', 'recovery:down', health => 'down', by => 'alice',
          reason => 'store moved');
$t->redis('HSET', "recovery:$_", health => 'recovering')
    for qw(probing ramping verifying);
$t->redis('PUBLISH', 'recovery:changed', $_) for @phases;

ok($t->wait_phase($_, $_, 20), "$_: there") for @phases;

$t->redis('HSET', 'recovery:ramping', force => 'hold', by => 'bob');
ok($t->wait_for(sub { (status('ramping')->{force} // {})->{force} }),
   'ramping: held');
ok($t->wait_for(sub { (status('learned')->{reference_per_s} // 0) > 5 }),
   'learned: a reference');

$t->redis_stop();
ok($t->wait_for(sub { $t->status()->{redis}{state} ne 'connected' }),
   'Redis is gone');

# what may reach the backend in so many seconds, with a burst

sub most {
    my ($s, $took) = @_;

    return 1e9 if !defined $s->{allowed_per_s};
    return 0 if $s->{allowed_per_s} == 0;

    my $burst = $s->{allowed_per_s} / 5;

    $burst = 8 if $burst < 8;

    return $s->{allowed_per_s} * $took + $burst + 1;
}

sub settle {
    my $sent = $load->peek()->{sent};
    $t->wait_for(sub { $load->peek()->{sent} > $sent + 140 }, 'load');
}

sub restart {
    my ($how) = @_;

    if ($how eq 'KILL') {
        $t->kill9_all();

    } else {
        $t->stop(signal => $how, no_status_check => 1);
    }

    $b->reset();

    my $start = time();

    $t->run();
    settle();

    return time() - $start;
}

for my $how (@ends) {
    ok(written(), "$how: written") if $how eq 'KILL';

    my %before = map { $_ => status($_) } @phases, 'learned';
    my $took = restart($how);
    my %at = map { $_ => $b->count("/$_") } @phases;

    pass("$how: written at the end") if $how ne 'KILL';
    is(file()->{loaded}, 'continued', "$how: continued");

    for my $name (@phases) {
        my ($was, $is) = ($before{$name}, status($name));

        is($is->{phase}, $name, "$how, $name: phase");
        is($is->{allowed_per_s}, $was->{allowed_per_s},
           "$how, $name: what is allowed");
        is($is->{in_flight_limit}, $was->{in_flight_limit},
           "$how, $name: limit in flight");
        is($is->{reference_per_s}, $was->{reference_per_s},
           "$how, $name: reference");
        cmp_ok($at{$name}, '<=', most($was, $took), "$how, $name: no burst");
    }

    my $was = $before{learned}{reference_per_s};

    cmp_ok(abs(status('learned')->{reference_per_s} - $was), '<', $was / 2,
           "$how, learned: reference");
    cmp_ok($at{up} + $at{verifying}, '>', 20, "$how: open is open");
    is(status('down')->{health_by}, 'alice', "$how: who shut it");
    is(status('ramping')->{force}{force}, 'hold', "$how: held");
}

# Redis is heard again: what it says counts

$t->redis_start();
$t->redis('HSET', "recovery:$_", health => 'up') for @phases;
$b->set_path('/probing', status => 200);
$t->redis('HDEL', 'recovery:ramping', 'force');
$t->redis('PUBLISH', 'recovery:changed', $_) for @phases;

ok($t->wait_phase($_, qr/^(?:up|verifying)$/, 40), "$_: full service")
    for @phases;

# the detector: without the file all of it is forgotten

$t->redis('HSET', 'recovery:down', health => 'down');
$t->redis('PUBLISH', 'recovery:changed', 'down');
ok($t->wait_phase('down', 'down'), 'control: down');
$t->redis_stop();
configuration('');

restart('QUIT');
is(file()->{state}, 'off', 'control: no file');
is(status('down')->{phase}, 'up', 'control: open without it');
cmp_ok($b->count('/down'), '>', 0, 'control: and used');

my $results = $load->stop();

is(scalar(grep { $_->{status} !~ /^(?:0|200|500|503)$/ } @$results), 0,
   'no other answers') or diag(join ' ', map { $_->{status} } @$results);
ok(!-e $t->dir() . '/state.tmp', 'nothing is left behind');
