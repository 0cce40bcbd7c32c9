#!/usr/bin/perl

# Goal: "include" works in the blocks whose lines the module reads itself,
# and counts its parameters: nginx does not do that there, and would open
# whatever word stood in that place of the line before.
# Method: nginx -t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(16);

sub try {
    my ($http) = @_;

    return $t->config_test(<<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    $http
}

EOF2
}

$t->write_file('policy.part', "class gold;\nclass iron;\n");
$t->write_file('backend.part', "quota 50r/s;\n");

for my $kind (['recovery_policy p', 'policy.part'],
              ['recovery_backend b', 'backend.part'])
{
    my ($block, $part) = @$kind;

    my ($rc, $said) = try("$block { include %%TESTDIR%%/$part; }");
    is($rc, 0, "$block: include");

    ($rc, $said) = try("$block { include %%TESTDIR%%/none*; }");
    is($rc, 0, "$block: a mask that nothing matches");

    ($rc, $said) = try("$block { include %%TESTDIR%%/none; }");
    is($rc, 1, "$block: a file that is not there");

    ($rc, $said) = try("$block {\n include;\n }");
    is($rc, 1, "$block: include of nothing");
    like($said, qr/"include" has 0 parameters.* in \S+test\.conf:\d+/,
         "$block: the message");

    ($rc, $said) = try("$block { include %%TESTDIR%%/$part two; }");
    is($rc, 1, "$block: include of two");
    like($said, qr/"include" has 2 parameters/, "$block: the message");

    ($rc, $said) = try("$block { include %%TESTDIR%%/$part; quota 1r/s; "
                       . 'class gold; }');
    is($rc, 1, "$block: a line of both");
}
