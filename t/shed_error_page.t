#!/usr/bin/perl

# Goal: error_page works on a shed request: a static page, a named location
# that is not governed and may pass, and one that is governed and may not.
# However long the way, one request is counted once.
# Method: each kind in a location and backend of its own, all of them down.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(27);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis redis://127.0.0.1:%%PORT_6379%%;

    recovery_backend page   { }
    recovery_backend free   { }
    recovery_backend caught { }
    recovery_backend second { }
    recovery_backend loop   { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        root    %%TESTDIR%%;

        # the static page lies in the governed part of the server itself

        location /page/ {
            recovery    page;
            error_page  503 /page/503.html;

            location = /page/ {
                proxy_pass  http://127.0.0.1:%%PORT_8081%%;
            }
        }

        location /free/ {
            recovery    free;
            error_page  503 = @free;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location @free {
            recovery    off;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /caught/ {
            recovery    caught;
            error_page  503 = @caught;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location @caught {
            recovery    caught;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /second/ {
            recovery    page;
            error_page  503 = @second;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location @second {
            recovery    second;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /loop/ {
            recovery                loop;
            recursive_error_pages   on;
            error_page              503 /loop/again;
            proxy_pass              http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

mkdir $t->dir() . '/page';
$t->write_file('page/503.html', "try later\n");

$t->run();

for my $name (qw(page free caught loop)) {
    $t->health($name, 'down');
    ok($t->wait_phase($name, 'down'), "$name is down");
}

my $r = $t->http_get('/page/');
is($r->{status}, 503, 'page: status');
is($r->{body}, "try later\n", 'page: body');
like($r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'page: Retry-After');
is($r->{headers}{'cache-control'}, 'no-store', 'page: no-store');
is($b->count(), 0, 'page: the backend saw none');
is($t->class_status('page', 'normal')->{offered}, 1, 'page: counted once');
is($t->class_status('page', 'normal')->{shed}, 1, 'page: shed once');

$r = $t->http_get('/free/x');
is($r->{status}, 200, 'free: served by the fallback');
is($r->{headers}{'retry-after'}, undef, 'free: no Retry-After on a success');
is($b->count('/free/x'), 1, 'free: by the backend of the fallback');
is($t->class_status('free', 'normal')->{offered}, 1, 'free: counted once');
is($t->class_status('free', 'normal')->{shed}, 1, 'free: shed once');

$r = $t->http_get('/caught/x');
is($r->{status}, 503, 'caught: shed stays shed');
is($b->count('/caught/x'), 0, 'caught: the backend saw none');
is($t->class_status('caught', 'normal')->{offered}, 1, 'caught: counted once');
is($t->class_status('caught', 'normal')->{shed}, 1, 'caught: shed once');
is($t->class_status('caught', 'normal')->{passed}, 0, 'caught: not passed');

# shed for one backend, and the fallback stands on another one

$r = $t->http_get('/second/x');
is($r->{status}, 200, 'second: the other backend passes');
is($t->class_status('second', 'normal')->{passed}, 1, 'second: on its account');
is($t->class_status('page', 'normal')->{shed}, 2, 'second: shed by the first');

$r = $t->http_get('/loop/x');
like($r->{status}, qr/^50[03]$/, 'loop: ends');
is($b->count('/loop/x') + $b->count('/loop/again'), 0,
   'loop: the backend saw none');
is($t->class_status('loop', 'normal')->{offered}, 1, 'loop: counted once');
