#!/usr/bin/perl

# decision.pl: the decision alone, ours and that of limit_req: ns of one
# process and of two that share what they decide on, and instructions.  Prints
# JSON.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use JSON::PP;

use Bench::Nginx;
use Bench::Proc qw(median);

my $BUILD = "$Bench::Nginx::ROOT/build/bench";
my $ROUNDS = $ENV{BENCH_ROUNDS} // 5;
my $FEW = 10000;
my $MANY = 30000;

my @RACES = (
    map({ [decision => $_] } qw(open pass shed closed open-paced pass-paced)),
    map({ [limit_req => $_] } qw(pass shed pass-paced)),
);


sub run {
    my ($program, $mode, $processes) = @_;

    my $said = `$BUILD/$program $mode $processes`;
    die "$program $mode $processes has failed\n" if $? != 0;

    my ($ns, $per_s) = $said =~ / ns=(\S+) .* per_s=(\S+)/ or die $said;

    return { ns => $ns, per_s => $per_s };
}


sub instructions {
    my ($program, $mode) = @_;

    my %counts;

    for my $n ($FEW, $MANY) {
        my $said = `valgrind --tool=callgrind --callgrind-out-file=/dev/null \\
                    $BUILD/$program $mode 1 $n 2>&1`;

        ($counts{$n}) = $said =~ /Collected : (\d+)/ or die $said;
    }

    return ($counts{$MANY} - $counts{$FEW}) / ($MANY - $FEW);
}


my (%runs, %results);

for my $round (1 .. $ROUNDS) {
    for my $race (@RACES) {
        for my $processes (1, 2) {
            push @{$runs{"@$race"}{$processes}}, run(@$race, $processes);
        }
    }
}

for my $race (@RACES) {
    my ($program, $mode) = @$race;
    my $all = $runs{"@$race"};

    for my $processes (1, 2) {
        my @ns = sort { $a <=> $b } map { $_->{ns} } @{$all->{$processes}};

        $results{$program}{$mode}{$processes} = {
            ns => median(@ns), ns_low => $ns[0], ns_high => $ns[-1],
            per_s => median(map { $_->{per_s} } @{$all->{$processes}}),
        };
    }

    $results{$program}{$mode}{instructions} = instructions(@$race)
        if $mode !~ /-paced/;
}

print JSON::PP->new->canonical->pretty->encode(\%results);
