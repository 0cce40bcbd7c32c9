#!/usr/bin/perl

# Goal: with rediss:// the tool speaks to whom it has called and to nobody
# else: a certificate of another host, of another authority, one that has run
# out, and no TLS at all are each refused before anything is sent, said why,
# in time.  With --url the same files are for https://.
# Method: a real Redis that is given one certificate after the other; a real
# nginx with TLS; each that is refused is taken with --tls-verify off.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Certs;
use Test::Recovery::Ctl;
use Test::Recovery::FakeRedis;

my $t = Test::Recovery->new()->plan(50);
my $certs = Test::Recovery::Certs->new($t);

$certs->ca('ca')->ca('foreign');

my %names = (good => 'DNS:localhost,IP:127.0.0.1', name => 'DNS:localhost',
             address => 'IP:127.0.0.1', other => 'DNS:other.test,IP:127.0.0.9',
             client => 'DNS:client.test');

$certs->cert($_, ca => 'ca', names => $names{$_}) for sort keys %names;
$certs->cert('stranger', ca => 'foreign', names => $names{good});
$certs->cert('expired', ca => 'ca', names => $names{good}, expired => 1);

$t->backend(8081);
$t->redis_start(conf => $t->expand(<<'EOF2'));
tls-port %%PORT_6380%%
tls-cert-file %%TESTDIR%%/good.crt
tls-key-file %%TESTDIR%%/good.key
tls-ca-cert-file %%TESTDIR%%/ca.crt
tls-auth-clients no
EOF2

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_backend  kv { }

    server {
        listen  127.0.0.1:%%PORT_8443%% ssl;

        ssl_certificate         %%TESTDIR%%/good.crt;
        ssl_certificate_key     %%TESTDIR%%/good.key;
        ssl_client_certificate  %%TESTDIR%%/ca.crt;
        ssl_verify_client       optional;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /recovery/status { recovery_status; }

        location = /recovery/control {
            if ($ssl_client_verify != SUCCESS) {
                return 403;
            }
            recovery_control;
        }
    }
}

EOF2

$t->run();

my $ctl = Test::Recovery::Ctl->new($t);
my $fake = Test::Recovery::FakeRedis->new($t, 6390);
my @down = ('down', 'kv', '--reason', 'x', '--wait', '0');
my @CA = ('--tls-ca', '%%TESTDIR%%/ca.crt');
my @OWN = ('--tls-cert', '%%TESTDIR%%/client.crt',
           '--tls-key', '%%TESTDIR%%/client.key');
my $NAME = 'rediss://localhost:%%PORT_6380%%';
my $ADDRESS = 'rediss://127.0.0.1:%%PORT_6380%%';


sub serve {
    my ($cert, $clients) = @_;

    $t->redis('CONFIG', 'SET', 'tls-cert-file', $certs->file("$cert.crt"),
              'tls-key-file', $certs->file("$cert.key"),
              'tls-auth-clients', $clients // 'no');
}


sub reaches {
    my ($label, $uri, @words) = @_;

    my $r = $ctl->run('--redis', $uri, @words, @down);

    is($r->{rc}, 0, "$label: done") or diag($r->{all});
    is($t->redis('HGET', 'recovery:kv', 'health'), 'down', "$label: written");
    $t->redis('DEL', 'recovery:kv');
}


sub fails {
    my ($label, $uri, $re, @words) = @_;

    my $r = $ctl->run('--redis', $uri, @words, @down);

    is($r->{rc}, 3, "$label: unreachable") or diag($r->{all});
    like($r->{err}, $re, "$label: said");
    is($t->redis('EXISTS', 'recovery:kv'), 0, "$label: nothing is written");
}


my $REFUSED = qr/certificate of the server refused: /;

reaches('a name', $NAME, @CA);
reaches('an address', $ADDRESS, @CA);
fails('whom the machine trusts', $NAME, qr/${REFUSED}self-signed cert/);

serve('name');
reaches('of a name', $NAME, @CA);
fails('of a name, not an address', $ADDRESS, qr/${REFUSED}IP address mismatch/,
      @CA);

serve('address');
fails('of an address, not a name', $NAME, qr/${REFUSED}hostname mismatch/i,
      @CA);

for my $row (['other', qr/mismatch/i], ['stranger', qr/unable to get/],
             ['expired', qr/has expired/])
{
    serve($row->[0]);
    fails($row->[0], $NAME, qr/$REFUSED.*$row->[1]/, @CA);
    reaches("$row->[0], not verified", $NAME, '--tls-verify', 'off');
}

serve('good', 'yes');
fails('no certificate of ours', $NAME, qr/TLS has failed|hung up/, @CA);
reaches('a certificate of ours', $NAME, @CA, @OWN);
serve('good');

# the other end speaks no TLS, or nothing at all

fails('plain', 'rediss://localhost:%%PORT_6379%%',
      qr/no TLS in time; is this/, @CA);
fails('not plain', 'redis://localhost:%%PORT_6380%%', 
      qr/is it TLS, which|reset by peer|hung up/);
$fake->behave(on => 'accept', say => '');

my $r = $ctl->run('--redis', 'rediss://localhost:%%PORT_6390%%', @CA,
                  '--timeout', '300ms', @down);
is($r->{rc}, 3, 'silent: unreachable');
like($r->{err}, qr/no TLS in time/, 'silent: said');

# nginx itself, by https

my $URL = 'https://localhost:%%PORT_8443%%/recovery/control';
my @order = ('--url', $URL, 'down', 'kv', '--reason', 'x', '--for', '10m');

$r = $ctl->run(@order);
is($r->{rc}, 3, 'https, a stranger');
like($r->{err}, qr/certificate/, 'https, a stranger: said');
$r = $ctl->run(@CA, @order);
is($r->{rc}, 3, 'https, we are nobody');
like($r->{err}, qr/answers 403, this is no recovery_control\n.*protected/,
     'https, we are nobody: said');
is($t->backend_status('kv')->{phase}, 'up', 'https: nothing ordered');
$r = $ctl->run(@CA, @OWN, @order);
is($r->{rc}, 0, 'https: done') or diag($r->{all});
like($r->{out}, qr/^1 of 1 nodes: down$/m, 'https: and so it is');
