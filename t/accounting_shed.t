#!/usr/bin/perl

# Goal: shed once is shed for good.  error_page may serve a static page or go
# where "recovery off" or another backend lets it pass, but it is no way round
# the gate; the request is counted once, and whoever is told 503 is told when
# to come back.
# Method: "kv" is down, "d1" is up; one request of each kind, the counters
# before and after it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new();

# uri; status, Retry-After; kv shed, kv passed, d1 passed; backend; body

my @cases = (
    ['/plain',        503, 1, 1, 0, 0, 0, qr/503 Service/, 'plain'],
    ['/static',       503, 1, 1, 0, 0, 0, qr/^page$/,
     'error_page with a static page'],
    ['/static-200',   200, 0, 1, 0, 0, 0, qr/^page$/,
     'the same as 200'],
    ['/proxy',        503, 1, 1, 0, 0, 0, qr/503 Service/,
     'error_page to a proxy on the same backend'],
    ['/proxy-named',  503, 1, 1, 0, 0, 0, qr/503 Service/,
     'the same, named'],
    ['/recursive',    500, 0, 1, 0, 0, 0, qr/500 Internal/,
     'a loop of it ends'],
    ['/off',          200, 0, 1, 0, 0, 1, qr/GET/,
     'error_page where recovery is off'],
    ['/other',        200, 0, 1, 0, 1, 1, qr/GET/,
     'error_page to another backend'],
    ['/other-503',    503, 1, 1, 0, 1, 1, qr/GET/,
     'the same, the status kept'],
    ['/try/none',     503, 1, 1, 0, 0, 0, qr/503 Service/, 'try_files'],
    ['/try-off/none', 503, 1, 1, 0, 0, 0, qr/503 Service/,
     'try_files out of no backend'],
    ['/accel',        503, 1, 1, 0, 1, 1, qr/503 Service/,
     'X-Accel-Redirect from another backend'],

    ['/auth',         503, 1, 1, 0, 0, 0, qr/503 Service/,
     'auth_request'],
    ['/auth-other',   503, 1, 1, 0, 1, 0, qr/503 Service/,
     'auth_request, the main request on another backend'],
    ['/auth-page',    503, 1, 1, 0, 0, 0, qr/^page$/,
     'auth_request, error_page 503'],
    ['/auth-50x',     503, 1, 1, 0, 0, 0, qr/^page$/,
     'auth_request, one error_page for all'],
    ['/auth-fail',    500, 0, 0, 0, 1, 1, qr/500 Internal/,
     'auth_request that fails by itself'],
    ['/ssi/in',       200, 0, 1, 0, 0, 1, qr/GET.*503 Service/s,
     'SSI of a page that is served'],
    ['/ssi-other/in', 200, 0, 1, 0, 1, 1, qr/GET.*503 Service/s,
     'SSI, the main request on another backend'],
    ['/mirror',       200, 0, 1, 0, 0, 1, qr/GET/, 'mirror'],
    ['/mirror/500',   500, 0, 1, 0, 0, 1, qr/GET/,
     'mirror, the main request fails by itself'],
    ['/mirror/503',   503, 0, 1, 0, 0, 1, qr/GET/,
     'mirror, the main request is refused by itself'],
    ['/in/page.html', 503, 1, 1, 0, 0, 0, qr/503 Service/,
     'a file, governed'],
);

$t->plan(2 + 5 * @cases + 4);

my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%%;

    recovery_backend kv { }
    recovery_backend d1 { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        root    %%TESTDIR%%/html;

        location /plain { recovery kv;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /in/   { recovery kv; alias %%TESTDIR%%/html/; }

        location /static     { recovery kv; error_page 503 /page.html;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /static-200 { recovery kv; error_page 503 =200 /page.html;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location = /page.html { recovery kv; }

        location /proxy       { recovery kv; error_page 503 = /plain;
                                proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /proxy-named { recovery kv; error_page 503 = @plain;
                                proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location @plain       { recovery kv;
                                proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /recursive {
            recovery               kv;
            recursive_error_pages  on;
            error_page             503 = /recursive;
            proxy_pass             http://127.0.0.1:%%PORT_8081%%;
        }

        location /off       { recovery kv; error_page 503 = @off;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location @off       { recovery off;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /other     { recovery kv; error_page 503 = @other;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /other-503 { recovery kv; error_page 503 @other;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location @other     { recovery d1;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /try/      { recovery kv; try_files $uri /plain; }
        location /try-off/  { try_files $uri @plain; }
        location /accel     { recovery d1;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /auth       { auth_request /login;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /auth-other { recovery d1; auth_request /login;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /auth-page  { auth_request /login;
                               error_page 503 /page.html;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /auth-50x   { auth_request /login;
                               error_page 500 502 503 504 /page.html;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /auth-fail  { auth_request /login-d1;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /login      { recovery kv;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /login-d1   { recovery d1;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /ssi/       { ssi on; ssi_types *; }
        location /ssi-other/ { ssi on; ssi_types *; recovery d1;
                               alias %%TESTDIR%%/html/ssi/; }
        location /free       { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /mirror     { mirror /plain;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

mkdir $t->dir() . "/html$_" for '', '/ssi';

$t->write_file('html/page.html', "page\n");
$t->write_file('html/ssi/in', join "\n", map {
    "<!--# include virtual=\"$_\" -->"
} qw(/free /plain?1 /plain?2 /plain?3));

$b->set_path('/accel', header => 'X-Accel-Redirect: /plain');
$b->set_path('/login-d1', status => 500);
$b->set_path("/mirror/$_", status => $_) for 500, 503;

$t->run();
$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'kv is down');
ok($t->wait_phase('d1', 'up'), 'd1 is up');

sub counters {
    my $s = $t->status();
    my %n;

    for my $name (qw(kv d1)) {
        for my $class (@{$s->{backends}{$name}{classes}}) {
            $n{"$name $_"} += $class->{$_} for qw(offered passed shed);
        }
    }

    return \%n;
}

for my $case (@cases) {
    my ($uri, $status, $after, $shed, $kv, $d1, $seen, $body, $what) = @$case;

    my $before = counters();
    $b->reset();

    my $r = $t->http_get($uri);

    is($r->{status}, $status, "$what: status");
    is($r->{headers}{'retry-after'} ? 1 : 0, $after, "$what: Retry-After");
    like($r->{body}, $body, "$what: body");

    my ($now, %by);

    $t->wait_for(sub {
        $now = counters();
        %by = map { $_ => $now->{$_} - $before->{$_} } keys %$now;
        return $by{'kv shed'} == $shed;
    }, $what, 2);

    is("$by{'kv offered'} $by{'kv shed'} $by{'kv passed'} $by{'d1 passed'}",
       ($shed + $kv) . " $shed $kv $d1", "$what: counted");
    is($b->count(), $seen, "$what: seen by the backend");
}

# a request with a body, shed and led to a fallback, on one connection

my $h = $t->http_connect();

is($t->http_get('/static', socket => $h, method => 'POST',
                body => 'x' x 3000)->{status}, 503, 'POST to a static page');
is($t->http_get('/off', socket => $h, method => 'POST',
                body => 'x' x 3000)->{status}, 200, 'POST to a fallback');
is($b->requests()->[-1]{body_len}, 3000, 'which gets all of it');
$t->http_close($h);

is(join(' ', map { $_->{in_flight} } values %{$t->status()->{backends}}),
   '0 0', 'none in flight');
