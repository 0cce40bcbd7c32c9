#!/usr/bin/perl

# Goal: the load of "make bench" is open: what a server holds up counts for all
# who would have come meanwhile, not only for who waits; it offers the rate
# that it is told, and counts what was answered.
# Method: a server of one process that stops once, for a third of the time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Recovery;
use Test::Recovery::Process qw(group_kill reap spawn);

my $PAUSE_S = 0.5;
my $SECONDS = 1.5;
my $RATE = 400;

my $t = Test::Recovery->new();
my $program = $t->dir() . '/load';
my $cc = $ENV{CC} || 'cc';

$t->plan(7);

is(system("$cc -std=gnu11 -O2 -o $program $FindBin::Bin/../bench/load/load.c"
          . ' -lm'), 0, 'builds');


# Answers every GET; at the second half of a second of it, once, it stops.

sub serve {
    my ($listen, $pauses) = @_;

    my $select = IO::Select->new($listen);
    my $start;

    while (1) {
        for my $s ($select->can_read()) {
            if ($s == $listen) {
                $select->add(scalar $listen->accept());
                next;
            }

            $start //= time();

            if ($pauses && time() > $start + 0.5) {
                $pauses = 0;
                sleep($PAUSE_S);
            }

            if (!sysread $s, my $request, 4096) {
                $select->remove($s);
                next;
            }

            syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        }
    }
}


sub load {
    my ($pauses, $rate) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                       Listen => 64) or die "$!\n";
    my $port = $listen->sockport();
    my $pid = spawn(code => sub { serve($listen, $pauses) });
    my $said = `$program $port 4 $rate $SECONDS sleep`;

    group_kill('KILL', $pid);
    reap($pid);

    return decode_json($said);
}


my $even = load(0, $RATE);

is($even->{rate}, $RATE, 'the rate');
cmp_ok(abs($even->{statuses}{200} - $RATE * $SECONDS), '<',
       $RATE * $SECONDS / 5, 'about as many as are due');
is($even->{unanswered}, 0, 'all were answered');

# of 600 that are due, some 200 come during the pause and wait for half of it

my $held = load(1, $RATE);

cmp_ok(abs($held->{statuses}{200} - $RATE * $SECONDS), '<',
       $RATE * $SECONDS / 5, 'held up: none are left out')
    or diag(encode_json($held));
cmp_ok($held->{p90_us}, '>', $PAUSE_S * 1e6 / 4, 'and they have waited')
    or diag(encode_json($held));

# more than can be served: what is served tells how much that is

my $much = load(0, 1e7);

cmp_ok($much->{per_s}, '>', $RATE, 'a rate that nobody can serve');
