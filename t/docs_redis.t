#!/usr/bin/perl

# Goal: docs/redis.md can be followed: what is written does what the text
# says, what is to be read is there, and the rights that it gives are enough,
# for nginx and for recoveryctl, without a single refusal.
# Method: its blocks in their order, on a real nginx, a Redis that has TLS as
# well, and a Sentinel; then nginx again, as the user of the text.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP qw(decode_json);
use Test::More;

use Test::Recovery;
use Test::Recovery::Certs;
use Test::Recovery::Commands;

my $t = Test::Recovery->new();
my $certs = Test::Recovery::Certs->new($t);

$certs->ca('redis-ca');
$certs->cert('redis', ca => 'redis-ca', names => 'IP:127.0.0.1');
$t->backend(8081);
$t->redis_start(conf => $t->expand(<<'EOF2'));
tls-port %%PORT_6380%%
tls-cert-file %%TESTDIR%%/redis.crt
tls-key-file %%TESTDIR%%/redis.key
tls-ca-cert-file %%TESTDIR%%/redis-ca.crt
tls-auth-clients no
EOF2
$t->redis_start(name => 'sentinel', port => 26379, args => ['--sentinel']);

my $c = Test::Recovery::Commands->new(
    $t, 'redis-cli' => '-p %%PORT_6379%%', openssl => '', recoveryctl => '');

$c->places('redis-cli -p 26379' => 'redis-cli -p %%PORT_26379%%',
           '10.0.0.1:6380' => '127.0.0.1:%%PORT_6380%%',
           '10.0.0.1' => '127.0.0.1');


sub configure {
    my ($user, $words) = @_;

    $t->write_file('password', "PASSWORD\n");
    chmod 0600, $t->dir() . '/password';
    $t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://${user}127.0.0.1:%%PORT_6379%% node=edge-1 $words;
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
}


sub kv { return $t->backend_status('kv') }
sub phase { return $t->wait_phase('kv', $_[0], 30) }


sub force {
    my ($force) = @_;

    return $t->wait_for(sub {
        ((kv()->{force} // {})->{force} // 'none') eq $force;
    }, "force $force");
}


# Errors that Redis gave since it was started, of one kind

sub refusals {
    my ($n) = $t->redis('INFO', 'errorstats')
              =~ /^errorstat_NOPERM:count=(\d+)/m;
    return $n // 0;
}


my @steps = (
    [qr/health down/, sub {
        phase('down') && $t->http_get('/')->{status} == 503;
    }],
    [qr/force closed/, sub { force('closed') && kv()->{force}{by} eq 'jo' }],
    [qr/HDEL.* force/, sub { force('none') }],
    [qr/XREVRANGE/, sub {
        !grep { $_[0] !~ /^\Q$_\E$/m }
             qw(node edge-1 backend kv time_ms what from to force through by
                reason), 'disk swap';
    }, before => sub {
        $t->wait_for(sub {
            grep { ref } @{$t->redis(qw(XRANGE recovery:audit - +))};
        }, 'the audit');
    }],
    [qr/HGETALL.*node/, sub {
        my ($json) = $_[0] =~ /^(\{.*)/ms;
        $_[0] =~ /\Aedge-1\n\d{13}\n/
        && decode_json($json)->{backend} eq 'kv';
    }, before => sub {
        $t->wait_for(sub { $t->redis(qw(GET recovery:node:edge-1:kv)) },
                     'a report');
    }],
    [qr/s_client/, sub { $_[0] =~ /Verification: OK/ }],
    [qr/SETUSER gate/, sub { $_[0] eq "OK\n" }],
    [qr/SETUSER watch/, sub { $_[0] eq "OK\n" }],
    [qr/SETUSER ops/, sub { $_[0] eq "OK\n" }],
);

$t->plan($c->tests(@steps) + 8);
configure('', '');
$t->run();
$c->follow('docs/redis.md', @steps);

# the rights: nginx as that user

configure('gate@', 'password_file=%%TESTDIR%%/password');
ok($t->reload(), 'reload');
ok($t->wait_for(sub {
    $t->redis('CLIENT', 'LIST') =~ /user=gate/
    && $t->status()->{redis}{state} eq 'connected';
}, 'gate', 20), 'as gate: connected');
ok($t->wait_for(sub {
    $t->redis('PUBSUB', 'NUMSUB', 'recovery:changed')->[1] == 1;
}), 'as gate: subscribed');

# recoveryctl as the other one; its order has to be read and confirmed

my $ctl = 'RECOVERY_REDIS="redis://ops@127.0.0.1:%%PORT_6379%%'
          . ' password_file=%%TESTDIR%%/password" recoveryctl';
my ($said, $status) = $c->sh("$ctl recover kv --reason repaired --wait 20s");

is($status, 0, 'as ops: confirmed') or diag($said);
ok(phase(qr/probing|ramping/), 'as ops: obeyed');
($said, $status) = $c->sh("$ctl audit kv");
like($said, qr/repaired/, 'as ops: the audit');
is(refusals(), 0, 'not a single refusal');

# a right less is seen

$t->redis(qw(ACL SETUSER gate -set -hset));
ok($t->wait_for(sub { refusals() > 0 }, 'a refusal', 30),
   'planted: a right is missing');
