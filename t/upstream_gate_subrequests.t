#!/usr/bin/perl

# Goal: the gate of upstream {} turns subrequests away without harm to what
# they belong to: a page keeps its other parts, a mirror is forgotten, a
# background update is tried again, an auth_request that is shed is told as
# 503 and not as 500; requests that wait for the same cache entry all end.
# Method: one request of each kind while "kv" is up and while it is down;
# what is shed and what has a result, before and after it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(83);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_backend  kv { }
    recovery_backend  d1 { }

    proxy_cache_path  %%TESTDIR%%/cache keys_zone=c:1m;

    upstream kv   { recovery kv; server 127.0.0.1:%%PORT_8081%% max_fails=0;
                    keepalive 4; }
    upstream free { server 127.0.0.1:%%PORT_8081%% max_fails=0; }

    add_header  X-Out   "$recovery_outcome" always;
    add_header  X-Cache "$upstream_cache_status" always;

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        root    %%TESTDIR%%/html;

        location /kv   { proxy_pass http://kv; }
        location /free { proxy_pass http://free; }
        location /stop { proxy_pass http://kv/kv?status=401; }

        location /ssi/   { ssi on; ssi_types *; }
        location /mirror { mirror /kv; proxy_pass http://free; }
        location /both   { mirror /kv; proxy_pass http://kv; }

        location /auth      { auth_request /kv; proxy_pass http://free; }
        location /auth-deny { auth_request /stop; proxy_pass http://free; }
        location /auth-page { auth_request /kv; proxy_pass http://free;
                              error_page 503 /page.html; }
        location /auth-500  { auth_request /kv; proxy_pass http://free;
                              error_page 500 /page.html; }
        location /auth-kv   { auth_request /free; proxy_pass http://kv; }
        location /auth-d1   { auth_request /kv; recovery d1;
                              proxy_pass http://free; }
        location /auth-loc  { auth_request /kv-loc; proxy_pass http://free; }
        location /kv-loc    { recovery kv; proxy_pass http://kv; }
        location = /page.html { }

        location /auth-stale { auth_request /stale; proxy_pass http://free; }
        location /stale      { proxy_cache c; proxy_cache_key stale;
                               proxy_cache_valid 200 1s;
                               proxy_cache_use_stale error;
                               proxy_pass http://kv; }

        location /update { proxy_cache c; proxy_cache_valid 200 1s;
                           proxy_cache_use_stale updating;
                           proxy_cache_background_update on;
                           proxy_pass http://kv; }

        location /lock   { proxy_cache c; proxy_cache_key $uri;
                           proxy_cache_valid 200 1h; proxy_cache_lock on;
                           proxy_pass http://kv; }
    }
}

EOF2

mkdir $t->dir() . "/html$_" for '', '/ssi';

my $include = '<!--# include virtual="%s" -->';

$t->write_file('html/page.html', "page\n");
$t->write_file('html/ssi/in', sprintf "a $include b $include c\n",
               '/kv', '/free');
$t->write_file('html/ssi/two', sprintf "a $include b $include c\n",
               '/kv?1', '/kv?2');

$t->run();

sub counted {
    my $c = $t->class_status('kv', 'normal');
    my $m = $t->metrics();

    return ($c->{passed}, $c->{shed},
            $m->sum('nginx_recovery_upstream_responses_total',
                    backend => 'kv'));
}

# uri, status, Retry-After, kv passed, shed, results, body

sub check {
    my ($state, $uri, $status, $after, $kv, $body, $what) = @_;

    my @before = counted();
    my $r = $t->http_get($uri);

    is($r->{status}, $status, "$state, $what: status");
    is(exists $r->{headers}{'retry-after'} ? 1 : 0, $after,
       "$state, $what: Retry-After");
    like($r->{body}, $body, "$state, $what: body");

    my $by;

    $t->wait_for(sub {
        my @now = counted();
        $by = join ' ', map { $now[$_] - $before[$_] } 0 .. 2;
        return $by eq $kv;
    }, $what, 2);

    is($by, $kv, "$state, $what: passed, shed, results");
}

check('up', @$_) for (
    ['/ssi/in',    200, 0, '1 0 1', qr/a .*GET.* b .*GET.* c/s, 'SSI'],
    ['/ssi/two',   200, 0, '2 0 2', qr/a .*GET.* b .*GET.* c/s, 'SSI, twice'],
    ['/mirror',    200, 0, '1 0 1', qr/GET/, 'mirror'],
    ['/auth',      200, 0, '1 0 1', qr/GET/, 'auth_request'],
    ['/auth-deny', 401, 0, '1 0 1', qr/401/, 'auth_request, denied'],
    ['/auth-loc',  200, 0, '1 0 1', qr/GET/,
     'auth_request to a location on the same'],
);

is($t->http_get('/stale')->{status}, 200, 'up: stored');
is($t->http_get('/update')->{status}, 200, 'up: stored to be updated');

# waiting for one answer

$b->reset();

my @h = map { $t->http_start('/lock?hang=1') } 1 .. 4;

ok($t->wait_for(sub { $b->active() == 1 }), 'lock: one asks');
is($t->backend_status('kv')->{in_flight}, 1, 'lock: the others are not asked');
$b->release();
is(join(' ', map { $t->http_end($_)->{status} } @h), '200 200 200 200',
   'lock: all have the answer');
$t->http_close($_) for @h;
is($b->count(), 1, 'lock: of one request');

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'kv is down');

check('down', @$_) for (
    ['/ssi/in',    200, 0, '0 1 0', qr/a .*503 Serv.* b .*GET.* c/s, 'SSI'],
    ['/ssi/two',   200, 0, '0 2 0', qr/a .*503 S.* b .*503 S.* c/s,
     'SSI, twice'],
    ['/mirror',    200, 0, '0 1 0', qr/GET/, 'mirror'],
    ['/mirror?status=503', 503, 0, '0 1 0', qr/GET/,
     'mirror, the request is refused by itself'],
    ['/both',      503, 1, '0 2 0', qr/503 Serv/, 'mirror and request'],
    ['/auth',      503, 1, '0 1 0', qr/503 Serv/, 'auth_request'],
    ['/auth-page', 503, 1, '0 1 0', qr/^page$/, 'auth_request, a page of 503'],
    ['/auth-500',  503, 1, '0 1 0', qr/503 Serv/,
     'auth_request, a page of 500 is for others'],
    ['/auth-kv',   503, 1, '0 1 0', qr/503 Serv/,
     'auth_request, the request itself'],
    ['/auth-d1',   503, 1, '0 1 0', qr/503 Serv/,
     'auth_request, the request on another backend'],
    ['/auth-loc',  503, 1, '0 1 0', qr/503 Serv/,
     'auth_request to a location on the same'],
);

# stale, of a subrequest

$t->wait_for(sub {
    return $t->http_get('/stale')->{headers}{'x-cache'} eq 'STALE';
}, 'stale to expire');

is($t->http_get('/auth-stale')->{status}, 200,
   'auth_request: a stale answer will do');
is($t->http_get('/auth-stale?status=500')->{status}, 500,
   "auth_request: then a 500 is the request's own");

# background update: asked again by every later request, and harmless

my $r;

$b->reset();
$t->wait_for(sub {
    $r = $t->http_get('/update');
    return $r->{headers}{'x-cache'} ne 'HIT';
}, 'the entry to expire');

my @before = counted();

for (1 .. 2) {
    $r = $t->http_get('/update');
    is("$r->{status} $r->{headers}{'x-cache'}", '200 STALE',
       'background update: stale');
}

ok($t->wait_for(sub { (counted())[1] - $before[1] == 2 }),
   'background update: asked, and shed, each time');
is($b->count(), 0, 'background update: nothing has reached the backend');

# waiting for one that is shed

my @r = $t->http_burst(6, '/lock-none');

is(join(' ', map { $_->{status} } @r), '503 503 503 503 503 503',
   'lock: each is shed in its turn');
is($t->backend_status('kv')->{in_flight}, 0, 'no permit is left');
