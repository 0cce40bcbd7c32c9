#!/usr/bin/perl

# Goal: without a master process, as a debugger wants it, the one process
# leads, decides, gives back and stops as a worker does.  (Not here: a reload.
# Stock nginx 1.22 has no connections left after HUP in this mode.)
# Method: one outage in small.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Process qw(spawn);

my $t = Test::Recovery->new()->plan(13);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

master_process  off;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms;
    recovery_backend  kv { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

my $pid = spawn(
    cmd => [$t->nginx_binary(), '-p', $t->dir() . '/', '-c',
            $t->dir() . '/nginx.conf', '-e', $t->dir() . '/error.log'],
    stdout => $t->dir() . '/stderr.log', stderr => $t->dir() . '/stderr.log');

$t->{nginx} = $pid;

ok($t->wait_for(sub { $t->status() }), 'started');

# the test's own connection to Redis aside

ok($t->wait_for(sub {
    grep({ /\S/ } split /\n/, $t->redis('CLIENT', 'LIST')) == 3;
}), 'it leads: two connections to Redis');

is($t->http_get('/')->{status}, 200, 'passed');

sub in_flight { return $t->backend_status('kv')->{in_flight} }

my $held = $t->http_start('/?hang=1');

ok($t->wait_for(sub { $b->active() == 1 }), 'one is held');
is(in_flight(), 1, 'its permit is out');

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
is($t->http_get('/')->{status}, 503, 'shed');

is($b->release(), 1, 'what was held ends');
is($t->http_end($held)->{status}, 200, 'well');
$t->http_close($held);
ok($t->wait_for(sub { in_flight() == 0 }), 'its permit is back');

$t->health('kv', 'up');
ok($t->wait_for(sub { $t->http_get('/');
                      $t->backend_status('kv')->{phase} eq 'ramping' },
                'kv to come back', 20), 'it comes back');

ok($t->stop(), 'stops');
cmp_ok($t->{stop_s}, '<', 1 * slow(), 'within a second');
