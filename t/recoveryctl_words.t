#!/usr/bin/perl

# Goal: whoever has never read the manual gets to the next step: each wrong
# word says what is allowed and what to type; nothing is written by any of
# them; no password is taken from the command line, nor repeated.
# Method: the tool alone, and with a Redis that knows of two backends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Ctl;

my $t = Test::Recovery->new(no_module => 1);

$t->redis_start();

my $ctl = Test::Recovery::Ctl->new($t);
my $before;


# What two nodes report, as docs/redis.md has it.

sub known {
    my ($s) = @{$t->redis('TIME')};

    $t->redis('HSET', 'recovery:nodes', 'web1', "${s}000");
    $t->redis('SET', "recovery:node:web1:$_", qq({"node":"web1","backend":"$_",)
              . '"epoch":null,"phase":"up","level":null,"events":[],'
              . '"classes":[{"name":"gold"},{"name":"lead"}]}')
        for qw(kv d1);
}


sub written {
    return join ' ', sort grep { !/^recovery:node/ }
                     @{$t->redis('KEYS', '*')};
}


known();

# words; exit code; what is said

my @rows = (
    [[], 2,
     qr/^usage: recoveryctl VERB.*\n  down NAME .*--reason "disk full"/s],
    [['dwon'], 2, qr/no verb "dwon"\n  is it "down"\?/],
    [['dwon', '--reason', 'x'], 2, qr/is it "down"\?/],
    [['deg', 'kv'], 2, qr/is it "degraded"\?/],
    [['xyzzy'], 2, qr/no verb "xyzzy".*usage: recoveryctl VERB/s],
    [["do\e[31mwn\xff"], 2, qr/no verb "do\\x1b\[31mwn\\xff"/],

    [['down'], 2,
     qr/which backend\?\n  there are: d1, kv\n  recoveryctl down NAME$/m],
    [['down', 'kvv'], 2,
     qr/no backend "kvv"\n  is it kv\?  there are: d1, kv$/m],
    [['down', 'zzzzzz'], 2, qr/no backend "zzzzzz"\n  there are: d1, kv$/m],
    [['down', 'kv'], 2, qr/needs a reason.*\n  recoveryctl down kv --reason "/],
    [['recover', 'kv'], 2, qr/needs a reason/],
    [['degraded', 'kv'], 2, qr/needs a reason/],
    [['down', 'kv', 'disk', 'full'], 2,
     qr/"disk" is one word too many.*quotes/s],
    [['down', 'a b', '--reason', 'x'], 2,
     qr/"a b" is no name of a backend: 1 to 63/],
    [['down', "k\nv\x01", '--reason', 'x'], 2, qr/"k\\x0av\\x01" is no name/],
    [['down', '../x', '--reason', 'x'], 2, qr/is no name of a backend/],
    [['down', 'x' x 64, '--reason', 'x'], 2, qr/is no name of a backend/],
    [['down', 'kv', '--reason', ''], 2, qr/invalid value "" of "--reason"/],
    [['down', 'kv', '--reason'], 2, qr/"--reason" needs a value: TEXT/],
    [['down', 'kv', '--reason', "\xff"], 2,
     qr/of "--reason", it must be a text.*UTF-8/],
    [['down', 'kv', '--reason', 'x', '--for', '10m'], 2,
     qr/has no end.*force closed NAME/s],
    [['degraded', 'kv', '--level', '1.1'], 2,
     qr/of "--level", it must be a number from 0 to 1/],
    [['down', 'kv', '--level', '0.1'], 2,
     qr/"down" takes no "--level"\n  it takes --reason TEXT/],

    [['force'], 2, qr/force what\?  open, closed, hold or .*35%/],
    [['force', 'shut', 'kv'], 2,
     qr/"shut" is nothing to force, it must be open/],
    [['force', '101%', 'kv'], 2, qr/"101%" is nothing to force/],
    [['force', 'kv', 'closed'], 2,
     qr/first what.*\n.*\n  recoveryctl force closed kv --for 10m --reason T/],
    [['force', 'closed'], 2, qr/which backend\?/],
    [['force', 'closed', 'kv'], 2,
     qr/needs an end.*a reason.*\n  recoveryctl force closed kv --for 10m --rea/s],
    [['force', 'closed', 'kv', '--reason', "it's"], 2,
     qr/needs an end.*\n  recoveryctl force closed kv --reason 'it'\\''s' --for/],
    [['force', 'closed', 'kv', '--for', '10 m'], 2,
     qr/of "--for", it must be a time such as 90s/],
    [['force', 'closed', 'kv', '--for', '31d'], 2, qr/from 1s to 30d/],
    [['force', 'closed', 'kv', '--for', '0'], 2, qr/from 1s to 30d/],
    [[qw(force closed kv --for 1m --override-safety failing --reason x)], 2,
     qr/goes with "force open"/],
    [['force', 'open', 'kv', '--override-safety', 'all'], 2,
     qr/must be "failing"/],

    [['promote'], 2, qr/which class\?/],
    [['promote', 'iron', 'kv'], 2,
     qr/no class "iron"\n  from first served to last: gold, lead$/m],
    [['promote', 'gold', 'kv', '--for', '1m'], 2, qr/stands until "clear"/],
    [['step-back', 'kv'], 4,
     qr/no node reports a level.*\n.*\n  recoveryctl force 50% kv --for 10m/],
    [['resume', 'kv'], 4, qr/nothing holds "kv"/],
    [['hold', 'kv', '--wait', 'x'], 2, qr/of "--wait", it must be a time/],

    [['down', 'kv', '--reson', 'x'], 2,
     qr/no option "--reson"\n  is it --reason\?/],
    [['-x', 'down'], 2, qr/no option "-x"/],
    [['--password', 'S3cr3t', 'status'], 2,
     qr/no password on the command line.*--password-file FILE/s],
    [['--password=S3cr3t', 'status'], 2, qr/no password on the command line/],
    [['--redis', 'redis://:S3cr3t@h', 'status'], 2,
     qr/no password in a URI.*--password-file FILE/s],
    [['--redis', 'redis://u:S3cr3t@h', 'status'], 2,
     qr/no password in a URI.*RECOVERY_REDIS_PASSWORD/s],
    [['--redis', 'http://h', 'status'], 2,
     qr/--redis: unknown scheme, a URI must be redis:/],
    [['--redis', 'redis://', 'status'], 2, qr/no host/],
    [['--redis', 'redis://h:0', 'status'], 2,
     qr/port must be a number from 1 to 65535/],
    [['--redis', 'redis://h/x', 'status'], 2, qr/number of a database/],
    [['--redis', 'redis://u@h', 'status'], 2,
     qr/names a user, which needs --password-file/],
    [['--redis', 'unix:', 'status'], 2, qr/no path/],
    [['--redis', 'redis://[::1', 'status'], 2, qr/"\[" without "\]"/],
    [[(map { ('--redis', 'redis://h') } 1 .. 9), 'status'], 2, qr/at most 8/],
    [['--password-file', '/nonexistent', 'status'], 2,
     qr/"\/nonexistent" cannot be read: No such file/],
    [['--password-file', '/tmp', 'status'], 2, qr/must be a regular file/],
    [['--password-file', '%%TESTDIR%%/empty', 'status'], 2,
     qr/first line of .* 1 to 512 bytes/],
    [['--timeout', '1ms', 'status'], 2, qr/a time from 10ms to 1m/],
    [['--prefix', '', 'status'], 2, qr/1 to 64 bytes/],
    [['--db', '3', 'status'], 2, qr/--db is for unix: URIs/],
    [['--sentinel-user', 'x', 'status'], 2,
     qr/--sentinel must name the master/],
    [['--tls-cert', 'x', 'status'], 2, qr/given together/],
    [['--tls-ca', 'x', 'status'], 2, qr/is for rediss:/],
    [['--tls-verify', 'no', 'status'], 2, qr/"on" or "off"/],
    [['--redis', 'rediss://h', '--tls-ca', '/nonexistent', 'hold', 'kv'], 2,
     qr/--tls-ca "\/nonexistent" cannot be used/],
    [['--url', 'kv', 'clear', 'kv'], 2, qr/must be http:\/\/HOST/],
    [['--url', 'http://u:S3cr3t@h/', 'clear', 'kv'], 2,
     qr/no user and password in a URL.*netrc/s],
    [['--status-url', 'http://h/', 'clear', 'kv'], 2,
     qr/goes with one "--url"/],
    [['audit', 'a', 'b'], 2, qr/one word too many/],
);

$t->plan(3 * @rows + 28);
$t->write_file('empty', "\n");
$before = written();

for my $row (@rows) {
    my ($words, $rc, $said) = @$row;
    my $label = join ' ', map { s/[^ -~]/?/gr } @$words;
    my $r = $ctl->run(@$words);

    known();
    is($r->{rc}, $rc, "$label: exit code") or diag($r->{all});
    like($r->{err}, $said, "$label: what is allowed");
    ok($r->{out} eq '' && $r->{all} !~ /S3cr3t/
       && $r->{all} !~ /[^\n -~]/ && written() eq $before,
       "$label: nothing else") or diag($r->{all});
}

# help

for my $words (['--help'], ['-h'], ['help']) {
    my $r = $ctl->run(@$words);
    is($r->{rc}, 0, "@$words: well");
    like($r->{out}, qr/^usage: .*\n  clear NAME /s, "@$words: verbs");
    is($r->{err}, '', "@$words: and no more");
}

for my $words (['force', '--help'], ['help', 'force'],
               ['--redis', 'redis://h', 'force', '-h'])
{
    my $r = $ctl->run(@$words);
    is($r->{rc}, 0, "@$words: well");
    like($r->{out}, qr/^usage: recoveryctl force .*--override-s.*--redis URI/s,
         "@$words: its options");
}

# RECOVERY_REDIS: the words of the directive

sub with {
    my ($words, @verb) = @_;

    my $r = $ctl->run({env => {RECOVERY_REDIS => $words}}, @verb);
    known();

    return $r;
}

my $r = with('redis://127.0.0.1:%%PORT_6379%% poll=1s node=x timeout=2s '
             . '"prefix=recovery:"', 'down', 'kvv');
like($r->{err}, qr/there are: d1, kv/, 'the environment: words of nginx');

for my $row (['prefix="x', qr/RECOVERY_REDIS: a quote is not closed/],
             ['pasword_file=S3cr3t',
              qr/RECOVERY_REDIS: unknown word "pasword_file"\n.*password_file=/],
             ['timeout=x', qr/invalid value "x" of "RECOVERY_REDIS: timeout"/],
             ['redis://u:S3cr3t@h', qr/RECOVERY_REDIS: no password in a URI/])
{
    $r = with($row->[0], 'down', 'kv');
    is($r->{rc}, 2, "the environment: $row->[0]");
    like($r->{err}, $row->[1], "the environment: $row->[0]: said");
    unlike($r->{all}, qr/S3cr3t/, "the environment: $row->[0]: not repeated");
}
