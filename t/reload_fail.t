#!/usr/bin/perl

# Goal: a reload that fails changes nothing.  nginx runs the zone's set-up
# before it knows whether it can go on, so everything that is in force must
# still be: phases, limits, counters, permits, the leader and its Redis link.
# Method: reloads that fail early (syntax) and late (a port that is taken)
# with configurations that would change all of it; then one that works.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use Test::More;

use Test::Recovery;
use Test::Recovery::Watch qw(fd_count links);

my $t = Test::Recovery->new()->plan(49);
my $b = $t->backend(8081);

$t->redis_start();

sub configuration {
    my %o = (http => '', server => '', backends => '', zone => '1m',
             quota => '', @_);

    $t->write_file_expand('nginx.conf', <<"EOF2");

worker_processes  2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_zone     recovery:$o{zone};
    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_policy   p { ramp from=10% double=1h; }
    recovery_backend  kv { policy p; capacity 100r/s; $o{quota} }
    recovery_backend  d1 { policy p; capacity 100r/s; $o{quota} }
    recovery_backend  up { capacity 100r/s; $o{quota} }
    $o{backends}
    $o{http}

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        $o{server}

        location /kv { recovery kv;
                       proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /d1 { recovery d1;
                       proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /up { recovery up;
                       proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2
}

configuration();
$t->run();

# somebody else's port, for nginx to run into

my $taken = IO::Socket::INET->new(Proto => 'tcp', Listen => 1,
                                  LocalAddr => '127.0.0.1',
                                  LocalPort => $t->port(8099))
    or die "port: $!\n";

my $load = $t->load(rate => 60, uris => ['/kv', '/d1', '/up']);

$t->health('kv', 'down');
$t->health('d1', 'recovering');
ok($t->wait_phase('kv', 'down'), 'kv is down');
ok($t->wait_phase('d1', 'ramping', 20), 'd1 is ramping');
$t->redis('HSET', 'recovery:d1', 'force', 'hold');
ok($t->wait_for(sub { $t->backend_status('d1')->{force} }), 'and held there');
ok($t->wait_for(sub { links($t, 6379) == 2 }), 'one leader');

my $held = $t->http_start('/up?hang=1');
ok($t->wait_for(sub { $b->active() >= 1
                      && $t->backend_status('up')->{in_flight} >= 1 }),
   'one is held');

my @workers = $t->workers();
my @links = links($t, 6379);

sub still {
    my %s = %{$t->status()->{backends}};

    return join ', ', map {
        my $s = $s{$_};
        join ' ', $_, map { $_ // 'null' }
            @{$s}{qw(phase allowed_per_s ceiling_per_s reference_per_s level
                     in_flight_limit)},
            scalar @{$s->{classes}}, scalar @{$s->{events}};
    } sort keys %s;
}

my $still = still();

$b->reset();

sub offered { return $t->class_status('kv', 'normal')->{offered} }

for my $case (
    ['unknown directive', qr/unknown directive/, server => 'nonsense on;'],
    ['unknown policy', qr/nobody/,
     backends => 'recovery_backend x { policy nobody; }'],
    ['too small', qr/too small/, zone => '64k', backends => join ' ', map {
        "recovery_backend x$_ { }" } 1 .. 100],
    ['port taken', qr/bind/, server => 'listen 127.0.0.1:%%PORT_8099%%;'],
    ['no socket, all else changed', qr/bind/,
     server => 'listen unix:%%TESTDIR%%/none/x.sock;', quota => 'quota 1r/m;',
     backends => 'recovery_backend x { }'],
    ['no socket, another zone', qr/bind/, zone => '2m',
     server => 'listen unix:%%TESTDIR%%/none/x.sock;',
     quota => 'quota 1r/m;'],
)
{
    my ($what, $re, %o) = @$case;

    configuration(%o);
    like($t->reload_fails(), $re, "$what: refused");

    my $n = offered();

    ok($t->wait_for(sub { offered() > $n + 10 }), "$what: goes on");
    is(still(), $still, "$what: all as it was");
    is(join(' ', $t->workers(all => 1)), "@workers", "$what: same workers");
    is(join(' ', links($t, 6379)), "@links", "$what: same leader and link");
}

is($b->count('/kv'), 0, 'none has reached kv');
is($t->backend_status('x'), undef, 'no backend of what failed');

# again and again: nothing is used up

configuration(server => 'listen unix:%%TESTDIR%%/none/x.sock;',
              backends => 'recovery_backend x { }');

my @fds = map { fd_count($_) } $t->master();

my $re = qr/\[emerg\] .*bind/;
my $failed = () = $t->grep_file('error.log', $re);

for my $i (1 .. 12) {
    kill 'HUP', $t->master();
    $t->wait_for(sub {
        (() = $t->grep_file('error.log', $re)) >= $failed + $i;
    }, 'the reload to fail');
}

is(join(' ', map { fd_count($_) } $t->master()), "@fds",
   'twelve times: no descriptor of the master is lost');
is(still(), $still, 'twelve times: all as it was');
is(join(' ', $t->workers(all => 1)), "@workers", 'twelve times: same workers');

# the signal still gets through, and is acted upon by the one who led before

$t->health('d1', 'down');
ok($t->wait_phase('d1', 'down'), 'd1 goes down');

# one that works

configuration(backends => 'recovery_backend x { initial down; }');
ok($t->reload(), 'a reload that works');
is($t->backend_status('x')->{phase}, 'down', 'the new backend begins anew');
is($t->backend_status('kv')->{phase}, 'down', 'kv is still down');
ok($t->wait_for(sub { links($t, 6379) == 2 }), 'one leader');
is($b->release('/up'), 1, 'what was held all the time ends');
is($t->http_end($held)->{status}, 200, 'well');
$t->http_close($held);

is(scalar(grep { $_->{status} != 200 && $_->{status} != 503 }
          @{$load->stop()}), 0, 'no request was lost');
ok($t->wait_for(sub { !grep { $_->{in_flight} }
                      values %{$t->status()->{backends}} }),
   'none is in flight');
