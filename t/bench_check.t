#!/usr/bin/perl

# Goal: "make bench-check" finds a budget that does not hold, in either
# direction, lets pass one that is not met yet as long as it gets no worse,
# asks for a ceiling that is no longer needed to go, and counts the same twice.
# Method: other budgets in the place of its own; what is counted is real.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

plan(skip_all => 'valgrind is not installed')
    if system('valgrind --version > /dev/null 2>&1') != 0;

my $t = Test::Recovery->new();

$ENV{BENCH_RUN} = $t->dir() . '/run';
$ENV{TEST_NGINX_MODULE} = $t->module_path();


sub check {
    my ($budgets) = @_;

    local $ENV{BENCH_BUDGETS} = $t->write_file('budgets.txt', $budgets);

    my $said = `$^X $FindBin::Bin/../bench/check.pl 2>&1`;
    return ($said, $? >> 8);
}


$t->plan(15);

my ($said, $status) = check(<<'EOF2');
# gate, of, goal, not met yet
added  up         limit_req  <= 0.01
added  up         limit_req  <= 0.01  <= 100
added  up         limit_req  <= 0.01  <= 0.02
added  up         limit_req  <= 100   <= 200
added  limit_req  up         >= 100
whole  up         absent     >= 1
proxied up        limit_req  <= 0.01
EOF2

my @lines = split /\n/, $said;

is($status, 1, 'planted: budgets that do not hold') or diag($said);
like($lines[0], qr/^FAIL .* NOT MET$/, 'planted: too low');
like($lines[1], qr/^ok .* NOT MET, must stay <= 100$/, 'not met, and no worse');
like($lines[2], qr/^FAIL .* must stay <= 0.02$/, 'planted: not met, and worse');
like($lines[3], qr/^ok .* met; take "<= 200" out$/, 'met: the ceiling may go');
like($lines[4], qr/^FAIL /, 'planted: too high');
like($lines[5], qr/^ok .*: 1\.\d+, goal >= 1 met$/, 'met');
like($lines[6], qr/^FAIL  proxied up /, 'planted: proxied, too low');
like($lines[-1], qr/: 4 of 7 budgets do not hold$/, 'how many');

my ($first) = $lines[5] =~ /: ([0-9.]+),/;

($said, $status) = check("whole  up  absent  <= 10\n");
is($status, 0, 'all hold') or diag($said);

my ($second) = $said =~ /: ([0-9.]+),/;

cmp_ok(abs($first - $second) / $first, '<', 0.005, 'counts the same again')
    or diag("$first, $second");

# what is no budget must not pass for one

($said, $status) = check("whole  up  absent  < 10\n");
isnt($status, 0, 'planted: not a budget');
like($said, qr/budgets\.txt:1: not a budget/, 'which line');

($said, $status) = check("whole  upp  absent  <= 10\n");
like($said, qr/no gate "upp"/, 'planted: no such gate');

($said, $status) = check("# none\n");
isnt($status, 0, 'planted: no budgets at all');
