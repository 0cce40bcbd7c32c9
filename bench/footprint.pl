#!/usr/bin/perl

# footprint.pl: memory of a backend and of a worker, wake-ups of an idle
# nginx, and how long a reload takes.  Prints JSON.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use JSON::PP;
use List::Util qw(max);
use Time::HiRes qw(sleep time);

use Bench::Gate qw(gate);
use Bench::Nginx;
use Bench::Phase qw(into_phase);
use Bench::Proc qw(median memory_kb switches);

my $IDLE_S = $ENV{BENCH_IDLE_S} // 5;
my $RELOADS = $ENV{BENCH_RELOADS} // 7;


sub backends {
    my ($n) = @_;
    return join "\n    ", map { "recovery_backend b$_ { }" } 2 .. $n;
}


my %SERVERS = (
    absent       => { gates => [gate('absent')] },
    unused       => { gates => [gate('unused')] },
    up_1         => { gates => [gate('up')] },
    up_1000      => { gates => [gate('up')], http => backends(1000) },
    ramping_1    => { gates => [gate('ramping')] },
    ramping_1000 => { gates => [gate('ramping')], http => backends(1000) },
);


# What nginx itself says that the zone must have, when it has not.

sub zone_kb {
    my ($n, $workers, $lines) = @_;

    my $nginx = Bench::Nginx->new(
        name => 'zone', gates => [gate('up')], workers => $workers,
        http => "recovery_zone small:64k;\n    $lines\n    " . backends($n));

    my $said = $nginx->test();
    my ($kb) = $said =~ /it must have at least (\d+)k/ or die $said;

    return $kb;
}


sub bytes_a_backend {
    my ($workers, $lines) = @_;

    return (zone_kb(3000, $workers, $lines) - zone_kb(1000, $workers, $lines))
           * 1024 / 2000;
}


sub zone {
    my $classes = join ' ', map { "class c$_;" } 1 .. 16;

    return {
        kb_1000       => zone_kb(1000, 2, ''),
        bytes         => bytes_a_backend(2, ''),
        bytes_slots64 => bytes_a_backend(16, ''),
        bytes_class16 => bytes_a_backend(2,
                             "recovery_policy default { $classes }"),
    };
}


# All at the same time: who is idle does not disturb.

sub idle {
    my ($servers) = @_;

    my (%before, %idle);

    sleep(2);

    $before{$_} = switches($servers->{$_}->workers()) for keys %$servers;
    sleep($IDLE_S);

    for my $name (keys %$servers) {
        my @workers = $servers->{$name}->workers();

        $idle{$name} = {
            wakeups_per_s => (switches(@workers) - $before{$name}) / $IDLE_S,
            worker_kb     => memory_kb($workers[0]),
        };
    }

    return \%idle;
}


# From the signal to the first answer of a new worker.

sub reload_ms {
    my ($nginx) = @_;

    my @ms;

    for (1 .. $RELOADS) {
        my %old = map { $_ => 1 } $nginx->workers();
        my $start = time();

        kill 'HUP', $nginx->{pid};

        while (1) {
            my (undef, $pid) = $nginx->client('pid')->get('/');
            last unless $old{$pid};

            die "no new worker\n" if time() > $start + 30;
        }

        push @ms, (time() - $start) * 1000;
        sleep(0.1);
    }

    return { median_ms => median(@ms), longest_ms => max(@ms) };
}


my (%servers, %reload);

for my $name (keys %SERVERS) {
    my $nginx = Bench::Nginx->new(name => "idle-$name", pid_port => 1,
                                  %{$SERVERS{$name}});

    $nginx->start();

    for my $gate (@{$nginx->{gates}}) {
        into_phase($nginx, $nginx->client($gate->{name}), $gate);
    }

    $servers{$name} = $nginx;
}

my $idle = idle(\%servers);

$reload{$_} = reload_ms($servers{$_}) for qw(absent up_1 up_1000);
$_->stop() for values %servers;

print JSON::PP->new->canonical->pretty->encode(
    { zone => zone(), idle => $idle, reload => \%reload });
