#!/usr/bin/perl

# Goal: with a "resolver" in http {} names are looked up by it: when a
# connection is to be made, not by nginx -t, and with nobody waiting.  All
# addresses of a name are tried; a name that moves is followed; DNS that is
# gone or that talks nonsense costs neither the link that is up nor the
# addresses that were known, and a request nothing.
# Method: a name server in Perl, with real bytes, and a real Redis with two
# addresses.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Certs;
use Test::Recovery::Dns;
use Test::Recovery::FakeRedis;
use Test::Recovery::Watch qw(links slowest statuses);

my $t = Test::Recovery->new()->plan(71);

$t->backend(8081);

my $certs = Test::Recovery::Certs->new($t);

$certs->ca('ca')->cert('redis', ca => 'ca', names => 'DNS:redis.test');

my $redis = $t->redis_start(conf => $t->expand(<<'EOF2'));
bind 127.0.0.1 127.0.0.2
tls-port %%PORT_6380%%
tls-cert-file %%TESTDIR%%/redis.crt
tls-key-file %%TESTDIR%%/redis.key
tls-ca-cert-file %%TESTDIR%%/ca.crt
tls-auth-clients no
EOF2

my $dns = Test::Recovery::Dns->new($t);
my $fake = Test::Recovery::FakeRedis->new($t, 6390);

my $conf = <<'EOF2' =~ s/DNS/$dns->port()/er;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    resolver          127.0.0.1:DNS ipv6=off;
    recovery_redis    WORDS poll=100ms timeout=500ms;
    recovery_backend  good { }
    recovery_backend  bad  { }

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

my $NAME = 'redis://redis.test:%%PORT_6379%%';


sub configure {
    my ($words, $without) = @_;

    my $text = $conf =~ s/WORDS/$words/r;

    $text =~ s/$without.*// if $without;
    $t->write_file_expand('nginx.conf', $text);
    $t->master() ? $t->reload() : $t->run();
}


