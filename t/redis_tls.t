#!/usr/bin/perl

# Goal: with rediss:// both connections are TLS, to a server that is who the
# URI names, by a name or by an address, and nothing is sent to any other.
# Whatever is wrong with its certificate, with ours, or with the server at the
# other end costs the link and nothing else: requests go on as before, no
# phase moves, the status says so, and the reason is in the log once.
# Method: a real Redis that is given one certificate after the other while
# nginx runs; openssl's own server to read what is sent.  Each certificate
# that is refused is taken again with tls_verify=off.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Certs;
use Test::Recovery::Process qw(group_kill reap spawn);
use Test::Recovery::Watch qw(links slowest statuses);

my $t = Test::Recovery->new()->plan(112);
my $certs = Test::Recovery::Certs->new($t);

$certs->ca('ca')->ca('foreign');

my %names = (good => 'DNS:localhost,IP:127.0.0.1', name => 'DNS:localhost',
             address => 'IP:127.0.0.1', other => 'DNS:other.test,IP:127.0.0.9',
             wild => 'DNS:*.test', client => 'DNS:client.test');

$certs->cert($_, ca => 'ca', names => $names{$_}) for sort keys %names;
$certs->cert('stranger', ca => 'foreign', names => $names{good});
$certs->cert('expired', ca => 'ca', names => $names{good}, expired => 1);

$t->backend(8081);
$t->write_file('password', "S3cr3t\n");
chmod 0600, $certs->file('password');

my $redis = $t->redis_start(conf => $t->expand(<<'EOF2'));
tls-port %%PORT_6380%%
tls-cert-file %%TESTDIR%%/good.crt
tls-key-file %%TESTDIR%%/good.key
tls-ca-cert-file %%TESTDIR%%/ca.crt
tls-auth-clients no
EOF2

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    WORDS poll=100ms timeout=1s;
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

my $CA = 'tls_ca=%%TESTDIR%%/ca.crt';
my $NAME = 'rediss://localhost:%%PORT_6380%%';
my $ADDRESS = 'rediss://127.0.0.1:%%PORT_6380%%';
my $OWN = 'tls_cert=%%TESTDIR%%/client.crt tls_key=%%TESTDIR%%/client.key';


sub configure {
    my ($words) = @_;

    $t->write_file_expand('nginx.conf', $conf =~ s/WORDS/$words/r);
    $t->master() ? $t->reload() : $t->run();
}


# the next connection sees it; what is connected is cut off

