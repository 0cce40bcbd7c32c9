#!/usr/bin/perl

# Goal: nginx stops within a second when it is idle, whatever the Redis link
# is doing: our timers and sockets hold no worker back, and none is left open
# (the harness finds "open socket" in the log).  A worker that drains waits
# for its requests and for nothing of ours.
# Method: start, bring the link into a state, stop, measure.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Process qw(poll_until);

my $t = Test::Recovery->new()->plan(43);
my $b = $t->backend(8081);
my $redis = $t->redis_start();

my $conf = <<'EOF2';

worker_processes  2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    %%REDIS%% poll=200ms timeout=30s;
    recovery_policy   slow { ramp from=1% double=1h; }
    recovery_backend  kv { }
    recovery_backend  d1 { policy slow; initial probing; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /    { recovery kv;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /d1  { recovery d1;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

sub start {
    my ($uri) = @_;

    $uri //= 'redis://127.0.0.1:%%PORT_6379%%';
    $t->write_file_expand('nginx.conf', $conf =~ s/%%REDIS%%/$uri/r);
    $t->run();

    return $t->wait_for(sub { $t->status() });
}

sub link_is {
    my ($re) = @_;
    return $t->wait_for(sub { $t->status()->{redis}{state} =~ $re },
                        "the link to be $re");
}

# tests: gone, in time

sub stops {
    my ($what, $signal) = @_;

    ok($t->stop(signal => $signal // 'QUIT'), "$what: stops");
    cmp_ok($t->{stop_s}, '<', 1 * slow(), "$what: within a second");
}

# idle, the link up

for my $signal (qw(QUIT TERM)) {
    start();
    ok(link_is(qr/^connected$/), 'connected');
    $t->http_get('/') for 1 .. 3;
    stops("idle, $signal", $signal);
}

# the signal comes while the link is being made

start();
stops('at once');

# a backend that needs a tick each 100 ms, keepalive connections open

start();
$t->redis('HSET', 'recovery:kv', 'health', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
ok($t->wait_for(sub { $t->http_get('/d1');
                      $t->backend_status('d1')->{phase} eq 'ramping' },
                'ramping', 20), 'ramping');

my $h = $t->http_connect();
is($t->http_get('/', socket => $h)->{status}, 503, 'a connection is kept');
stops('down and ramping');
$t->http_close($h);
$t->redis('DEL', 'recovery:kv');

# Redis stands still, with commands on their way

start();
ok(link_is(qr/^connected$/), 'connected');
$t->redis_pause();

my $since = time();
$t->wait_for(sub { time() - $since > 0.5 });
stops('Redis stands still');
$t->redis_resume();

# Redis is gone: the link waits to try again

start();
ok(link_is(qr/^connected$/), 'connected');
$t->redis_stop();
ok(link_is(qr/^(?!connected$)/), 'no longer');
stops('Redis is gone');

start();
ok(link_is(qr/^(?!connected$)/), 'not connected');
stops('Redis never was there');
$t->redis_start();

# one that accepts and says nothing

my $mute = $t->daemon(6390, sub {
    my ($listen) = @_;
    my @open;

    while (my $s = $listen->accept()) {
        push @open, $s;
    }
});

start('redis://127.0.0.1:%%PORT_6390%%');
$since = time();
$t->wait_for(sub { time() - $since > 0.3 });
stops('a mute Redis');
$t->daemon_stop($mute);

# by a unix socket

start('unix:%%TESTDIR%%/redis.sock');
ok(link_is(qr/^connected$/), 'connected by unix socket');
stops('unix socket');

# a request is at work: it is waited for, and for nothing else.  Redis no
# longer sees a client meanwhile.

start();
ok(link_is(qr/^connected$/), 'connected');

my $held = $t->http_start('/?hang=1');
ok($t->wait_for(sub { $b->active() == 1 }), 'at work');

my $master = $t->master();

kill 'QUIT', $master;
ok($t->wait_for(sub { !$t->workers() }), 'it drains');
ok($t->wait_for(sub {
    # the test's own connection is the one that is left
    my @clients = grep { /\S/ } split /\n/, $t->redis('CLIENT', 'LIST');
    return @clients == 1;
}), 'the link is closed already');
ok($t->master(), 'nginx waits for the request');
is($b->release(), 1, 'which is answered');
is($t->http_end($held)->{status}, 200, 'well');
$t->http_close($held);

$since = time();
ok(poll_until(sub { !$t->master() }, 10), 'then it stops');
cmp_ok(time() - $since, '<', 1 * slow(), 'within a second');
delete $t->{nginx};

# a reload leaves no old worker behind when nothing is at work

start();
ok(link_is(qr/^connected$/), 'connected');

my %before = map { $_ => 1 } $t->workers();

ok($t->reload(), 'reload');
$since = time();
ok($t->wait_for(sub { !grep { $before{$_} } $t->workers(all => 1) }),
   'the old workers go');
cmp_ok(time() - $since, '<', 1 * slow(), 'within a second');
stops('after a reload');
