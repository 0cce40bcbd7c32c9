#!/usr/bin/perl

# Goal: bash completes verbs, the options of each, names of backends and
# classes; what lies in Redis cannot make a shell run anything; a Redis that is
# dead costs no more than a moment.
# Method: the completion function in a real bash, asked as bash asks it; and
# once by the Tab key, in an interactive bash on a terminal.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Terminal;

my $t = Test::Recovery->new(no_module => 1)->plan(50);
my $dir = $t->dir();
my $root = $t->root();
my $script = "$root/tools/recoveryctl/recoveryctl.bash";

$t->redis_start();

my $redis = 'redis://127.0.0.1:' . $t->port(6379);


# What bash would offer behind the line.

sub offered {
    my ($line, %env) = @_;

    $t->write_file('ask.bash', <<'EOF2');
source "$SCRIPT"
COMP_POINT=${#COMP_LINE}
read -ra COMP_WORDS <<< "$COMP_LINE"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_recoveryctl
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
EOF2

    local %ENV = (%ENV, PATH => "$root/build:$ENV{PATH}", SCRIPT => $script,
                  RECOVERY_REDIS => $redis, COMP_LINE => $line, %env);

    my $out = `cd $dir && bash --norc $dir/ask.bash 2>&1`;
    return join ' ', split /\n/, $out;
}

is(offered('recoveryctl st'), 'status step-back', 'verbs');
is(offered('recoveryctl down --reason x st'), '', 'one verb is enough');
is(offered('recoveryctl --json sta'), 'status', 'a verb behind an option');
is(offered('recoveryctl help pro'), 'promote', 'help of a verb');

my @verbs = split / /, offered('recoveryctl ');
my $help = `$root/build/recoveryctl --help`;

for my $verb (grep { $_ ne 'help' } @verbs) {
    ok($help =~ /^  \Q$verb\E /m, "$verb: is there");
}

is(scalar @verbs, 1 + (() = $help =~ /^  [a-z-]+ .*  /mg), '... and no more');

# options

is(offered('recoveryctl status --w'), '--watch', 'options of a verb');
is(offered('recoveryctl down --w'), '--wait', '... are its own');
is(offered('recoveryctl force closed kv --f'), '--for', '... behind names');
like(offered('recoveryctl simulate x --s'), qr/--scenario --seed/,
     "the simulator's");
is(offered('recoveryctl down kv --reason "disk full" --b'), '--by',
   'behind words in quotes');
is(offered('recoveryctl force open kv --override-safety '), 'failing',
   'values');
is(offered('recoveryctl status --tls-verify o'), 'on off', '... of a switch');
is(offered('recoveryctl down kv --reason '), '', '... that nobody knows');

# every option with a value, and none without, is known as such

my ($settings) = do {
    open my $fh, '<', "$root/tools/recoveryctl/settings.c" or die "$!\n";
    local $/;
    <$fh> =~ /ctl_options_table\[\] = \{(.*?)\n\};/s;
};
my @flags = $settings =~ /\{ "([a-z-]+)", NULL,/g;

open my $fh, '<', $script or die "$script: $!\n";
my $text = do { local $/; <$fh> };
my @lists = $text =~ /^ +(--json(?: \| --[a-z-]+)*)\)/mg;

is(scalar @lists, 2, 'options without a value');
is(join(' ', sort split / \| /, $_), join(' ', sort map { "--$_" } @flags),
   '... are these') for @lists;

# files

$t->write_file('nginx.conf', '');
$t->write_file('two words', '');
is(offered('recoveryctl check ngi'), 'nginx.conf', 'files');
is(offered('recoveryctl simulate two'), 'two words', '... with blanks');
is(offered('recoveryctl status --password-file ng'), 'nginx.conf',
   '... of an option');

# names

is(offered('recoveryctl down '), '', 'nobody has reported');

my $report = '{"phase":"up","classes":[{"name":"gold"},{"name":"base"}]}';

$t->redis('HSET', 'recovery:nodes', 'web1', time() * 1000 | 0);
$t->redis('SET', "recovery:node:web1:$_", $report) for qw(kv shop kv-2);

is(offered('recoveryctl down '), 'kv kv-2 shop', 'backends');
is(offered('recoveryctl force closed s'), 'shop', '... as a second word');
is(offered('recoveryctl status --watch k'), 'kv kv-2', '... behind options');
is(offered('recoveryctl promote '), 'base gold', 'classes');
is(offered('recoveryctl promote gold sh'), 'shop', '... and their backend');
is(offered('recoveryctl down kv '), '', 'one name is enough');
is(offered("recoveryctl --redis $redis down s", RECOVERY_REDIS => 'unix:/x'),
   'shop', 'by the words of the command line');

# what somebody has put there

my $bad = '{"phase":"up","classes":[{"name":"$(touch gone)"},'
          . '{"name":"`touch gone`"}]}';

$t->redis('SET', 'recovery:node:web1:$(touch gone)', $report);
$t->redis('SET', 'recovery:node:web1:`touch gone`', $report);
$t->redis('SET', 'recovery:node:web1:kv', $bad);
is(offered('recoveryctl down '), 'kv kv-2 shop', 'names that are none');
is(offered('recoveryctl promote '), 'base gold', 'classes that are none');
ok(!-e "$dir/gone", 'and nothing is run');

$t->write_file('careless.bash', $text =~ s/\\\(\[A-Za-z0-9_\.-\]\*\\\)/\\(.*\\)/gr);
offered('recoveryctl promote ', SCRIPT => "$dir/careless.bash");
ok(-e "$dir/gone", 'planted: one that does not look');

# a Redis that is not there, or does not answer

my $began = time();
is(offered('recoveryctl down ', RECOVERY_REDIS => 'redis://127.0.0.1:1'), '',
   'no Redis: no names');
$t->redis_pause();
is(offered('recoveryctl down '), '', 'a silent one: no names');
cmp_ok(time() - $began, '<', 5 * slow(), '... soon');
$t->redis_resume();

# the Tab key

my $p = Test::Recovery::Terminal->new(
    cmd => ['bash', '--norc', '--noprofile', '-i'], columns => 120,
    env => {TERM => 'dumb', PS1 => 'ready> ', RECOVERY_REDIS => $redis,
            HISTFILE => '/dev/null', PATH => "$root/build:$ENV{PATH}",
            INPUTRC => '/dev/null'});

$p->wait(sub { $p->raw() =~ /ready> $/ });
$p->type("source $script\n");
$p->wait(sub { $p->raw() =~ /ready> .*ready> $/s });
$p->type("recoveryctl sta\t");
ok($p->wait(sub { $p->raw() =~ /recoveryctl status / }), 'Tab: a verb');
$p->type("sh\t");
ok($p->wait(sub { $p->raw() =~ /recoveryctl status shop / }),
   'Tab: a backend');
$p->type("--wa\t");
ok($p->wait(sub { $p->raw() =~ /recoveryctl status shop --watch / }),
   'Tab: an option');
$p->type("\cC");
