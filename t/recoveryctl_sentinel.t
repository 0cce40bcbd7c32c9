#!/usr/bin/perl

# Goal: with --sentinel orders go to whom the Sentinels name, if he says of
# himself that he is the master, and to the next Sentinel's when not; in a
# Cluster to the node that has the slot, by one MOVED, whichever node is given.
# Method: a real master, a replica and a Sentinel, a real Cluster of two
# nodes; scripted ones for those that are wrong.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Ctl;
use Test::Recovery::FakeRedis;

my $t = Test::Recovery->new(no_module => 1)->plan(49);

$t->write_file('password', "S3cr3t\n");
chmod 0600, $t->dir() . '/password';

my $master = $t->redis_start();
my $replica = $t->redis_start(name => 'redis2', port => 6380, conf =>
    "repl-diskless-sync-delay 0\nreplicaof 127.0.0.1 @{[$t->port(6379)]}\n");
my $sentinel = $t->redis_start(
    name => 'sentinel', port => 26379, args => ['--sentinel'],
    conf => "sentinel monitor main 127.0.0.1 @{[$t->port(6379)]} 1\n");
my $fake = Test::Recovery::FakeRedis->new($t, 6390);

ok($t->wait_for(sub {
    $replica->cmd('INFO', 'replication') =~ /^master_link_status:up/m
}, 'the replica', 30), 'a replica');

my $ctl = Test::Recovery::Ctl->new($t);
my @down = ('down', 'kv', '--reason', 'x', '--wait', '0');

sub uri { "redis://127.0.0.1:%%PORT_$_[0]%%" }
sub with { $ctl->run({env => {RECOVERY_REDIS => shift}}, @_ ? @_ : @down) }


# what a scripted Sentinel names

sub names {
    my ($port) = @_;

    my $text = $t->port($port);

    $fake->behave(on => 'SENTINEL', say => "*2\r\n\$9\r\n127.0.0.1\r\n\$"
                  . length($text) . "\r\n$text\r\n");
}


