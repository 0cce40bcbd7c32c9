#!/usr/bin/perl

# Goal: what an operator has ordered at this nginx survives its end, also where
# there is no Redis, for the time that it has left and with who ordered it;
# one that ends while nobody is there leads into the ramp and not to open.
# Method: one backend closed, one said to be down, one closed for a moment;
# everything is killed, and starts again under load.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Order;

my $t = Test::Recovery->new()->plan(21);
my $b = $t->backend(8081);

sub configuration {
    my ($file) = @_;

    $t->write_file_expand('nginx.conf', <<"EOF2");

worker_processes  2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    $file
    recovery_policy   p { ramp from=10% double=1h; }
    recovery_backend  shut  { policy p; capacity 100r/s; }
    recovery_backend  down  { policy p; capacity 100r/s; }
    recovery_backend  brief { policy p; capacity 100r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /shut  { recovery shut;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /down  { recovery down;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /brief { recovery brief;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location = /control { recovery_control; }
    }
}

EOF2
}

sub status { return $t->backend_status($_[0]) }

configuration('recovery_state_file state;');
$t->run();

my $load = $t->load(rate => 60, uris => [qw(/shut /down /brief)]);

is(order($t, 'shut', action => 'force', value => 'closed', for => '10m',
         by => 'ann', reason => 'disk')->{status}, 200, 'closed');
is(order($t, 'down', action => 'health', value => 'down', for => '10m',
         by => 'bob')->{status}, 200, 'down');
is(order($t, 'brief', action => 'force', value => 'closed',
         for => '6s')->{status}, 200, 'closed for a moment');

my $ordered = time();

ok($t->wait_phase('down', 'down'), 'it is down');
ok($t->wait_for(sub {
    my $f = $t->status()->{state_file};
    return $f->{state} eq 'written' && $f->{age_ms} > 1500;
}, 'a file', 30), 'written');

sub settle {
    my $sent = $load->peek()->{sent};
    $t->wait_for(sub { $load->peek()->{sent} > $sent + 90 }, 'load');
}

$t->kill9_all();
$t->wait_for(sub { time() > $ordered + 7 }, 'the end of the order', 20);
$b->reset();
$t->run();

my $start = time();

settle();

is($b->count('/shut'), 0, 'closed: not one request');
is($b->count('/down'), 0, 'down: not one request');
cmp_ok($b->count('/brief'), '<=', 10 * (time() - $start) + 9,
       'ended: no burst');

my $force = status('shut')->{force};

is($force->{force}, 'closed', 'closed: said so');
is($force->{by}, 'ann', 'closed: by whom');
is($force->{reason}, 'disk', 'closed: why');
cmp_ok($force->{until_s}, '<=', 600 - 6, 'closed: its end did not wait');
cmp_ok($force->{until_s}, '>', 500, 'closed: nor hurry');
is(status('down')->{phase}, 'down', 'down: still');
is(status('brief')->{force}, undef, 'ended: no force');
like(status('brief')->{phase}, qr/^(?:probing|ramping)$/,
     'ended: into the ramp');

# taken back

is(order($t, 'shut', action => 'clear')->{status}, 200, 'cleared');
ok($t->wait_phase('shut', qr/^(?:probing|ramping)$/), 'into the ramp');

# the detector: without the file the order is forgotten

is(order($t, 'shut', action => 'force', value => 'closed',
         for => '10m')->{status}, 200, 'control: closed');
configuration('');
$t->stop(no_status_check => 1);
$b->reset();
$t->run();
settle();
is(status('shut')->{force}, undef, 'control: forgotten');
cmp_ok($b->count('/shut'), '>', 0, 'control: open');
$load->stop();
