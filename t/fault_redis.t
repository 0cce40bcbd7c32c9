#!/usr/bin/perl

# Goal: whatever happens to a Redis itself, or is done to it or written into
# it by its operator, requests keep their latency and what is in force stays
# so in every phase; what is wrong in a hash is kept out, counted and logged
# once.
# Method: a real redis-server, one fault at a time, under load; see
# Test::Recovery::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use Test::More;

use Test::Recovery;
use Test::Recovery::Fault;
use Test::Recovery::Watch qw(calls jumps);

my $CLOSED = qr/server closed the connection/;
my $REFUSED = qr/Connection refused/;
my $SILENT = qr/no answer in time/;

my $t = Test::Recovery->new()->plan(7 * 8 + 2 + 8);
my $redis = $t->redis_start(conf => "enable-debug-command yes\n"
                                   . "rdbcompression no\n");
my $f = Test::Recovery::Fault->new($t,
    redis => 'redis://127.0.0.1:%%PORT_6379%%', write => \&replace);


# the whole hash at once: no moment without it

sub replace {
    my ($name, @fields) = @_;

    $t->redis('DEL', 'new');
    $t->redis('HSET', 'new', @fields);
    $t->redis('RENAME', 'new', "recovery:$name");
}


# a fault that does not end the link lasts for five polls of all backends

sub kept {
    my ($name, $begin, %o) = @_;

    my $goal;

    $f->row($name, begin => sub {
        $begin->();
        $goal = calls($redis, 'hmget') + 5 * @Test::Recovery::Fault::NAMES;
    }, enough => sub { calls($redis, 'hmget') >= $goal }, %o);
}

$f->start();

# killed, and back with what it had saved

$f->row('killed', link => 'lost', lasts => 2, begin => sub {
    $t->redis('SAVE');
    $redis->kill9();
}, end => sub { $redis->start() },
   said => { $CLOSED => [1, 2], $REFUSED => 1 });

# stopped for longer than an answer may be overdue

my @ramp;


sub levels {
    my ($from_ms, $to_ms) = @_;

    return map { $_->[1] }
           grep { $_->[0] >= $from_ms && $_->[0] < $to_ms } @ramp;
}


$f->row('stopped', link => 'lost', begin => sub {
    $redis->pause();
}, enough => sub {
    my ($s) = @_;

    push @ramp, [$s->{redis}{last_success_age_ms},
                 $s->{backends}{ramping}{allowed_per_s},
                 $s->{backends}{ramping}{why}];

    return $ramp[-1][0] > 4500;
}, end => sub { $redis->resume() }, said => { $SILENT => 1 });

my @still = levels(3500, 1e9);

cmp_ok((levels(0, 2500))[-1], '>', (levels(0, 2500))[0],
       'stopped: a ramp goes on at first');
cmp_ok(scalar @still, '>', 3, 'stopped: overdue for a second');
is_deeply([grep { $_ != $still[0] } @still], [], 'stopped: then it waits');
like($ramp[-1][2], qr/nothing rises/, 'stopped: and says why');
ok($t->wait_for(sub {
    $t->backend_status('ramping')->{allowed_per_s} > $still[0]
}), 'stopped: and goes on');

# There, and knows nothing yet: a thousand keys that take 10 ms each, till it
# is told to hurry.

my $loader;

$t->redis('MSET', map { ("x$_", 'x' x 1024) } 1 .. 1000);

$f->row('loading', link => 'lost', begin => sub {
    $t->redis('CONFIG', 'SET', 'key-load-delay', 10_000);
    $t->redis('CONFIG', 'SET', 'loading-process-events-interval-bytes', 1024);
    $loader = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                    PeerPort => $t->port(6379));
    print $loader "DEBUG RELOAD\r\n";
}, enough => sub { $f->{log}->said(qr/"LOADING/) }, end => sub {
    $t->redis('CONFIG', 'SET', 'key-load-delay', 0);
}, said => { qr/"LOADING/ => 1, $SILENT => [0, 1] });

# a replica, which takes no writes; and one whose master is gone

kept('read-only', sub {
    $t->redis('REPLICAOF', '127.0.0.1', $t->port(6399));
}, end => sub { $t->redis('REPLICAOF', 'NO', 'ONE') },
   said => { qr/reports of this node are not written: READONLY/ => 1 });

$f->row('without its master', link => 'lost', begin => sub {
    $t->redis('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
    $t->redis('REPLICAOF', '127.0.0.1', $t->port(6399));
}, end => sub {
    $t->redis('REPLICAOF', 'NO', 'ONE');
}, said => { qr/"MASTERDOWN/ => 1 });

# wrong types in every field of every backend; by and reason are any text

my @bad = (health => 'x', ceiling => '-1', force => 'perhaps',
           force_until => 'soon', epoch => '1.5');
my $all = @Test::Recovery::Fault::NAMES;

kept('wrong types in every field', sub {
    $t->redis('HSET', "recovery:$_", @bad, by => "\0\xff", reason => 'x' x 999)
        for @Test::Recovery::Fault::NAMES;
}, end => sub { $f->write_all() }, bad => 5 * $all,
   said => { qr/has a bad "(?:health|ceiling|force|force_until|epoch)"/
             => 5 * $all });

kept('keys of a wrong type', sub {
    $t->redis('SET', "recovery:$_", 'up') for @Test::Recovery::Fault::NAMES;
}, end => sub { $f->write_all() }, bad => $all,
   said => { qr/is not a hash/ => $all });

# Emptied: no opinion.  Health stays; orders and ceilings end, and what was
# held down by an order comes up by probes and a ramp.


sub risen {
    my ($now) = @_;

    my @wrong = jumps($now);

    push @wrong, "health is $now->{health}" if $now->{health} ne 'up';
    push @wrong, "unlimited in $now->{phase}"
        if !defined $now->{allowed_per_s} && $now->{phase} !~ /^(?:up|veri)/;

    return @wrong;
}


my %but = (forced => \&risen, closed => \&risen, ceiling => \&risen);

kept('flushed', sub { $t->redis('FLUSHALL') }, but => \%but);

is_deeply([map { $_->{force} } map { $t->backend_status($_) }
           qw(forced closed)], [undef, undef], 'flushed: orders end');
is($t->backend_status('ceiling')->{ceiling_per_s}, undef,
   'flushed: so do ceilings');
like($t->backend_status('closed')->{phase}, qr/^(?:probing|ramping)$/,
     'flushed: what was closed is probed');

$f->finish();
