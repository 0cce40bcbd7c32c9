#!/usr/bin/perl

# Goal: with rediss:// whoever a Sentinel or a node of a Cluster names is
# spoken to by TLS, and is verified as what he was called: not the host of the
# URI.  One whose certificate is of another gets nothing.  A reload takes
# files of certificates that were replaced.
# Method: a real Sentinel and two real nodes, all with TLS; each server has
# two names for one certificate at a time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Certs;
use Test::Recovery::Watch qw(links);

my $t = Test::Recovery->new()->plan(17);
my $certs = Test::Recovery::Certs->new($t);

$certs->ca('ca');
$certs->cert('good', ca => 'ca', names => 'DNS:localhost,IP:127.0.0.1');
$certs->cert('name', ca => 'ca', names => 'DNS:localhost');

$t->backend(8081);


# TLS on the first port, what the test itself says on the second

sub server {
    my ($tls, $plain, %o) = @_;

    return $t->redis_start(
        name => "redis$tls", port => $plain, args => $o{args},
        conf => $t->expand("tls-port %%PORT_$tls%%\n"
                           . "tls-cert-file %%TESTDIR%%/good.crt\n"
                           . "tls-key-file %%TESTDIR%%/good.key\n"
                           . "tls-ca-cert-file %%TESTDIR%%/ca.crt\n"
                           . "tls-auth-clients $o{clients}\n" . $o{conf}));
}


sub configure {
    my ($words) = @_;

    $t->write_file_expand('nginx.conf', <<'EOF2' =~ s/WORDS/$words/r);

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    WORDS tls_ca=%%TESTDIR%%/ca.crt poll=100ms timeout=1s;
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

    $t->master() ? $t->reload() : $t->run();
}


sub uses {
    my ($label, $port, $plain) = @_;

    ok($t->wait_for(sub {
        my $redis = $t->status()->{redis};

        return $redis->{state} eq 'connected'
               && $redis->{address} =~ /:@{[$t->port($port)]}$/
               && links($t, $port) == 2;
    }, $label, 30), $label) or diag($t->status()->{redis}{address});

    is(scalar(links($t, $plain)), 0, "$label: nothing without TLS");
}


# what the server shows from the next connection on

sub serve {
    my ($server, $cert) = @_;

    $server->cmd('CONFIG', 'SET', 'tls-cert-file', $certs->file("$cert.crt"),
                 'tls-key-file', $certs->file("$cert.key"));
    $server->cmd('CLIENT', 'KILL', 'TYPE', $_, 'SKIPME', 'yes')
        for qw(pubsub normal);
}


sub refused {
    my ($label, $server) = @_;

    my $watch = Test::Recovery::Watch->new($t);

    serve($server, 'name');
    ok($t->wait_for(sub {
        $watch->said(qr/certificate of the server is not one of "127\.0\.0\.1/)
    }, $label, 30), "$label: not whom he was named as: said");
    ok($t->wait_for(sub { $t->status()->{redis}{state} eq 'disconnected' }),
       "$label: not connected");
    is($t->http_get('/')->{status}, 200, "$label: requests as before");
    serve($server, 'good');
}


# a master, which takes our certificate only, and a Sentinel

my $OWN = 'tls_cert=%%TESTDIR%%/own.crt tls_key=%%TESTDIR%%/own.key';

$certs->cert('own', ca => 'ca', names => 'DNS:client.test');

my $master = server(6380, 6379, clients => 'yes', conf => '');

server(26380, 26379, clients => 'no', args => ['--sentinel'],
       conf => "tls-replication yes\n"
               . "sentinel monitor main 127.0.0.1 @{[$t->port(6380)]} 1\n");

configure("rediss://localhost:%%PORT_26380%% sentinel=main $OWN");
uses('the master of a Sentinel', 6380, 6379);
is(scalar(links($t, 26380)), 1, 'the Sentinel by TLS');
refused('the master of a Sentinel', $master);
uses('the right certificate again', 6380, 6379);

# our certificate is replaced in its file: by one that the master knows not,
# and by another one of its authority

$certs->ca('foreign');
$certs->cert('own', ca => 'foreign', names => 'DNS:client.test');
my $watch = Test::Recovery::Watch->new($t);
$t->reload();
ok($t->wait_for(sub { $watch->said(qr/TLS has failed|closed the conn/) }),
   'our file replaced by a foreign one: refused after a reload');
$certs->cert('own', ca => 'ca', names => 'DNS:client.test');
$t->reload();
uses('our file replaced by a good one', 6380, 6379);

# two nodes; the one of the URI has not got the slot

my %node = map { $_->[0] => server(@$_, clients => 'no', conf => $t->expand(
    "cluster-enabled yes\ntls-cluster yes\ntls-replication yes\n"
    . "cluster-config-file node$_->[0].nodes\n"
    . "cluster-require-full-coverage no\n"
    . "cluster-port %%PORT_@{[$_->[0] + 1000]}%%\n")) }
    [7001, 7011], [7002, 7012];

$node{7001}->cmd('CLUSTER', 'MEET', '127.0.0.1', $t->port(7002),
                 $t->port(8002));
$node{7002}->cmd(qw(CLUSTER ADDSLOTSRANGE 0 16383));

ok($t->wait_for(sub {
    $node{7001}->cmd('CLUSTER', 'INFO') =~ /^cluster_slots_ok:16384/m
}, 'a cluster', 60), 'a cluster');

configure('rediss://localhost:%%PORT_7001%% "prefix=recovery:{prod}:"');
uses('the node that has the slot', 7002, 7012);
refused('the node that has the slot', $node{7002});
