#!/usr/bin/perl

# Goal: whatever becomes of the processes, what is known of a backend goes on
# and nobody opens what another one shut: kill -9 of the leader, of the master,
# of everything at once; reload and another size of the zone; backends that
# are added, removed and renamed; USR2 to a new process tree, and back again to
# the old one; two nginx with one file.
# Method: "kv" is down and "d1" stands in a ramp, and Redis is gone: only the
# zone and the file know.  Constant load; not one request may reach kv.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Process qw(group_pids proc_title reap);

my $t = Test::Recovery->new()->plan(75);
my $b = $t->backend(8081);
my $dir = $t->dir();

$t->redis_start();

sub configuration {
    my %o = (backends => [qw(kv d1)], zone => 'recovery:1m', @_);

    my ($backends, $locations) = ('', '');

    for my $name (@{$o{backends}}) {
        $backends .= "recovery_backend $name { policy p; capacity 100r/s; }\n";
        $locations .= "location /$name { recovery $name;\n"
                      . "proxy_pass http://127.0.0.1:%%PORT_8081%%; }\n";
    }

    return $t->expand(<<"EOF2");

worker_processes  2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_zone        $o{zone};
    recovery_redis       redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_state_file  state;
    recovery_policy      p { ramp from=10% double=1h; feedback off; }

    $backends

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        $locations
    }
}

EOF2
}

