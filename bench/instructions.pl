#!/usr/bin/perl

# instructions.pl: what a request costs in instructions, with each gate in
# front of a static answer and in front of a proxied one, and where something
# is large; all of it twice.  Prints JSON.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use JSON::PP;

use Bench::Behind;
use Bench::Count qw(count_all);

my @STATIC = (
    { name => 'plain', gates => [qw(absent limit_req limit_conn both
                                    return_503 return_503_headers)] },
    { name => 'ours', gates => [qw(up ramping shed down)] },
    { name => 'unused', gates => ['unused'] },
    { name => 'lua', gates => ['lua'] },
);

my @PROXIED = (
    { name => 'plain', gates => [qw(absent limit_req limit_conn both)] },
    { name => 'ours', gates => [qw(up ramping)] },
    { name => 'unused', gates => ['unused'] },
    { name => 'lua', gates => ['lua'] },
);

my @LARGE = map { { name => $_, gates => ["up_$_", "ramping_$_"] } }
                qw(backends_1000 slots_64 classes_16 rules_1 rules_10
                   rules_100 equal_100);

push @LARGE, { name => 'held', gates => ['absent_in_flight_500'] },
             { name => 'held_up', gates => ['up_in_flight_500'] };


my $behind = Bench::Behind->new();

sub all {
    return {
        static  => count_all(@STATIC),
        proxied => count_all(map { { %$_, $behind->proxied(),
                                     name => "proxied-$_->{name}" } }
                             @PROXIED),
        large   => count_all(@LARGE),
    };
}

my @rounds = map { all() } 1 .. $ENV{BENCH_ROUNDS} // 2;

$behind->stop();

print JSON::PP->new->canonical->pretty->encode(\@rounds);
