#!/usr/bin/perl

# Goal: the gate of upstream {} stands in front of every balancer and of
# keepalive, wherever "recovery" is in the block, for every protocol that
# has upstreams, and TLS sessions are still reused.
# Method: one upstream for each kind; up, each is decided once and answers;
# down, each answers 503 without a connection.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $A = 'server 127.0.0.1:%%PORT_8081%%;';
my $B = 'server 127.0.0.1:%%PORT_8084%%;';
my $G = 'recovery kv;';

my %kinds = (
    'one'              => "$G $A",
    'several'          => "$A $G $B",
    'backup'           => "$G $A server 127.0.0.1:%%PORT_8084%% backup;",
    'keepalive-after'  => "$G $A keepalive 4;",
    'keepalive-before' => "$A keepalive 4; $G",
    'least-after'      => "$G least_conn; $A $B",
    'least-before'     => "least_conn; $A $B $G",
    'least-keepalive'  => "$G least_conn; $A $B keepalive 4;",
    'hash-after'       => "$G hash \$uri; $A $B",
    'hash-consistent'  => "hash \$uri consistent; $A $B $G",
    'hash-keepalive'   => "$A $B $G hash \$uri; keepalive 4;",
    'ip-hash'          => "$G ip_hash; $A $B",
    'random'           => "$G random; $A $B",
    'random-two'       => "random two least_conn; zone z2 64k; $A $B $G",
    'zone'             => "$G zone z1 64k; $A $B",
    'zone-keepalive'   => "zone z3 64k; $A $B keepalive 4; $G",
    'max-conns'        => "$G server 127.0.0.1:%%PORT_8081%% max_conns=5;",
);

my @kinds = sort keys %kinds;
my @protocols = qw(fastcgi uwsgi scgi memcached grpc);

my $t = Test::Recovery->new();

my $tls = system('openssl version > /dev/null 2>&1') == 0;

$t->plan(4 * @kinds + 4 * @protocols + 16);

my $b = $t->backend(8081);
my $b2 = $t->backend(8084);

$t->redis_start();

my $upstreams = join "\n    ",
    map { "upstream u-$_ { $kinds{$_} }" } @kinds;
my $locations = join "\n        ",
    map { "location /$_ { proxy_pass http://u-$_; }" } @kinds;

my $tls_client = '';
my $tls_server = '';

if ($tls) {
    system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x'
           . ' -keyout ' . $t->dir() . '/key -out ' . $t->dir() . '/cert'
           . ' > /dev/null 2>&1') == 0 or die 'openssl';

    # from 1.29.7 on nginx keeps connections unless it is told not to

    $tls_client = 'location /tls { proxy_set_header Connection close;'
                  . ' proxy_pass https://tls; }';
    $tls_server = <<'EOF2';
    server {
        listen               127.0.0.1:%%PORT_8086%% ssl;
        ssl_certificate      %%TESTDIR%%/cert;
        ssl_certificate_key  %%TESTDIR%%/key;
        ssl_session_cache    shared:s:1m;
        ssl_protocols        TLSv1.2;
        location / { return 200 "reused $ssl_session_reused\n"; }
    }
EOF2
}

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_backend  kv { }

    $upstreams

    upstream fastcgi   { server 127.0.0.1:%%PORT_9001%%; recovery kv; }
    upstream uwsgi     { server 127.0.0.1:%%PORT_9002%%; recovery kv; }
    upstream scgi      { server 127.0.0.1:%%PORT_9003%%; recovery kv; }
    upstream memcached { server 127.0.0.1:%%PORT_9004%%; recovery kv; }
    upstream grpc      { server 127.0.0.1:%%PORT_8085%%; recovery kv;
                         keepalive 4; }
    upstream tls       { server 127.0.0.1:%%PORT_8086%%; recovery kv; }

    add_header  X-Up "\$upstream_addr" always;

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        proxy_http_version  1.1;
        proxy_set_header    Connection "";

        $locations

        location /variable { proxy_pass http://u-\$arg_name; }

        location /fastcgi   { fastcgi_pass fastcgi; }
        location /uwsgi     { uwsgi_pass uwsgi; }
        location /scgi      { scgi_pass scgi; }
        location /memcached { set \$memcached_key x; memcached_pass memcached; }
        location /grpc      { grpc_pass grpc://grpc; }
        $tls_client
    }

    server {
        listen        127.0.0.1:%%PORT_8085%% http2;
        default_type  text/plain;
        location / { return 200 "hello\\n"; }
    }
    $tls_server
}

