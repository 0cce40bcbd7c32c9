#!/usr/bin/perl

# Goal: with sentinel=NAME the link goes to whom the Sentinels name and who
# says of himself that he is the master, and follows when that is another one:
# ordered, after a crash, or while the old one lives on.  Meanwhile requests
# are served as before and a ramp goes on; nothing opens, nothing closes.
# Method: a master, its replica and three Sentinels, all of them real; a
# scripted Sentinel for one that is wrong.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::FakeRedis;
use Test::Recovery::Watch qw(jumps links slowest statuses);

my $t = Test::Recovery->new()->plan(54);

$t->backend(8081);
$t->write_file('password', "S3cr3t\n");
chmod 0600, $t->dir() . '/password';

my $SYNC = "repl-diskless-sync-delay 0\nrepl-timeout 5\n";

my %redis = (6379 => $t->redis_start(conf => $SYNC));

$redis{6380} = $t->redis_start(name => 'redis2', port => 6380, conf => $SYNC
    . "replicaof 127.0.0.1 @{[$t->port(6379)]}\n");
ok($t->wait_for(sub {
    $redis{6380}->cmd('INFO', 'replication') =~ /^master_link_status:up/m
}, 'the replica', 30), 'a replica');

my @sentinels = map { sentinel($_) } 26379 .. 26381;
my $fake = Test::Recovery::FakeRedis->new($t, 6390);

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis   WORDS poll=100ms timeout=500ms;
    recovery_policy  slow { ramp over=120s; }
    recovery_backend good { }
    recovery_backend bad  { policy slow; capacity 1000r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /good {
            recovery    good;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /bad {
            recovery    bad;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2


sub sentinel {
    my ($port, $more) = @_;

    return $t->redis_start(
        name => "sentinel$port", port => $port, args => ['--sentinel'],
        conf => "sentinel monitor main 127.0.0.1 @{[$t->port(6379)]} 2\n"
                . "sentinel down-after-milliseconds main 1000\n"
                . "sentinel failover-timeout main 10000\n" . ($more // ''));
}


sub uris {
    return join ' ', map { "redis://127.0.0.1:%%PORT_$_%%" } @_;
}


sub configure {
    my ($words) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/WORDS/$words/r);
    $t->master() ? $t->reload() : $t->run();
}


sub address { $t->status()->{redis}{address} // '' }
sub state { $t->status()->{redis}{state} }

sub uses {
    my ($label, $port) = @_;

    my $re = qr/:@{[$t->port($port)]}$/;

    ok($t->wait_for(sub {
        state() eq 'connected' && address() =~ $re && links($t, $port) == 2
    }, "server $port", 60), "$label: used") or diag(state(), ' ', address());
}


# a Sentinel cuts whoever is connected to a server that it turns around

sub ask {
    my ($redis, @command) = @_;

    return scalar $t->wait_for(sub { [$redis->cmd(@command)] }, "@command", 20)
                    ->[0];
}


# when it is one alone

sub master {
    my @masters;

    $t->wait_for(sub {
        @masters = grep { $redis{$_}->cmd('ROLE')->[0] eq 'master' }
                        keys %redis;
        return @masters == 1;
    }, 'one master', 60);

    return $masters[0];
}


sub say_to {
    my ($port, $name, $health) = @_;

    ask($redis{$port}, 'HSET', "recovery:$name", 'health', $health);
    ask($redis{$port}, 'PUBLISH', 'recovery:changed', $name);
}


sub obeys {
    my ($label, $port) = @_;

    for my $row (['down', qr/^down$/], ['recovering', qr/^probing$/]) {
        say_to($port, 'good', $row->[0]);
        ok($t->wait_phase('good', $row->[1]), "$label: $row->[0]");
    }
}


# What is so while the master changes: requests, a ramp, no phase out of turn.

sub switch {
    my ($name, %o) = @_;

    say_to(master(), 'bad', 'down');
    ok($t->wait_phase('bad', 'down'), "$name: down before");
    say_to(master(), 'bad', 'up');
    say_to(master(), 'good', 'up');

    my $load = $t->load(rate => 60, uris => ['/bad'], timeout => 30);

    ok($t->wait_phase('bad', 'ramping', 20), "$name: ramping");

    my $from = master();
    my $level = $t->backend_status('bad')->{level};
    my $watch = Test::Recovery::Watch->new($t);

    $o{begin}->($from);
    uses($name, $from == 6379 ? 6380 : 6379);

    is($t->backend_status('bad')->{phase}, 'ramping', "$name: still ramping");
    ok($t->wait_for(sub { $t->backend_status('bad')->{level} > $level },
                    'the ramp', 20), "$name: and it goes on");

    my $r = $load->stop();

    cmp_ok(slowest($r), '<', 1 * slow(), "$name: no request waited");
    is_deeply([grep { !/^(?:200|503)$/ } keys %{statuses($r, qr/./)}], [],
              "$name: every request was answered");
    is_deeply([jumps($t->backend_status('bad'))], [], "$name: no phase out of"
              . ' turn');
    ok(scalar $watch->said(qr/\[notice\].*master "main" is/),
       "$name: in the log");
    cmp_ok(scalar $watch->said(qr/\[(?:warn|error)\].*recovery_redis/), '<=',
           6, "$name: not logged again and again");

    $o{end}->($from) if $o{end};
}


# the first Sentinel is not there

configure(uris(26399, 26379 .. 26381) . ' sentinel=main');
uses('at first', 6379);
obeys('at first', 6379);
is(scalar(links($t, 26379)), 1, 'one connection to a Sentinel');

# a failover that an operator orders: the old master is made a replica

switch('ordered', begin => sub {
    $t->wait_for(sub {
        eval { $sentinels[1]->cmd('SENTINEL', 'FAILOVER', 'main') }
    }, 'an order that is taken', 60);
});
obeys('ordered', 6380);

# a crash

switch('crash', begin => sub {
    my ($from) = @_;

    $t->wait_for(sub {
        $redis{6379}->cmd('INFO', 'replication')
            =~ /^master_link_status:up/m
    }, 'the replica', 60);
    $redis{$from}->kill9();
}, end => sub { $redis{$_[0]}->start() });
obeys('crash', 6379);

# the Sentinel that is asked dies; nobody notices

my $events = @{$t->backend_status('good')->{events}};
my $reconnects = $t->status()->{redis}{reconnects};

$sentinels[0]->kill9();
ok($t->wait_for(sub {
    links($t, 26380) == 1 || links($t, 26381) == 1
}, 'another Sentinel', 20), 'another Sentinel is asked');
is($t->status()->{redis}{reconnects}, $reconnects, 'the master is kept');
is(state(), 'connected', 'and the status says so');

# all of them

$_->kill9() for @sentinels[1, 2];
ok($t->wait_log(qr/asking for the master|connect\(\) failed.*:@{[
    $t->port(26381)]}/), 'no Sentinel: said');
is(state(), 'connected', 'no Sentinel: the master is kept');
is(@{$t->backend_status('good')->{events}} + 0, $events,
   'no Sentinel: no phase moved');

# a name that they do not know

sub says {
    my ($port) = @_;

    my $text = $t->port($port);

    $fake->behave(on => 'SENTINEL', say => "*2\r\n\$9\r\n127.0.0.1\r\n\$"
                  . length($text) . "\r\n$text\r\n");
}


my $watch = Test::Recovery::Watch->new($t);

$fake->behave(on => 'SENTINEL', say => "*-1\r\n");
configure(uris(6390) . ' sentinel=other');
ok($t->wait_for(sub { $watch->said(qr/\[error\].*knows no master/) }),
   'unknown name: said');
ok($t->wait_for(sub { state() eq 'disconnected' }),
   'unknown name: disconnected');

# the old master lives on, and nobody cuts us off

says(6379);
uses('named', 6379);
ask($redis{6380}, 'REPLICAOF', 'NO', 'ONE');
says(6380);
uses('named another', 6380);
obeys('named another', 6380);

# a replica is named: its word counts more

ask($redis{6380}, 'REPLICAOF', '127.0.0.1', $t->port(6379));
$watch = Test::Recovery::Watch->new($t);
configure(uris(6390) . ' sentinel=main');
ok($t->wait_for(sub { $watch->said(qr/ROLE does not say "master"/) }),
   'a replica: said');
ok($t->wait_for(sub { state() eq 'disconnected' }), 'a replica: refused');

# and another Sentinel is asked

$sentinels[0]->start();
$t->wait_for(sub { $sentinels[0]->cmd('PING') });
configure(uris(6390, 26379) . ' sentinel=main');
uses('the next Sentinel', 6379);

# garbage

for my $say ("*1\r\n\$1\r\nx\r\n", "*2\r\n\$1\r\nx\r\n\$5\r\n99999\r\n",
             "*2\r\n\$0\r\n\r\n\$1\r\n1\r\n", ":1\r\n")
{
    $watch = Test::Recovery::Watch->new($t);
    $fake->behave(on => 'SENTINEL', say => $say);
    configure(uris(6390) . ' sentinel=main');
    ok($t->wait_for(sub { $watch->said(qr/not the address of a master/) }),
       'garbage: ' . $say =~ s/\r\n/ /gr);
}

# a Sentinel with a password of its own

$sentinels[0]->stop();
$sentinels[0]{conf} .= "requirepass S3cr3t\n";
$sentinels[0]->start();
$watch = Test::Recovery::Watch->new($t);
configure(uris(26379) . ' sentinel=main');
ok($t->wait_for(sub { state() eq 'denied' }), 'password: denied');
is(scalar $watch->said(qr/\[error\].*denied.*NOAUTH/), 1, 'password: said');
configure(uris(26379) . ' sentinel=main'
          . ' sentinel_password_file=%%TESTDIR%%/password');
uses('password', 6379);

# users with no more rights than the documentation names

$sentinels[0]{auth} = ['S3cr3t'];
delete $sentinels[0]{sock};
$sentinels[0]->cmd(qw(ACL SETUSER watch on >S3cr3t
                      +sentinel|get-master-addr-by-name));
$redis{6379}->cmd(qw(ACL SETUSER gate on >S3cr3t resetchannels ~recovery:*
                     &recovery:* +hmget +time +subscribe +ping +role));
configure(uris(26379) =~ s{//}{//gate\@}r . ' sentinel=main'
          . ' password_file=%%TESTDIR%%/password sentinel_user=watch'
          . ' sentinel_password_file=%%TESTDIR%%/password');
uses('users', 6379);
is(scalar(grep { /user=gate/ } split /\n/,
          $redis{6379}->cmd('CLIENT', 'LIST')), 2, 'users: of Redis');
unlike($t->read_file('error.log'), qr/S3cr3t/, 'no password in the log');
