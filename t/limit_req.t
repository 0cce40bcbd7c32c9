#!/usr/bin/perl

# Goal: we decide last in our phase: what limit_req or limit_conn reject never
# reaches us, costs nothing and is not counted.  And, so that it is written
# down: we decide before allow/deny and auth_basic, and never see what
# "return" answers.
# Method: limits that reject all but the first; our counters before and after.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(34);
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

    limit_req_zone   $uri zone=req:1m rate=1r/m;
    limit_conn_zone  $uri zone=conn:1m;

    server {
        listen    127.0.0.1:%%PORT_8080%%;
        recovery  kv;

        location /free { proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /req {
            limit_req         zone=req;
            limit_req_status  429;
            proxy_pass        http://127.0.0.1:%%PORT_8081%%;
        }

        location /delay {
            limit_req   zone=req burst=5 delay=5;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /conn {
            limit_conn         conn 1;
            limit_conn_status  429;
            proxy_pass         http://127.0.0.1:%%PORT_8081%%;
        }

        location /deny {
            deny        all;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /basic {
            auth_basic            closed;
            auth_basic_user_file  %%TESTDIR%%/users;
            proxy_pass            http://127.0.0.1:%%PORT_8081%%;
        }

        location /return   { return 204; }
        location /redirect { rewrite ^ /free redirect; }
    }
}

EOF2

$t->write_file('users', "u:{PLAIN}p\n");
$t->run();

sub counted {
    my $class = $t->class_status('kv', 'normal');
    return "$class->{offered} $class->{passed} $class->{shed}";
}

sub statuses {
    return join ' ', map { $_->{status} } @_;
}

# limit_req

is(statuses(map { $t->http_get('/req') } 1 .. 4), '200 429 429 429',
   'limit_req: one passes');
is(counted(), '1 1 0', 'limit_req: one is counted');
is($b->count(), 1, 'limit_req: the backend has seen one');

is(statuses($t->http_burst(5, '/delay')), '200 200 200 200 200',
   'limit_req without delay');
is(counted(), '6 6 0', 'limit_req without delay: each once');

# limit_conn

my $h = $t->http_start('/conn?hang=1');
ok($t->wait_for(sub { $b->active() == 1 }), 'limit_conn: one is held');

is(statuses(map { $t->http_get('/conn') } 1 .. 3), '429 429 429',
   'limit_conn: no other passes');
is(counted(), '7 7 0', 'limit_conn: one is counted');
is($t->backend_status('kv')->{in_flight}, 1, 'limit_conn: one permit');

$b->release();
is($t->http_end($h)->{status}, 200, 'limit_conn: it ends');
$t->http_close($h);
is($t->http_get('/conn')->{status}, 200, 'limit_conn: the next one');
is(counted(), '8 8 0', 'limit_conn: is counted');

# what comes behind us

is($t->http_get('/deny')->{status}, 403, 'deny');
is(counted(), '9 9 0', 'deny: decided before');
is($t->http_get('/basic')->{status}, 401, 'auth_basic');
is(counted(), '10 10 0', 'auth_basic: decided before');
is($t->http_get('/basic', headers => { Authorization => 'Basic dTpw' })
   ->{status}, 200, 'auth_basic, with the password');
is(counted(), '11 11 0', 'auth_basic: once');

is($t->metrics()->sum('nginx_recovery_upstream_responses_total',
                      backend => 'kv', result => 'error'),
   0, 'a denial proves nothing of the backend');
is($t->metrics()->sum('nginx_recovery_upstream_responses_total',
                      backend => 'kv'),
   9, 'only work is a result');

# what comes before the phase

is($t->http_get('/return')->{status}, 204, 'return');
is($t->http_get('/redirect')->{status}, 302, 'redirect');
is(counted(), '11 11 0', 'neither comes to us');
is($t->backend_status('kv')->{in_flight}, 0, 'none in flight');

# the same with the gate closed

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
$b->reset();

is(statuses(map { $t->http_get('/req') } 1 .. 2), '429 429',
   'down: limit_req still comes first');
is(counted(), '11 11 0', 'down: which is not counted');
is(statuses(map { $t->http_get('/req2') } 1 .. 2), '503 429',
   'down: what limit_req lets through is shed');
is(counted(), '12 11 1', 'down: that one is counted');
is($t->http_get('/deny')->{status}, 503, 'down: deny comes behind us');
is($t->http_get('/basic')->{status}, 503, 'down: auth_basic too');
is(counted(), '14 11 3', 'down: counted');
is($t->http_get('/return')->{status}, 204, 'down: return is not ours');
is($b->count(), 0, 'down: nothing at the backend');
