#!/usr/bin/perl

# status.pl: what it takes to tell the status of many backends: bytes, time,
# processor time of the worker, and for how long it then serves nobody else.
# The last is what the worker computes, at most, between one look for events
# and the next; stretch/stretch.c, preloaded into nginx, takes that time.  Not
# the waits of somebody who asks for something else meanwhile: he may be late
# himself.  Prints JSON.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use JSON::PP;
use Time::HiRes qw(sleep time);

use Bench::Gate qw(gate);
use Bench::Nginx;
use Bench::Proc qw(cpu_us median);

my $TIMES = $ENV{BENCH_TIMES} // 15;
my $PAUSE_S = 0.02;

my %URIS = (json => '/status', prometheus => '/metrics', html => '/page');


my $STRETCH = "$Bench::Nginx::ROOT/build/bench/stretch.so";

die "$STRETCH is not there, run make $STRETCH\n" unless -f $STRETCH;


# A file with one number: the longest stretch, in ns.

sub stretch_file {
    my ($path) = @_;

    open my $file, '+>', $path or die "$path: $!\n";
    binmode $file;
    stretch_write($file, 0);

    return $file;
}

sub stretch_write {
    my ($file, $ns) = @_;

    sysseek $file, 0, 0;
    syswrite $file, pack 'Q', $ns;
}

sub stretch_ms {
    my ($file) = @_;

    sysseek $file, 0, 0;
    sysread $file, my $ns, 8;

    return unpack('Q', $ns) / 1e6;
}


sub measure {
    my ($nginx, $file, $uri) = @_;

    my $client = $nginx->client('status');
    my @workers = $nginx->workers();
    my (@ms, @cpu_ms, @stretch_ms, $bytes);

    for (1 .. $TIMES) {
        stretch_write($file, 0);

        my ($start, $cpu_us) = (time(), cpu_us(@workers));
        my ($status, $body) = $client->get($uri);

        push @ms, (time() - $start) * 1000;
        push @cpu_ms, (cpu_us(@workers) - $cpu_us) / 1000;

        # the last stretch ends when the worker goes to sleep again

        sleep($PAUSE_S);
        push @stretch_ms, stretch_ms($file);

        die "$uri: $status\n" if $status >= 400;
        $bytes = length $body;
    }

    return { bytes => $bytes, ms => median(@ms), cpu_ms => median(@cpu_ms),
             stretch_ms => median(@stretch_ms) };
}


my %results;

for my $n (1, 100, 1000) {
    my $nginx = Bench::Nginx->new(
        name => "status-$n", gates => [gate('up')],
        http => join "\n    ", map { "recovery_backend b$_ { }" } 2 .. $n);

    my $path = "$nginx->{dir}/stretch";
    my $file = stretch_file($path);

    $nginx->start(under => ['env', "LD_PRELOAD=$STRETCH",
                            "BENCH_STRETCH=$path"]);

    # the first one finds nothing in any cache

    $nginx->client('status')->get($URIS{$_}) for keys %URIS;

    $results{$n}{$_} = measure($nginx, $file, $URIS{$_}) for sort keys %URIS;
    $results{$n}{none} = measure($nginx, $file, '/ping');

    $nginx->stop();
}

print JSON::PP->new->canonical->pretty->encode(\%results);
