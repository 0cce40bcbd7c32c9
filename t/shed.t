#!/usr/bin/perl

# Goal: a shed request gets 503 with an honest Retry-After, no-store and
# nginx's own small page, the connection lives on, and the backend sees none
# of it, whatever the method, body or protocol of the request.
# Method: health goes down in Redis; then one request of each kind.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(44);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis redis://127.0.0.1:%%PORT_6379%%;

    recovery_policy spread { shed retry_after=10s..40s; }
    recovery_policy narrow { shed retry_after=7s..7s; }
    recovery_policy busy   { shed status=429; }

    recovery_backend kv     { }
    recovery_backend spread { policy spread; }
    recovery_backend narrow { policy narrow; }
    recovery_backend busy   { policy busy; }
    recovery_backend other  { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        listen  127.0.0.1:%%PORT_8082%% http2;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /both   { recovery other kv;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /spread { recovery spread;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /narrow { recovery narrow;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /busy   { recovery busy;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /other  { recovery other;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /off    { recovery off;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

is($t->http_get('/')->{status}, 200, 'up: passed');
is($b->count(), 1, 'up: the backend has seen it');

for my $name (qw(kv spread narrow busy)) {
    $t->health($name, 'down');
    ok($t->wait_phase($name, 'down'), "$name is down");
}

$b->reset();

# the answer

my $r = $t->http_get('/');

is($r->{status}, 503, 'down: shed');
like($r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'Retry-After');
cmp_ok($r->{headers}{'retry-after'}, '<=', 60, 'Retry-After has its bound');
is($r->{headers}{'cache-control'}, 'no-store', 'no-store');
is($r->{headers}{'content-type'}, 'text/html', 'type');
like($r->{body}, qr/503 Service Temporarily Unavailable/, 'body');
cmp_ok(length $r->{body}, '<', 1000, 'a small one');
is(scalar(grep { lc $_->[0] eq 'retry-after' } @{$r->{header_list}}), 1,
   'one Retry-After');

$r = $t->http_get('/', method => 'HEAD');
is($r->{status}, 503, 'head');
is($r->{body}, '', 'head: no body');
ok($r->{headers}{'retry-after'}, 'head: Retry-After');

$r = $t->http_get('/', version => '1.0');
is($r->{status}, 503, 'HTTP/1.0');

# keepalive

my $h = $t->http_connect();
is($t->http_get('/', socket => $h)->{status}, 503, 'keepalive: shed');
is($t->http_get('/', socket => $h)->{status}, 503, 'keepalive: shed again');
is($t->http_get('/off', socket => $h)->{status}, 200,
   'keepalive: and served elsewhere');
is($t->http_get('/', socket => $h, method => 'POST', body => 'x' x 5000)
   ->{status}, 503, 'keepalive: a body is thrown away');
is($t->http_get('/', socket => $h, method => 'POST',
                headers => ['Transfer-Encoding' => 'chunked'],
                body => "5\r\nhello\r\n0\r\n\r\n")
   ->{status}, 503, 'keepalive: a chunked body too');
is($t->http_get('/', socket => $h)->{status}, 503,
   'keepalive: nothing of it is left on the connection');
$t->http_close($h);

is(join(' ', map { $_->{status} }
        $t->http_pipeline(['/', '/off', '/', '/other'])),
   '503 200 503 200', 'pipelined');

$h = $t->http_start('/', method => 'POST',
                    headers => { Expect => '100-continue',
                                 'Content-Length' => 1_000_000 });
is($t->http_end($h)->{status}, 503,
   'shed before the body is asked for');
$t->http_close($h);

# HTTP/2

$r = $t->curl('--http2-prior-knowledge', 'http://127.0.0.1:%%PORT_8082%%/');
like($r->{head}, qr{^HTTP/2 503}, 'HTTP/2');
like($r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'HTTP/2: Retry-After');

# several backends: the tightest decides

is($t->http_get('/both')->{status}, 503, 'one of two is down');
is($t->http_get('/other')->{status}, 200, 'the other one is not');

# the policy's own status and bounds

$r = $t->http_get('/busy');
is($r->{status}, 429, 'status=429');
ok($r->{headers}{'retry-after'}, 'status=429: Retry-After');

is($t->http_get('/narrow')->{headers}{'retry-after'}, 7, 'narrow bounds');

my @after = map { $_->{headers}{'retry-after'} } $t->http_burst(40, '/spread');
my %kinds = map { $_ => 1 } @after;

is(scalar @after, 40, 'forty answers');
is(scalar(grep { !/^\d+$/ || $_ < 10 || $_ > 40 } @after), 0,
   'all within the bounds');
cmp_ok(scalar keys %kinds, '>', 3, 'not all come back together');

# the account of it

is($b->count('/'), 0, 'the backend has seen none');
is($t->http_get('/missing')->{status}, 503, 'any path of the location');

my $class = $t->class_status('kv', 'normal');

is($class->{offered}, $class->{passed} + $class->{shed}, 'the sum is right');
is($class->{passed}, 1, 'passed');
is($class->{shed}, 14, 'shed');
is($t->metrics()->value('nginx_recovery_shed_total', backend => 'kv',
                        class => 'normal', reason => 'down'),
   14, 'shed with its reason');
is($t->class_status('other', 'normal')->{shed}, 0, 'other: shed none');
is($t->backend_status('kv')->{in_flight}, 0, 'none in flight');
