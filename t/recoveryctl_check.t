#!/usr/bin/perl

# Goal: "recoveryctl check" says of a configuration, with file and line, what
# nginx would refuse and what is legal and most likely not meant; and of what
# is right nothing.
# Method: files of one mistake each, and beside each warning the same without
# the mistake.  That errors are nginx's own, word for word, is shown by every
# row of t/config_bad*.t (Test::Recovery::Config).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new(no_module => 1);
my $dir = $t->dir();
my $ctl = $t->root() . '/build/recoveryctl';


# The exit code and the lines, without the directory and the last line.

sub check {
    my ($file) = @_;

    my $out = `$ctl check $dir/$file 2>&1`;
    my $code = $? >> 8;

    $out =~ s{\Q$dir\E/}{}g;
    my @lines = split /\n/, $out;
    my $last = pop @lines;

    return ($code, $last, @lines);
}


sub whole {
    my ($http) = @_;
    return "events { }\nhttp {\n$http\n}\n";
}


# name, text of http {}, line => what is said; all of a file with a mistake

my @warnings = (
    ['a line behind one that always holds',
     "recovery_policy p {\n match low \$uri ~ ^/;\n"
     . " match high \$request_method = GET;\n}", 5, qr/"match high" never/],
    ['the same, the first one holds for some',
     "recovery_policy p {\n match low \$uri ~ ^/x;\n"
     . " match high \$request_method = GET;\n}"],
    ['the first one is what clients send, the other is not',
     "recovery_policy p {\n match low \$http_x ~ .*;\n"
     . " match high \$request_method = GET;\n}"],
    ['a client may still lower himself',
     "recovery_policy p {\n match high \$uri ~ ^/;\n"
     . " match low \$http_x = 1;\n}"],
    ['but not raise',
     "recovery_policy p {\n trust 10.0.0.0/8;\n match high \$uri ~ ^/;\n"
     . " match critical \$http_x = 1;\n}", 6, qr/"match critical" never/],
    ['a value that a pattern before it has',
     "recovery_policy p {\n match low \$uri ~ ^/a(b|c)\$;\n"
     . " match high \$uri = /ac;\n}", 5, qr/line 4 has decided/],
    ['a value that it has not',
     "recovery_policy p {\n match low \$uri ~ ^/a(b|c)\$;\n"
     . " match high \$uri = /ad;\n}"],
    ['a longer path behind a shorter one',
     "recovery_policy p {\n match low \$uri ~ ^/api;\n"
     . " match high \$uri ~ ^/api/v2\\.0/x+;\n}", 5, qr/never decides/],
    ['a shorter one behind a longer one',
     "recovery_policy p {\n match low \$uri ~ ^/api/v2;\n"
     . " match high \$uri ~ ^/api;\n}"],
    ['no prefix: the last letter may be missing',
     "recovery_policy p {\n match low \$uri ~ ^/apis;\n"
     . " match high \$uri ~ ^/apis?;\n}"],
    ['no prefix: there is another way',
     "recovery_policy p {\n match low \$uri ~ ^/a;\n"
     . " match high \$uri ~ ^/ab|^/c;\n}"],
    ['no prefix: small letters only',
     "recovery_policy p {\n match low \$uri ~ ^/a;\n"
     . " match high \$uri ~* ^/ab;\n}"],
    ['the same line twice',
     "recovery_policy p {\n match low \$host = a;\n"
     . " match low \$host = a;\n}", 5, qr/never decides/],

    ['raised by a header, and nobody is trusted',
     "recovery_policy p {\n match high \$http_x = 1;\n}", 4,
     qr/raises nobody.*no "trust"/],
    ['lowered by a header',
     "recovery_policy p {\n match low \$http_x = 1;\n}"],
    ['raised by a header, with trust',
     "recovery_policy p {\n trust 10.0.0.0/8;\n match high \$http_x = 1;\n}"],
    ['everybody is trusted',
     "recovery_policy p {\n trust 10.0.0.0/8;\n trust 10.1.0.0/16 ::/0;\n}",
     4, qr/everybody/],

    ['a class of nobody',
     "recovery_policy p {\n class a;\n class b;\n class c default;\n"
     . " match a \$uri = /;\n}", 5, qr/nobody is ever of class "b"/],
    ['named by recovery_class',
     "recovery_policy p {\n class a;\n class b;\n class c default;\n"
     . " match a \$uri = /;\n}\n"
     . 'recovery_class b;'],
    ['may be named by recovery_class',
     "recovery_policy p {\n class a;\n class b;\n class c default;\n}\n"
     . 'recovery_class $host;'],
    ['a class whose only line never decides',
     "recovery_policy p {\n class a;\n class b default;\n"
     . " match b \$uri ~ .;\n match a \$uri = /;\n}", 4,
     qr/nobody is ever of class "a"/, 7, qr/never decides/],

    ['a class from a header, by a map',
     "map \$http_x \$c { 1 high; }\nrecovery_backend kv { }\n"
     . "recovery kv;\nrecovery_class \$c;", 6, qr/anybody.*"high".*"trust"/],
    ['a map that lowers',
     "map \$http_x \$c { 1 low; }\nrecovery_backend kv { }\n"
     . "recovery kv;\nrecovery_class \$c;"],
    ['a map that asks who it is as well',
     "map \$inside:\$http_x \$c { 1:1 high; }\nrecovery_backend kv { }\n"
     . "recovery kv;\nrecovery_class \$c;"],
    ['a map of something else',
     "map \$http_x \$cc { 1 high; }\nrecovery_backend kv { }\n"
     . "recovery kv;\nrecovery_class \$c;"],
    ['a header by set',
     "recovery_backend kv { }\nserver {\n set \$c \$http_x;\n"
     . " recovery kv;\n recovery_class \${c};\n}", 7, qr/"critical"/],
    ['a match of such a variable',
     "map \$cookie_x \$c { 1 2; }\nrecovery_policy p {\n"
     . " trust 10.0.0.0/8;\n match high \$c = 2;\n}", 6, qr/anybody.*\$cookie/],
    ['a match that lowers',
     "map \$cookie_x \$c { 1 2; }\nrecovery_policy p {\n"
     . " match low \$c = 2;\n}"],

    ['a backend that governs nothing',
     'recovery_backend kv { }', 3, qr/"kv" governs nothing/],
    ['in an upstream it governs',
     "recovery_backend kv { }\nupstream u { server 127.0.0.1; recovery kv; }"],
    ['more capacity than quota',
     "recovery_backend kv { capacity 2r/s; quota 1r/s; }\nrecovery kv;", 3,
     qr/"capacity" is above "quota"/],
    ['as much', "recovery_backend kv { capacity 60r/m; quota 1r/s; }\n"
     . 'recovery kv;'],
    ['down for good',
     "recovery_backend kv { initial down; }\nrecovery kv;", 3,
     qr/down for good/],
    ['down until Redis says',
     "recovery_redis unix:/x;\nrecovery_backend kv { initial down; }\n"
     . 'recovery kv;'],
    ['down until ordered',
     "recovery_backend kv { initial down; }\nserver {\n recovery kv;\n"
     . " location /c { recovery off; recovery_control; }\n}"],

    ['a status that is shed',
     "recovery_backend kv { }\nserver {\n location /s { recovery_status; }\n"
     . " recovery kv;\n}", 5, qr/"recovery off;"/],
    ['a status in a location of its own right',
     "recovery_backend kv { }\nserver {\n location /s { recovery off;"
     . " recovery_status; }\n recovery kv;\n}"],

    ['not ours: stream, and a map with our words',
     "map \$host \$h { recovery 1; recovery_policy 2; }"],
);