sub state { $t->status()->{redis}{state} }
sub address { $t->status()->{redis}{address} // '' }

sub uses {
    my ($label, $ip, $port) = @_;

    my $want = "$ip:" . $t->port($port // 6379);

    ok($t->wait_for(sub {
        state() eq 'connected' && address() eq $want
        && links($t, $port // 6379) == 2
    }, $want, 30), "$label: $ip") or diag(state(), ' ', address());
}


sub cut {
    $t->redis('CLIENT', 'KILL', 'TYPE', $_, 'SKIPME', 'yes')
        for qw(pubsub normal);
}


# answers are good for a second, by nginx's clock of seconds

sub forgotten {
    my $now = time;

    $t->wait_for(sub { time > $now + 2 });
}


sub events {
    return join ' ', map { scalar @{$t->backend_status($_)->{events}} }
                     qw(good bad);
}


# nobody is asked before a worker leads

$dns->name('redis.test', '127.0.0.1');

my ($code, $err) = $t->config_test($conf =~ s/WORDS/$NAME/r);

is($code, 0, 'nginx -t') or diag($err);
is($dns->asked(), 0, 'nginx -t asks nobody');

$t->redis('HSET', 'recovery:good', 'health', 'up');
$t->redis('HSET', 'recovery:bad', 'health', 'down');

configure($NAME);
uses('a name', '127.0.0.1');
cmp_ok($dns->asked(), '>=', 1, 'a name: was asked for');
ok($t->wait_phase('bad', 'down'), 'a name: is listened to');

# it is asked for anew with each connection, not with each poll

my $asked = $dns->asked();

$t->wait_for(sub { $t->backend_status('good')->{health_age_ms} });
is($dns->asked(), $asked, 'a link that is up asks nobody');

# several addresses

$dns->name('redis.test', '127.0.0.9', '127.0.0.1', '127.0.0.8');
configure($NAME);
uses('the one that is there', '127.0.0.1');

# it moves

$dns->name('redis.test', '127.0.0.2');
configure($NAME);
uses('another address', '127.0.0.2');
$dns->name('redis.test', '127.0.0.1');
forgotten();
cut();
uses('followed without a reload', '127.0.0.1');

# DNS is gone while the link is up, and then the link

for my $how (qw(silent servfail refused garbage cut)) {
    configure($NAME);
    uses("$how: before", '127.0.0.1');

    my $before = events();
    my $watch = Test::Recovery::Watch->new($t);
    my $load = $t->load(rate => 40, uris => ['/good', '/bad'], timeout => 30);
    my $reconnects = $t->status()->{redis}{reconnects};

    $dns->behave($how);
    forgotten();

    for my $time (1, 2) {
        cut();
        ok($t->wait_for(sub {
            $t->status()->{redis}{reconnects} >= $reconnects + $time
        }, 'the addresses of before', 30), "$how: reconnect $time");
    }

    is(scalar $watch->said(qr/last known/), 1, "$how: said once");

    my $r = $load->stop();

    is_deeply([map { keys %{statuses($r, $_)} } qr/good/, qr/bad/],
              [200, 503], "$how: requests as before");
    cmp_ok(slowest($r), '<', 1 * slow(), "$how: none waited");
    is(events(), $before, "$how: no phase moved");

    $dns->behave('');
}

# DNS is gone when a worker begins, or does not know the name

for my $row (['silent', qr/could not be resolved \(Operation timed out\)/],
             ['servfail', qr/could not be resolved \(Server failure\)/],
             ['nxdomain', qr/could not be resolved \(Host not found\)/])
{
    my ($how, $why) = @$row;
    my $watch = Test::Recovery::Watch->new($t);
    my $load = $t->load(rate => 40, uris => ['/good', '/bad'], timeout => 30);
    my $before = events();

    $how eq 'nxdomain' ? $dns->name('redis.test') : $dns->behave($how);
    configure($NAME);

    ok($t->wait_for(sub { $watch->said($why) }, $why, 20),
       "$how at the start: said");
    ok($t->wait_for(sub { state() eq 'disconnected' }),
       "$how at the start: disconnected");
    is(address(), 'redis.test', "$how at the start: address");

    my $r = $load->stop();

    is_deeply([map { keys %{statuses($r, $_)} } qr/good/, qr/bad/],
              [200, 503], "$how at the start: requests as before");
    cmp_ok(slowest($r), '<', 1 * slow(), "$how at the start: none waited");
    is(events(), $before, "$how at the start: no phase moved");

    $dns->behave('');
    $dns->name('redis.test', '127.0.0.1');
    uses("$how at the start", '127.0.0.1');
}

# the name that a certificate is for is that of the URI

configure('rediss://redis.test:%%PORT_6380%% tls_ca=%%TESTDIR%%/ca.crt');
uses('with TLS', '127.0.0.1', 6380);

# "localhost" is nobody's to tell

$asked = $dns->asked();
configure('redis://localhost:%%PORT_6379%%');
uses('localhost', '127.0.0.1');
is($dns->asked(), $asked, 'localhost: DNS is not asked');

# a name out of the mouth of a Sentinel

my $port = $t->port(6379);

$fake->behave(on => 'SENTINEL', say => "*2\r\n\$10\r\nredis.test\r\n\$"
              . length($port) . "\r\n$port\r\n");
configure('redis://127.0.0.1:%%PORT_6390%% sentinel=main');
uses('named by a Sentinel', '127.0.0.1');

my $watch = Test::Recovery::Watch->new($t);

configure('redis://127.0.0.1:%%PORT_6390%% sentinel=main',
          'resolver ');
ok($t->wait_for(sub { $watch->said(qr/no resolver is configured/) }),
   'named by a Sentinel, without a resolver: said');

# a lookup that is on its way keeps nobody from going

$dns->behave('silent');
configure('redis://other.test:%%PORT_6379%% ' . $NAME);
ok($t->reload(), 'a reload in the middle of it');
