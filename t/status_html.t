#!/usr/bin/perl

# Goal: the page for people works in any browser without a script and asks
# nobody for anything: a table that refreshes itself, under a strict
# Content-Security-Policy.  What its script needs is in it, or at the same
# address, as JSON.
# Method: headers and text of the page in a healthy state and in an outage.
# t/page*.t look at it with a browser.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(30);

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
unlike($csp, qr/unsafe-inline/, 'CSP: nothing inline but by its hash');
like($csp, qr/script-src 'sha256-[^;' ]+';/, 'CSP: one script');
like($csp, qr/style-src 'sha256-[^;' ]+';/, 'CSP: one style');
like($csp, qr/connect-src 'self';/, 'CSP: asks its own origin');
like($csp, qr/base-uri 'none'; form-action 'none'/, 'CSP: nothing else');

my $page = $r->{body};
like($page, qr/^<!doctype html>/i, 'a page');
like($page, qr/<html[^>]* lang=/i, 'with its language');
like($page, qr/<title>[^<]+<\/title>/, 'with a title');
like($page, qr/<table/, 'a table');
like($page, qr/kv-store/, 'a backend');
like($page, qr/d1/, 'another one');

my $markup = $page =~ s{(<(script|style)\b[^>]*>).*?(</\2>)}{$1$3}gsr;

is(scalar(() = $markup =~ /<script/gi), 2, 'a script, and what it reads');
unlike($markup, qr/<[^>]*\bon\w+=/i, 'no handler');
unlike($markup, qr{(?:src|href|action)\s*=\s*["']?(?:https?:)?//}i,
       'nothing from elsewhere');
like($page, qr/<noscript><meta http-equiv="refresh" content="\d+">/,
     'refreshes itself where there are no scripts');

my ($fields) = $page
    =~ m{<script type="application/json" id="fields">(.*?)</script>}s;
my %field = map { $_->[0] => $_ }
            @{JSON::PP->new->decode($fields)->{backend}};

is_deeply($field{phase_age_ms}, ['phase_age_ms', 'In this phase for', 'ms'],
          'the script is told of a field');
is_deeply($field{classes}[3][0], ['name', 'Class', 'text'],
          'and of those inside');

my $json = $t->http_get('/recovery/?format=json');
like($json->{headers}{'content-type'}, qr{^application/json}, 'JSON for it');
is($json->{headers}{'content-security-policy'}, undef, 'which has no policy');
is_deeply([sort keys %{JSON::PP->new->decode($json->{body})->{backends}}],
          ['d1', 'kv-store'], 'with the backends');
like($t->http_get('/recovery/?format=xml')->{headers}{'content-type'},
     qr{^text/html}, 'any other format is the page');

$t->health('kv-store', 'down');
ok($t->wait_phase('kv-store', 'down'), 'down');
like($t->http_get('/recovery/')->{body}, qr/\bdown\b/, 'the page says so');

is($t->http_get('/recovery/', method => 'HEAD')->{status}, 200, 'head');
is($t->http_get('/recovery/', method => 'HEAD')->{body}, '', 'head: no body');
is($t->http_get('/recovery/', method => 'POST', body => 'x')->{status}, 405,
   'POST is refused');
