#!/usr/bin/perl

# Goal: the point of it all.  In front of a store that comes back cold, plain
# nginx stays down after the fault is gone; with the gate service comes back
# and stays.
#
# Method: "make demo" as it is, once; its own figures decide.  The run without
# the gate is the negative control: if it recovered, the run with it would
# prove nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new();

$t->plan(12);


my $json = $t->root() . '/build/run/demo.json';
unlink $json;

my $out = $t->dir() . '/demo.out';
my $status = system('bash', '-c', 'exec bash "$0" >"$1" 2>&1',
                    $t->root() . '/demo/demo.sh', $out);

is($status, 0, 'the demo ran');
ok(-s $json, 'and left its figures') or diag($t->read_file('demo.out'));

my $demo = decode_json(do { local (@ARGV, $/) = $json; <> });
my ($without, $with) = @$demo{qw(without with)};

is($without->{seconds_to_95_percent}, undef, 'plain nginx never comes back');
cmp_ok($without->{goodput_share}, '<', 0.2, 'it serves next to nobody');
cmp_ok($without->{wasted_share}, '>', 0.5, 'the store works for nobody');

ok(defined $with->{seconds_to_95_percent}, 'with the gate it comes back');
cmp_ok($with->{goodput_share}, '>', 0.4, 'most are served meanwhile');
cmp_ok($with->{goodput_share_last_5_s}, '>', 0.9, 'all are served at the end');
cmp_ok($with->{wasted_share}, '<', 0.05, 'hardly any work is wasted');
cmp_ok($with->{peak_to_store_per_s}, '<', $without->{peak_to_store_per_s} / 2,
       'the store sees no second peak');

# what comes back stays back: no phase but these, in this order

my @phases;

for my $row (@{$with->{rows}}) {
    push @phases, $row->{phase}
        if defined $row->{phase}
           && (!@phases || $phases[-1] ne $row->{phase});
}

like("@phases", qr/^up down( probing)?( ramping)? verifying( up)?$/,
     'one way up, no relapse');

my @goodput = @{$with->{goodput_share_by_class}}{qw(login kv bulk)};

ok($goodput[0] > $goodput[1] && $goodput[1] > $goodput[2],
   'the first class first: ' . join ' ', map { sprintf '%.2f', $_ } @goodput);