sub serve {
    my ($cert, %o) = @_;

    $t->redis('CONFIG', 'SET', 'tls-cert-file', $certs->file("$cert.crt"),
              'tls-key-file', $certs->file("$cert.key"),
              'tls-auth-clients', $o{clients} // 'no');
    cut();
}


sub cut {
    $t->redis('CLIENT', 'KILL', 'TYPE', $_, 'SKIPME', 'yes')
        for qw(pubsub normal);
}


sub state { $t->status()->{redis}{state} }

sub connected {
    return $t->wait_for(sub {
        state() eq 'connected'
        && $t->redis('PUBSUB', 'NUMSUB', 'recovery:changed')->[1] == 1
        && links($t, 6380) == 2
    }, 'connected', 30);
}


sub listens {
    my ($label) = @_;

    $t->health('bad', 'recovering');
    ok($t->wait_phase('bad', 'probing'), "$label: recovering");
    $t->health('bad', 'down');
    ok($t->wait_phase('bad', 'down'), "$label: down");
}


sub events {
    return join ' ', map { scalar @{$t->backend_status($_)->{events}} }
                     qw(good bad);
}


# What is so with every fault.  begin brings it about, end puts it right; the
# log says why.

sub fault {
    my ($name, $why, %o) = @_;

    ok(connected(), "$name: connected before");

    my $events = events();
    my $watch = Test::Recovery::Watch->new($t);
    my $load = $t->load(rate => 40, uris => ['/good', '/bad'], timeout => 30);

    $o{begin}->();

    ok($t->wait_for(sub { $watch->said($why) }, $why, 20),
       "$name: the log says why");
    ok($t->wait_for(sub { state() eq 'disconnected' }, 'disconnected'),
       "$name: the status says so");
    ok($t->wait_for(sub {
        $t->backend_status('good')->{health_age_ms} > 600
    }, 'the age to grow'), "$name: health ages");
    cmp_ok(scalar $watch->said($why), '<=', $o{times} // 1,
           "$name: not said again and again");

    my $r = $load->stop();

    is_deeply([map { keys %{statuses($r, $_)} } qr/good/, qr/bad/],
              [200, 503], "$name: requests as before");
    cmp_ok(slowest($r), '<', 1 * slow(), "$name: none waited");
    is(events(), $events, "$name: no phase moved");

    $o{end}->();
    ok(connected(), "$name: connected again");
}


# by name, by address, and with the certificates of this machine

$t->redis('HSET', 'recovery:good', 'health', 'up');
$t->redis('HSET', 'recovery:bad', 'health', 'down');

configure("$NAME $CA");
ok(connected(), 'by name: connected');
is(scalar(links($t, 6379)), 0, 'by name: nothing goes another way');
listens('by name');
like($t->status()->{redis}{address}, qr/:@{[$t->port(6380)]}$/,
     'by name: address');

serve('name');
ok(connected(), 'by name: the name is enough');

configure("$ADDRESS $CA");
ok($t->wait_log(qr/certificate of the server is not one of "127\.0\.0\.1"/),
   'by address: the name is not enough');
serve('address');
ok(connected(), 'by address: connected');
listens('by address');

configure("$NAME $CA");
ok($t->wait_log(qr/certificate of the server is not one of "localhost"/),
   'by name: the address is not enough');
serve('good');
ok(connected(), 'both: connected');

my $watch = Test::Recovery::Watch->new($t);

configure($NAME);
ok($t->wait_for(sub { $watch->said(qr/server refused: self-signed cert/) }),
   'without tls_ca: not of an authority that this machine knows');

# certificates of the server

configure("$NAME $CA");

my %why = (
    other => qr/recovery_redis.*certificate of the server is not one of "loc/,
    wild => qr/recovery_redis.*certificate of the server is not one of "local/,
    stranger => qr/recovery_redis.*server refused: unable to verify/,
    expired => qr/recovery_redis.*server refused: certificate has expired/,
);

for my $cert (sort keys %why) {
    fault($cert, $why{$cert}, begin => sub { serve($cert) },
          end => sub { serve('good') });

    configure("$NAME tls_verify=off");
    serve($cert);
    ok(connected(), "$cert: taken with tls_verify=off");
    serve('good');
    configure("$NAME $CA");
}

listens('after all');

# our own certificate; that ours is refused is told late, and may come after
# the end of the connection, which is another reason

fault('no certificate of ours', qr/recovery_redis.*TLS has failed \(SSL: /,
      times => 3, begin => sub { serve('good', clients => 'yes') },
      end => sub { configure("$NAME $CA $OWN") });

listens('with our certificate');

fault('one that it does not know', qr/recovery_redis.*TLS has failed .*ca/,
      times => 3, begin => sub {
          configure("$NAME $CA " . $OWN =~ s/client/stranger/gr);
          cut();
      },
      end => sub { configure("$NAME $CA $OWN") });

serve('good');

# other ends

my $other;

for my $row (['not TLS', qr/TLS has failed \(SSL: .*wrong version number/,
              sub { my ($s) = @_; sysread $s, my $buf, 1;
                    syswrite $s, "-ERR what?\r\n"; sleep 1 }],
             ['silent', qr/no answer in time \(110: .*securing/, undef],
             ['hangs up', qr/recovery_redis.*closed the connection/,
              sub { my ($s) = @_; sysread $s, my $buf, 1 }])
{
    my ($name, $why, $code) = @$row;

    fault($name, $why, begin => sub {
        $other = $t->daemon(6390, sub {
            my ($listen) = @_;
            my @kept;

            while (my $s = $listen->accept()) {
                $code ? $code->($s) : push @kept, $s;
            }
        });
        configure('rediss://localhost:%%PORT_6390%% ' . $CA);
    }, end => sub {
        $t->daemon_stop($other);
        configure("$NAME $CA");
    });
}

$watch = Test::Recovery::Watch->new($t);
configure($NAME =~ s/rediss/redis/r);
ok($t->wait_for(sub { $watch->said(qr/\[(?:warn|error)\].*recovery_redis/) }),
   'redis:// to a port of TLS: said');
ok($t->wait_for(sub { state() eq 'disconnected' }, 'disconnected'),
   'redis:// to a port of TLS: not connected');

# What is sent: to somebody else nothing, not even a password.  The name that
# is asked for is told, an address is not.


sub overheard {
    my ($words, $cert, $until) = @_;

    my $file = $certs->file('s_server.log');

    unlink $file;

    my $pid = spawn(cmd => ['sh', '-c', 'sleep 600 | stdbuf -o0 "$@"', 'sh',
                            qw(openssl s_server -tlsextdebug -port),
                            $t->port(6391), '-cert', $certs->file("$cert.crt"),
                            '-key', $certs->file("$cert.key")],
                    stdout => $file, stderr => $file);

    $words =~ s/6380/6391/;
    configure("$words password_file=%%TESTDIR%%/password");

    my $seen = $t->wait_for(sub { $until->(my $said = slurp($file)) },
                            'what is overheard', 20);
    my $said = slurp($file);

    group_kill('KILL', $pid);
    reap($pid, 5);

    ok($seen, "$words: overheard");

    return $said;
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;
    return scalar(<$fh>) // '';
}


$watch = Test::Recovery::Watch->new($t);

my $said = overheard("$NAME $CA", 'other', sub {
    $watch->said(qr/not one of "localhost"/);
});

like($said, qr/server name/, 'SNI: a name is told');
like($said, qr/localhost/, 'SNI: that of the URI');
unlike($said, qr/AUTH|S3cr3t/, 'no word to a stranger');

$said = overheard("$NAME tls_verify=off", 'other', sub { $_[0] =~ /S3cr3t/ });
like($said, qr/AUTH/, 'but to whom is not looked at');

$watch = Test::Recovery::Watch->new($t);
$said = overheard("$ADDRESS $CA", 'other', sub {
    $watch->said(qr/not one of "127\.0\.0\.1"/);
});
unlike($said, qr/server name/, 'SNI: an address is not told');
