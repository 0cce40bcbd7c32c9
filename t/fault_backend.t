#!/usr/bin/perl

# Goal: a backend that dies and nobody tells, or of which the source goes on
# saying that it is up, is found dead, spared, probed and brought back by a
# ramp; one that only has errors of its own is left alone.
# Method: Redis says "up" all the time; the backend refuses, closes, fails or
# hangs under load.  What reaches it meanwhile is counted by the backend.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Watch qw(jumps statuses);

my $RATE = 60;

# name, what the backend does, and how that ends

my @rows = (
    ['dies: refused', sub { $_[0]->refuse() }, sub { $_[0]->accept_again() }],
    ['dies: hangs up', sub { $_[0]->set(close => 'before') }],
    ['lies: errors', sub { $_[0]->set(status => 500) }],
    ['lies: silent', sub { $_[0]->set(hang => 1) }],
);

my $t = Test::Recovery->new()->plan(10 * @rows + 6);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis   redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_policy  p { ramp from=10% double=100ms verify=300ms; }
    recovery_backend kv { policy p; capacity 100r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery            kv;
            proxy_read_timeout  2s;
            proxy_pass          http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

sub kv { return $t->backend_status('kv') }
sub of_kind { return $t->class_status('kv', 'normal')->{$_[0]} }

$t->redis('HSET', 'recovery:kv', 'health', 'up');
$t->run();
ok($t->wait_for(sub { (kv()->{health} // '') eq 'up' }), 'Redis says up');

my $load = $t->load(rate => $RATE, uris => ['/'], timeout => 30);

for my $row (@rows) {
    my ($name, $begin, $end) = @$row;

    my $passed = of_kind('passed') // 0;

    ok($t->wait_for(sub { kv()->{phase} eq 'up'
                          && of_kind('passed') > $passed + 30 }, 'up', 30),
       "$name: up before");

    $begin->($b);
    ok($t->wait_phase('kv', 'down', 30), "$name: found dead");
    is(kv()->{health}, 'up', "$name: whatever the source says");
    like(kv()->{events}[-1]{why}, qr/answers no more/,
         "$name: and says why");

    # for as long as it takes to offer sixty: the floor, and no more

    my ($offered, $since) = (of_kind('offered'), time());

    $passed = of_kind('passed');
    ok($t->wait_for(sub { of_kind('offered') > $offered + 60 }),
       "$name: offered");

    my $most = 3 * (time() - $since) + 4;

    cmp_ok(of_kind('passed') - $passed, '<=', $most, "$name: spared");
    is(kv()->{phase}, 'down', "$name: and not let in");

    ($end // sub { $_[0]->set(); $_[0]->release() })->($b);
    ok($t->wait_phase('kv', qr/^(?:probing|ramping|verifying|up)$/, 30),
       "$name: probed");
    ok($t->wait_phase('kv', 'up', 60), "$name: and up again");
    is_deeply([jumps(kv())], [], "$name: by every step");
}

# errors that do not come with load

my $shed = of_kind('shed');
my $passed = of_kind('passed');

$load->stop();
$load = $t->load(rate => $RATE, uris => [('/') x 4, '/?status=500'],
                 timeout => 30);
ok($t->wait_for(sub { of_kind('passed') > $passed + 3 * $RATE }),
   'background: three seconds of it');
is(kv()->{phase}, 'up', 'background: up');
is(of_kind('shed'), $shed, 'background: nothing is shed');
cmp_ok(kv()->{error_ratio}, '>', 0.05, 'background: and is seen');

my $r = $load->stop();

is_deeply([grep { !/^(?:200|500)$/ } keys %{statuses($r, qr/./)}], [],
          'background: every request was answered');
