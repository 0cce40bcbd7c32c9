#!/usr/bin/perl

# Goal: who has not confirmed an order is named, with when it was last heard
# and what to do; who cannot confirm is not waited for; a refusal is told, and
# how to go on; who was overtaken by another writer is told. Exit codes say
# which it was.
# Method: two real nginx, one of them stopped; reports and nodes that are
# written by hand, in the format of docs/redis.md, for what nginx does not do
# when it is asked to.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Ctl;

my $t = Test::Recovery->new()->plan(47);
my $other = Test::Recovery->new();
my $b = $t->backend(8081);

$t->redis_start();

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:REDIS node=NODE poll=200ms;
    recovery_backend  kv { }
    EXTRA

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:BACKEND;
        }
    }
}

EOF2


sub configure {
    my ($n, $node, $extra) = @_;

    my %as = (NODE => $node, EXTRA => $extra, REDIS => $t->port(6379),
              BACKEND => $t->port(8081));

    $n->write_file_expand('nginx.conf',
                          $conf =~ s/\b(NODE|REDIS|BACKEND|EXTRA)\b/
                                     $as{$1}/gerx);
    $n->run();
}


configure($t, 'web1', 'recovery_backend d1 { }');
configure($other, 'web2', '');

my $ctl = Test::Recovery::Ctl->new($t);

sub down { return $ctl->run('down', 'kv', '--reason', 'x', @_) }
sub hash { return {@{$t->redis('HGETALL', 'recovery:kv')}} }

ok($t->wait_for(sub {
    3 == grep { $t->redis('EXISTS', "recovery:node:$_") }
              qw(web1:kv web1:d1 web2:kv)
}), 'two nodes');

my $r = down();
is($r->{rc}, 0, 'both confirm');

# a backend that only one has

$r = $ctl->run('down', 'd1', '--reason', 'x');
is($r->{rc}, 0, 'of one node: confirmed');
like($r->{out}, qr/^1 of 1 nodes: down$/m, 'of one node: by one');
like($r->{err}, qr/not waited for: web2, which reports no "d1"/,
     'of one node: said');

# which, then

$r = $ctl->run('down');
is($r->{rc}, 2, 'no name');
like($r->{err}, qr/which backend\?\n  there are: d1, kv\n/, 'no name: these');
$r = $ctl->run('down', 'kvv');
is($r->{rc}, 2, 'no such name');
like($r->{err}, qr/no backend "kvv"\n  is it kv\?  there are: d1, kv\n/,
     'no such name: these');
is($t->redis('EXISTS', 'recovery:kvv'), 0, 'no such name: nothing written');

# one that is known to Redis alone is written, nobody confirms

$t->redis('HSET', 'recovery:new', 'health', 'up');
$r = $ctl->run('down', 'new', '--reason', 'x');
is($r->{rc}, 1, 'reported by nobody: not confirmed');
like($r->{err}, qr/no node is there to confirm it.*prefix/s,
     'reported by nobody: said');
is($t->redis('HGET', 'recovery:new', 'health'), 'down',
   'reported by nobody: written');

# one of two is stopped

kill 'STOP', $other->workers();
$r = $ctl->run('recover', 'kv', '--reason', 'repaired', '--wait', '1s');
is($r->{rc}, 1, 'stopped: not confirmed');
like($r->{out}, qr/^1 of 2 nodes: probing$/m, 'stopped: one of two');
like($r->{err}, qr/: web2 has not confirmed within 1 s; last heard \d+ m?s ago/,
     'stopped: who, since when');
like($r->{err}, qr/^  recoveryctl --url http:\S+ recover kv.* --for 10m$/m,
     'stopped: what to do next');
cmp_ok($r->{s}, '>=', 1, 'stopped: waited for');

$r = down('--wait', '0');
is($r->{rc}, 0, 'not to wait: done');
cmp_ok($r->{s}, '<', 1 * slow(), 'not to wait: at once');
unlike($r->{out}, qr/nodes/, 'not to wait: nobody is counted');

# ... for longer than 10 s, by the clock of Redis

