#!/usr/bin/perl

# Two summaries of play.pl side by side, and both in one file.
#
# usage: compare.pl WITHOUT.json WITH.json BOTH.json

use strict;
use warnings;

use JSON::PP;

die "usage: compare.pl WITHOUT.json WITH.json BOTH.json\n" if @ARGV != 3;

my $json = JSON::PP->new->canonical;

sub load {
    my ($path) = @_;

    open my $file, '<', $path or die "compare.pl: $path: $!\n";
    local $/ = undef;

    return $json->decode(scalar <$file>);
}

sub print_run {
    my ($name, $run) = @_;

    my $seconds = $run->{seconds_to_95_percent};

    printf "%-8s  %9.1f %%  %7.1f %%  %10s  %10.1f %%  %12.0f/s\n", $name,
        100 * $run->{goodput_share}, 100 * $run->{goodput_share_last_5_s},
        defined $seconds ? "$seconds s" : 'never',
        100 * $run->{wasted_share}, $run->{peak_to_store_per_s};
}

my ($without, $with) = (load($ARGV[0]), load($ARGV[1]));

printf "\nThe %d s after the restore:\n\n", $with->{seconds_recovery};
printf "%-8s  %11s  %9s  %10s  %12s  %14s\n", 'gate', 'goodput',
    'last 5 s', 'to 95 %', 'wasted work', 'peak to store';

print_run('without', $without);
print_run('with', $with);

print "\ngoodput: share of the users who were served; wasted work: share of",
      " the store's time\nspent on answers that nobody waited for;",
      " to 95 %: of the service before the outage\n\n";

open my $file, '>', $ARGV[2] or die "compare.pl: $ARGV[2]: $!\n";
print $file $json->encode({ without => $without, with => $with }), "\n";
close $file or die "compare.pl: $ARGV[2]: $!\n";
