#!/usr/bin/perl

# Goal: the kill switches work, both ways and in every phase: force closed lets
# nothing in, force open lets everything in, through Redis and ordered in
# nginx.  What an order ends in is no more than the phase gives, also when it
# runs out.
# Method: each phase is led to, by traffic as well; requests tell what passes.
# The longest times are printed; with TEST_STRICT set they are judged as well,
# which is for a machine that does nothing else: util/kill-switch.sh.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Order;

my @PHASES = qw(up degraded down probing ramping verifying);

my $t = Test::Recovery->new()->plan(17 * @PHASES - 2);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

worker_processes 2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_policy   p { ramp from=50% double=1s verify=1h; }
    recovery_backend  kv { policy p; capacity 1000r/s; }

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

$t->run();

sub kv { return $t->backend_status('kv') }


sub say {
    $t->redis('HSET', 'recovery:kv', @_);
    $t->redis('PUBLISH', 'recovery:changed', 'kv');
}


# the way into a phase; a ramp is kept from its end by a hold

sub to_phase {
    my ($phase) = @_;

    order($t, 'kv', action => 'clear');
    $t->redis('DEL', 'recovery:kv');

    if ($phase eq 'up') {
        say(health => 'up');
        return $t->wait_phase('kv', 'up');
    }

    say(health => 'down');
    $t->wait_phase('kv', 'down') or return 0;
    return 1 if $phase eq 'down';

    # with a hold the probes do not end

    say(health => 'up', $phase eq 'probing' ? (force => 'hold') : ());
    return $t->wait_phase('kv', 'probing') if $phase eq 'probing';

    $t->wait_for(sub {
        $t->http_get('/');
        return kv()->{phase} =~ /ramping|verifying/;
    }, 'ramping', 30) or return 0;

    if ($phase eq 'ramping') {
        say(force => 'hold');
        return kv()->{phase} eq 'ramping';
    }

    $t->wait_for(sub { $t->http_get('/'); kv()->{phase} eq 'verifying' },
                 'verifying', 30) or return 0;
    return 1 if $phase eq 'verifying';

    say(health => '0.5');
    return $t->wait_phase('kv', 'degraded');
}


sub all_are {
    my ($status) = @_;

    return !grep { $_->{status} != $status } $t->http_burst(20, '/');
}


# from the order until a request is answered so, then all of them

my %longest_ms = (nginx => 0, redis => 0);

sub switched {
    my ($through, $label, $status, $switch) = @_;

    my $start = time();
    $switch->();

    ok($t->wait_for(sub { $t->http_get('/')->{status} == $status }), $label);

    my $took_ms = (time() - $start) * 1000;
    $longest_ms{$through} = $took_ms if $took_ms > $longest_ms{$through};

    ok(all_are($status), "$label: every request");
}

my $epoch = 0;

for my $phase (@PHASES) {

    ok(to_phase($phase), $phase) or diag(kv()->{phase});

    my $end = int(time()) + 1000;

    switched('nginx', "$phase: closed in nginx", 503, sub {
        order($t, 'kv', action => 'force', value => 'closed', for => '10m');
    });

    switched('nginx', "$phase: open in nginx", 200, sub {
        order($t, 'kv', action => 'force', value => 'open', for => '10m',
              override_safety => 'failing');
    });

    # nginx stands above redis, of which nothing but the epoch is seen then

    $epoch++;
    say(force => 'closed', force_until => $end, epoch => $epoch);
    $t->wait_for(sub { (kv()->{epoch} // 0) == $epoch }, 'it is read');
    ok(all_are(200), "$phase: open in nginx, closed in redis");

    order($t, 'kv', action => 'clear');
    ok(all_are(503), "$phase: closed in redis, when nginx says no more");

    switched('redis', "$phase: open in redis", 200, sub {
        say(force => 'open', force_until => $end,
            override_safety => 'failing');
    });

    switched('redis', "$phase: closed in redis", 503, sub {
        say(force => 'closed', force_until => $end);
    });

    $t->redis('HDEL', 'recovery:kv', qw(force force_until override_safety));
    $t->redis('PUBLISH', 'recovery:changed', 'kv');
    ok($t->wait_for(sub { !kv()->{force} }), "$phase: over");
    ok(order($t, 'kv', action => 'clear')->{status} == 200
       && !defined kv()->{override}, "$phase: nothing is left");
}

# an order that runs out leaves nothing open that was not open before; who was
# closed for a second is not up again in the time of a test

sub ran_out {
    my ($phase, $force, @more) = @_;

    my $label = "$phase: $force runs out";

    to_phase($phase) or diag("$phase: " . kv()->{phase});
    order($t, 'kv', action => 'force', value => $force, for => '1500ms',
          @more);
    ok($t->wait_for(sub { (kv()->{force}{source} // '') ne 'local' }),
       $label);

    return ($label, kv());
}

for my $phase (grep { $_ ne 'up' } @PHASES) {
    my ($label, $kv) = ran_out($phase, 'closed');

    ok($kv->{phase} eq ($phase eq 'down' ? 'down' : 'probing')
       && defined $kv->{allowed_per_s} && $kv->{allowed_per_s} <= 10,
       "$label: behind it are probes")
        or diag("$kv->{phase} ", $kv->{allowed_per_s} // 'all');

    ($label, $kv) = ran_out($phase, 'open', override_safety => 'failing');

    is($kv->{phase} . (defined $kv->{allowed_per_s} ? ' limited' : ''),
       $phase . ($phase eq 'verifying' ? '' : ' limited'),
       "$label: it is as before");
}

diag(sprintf 'longest: %.1f ms in nginx, %.1f ms through redis',
     @longest_ms{qw(nginx redis)});

SKIP: {
    skip 'TEST_STRICT is not set', 2 if !$ENV{TEST_STRICT};
    cmp_ok($longest_ms{nginx}, '<', 100, 'in nginx: under 100 ms');
    cmp_ok($longest_ms{redis}, '<', 1000, 'through redis: under a second');
}