my ($s) = @{$t->redis('TIME')};

$t->redis('HSET', 'recovery:nodes', 'web2', ($s - 300) . '000', 'gone',
          ($s - 86400) . '000');
$r = down();
is($r->{rc}, 0, 'silent: who is there has confirmed');
like($r->{out}, qr/^1 of 1 nodes: down$/m, 'silent: is not waited for');
like($r->{err}, qr/not waited for: web2, last heard 5 min ago/,
     'silent: said');
unlike($r->{err}, qr/gone/, 'silent since yesterday: of no interest');

kill 'CONT', $other->workers();
$t->redis('HDEL', 'recovery:nodes', 'gone');
ok($t->wait_for(sub { down()->{out} =~ /^2 of 2/m }, 'both', 20),
   'it goes on: both');

# force open while the backend fails

$ctl->run('recover', 'kv', '--reason', 'x');
$b->set(status => 500);
ok($t->wait_for(sub {
    $t->http_get('/');
    my $kv = $t->backend_status('kv');
    return $kv->{why} =~ /probe failed/;
}, 'a probe that fails', 20), 'it fails');

my @open = ('force', 'open', 'kv', '--for', '5m', '--reason', 'x');

$r = $ctl->run(@open);
is($r->{rc}, 4, 'failing: refused') or diag($r->{all});
like($r->{out}, qr/^2 of 2 nodes: /m, 'failing: both have read it');
like($r->{err}, qr/^recoveryctl: web1: a force open was refused: the backend/m,
     'failing: by whom, and why');
like($r->{err}, qr/^  recoveryctl @open --override-safety failing$/m,
     'failing: how to insist');

$r = $ctl->run(@open, '--override-safety', 'failing');
is($r->{rc}, 0, 'insisted: done') or diag($r->{all});
like($r->{out}, qr/^2 of 2 nodes: (?:probing|down), force open$/m,
     'insisted: open');
$r = $ctl->run('clear', 'kv');
is($r->{rc}, 0, 'cleared');
is_deeply([grep { !/^(?:health|epoch)$/ } keys %{hash()}], [],
          'cleared: nothing is left');

# an old refusal is not one of ours

$r = $ctl->run('hold', 'kv');
is($r->{rc}, 0, 'an old refusal: not told again') or diag($r->{all});

# somebody else writes at the same time: a health checker, without a name

kill 'STOP', $other->workers();

my $h = $ctl->start('down', 'kv', '--reason', 'x', '--wait', '30s');
ok($h->wait_out(qr/health down/), 'it is written');
$t->redis('HSET', 'recovery:kv', 'health', 'up');
kill 'CONT', $other->workers();
$r = $h->end(30);
is($r->{rc}, 1, 'overtaken: not confirmed') or diag($r->{all});
like($r->{err}, qr/somebody else has written.*a script, without a name/,
     'overtaken: said');

# Redis goes away while it waits

kill 'STOP', $other->workers();
$h = $ctl->start('down', 'kv', '--reason', 'x', '--wait', '30s');
ok($h->wait_out(qr/health down/), 'it is written again');
$t->redis_stop();
$r = $h->end(30);
is($r->{rc}, 1, 'Redis went away: not confirmed');
like($r->{err}, qr/does not answer.*written, but not confirmed/s,
     'Redis went away: said');
kill 'CONT', $other->workers();

# no nginx at all: nobody else would write the audit

$t->redis_start();
$_->stop() for $t, $other;
$t->redis('DEL', 'recovery:nodes', 'recovery:audit');
$r = down();
is($r->{rc}, 1, 'no nginx: written, not confirmed');
is($t->redis('HGET', 'recovery:kv', 'health'), 'down', 'no nginx: written');

my $entry = $t->redis('XRANGE', 'recovery:audit', '-', '+')->[0][1];
my %entry = @{$entry // []};

is($entry{node}, 'recoveryctl', 'no nginx: in the audit');
like($entry{what}, qr/^health down was ordered while no node was there/,
     'no nginx: what');
is("$entry{by} $entry{reason}", 'jo x', 'no nginx: by whom, and why');
