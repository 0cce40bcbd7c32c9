#!/usr/bin/perl

# Goal: the tool gets to Redis by every way that nginx has but TLS, Sentinel
# and Cluster, with no more rights than docs/redis.md names; and when it does
# not, it ends in time, says who answered what, and what to do next: with no
# Redis at all, the same line with --url.
# Method: real servers, with users, a replica, stopped, full of keys; a
# scripted one for what a real one does not say.

use strict;
use warnings;

use FindBin;
use IO::Socket::INET;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Ctl;
use Test::Recovery::FakeRedis;

my $t = Test::Recovery->new(no_module => 1)->plan(132);

$t->redis_start();

my $second = $t->redis_start(name => 'redis2', port => 6380);
my $fake = Test::Recovery::FakeRedis->new($t, 6390);
my $ctl = Test::Recovery::Ctl->new($t);
my $R = 'redis://127.0.0.1:%%PORT_6379%%';
my @down = ('down', 'kv', '--reason', 'x', '--wait', '0');

$t->write_file('password', "S3cr3t\r\nnot this\n");
$t->write_file('wrong', "Wr0ng\n");
chmod 0600, map { $t->dir() . "/$_" } qw(password wrong);


sub with {
    my ($words, @verb) = @_;
    return $ctl->run({env => {RECOVERY_REDIS => $words}}, @verb);
}


sub said { my ($r, $re, $label) = @_; like($r->{err}, $re, $label) }

