#!/usr/bin/perl

# Goal: "recoveryctl simulate" is recovery-sim: its words, its output, its exit
# code; the one beside recoveryctl, else the one in PATH, else a clear word.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new(no_module => 1)->plan(10);
my $dir = $t->dir();
my $build = $t->root() . '/build';

sub run {
    my ($command) = @_;
    my $out = `$command 2>&1`;
    return ($? >> 8, $out);
}

my ($code, $out) = run("$build/recoveryctl simulate default"
                       . ' --scenario rate-2 --seed 7');
my (undef, $want) = run("$build/recovery-sim default"
                        . ' --scenario rate-2 --seed 7');

is($code, 0, 'simulated');
is($out, $want, '... as recovery-sim does');
like($out, qr/seed 7/, '... with its options');

($code, $out) = run("$build/recoveryctl simulate $dir/none");
is($code, 2, 'its exit code');
like($out, qr/^recovery-sim: open\(\)/, '... and its message');

like((run("$build/recoveryctl simulate --help"))[1],
     qr/^usage: recovery-sim/, 'its help');

mkdir "$dir/$_" for qw(here there);
copy("$build/recoveryctl", "$dir/here/recoveryctl") or die "copy: $!\n";
chmod 0755, "$dir/here/recoveryctl";

($code, $out) = run("PATH=$dir/there $dir/here/recoveryctl simulate default");
is($code, 2, 'nowhere');
like($out, qr/neither beside recoveryctl nor in PATH/, '... is said');

for my $place (qw(there here)) {
    $t->write_file("$place/recovery-sim", "#!/bin/sh\necho $place \"\$@\"\n");
    chmod 0755, "$dir/$place/recovery-sim";

    is((run("PATH=$dir/there:/bin:/usr/bin "
            . "$dir/here/recoveryctl simulate 'a b' --x"))[1],
       "$place a b --x\n", $place eq 'here' ? 'beside it: before PATH'
                                            : 'in PATH');
}
