#!/usr/bin/perl

# check.pl: measures the instructions that budgets.txt speaks of, and fails
# when one of its lines does not hold.  BENCH_BUDGETS names another file.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";

use Bench::Behind;
use Bench::Budget qw(budgets_read judge gates_of);
use Bench::Count qw(count_all);

my @budgets = budgets_read($ENV{BENCH_BUDGETS}
                           // "$FindBin::Bin/budgets.txt");
my %counts = (static => count_all({ name => 'check' }, gates_of(0, @budgets)));
my @proxied = gates_of(1, @budgets);
my $failed = 0;

if (@proxied) {
    my $behind = Bench::Behind->new();

    $counts{proxied} = count_all({ name => 'check-proxied',
                                   $behind->proxied() }, @proxied);
    $behind->stop();
}

for my $budget (@budgets) {
    my $verdict = judge($budget, \%counts);

    printf "%-4s  %s %s %s: %.3f, %s\n",
           $verdict->{holds} ? 'ok' : 'FAIL', @$budget{qw(kind gate of)},
           $verdict->{value}, $verdict->{text};

    $failed++ unless $verdict->{holds};
}

if ($failed) {
    print "bench-check: $failed of ", scalar @budgets,
          " budgets do not hold\n";
    exit 1;
}

print "bench-check: all ", scalar @budgets, " hold\n";