sub written {
    my ($redis, $key) = @_;
    return $redis->cmd('HGET', $key // 'recovery:kv', 'health') // '';
}


# Done, and the health is there; then it is gone again.

sub reaches {
    my ($label, $words, %o) = @_;

    my $redis = $o{redis} // $t->redis_server();
    my $r = $ctl->run({env => {RECOVERY_REDIS => $words, %{$o{env} // {}}}},
                      @{$o{words} // []}, @down);

    is($r->{rc}, 0, "$label: done") or diag($r->{all});

    $redis->cmd('SELECT', $o{db}) if $o{db};
    is(written($redis, $o{key}), 'down', "$label: written");
    $redis->cmd('FLUSHALL');
    $redis->cmd('SELECT', 0) if $o{db};
}


# Exit code 3 in time, with this text; nothing is written.

sub fails {
    my ($label, $words, $re, %o) = @_;

    my $r = $ctl->run({env => {RECOVERY_REDIS => $words, %{$o{env} // {}}}},
                      @down);

    is($r->{rc}, 3, "$label: unreachable") or diag($r->{all});
    said($r, $re, "$label: said");
    cmp_ok($r->{s}, '<', ($o{within} // 3) * slow(), "$label: in time");
    unlike($r->{all}, qr/S3cr3t|Wr0ng/, "$label: no password is told");

    return $r;
}


# ways

reaches('an address', $R);
reaches('a name', $R =~ s/127.0.0.1/localhost/r);
reaches('a database', "$R/3", db => 3);
reaches('a socket', 'unix:%%TESTDIR%%/redis.sock');
reaches('a socket, a database', 'unix:%%TESTDIR%%/redis.sock db=4', db => 4);
reaches('a prefix', "$R \"prefix=x{y}:\"", key => 'x{y}:kv');
reaches('the command line', 'redis://127.0.0.1:1',
        words => ['--redis', $R, '--prefix=z:'], key => 'z:kv');
reaches('the second server', "redis://127.0.0.1:1 $R");

$t->redis_pause();
reaches('the first is silent',
        "$R redis://127.0.0.1:%%PORT_6380%% timeout=300ms", redis => $second);

# it is stopped

my $line = 'recoveryctl --url http://NODE/recovery/control down kv --reason x'
           . ' --wait 0 --for 10m';

fails('silent', "$R timeout=300ms",
      qr/does not answer\n  127\S+: no answer in time\n.*\n  \Q$line\E\n/);
$t->redis_resume();

# it is not there

fails('dead', 'redis://127.0.0.1:1',
      qr/does not answer\n  127.0.0.1:1: Connection refused\n.*\n  \Q$line\E\n/);
fails('two dead', 'redis://127.0.0.1:1 unix:/nonexistent',
      qr/127.0.0.1:1: Connection refused\n  \/nonexistent: No such file/);
fails('no such name', 'redis://no.such.name.invalid',
      qr/no\.such\.name\.invalid:6379: /, within => 12);
SKIP: {
    skip('there is a Redis on port 6379', 4)
        if IO::Socket::INET->new('127.0.0.1:6379');

    fails('nobody has said where', undef,
          qr/6379: Connection.*\n  that was a guess: --redis URI/);
}

my $r = with('redis://127.0.0.1:1', 'audit');
is($r->{rc}, 3, 'dead: no audit');
said($r, qr/recoveryctl --url http:\S+ status\n/, 'dead: but a status');

# a replica takes no orders; the next server may be its master

$second->cmd('REPLICAOF', '127.0.0.1', $t->port(6379));
ok($t->wait_for(sub {
    $second->cmd('INFO', 'replication') =~ /^master_link_status:up/m
}, 'a replica', 30), 'a replica');

fails('a replica', 'redis://127.0.0.1:%%PORT_6380%%',
      qr/READONLY.*\n  orders go to the master: .*--sentinel/);
reaches('a replica first', "redis://127.0.0.1:%%PORT_6380%% $R");

$t->redis('HSET', 'recovery:kv', 'force', 'hold', 'force_until', '1');
ok($t->wait_for(sub { $second->cmd('HEXISTS', 'recovery:kv', 'force') },
                'replicated'), 'the replica has it, too');
$r = with("redis://127.0.0.1:%%PORT_6380%% $R", 'clear', 'kv', '--wait', '0');
is($r->{rc}, 0, 'a replica first: cleared') or diag($r->{all});
is(join(' ', @{$t->redis('HKEYS', 'recovery:kv')}), 'epoch',
   'a replica first: where it counts');
$t->redis('FLUSHALL');
$second->cmd('REPLICAOF', 'NO', 'ONE');

# what is no Redis, or not yet one

for my $row (['garbage', {on => '*', say => "HTTP/1.1 400 Bad Request\r\n\r\n"},
              qr/does not speak the protocol of Redis/],
             ['an array of 10^9', {on => '*', say => "*1000000000\r\n"},
              qr/does not speak the protocol of Redis/],
             ['loading', {on => '*', say => "-LOADING Redis is loading\r\n"},
              qr/does not answer\n  \S+ LOADING/],
             ['hangs up', {on => '*', close => 1}, qr/the server has hung up/],
             ['slower than its time', {on => '*', drip_s => 0.4,
                                       say => "*2\r\n\$1\r\n1\r\n\$1\r\n"},
              qr/no answer in time/])
{
    $fake->behave(%{$row->[1]});
    fails($row->[0], 'redis://127.0.0.1:%%PORT_6390%%', $row->[2]);
}

# lost behind an order: nobody knows, and it is not given twice

$fake->behave(on => 'HSET', close => 1);
$fake->reset();
fails('lost', "redis://127.0.0.1:%%PORT_6390%% $R",
      qr/whether it was done is not known; look: recoveryctl status/);
is($fake->seen()->{commands}{HSET}, 1, 'lost: given once');
is(written($t->redis_server()), '', 'lost: and to nobody else');
$fake->behave();

# a key that is no hash

$t->redis('SET', 'recovery:kv', 'x');
$r = with($R, @down);
is($r->{rc}, 3, 'no hash');
said($r, qr/WRONGTYPE.*redis-cli DEL recovery:kv/s, 'no hash: said');
$t->redis('DEL', 'recovery:kv');

# an epoch beyond which there is none

$t->redis('HSET', 'recovery:kv', 'epoch', '18446744073709551615');
$r = with($R, @down);
is($r->{rc}, 4, 'no higher epoch: refused');
said($r, qr/leaves no higher one.*18446744073709551614/s, 'no higher: said');
$t->redis('HSET', 'recovery:kv', 'epoch', 'x');
reaches('an epoch that is no number', $R);

# users

$t->redis(qw(CONFIG SET requirepass S3cr3t));
$t->redis_server()->{auth} = ['S3cr3t'];
delete $t->redis_server()->{sock};

my $FILE = 'password_file=%%TESTDIR%%';

fails('no password', $R,
      qr/says no\n  \S+ TIME: NOAUTH.*\n  .*--password-file/);
fails('a wrong one', "$R $FILE/wrong", qr/says no\n  \S+ AUTH: WRONGPASS/);
reaches('a password', "$R $FILE/password");
reaches('of the environment', $R,
        env => {RECOVERY_REDIS_PASSWORD => 'S3cr3t'});
reaches('of the environment, first', "$R $FILE/wrong",
        env => {RECOVERY_REDIS_PASSWORD => 'S3cr3t'});

# the rights that the documentation names, and no more

open my $fh, '<', $t->root() . '/docs/redis.md' or die "docs/redis.md: $!\n";

my $docs = do { local $/; <$fh> };
my ($acl) = $docs =~ /ACL SETUSER ops (on .*?)\n```/s;
my @acl = map { s/PASSWORD/S3cr3t/r } grep { $_ ne '\\' }
    split ' ', $acl =~ tr/'//dr;

$t->redis('ACL', 'SETUSER', 'ops', @acl);

my $ops = ($R =~ s{//}{//ops\@}r) . " $FILE/password";
my ($s) = @{$t->redis('TIME')};

$t->redis('HSET', 'recovery:nodes', 'web1', "${s}000");
$t->redis('SET', 'recovery:node:web1:kv',
          '{"epoch":null,"phase":"up","level":0.5,"events":[]}');

for my $verb (['down', '--reason', 'x'], ['hold', 'kv'], ['resume', 'kv'],
              ['step-back', 'kv'], ['promote', 'gold', 'kv'], ['clear', 'kv'])
{
    $r = with($ops, @$verb, '--wait', '0');
    is("$r->{rc} $r->{err}", '0 ', "its rights: @$verb");
}

# half of what the node lets pass that is on its way up, not of nothing

$t->redis('HSET', 'recovery:nodes', 'web2', "${s}000");
$t->redis('SET', 'recovery:node:web2:kv',
          '{"epoch":null,"phase":"down","level":0,"events":[]}');
$r = with($ops, 'step-back', 'kv', '--wait', '0');
is($t->redis('HGET', 'recovery:kv', 'force'), '25%',
   'step-back: a node that is down is no measure') or diag($r->{all});
$t->redis('HSET', 'recovery:nodes', 'web1', '1000');
$r = with($ops, 'step-back', 'kv', '--wait', '0');
is($r->{rc}, 4, 'step-back: nobody has a step to go back');
$t->redis('HSET', 'recovery:nodes', 'web1', "${s}000");
$t->redis('HDEL', 'recovery:nodes', 'web2');
$t->redis('DEL', 'recovery:node:web2:kv');
with($ops, 'clear', 'kv', '--wait', '0');

$r = with($ops, 'down', 'kv', '--reason', 'x', '--wait', '1');
is($r->{rc}, 1, 'its rights: to wait') or diag($r->{all});
$r = with($ops, 'audit');
is($r->{rc}, 0, 'its rights: audit') or diag($r->{all});
$t->redis('DEL', 'recovery:nodes');
$r = with($ops, @down);
is($r->{rc}, 0, 'its rights: with no node');
is($t->redis('XLEN', 'recovery:audit'), 1, 'its rights: in the audit');

# one is missing

$t->redis('ACL', 'SETUSER', 'ops', '-hset');
my $rights = join ' ', grep { /^\+/ } @acl;
fails('no HSET', $ops, qr/says no\n  \S+ HSET: NOPERM/);
like(with($ops, @down)->{err},
     qr/ACL SETUSER ops ~recovery:\* &recovery:\* \Q$rights\E$/m,
     'no HSET: what has to be said');
$t->redis('ACL', 'SETUSER', 'ops', '+hset', '-publish');
$r = with($ops, @down);
is($r->{rc}, 0, 'no PUBLISH: written');
said($r, qr/not published: nodes read it at their next poll\n  NOPERM/,
     'no PUBLISH: said');
$t->redis('ACL', 'SETUSER', 'ops', '+publish', '-scan');
$r = with($ops, 'down');
is($r->{rc}, 3, 'no SCAN: which?');
said($r, qr/SCAN: NOPERM.*name the backend/s, 'no SCAN: said');

# what is taken away and what is set belong together: both or nothing

$t->redis('ACL', 'SETUSER', 'ops', '+scan');
with($ops, 'force', 'closed', 'kv', '--reason', 'x', '--for', '10m',
     '--wait', '0');
$t->redis('HSET', 'recovery:kv', 'ceiling', '10%', 'promote', 'gold');

my %before = @{$t->redis('HGETALL', 'recovery:kv')};
my $full = $t->redis('CONFIG', 'GET', 'maxmemory')->[1];

for my $row (['OOM', ['CONFIG', 'SET', 'maxmemory', '1'],
              ['CONFIG', 'SET', 'maxmemory', $full]],
             ['NOPERM', ['ACL', 'SETUSER', 'ops', '-hset'],
              ['ACL', 'SETUSER', 'ops', '+hset']])
{
    my ($word, $break, $mend) = @$row;

    for my $verb (['clear', 'kv'], ['hold', 'kv']) {
        $t->redis(@$break);
        $r = with($ops, @$verb, '--wait', '0');
        $t->redis(@$mend);
        is($r->{rc}, 3, "$word: @$verb is not done");
        said($r, qr/(?:HSET|HDEL): $word/, "$word: @$verb, said");
        is_deeply({@{$t->redis('HGETALL', 'recovery:kv')}}, \%before,
                  "$word: @$verb, nothing is changed");
    }
}

$r = with($ops, 'clear', 'kv', '--wait', '0');
is($r->{rc}, 0, 'then it is') or diag($r->{all});
is_deeply([sort keys %{{@{$t->redis('HGETALL', 'recovery:kv')}}}],
          ['epoch', 'health'], 'and nothing stands but health');

# who reads our output has gone: the order is done all the same

my $cmd = $t->expand("RECOVERY_REDIS_PASSWORD=S3cr3t RECOVERY_REDIS=$R"
                     . " $ctl->{binary} @down; echo \$? >&3");
$t->redis('DEL', 'recovery:kv');
system('bash', '-c', "{ $cmd; } 3>" . $t->dir() . '/rc | true');
ok($t->wait_for(sub { written($t->redis_server()) eq 'down' }, 'down'),
   'a closed pipe: done');
