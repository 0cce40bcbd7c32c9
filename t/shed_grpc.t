#!/usr/bin/perl

# Goal: a shed gRPC call is answered in the client's own terms: HTTP 200,
# grpc-status 14 (UNAVAILABLE), no body, and Retry-After.  What merely looks
# like it is answered as any other request.
# Method: calls over HTTP/2 as a gRPC client makes them, and over HTTP/1.1.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

plan(skip_all => 'nghttp is not installed (nghttp2-client)')
    unless grep { -x "$_/nghttp" } split /:/, $ENV{PATH};

my $t = Test::Recovery->new()->plan(21);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_backend  kv { }

    server {
        listen    127.0.0.1:%%PORT_8080%%;
        listen    127.0.0.1:%%PORT_8082%% http2;
        recovery  kv;

        location / {
            grpc_pass  grpc://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();
$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');

sub call {
    my ($type) = @_;
    return $t->h2('/store.KV/Get', port => 8082, method => 'POST',
                  headers => { 'content-type' => $type, te => 'trailers' },
                  body => 'x' x 20);
}

for my $type ('application/grpc', 'application/grpc+proto') {
    my $r = call($type);

    is($r->{status}, 200, "$type: HTTP status");
    is($r->{headers}{'grpc-status'}, 14, "$type: grpc-status");
    like($r->{headers}{'grpc-message'}, qr/\S/, "$type: grpc-message");
    like($r->{headers}{'content-type'}, qr{^application/grpc}, "$type: type");
    like($r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, "$type: Retry-After");
    is($r->{bytes}, 0, "$type: no body");
}

my $r = $t->http_get('/store.KV/Get', method => 'POST', body => 'xx',
                     headers => { 'Content-Type' => 'application/grpc' });
is($r->{status}, 200, 'HTTP/1.1: status');
is($r->{headers}{'grpc-status'}, 14, 'HTTP/1.1: grpc-status');
is($r->{body}, '', 'HTTP/1.1: no body');

for my $type ('application/json', 'text/plain') {
    $r = call($type);
    is($r->{status}, 503, "$type: 503");
    is($r->{headers}{'grpc-status'}, undef, "$type: no grpc-status");
}

is($t->class_status('kv', 'normal')->{shed}, 5, 'all are counted as shed');
