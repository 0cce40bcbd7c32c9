#!/usr/bin/perl

# Goal: kill -9 takes nothing with it.  The permits of a dead worker are back
# within two seconds, not one request too many is let in meanwhile, and after
# any number of crashes, under load and across reloads, none is out.
# Method: ten places of a ramp that is held; requests that hang at the backend
# fill them; their workers are killed.  What is open at the backend then is
# of the dead; what comes after is counted anew.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Process qw(poll_until);

my $ROUNDS = 20;

my $t = Test::Recovery->new()->plan(36);
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
    recovery_backend  kv { policy p; initial probing; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();

sub kv { return $t->backend_status('kv') }
sub in_flight { return kv()->{in_flight} }
sub reclaimed {
    return $t->metrics()->value('nginx_recovery_slots_reclaimed_total');
}

# ten places, for as long as the force lasts

sub hold_ramp {
    $t->redis('HDEL', 'recovery:kv', 'force');
    $t->wait_for(sub {
        $t->http_get('/critical');
        return kv()->{phase} eq 'ramping';
    }, 'ramping', 20) or return 0;

    $t->redis('HSET', 'recovery:kv', force => 'hold');

    return $t->wait_for(sub { kv()->{force} }, 'hold')
           && kv()->{phase} eq 'ramping' && kv()->{in_flight_limit} == 10;
}

$t->redis('HSET', 'recovery:kv', health => 'up');
ok(hold_ramp(), 'ten places');

# starts held requests until one is shed; how many the backend holds more

my @held;

sub fill {
    my ($uri) = @_;

    my $before = $b->active();

    for my $n (0 .. 20) {
        my $h = $t->http_start("$uri?hang=1");

        push @held, $h;
        $t->wait_for(sub { $b->active() > $before + $n
                           || IO::Select->new($h->{s})->can_read(0) });

        return $n if $b->active() <= $before + $n;
    }

    return 'all';
}

sub drain {
    $t->wait_for(sub { $b->release(); in_flight() == 0 && $b->active() == 0 },
                 'the end');
    $t->http_close($_) for splice @held;
}

sub kill_all {
    my @pids = $t->workers();

    $t->allow(qr/worker process \d+ exited on signal 9/);
    kill 'KILL', @pids;

    return $t->wait_for(sub {
        my @now = $t->workers();
        return @now == @pids && !grep { my $p = $_; grep { $p == $_ } @pids }
                                      @now;
    }, 'new workers');
}

# all workers die with all places taken

$b->reset();

is(fill('/normal'), 8, 'normal gets eight of ten');
is(in_flight(), 8, 'eight are out');
is(fill('/critical'), 3, 'critical gets the rest and one spare');

my $reclaimed = reclaimed();
my $start = time();

ok(kill_all(), 'all workers are killed');
ok($t->wait_for(sub { in_flight() == 0 }, 'permits', 2),
   'all permits are back');
cmp_ok(time() - $start, '<', 2 * slow(), 'within two seconds');
is(reclaimed() - $reclaimed, 2, 'two slots were reclaimed');

# nginx closes the connections of the dead; the backend may see it late

$t->wait_for(sub { $b->active() == 0 }, 'the dead to leave');
$t->http_close($_) for splice @held;
$b->reset();

is(fill('/normal') + fill('/critical'), 11, 'all places are there again');
is($b->active_max(), 11, 'and no more');
drain();

# one of two dies: the other one's are still out, and are not given back twice

is(fill('/normal'), 8, 'eight are out');

my %by;
my @workers = $t->workers();
my $port = sprintf ':%04X', $t->port(8081);

# connections to the backend, by worker

for my $pid (@workers) {
    my %inode;

    for my $fd (glob "/proc/$pid/fd/*") {
        my $to = readlink $fd // next;
        $inode{$1} = 1 if $to =~ /^socket:\[(\d+)\]/;
    }

    open my $tcp, '<', "/proc/$pid/net/tcp" or die "tcp: $!\n";
    $by{$pid} = 0;

    while (<$tcp>) {
        my @f = split;
        $by{$pid}++ if $f[2] =~ /\Q$port\E$/ && $inode{$f[9]};
    }
}

is($by{$workers[0]} + $by{$workers[1]}, 8, 'the two hold eight');
note("held by worker: @by{@workers}");

ok($t->kill9_worker($workers[0]), 'one is killed');
ok($t->wait_for(sub { in_flight() == $by{$workers[1]} }, 'permits', 2),
   "the other one's are out");
$t->wait_for(sub { $b->active() == $by{$workers[1]} }, 'the dead to leave');
is(fill('/normal'), $by{$workers[0]}, 'what came back can be taken');
is(in_flight(), 8, 'eight are out');
drain();
is(in_flight(), 0, 'none is out');

# never one too many: places are asked for all the while, and the backend
# holds what it gets until its nginx is dead or done.  Permits of the dead
# may be taken again only when they are dead, so what is open at the backend
# and still wanted by a living worker is never more than the limit.

$b->set(delay => 0.05);

my $load = $t->load(rate => 300, uris => ['/normal']);

ok($t->wait_for(sub { $load->peek()->{status}{503} }), 'load');
$b->reset();
ok($t->wait_for(sub { $b->count() > 100 }), 'served');
cmp_ok($b->active_max(), '<=', 8, 'eight at most');

my ($killed, $most, $reloaded) = (0, 0, 0);

for my $round (1 .. $ROUNDS) {
    my @now = $t->workers();
    my $victim = $now[rand @now];

    # in the middle of work: at once, or after some more requests

    my $goal = $b->count() + int rand 20;
    poll_until(sub { $b->count() >= $goal }, 5);

    $killed++ if $t->kill9_worker($victim);

    my $n = in_flight();
    $most = $n if $n > $most;

    $reloaded = $t->reload() if $round == $ROUNDS / 2;
}

is($killed, $ROUNDS, 'random crashes under load');
ok($reloaded, 'and a reload among them');
cmp_ok($most, '<=', 10, 'never more out than there are places');

# after the last death nothing of it remains, with the load still on

$t->wait_for(sub { $b->active() <= 8 });
$b->reset();
ok($t->wait_for(sub { $b->count() > 100 }), 'served as before');
cmp_ok($b->active_max(), '<=', 8, 'eight at most, as before');
cmp_ok($b->active_max(), '>=', 6, 'and not much less');

my $results = $load->stop();

ok(!(grep { $_->{status} != 200 && $_->{status} != 503 && $_->{status} != 0 }
     @$results), 'no other answer than 200 and 503, or a dead worker');
ok($t->wait_for(sub { in_flight() == 0 }), 'at the end none is out');

# the same across a reload: places of the old and the new are one account

$b->set();
is(fill('/normal'), 8, 'eight are out');
ok($t->reload(), 'reload');
is(in_flight(), 8, 'still out');
is(fill('/normal'), 0, 'and not there for the new workers');

my ($old) = grep { my $p = $_; !grep { $p == $_ } $t->workers() }
            $t->workers(all => 1);
ok($old, 'an old worker drains');

$t->allow(qr/worker process \d+ exited on signal 9/);
kill 'KILL', grep { my $p = $_; !grep { $p == $_ } $t->workers() }
             $t->workers(all => 1);
ok($t->wait_for(sub { in_flight() == 0 }, 'permits', 2),
   'it is killed while it drains, and they are back');
drain();

$t->reload();
is(fill('/normal') + fill('/critical'), 11, 'all places are there');
drain();

is($t->metrics()->value('nginx_recovery_undecided_total',
                        reason => 'no_slot'), 0, 'no worker without a slot');
