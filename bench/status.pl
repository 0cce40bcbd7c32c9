#!/usr/bin/perl

# status.pl: what it takes to tell the status of many backends: bytes, time,
# processor time of the worker, and for how long nothing else is served
# meanwhile.  For the last one, a second client asks for something tiny again
# and again and waits for each answer.  What the worker has computed in the
# longest of these waits is its longest stretch without a return to the event
# loop; in processor time, so that nothing else on the machine counts as the
# worker's.  Prints JSON.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use IO::Handle;
use IO::Select;
use JSON::PP;
use Time::HiRes qw(sleep time);

use Bench::Gate qw(gate);
use Bench::Jobs qw(side_by_side);
use Bench::Nginx;
use Bench::Proc qw(cpu_us median);

my $TIMES = $ENV{BENCH_TIMES} // 15;
my $PAUSE_S = 0.02;

my %URIS = (json => '/status', prometheus => '/metrics', html => '/page');


sub alone {
    my ($nginx, $uri) = @_;

    my $client = $nginx->client('status');
    my @workers = $nginx->workers();
    my (@ms, @cpu_ms, $bytes);

    for (1 .. $TIMES) {
        my ($start, $cpu_us) = (time(), cpu_us(@workers));
        my ($status, $body) = $client->get($uri);

        push @ms, (time() - $start) * 1000;
        push @cpu_ms, (cpu_us(@workers) - $cpu_us) / 1000;
        sleep($PAUSE_S);

        die "$uri: $status\n" if $status != 200;
        $bytes = length $body;
    }

    return (bytes => $bytes, ms => median(@ms), cpu_ms => median(@cpu_ms));
}


# From when to when each status was under way.

sub spans {
    my ($nginx, $uri) = @_;

    my $client = $nginx->client('status');
    my @spans;

    for (1 .. $TIMES) {
        my $start = time();
        $client->get($uri);
        push @spans, [$start, time()];
        sleep($PAUSE_S);
    }

    return \@spans;
}


# The waits of the other client, until $end can be read from.

sub ping {
    my ($nginx, $end) = @_;

    my $client = $nginx->client('status');
    my $select = IO::Select->new($end);
    my @workers = $nginx->workers();
    my @waits;

    while (!$select->can_read(0)) {
        my ($start, $cpu_us) = (time(), cpu_us(@workers));

        $client->get('/ping');
        push @waits, [$start, time(), cpu_us(@workers) - $cpu_us];
    }

    return \@waits;
}


# The longest wait during a status: of half of them it was longer.

sub longest_ms {
    my ($nginx, $uri) = @_;

    pipe my $end, my $begin or die "pipe: $!\n";
    $begin->autoflush(1);

    my ($spans, $waits) = side_by_side(
        sub { my $spans = spans($nginx, $uri); print $begin "x"; $spans },
        sub { ping($nginx, $end) });

    my @longest;

    for my $span (@$spans) {
        my @in = map { $_->[2] }
                 grep { $_->[1] > $span->[0] && $_->[0] < $span->[1] } @$waits;

        push @longest, (sort { $b <=> $a } @in)[0] // 0;
    }

    return median(@longest) / 1000;
}


my %results;

for my $n (1, 100, 1000) {
    my $nginx = Bench::Nginx->new(
        name => "status-$n", gates => [gate('up')],
        http => join "\n    ", map { "recovery_backend b$_ { }" } 2 .. $n);

    $nginx->start();

    for my $form (sort keys %URIS) {
        $results{$n}{$form} = {
            alone($nginx, $URIS{$form}),
            stretch_ms => longest_ms($nginx, $URIS{$form}),
        };
    }

    $results{$n}{none}{stretch_ms} = longest_ms($nginx, '/ping');

    $nginx->stop();
}

print JSON::PP->new->canonical->pretty->encode(\%results);