EOF2

# whatever is asked, the answer is the same

my $header = "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n";
my $record = sub { pack('CCnnCC', 1, $_[0], 1, length $_[1], 0, 0) . $_[1] };

my %answers = (
    9001 => $record->(6, $header) . $record->(6, '')
            . $record->(3, "\0" x 8),
    9002 => "HTTP/1.1 200 OK\r\n\r\nhello\n",
    9003 => $header,
    9004 => "VALUE x 0 6\r\nhello\n\r\nEND\r\n",
);

for my $port (sort keys %answers) {
    $t->daemon($port, sub {
        my ($listen) = @_;

        while (my $s = $listen->accept()) {
            sysread $s, my $in, 65536;
            syswrite $s, $answers{$port};
            close $s;
        }
    });
}

$t->run();

sub counted {
    my $c = $t->class_status('kv', 'normal');

    return ($c->{passed}, $c->{shed});
}

my $passed = 0;

for my $kind (@kinds) {
    $t->http_get("/$kind");
    is($t->http_get("/$kind")->{status}, 200, "$kind: up");
    $passed += 2;
    is(join(' ', counted()), "$passed 0", "$kind: decided once");
}

my $other = $kinds[-1];

is($t->http_get("/variable?name=$other")->{status}, 200, 'by a variable: up');
is(join(' ', counted()), ++$passed . ' 0', 'by a variable: decided once');

for my $protocol (@protocols) {
    my $r = $t->http_get("/$protocol");

    is("$r->{status} $r->{body}", "200 hello\n", "$protocol: up");
    is(join(' ', counted()), ++$passed . ' 0', "$protocol: decided once");
}

SKIP: {
    skip('openssl is not installed', 2) unless $tls;

    $t->http_get('/tls');
    is($t->http_get('/tls')->{body}, "reused r\n", 'TLS: a session is reused');
    $passed += 2;
    is(join(' ', counted()), "$passed 0", 'TLS: decided once');
}

is($t->metrics()->value('nginx_recovery_upstream_responses_total',
                        backend => 'kv', result => 'ok'), $passed,
   'as many results');
is($t->backend_status('kv')->{in_flight}, 0, 'no permit is left');

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
$_->reset() for $b, $b2;

my $shed = 0;

for my $uri ((map { "/$_" } @kinds), "/variable?name=$other",
             map { "/$_" } @protocols)
{
    my $r = $t->http_get($uri);

    is("$r->{status} $r->{headers}{'x-up'}", '503 recovery:shed',
       "$uri: down");
    is(join(' ', counted()), "$passed " . ++$shed, "$uri: shed once");
}

# a call of gRPC is told so in its own words

my %call = (method => 'POST', body => "\0\0\0\0\0",
            headers => { 'Content-Type' => 'application/grpc' });
my $r = $t->http_get('/grpc', %call);

is("$r->{status} $r->{headers}{'grpc-status'}", '200 14', 'gRPC: a call');
like($r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'gRPC: Retry-After');
is($r->{body}, '', 'gRPC: no body');

SKIP: {
    skip('openssl is not installed', 1) unless $tls;

    is($t->http_get('/tls')->{status}, 503, 'TLS: down');
}

is($b->count() + $b2->count(), 0, 'nothing of it has reached a server');
is($b->connections() + $b2->connections(), 0, 'there was no connection');
is($t->metrics()->sum('nginx_recovery_upstream_responses_total',
                      backend => 'kv'), $passed, 'and no result');
