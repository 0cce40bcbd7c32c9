#!/usr/bin/perl

# Goal: what auth_request asks is shed, and the request that waits for it is
# shed with the same status, Retry-After and error_page as if it had been
# shed itself: any page of 503, the connection kept, no error in the log.  An
# auth location with a fallback of its own is left to it.
# Method: each kind over HTTP/1.1 on one connection, and over HTTP/2.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

# uri, status, what the body must be like

my @kinds = (
    ['/plain',        503, qr/503 Service/, 'no page'],
    ['/page',         503, qr/^sorry$/,     'a static page'],
    ['/named',        200, qr/GET \/named/, 'a named location'],
    ['/uri',          200, qr/GET/,         'a location by uri'],
    ['/named-kept',   503, qr/GET/,         'named, the status kept'],
    ['/twice',        503, qr/503 Service/, 'a fallback with the same auth'],
    ['/own',          200, qr/GET \/own/,   'a fallback of the auth itself'],
    ['/own-page',     503, qr/503 Service/, 'a page of the auth itself'],
    ['/any',          503, qr/503 Service/, 'satisfy any'],
    ['/any-local',    200, qr/GET/,         'satisfy any, let in by address'],
    ['/forbidden',    403, qr/403/,         'turned away before'],
    ['/off',          200, qr/GET/,         'no auth'],
);

my $h2 = grep { -x "$_/nghttp" } split /:/, $ENV{PATH};

my $t = Test::Recovery->new()->plan(4 * @kinds + 6);

my $b = $t->backend(8081);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_backend kv { initial down; }

    server {
        listen        127.0.0.1:%%PORT_8080%%;
        listen        127.0.0.1:%%PORT_8082%% http2;
        root          %%TESTDIR%%;
        auth_request  /auth;

        location /plain { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /page  { error_page 503 /sorry.html;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /named { error_page 503 = @free;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /uri   { error_page 503 = /off;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /named-kept { error_page 503 @free;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /twice { error_page 503 = @twice;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /own   { auth_request /auth-own;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /own-page { auth_request /auth-page;
                             proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /any   { satisfy any; deny all;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /any-local { satisfy any; allow 127.0.0.1;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /forbidden { deny all; }
        location /off   { auth_request off;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location @free  { auth_request off;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location @twice { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location = /sorry.html { auth_request off; }

        location = /auth { internal; recovery kv;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location = /auth-own  { internal; recovery kv; error_page 503 = @free;
                                proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location = /auth-page { internal; recovery kv;
                                error_page 503 /sorry.html;
                                proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->write_file('sorry.html', 'sorry');
$t->run();

my $h = $t->http_connect();

for my $kind (@kinds) {
    my ($uri, $status, $body, $what) = @$kind;

    my $r = $t->http_get($uri, socket => $h, timeout => 5);

    is($r->{status}, $status, "$what: status");
    like($r->{body}, $body, "$what: body");
    is($r->{headers}{'retry-after'} // 0 > 0 ? 1 : 0, $status == 503 ? 1 : 0,
       "$what: Retry-After with 503 only");

    SKIP: {
        skip('nghttp is not installed', 1) unless $h2;
        is($t->h2($uri, port => 8082)->{status}, $status, "$what: HTTP/2");
    }
}

is($t->http_get('/off', socket => $h)->{status}, 200,
   'all of it on one connection');
$t->http_close($h);

my $r = $t->http_get('/plain', method => 'POST', body => 'x' x 100_000);
is($r->{status}, 503, 'with a body');

$r = $t->http_get('/plain', method => 'HEAD');
is($r->{status}, 503, 'HEAD');

$r = $t->http_get('/plain', method => 'POST', body => 'xx',
                  headers => { 'Content-Type' => 'application/grpc' });
is($r->{headers}{'grpc-status'}, 14, 'a gRPC call is told in its own terms');

is(scalar $t->grep_file('error.log', qr/unexpected status/), 0,
   'no error in the log for each of them');
is($b->count('/auth'), 0, 'the backend of the auth was not asked');
