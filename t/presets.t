#!/usr/bin/perl

# Goal: the ready-made policies are what their comments say: nginx takes each
# of them and all together, the figures are the simulator's, and they differ
# in what they are for.
# Method: nginx -t; the figures are read from the comment, and recovery-sim
# plays the same.  "make docs-tables PARTS=presets" writes them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Glob qw(bsd_glob);
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(23);
my $root = $t->root();
my $sim = "$root/build/recovery-sim";

my @presets = bsd_glob("$root/lua-free-policies/presets/*.conf");
my %names = map { m{([\w-]+)\.conf$} => $_ } @presets;

# how far a figure may be from what the simulator says now
my @slack = (goodput => 1, full => 2, peak => 0.1, critical => 1);


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$fh>;
}


# Per scenario of the comment: the figures, those in brackets with "default".

sub told {
    my ($text) = @_;

    my $pair = qr/([\d.]+|never) +\(([\d.]+|never)\)/;
    my %told;

    while ($text =~ /^\#\ +([a-z][\w-]+)\ +$pair\ +$pair\ +$pair\ +$pair$/mgx)
    {
        $told{preset}{$1} = [$2, $4, $6, $8];
        $told{default}{$1} = [$3, $5, $7, $9];
    }

    return \%told;
}


sub simulated {
    my ($policy, $scenario) = @_;

    my ($line) = grep { /^\Q$scenario\E / }
                 `$sim $policy --scenario $scenario --seeds 3`;
    my @words = split ' ', $line // '';

    return [@words[1, 3, 5, 10]];
}


sub differences {
    my ($where, $told, $true) = @_;

    my @problems;

    for my $i (0 .. 3) {
        my ($have, $want) = ($told->[$i], $true->[$i]);
        my ($name, $slack) = @slack[2 * $i, 2 * $i + 1];
        my $same = ($have eq 'never' || $want eq 'never')
                   ? $have eq $want : abs($have - $want) <= $slack;

        push @problems, "$where: $name is $have, the simulator says $want"
            unless $same;
    }

    return @problems;
}


sub accepted {
    my (@files) = @_;

    my $includes = join '', map { "    include $_;\n" } @files;
    my $backends = join '', map {
        my ($name) = m{([\w-]+)\.conf$};
        "    recovery_backend $name { policy $name; }\n";
    } @files;

    return $t->config_test(<<"EOC");
%%TEST_GLOBALS%%
events {
}
http {
    %%TEST_GLOBALS_HTTP%%
$includes$backends
}
EOC
}


is_deeply([sort keys %names], [qw(cold-cache fast gentle)], 'three presets');

for my $name (sort keys %names) {
    my ($rc, $err) = accepted($names{$name});
    is($rc, 0, "$name: nginx -t, and a policy of that name") or diag($err);

    my $text = slurp($names{$name});
    cmp_ok(length(($text =~ /\A((?:#.*\n)+)/)[0]), '>', 200,
           "$name: a comment");
}

my ($rc, $err) = accepted(@presets);
is($rc, 0, 'all together: nginx -t') or diag($err);

($rc) = accepted(@presets, $presets[0]);
isnt($rc, 0, 'control: twice the same is refused');

my %told = map { $_ => told(slurp($names{$_})) } keys %names;

my @scenarios = sort keys %{$told{fast}{preset}};
cmp_ok(scalar @scenarios, '>=', 5, 'scenarios in the comments');

my %default = map { $_ => simulated('default', $_) } @scenarios;

for my $name (sort keys %names) {
    my $told = $told{$name};
    is_deeply([sort keys %{$told->{preset}}], \@scenarios,
              "$name: the same scenarios");

    my @problems = map {
        (differences("$_", $told->{preset}{$_}, simulated($names{$name}, $_)),
         differences("$_ (default)", $told->{default}{$_}, $default{$_}))
    } @scenarios;

    ok(!@problems, "$name: the figures are the simulator's")
        or diag(join "\n", @problems,
                'make docs-tables PARTS=presets writes them');
}

ok(differences('', [90, 5, 1, 90], [92, 5, 1, 90])
   && differences('', ['never', 5, 1, 90], [92, 5, 1, 90])
   && !differences('', [90, 5, 1, 90], [90.9, 6, 1.04, 90]),
   'control: a wrong figure is seen');

# what they are for

my %by = map { $_ => $told{$_}{preset} } keys %told;

cmp_ok($by{fast}{warm}[1], '<', $told{fast}{default}{warm}[1] - 2,
       'fast: full service sooner than by default');
cmp_ok($by{gentle}{$_}[2], '<=', 1,
       "gentle: never more than it can do ($_)") for qw(warm cold);
cmp_ok($by{gentle}{warm}[1], '>', 2 * $by{'cold-cache'}{warm}[1],
       'gentle: takes its time');
cmp_ok($by{'cold-cache'}{cold}[0], '>=', $by{$_}{cold}[0] - 1,
       "cold-cache: as good as $_ with a cold cache") for qw(fast gentle);
