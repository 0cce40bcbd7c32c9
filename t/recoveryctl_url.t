#!/usr/bin/perl

# Goal: with Redis dead the same verbs go to nginx itself, to each node that
# is named: what came of it is told by node and by exit code, wrong URLs say
# what they are, Redis is not touched, no proxy is asked and no redirect
# followed, and a password comes from ~/.netrc alone.
# Method: two real nginx, whose Redis is gone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Ctl;

my $t = Test::Recovery->new()->plan(75);
my $other = Test::Recovery->new();
my $b = $t->backend(8081);

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:1 node=NODE;
    recovery_policy   p { ramp from=10% over=1h; }
    recovery_backend  kv { policy p; capacity 100r/s; }
    EXTRA

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:BACKEND;
        }

        location = /recovery/control { recovery_control; }
        location = /recovery/status  { recovery_status; }
        location = /elsewhere        { recovery_status; }
        location = /order            { recovery_control; }
        location = /names.json       { root %%TESTDIR%%; }
        location = /redirect         { return 307 /recovery/control; }
        location = /slow/control     { proxy_pass http://127.0.0.1:BACKEND; }

        location = /secret/control {
            auth_basic            recovery;
            auth_basic_user_file  %%TESTDIR%%/users;
            recovery_control;
        }
    }
}

EOF2

for my $node ([$t, 'web1', 'recovery_backend d1 { }'], [$other, 'web2', '']) {
    my %as = (NODE => $node->[1], EXTRA => $node->[2],
              BACKEND => $t->port(8081));

    $node->[0]->write_file('users', 'jo:{PLAIN}S3cr3t');
    $node->[0]->write_file_expand('nginx.conf',
                                  $conf =~ s/\b(NODE|EXTRA|BACKEND)\b/
                                             $as{$1}/gerx);
    $node->[0]->run();
}

my $ctl = Test::Recovery::Ctl->new($t, redis => 'redis://127.0.0.1:1');
my $ONE = 'http://127.0.0.1:' . $t->port(8080);
my $TWO = 'http://127.0.0.1:' . $other->port(8080);
my @ONE = ('--url', "$ONE/recovery/control");
my @BOTH = (@ONE, '--url', "$TWO/recovery/control");


sub of { $_[0]->backend_status('kv') }

sub ordered {
    my ($label, $words, $sight) = @_;

    my $r = $ctl->run(@BOTH, @$words);

    is($r->{rc}, 0, "$label: done by both") or diag($r->{all});
    like($r->{out}, qr/^2 of 2 nodes: \Q$sight\E$/m, "$label: $sight")
        or diag($r->{all});

    return $r;
}


# the line that the tool itself proposes when Redis does not answer

