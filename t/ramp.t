#!/usr/bin/perl

# Goal: one outage as the user sees it.  Down sheds at once; the way back is
# the floor, for the best class that is there, then a ramp that never falls
# back under constant load, then full service that is verified.
# Method: constant open-loop load, the status sampled all the while; the ramp
# is fast, but its order is that of a slow one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(min);
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;

my $t = Test::Recovery->new()->plan(57);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=1s;

    recovery_policy fast {
        ramp   from=2% double=200ms verify=1s;
        match  critical $uri ~ ^/critical/;
        match  low      $uri ~ ^/low/;
    }

    recovery_backend  m1 { }
    recovery_backend  m2 { }
    recovery_backend  p1 { }
    recovery_backend  kv { policy fast; capacity 1000r/s; }
    recovery_backend  d1 { policy fast; capacity 1000r/s; }
    recovery_backend  learned { policy fast; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /m1 { recovery m1;
                       proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /m2 { recovery m2;
                       proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /p1 { recovery p1;
                       proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /kv { recovery kv;
                       proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /learned { recovery learned;
                       proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location / {
            recovery    d1;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();
ok($t->wait_for(sub { $t->status()->{redis}{state} eq 'connected' }),
   'connected');

# how long after the operator's word is the first request shed?

sub shed_after {
    my ($name, %o) = @_;

    is($t->http_get("/$name")->{status}, 200, "$name: passed");

    my $start = time();

    $t->health($name, 'down', %o);
    $t->wait_for(sub { 1 until $t->http_get("/$name")->{status} == 503
                               || time() - $start > 1;
                       $t->http_get("/$name")->{status} == 503 }, 'shed');

    return time() - $start;
}

# by message: one of two, so that a stall of the machine is no failure

my @after = map { shed_after($_) } qw(m1 m2);

cmp_ok(min(@after), '<', 0.1 * slow(), 'by message: shed within 100 ms');

# by poll

cmp_ok(shed_after('p1', publish => 0), '<', 1 + slow(),
       'without a message: shed within a poll');

# the whole way.  samples($name): status until a phase, as often as it goes

sub samples {
    my ($name, $phase, $deadline_s) = @_;

    my @samples;

    $t->wait_for(sub {
        push @samples, $t->backend_status($name);
        return $samples[-1]{phase} =~ $phase;
    }, "$name to be $phase", $deadline_s // 20);

    return @samples;
}

sub phases {
    my @phases;

    for my $phase (map { $_->{phase} } @_) {
        push @phases, $phase if !@phases || $phases[-1] ne $phase;
    }

    return "@phases";
}

# the number of samples that are less than the one before

sub falls {
    my ($field, @s) = @_;

    return scalar grep { $s[$_]{$field} < $s[$_ - 1]{$field} } 1 .. $#s;
}

$b->set(delay => 0.005);

my $load = $t->load(rate => 150, uris => ['/kv']);

ok($t->wait_for(sub { $load->peek()->{sent} > 50 }), 'load');
is($t->backend_status('kv')->{phase}, 'up', 'up');
is($t->backend_status('kv')->{allowed_per_s}, undef, 'up: unlimited');
is($t->class_status('kv', 'normal')->{shed}, 0, 'up: none shed');

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
ok($t->wait_for(sub { $b->active() == 0 }), 'down: the backend is idle');

my $down = $t->backend_status('kv');

is($down->{allowed_per_s}, 0, 'down: nothing is allowed');
is($down->{level}, 0, 'down: level');
is($down->{reference_per_s}, 1000, 'down: the reference is known');

$b->reset();

my $sent = $load->peek()->{sent};
ok($t->wait_for(sub { $load->peek()->{sent} > $sent + 50 }), 'down: load');
is($b->count(), 0, 'down: nothing reaches the backend');

# probing

$t->health('kv', 'up');

my @s = samples('kv', qr/ramping/);
my @probing = grep { $_->{phase} eq 'probing' } @s;

like(phases(@s), qr/^(?:down )?probing ramping$/, 'probing, then ramping');
cmp_ok(scalar @probing, '>', 2, 'probing takes time');
is(scalar(grep { $_->{allowed_per_s} != 10 } @probing), 0,
   'probing: a hundredth is allowed');
is(scalar(grep { $_->{in_flight} > 2 } @probing), 0,
   'probing: two in flight at most');

# ramping

push @s, samples('kv', qr/verifying|up/);

my @ramping = grep { $_->{phase} eq 'ramping' } @s;

cmp_ok(scalar @ramping, '>', 5, 'ramping takes time');
cmp_ok($ramping[0]{allowed_per_s}, '<', 200, 'ramping: begins low');
is(falls('allowed_per_s', @ramping), 0, 'ramping: what is allowed never falls');
is(falls('level', @ramping), 0, 'ramping: nor does the level');
cmp_ok($ramping[-1]{in_flight_limit}, '>', $ramping[0]{in_flight_limit},
       'ramping: and the places are more');
is($ramping[-1]{level}, 1, 'ramping: it ends at the top');
cmp_ok($ramping[-1]{allowed_per_s}, '>=', 1000, 'ramping: all is allowed');

# verifying, up

push @s, samples('kv', qr/up/);
like(phases(@s), qr/^(?:down )?probing ramping verifying up$/, 'the whole way');

my $up = $s[-1];

is($up->{allowed_per_s}, undef, 'up again: unlimited');
is($up->{eta_s}, 0, 'up again: eta');
is(join(' ', map { "$_->{from}-$_->{to}" } @{$up->{events}}),
   'up-down down-probing probing-ramping ramping-verifying verifying-up',
   'the events tell it');
is($up->{events}[0]{by}, 'redis', 'who did it');
like($up->{events}[1]{why}, qr/says up/, 'why: the source');
like($up->{events}[2]{why}, qr/probes/, 'why: the probes');

my $shed = $t->class_status('kv', 'normal')->{shed};

$sent = $load->peek()->{sent};
ok($t->wait_for(sub { $load->peek()->{sent} > $sent + 100 }), 'up: load');
is($t->class_status('kv', 'normal')->{shed}, $shed, 'up: nothing is shed');

my $results = $load->stop();

is(scalar(grep { $_->{status} != 200 && $_->{status} != 503 } @$results), 0,
   'no other answer than 200 and 503');
is(scalar(grep { $_->{status} == 503
                 && ($_->{headers}{'retry-after'} // '') !~ /^[1-9]\d*$/ }
          @$results), 0, 'each 503 says when to come back');

# "recovering" is one edge: it begins a recovery, and again only when it was
# taken back meanwhile

$load = $t->load(rate => 100, uris => ['/kv']);
$t->health('kv', 'recovering');
@s = samples('kv', qr/^up$/) if $t->wait_phase('kv', 'probing');
is(phases(@s), 'probing ramping verifying up', '"recovering": the whole way');

$t->redis('PUBLISH', 'recovery:changed', 'kv') for 1 .. 3;
$sent = $load->peek()->{sent};
$t->wait_for(sub { $load->peek()->{sent} > $sent + 50 });
is($t->backend_status('kv')->{phase}, 'up', '"recovering" again: nothing new');
$load->stop();

# the floor is for the best class that is there.  A backend that fails keeps
# probing going.

$b->set(status => 500, delay => 0.02);
$t->health('d1', 'recovering');
ok($t->wait_phase('d1', 'probing'), 'd1 is probing');
$b->reset();

my $start = time();

$load = $t->load(rate => 100, uris => ['/normal/', '/low/']);
ok($t->wait_for(sub { $b->count('/normal/') >= 12 }), 'normal is let in');

my $n = $b->count('/normal/');
my $took = time() - $start;

cmp_ok($n, '<=', 10 * $took + 3, 'at the floor');
cmp_ok($b->count('/low/'), '<=', 1, 'low is not');
cmp_ok($b->active_max(), '<=', 2, 'two in flight at most');
is($t->backend_status('d1')->{phase}, 'probing',
   'a backend that fails stays in probing');
cmp_ok($t->metrics()->value('nginx_recovery_shed_total', backend => 'd1',
                            class => 'low', reason => 'probing'), '>', 10,
       'low is shed with its reason');

# a better one comes: it takes the floor, and has no more places either

$b->set(hang => 1);
my $critical = $t->load(rate => 100, uris => ['/critical/'], timeout => 60);
ok($t->wait_for(sub { $critical->peek()->{sent} >= 80 }), 'critical comes');
cmp_ok($b->count('/critical/'), '>=', 1, 'it is let in');
cmp_ok($b->active_max(), '<=', 2, 'still two in flight at most');

$b->set(status => 200);

$t->wait_for(sub { $b->release(); $b->active() <= 2 }, 'release');
ok($t->wait_phase('d1', 'ramping'), 'what is delivered ends probing');

# once there is room all are let in

ok($t->wait_for(sub { $b->count('/low/') > 20 }), 'low comes back');
$_->stop() for $load, $critical;

# a reference that nobody configured is learned while up

$b->set(delay => 0.002);
$load = $t->load(rate => 100, uris => ['/learned']);
ok($t->wait_for(sub {
    my $r = $t->backend_status('learned')->{reference_per_s};
    return $r && $r > 10 && $r < 200;
}), 'learned');

$t->health('learned', 'down');
ok($t->wait_phase('learned', 'down'), 'learned: down');
$t->health('learned', 'recovering');
@s = samples('learned', qr/^up$/, 30);
is(phases(grep { $_->{phase} ne 'down' } @s), 'probing ramping verifying up',
   'learned: the whole way');
is(falls('allowed_per_s', grep { $_->{phase} eq 'ramping' } @s), 0,
   'learned: never falls');
$load->stop();
