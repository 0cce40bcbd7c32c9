#!/usr/bin/perl

# Goal: hundreds of reconnects over TLS leave no descriptor and no memory
# behind, whether a connection was of use or its handshake has failed.
# Method: as in redis_reconnect.t; then a server whose certificate is refused
# is tried over and over.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Certs;
use Test::Recovery::Reconnect qw(leader reconnects);
use Test::Recovery::Watch qw(fd_count);

my $RECONNECTS = 500;
my $GROWTH_KB = $ENV{ASAN_OPTIONS} ? 65536 : 4096;

my $t = Test::Recovery->new()->plan(8);
my $certs = Test::Recovery::Certs->new($t);

$certs->ca('ca')->cert('good', ca => 'ca', names => 'DNS:localhost')
      ->cert('other', ca => 'ca', names => 'DNS:other.test');

$t->redis_start(conf => $t->expand(<<'EOF2'));
tls-port %%PORT_6380%%
tls-cert-file %%TESTDIR%%/good.crt
tls-key-file %%TESTDIR%%/good.key
tls-ca-cert-file %%TESTDIR%%/ca.crt
tls-auth-clients no
EOF2

my $uris = join ' ', ('rediss://localhost:%%PORT_6380%%') x 8;

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    $uris poll=50ms timeout=1s tls_ca=%%TESTDIR%%/ca.crt;
    recovery_backend  kv { initial down; }
}

EOF2

$t->run();

my $seen = reconnects($t, 6380, $RECONNECTS);

cmp_ok($seen->{done}, '>=', $RECONNECTS,
       "$seen->{done} reconnects in $seen->{rounds} rounds");
is($seen->{leaked}, 0, 'no descriptor more or less');
cmp_ok($seen->{most}, '<=', 2, 'never more than two connections');

# refused: eight of them at once, then a pause

my $leader = $t->wait_for(sub { leader($t, 6380) }, 'a leader', 30);
my $fds = fd_count($leader);
my $watch = Test::Recovery::Watch->new($t, pids => [$leader]);

$t->redis('CONFIG', 'SET', 'tls-cert-file', $certs->file('other.crt'),
          'tls-key-file', $certs->file('other.key'));

my $before = received();

$t->redis('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
ok($t->wait_for(sub { received() - $before >= 24 }, '24 handshakes', 40),
   'refused over and over');
ok($t->wait_for(sub { fd_count($leader) <= $fds - 2 }),
   'no descriptor for what is refused') or diag(fd_count($leader), " $fds");
cmp_ok($watch->grown_kb(), '<', $GROWTH_KB, 'no memory');

$t->redis('CONFIG', 'SET', 'tls-cert-file', $certs->file('good.crt'),
          'tls-key-file', $certs->file('good.key'));
is($t->wait_for(sub { leader($t, 6380) }, 'a leader', 30), $leader,
   'the same one is connected again');
is(fd_count($leader), $fds, 'no descriptor more or less');


sub received {
    my ($count) = $t->redis('INFO', 'stats')
                  =~ /^total_connections_received:(\d+)/m;

    return $count;
}
