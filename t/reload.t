#!/usr/bin/perl

# Goal: a reload is no event.  Under load it loses no request, and in every
# phase it keeps phase, level, reference and counters: nothing that was shut
# opens for a moment, nothing that was open shuts.
# Method: six backends, each brought into one phase and held there; HUP under
# constant load on all of them; what reached each of them and what was shed
# is compared with what the phase allows.  Then HUP in the middle of a ramp
# that moves, and with a request at work in a worker that drains.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Watch qw(links);

my @phases = qw(up degraded down probing ramping verifying);

my $t = Test::Recovery->new()->plan(8 * @phases + 29);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

worker_processes  2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=500ms;

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
    recovery_backend  moving    { policy slow; capacity 1000r/s; }
    recovery_backend  held      { }

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
        location /moving    { recovery moving;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /held      { recovery held;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

sub status { return $t->backend_status($_[0]) }

# probing is held by a backend that fails, ramping by a force

$b->set_path('/probing', status => 500);

my $load = $t->load(rate => 120, uris => [map { "/$_" } @phases]);

$t->redis('HSET', 'recovery:degraded', health => '0.1');
$t->redis('HSET', 'recovery:down', health => 'down');
$t->redis('HSET', "recovery:$_", health => 'recovering')
    for qw(probing ramping verifying moving);
$t->redis('PUBLISH', 'recovery:changed', $_) for @phases;

for my $phase (@phases) {
    ok($t->wait_phase($phase, $phase, 20), "$phase: there");
}

$t->redis('HSET', 'recovery:ramping', force => 'hold');
ok($t->wait_for(sub { status('ramping')->{force} }), 'ramping: held');
is(status('ramping')->{phase}, 'ramping', 'ramping: still');

# what must not move

sub still {
    my ($name) = @_;

    my $s = status($name);

    return join ' ', map { $_ // 'null' }
        @{$s}{qw(phase allowed_per_s ceiling_per_s reference_per_s level
                 in_flight_limit health)},
        scalar @{$s->{events}};
}

sub counters {
    my ($name) = @_;

    my $c = $t->class_status($name, 'normal');

    return { map { $_ => $c->{$_} } qw(offered passed shed) };
}

my %still = map { $_ => still($_) } @phases;
my %age = map { $_ => status($_)->{phase_age_ms} } @phases;

sub settle {
    my $sent = $load->peek()->{sent};
    $t->wait_for(sub { $load->peek()->{sent} > $sent + 60 }, 'load');
}

settle();
$b->reset();

my %before = map { $_ => counters($_) } @phases;
my $start = time();
my $generation = 0;

for (1 .. 3) {
    settle();
    $generation++ if $t->reload();
}

settle();
is($generation, 3, 'three reloads');

my %after = map { $_ => counters($_) } @phases;
my $took = time() - $start;

for my $phase (@phases) {
    is(still($phase), $still{$phase}, "$phase: stands still");
    cmp_ok(status($phase)->{phase_age_ms}, '>', $age{$phase},
           "$phase: its age goes on");

    my %by = map { $_ => $after{$phase}{$_} - $before{$phase}{$_} }
             qw(offered passed shed);

    cmp_ok($by{offered}, '>', 40, "$phase: counters go on");
    is($by{passed} + $by{shed}, $by{offered}, "$phase: and add up");

    # what the phase allows in that time, and a burst

    my $most = { up => $by{offered}, verifying => $by{offered}, down => 0,
                 degraded => 10 * $took + 9, probing => 2 * $took + 2,
                 ramping => $by{offered} }->{$phase};

    cmp_ok($by{passed}, '<=', $most, "$phase: no burst");
    cmp_ok($b->count("/$phase"), '<=', $most ? $most + 20 : 0,
           "$phase: at the backend");

    my $least = { up => $by{offered}, verifying => $by{offered}, down => 0,
                  degraded => 5 * $took - 4, probing => $took / 2 - 1,
                  ramping => 1 }->{$phase};

    cmp_ok($by{passed}, '>=', $least, "$phase: not shut");
}

is(scalar(grep { !defined $t->metrics()->value(
                     'nginx_recovery_requests_total', backend => $_,
                     class => 'normal', outcome => 'passed') } @phases), 0,
   'all in the metrics');

my $results = $load->stop();
my %kinds;

$kinds{"$_->{uri} $_->{status}"}++ for @$results;

is(scalar(grep { $_->{status} == 0 } @$results), 0, 'no request is lost');
is(scalar(grep { !/ (?:200|503)$/ && !/^\/probing 500$/ } keys %kinds), 0,
   'no other answer than 200 and 503') or diag(join ', ', sort keys %kinds);

# a ramp that moves goes on over a reload, up and never down

$load = $t->load(rate => 100, uris => ['/moving']);
ok($t->wait_phase('moving', 'ramping'), 'moving: ramping');

my @s;
my $reloads = 0;

for (1 .. 3) {
    my $level = status('moving')->{level};

    $reloads++ if $t->reload();
    $t->wait_for(sub { push @s, status('moving');
                       $s[-1]{level} > $level || $s[-1]{level} == 1 },
                 'the level to rise');
}

is($reloads, 3, 'moving: three reloads');
is(scalar(grep { $s[$_]{level} < $s[$_ - 1]{level} } 1 .. $#s), 0,
   'moving: the level never falls');
is(scalar(grep { $s[$_]{level} > 2.5 * $s[$_ - 1]{level} } 1 .. $#s), 0,
   'moving: and does not leap');
ok($t->wait_phase('moving', 'up', 30), 'moving: it arrives');
is(join(' ', map { $_->{to} } @{status('moving')->{events}}),
   'probing ramping verifying up', 'moving: nothing else happened');
is(scalar(grep { $_->{status} == 0 } @{$load->stop()}), 0,
   'moving: no request is lost');

# one leader: two connections to Redis, of a new worker

ok($t->wait_for(sub { links($t, 6379) == 2 }), 'two connections to Redis');

my %new = map { $_ => 1 } $t->workers();

is(scalar(grep { !$new{$_} } links($t, 6379)), 0, 'of a new worker');

# a worker that drains gives back what it holds, to the new ones' account

my @held = map { $t->http_start('/held?hang=1') } 1 .. 4;

ok($t->wait_for(sub { status('held')->{in_flight} == 4 }), 'four are held');
ok($t->reload(), 'reload');
is(status('held')->{in_flight}, 4, 'still four');
push @held, $t->http_start('/held?hang=1');
ok($t->wait_for(sub { status('held')->{in_flight} == 5 }), 'and a new one');

# meanwhile down, for the old as for the new

$t->health('held', 'down');
ok($t->wait_phase('held', 'down'), 'down');
is($t->http_get('/held')->{status}, 503, 'shed');

my %old = map { $_ => 1 } grep { !$new{$_} } $t->workers(all => 1);

ok($t->reload(), 'reload once more');
is(status('held')->{in_flight}, 5, 'still five');
is($t->http_get('/held')->{status}, 503, 'still shed');
is($b->release(), 5, 'they end');
is(scalar(grep { $t->http_end($_)->{status} == 200 } @held), 5, 'well');
$t->http_close($_) for @held;
ok($t->wait_for(sub { status('held')->{in_flight} == 0 }), 'none is out');
ok($t->wait_for(sub { $t->workers(all => 1) == 2 }), 'no old worker is left');
is($t->metrics()->value('nginx_recovery_slots_reclaimed_total'), 0,
   'each gave its slot back itself');
