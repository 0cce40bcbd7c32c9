#!/usr/bin/perl

# Goal: under a dry run a ramp ends as it would without it: neither retries
# that their budget would have shed nor what a quota would have hold it up, and
# the former do not keep the budget in force.
# Method: most requests say that they are retries; twice the quota comes.  What
# the ramp's own rate would have shed still counts: that is the control.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(9);

$t->backend(8081);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_dry_run  on;

    recovery_policy retries {
        ramp     from=100% verify=5s;
        retries  $http_x_retry ~ 1 budget=10%;
    }

    recovery_policy slow { ramp from=1% over=1h; }

    recovery_backend kv   { policy retries; capacity 1000r/s; }
    recovery_backend slow { policy slow; capacity 100r/s; }
    recovery_backend less { policy retries; capacity 1000r/s; quota 10r/s; }

    add_header  X-Out "$recovery_outcome $recovery_reason" always;

    server {
        listen    127.0.0.1:%%PORT_8080%%;
        recovery  kv;

        location /      { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /less  { recovery less;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /slow  { recovery slow;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

my %retry = (headers => { 'X-Retry' => 1 });
my @load = ($t->load(rate => 60, uris => ['/', '/slow', '/less']),
            $t->load(rate => 40, uris => ['/'], %retry));

for my $name (qw(kv slow less)) {
    $t->health($name, 'down');
    ok($t->wait_phase($name, 'down'), "$name: down");
    $t->health($name, 'up');
}

ok($t->wait_for(sub {
    my $r = $t->http_get('/', %retry);
    return $r->{headers}{'x-out'} eq 'shed_dry_run retry_budget';
}), 'retries would be shed');

ok($t->wait_phase('kv', qr/verifying|up/, 30), 'the ramp comes to its end');
ok($t->wait_phase('kv', 'up', 30), 'and full service is verified');
ok($t->wait_for(sub {
    20 == grep { $_->{headers}{'x-out'} eq 'passed none' }
          $t->http_burst(20, '/', %retry);
}, 'the budget to end', 40), 'and the budget ends, under the same load');
ok($t->wait_phase('less', qr/verifying|up/, 30), 'a quota: the ramp ends');
is($t->backend_status('slow')->{phase}, 'ramping',
   'what a rate would shed holds its ramp');

$_->stop() for @load;
