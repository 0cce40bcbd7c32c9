#!/usr/bin/perl

# Goal: recovery_dry_run decides, counts and logs, and sheds nothing: an
# operator sees what the gate would do before trusting it.
# Method: a backend that is down behind a dry run, beside one that is not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(20);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_dry_run  on;
    recovery_backend  kv { }

    add_header  X-Outcome $recovery_outcome always;

    server {
        listen    127.0.0.1:%%PORT_8080%%;
        recovery  kv;

        location / {
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /real {
            recovery_dry_run  off;
            proxy_pass        http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();

is($t->http_get('/')->{headers}{'x-outcome'}, 'passed', 'up: passed');
is($t->backend_status('kv')->{dry_run}, undef, 'nothing would be shed');

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');

my @r = map { $t->http_get('/') } 1 .. 6;
is(scalar(grep { $_->{status} == 200 } @r), 6, 'all are served');
is($r[0]{headers}{'x-outcome'}, 'shed_dry_run', 'but would be shed');
is($r[0]{headers}{'retry-after'}, undef, 'without Retry-After');
is($r[0]{headers}{'cache-control'}, undef, 'nor no-store');
is($b->count(), 7, 'the backend has seen them');

is($t->http_get('/real')->{status}, 503, 'a location that is in earnest');
is($b->count('/real'), 0, 'not seen by the backend');

my $m = $t->metrics();
my %kv = (backend => 'kv', class => 'normal');
my $n = 'nginx_recovery_requests_total';

is($m->value($n, %kv, outcome => 'passed'), 1, 'counted as passed');
is($m->value($n, %kv, outcome => 'shed'), 1, 'counted as shed');
is($m->value($n, %kv, outcome => 'shed_dry_run'), 6, 'counted as dry run');
is($t->class_status('kv', 'normal')->{offered}, 8, 'offered holds all');

$n = 'nginx_recovery_shed_dry_run_total';

is($m->value($n, backend => 'kv', reason => 'down'), 6, 'by reason');
is($m->sum($n, backend => 'kv'), 6, 'and by no other');
is($t->backend_status('kv')->{dry_run}{down}, 6, 'in the status');

# a request that runs dry holds no permit and is still seen at work

my $h = $t->http_start('/?hang=1');
ok($t->wait_for(sub { $b->active() == 1 }), 'one at work');
$b->release();
is($t->http_end($h)->{status}, 200, 'served');
ok($t->wait_for(sub { $t->backend_status('kv')->{in_flight} == 0 }),
   'none in flight');
