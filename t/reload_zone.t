#!/usr/bin/perl

# Goal: what is known of a backend survives every change of the configuration
# around it: other backends come and go, it goes itself and comes back, the
# zone is resized, renamed or made for more classes.  What does not fit is
# refused with the reason, and what ran goes on.
# Method: "kv" is down and "d1" stands in a ramp, and Redis no longer says so:
# only the zone knows.  Constant load on both; not one request may reach kv.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Watch qw(wait_polls);

my $t = Test::Recovery->new()->plan(83);
my $b = $t->backend(8081);

$t->redis_start();

# configuration(zone => .., backends => [..], classes => [..], workers => N)

sub configuration {
    my %o = (zone => 'recovery:1m', backends => [qw(kv d1)], classes => [],
             workers => 2, @_);

    my $classes = join ' ', map { "class $_;" } @{$o{classes}};
    my ($backends, $locations) = ('', '');

    for my $name (@{$o{backends}}) {
        $backends .= "recovery_backend $name { policy p; capacity 100r/s; }\n";
        $locations .= "location /$name { recovery $name;\n"
                      . "proxy_pass http://127.0.0.1:%%PORT_8081%%; }\n";
    }

    $t->write_file_expand('nginx.conf', <<"EOF2");

worker_processes  $o{workers};

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_zone    $o{zone};
    recovery_redis   redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_policy  p { ramp from=10% double=1h; $classes }

    $backends

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        $locations

        location / { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2
}

configuration();
$t->run();

my $load = $t->load(rate => 60, uris => ['/kv', '/d1']);

$t->redis('HSET', 'recovery:kv', health => 'down', by => 'me');
$t->redis('HSET', 'recovery:d1', health => 'recovering');
ok($t->wait_phase('kv', 'down'), 'kv is down');
ok($t->wait_phase('d1', 'ramping', 20), 'd1 is ramping');
$t->redis('DEL', 'recovery:kv', 'recovery:d1');
ok(wait_polls($t, 6), 'and Redis knows nothing of it');
is($t->backend_status('kv')->{phase}, 'down', 'kv is still down');

sub offered {
    my ($name) = @_;

    my $offered = 0;
    $offered += $_->{offered} for @{$t->backend_status($name)->{classes}};

    return $offered;
}

my (%offered, %event, $uptime);

# tests: kv and d1 are what they were, and go on counting

sub still {
    my ($what, %o) = @_;

    my $kv = $t->backend_status('kv');
    my $d1 = $t->backend_status('d1');

    is("$kv->{phase} $kv->{allowed_per_s}, $d1->{phase}", 'down 0, ramping',
       "$what: phases");

    my $n = offered('kv');

    ok($t->wait_for(sub { offered('kv') > $n + 20 }), "$what: goes on");
    is($b->count('/kv'), 0, "$what: not one has reached kv");

    my $uptime_s = $t->status()->{uptime_s};
    my $told = join ' ', map { "$_->{from}-$_->{to}" } @{$kv->{events}};

    ok($n >= ($offered{kv} // 0) && $uptime_s >= ($uptime // 0)
       && $told eq 'up-down', "$what: counters, uptime and events go on")
        or diag("$n offered, up for $uptime_s s, $told");

    $offered{kv} = offered('kv');
    $uptime = $uptime_s;
}

$b->reset();
still('before');

sub reloads {
    my ($what, %o) = @_;

    configuration(%o);
    ok($t->reload(), "$what: reloaded");
}

sub refused {
    my ($what, $re, %o) = @_;

    configuration(%o);
    like($t->reload_fails(), $re, "$what: refused");
}

# others come and go

reloads('added', backends => [qw(new kv d1 other)]);
still('added');
is($t->backend_status('new')->{phase}, 'up', 'added: the new one is up');
is($t->http_get('/new')->{status}, 200, 'added: and passes');

reloads('reordered', backends => [qw(d1 other kv new)]);
still('reordered');
is(offered('new'), 1, 'reordered: the counters are with their names');

reloads('removed', backends => [qw(kv d1)]);
still('removed');
is($t->backend_status('new'), undef, 'removed: gone');

# it goes itself, and comes back under its name

my $before = offered('kv');

reloads('kv renamed', backends => [qw(d1 kv2)]);
is($t->backend_status('kv'), undef, 'kv renamed: gone');
is($t->backend_status('kv2')->{phase}, 'up', 'kv renamed: a new one');
is($t->backend_status('d1')->{phase}, 'ramping', 'kv renamed: d1');
ok($t->wait_for(sub { $b->count('/kv') > 3 }), 'kv renamed: not governed');

reloads('kv is back', backends => [qw(kv d1)]);
$b->reset();
still('kv is back');
cmp_ok(offered('kv'), '>=', $before, 'kv is back: with its counters');

# the zone

reloads('larger zone', zone => 'recovery:2m');
still('larger zone');
reloads('another name', zone => 'other:2m');
still('another name');
reloads('smaller zone', zone => 'other:512k');
still('smaller zone');

refused('too small', qr/"other" of 64k is too small for 102 backends/,
        zone => 'other:64k', backends => [qw(kv d1), map { "x$_" } 1 .. 100]);
still('too small');

# more classes than the zone was made for, more workers than it has slots for

my @six = ('a', 'b', 'c', 'd', 'e default', 'f');

refused('six classes', qr/made for 4 classes .* 6 and/, zone => 'other:512k',
        classes => \@six);
still('six classes');
is(scalar @{$t->backend_status('kv')->{classes}}, 4,
   'six classes: four it has');

reloads('six classes, another size', zone => 'other:1m', classes => \@six);
%offered = ();                          # other classes begin at zero
still('six classes, another size');
is(scalar @{$t->backend_status('kv')->{classes}}, 6,
   'six classes, another size: six');
is($t->class_status('kv', 'b')->{offered}, 0, 'a class that is new');

reloads('four again', zone => 'other:1m');
%offered = ();
still('four again');

refused('many workers', qr/16 worker slots/, zone => 'other:1m',
        workers => 20);
still('many workers');

my $results = $load->stop();

is(scalar(grep { $_->{status} != 200 && $_->{status} != 503 } @$results), 0,
   'no request was lost');
is($t->metrics()->sum('nginx_recovery_undecided_total'), 0,
   'nothing was undecided');
