#!/usr/bin/perl

# Goal: what an operator sees in Redis of two nginx: who is there, and of each
# backend the very object that its status shows.  A change with a new epoch is
# reported by both, at once; a node that stops is not heard any more; nothing
# depends on the right to report.
# Method: two real nginx, "node=a" and "node=b", on one real Redis.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;
use Test::Recovery::Order;

my $t = Test::Recovery->new()->plan(55);
my $other = Test::Recovery->new();
my $b = $t->backend(8081);

$t->redis_start();

my $redis = 'redis://127.0.0.1:' . $t->port(6379);

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    REDIS node=NODE POLL prefix=x:;
    recovery_backend  kv { capacity 100r/s; }
    recovery_backend  d1 { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:BACKEND;
        }

        location = /control { recovery_control; }
    }
}

EOF2

my $backend = $t->port(8081);


sub configure {
    my ($n, $node, $poll) = @_;

    my $text = $conf =~ s/REDIS/$redis/r =~ s/NODE/$node/r
                     =~ s/POLL/$poll/r =~ s/BACKEND/$backend/r;

    $n->write_file_expand('nginx.conf', $text);
}


# what is in Redis

sub json { JSON::PP->new->utf8->decode($_[0]) }

sub report {
    my ($node, $name) = @_;
    my $text = $t->redis('GET', "x:node:$node:$name") // return undef;
    return json($text);
}

sub nodes { return {@{$t->redis('HGETALL', 'x:nodes')}} }

sub now_ms {
    my ($s, $us) = @{$t->redis('TIME')};
    return $s * 1000 + int($us / 1000);
}


# each of the nodes reports of kv what is wanted

sub reports {
    my ($what, @nodes) = @_;

    return $t->wait_for(sub {
        for my $node (@nodes) {
            my $r = report($node, 'kv') or return 0;
            return 0 unless $what->($r);
        }
        return 1;
    });
}


# a poll that is rare: what is at once is not by it

configure($t, 'a', 'poll=10s');
configure($other, 'b', 'poll=10s');
$_->run() for $t, $other;

ok($t->wait_for(sub { keys %{nodes()} == 2 }), 'two nodes');
is(join(' ', sort keys %{nodes()}), 'a b', 'by their names');
is($t->status()->{instance}, 'a', 'a: its name in the status');
is($other->status()->{instance}, 'b', 'b: its name in the status');

for my $name (qw(kv d1)) {
    for my $node (qw(a b)) {
        ok($t->wait_for(sub { report($node, $name) }), "$node reports $name");
    }
}

# heard of about once a second, by the clock of Redis

my %first = %{nodes()};
ok($t->wait_for(sub { my $n = nodes();
                      $n->{a} > $first{a} && $n->{b} > $first{b} }),
   'written again and again');
cmp_ok(abs(nodes()->{a} - now_ms()), '<', 30000, "in Redis' milliseconds");

# a report is what the status shows

my $r = report('a', 'kv');
my $s = $t->backend_status('kv');

is("$r->{node} $r->{backend}", 'a kv', 'who and of what');
cmp_ok(abs($r->{reported_ms} - now_ms()), '<', 60000, 'when');
is(join(' ', sort grep { !/^(?:node|backend|reported_ms)$/ } keys %$r),
   join(' ', sort keys %$s), 'the members of the status');
is_deeply([@{$r}{qw(phase health why reference_per_s classes)}],
          [@{$s}{qw(phase health why reference_per_s classes)}], 'alike');
