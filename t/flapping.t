#!/usr/bin/perl

# Goal: a health that flaps is damped and reported.  Down is obeyed each time
# at once; up is not believed until it has held for twice as long as the falls
# were apart, and a backend that answers stays on the floor until then.
# Method: one backend whose health goes up and down in Redis, beside one that
# goes down twice as any other, under the same traffic; what happened is read
# from the events.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(24);

$t->backend(8081);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=100ms;

    recovery_policy quick { ramp from=10% double=200ms verify=500ms;
                            feedback off; }

    recovery_backend  flaps  { policy quick; capacity 1000r/s; }
    recovery_backend  falls  { policy quick; capacity 1000r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /flaps { recovery flaps;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /falls { recovery falls;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();


sub b { return $t->backend_status($_[0]) }

# oldest first

sub whys { return map { $_->{why} } @{ b($_[0])->{events} } }

sub count {
    my ($name, $re) = @_;
    return scalar(grep { $_ =~ $re } whys($name));
}

sub damped {
    my ($name) = @_;

    return [ b($name)->{health_damped} ? 1 : 0,
             $t->metrics()->value('nginx_recovery_health_damped',
                                  backend => $name) ];
}


# down, until it is; then up, until it is probed

sub fall {
    my ($name, $message) = @_;

    $t->health($name, 'down');
    ok($t->wait_phase($name, 'down'), "$message: down is obeyed");
    $t->health($name, 'up');
    $t->wait_for(sub { b($name)->{phase} ne 'down' });
}


my $load = $t->load(rate => 100, uris => ['/flaps', '/falls']);

fall('falls', 'first fall');
ok($t->wait_phase('falls', 'up', 20), 'up again');
fall('falls', 'second fall');
ok($t->wait_phase('falls', 'up', 20), 'two falls: up again');
is(count('falls', qr/flaps/), 0, 'two falls: nothing reported');
is_deeply(damped('falls'), [0, 0], 'two falls: not damped');

fall('flaps', "flap $_") for 1 .. 3;

ok($t->wait_for(sub { count('flaps', qr/flaps/) }), 'the third is reported');
is_deeply(damped('flaps'), [1, 1], 'status and metric say so');
is(b('flaps')->{phase}, 'probing', 'on the floor');

fall('flaps', 'and again');
ok($t->wait_for(sub { b('flaps')->{phase} eq 'probing'
                      && b('flaps')->{why} =~ /flaps/ }),
   'answered probes do not end it, and why says so');
is_deeply(damped('flaps'), [1, 1], 'still damped');
is(b('flaps')->{allowed_per_s}, 10, 'the floor, of 1000/s');

ok($t->wait_for(sub { count('flaps', qr/has held/) }, 'held', 180),
   'it has held');
ok($t->wait_for(sub { join('', @{ damped('flaps') }) eq '00' }),
   'not damped any more');
ok($t->wait_phase('flaps', 'up', 60), 'up, after a ramp');

$load->stop();

my @whys = whys('flaps');
my ($began) = grep { $whys[$_] =~ /flaps/ } 0 .. $#whys;
my ($ended) = grep { $whys[$_] =~ /has held/ } 0 .. $#whys;

is(scalar(grep { /flaps/ } @whys), 1, 'reported once, not with each flap');
is(scalar(grep { /enough probes/ } @whys[$began .. $ended]), 0,
   'no ramp between');
is(scalar(grep { /enough probes/ } @whys[$ended .. $#whys]), 1,
   'one ramp behind');

# whoever flaps, the others are as they were

is(b('falls')->{phase}, 'up', 'the other is up');
is(count('falls', qr/flaps/), 0, 'and was never damped');

$t->stop();
