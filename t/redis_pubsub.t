#!/usr/bin/perl

# Goal: PUBLISH makes a change instant, and without it the poll finds it all
# the same.  A flood of messages becomes neither a flood of commands nor slow
# requests, and its last word counts.  Messages that name nobody, or nothing
# that could be a name, are ignored.
# Method: first a poll so rare that only a message can have brought the
# change; then no messages.  Commands are counted by Redis.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Watch qw(calls links wait_polls slowest statuses);

my $FLOOD = 10_000;

# a sanitizer keeps what was freed for a while

my $GROWTH_KB = $ENV{ASAN_OPTIONS} ? 65536 : 2048;

my $t = Test::Recovery->new()->plan(36);

$t->backend(8081);

my $redis = $t->redis_start();

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=POLL;
    recovery_backend  kv { }
    recovery_backend  d1 { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /kv {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /d1 {
            recovery    d1;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->write_file_expand('nginx.conf', $conf =~ s/POLL/60s/r);
$t->run();


# HMGETs of backends: whenever nginx says that it is there, by an HSET, it
# looks by one more who stands there

my $written = 0;

sub health { $written++; return $t->health(@_) }

sub asked {
    my %n = $redis->cmd('INFO', 'commandstats')
            =~ /^cmdstat_(hmget|hset):calls=(\d+)/mg;

    return ($n{hmget} // 0) - (($n{hset} // 0) - $written);
}


# "connected" is said of the commands; whoever listens is another connection

sub listening {
    return $t->wait_for(sub {
        return $t->redis('PUBSUB', 'NUMSUB', 'recovery:changed')->[1] == 1;
    }, 'a subscriber');
}


ok(listening(), 'subscribed');
is(scalar(links($t, 6379)), 2, 'two connections');

# instant: the poll is a minute away

my $start = time();

health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'a message: down');
health('d1', 'down');
ok($t->wait_phase('d1', 'down'), 'a message: the other one');
health('kv', 'up');
ok($t->wait_phase('kv', 'probing'), 'a message: up');
cmp_ok(time() - $start, '<', 20, 'none of it by the poll');

$start = time();
health('kv', 'down');
ok($t->wait_for(sub { $t->http_get('/kv')->{status} == 503 }), 'shed');
cmp_ok(time() - $start, '<', 2 * slow(), 'shed at once');

# without a message nothing is known before the poll

my $before = asked();

health('kv', 'up', publish => 0);
is($t->redis('PUBLISH', 'recovery:changed', 'd1'), 1, 'about another one');
ok($t->wait_for(sub { asked() > $before }), 'it is looked at');
is($t->backend_status('kv')->{health}, 'down', 'no message: not yet');

# messages that mean nothing

$before = asked();

for my $name ('nobody', '', 'kv ', "kv\n", 'KV', 'recovery:kv', 'kv,d1', 'k',
              'kvx', "kv\0", "\xff\xfe", '%s%n%s', 'x' x 10_000)
{
    $t->redis('PUBLISH', 'recovery:changed', $name);
}

$t->redis('PUBLISH', 'recovery:other', 'kv');
$t->redis('PUBLISH', 'changed', 'kv');

# the last message is a good one: when it has arrived, so have the others

health('d1', 'up', publish => 0);
$t->redis('PUBLISH', 'recovery:changed', 'd1');
ok($t->wait_phase('d1', 'probing'), 'a good message after odd ones');
is(asked(), $before + 1, 'odd ones asked nothing');
is($t->backend_status('kv')->{health}, 'down', 'odd ones: kv is as it was');
is($t->status()->{redis}{reconnects}, 0, 'odd ones: still connected');
is($t->status()->{redis}{bad_values}, 0, 'odd ones: no bad values');

# A flood, while there is traffic: so many messages and for a second at least,
# in small lots, each of which could have been a command.


sub flood {
    my ($count, @names) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $t->port(6379))
        or die "flood: $!\n";
    my $end = time() + 1;
    my $sent = 0;

    while ($sent < $count || time() < $end) {
        my ($out, $in) = ('', '');

        for my $i (1 .. 10) {
            my $name = $names[$sent++ % @names];

            $out .= "*3\r\n\$7\r\nPUBLISH\r\n"
                    . "\$16\r\nrecovery:changed\r\n\$"
                    . length($name) . "\r\n$name\r\n";
        }

        print $s $out;

        # one answer for each, so that all of them have been sent on

        while (($in =~ tr/\n//) < 10) {
            sysread $s, $in, 65536, length $in or die "flood: $!\n";
        }
    }

    return $sent;
}


health('kv', 'up');
ok($t->wait_phase('kv', 'probing'), 'before the flood');
health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down before the flood');

my $watch = Test::Recovery::Watch->new($t);
my $load = $t->load(rate => 50, uris => ['/kv', '/d1'], timeout => 20);

$before = asked();
$start = time();

my $sent = flood($FLOOD, 'kv', 'd1', 'nobody');

health('kv', 'up');
ok($t->wait_phase('kv', qr/probing|ramping/), 'the last word counts');

my $asked = asked() - $before;
my $took = time() - $start;

cmp_ok($asked, '>', 0, 'the flood was listened to');
cmp_ok($asked, '<', $sent / 4, "far fewer commands ($asked for $sent)");
cmp_ok($asked, '<=', 2 * 110 * $took + 20,
       'at most a hundred times a second for each backend');
cmp_ok(calls($redis, 'time') - 0, '<=', 110 * (time() - $^T) + 20,
       'at most a hundred batches a second');

my $results = $load->stop();

is_deeply([grep { !/^(?:200|503)$/ } keys %{statuses($results, qr/./)}],
          [], 'flood: every request was answered');
cmp_ok(slowest($results), '<', 1 * slow(), 'flood: none was slow');
cmp_ok($watch->grown_kb(), '<', $GROWTH_KB, 'flood: no memory');
is($t->status()->{redis}{reconnects}, 0, 'flood: still connected');
is(scalar(links($t, 6379)), 2, 'flood: two connections');
cmp_ok(scalar $watch->said(qr/\[(?:notice|warn|error)\].*recovery_redis/), '<=',
       1,
       'flood: nothing to log');

# after it one message is one command

ok($t->wait_for(sub {
    my $calls = asked();
    select undef, undef, undef, 0.3;
    return $calls == asked();
}), 'quiet again');

$before = asked();
health('d1', 'down');
ok($t->wait_phase('d1', 'down'), 'one message');
is(asked(), $before + 1, 'is one command');

# no message at all: the poll, and the subscriber does not matter

$t->write_file_expand('nginx.conf', $conf =~ s/POLL/100ms/r);
ok($t->reload(), 'poll=100ms');
ok($t->wait_for(sub { scalar(@{[links($t, 6379)]}) == 2 }), 'connected');

health('kv', 'down', publish => 0);
ok($t->wait_phase('kv', 'down'), 'the poll: down');
health('kv', 'up', publish => 0);
ok($t->wait_phase('kv', qr/probing|ramping/), 'the poll: up');
