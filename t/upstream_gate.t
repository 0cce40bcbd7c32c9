#!/usr/bin/perl

# Goal: "recovery" in upstream {} decides when a connection is about to be
# made.  What the cache has is free, what has expired is served stale, and
# nothing of a request that is shed is stored; else the client gets the same
# 503 as from a location, error_page works, and its connection lives on.
# Method: the cache is filled, "kv" goes down, then one request of each kind;
# "free" has the same server and no gate.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(93);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_policy   busy { shed status=429; }
    recovery_backend  kv { }
    recovery_backend  d1 { }
    recovery_backend  busy { policy busy; }

    proxy_cache_path  %%TESTDIR%%/cache keys_zone=c:1m;

    upstream kv   { recovery kv; server 127.0.0.1:%%PORT_8081%%; }
    upstream busy { server 127.0.0.1:%%PORT_8081%%; recovery busy; }
    upstream free { recovery off; server 127.0.0.1:%%PORT_8081%%; }

    add_header  X-Out   "$recovery_outcome $recovery_reason" always;
    add_header  X-By    "$recovery_backend $recovery_class" always;
    add_header  X-Up    "$upstream_status $upstream_addr" always;
    add_header  X-Cache "$upstream_cache_status" always;

    proxy_cache_key  $uri;

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        listen  127.0.0.1:%%PORT_8082%% http2;
        root    %%TESTDIR%%/html;

        location /        { proxy_pass http://kv; }
        location /busy    { proxy_pass http://busy; }
        location /free    { proxy_pass http://free; }
        location /address { proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /in-d1   { recovery d1; proxy_pass http://kv; }

        location /hit    { proxy_cache c; proxy_cache_valid 1h;
                           proxy_pass http://kv; }

        proxy_cache_valid 200 1s;

        location /error  { proxy_cache c; proxy_cache_use_stale error;
                           proxy_pass http://kv; }
        location /503    { proxy_cache c; proxy_cache_use_stale http_503;
                           proxy_pass http://kv; }
        location /header { proxy_cache c; proxy_pass http://kv; }
        location /off    { proxy_cache c; proxy_pass http://kv; }
        location /other  { proxy_cache c; proxy_cache_use_stale timeout;
                           proxy_pass http://kv; }

        location /bypass { proxy_cache c; proxy_cache_bypass $arg_bypass;
                           proxy_cache_use_stale error;
                           proxy_pass http://kv; }

        location /neg      { proxy_cache c; proxy_cache_valid any 1h;
                             proxy_cache_key neg; proxy_pass http://kv; }
        location /neg-free { proxy_cache c; proxy_cache_valid any 1h;
                             proxy_cache_key neg; proxy_pass http://free; }

        location /old      { proxy_cache c; proxy_cache_valid any 1s;
                             proxy_cache_use_stale error;
                             proxy_cache_key old; proxy_pass http://kv; }
        location /old-free { proxy_cache c; proxy_cache_valid any 1h;
                             proxy_cache_key old; proxy_pass http://free; }

        location /page    { error_page 503 /page.html;
                            proxy_pass http://kv; }
        location = /page.html { }
        location /named   { error_page 503 = @free; proxy_pass http://kv; }
        location @free    { proxy_pass http://free; }
        location /again   { error_page 503 = @kv; proxy_pass http://kv; }
        location @kv      { proxy_pass http://kv; }
        location /located { error_page 503 = @located;
                            proxy_pass http://kv; }
        location @located { recovery kv; proxy_pass http://free; }
        location /502     { error_page 502 = @free; proxy_pass http://kv; }
        location /loop    { recursive_error_pages on; error_page 503 = /loop;
                            proxy_pass http://kv; }

        location /raw     { proxy_request_buffering off;
                            proxy_http_version 1.1;
                            proxy_pass http://kv; }
    }
}

EOF2

mkdir $t->dir() . '/html';
$t->write_file('html/page.html', "page\n");

my @cached = qw(hit error 503 header off other bypass old);

$b->set_path('/header',
             header => 'Cache-Control: max-age=1, stale-if-error=3600');

$t->run();

my $r = $t->http_get('/');

is($r->{status}, 200, 'up: passed');
is($r->{headers}{'x-out'}, 'passed none', 'up: outcome');
is($r->{headers}{'x-by'}, 'kv normal', 'up: backend and class');

is($t->http_get("/$_")->{headers}{'x-cache'}, 'MISS', "$_: stored")
    for @cached;

is($t->class_status('kv', 'normal')->{offered}, 1 + @cached,
   'up: each is decided once');
is($t->http_get('/hit')->{headers}{'x-cache'}, 'HIT', 'up: HIT');
is($t->http_get('/hit')->{headers}{'x-out'}, 'none none', 'up: not asked');
is($t->class_status('kv', 'normal')->{offered}, 1 + @cached,
   'up: a HIT is free');

for my $name (qw(kv busy)) {
    $t->health($name, 'down');
    ok($t->wait_phase($name, 'down'), "$name is down");
}

$b->reset();

sub shed { return $t->class_status('kv', 'normal')->{shed} }

# the answer

$r = $t->http_get('/');

is($r->{status}, 503, 'down: shed');
like($r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'Retry-After');
is($r->{headers}{'cache-control'}, 'no-store', 'no-store');
like($r->{body}, qr/503 Service Temporarily Unavailable/, 'body');
is(scalar(grep { lc $_->[0] eq 'retry-after' } @{$r->{header_list}}), 1,
   'one Retry-After');
is($r->{headers}{'x-out'}, 'shed down', 'outcome');
is($r->{headers}{'x-by'}, 'kv normal', 'backend and class');
is($r->{headers}{'x-up'}, '503 recovery:shed', 'nobody was asked');
is(shed(), 1, 'counted once');

$r = $t->http_get('/busy');
is($r->{status}, 429, 'status=429');
ok($r->{headers}{'retry-after'}, 'status=429: Retry-After');

is($t->http_get('/free')->{status}, 200, '"recovery off"');
is($t->http_get('/address')->{status}, 200, 'an address has no upstream {}');
is($b->count(), 2, 'and no more has reached the backend');

is($t->http_get('/in-d1')->{status}, 503, 'from a location on another');
is($t->class_status('d1', 'normal')->{passed}, 1, 'which had let it pass');
is($t->metrics()->sum('nginx_recovery_upstream_responses_total',
                      backend => 'd1'), 0, 'and learns nothing from it');

# its connection lives on, bodies are read away

my $h = $t->http_connect();

is($t->http_get('/', socket => $h)->{status}, 503, 'keepalive: shed');
is($t->http_get('/', socket => $h, method => 'HEAD')->{status}, 503, 'HEAD');
is($t->http_get('/', socket => $h, method => 'POST', body => 'x' x 50_000)
   ->{status}, 503, 'POST');
is($t->http_get('/', socket => $h, method => 'POST',
                headers => ['Transfer-Encoding' => 'chunked'],
                body => "5\r\nhello\r\n0\r\n\r\n")
   ->{status}, 503, 'chunked');
is($t->http_get('/raw', socket => $h, method => 'POST', body => 'x' x 100)
   ->{status}, 503, 'POST, unbuffered');
is($t->http_get('/free', socket => $h)->{status}, 200,
   'the same connection serves');
$t->http_close($h);

is(join(' ', map { $_->{status} }
        $t->http_pipeline(['/', '/', '/free', '/', '/hit'])),
   '503 503 200 503 200', 'pipelined');

$h = $t->http_start('/raw', method => 'POST',
                    headers => { 'Content-Length' => 1_000_000 });
is($t->http_end($h)->{status}, 503, 'unbuffered: before the body has come');
$t->http_close($h);

for my $uri ('/', '/raw') {
    $r = $t->curl('--http2-prior-knowledge',
                  "http://127.0.0.1:%%PORT_8082%%$uri");
    like($r->{head}, qr{^HTTP/2 503}, "HTTP/2: $uri");
    like($r->{headers}{'retry-after'}, qr/^[1-9]\d*$/,
         "HTTP/2: Retry-After of $uri");
}

# error_page; a request is counted once whatever it is led to

my @pages = (
    ['/page',    503, 1, qr/^page$/,     'a static page'],
    ['/named',   200, 0, qr/GET/,        'where there is no gate'],
    ['/again',   503, 1, qr/503 Serv/,   'the same upstream'],
    ['/located', 503, 1, qr/503 Serv/,   'a location on the same backend'],
    ['/502',     503, 1, qr/503 Serv/,   'error_page 502 does not match'],
    ['/loop',    500, 0, qr/500 Intern/, 'a loop of it ends'],
);

for my $page (@pages) {
    my ($uri, $status, $after, $body, $what) = @$page;

    my $before = shed();

    $r = $t->http_get($uri);

    is($r->{status}, $status, "error_page, $what: status");
    is(exists $r->{headers}{'retry-after'} ? 1 : 0, $after,
       "error_page, $what: Retry-After");
    like($r->{body}, $body, "error_page, $what: body");
    is(shed() - $before, 1, "error_page, $what: counted once");
}

# the cache

my $before = shed();

is($t->http_get('/hit')->{headers}{'x-cache'}, 'HIT', 'HIT');
is(shed(), $before, 'HIT: not asked');

for my $uri (qw(error 503 header)) {
    $b->reset();
    $t->wait_for(sub {
        $r = $t->http_get("/$uri");
        return $r->{headers}{'x-cache'} ne 'HIT';
    }, "$uri to expire");

    is("$r->{status} $r->{headers}{'x-cache'}", '200 STALE', "$uri: stale");
    is($r->{headers}{'x-out'}, 'shed down', "$uri: but shed");
    ok(!$r->{headers}{'retry-after'}, "$uri: no Retry-After");
    is($b->count(), 0, "$uri: not from the backend");
}

for my $uri (qw(off other)) {
    $t->wait_for(sub {
        $r = $t->http_get("/$uri");
        return $r->{headers}{'x-cache'} ne 'HIT';
    }, "$uri to expire");

    is("$r->{status} $r->{headers}{'x-cache'}", '503 EXPIRED',
       "$uri: no stale, 503");
}

is($t->http_get('/bypass?bypass=1')->{status}, 503,
   'a request that bypasses the cache gets nothing stale');

# what was shed is not stored, in place of nothing and of something

is($t->http_get('/neg')->{status}, 503, 'shed, "any" may be stored');
$r = $t->http_get('/neg-free');
is("$r->{status} $r->{headers}{'x-cache'}", '200 MISS', 'it was not');

$t->wait_for(sub {
    $r = $t->http_get('/old');
    return $r->{headers}{'x-cache'} ne 'HIT';
}, 'old to expire');
is("$r->{status} $r->{headers}{'x-cache'}", '200 STALE', 'old: stale');
$r = $t->http_get('/old-free');
is("$r->{status} $r->{headers}{'x-cache'}", '200 EXPIRED',
   'the stale answer was not renewed');

my $m = $t->metrics();

is($m->sum('nginx_recovery_upstream_responses_total', backend => 'kv'),
   1 + @cached, 'nothing that was shed is a result');
is(scalar(grep { !/redirection cycle/ } $t->grep_file('error.log',
                                                      qr/\[error\]/)), 0,
   'no line of its own for each');
