#!/usr/bin/perl

# Goal: an order ends in the ramp, in every phase; two orders at once leave one
# of them whole; force open is refused while the backend fails, unless the
# rule is named, ordered here or in Redis; orders are obeyed with Redis gone
# and outrank what it says; a rise is the ramp's, whoever asks; a killed
# leader changes nothing.
# Method: from outside, with two workers and a slow ramp.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Order;

my $t = Test::Recovery->new()->plan(38);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

worker_processes 2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_policy   p { ramp from=10% double=1h; }
    recovery_backend  kv { policy p; capacity 100r/s; }
    recovery_backend  d1 { policy p; capacity 100r/s; }
    recovery_backend  e1 { policy p; capacity 100r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /d1 {
            recovery    d1;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /control { recovery_control; }
    }
}

EOF2

$t->run();

sub of { return $t->backend_status($_[0]) }


sub say {
    my ($backend, @fields) = @_;

    $t->redis('HSET', "recovery:$backend", @fields);
    $t->redis('PUBLISH', 'recovery:changed', $backend);
}

# rises

say('e1', ceiling => '20r/s');
ok($t->wait_for(sub { (of('e1')->{allowed_per_s} // 0) == 20 }), 'a ceiling');
$t->redis('HDEL', 'recovery:e1', 'ceiling');
$t->redis('PUBLISH', 'recovery:changed', 'e1');
ok($t->wait_for(sub { of('e1')->{phase} eq 'ramping' }), 'removed: a ramp');
my $e1 = of('e1');
ok($e1->{allowed_per_s} >= 20 && $e1->{allowed_per_s} < 21,
   'removed: from there') or diag($e1->{allowed_per_s});
is($e1->{events}[-1]{why} =~ /ceiling/ ? 1 : 0, 1, 'removed: an event');

my $r = order($t, 'e1', action => 'force', value => '80%', for => '10m');
cmp_ok(answer($r)->{allowed_per_s}, '<', 21, 'a level above: not at once');
$r = order($t, 'e1', action => 'force', value => '5%', for => '10m');
is(answer($r)->{allowed_per_s}, 5, 'a level below: at once');

# the end of an order, in every phase

for my $phase (qw(up down probing ramping)) {
    order($t, 'kv', action => 'clear');
    say('kv', health => 'up');

    if ($phase eq 'down') {
        say('kv', health => 'down');
        $t->wait_phase('kv', 'down');

    } elsif ($phase eq 'probing') {
        order($t, 'kv', action => 'health', value => 'recovering',
              for => '1m');

    } elsif ($phase eq 'ramping') {
        $t->wait_for(sub { $t->http_get('/'); of('kv')->{phase} eq 'ramping' },
                     'ramping', 20);
    }

    order($t, 'kv', action => 'force', value => 'closed', for => '1500ms');
    ok($t->wait_for(sub { !of('kv')->{force} }), "$phase: it ends");

    my $kv = of('kv');
    ok(defined $kv->{allowed_per_s} && $kv->{allowed_per_s} <= 10.1,
       "$phase: in the ramp") or diag("$kv->{phase} $kv->{allowed_per_s}");
}

# two at once

my %may = ('ann closed' => 1, 'bob open' => 1);
my ($whole, $rounds, $mixed) = (0, 100, '');

for (1 .. $rounds) {
    my @h = map { $t->http_start('/control', method => 'POST',
        headers => {'Content-Type' => 'application/json',
                    'X-Recovery-Control' => '1'},
        body => qq({"backend":"d1","action":"force","value":"$_->[1]",)
                . qq("for":"5m","by":"$_->[0]","reason":"$_->[1]"})) }
        ['ann', 'closed'], ['bob', 'open'];
    my @r = map { $t->http_end($_) } @h;
    my $force = of('d1')->{force};
    my $seen = ($force->{by} // '') . " $force->{force}";

    $mixed = $seen if !$may{$seen} || $force->{reason} ne $force->{force};
    $whole += $may{$seen} && 2 == grep { $_->{status} == 200 } @r;
}

is($whole, $rounds, 'two orders at once: one of them, whole') or diag($mixed);

# texts of orders that are over make room

ok($t->wait_for(sub {
    order($t, 'd1', action => 'force', value => 'closed', for => '5m',
          by => 'last')->{status} == 200
    && (of('d1')->{force}{by} // '') eq 'last';
}), 'and there is room for more texts');

# a failing backend

order($t, 'd1', action => 'clear');
say('d1', health => 'up');
$b->set(status => 500);

ok($t->wait_for(sub {
    $t->http_get('/d1');
    return (of('d1')->{error_ratio} // 0) > 0.6;
}, 'errors', 20), 'it fails');

$r = order($t, 'd1', action => 'force', value => 'open', for => '5m');
is($r->{status}, 409, 'failing: open is refused');
like(answer($r)->{error}, qr/override_safety.*failing/, 'by which rule');
is(of('d1')->{force}, undef, 'nothing is in force');

my $bad = $t->status()->{redis}{bad_values};
say('d1', force => 'open', force_until => int(time()) + 1000);
ok($t->wait_for(sub { $t->status()->{redis}{bad_values} > $bad }),
   'in redis: counted');
ok((grep { $_->{why} =~ /refused/ } @{of('d1')->{events}})
   && !of('d1')->{force}, 'in redis: an event, not obeyed');

say('d1', override_safety => 'failing');
ok($t->wait_for(sub { (of('d1')->{force} // {})->{force} }),
   'in redis, by name: obeyed');
$t->redis('DEL', 'recovery:d1');

$b->set(status => 200);

# texts of an order are not those of redis

order($t, 'e1', action => 'hold', for => '10m', by => 'ann');
say('e1', health => 'up', by => 'jo');
ok($t->wait_for(sub { (of('e1')->{health_by} // '') eq 'jo' }), 'by redis');
$t->redis('HDEL', 'recovery:e1', 'by');
$t->redis('PUBLISH', 'recovery:changed', 'e1');
ok($t->wait_for(sub { !defined of('e1')->{health_by} }), 'by nobody');
is(of('e1')->{force}{by}, 'ann', 'by order, still');

# an epoch does not go backwards, whoever leads

$t->redis('DEL', 'recovery:e1');
say('e1', health => 'up', epoch => 5, by => 'new');
ok($t->wait_for(sub { (of('e1')->{health_by} // '') eq 'new' }), 'an epoch');
ok($t->reload(), 'reloaded');

my $epoch = 4;

for my $when ('after a reload', 'by another leader') {
    my $bad = $t->status()->{redis}{bad_values};

    say('e1', health => 'down', epoch => $epoch--, by => $when);
    ok($t->wait_for(sub { $t->status()->{redis}{bad_values} > $bad }),
       "$when: an older one is reported");
    is(of('e1')->{health} . of('e1')->{health_by}, 'upnew',
       "$when: and ignored");

    my ($pid) = reverse $t->grep_file('error.log', qr/this worker leads$/);
    $t->kill9_worker($pid =~ /\] (\d+)#/);
}

# redis gone; the leader killed

$t->redis_stop();
$r = order($t, 'kv', action => 'health', value => 'down', for => '10m',
           by => 'ann');
is($t->http_get('/')->{status}, 503, 'redis gone: down');
is(of('kv')->{health_by}, 'ann', 'redis gone: on whose word');

my ($leader) = reverse $t->grep_file('error.log', qr/this worker leads$/);
ok($t->kill9_worker($leader =~ /\] (\d+)#/), 'the leader is killed');
is($t->http_get('/')->{status}, 503, 'killed: still down');
$r = order($t, 'kv', action => 'force', value => 'open', for => '10m');
is($t->http_get('/')->{status}, 200, 'killed: open');
order($t, 'kv', action => 'clear');
isnt(of('kv')->{phase}, 'up', 'not up behind it');