my @parts = (
    ['a policy alone may have classes that others name',
     "recovery_policy p {\n class a;\n class b default;\n}\n"],
    ['names of elsewhere', "recovery_backend kv {\n policy p;\n}\n"
     . "server { recovery kv d1; }\n", 2, qr/unknown policy "p".*whole nginx/,
     4, qr/unknown backend "d1".*whole nginx/],
    ['in a server: never', "server {\n recovery_policy p { }\n}\n",
     2, qr/not allowed here/],
);

$t->plan(2 * (@warnings + @parts) + 25);


# One row: as many lines as patterns, at these places, and the exit code.

sub row {
    my ($text, $name, undef, @said) = @_;

    $t->write_file('nginx.conf', $text);

    my ($code, $last, @lines) = check('nginx.conf');
    my $errors = grep { !/^\S+: warning: / } @lines;
    my @bad;

    while (my ($line, $re) = splice @said, 0, 2) {
        my $found = shift @lines // 'nothing';
        push @bad, "line $line, $re: $found"
            unless $found =~ /^nginx\.conf:$line: .*$re/;
    }

    ok(!@bad && !@lines, $name) or diag(join "\n", @bad, @lines);
    return ($code, $errors);
}


for my $row (@warnings) {
    my ($code, $errors) = row(whole($row->[1]), @$row);

    is("$code $errors", @$row > 2 ? '1 0' : '0 0',
       @$row > 2 ? '... legal, exit code 1' : '... exit code 0');
}

