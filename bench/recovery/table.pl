#!/usr/bin/perl

# What bench/recovery/run.sh measured, as a page: medians of the rounds, and
# the lowest and the highest in brackets.  Nothing in it is typed by hand.

use strict;
use warnings;

use JSON::PP;
use POSIX qw(uname);

my %arg = map { /^(\w+)=(.*)$/s ? ($1, $2) : die "table.pl: $_: ?\n" } @ARGV;

my %title = (
    plain     => 'nginx, `proxy_pass` alone',
    limit_req => 'nginx, `limit_req` at 500 r/s',
    haproxy   => 'HAProxy, `slowstart`, `maxconn`, priorities',
    module    => 'nginx with this module',
);

my @columns = (
    ['goodput', '%', sub { 100 * $_[0]{goodput_share} }],
    ['critical', '%', sub { 100 * $_[0]{goodput_share_by_class}{login} }],
    ['last 5 s', '%', sub { 100 * $_[0]{goodput_share_last_5_s} }],
    ['to 95 %', 's', sub { $_[0]{seconds_to_95_percent} }],
    ['wasted', '%', sub { 100 * $_[0]{wasted_share} }],
    ['peak to store', '/s', sub { $_[0]{peak_to_store_per_s} }],
);

sub slurp {
    my ($path) = @_;

    open my $file, '<', $path or die "table.pl: $path: $!\n";
    local $/ = undef;

    return scalar <$file>;
}

# "never" is later than any second

sub text {
    my ($value) = @_;
    return defined $value ? sprintf('%.0f', $value) : 'never';
}

sub cell {
    my @values = sort { ($a // 9**9) <=> ($b // 9**9) } @_;
    my $median = $values[$#values / 2];

    return text($median) . ' (' . text($values[0]) . ' to '
           . text($values[-1]) . ')';
}

my @gates = split / /, $arg{gates};
my (%runs, $any);

for my $gate (@gates) {
    for my $round (1 .. $arg{rounds}) {
        my $run = decode_json(slurp(
                           "$arg{run}/bench-$round-$gate/summary.json"));
        push @{$runs{$gate}}, $run;
        $any = $run;
    }
}

my ($model) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)$/m;
my $processors = () = slurp('/proc/cpuinfo') =~ /^processor\s*:/mg;
my ($memory) = slurp('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/m;
my ($system, undef, $release, undef, $arch) = uname();

$model //= 'unknown processor';
$arg{nginx} =~ s/^.*?: *//;

printf "# make bench-recovery\n\nWritten by `bench/recovery/run.sh`; do not"
    . " edit.\n\nThe demo's store breaks, is restored with a cold cache, and"
    . " %d users a second\ncome all the while, who try four times"
    . " ([demo/README.md](../../demo/README.md)).\nOf the %d seconds after"
    . " the restore, median of %d round%s (lowest to highest):\n\n",
    $arg{rate}, $any->{seconds_recovery}, $arg{rounds},
    $arg{rounds} == 1 ? '' : 's';

print '| gate | ', join(' | ', map { "$_->[0], $_->[1]" } @columns), " |\n",
      '|', '---|' x (1 + @columns), "\n";

for my $gate (@gates) {
    print "| $title{$gate} | ", join(' | ', map {
        my $value = $_->[2];
        cell(map { $value->($_) } @{$runs{$gate}})
    } @columns), " |\n";
}

print <<'TEXT';

- goodput: users served, of those who came; critical: the same of `/login/`;
  last 5 s: at the end of the time, which tells a slow recovery from none;
- to 95 %: of the service before the outage, three seconds in a row;
- wasted: share of the store's working time that nobody waited for;
- peak to store: most requests a second that the store was offered from the
  break on.

The gates know different things. The module is told of the outage and of its
end in Redis, and has `capacity 500r/s` and the demo's policy. HAProxy finds
both out by a check twice a second, and is told how many pieces of work the
store does at a time (`maxconn 20`), which nobody tells the others.
`limit_req` has the rate that the store is good for when it is warm.
TEXT

printf "\nMachine: %d x %s, %.1f GB, %s %s %s. %s; %s.\nLoad average before"
    . " each round: %s. The store's work is timers, not processor time.\n",
    $processors, $model, $memory / 1e6, $system, $release, $arch, $arg{nginx},
    $arg{haproxy} =~ s{ - https?://\S+}{}r, join ', ', split / /, $arg{load};
