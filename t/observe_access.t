#!/usr/bin/perl

# Goal: a request that fails before it comes to its content proves nothing of
# its backend: a dead service behind auth_request must not send a backend
# that is well back to probing.
# Method: an auth service that refuses and one that answers 500, each asked
# where no recovery is; the results counted for the backend.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

# uri, status, results for kv (ok error timeout)

my @kinds = (
    ['/refused', 500, '0 0 0', 'auth_request, refused'],
    ['/broken',  500, '0 0 0', 'auth_request, answers 500'],
    ['/page',    500, '0 0 0', 'auth_request, refused, with a page'],
    ['/denied',  403, '0 0 0', 'denied'],
    ['/fine',    200, '1 0 0', 'auth_request, allowed'],
    ['/file',    200, '1 0 0', 'a file'],
    ['/index/',  200, '1 0 0', 'an index'],
    ['/none',    404, '0 0 0', 'no such file'],
    ['/try/x',   200, '1 0 0', 'try_files'],
);

my $t = Test::Recovery->new()->plan(2 * @kinds);

$t->backend(8081);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_backend kv { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        root    %%TESTDIR%%/html;

        location /refused { recovery kv; auth_request /auth;
                            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /broken  { recovery kv; auth_request /auth-500;
                            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /page    { recovery kv; auth_request /auth;
                            error_page 500 /sorry;
                            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /denied  { recovery kv; deny all; }
        location /fine    { recovery kv; auth_request /auth-200;
                            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /file    { recovery kv; }
        location /index/  { recovery kv; }
        location /none    { recovery kv; }
        location /try/    { recovery kv; try_files /file =404; }
        location /sorry   { }

        location = /auth     { internal;
                               proxy_pass http://127.0.0.1:%%PORT_8082%%; }
        location = /auth-500 { internal; proxy_pass
                               http://127.0.0.1:%%PORT_8081%%/?status=500; }
        location = /auth-200 { internal;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

mkdir $t->dir() . "/html$_" for '', '/index';
$t->write_file("html/$_", "text\n") for qw(file sorry index/index.html);

$t->run();

sub results {
    my $m = $t->metrics();

    return map { $m->value('nginx_recovery_upstream_responses_total',
                           backend => 'kv', result => $_) }
           qw(ok error timeout);
}

for my $kind (@kinds) {
    my ($uri, $status, $expected, $what) = @$kind;

    my @before = results();
    is($t->http_get($uri)->{status}, $status, "$what: status");

    my $got = '';

    $t->wait_for(sub {
        my @now = results();
        $got = join ' ', map { $now[$_] - $before[$_] } 0 .. 2;
        return $got eq $expected;
    }, "$what: results");

    is($got, $expected, "$what: results");
}
