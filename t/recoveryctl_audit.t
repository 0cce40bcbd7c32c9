#!/usr/bin/perl

# Goal: the audit is read as people read: the latest orders and what became of
# them, in the order of time, of all backends or of one, and what comes, until
# Ctrl-C; Redis may go and come back meanwhile.  Whatever bytes are in Redis -
# in the audit, in what nodes report, in a hash - none of them gets to a
# terminal.
# Method: a real nginx for real entries; entries, nodes and reports that are
# written by hand for hostile ones; pipes that close.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;
use Test::Recovery::Ctl;

my $t = Test::Recovery->new()->plan(50);

$t->backend(8081);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% node=web1 poll=100ms;
    recovery_backend  kv { }
    recovery_backend  d1 { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

my $ctl = Test::Recovery::Ctl->new($t);
my $r = $ctl->run('audit');

is($r->{rc}, 0, 'nothing yet');
like($r->{err}, qr/nothing in recovery:audit yet/, 'nothing yet: said');

$t->run();
ok($t->wait_for(sub {
    2 == grep { $t->redis('EXISTS', "recovery:node:web1:$_") } qw(kv d1)
}), 'a node');

for my $words (['down', 'kv', '--reason', 'disk full'],
               ['recover', 'kv', '--reason', 'repaired', '--by', 'ann'],
               ['force', 'closed', 'd1', '--for', '5m', '--reason', 'swap'])
{
    is($ctl->run(@$words)->{rc}, 0, "@$words");
}

ok($t->wait_for(sub { $t->redis('XLEN', 'recovery:audit') >= 3 }), 'entries');

# for people

my $time = qr/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/;

$r = $ctl->run('audit');
is($r->{rc}, 0, 'audit');
like($r->{out}, qr/^$time  kv  web1  up -> down: the source says down, by jo: disk full
$time  kv  web1  down -> probing: the source says up, by ann: repaired
$time  d1  web1  up, force closed: an operator's force is in effect, by jo: swap
\z/m, 'audit: lines') or diag($r->{out});
is($r->{err}, '', 'audit: and no more');

$r = $ctl->run('audit', 'd1');
like($r->{out}, qr/\A$time  d1 .*\n\z/, 'of one backend');
$r = $ctl->run('audit', 'nobody');
is($r->{rc}, 0, 'of nobody');
like($r->{err}, qr/nothing in recovery:audit of nobody yet/, 'of nobody: said');

# for programs

$r = $ctl->run('audit', '--json');
my @entries = map { JSON::PP->new->utf8->decode($_) } split /\n/, $r->{out};
is(join(' ', map { "$_->{backend}:$_->{to}" } @entries),
   'kv:down kv:probing d1:up', 'json: a line for each');
is($entries[0]{reason}, 'disk full', 'json: fields');
like($entries[0]{id}, qr/^\d+-\d+$/, 'json: its id');

# many: the latest

$t->redis('XADD', 'recovery:audit', '*', 'backend', 'kv', 'node', 'web1',
          'time_ms', $_, 'what', "entry $_", 'from', 'up', 'to', 'up')
    for 1 .. 450;
$r = $ctl->run('audit');
is(join(' ', $r->{out} =~ /entry (\d+)/g), join(' ', 431 .. 450),
   'many: the latest');
$r = $ctl->run('audit', 'd1');
like($r->{out}, qr/\A$time  d1 .*force closed.*\n\z/,
     'many: of one backend, however far back');

# what comes

my $h = $ctl->start('audit', '--follow', 'kv');

ok($h->wait_out(qr/entry 450\n/), 'follow: what was');
$ctl->run('down', 'kv', '--reason', 'again');
ok($h->wait_out(qr/by jo: again\n/), 'follow: what comes');
$ctl->run('clear', 'd1');
$ctl->run('recover', 'kv', '--reason', 'well');
ok($h->wait_out(qr/by jo: well\n/), 'follow: and what comes then');
unlike($h->out(), qr/ d1 /, 'follow: of one backend');
is(() = $h->out() =~ /again/g, 1, 'follow: once');

$t->redis_stop();
ok($t->wait_for(sub { $h->err() =~ /does not answer/ }), 'Redis goes: said');
$t->redis_start();
ok($t->wait_for(sub { $h->err() =~ /Redis answers again/ }, 'it', 20),
   'Redis comes back: said');
is(() = $h->err() =~ /does not answer/g, 1, 'once each');
$h->signal('INT');
$r = $h->end();
is($r->{rc}, 0, 'Ctrl-C: a clean end');
cmp_ok($r->{s}, '<', 60 * slow(), 'Ctrl-C: soon');

# a reader that has had enough

my $cmd = $t->expand("RECOVERY_REDIS=redis://127.0.0.1:%%PORT_6379%%"
                     . " timeout 60 $ctl->{binary} audit --follow");
my ($head, $rc) = map { $t->dir() . "/$_" } qw(head rc);

system('sh', '-c', "{ $cmd; echo \$? > $rc; } | head -n 1 > $head &");
ok($t->wait_for(sub {
    $t->redis('XADD', 'recovery:audit', '*', 'backend', 'kv', 'what', 'one');
    return -s $rc;
}, 'the end', 30), 'a closed pipe: it ends');
is($t->read_file('rc'), "0\n", 'a closed pipe: a clean end');

# one that has gone, and nothing comes that it could miss

unlink $rc;
system('sh', '-c', "{ $cmd nobody; echo \$? > $rc; } | true &");
ok($t->wait_for(sub { -s $rc }, 'the end', 30),
   'a closed pipe, and nothing new: it ends');
is($t->read_file('rc'), "0\n", 'a closed pipe, and nothing new: clean');

SKIP: {
    skip('no /dev/full', 2) unless -c '/dev/full';

    system('sh', '-c', $t->expand('RECOVERY_REDIS=redis://127.0.0.1:'
           . '%%PORT_6379%%') . " $ctl->{binary} audit > /dev/full 2> "
           . $t->dir() . '/err');
    is($? >> 8, 1, 'a full disk: exit code');
    like($t->read_file('err'), qr/could not be written: No space/,
         'a full disk: said');
}

# hostile bytes, wherever they may be

my $HOSTILE = "\e]0;owned\a\e[2J\x9b31m\r\xff\x{c2}\x{9b}1m\0<b>";
my ($s) = @{$t->redis('TIME')};

$t->redis('XADD', 'recovery:audit', '*', map { $_ => $HOSTILE }
          qw(backend node time_ms what from to force by reason), $HOSTILE);
$t->redis('HSET', 'recovery:nodes', $HOSTILE, "${s}999", 'zz', "${s}999",
          'nonsense', $HOSTILE);
$t->redis('SET', "recovery:node:zz:kv", JSON::PP->new->utf8->encode({
    epoch => 1 << 50, phase => "\e[31mup\x{9b}", level => 0.5,
    force => {force => "\e[2J"}, override => {force => "\e[0m"},
    classes => [{name => "\e[1m"}],
    events => [{why => "\e[5mrefused", time => "\e"}]}));
$t->redis('SET', "recovery:node:nonsense:kv", '{"epoch":');
$t->redis('SET', "recovery:node:$HOSTILE:kv", '[]');
$t->redis('HSET', 'recovery:kv', force => $HOSTILE, ceiling => $HOSTILE,
          promote => $HOSTILE, by => $HOSTILE, $HOSTILE => $HOSTILE);

for my $words (['audit'], ['audit', '--json'],
               ['recover', 'kv', '--reason', 'x', '--wait', '1'],
               ['promote', 'x', 'kv'], ['resume', 'kv'], ['down'],
               ['step-back', 'kv', '--wait', '1'],
               ['clear', 'kv', '--wait', '1'])
{
    $r = $ctl->run(@$words);
    unlike($r->{all}, qr/[\x00-\x09\x0b-\x1f\x7f]|\x{9b}|\x{ff}/,
           "hostile bytes: @$words") or diag($r->{all});
    like($r->{rc}, qr/^[0-4]$/, "hostile bytes: @$words: an exit code");
}
