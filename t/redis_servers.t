#!/usr/bin/perl

# Goal: several URIs are tried in their order and the first that answers is
# used, by both connections; the database number and unix sockets, with an
# absolute and a relative path, work; a server that is loading, or cut off
# from its master, or silent, is passed over or tried again, and is used when
# it can answer.
# Method: two real servers with different opinions, so that it shows who is
# listened to, and a scripted one for what a real one says too rarely.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::FakeRedis;
use Test::Recovery::Watch qw(calls links);

my $t = Test::Recovery->new()->plan(59);

$t->backend(8081);

my $one = $t->redis_start();
my $two = $t->redis_start(name => 'redis2', port => 6380);
my $fake = Test::Recovery::FakeRedis->new($t, 6390);

# 6399: nobody ever listens there

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    SERVERS poll=100ms timeout=500ms;
    recovery_backend  kv { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2


sub servers {
    my (@servers) = @_;

    my $list = join ' ', map { /^\d+/ ? "redis://127.0.0.1:%%PORT_$_%%" =~
                                        s{(/\d+)%%$}{%%$1}r : $_ } @servers;

    $t->write_file_expand('nginx.conf', $conf =~ s/SERVERS/$list/r);

    $t->master() ? $t->reload() : $t->run();
}


# who is asked, and who is listened to

sub address { $t->status()->{redis}{address} // '' }

sub uses {
    my ($label, $port, $redis) = @_;

    my $re = qr/:@{[$t->port($port)]}$/;

    ok($t->wait_for(sub {
        $t->status()->{redis}{state} eq 'connected' && address() =~ $re
        && $redis->cmd('PUBSUB', 'NUMSUB', 'recovery:changed')->[1] == 1
    }, "server $port", 30), "$label: used") or diag(address());
    is(scalar(links($t, $port)), 2, "$label: two connections");
}


sub obeys {
    my ($label, $redis) = @_;

    for my $row (['down', qr/^down$/], ['recovering', qr/^probing$/]) {
        my ($health, $phase) = @$row;

        $redis->cmd('HSET', 'recovery:kv', 'health', $health);
        $redis->cmd('PUBLISH', 'recovery:changed', 'kv');
        ok($t->wait_phase('kv', $phase), "$label: $health");
    }
}


# in order

servers(6379, 6380);
uses('the first', 6379, $one);
obeys('the first', $one);
is(calls($two, 'hmget'), 0, 'the second was never asked');

my $watch = Test::Recovery::Watch->new($t);

servers(6399, 6380);
uses('the first is dead', 6380, $two);
obeys('the first is dead', $two);
is(scalar $watch->said(qr/\[(?:warn|error)\].*:@{[$t->port(6399)]}"/), 1,
   'the dead one is in the log, once');

# the first dies, the second takes over, at once, and without a phase moved

servers(6379, 6380);
uses('the first again', 6379, $one);
$one->cmd('HSET', 'recovery:kv', 'health', 'down');
$two->cmd('HSET', 'recovery:kv', 'health', 'down');
ok($t->wait_phase('kv', 'down'), 'both say down');

my $events = @{$t->backend_status('kv')->{events}};

$one->kill9();
uses('the first was killed', 6380, $two);
is(@{$t->backend_status('kv')->{events}} + 0, $events, 'no phase moved');
obeys('the first was killed', $two);

# when the second goes, the first is there again

$t->redis_start();
$one->cmd('HSET', 'recovery:kv', 'health', 'down');
$two->kill9();
uses('the second was killed', 6379, $one);
obeys('the second was killed', $one);
$t->redis_start(name => 'redis2');

# one that accepts and never answers costs its timeout

$fake->behave(on => '*', say => '');
servers(6390, 6380);
uses('the first is silent', 6380, $two);
ok($fake->seen()->{connections} >= 1, 'it was asked');

# one that cannot answer yet

for my $error ('LOADING Redis is loading the dataset in memory',
               'MASTERDOWN Link with MASTER is down',
               'TRYAGAIN Multiple keys request during rehashing of slot',
               'CLUSTERDOWN The cluster is down',
               'BUSY Redis is busy running a script')
{
    my ($word) = $error =~ /^(\w+)/;

    $fake->set('recovery:kv', health => 'down');
    $fake->behave(on => 'HMGET', say => "-$error\r\n");
    $watch = Test::Recovery::Watch->new($t);

    servers(6390);
    ok($t->wait_for(sub { $watch->said(qr/\[warn\].*"$word/) }),
       "$word: in the log");
    $fake->behave();
    ok($t->wait_for(sub { $t->status()->{redis}{state} eq 'connected' },
                    'connected', 30), "$word: tried again");
}

# a replica that really has lost its master

$two->cmd('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
$two->cmd('REPLICAOF', '127.0.0.1', $t->port(6399));
$watch = Test::Recovery::Watch->new($t);
servers(6380, 6379);
uses('a replica without its master', 6379, $one);
is(scalar $watch->said(qr/"MASTERDOWN/), 1, 'said once');
$two->cmd('REPLICAOF', 'NO', 'ONE');

# database

servers('6380/3');
uses('database 3', 6380, $two);
$two->cmd('HSET', 'recovery:kv', 'health', 'down');
$two->cmd('SELECT', 3);
obeys('database 3', $two);
$two->cmd('SELECT', 0);
$two->cmd('HSET', 'recovery:kv', 'health', 'down');
$two->cmd('PUBLISH', 'recovery:changed', 'kv');

my $polls = calls($two, 'hmget');

$t->wait_for(sub { calls($two, 'hmget') > $polls + 3 });
is($t->backend_status('kv')->{health}, 'recovering', 'database 0 is not it');

# unix sockets; a relative path counts from where nginx was started


sub unix {
    my ($label, $uri, $redis) = @_;

    servers($uri);
    ok($t->wait_for(sub {
        $t->status()->{redis}{state} eq 'connected'
        && $redis->cmd('PUBSUB', 'NUMSUB', 'recovery:changed')->[1] == 1
    }, $label, 30), "$label: connected");
    like(address(), qr/redis2\.sock$/, "$label: address");
    obeys($label, $redis);
}


unix('unix socket', 'unix:' . $two->unix_path(), $two);

$two->cmd('SELECT', 5);
unix('unix socket, database 5', 'unix:' . $two->unix_path() . ' db=5', $two);
$two->cmd('SELECT', 0);

$t->stop();
chdir $t->dir() or die "chdir: $!\n";
unix('relative path', 'unix:redis2.sock', $two);
unix('relative path with a dot', 'unix:./redis2.sock', $two);
chdir '/';
