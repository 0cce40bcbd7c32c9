#!/usr/bin/perl

# Goal: places that a worker takes in lots are no places lost, none too many,
# and nothing that anybody sees: not in the status, not at the limit, not when
# the worker is killed, not across a reload.
# Method: two workers; quick requests make both take lots; requests that hang
# at the backend are counted there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use Test::More;

use Test::Recovery;

my $HELD = 60;
my $QUICK = 400;

my $t = Test::Recovery->new();
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

worker_processes  2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_policy   p { feedback off; match critical $uri ~ ^/critical; }
    recovery_backend  kv { policy p; }

    # of its requests nothing has to be found out
    recovery_policy   q { feedback off; }
    recovery_backend  plain { policy q; quota 100000r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /plain {
            recovery    plain;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();

my ($name, $uri) = ('kv', '/critical');

sub kv { return $t->backend_status($name) }
sub in_flight { return kv()->{in_flight} }

sub quick {
    my ($n) = @_;
    return scalar grep { $t->http_get($uri)->{status} == 200 } 1 .. $n;
}

my @held;

# one that hangs at the backend; 0: it was shed

sub hang {
    my $before = $b->active();
    my $h = $t->http_start("$uri?hang=1");

    $t->wait_for(sub { $b->active() > $before
                       || IO::Select->new($h->{s})->can_read(0) });

    if ($b->active() <= $before) {
        $t->http_close($h);
        return 0;
    }

    push @held, $h;

    return 1;
}

sub drain_held {
    my $done = $t->wait_for(sub { $b->release(); in_flight() == 0
                                                 && $b->active() == 0 },
                            'the end');

    $t->http_close($_) for splice @held;

    return $done;
}

sub drain {
    my ($what) = @_;
    ok(drain_held(), "$what: nothing is in flight");
}

# the limit: a share of what is let in while nothing is known, so many places,
# and one to spare for the first class

$t->redis('HSET', 'recovery:kv', health => 'up', force => '12%');
ok($t->wait_for(sub { (kv()->{in_flight_limit} // 0) == 122 }, 'a limit'),
   'a limit of 122');

$b->reset();
quick($QUICK);

my $places = 0;
ok($t->wait_for(sub { $places += hang(); $places >= 123 }, '123'),
   'all places are to be had, whoever had spare ones');
is(in_flight(), 123, 'all are in flight');
is(hang(), 0, 'not one more') for 1 .. 10;
is($b->active_max(), 123, 'never more at the backend');

drain('limit');

# a worker that has nothing to do any more gives back what it has to spare: only
# the first one serves, then only the second one, which finds all places

my ($first, $second) = $t->workers();

sub serve_alone {
    my ($one, $other) = @_;

    kill 'STOP', $other;
    kill 'CONT', $one;
}

serve_alone($first, $second);
quick($QUICK);

sub idle_keeps_none {
    my ($all) = @_;

    serve_alone($first, $second);
    quick($QUICK);

    return $t->wait_for(sub {
        serve_alone($second, $first);
        my $found = grep { hang() } 1 .. 124;
        kill 'CONT', $first;
        drain_held();

        return $found == $all;
    }, 'spare places');
}

ok(idle_keeps_none(123), 'an idle worker keeps none');

($name, $uri) = ('plain', '/plain');

$t->redis('HSET', 'recovery:plain', health => 'up', force => '12%');
ok($t->wait_for(sub { (kv()->{in_flight_limit} // 0) == 122 }, 'a limit'),
   'a limit where all requests are alike');

my $all = grep { hang() } 1 .. 124;
cmp_ok($all, '<', 123, "$all places for those who are not critical");
drain('alike');

ok(idle_keeps_none($all), 'an idle worker keeps none of these either');

($name, $uri) = ('kv', '/critical');

# dead with spares

quick($QUICK);

$t->allow(qr/worker process \d+ exited on signal 9/);
my @pids = $t->workers();
kill 'KILL', @pids;

ok($t->wait_for(sub { my @now = $t->workers();
                      @now == @pids
                      && !grep { my $p = $_; grep { $p == $_ } @pids } @now },
                'new workers'),
   'all workers are killed');

$places = 0;
ok($t->wait_for(sub { $places += hang(); $places >= 123 }, '123'),
   'all places are to be had after them');
is(hang(), 0, 'and not one more');

drain('the dead');

# what the status says, without a limit

$t->redis('HDEL', 'recovery:kv', 'force');
ok($t->wait_for(sub { !kv()->{force} }, 'no force'), 'no limit any more');

is(quick($QUICK), $QUICK, 'quick ones are let in');
is(in_flight(), 0, 'behind them nothing is in flight');

hang() for 1 .. $HELD;
is(scalar @held, $HELD, 'some hang');
is(in_flight(), $HELD, 'as many are in flight');

is(quick($QUICK), $QUICK, 'quick ones beside them');
is(in_flight(), $HELD, 'these alone are in flight');

# a reload, with all of it under way

$t->reload();
ok($t->wait_for(sub { in_flight() == $HELD }, 'the count'),
   'the same after a reload');
is(quick($QUICK), $QUICK, 'quick ones in new workers');
is(in_flight(), $HELD, 'the same beside the new ones');

drain('reload');

$t->stop();

done_testing();
