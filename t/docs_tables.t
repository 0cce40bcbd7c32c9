#!/usr/bin/perl

# Goal: the tables of laws in docs/how-it-works.md are of this simulator: the
# same laws and ingredients, and the same figures where that is quick to see.
# Method: names of --list; one scenario, played again, of the laws that do
# not depend on the core.  The figures of the product: make sim.

use strict;
use warnings;

use FindBin;
use Test::More;

my $root = "$FindBin::Bin/..";
my $sim = "$root/build/recovery-sim";
-x $sim or die "build/recovery-sim is not built: make\n";

open my $fh, '<', "$root/docs/how-it-works.md" or die $!;
my $doc = do { local $/; <$fh> };


sub part {
    my ($name) = @_;

    my ($from, $to) = ("<!-- $name: make docs-tables -->\n",
                       "<!-- end of $name -->\n");
    my ($part) = $doc =~ /^\Q$from\E(.*?)^\Q$to\E/ms;

    return $part // '';
}


sub rows {
    my ($part) = @_;

    return [$part =~ /^\| `([\w-]+)`: /mg];
}


my @list = map { /^  ([a-z]\S*) +\S/ ? $1 : () } `$sim --list`;
shift @list while @list && $list[0] ne 'product';

my @laws = grep { !/^without-/ && $_ ne 'oracle' } @list;
my @without = ('product', grep { /^without-/ } @list);

is_deeply(rows(part('laws')), \@laws, 'a row for each law');
is_deeply(rows(part('without')), \@without, 'a row for each ingredient');

my ($row) = part('laws') =~ /^\| `product`: .*?\| (.*)/m;
my ($other) = part('without') =~ /^\| `product`: .*?\| (.*)/m;
is($other, $row, 'the law has the same figures in both');

my @figures = part('laws') =~ /^\| `[\w-]+`(.*) \|$/mg;
is(scalar(grep { (() = /\|/g) != 9 } @figures), 0, 'as many in every row');

my ($mark) = part('laws') =~ /^<!-- rate-30: (.*) -->$/m;
my %told = split ' ', $mark // '';

my (@names, %true);
for (`$sim default --law all --scenario rate-30`) {
    @names = split if /^scenario/;
    @true{@names} = split if /^rate-30 / && !%true;
}
delete @true{qw(scenario product)};

is_deeply(\%told, \%true, 'figures of this simulator')
    or diag('make docs-tables PARTS=laws writes them');
cmp_ok(scalar keys %true, '==', @laws - 1, '... of all the others');

# make sim compares the rest

my $check = sub {
    my ($edit) = @_;

    my $text = join '', map { "$_->[0] $_->[1] $_->[2]" . ' 0' x 15 . "\n" }
               map { [/^\| ([\w-]+) \| ([\d.]+) \/ ([\d.]+) \|/] }
               grep { /^\| [\w-]+ \| [\d.]+ \/ / } split /\n/, part('sim');
    my ($sum) = $row =~ /^([\d.]+)/;
    $text .= "product $sum\n";
    $edit->() for $text;

    open my $out, '|-', "cd $root && util/docs-tables.sh check /dev/stdin 2>&1"
                        . ' > /dev/null' or die $!;
    print $out $text;
    close $out;

    return $? >> 8;
};

is($check->(sub {}), 0, 'check: the same');
is($check->(sub { s/^cold (\S+)/'cold ' . ($1 + 3)/me }), 1,
   'check: a scenario that is better now');
is($check->(sub { s/^product (\S+)/'product ' . ($1 - 3)/me }), 1,
   'check: a law that is worse now');
is($check->(sub { $_ .= "two-services 90 90" . ' 0' x 15 . "\n" }), 1,
   'check: a worked example of docs/capacity.md');
is($check->(sub { s/^cold .*\n//m }), 0, 'check: nothing said of one');
is($check->(sub { $_ .= "new 1 1" . ' 0' x 15 . "\n" }), 1,
   'check: a scenario without a row');

done_testing();