sub reaches {
    my ($label, $words, $redis, $key) = @_;

    my $r = with($words);

    is($r->{rc}, 0, "$label: done") or diag($r->{all});
    is($redis->cmd('HGET', $key // 'recovery:kv', 'health'), 'down',
       "$label: written");
    $redis->cmd('DEL', $key // 'recovery:kv');
}


sub fails {
    my ($label, $words, $re) = @_;

    my $r = with($words);

    is($r->{rc}, 3, "$label: unreachable") or diag($r->{all});
    like($r->{err}, $re, "$label: said");
}


reaches('a Sentinel', uri(26379) . ' sentinel=main', $master);
reaches('a dead one first', 'redis://127.0.0.1:1 ' . uri(26379)
        . ' sentinel=main', $master);

fails('another name', uri(26379) . ' sentinel=other',
      qr/the Sentinel knows no master "other"/);
fails('no Sentinel', uri(6379) . ' sentinel=main', qr/SENTINEL: ERR/);
fails('none at all', 'redis://127.0.0.1:1 sentinel=main',
      qr/127.0.0.1:1: Connection refused/);

# one that was cut off names a replica: ROLE decides, and the next Sentinel

names(6380);
fails('a replica', uri(6390) . ' sentinel=main',
      qr/Sentinel named it, but it does not say that it is the master/);
reaches('a replica first', uri(6390) . ' ' . uri(26379) . ' sentinel=main',
        $master);
names(6399);
reaches('nobody first', uri(6390) . ' ' . uri(26379) . ' sentinel=main',
        $master);

for my $say ("*1\r\n\$1\r\nx\r\n", "*2\r\n\$1\r\nx\r\n\$5\r\n99999\r\n",
             "*2\r\n\$0\r\n\r\n\$1\r\n1\r\n", ":1\r\n")
{
    $fake->behave(on => 'SENTINEL', say => $say);
    fails('garbage ' . $say =~ s/\r\n/ /gr, uri(6390) . ' sentinel=main',
          qr/not the address of a master/);
}

$fake->behave();

# after a failover that is ordered: the other one

ok($t->wait_for(sub {
    eval { $sentinel->cmd('SENTINEL', 'FAILOVER', 'main') }
}, 'an order that is taken', 60), 'a failover');
ok($t->wait_for(sub { $replica->cmd('ROLE')->[0] eq 'master' }, 'it', 60),
   'it is the master');
ok($t->wait_for(sub {
    $sentinel->cmd('SENTINEL', 'get-master-addr-by-name', 'main')->[1]
        == $t->port(6380)
}, 'named', 60), 'it is named');
reaches('the new master', uri(26379) . ' sentinel=main', $replica);

# users: of the Sentinel one, of Redis another

$sentinel->cmd(qw(ACL SETUSER watch on >S3cr3t
                  +sentinel|get-master-addr-by-name));
$sentinel->cmd(qw(ACL SETUSER default resetpass));
$replica->cmd(qw(ACL SETUSER ops on >S3cr3t ~recovery:* &recovery:* +@all));
fails('nobody there', uri(26379) . ' sentinel=main', qr/says no\n.*NOAUTH/);
reaches('users', uri(26379) =~ s{//}{//ops\@}r . ' sentinel=main'
        . ' password_file=%%TESTDIR%%/password sentinel_user=watch'
        . ' sentinel_password_file=%%TESTDIR%%/password', $replica);

# a Cluster

my %node = map { $_ => $t->redis_start(
    name => "node$_", port => $_,
    conf => "cluster-enabled yes\ncluster-config-file node$_.nodes\n"
            . "cluster-require-full-coverage no\n"
            . "cluster-port @{[$t->port($_ + 1000)]}\n") } 7001, 7002;

$node{7001}->cmd('CLUSTER', 'MEET', '127.0.0.1', $t->port(7002),
                 $t->port(8002));
$node{7001}->cmd(qw(CLUSTER ADDSLOTSRANGE 0 8191));
$node{7002}->cmd(qw(CLUSTER ADDSLOTSRANGE 8192 16383));
ok($t->wait_for(sub {
    !grep {
        $_->cmd('CLUSTER', 'INFO') !~ /^cluster_state:ok/m
        || $_->cmd('CLUSTER', 'INFO') !~ /^cluster_known_nodes:2/m
        || $_->cmd('CLUSTER', 'INFO') !~ /^cluster_slots_assigned:16384/m
    } values %node;
}, 'a cluster', 60), 'a cluster');

my $PREFIX = 'recovery:{prod}:';
my $has = $node{7001}->cmd('CLUSTER', 'KEYSLOT', $PREFIX) < 8192 ? 7001 : 7002;

reaches("the cluster: $_", uri($_) . " prefix=$PREFIX", $node{$has},
        "${PREFIX}kv") for 7001, 7002;

for my $node (7001, 7002) {
    $node{$has}->cmd('HSET', "${PREFIX}kv", force => 'hold', by => 'a');

    my $r = $ctl->run({env => {RECOVERY_REDIS => uri($node)
                                                 . " prefix=$PREFIX"}},
                      'clear', 'kv', '--wait', '0');

    is($r->{rc}, 0, "the cluster: $node, cleared") or diag($r->{all});
    is(join(' ', @{$node{$has}->cmd('HKEYS', "${PREFIX}kv")}), 'epoch',
       "the cluster: $node, where it counts");
    $node{$has}->cmd('DEL', "${PREFIX}kv");
}

# keys in several slots, and nodes that send us about in circles


my ($nodes) = $node{7001}->cmd('CLUSTER', 'KEYSLOT', 'recovery:nodes') < 8192;
my ($far) = grep {
    ($node{7001}->cmd('CLUSTER', 'KEYSLOT', "recovery:$_") < 8192) ne $nodes
} 'a' .. 'z';

$down[1] = $far;
fails('several slots', uri($nodes ? 7002 : 7001),
      qr/all keys must be in one slot.*\{x\}/);
$fake->behave(on => '*', say => "-MOVED 1 127.0.0.1:@{[$t->port(6390)]}\r\n");
fails('in circles', uri(6390), qr/MOVED.*all keys must be in one slot/);
$fake->behave(on => '*', say => "-MOVED 1\r\n");
fails('to nowhere', uri(6390), qr/MOVED 1/);
