#!/usr/bin/perl

# Goal: an order does not outlive a restart of nginx, and what it shut does
# not stand open behind it: with a state file it ends in the ramp.
# Method: closed, and health down, ordered where there is no Redis; then stop
# and start.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Order;

my $t = Test::Recovery->new()->plan(6);
my $b = $t->backend(8081);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_state_file  %%TESTDIR%%/state;
    recovery_backend     kv { capacity 100r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /control { recovery_control; }
    }
}

EOF2

for my $order ({action => 'force', value => 'closed'},
               {action => 'health', value => 'down'})
{
    my $label = $order->{action};

    $t->run();
    order($t, 'kv', action => 'clear');
    order($t, 'kv', %$order, for => '1h');
    is($t->http_get('/')->{status}, 503, "$label: shut");

    # one that shut for less than a second has kept nobody out

    ok($t->wait_for(sub {
        return $t->backend_status('kv')->{allowed_per_s} == 0
               && $t->status()->{uptime_s} >= 3;
    }), "$label: for a while");

    $t->stop();
    $t->run();

    my $kv = $t->backend_status('kv');
    ok(defined $kv->{allowed_per_s} && $kv->{allowed_per_s} <= 3,
       "$label: in the ramp") or diag("$kv->{phase}");
    $t->stop();
}
