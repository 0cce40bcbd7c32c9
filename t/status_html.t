#!/usr/bin/perl

# Goal: the page for people works in any browser without a script and asks
# nobody for anything: a table that refreshes itself, under a strict
# Content-Security-Policy.
# Method: headers and text of the page in a healthy state and in an outage.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(20);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_backend  kv-store { }
    recovery_backend  d1 { }

    server {
        listen      127.0.0.1:%%PORT_8080%%;

        location = /recovery/ { recovery_status html; }
    }
}

EOF2

$t->run();

my $r = $t->http_get('/recovery/');

is($r->{status}, 200, 'status');
like($r->{headers}{'content-type'}, qr{^text/html; charset=utf-8$}i, 'type');

my $csp = $r->{headers}{'content-security-policy'} // '';
like($csp, qr/default-src 'none'/, 'CSP: nothing by default');
unlike($csp, qr/unsafe-eval|\*/, 'CSP: no hole');
unlike($csp, qr/script-src[^;]*unsafe-inline/, 'CSP: no inline script');

my $page = $r->{body};
like($page, qr/^<!doctype html>/i, 'a page');
like($page, qr/<html[^>]* lang=/i, 'with its language');
like($page, qr/<title>[^<]+<\/title>/, 'with a title');
like($page, qr/<table/, 'a table');
like($page, qr/kv-store/, 'a backend');
like($page, qr/d1/, 'another one');
unlike($page, qr/<script/i, 'no script');
unlike($page, qr/\bon\w+=/i, 'no handler');
unlike($page, qr{(?:src|href|action)\s*=\s*["']?(?:https?:)?//}i,
       'nothing from elsewhere');
ok($page =~ /http-equiv=["']?refresh/i || $r->{headers}{refresh},
   'refreshes itself');

$t->health('kv-store', 'down');
ok($t->wait_phase('kv-store', 'down'), 'down');
like($t->http_get('/recovery/')->{body}, qr/\bdown\b/, 'the page says so');

is($t->http_get('/recovery/', method => 'HEAD')->{status}, 200, 'head');
is($t->http_get('/recovery/', method => 'HEAD')->{body}, '', 'head: no body');
is($t->http_get('/recovery/', method => 'POST', body => 'x')->{status}, 405,
   'POST is refused');
