#!/usr/bin/perl

# Goal: a disk that takes its time holds up nobody: requests are answered, the
# leader leads on, a change counts at once, and behind a reload the old worker
# ends what it has begun.  Only the last end waits for the disk.
# Method: fsync() that takes two seconds, put before libc's; one worker, which
# serves, leads and writes.  That fsync() is slow is seen by when the first
# file is there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Watch qw(slowest);

plan(skip_all => 'a sanitizer must be loaded first')
    if ($ENV{ASAN_OPTIONS} // '') ne '';

my $t = Test::Recovery->new();
my $dir = $t->dir();
my $slow_s = 2;

$t->write_file('slow.c', <<"EOC");
#include <unistd.h>
int fsync(int fd) { (void) fd; sleep($slow_s); return 0; }
EOC

plan(skip_all => 'no compiler')
    if system($ENV{CC} || 'cc', '-shared', '-fPIC', '-o', "$dir/slow.so",
              "$dir/slow.c") != 0;

$t->plan(13);
$t->backend(8081)->set(delay => 1);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

worker_processes  1;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis       redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_state_file  state;
    recovery_backend     kv { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        location / { recovery kv; return 204; }
        location /begun { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

my $start = time();

{
    local $ENV{LD_PRELOAD} = "$dir/slow.so";
    $t->run();
}

my ($worker) = $t->workers();
my $load = $t->load(rate => 50, uris => ['/']);

is($t->status()->{state_file}{state}, 'waiting', 'no file yet');
ok($t->wait_for(sub { $t->status()->{state_file}{state} eq 'written' },
                'written', 30), 'written');
cmp_ok(time() - $start, '>=', $slow_s, 'the disk is slow');

# changes one after the other, each of which is to be written

for my $health (qw(down up down)) {
    my $said = time();

    $t->health('kv', $health);
    ok($t->wait_phase('kv', $health eq 'down' ? 'down' : qr/probing|ramping/),
       "$health: counts");
    cmp_ok(time() - $said, '<', $slow_s * slow(), 'before the disk is done');
}

my $results = $load->stop();
my $slowest = slowest($results);

cmp_ok($slowest, '<', $slow_s * slow(), 'no request waits for the disk');
is(join(' ', $t->workers()), $worker, 'the same worker');

# a request that the old worker has begun while its thread is at the disk

$t->health('kv', 'up');
$t->wait_phase('kv', qr/probing|ramping/);

my $temp = "$dir/state.tmp";

$t->wait_for(sub { -e $temp }, 'a writing to begin', 20);

my $begun = time();
my $h = $t->http_start('/begun');

kill 'HUP', $t->master();
is($t->http_end($h)->{status}, 200, 'begun before a reload: answered');
cmp_ok(time() - $begun, '<', 1 + $slow_s * slow(),
       'without waiting for the disk');