for my $row (@parts) {
    my ($code, $errors) = row($row->[1], @$row);

    is($code, @$row == 2 ? 0 : $errors ? 2 : 1, '... its exit code');
}


# every error is told, not the first alone, in the order of the lines

$t->write_file('nginx.conf', whole(<<'EOF2'));
recovery_backend kv { policy p; }
recovery_policy p {
    ramp    fast;
    include lines.inc;
    shed    status=99;
}
include    sites/*.conf;
include    none/*.conf;
EOF2

mkdir "$dir/sites";
$t->write_file('lines.inc', "\n# a comment\ncohort \$uri\n  extra;\n");
$t->write_file('sites/a.conf',
               "server {\n  recovery kv;\n  recovery_class \"x y\";\n}\n");

my ($code, $last, @lines) = check('nginx.conf');

is($code, 2, 'errors: exit code 2');
like($lines[0], qr/^nginx\.conf:5: .*"fast" in "ramp".* in recovery_policy/,
     'the first');
like($lines[1], qr/^nginx\.conf:7: .*"99"/, 'the next of the file');
like($lines[2], qr/^lines\.inc:4: invalid number of words in "cohort"/,
     'of a file inside of the policy');
is(scalar @lines, 3, 'no more: what a broken policy would have is not known');
is($last, 'nginx.conf: 1 policy, 1 backend: 3 errors, 0 warnings', 'summed');

$t->write_file('lines.inc', 'cohort $uri;');
$t->write_file('nginx.conf', whole(<<'EOF2'));
recovery_backend kv { policy p; }
recovery_policy p { include lines.inc; }
include sites/*.conf;
EOF2

($code, $last, @lines) = check('nginx.conf');
is($code, 2, 'a class that the policy does not have');
like($lines[0], qr{^sites/a\.conf:3: "recovery_class": unknown class "x y"},
     '... in a file of a pattern');
is(scalar @lines, 1, '... and that is all');


# files that cannot be read, or end too early

for ([ 'include nothing.conf;', qr/:1: open\(\) ".*nothing\.conf" failed/ ],
     [ "http {\n recovery_policy p {\n", qr/:3: unexpected end of file/ ],
     [ "recovery_policy p { }\n}\n", qr/:2: unexpected "\}"/ ],
     [ "log_format x 'y;\n", qr/:2: unexpected end of file.*quote/ ],
     [ "include nginx.conf;\n", qr/goes too deep/ ])
{
    my ($text, $re) = @$_;

    $t->write_file('nginx.conf', $text);
    ($code, $last, @lines) = check('nginx.conf');
    ok($code == 2 && @lines && $lines[-1] =~ $re, "broken: $re")
        or diag("exit code $code: @lines");
}

($code, $last, @lines) = check('there-is-none.conf');
is($code, 2, 'no such file');
like($lines[0], qr/open\(\) "there-is-none\.conf" failed/, '... by name');
unlike($lines[0], qr/warning/, '... is an error');


# bytes that are no text stay out of a terminal

$t->write_file('nginx.conf', "recovery_policy \"a\e[31m\xff\" {\n}\n");
($code, $last, @lines) = check('nginx.conf');
like($lines[0], qr/"a\\x1b\[31m\\xff"/, 'control bytes are shown as such');


# what we ship, and how it is called

my $root = $t->root();

for (glob("$root/lua-free-policies/presets/*.conf")) {
    my $out = `$ctl check $_`;
    is($?, 0, (m{([^/]+)$})[0] . ': nothing to say') or diag($out);
}

like(`$ctl check --help`, qr/^usage: recoveryctl check CONFIG\n/, 'help');

for ('', "$dir/a $dir/b", '--strict') {
    my $out = `$ctl check $_ 2>&1`;
    is($? >> 8, 2, "check $_: usage") or diag($out);
}