sub configure { $t->write_file('nginx.conf', configuration(@_)) }
sub phase { return ($t->backend_status($_[0]) // {})->{phase} // 'none' }
sub kept { return ($t->status() // {})->{state_file} // {} }

# the file has what is known now: what allows less is written within a second

sub written {
    my ($what) = @_;

    return ok($t->wait_for(sub {
        my $kept = kept();
        return ($kept->{state} // '') eq 'written' && $kept->{age_ms} > 1500;
    }, 'a file', 30), "$what: written");
}

configure();
$t->run();

my $load = $t->load(rate => 60, uris => ['/kv', '/d1']);

sub settle {
    my $sent = $load->peek()->{sent};
    $t->wait_for(sub { $load->peek()->{sent} > $sent + 60 }, 'load');
}

$t->redis('HSET', 'recovery:kv', health => 'down', by => 'me');
$t->redis('HSET', 'recovery:d1', health => 'recovering');
ok($t->wait_phase('kv', 'down'), 'kv is down');
ok($t->wait_phase('d1', 'ramping', 20), 'd1 is ramping');
$t->redis_stop();

my $level = $t->backend_status('d1')->{level};

# as it was: nothing for kv, no more than its level for d1

sub unchanged {
    my ($what) = @_;

    my $start = time();

    settle();
    is(phase('kv'), 'down', "$what: kv is down");
    is(phase('d1'), 'ramping', "$what: d1 is ramping");
    cmp_ok(abs($t->backend_status('d1')->{level} - $level), '<', 0.01,
           "$what: at its level");
    is($b->count('/kv'), 0, "$what: no request to kv");
}

written('start');
$b->reset();
unchanged('start');

# one worker after the other: each leads once, and writes

for my $pid ($t->workers()) {
    ok($t->kill9_worker($pid), 'kill -9 of a worker');
}

written('workers killed');
unchanged('workers killed');

# reload; another zone

ok($t->reload(), 'reload');
unchanged('reload');
configure(zone => 'recovery:2m');
ok($t->reload(), 'another size');
written('another size');
unchanged('another size');

# the master alone, then what is left; a new one goes on

my $old = $t->{nginx};

kill 'KILL', $old;
reap($old, 5);
written('the master is killed');
kill 'KILL', group_pids($old);
ok($t->wait_for(sub { !group_pids($old) }), 'and its workers');
delete $t->{nginx};
$t->run();
is(kept()->{loaded}, 'continued', 'a new one goes on');
unchanged('all killed');

# a backend more, one less, one by another name

configure(backends => [qw(kv d1 new)]);
$t->stop(no_status_check => 1);
$t->run();
is(phase('new'), 'up', 'one that is new is as it is configured');
unchanged('one more');

configure(backends => [qw(other d1)]);
$t->stop(no_status_check => 1);
$t->run();
is(phase('other'), 'up', 'one of another name is another one');
is(phase('d1'), 'ramping', 'the others go on');

configure();
$t->stop(no_status_check => 1);
$t->redis_start();
$t->run();
$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'kv is down again');
$t->redis_stop();
$b->reset();
unchanged('back');

# USR2: a second tree, from the file of the first

sub pid_in {
    my ($name) = @_;
    my ($pid) = $t->read_file($name) =~ /^(\d+)/;
    return $pid;
}

sub upgrade {
    my ($first) = @_;

    kill 'USR2', $first;

    return $t->wait_for(sub {
        my $pid = pid_in('nginx.pid') // 0;
        return $pid && $pid != $first && proc_title($pid) =~ /master/
               ? $pid : 0;
    }, 'a new master');
}

sub workers_of {
    my ($master) = @_;

    return grep {
        open my $fh, '<', "/proc/$_/stat";
        my ($ppid) = ($fh && <$fh> // '') =~ /^\d+ \(.*\) \S (\d+)/;
        ($ppid // 0) == $master;
    } $t->workers(all => 1);
}

# nginx takes USR2 only as a daemon: from here on it is no child of ours

$t->stop(no_status_check => 1);
$t->write_file('nginx.conf', configuration() =~ s/daemon off;/daemon on;/r);
system($t->nginx_binary(), '-p', "$dir/", '-c', "$dir/nginx.conf",
       '-e', "$dir/error.log");
ok($t->wait_for(sub { pid_in('nginx.pid') }), 'a daemon');
$t->{nginx} = pid_in('nginx.pid');
ok($t->wait_for(sub { phase('kv') eq 'down' }), 'it goes on');
written('before the upgrade');

my $first = $t->{nginx};
my $second = upgrade($first);

ok($second, 'a new binary');
ok($t->wait_for(sub { workers_of($second) == 2 }), 'both trees serve');
unchanged('both');

kill 'WINCH', $first;
ok($t->wait_for(sub { !workers_of($first) }), 'the old workers leave');

my $slept = time();

unchanged('the new one');
ok($t->wait_for(sub { kept()->{state} eq 'written' }, 'written', 30),
   'it writes');

# while it serves d1 is shut, too, and kv stays as it is

$t->redis_start();
$t->redis('HSET', 'recovery:d1', health => 'down');
ok($t->wait_phase('d1', 'down'), 'd1 is down');
$t->redis_stop();
written('d1 is down');
$t->wait_for(sub { time() > $slept + 4 });

# back again: the old tree has seen nothing of that

kill 'HUP', $first;
ok($t->wait_for(sub { workers_of($first) == 2 }), 'the old ones are back');
kill 'QUIT', $second;
ok($t->wait_for(sub { proc_title($second) !~ /nginx/ }), 'the new one is gone');
ok($t->wait_for(sub { phase('d1') ne 'none' }), 'the old one answers');
$b->reset();
settle();
is(phase('d1'), 'down', 'it has learned that d1 is down');
is(phase('kv'), 'down', 'and kv');
is($b->count('/d1') + $b->count('/kv'), 0, 'no request to either');
ok($t->wait_for(sub { kept()->{state} eq 'written' }, 'written', 30),
   'it writes again');

# two with one file: one writes, the other one says so

my $two = Test::Recovery->new(scratch => 1);

$two->write_file('nginx.conf', $two->expand(<<"EOF2"));

%%TEST_GLOBALS%%
events { }
http {
    %%TEST_GLOBALS_HTTP%%
    recovery_state_file  $dir/state;
    recovery_backend     other { }
    server {
        listen  127.0.0.1:%%PORT_8080%%;
        location / { recovery other; return 204; }
    }
}

EOF2

$two->run();
ok($two->wait_for(sub { $two->status()->{state_file}{state} eq 'written' }),
   'the second one writes');
$t->redis_start();
$t->redis('HSET', 'recovery:d1', health => 'recovering');
ok($t->wait_for(sub { kept()->{state} eq 'shared' }, 'shared', 30),
   'the first one leaves it to it');
like(kept()->{error}, qr/kept up by another nginx/, 'and says why');
is(scalar($t->grep_file('error.log', qr/kept up by another/)), 2,
   'once, and once when it was the second tree');
ok($two->stop(), 'the second one stops');

# the daemon ends by hand

kill 'QUIT', $first;
ok($t->wait_for(sub { !group_pids($first) }), 'the daemon ends');
delete $t->{nginx};

is(scalar(grep { $_->{status} !~ /^(?:0|200|404|503)$/ } @{$load->stop()}), 0,
   'no other answers');
