#!/usr/bin/perl

# Goal: Redis is on a machine that the network no longer leads to: packets
# are lost, the cable is out, there is no route.  Requests keep their latency,
# nothing moves in any phase, and all is well again afterwards.
# Method: two network namespaces and a cable between them, in one nginx, in
# the other a real Redis; without a right to make them it is left to the
# "black hole" of fault_network.t.  Under load, see Test::Recovery::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

# The test itself moves into a namespace of its own; not under perl -c, which
# runs this block too.

BEGIN {
    if (!$^C && !$ENV{TEST_IN_NAMESPACE}) {
        my $try = 'unshare -n ip link add near type veth peer name far';

        plan(skip_all => 'no right to make network namespaces')
            if system("$try 2>/dev/null") != 0;

        $ENV{TEST_IN_NAMESPACE} = 1;
        exec 'unshare', '-n', $^X, $0;
    }
}

use Test::Recovery;
use Test::Recovery::Fault;
use Test::Recovery::Process qw(spawn reap);

my ($HERE, $THERE) = ('10.11.12.1', '10.11.12.2');

my $t = Test::Recovery->new()->plan(7 * 4 + 2);


sub run { system(@_) == 0 or die "@_: failed\n" }


my $own = readlink '/proc/self/ns/net';
my $far = spawn(cmd => ['unshare', '-n', 'sleep', 600]);
my @there = ('nsenter', "--net=/proc/$far/ns/net");

$t->wait_for(sub { readlink("/proc/$far/ns/net") ne $own }, 'a namespace')
    or die;

run(qw(ip link set lo up));
run(qw(ip link add near type veth peer name far netns), $far);
run(qw(ip addr add), "$HERE/24", qw(dev near));
run(qw(ip link set near up));
run(@there, qw(ip link set lo up));
run(@there, qw(ip addr add), "$THERE/24", qw(dev far));
run(@there, qw(ip link set far up));

$t->redis_start(host => $THERE, run => \@there, conf => "protected-mode no\n");

my $f = Test::Recovery::Fault->new($t,
    redis => "redis://$THERE:%%PORT_6379%%",
    write => sub { $t->redis('HSET', 'recovery:' . shift, @_) });

# name, what is done where, what puts it right, what the log says

my $SILENT = qr/no answer in time|timed out/;

my @rows = (
    ['answers are lost', [@there, qw(ip route add blackhole), "$HERE/32"],
     [@there, qw(ip route del blackhole), "$HERE/32"], $SILENT],
    ['the far end is out', [@there, qw(ip link set far down)],
     [@there, qw(ip link set far up)], qr/$SILENT|unreachable|No route/],
    ['the near end is out', [qw(ip link set near down)],
     [qw(ip link set near up)], qr/$SILENT|unreachable|No route/],
    ['no route', [qw(ip route add unreachable), "$THERE/32"],
     [qw(ip route del unreachable), "$THERE/32"],
     qr/$SILENT|unreachable|No route/],
);

$f->start();

for my $row (@rows) {
    my ($name, $begin, $end, $said) = @$row;

    $f->row($name, link => 'lost', lasts => 2, begin => sub { run(@$begin) },
            end => sub { run(@$end) }, said => { $said => [1, 2] });
}

$f->finish();
kill 'KILL', $far;
reap($far, 5);
