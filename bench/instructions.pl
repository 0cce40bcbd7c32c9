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

my @STATIC = qw(absent limit_req limit_conn both lua return_503
                return_503_headers unused up ramping shed down);

my @PROXIED = qw(absent limit_req limit_conn both lua unused up ramping);

my @LARGE = (
    map({ ("up_$_", "ramping_$_") } qw(backends_1000 slots_64 classes_16
                                       rules_1 rules_10 rules_100
                                       equal_100 everyday_100
                                       unread_100)),
    map({ ("up_${_}_1", "up_${_}_100") } qw(prefix suffix words caseless)),
    qw(up_equal_1 up_everyday_4 up_strings_4 up_strings_100
       absent_uri absent_in_flight_500 up_in_flight_500),
);

my $behind = Bench::Behind->new();


sub all {
    return {
        static  => count_all({ name => 'static' }, @STATIC),
        proxied => count_all({ name => 'proxied', $behind->proxied() },
                             @PROXIED),
        large   => count_all({ name => 'large' }, @LARGE),
    };
}

my @rounds = map { all() } 1 .. $ENV{BENCH_ROUNDS} // 2;

$behind->stop();

print JSON::PP->new->canonical->pretty->encode(\@rounds);
