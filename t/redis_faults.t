#!/usr/bin/perl

# Goal: whatever happens to Redis, no request waits on it, what it said last
# stays in force, the status says how it is, and when it is back the link
# comes up by itself without a phase having moved.
# Method: a real redis-server is killed, stopped, put to sleep, filled with
# clients, made to load, while requests go on to a backend that is up and one
# that is down.  A request that waited would have waited for the timeout of
# two seconds.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use Test::More;

use Test::Recovery;
use Test::Recovery::Watch qw(links statuses waited);

my $t = Test::Recovery->new()->plan(85);

$t->backend(8081);

my $redis = $t->redis_start(conf => "enable-debug-command yes\n"
                                   . "rdbcompression no\n");

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms timeout=2s;
    recovery_backend  good { }
    recovery_backend  bad  { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /good {
            recovery    good;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /bad {
            recovery    bad;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();

my %events;


sub state { $t->status()->{redis}{state} }
sub reconnects { $t->status()->{redis}{reconnects} }

sub connected {
    return $t->wait_for(sub { state() eq 'connected' }, 'connected', 30);
}


# What is so in every fault.  "begin" brings it about; it lasts until the
# status shows it, and a second longer; "end" puts it right.

sub fault {
    my ($name, %o) = @_;

    ok(connected(), "$name: connected before");

    my $before = reconnects();
    my $watch = Test::Recovery::Watch->new($t);
    my $load = $t->load(rate => 40, uris => ['/good', '/bad'], timeout => 30);

    $o{begin}->();

    my $seen = $t->wait_for(sub { state() =~ /^(?:dis)?connect(?:ed|ing)$/
                                  && state() ne 'connected' },
                            "$name to be seen", 15);
    ok($seen, "$name: the status says so");

    # a second of it, told by the age that the status shows

    ok($t->wait_for(sub {
        $t->backend_status('good')->{health_age_ms} > 1000
    }, 'the age to grow'), "$name: health ages") if $o{lasts};

    is($t->metrics()->value('nginx_recovery_redis_up'), 0, "$name: redis_up")
        if $o{lasts};

    $o{during}->($watch) if $o{during};
    $o{end}->() if $o{end};

    ok(connected(), "$name: connected again");
    cmp_ok(reconnects(), '>', $before, "$name: counted");

    my $r = $load->stop();

    is_deeply([keys %{statuses($r, qr/good/)}], [200], "$name: all passed");
    is_deeply([keys %{statuses($r, qr/bad/)}], [503], "$name: all shed");
    cmp_ok(scalar @$r, '>', 10, "$name: there were requests");
    cmp_ok(waited($r), '<', 1 * slow(), "$name: none waited");

    is_deeply([map { @{$t->backend_status($_)->{events}} + 0 } qw(good bad)],
              [@events{qw(good bad)}], "$name: no phase moved");
    cmp_ok(scalar $watch->said(qr/\[(?:warn|error)\].*recovery_redis/), '<=',
           4, "$name: not logged again and again");
}


$t->redis('HSET', 'recovery:good', 'health', 'up');
$t->health('bad', 'down');
ok($t->wait_phase('bad', 'down'), 'one is down');
ok($t->wait_for(sub { $t->backend_status('good')->{health} }), 'one is up');
is($t->backend_status('bad')->{health_source}, 'redis', 'Redis said so');

%events = map { $_ => scalar @{$t->backend_status($_)->{events}} }
          qw(good bad);

# killed, and back without its data

fault('killed', lasts => 1, begin => sub { $redis->kill9() },
      end => sub { $t->redis_start() });

is($t->redis('EXISTS', 'recovery:good'), 0, 'killed: it came back empty');
is($t->backend_status('bad')->{health}, 'down', 'killed: kept all the same');

$t->redis('HSET', 'recovery:good', 'health', 'up');
$t->redis('HSET', 'recovery:bad', 'health', 'down');

# alive for the kernel, and silent: connections stay, nothing is answered

fault('stopped', lasts => 1, begin => sub { $redis->pause() },
      end => sub { $redis->resume() });

# longer than the timeout, and it cannot even be asked why

my $sleeper;

fault('asleep', lasts => 1, begin => sub {
    $sleeper = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $t->port(6379));
    print $sleeper "DEBUG SLEEP 5\r\n";
});

close $sleeper;

# connections cut by an administrator; it may be back before we look

for my $type (qw(normal pubsub)) {
    ok(connected(), "$type: connected before");

    my $before = reconnects();
    my $load = $t->load(rate => 40, uris => ['/good', '/bad']);

    cmp_ok($t->redis('CLIENT', 'KILL', 'TYPE', $type, 'SKIPME', 'yes'), '>=',
           1, "$type: cut");
    ok($t->wait_for(sub { reconnects() > $before }), "$type: counted")
        if $type eq 'normal';
    ok($t->wait_for(sub {
        state() eq 'connected'
        && $t->redis('PUBSUB', 'NUMSUB', 'recovery:changed')->[1] == 1
    }, undef, 30), "$type: both are back");
    is(scalar(links($t, 6379)), 2, "$type: two connections");

    my $r = $load->stop();

    is_deeply([keys %{statuses($r, qr/good/)}], [200], "$type: all passed");
    is_deeply([keys %{statuses($r, qr/bad/)}], [503], "$type: all shed");
    is_deeply([map { @{$t->backend_status($_)->{events}} + 0 } qw(good bad)],
              [@events{qw(good bad)}], "$type: no phase moved");
}

# no place for another client: it says so unasked, and hangs up

fault('full', lasts => 1, begin => sub {
    $t->redis('CONFIG', 'SET', 'maxclients', 1);
    $t->redis('CLIENT', 'KILL', 'TYPE', 'pubsub');
    $t->redis('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
}, during => sub {
    my ($watch) = @_;

    ok($t->wait_for(sub { $watch->said(qr/max number of clients/) },
                    'the answer to the next try', 20),
       'full: its reason is in the log');
    is(scalar $watch->said(qr/max number of clients/), 1, 'full: once');
}, end => sub {
    $t->redis('CONFIG', 'SET', 'maxclients', 1000);
});

# loading: it is there and knows nothing yet.  A thousand keys take 10 ms each,
# and in between it answers; at the end it is told to hurry.

my $loader;

fault('loading', begin => sub {
    $t->redis('MSET', map { ("x$_", 'x' x 1024) } 1 .. 1000);
    $t->redis('CONFIG', 'SET', 'key-load-delay', 10_000);
    $t->redis('CONFIG', 'SET', 'loading-process-events-interval-bytes', 1024);

    $loader = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                    PeerPort => $t->port(6379));
    print $loader "DEBUG RELOAD\r\n";
}, during => sub {
    my ($watch) = @_;

    ok($t->wait_for(sub { $watch->said(qr/"LOADING/) }),
       'loading: its reason is in the log');
    is($watch->said(qr/"LOADING/) + 0, 1, 'loading: once');
}, end => sub { $t->redis('CONFIG', 'SET', 'key-load-delay', 0) });

close $loader;

# alive through all of it

$t->health('bad', 'up');
ok($t->wait_phase('bad', qr/probing|ramping/), 'and it listens');
$t->health('good', 'down');
ok($t->wait_phase('good', 'down'), 'for the other one, too');
is($t->http_get('/good')->{status}, 503, 'which is shed');