my $r = $ctl->run('down', 'kv', '--reason', 'disk full');
is($r->{rc}, 3, 'Redis is dead');
my ($line) = $r->{err} =~ /^  recoveryctl (--url .*)$/m;
$line =~ s/NODE/127.0.0.1:@{[$t->port(8080)]}/ if $line;
system('sh', '-c', "RECOVERY_REDIS=redis://127.0.0.1:1 $ctl->{binary} "
       . ($line // '--help') . ' > ' . $t->dir() . '/proposed');
is($? >> 8, 0, 'the line that is proposed: done');
is(of($t)->{phase}, 'down', 'the line that is proposed: and so it is');
is(of($t)->{health_reason}, 'disk full', 'the line that is proposed: why');

# all verbs

$r = ordered('down', ['down', 'kv', '--for', '10m', '--reason', 'x',
                      '--by', 'ann'], 'down');
like($r->{out}, qr/^kv: health down until \S+ \(10 min\), by ann: x$/m,
     'down: until when');
is(of($_)->{health_by}, 'ann', 'down: by whom') for $t, $other;

ordered('recover', ['recover', 'kv', '--for', '10m', '--reason', 'ok'],
        'probing');
ordered('degraded', ['degraded', 'kv', '--level', '0.3', '--for', '10m',
                     '--reason', 'x'], 'probing');
ordered('promote', ['promote', 'high', 'kv'], 'probing');
is(of($t)->{override}{class}, 'high', 'promote: a class');
ordered('closed', ['force', 'closed', 'kv', '--for', '1h', '--reason', 'x'],
        'probing, force closed');
ordered('a part', ['force', '40%', 'kv', '--for', '1h', '--reason', 'x'],
        'probing, force level');
ordered('step-back', ['step-back', 'kv'], 'probing, force hold');
ordered('hold', ['hold', 'kv'], 'probing, force hold');
my $left = of($t)->{force}{until_s};
ok($left > 500 && $left <= 601, 'hold: for 10 min, where nothing is said')
    or diag(explain(of($t)));
ordered('resume', ['resume', 'kv'], 'probing');
ordered('clear', ['clear', 'kv'], 'probing');
is(of($_)->{override}, undef, 'clear: nothing is left') for $t, $other;

# an end is needed

$r = $ctl->run(@ONE, 'recover', 'kv', '--reason', 'x');
is($r->{rc}, 2, 'no end');
like($r->{err}, qr/needs an end when nginx itself.*--reason x --for 10m$/ms,
     'no end: said');

# names

$r = $ctl->run(@ONE, 'clear');
is($r->{rc}, 2, 'no name');
like($r->{err}, qr/which backend\?\n  there are: (?:d1, kv|kv, d1)\n/,
     'no name: these');
$r = $ctl->run('--url', "$TWO/recovery/control", 'clear');
is($r->{rc}, 0, 'no name: the only one') or diag($r->{all});
$r = $ctl->run(@ONE, 'clear', 'kvv');
is($r->{rc}, 2, 'no such name');
like($r->{err}, qr/no backend "kvv"\n  is it kv\?/, 'no such name: these');

# of one node only

$r = $ctl->run(@BOTH, 'down', 'd1', '--for', '1m', '--reason', 'x');
is($r->{rc}, 1, 'of one node: done there') or diag($r->{all});
like($r->{err}, qr{\Q$TWO\E/recovery/control: there is no recovery_backend},
     'of one node: said');

# nginx refuses

$b->set(status => 500);
ok($t->wait_for(sub {
    $t->http_get('/');
    return of($t)->{why} =~ /probe failed/;
}, 'a probe that fails', 20), 'it fails');

my @open = ('force', 'open', 'kv', '--for', '5m', '--reason', 'x');

$r = $ctl->run(@ONE, @open);
is($r->{rc}, 4, 'failing: refused');
like($r->{err}, qr/force open is refused while.*--override-safety failing$/ms,
     'failing: why, and how to insist') or diag($r->{err});
$r = $ctl->run(@BOTH, @open);
is($r->{rc}, 4, 'failing at one: refused');
like($r->{out}, qr/^1 of 2 nodes: probing, force open$/m,
     'failing at one: the other has done it');
$r = $ctl->run(@BOTH, @open, '--override-safety', 'failing');
is($r->{rc}, 0, 'insisted: done') or diag($r->{all});
$ctl->run(@BOTH, 'clear', 'kv');
$r = $ctl->run(@ONE, 'resume', 'kv');
is($r->{rc}, 4, 'nothing to resume: refused');
like($r->{err}, qr/no hold to resume from/, 'nothing to resume: said');
unlike($r->{err}, qr/override-safety/, 'nothing to resume: no rule of safety');

# URLs that lead elsewhere

for my $row (['nobody', 'http://127.0.0.1:1/recovery/control', 3,
              qr/127.0.0.1:1\/recovery\/control: .*connect/],
             ['no such place', "$ONE/nowhere/control", 3,
              qr/answers \d+, this is no recovery_control/],
             ['the status', "$ONE/recovery/status", 3,
              qr/answers 405, this is no recovery_control/],
             ['a redirect', "$ONE/redirect", 3, qr/answers 307/],
             ['no such name', 'http://no.such.name.invalid/control', 3,
              qr/resolve/i],
             ['protected', "$ONE/secret/control", 3,
              qr/answers 401, .*\n.*netrc/])
{
    my ($label, $url, $rc, $re) = @$row;

    $r = $ctl->run('--url', $url, 'hold', 'kv');
    is($r->{rc}, $rc, "$label: exit code") or diag($r->{all});
    like($r->{err}, $re, "$label: said");
}

$b->set(delay => 5);
$r = $ctl->run('--timeout', '200ms', '--url', "$ONE/slow/control", 'hold',
               'kv');
is($r->{rc}, 3, 'silent: exit code') or diag($r->{all});
like($r->{err}, qr/time/i, 'silent: said');
cmp_ok($r->{s}, '<', 4 * slow(), 'silent: in time');
$b->set(delay => 0, status => 200);
is(of($t)->{override}, undef, 'nothing was ordered by any of them');

$r = $ctl->run(@ONE, '--url', 'http://127.0.0.1:1/', 'clear', 'kv');
is($r->{rc}, 1, 'one of two is gone: done at the other');
like($r->{out}, qr/^1 of 2 nodes: probing$/m, 'one of two is gone: told');

# where the status is; no proxy; a password

$r = $ctl->run('--url', "$TWO/order", '--status-url', "$TWO/elsewhere",
               'clear');
is($r->{rc}, 0, 'the status elsewhere') or diag($r->{all});
like($r->{out}, qr/^1 of 1 nodes: \w+$/m, 'the status elsewhere: read');
$r = $ctl->run('--url', "$ONE/order", 'clear', 'kv');
is($r->{rc}, 0, 'no status to be had: done all the same');
like($r->{out}, qr/^1 of 1 nodes$/m, 'no status to be had: no phase');
$r = $ctl->run({env => {http_proxy => 'http://127.0.0.1:1',
                        ALL_PROXY => 'http://127.0.0.1:1'}},
               @ONE, 'clear', 'kv');
is($r->{rc}, 0, 'no proxy is asked') or diag($r->{all});

chmod 0600, $t->write_file('.netrc',
                           "machine 127.0.0.1 login jo password S3cr3t\n");
$r = $ctl->run({env => {HOME => '%%TESTDIR%%'}}, '--url',
               "$ONE/secret/control", 'clear', 'kv');
is($r->{rc}, 0, 'a password of ~/.netrc') or diag($r->{all});

# a server that is no nginx may have backends of any name

$t->write_file('names.json', '{"backends": {"' . 'a' x 5000 . '": {}, "'
                             . 'b' x 5000 . '": {}}}');
$r = $ctl->run(@ONE, '--status-url', "$ONE/names.json", 'hold');
is($r->{rc}, 2, 'names that are none: no crash') or diag($r->{all});
like($r->{err}, qr/^  there are: a{63}, b{63}$/m, 'names that are none: cut');