like($t->redis('GET', 'x:node:a:kv'),
     qr/^\{ "node": "a", "backend": "kv", "reported_ms": \d+, "phase": /,
     'one line, who first');
unlike($t->redis('GET', 'x:node:a:kv'), qr/\n/, 'one line');
ok(exists $s->{epoch}, 'the status has an epoch');
is($s->{epoch}, undef, 'none was seen');
my $ttl = $t->redis('PTTL', 'x:node:a:kv');
ok($ttl > 0 && $ttl <= 60000, 'gone after a minute');

# a change is told by both at once

$t->redis('HSET', 'x:kv', health => 'down', epoch => 7);
$t->redis('PUBLISH', 'x:changed', 'kv');
ok(reports(sub { ($_[0]{epoch} // 0) == 7 && $_[0]{phase} eq 'down' },
           qw(a b)), 'down: both nodes');
is($t->backend_status('kv')->{epoch}, 7, 'down: in the status');
cmp_ok(abs(report('a', 'kv')->{reported_ms} - report('b', 'kv')->{reported_ms}),
       '<', 5000, 'down: at once, not with the poll');

# also one that changes nothing but the epoch

$t->redis('HSET', 'x:kv', epoch => 8);
$t->redis('PUBLISH', 'x:changed', 'kv');
ok(reports(sub { $_[0]{epoch} == 8 }, qw(a b)), 'an epoch alone');

# not up: every second

my $before = report('a', 'kv')->{reported_ms};
ok(reports(sub { $_[0]{reported_ms} > $before + 2000 }, 'a'),
   'down: again and again');

# a refusal says why

$t->redis('HSET', 'x:kv', force => 'open', epoch => 9,
          force_until => int(now_ms() / 1000) + 600, by => 'jo');
$t->redis('PUBLISH', 'x:changed', 'kv');
ok(reports(sub { $_[0]{epoch} == 9 }, qw(a b)), 'a force: both');
ok(reports(sub { $_[0]{force} && $_[0]{force}{force} eq 'open'
                 && $_[0]{force}{by} eq 'jo' }, qw(a b)), 'a force: whose');
$t->redis('HDEL', 'x:kv', 'force', 'force_until', 'by');
$t->redis('HSET', 'x:kv', epoch => 10, health => 'recovering');
$t->redis('PUBLISH', 'x:changed', 'kv');
ok(reports(sub { $_[0]{epoch} == 10 && $_[0]{phase} eq 'probing' }, qw(a b)),
   'recovering: both');

$b->set(status => 500);
ok($t->wait_for(sub { $t->http_get('/');
                      $t->backend_status('kv')->{why} =~ /probe/ }),
   'a probe fails');
$t->redis('HSET', 'x:kv', force => 'open', epoch => 11,
          force_until => int(now_ms() / 1000) + 600);
$t->redis('PUBLISH', 'x:changed', 'kv');
ok(reports(sub { $_[0]{epoch} == 11 }, qw(a b)), 'unsafe: both have read it');
ok(reports(sub { grep { $_->{why} =~ /refused/ } @{$_[0]{events}} }, 'a'),
   'unsafe: a refuses, and says so');
ok(!grep({ $_->{why} =~ /refused/ } @{report('b', 'kv')->{events}}),
   'unsafe: b, which has seen no failure, does not');
cmp_ok(scalar @{report('a', 'kv')->{events}}, '<=', 3, 'the last events');
is_deeply(report('a', 'kv')->{events}[-1],
          $t->backend_status('kv')->{events}[-1], 'the last of them');
$b->set(status => 200);
$t->redis('HDEL', 'x:kv', 'force', 'force_until');

# an order given in nginx is one node's

order($t, 'kv', action => 'hold', for => '10m', by => 'ann');
ok(reports(sub { $_[0]{override} && $_[0]{override}{force} eq 'hold' }, 'a'),
   'an order in nginx: a');
is(report('b', 'kv')->{override}, undef, 'an order in nginx: not b');
order($t, 'kv', action => 'clear');

# the name in the audit

ok($t->wait_for(sub {
    my %by = map { my %e = @{$_->[1]}; $e{node} => 1 }
             @{$t->redis('XRANGE', 'x:audit', '-', '+')};
    join(' ', sort keys %by) eq 'a b';
}), 'the audit has these names, too');

# nodes that reload go on, a node that stops is not heard any more

configure($t, 'a', 'poll=200ms');
ok($t->reload(), 'a reloads');
my $then = now_ms();
ok($t->wait_for(sub { nodes()->{a} > $then }), 'a goes on');

ok($other->stop(), 'b stops');
$then = now_ms();
ok($t->wait_for(sub { nodes()->{a} > $then + 2000 }), 'a is heard');
cmp_ok(nodes()->{b}, '<=', $then, 'b is not');
$before = report('b', 'kv');
ok(!$before || $before->{reported_ms} <= $then, 'nor of its backends');

# two who go by the same name would be taken for one

ok(!$t->grep_file('error.log', qr/another nginx/), 'nobody else is a');
configure($other, 'a', 'poll=1s');
$other->run();
ok($t->wait_log(qr/\[warn\].*another nginx is node "a", too/), 'a twin: said');
ok($other->wait_log(qr/\[warn\].*another nginx is node "a"/), '... by both');
ok($other->stop(), 'a twin stops');
is(scalar(() = $t->grep_file('error.log', qr/another nginx/)), 1,
   'a twin: said once');

# the connection is lost

$t->redis_stop();
$t->wait_for(sub { $t->status()->{redis}{state} ne 'connected' });
$t->redis_start();
ok($t->wait_for(sub { report('a', 'kv') && report('a', 'd1')
                      && nodes()->{a} }), 'after a restart of Redis: all anew');
$then = now_ms();
$t->redis('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
ok($t->wait_for(sub { nodes()->{a} > $then }), 'a lost connection: goes on');

# no right to write

$t->redis('ACL', 'SETUSER', 'default', '-set', '-hset');
ok($t->wait_log(qr/reports of this node are not written: NOPERM/),
   'no right: one line');
$t->redis('DEL', 'x:node:a:kv');
$t->redis('PUBLISH', 'x:changed', 'kv');

$t->redis('ACL', 'SETUSER', 'default', '+hset');
$t->redis('HSET', 'x:kv', health => 'down', epoch => 20);
$t->redis('PUBLISH', 'x:changed', 'kv');
ok($t->wait_phase('kv', 'down'), 'no right: all else works');
is($t->backend_status('kv')->{epoch}, 20, 'no right: the epoch');
is($t->status()->{redis}{state}, 'connected', 'no right: connected');
is(report('a', 'kv'), undef, 'no right: no report');
is(scalar(() = $t->grep_file('error.log', qr/are not written/)), 1,
   'no right: not said again');
