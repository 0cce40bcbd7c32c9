#!/usr/bin/perl

# load.pl: what can be served, at what processor time for each request, and how
# long it takes, with each gate in front, with one worker and with two.  All
# servers run all the time; the rounds go through them in turn, each beginning
# with another one.  Prints JSON.
#
# BENCH_ROUNDS and BENCH_SECONDS make it shorter.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use JSON::PP;

use Bench::Behind;
use Bench::Gate qw(gate);
use Bench::Jobs qw(processors);
use Bench::Nginx;
use Bench::Phase qw(check_phase into_phase);
use Bench::Proc qw(cpu_us);

my $LOAD = "$Bench::Nginx::ROOT/build/bench/load";
my $ROUNDS = $ENV{BENCH_ROUNDS} // 5;
my $SECONDS = $ENV{BENCH_SECONDS} // 0.5;

my $CONNECTIONS = 8;
my $ENDLESS = 1e7;              # nobody can: tells what can be served
my $PART = 0.3;                 # of what the plain server can: for latency

my %GATES = (
    static  => [[qw(absent limit_req limit_conn both return_503_headers)],
                [qw(unused)], [qw(up ramping shed down)], [qw(lua)]],
    proxied => [[qw(absent limit_req limit_conn both)],
                [qw(unused)], [qw(up ramping)], [qw(lua)]],
);


my $behind = Bench::Behind->new();

sub start {
    my ($kind, $workers) = @_;

    my @servers;

    for my $names (@{$GATES{$kind}}) {
        my $nginx = Bench::Nginx->new(
            name    => "load-$kind-$workers-$names->[0]",
            gates   => [map { gate($_) } @$names],
            workers => $workers,
            $kind eq 'proxied' ? $behind->proxied() : ());

        $nginx->start();

        for my $gate (@{$nginx->{gates}}) {
            into_phase($nginx, $nginx->client($gate->{name}), $gate);
            push @servers, { nginx => $nginx, gate => $gate };
        }
    }

    return \@servers;
}


sub load {
    my ($server, $rate, $workers) = @_;

    # beside one worker there is a processor for it, beside more there is none

    my $alone = processors() > $workers;
    my $last = processors() - 1;
    my @pinned = $alone ? ('taskset', '-c', $last) : ();
    my $port = $server->{nginx}->port($server->{gate}{name});

    open my $out, '-|', @pinned, $LOAD, $port, $CONNECTIONS, $rate, $SECONDS,
                        $alone ? 'spin' : 'sleep' or die "$LOAD: $!\n";
    local $/;
    my $said = <$out> // '';
    close $out or die "$LOAD has failed\n";

    return check($server->{gate}, decode_json($said));
}


sub check {
    my ($gate, $figures) = @_;

    my ($all, $as_said) = (0, $figures->{statuses}{$gate->{status}} // 0);
    $all += $_ for values %{$figures->{statuses}};
    $figures->{answered} = $all;

    die "$gate->{name}: $as_said of $all were answered $gate->{status}\n"
        if $as_said < $all * ($gate->{some} ? 0.9 : 0.99);

    return $figures;
}


sub rounds {
    my ($kind, $workers) = @_;

    my $servers = start($kind, $workers);
    my (%figures, $rate);

    for my $round (1 .. $ROUNDS) {
        for my $server (@$servers) {
            my $name = $server->{gate}{name};

            my @pids = $server->{nginx}->workers();
            my $cpu_us = cpu_us(@pids);
            my $most = load($server, $ENDLESS, $workers);

            $cpu_us = (cpu_us(@pids) - $cpu_us) / $most->{answered};
            $rate //= int($most->{per_s} * $PART);      # "absent" is first

            my $some = load($server, $rate, $workers);

            push @{$figures{$name}},
                 { per_s => $most->{per_s}, cpu_us => $cpu_us,
                   map { $_ => $some->{$_} } qw(p50_us p90_us p99_us) };
        }

        push @$servers, shift @$servers;
    }

    for my $server (@$servers) {
        check_phase($server->{nginx}, $server->{gate});
    }

    $_->{nginx}->stop() for @$servers;

    return { rate => $rate, gates => \%figures };
}


my %results;

for my $workers (1, 2) {
    for my $kind (qw(static proxied)) {
        $results{$kind}{$workers} = rounds($kind, $workers);
    }
}

$behind->stop();

print JSON::PP->new->canonical->pretty->encode(\%results);
