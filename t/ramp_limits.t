#!/usr/bin/perl

# Goal: what an operator limits is what the backend gets: a degraded health, a
# ceiling, a force; the lowest limit wins, and when one ends the way up is a
# ramp from where it was.  An override without an end is refused.
# Method: constant load above every limit; what passes in a stretch of time is
# compared with the rate, generously.  Without feedback: it would take a
# machine that stands still for a second for a backend that is dead.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Watch qw(wait_polls);

my $t = Test::Recovery->new()->plan(60);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=200ms;

    recovery_policy fast { ramp from=10% double=200ms verify=1s;
                           feedback off; }
    recovery_policy slow { ramp from=10% double=2s verify=1s;
                           feedback off; }

    recovery_backend  kv { policy fast; capacity 100r/s; }
    recovery_backend  d1 { policy slow; capacity 1000r/s; }
    recovery_backend  unknown { policy fast; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /    { recovery kv;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /d1  { recovery d1;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /unknown { recovery unknown;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

sub kv { return $t->backend_status('kv') }
sub normal { return $t->class_status('kv', 'normal') }
sub redis_time { return $t->redis('TIME')->[0] }

sub fields {
    my ($name, @fields) = @_;

    $t->redis('HSET', "recovery:$name", @fields);
    $t->redis('PUBLISH', 'recovery:changed', $name);
}

sub remove {
    my ($name, @fields) = @_;

    $t->redis('HDEL', "recovery:$name", @fields);
    $t->redis('PUBLISH', 'recovery:changed', $name);
}

sub wait_allowed {
    my ($name, $allowed) = @_;

    return $t->wait_for(sub {
        ($t->backend_status($name)->{allowed_per_s} // 'none') eq $allowed;
    }, "$name to allow $allowed");
}

sub shed_reason {
    my ($reason) = @_;
    return $t->metrics()->value('nginx_recovery_shed_total', backend => 'kv',
                                class => 'normal', reason => $reason) // 0;
}

# what passes in the next hundred offered, as requests a second

sub rate_of {
    my $before = normal();
    my $start = time();

    $t->wait_for(sub { normal()->{offered} >= $before->{offered} + 200 });

    my $after = normal();

    return ($after->{passed} - $before->{passed}) / (time() - $start);
}

my $load = $t->load(rate => 200, uris => ['/']);

ok($t->wait_for(sub { normal()->{passed} > 50 }), 'up: all passes');
is(normal()->{shed}, 0, 'up: none is shed');

# a ceiling, in requests and in percent

fields('kv', ceiling => '60r/s');
ok(wait_allowed('kv', 60), 'ceiling 60r/s');
is(kv()->{ceiling_per_s}, 60, 'ceiling: shown');
is(kv()->{phase}, 'up', 'ceiling: still up');

my $rate = rate_of();

cmp_ok($rate, '<', 80, 'ceiling: it holds');
cmp_ok($rate, '>', 20, 'ceiling: and lets in');
cmp_ok(shed_reason('ceiling'), '>', 20, 'ceiling: is the reason');

fields('kv', ceiling => '40%');
ok(wait_allowed('kv', 40), 'ceiling 40%');
cmp_ok(rate_of(), '<', 55, 'ceiling 40%: it holds');

# degraded below it: the lower one wins

fields('kv', health => '0.3');
ok($t->wait_phase('kv', 'degraded'), 'degraded');
ok(wait_allowed('kv', 30), 'degraded: the lower one wins');
is(kv()->{ceiling_per_s}, 30, 'degraded: shown');
cmp_ok(rate_of(), '<', 42, 'degraded: it holds');
cmp_ok(shed_reason('degraded'), '>', 20, 'degraded: is the reason');

fields('kv', health => '0.7');
ok(wait_allowed('kv', 40), 'less degraded: the ceiling wins');

remove('kv', 'ceiling');
ok(wait_allowed('kv', 70), 'no ceiling: what is degraded remains');
ok($t->wait_phase('kv', 'degraded'), 'and the phase');

fields('kv', health => 'degraded');
ok(wait_allowed('kv', 50), 'the word is a half');

# back up: a ramp, from there

fields('kv', health => 'up');

my @s;

ok($t->wait_for(sub { push @s, kv(); $s[-1]{phase} eq 'up' }, 'up', 20),
   'up again');

my @ramping = grep { $_->{phase} eq 'ramping' } @s;

cmp_ok(scalar @ramping, '>', 2, 'up again: by a ramp');
is(scalar(grep { $_->{level} < 0.5 } @ramping), 0,
   'up again: which begins where it was');
is(scalar(grep { $_->{phase} eq 'probing' } @s), 0, 'up again: no probing');

# force, refused without an end

$load->stop();

my $bad = $t->status()->{redis}{bad_values};

for my $force (qw(closed open)) {
    fields('kv', force => $force);
    ok($t->wait_for(sub { $t->status()->{redis}{bad_values} > $bad }),
       "$force without an end: reported");
    is(kv()->{force}, undef, "$force without an end: refused");
    is($t->http_get('/')->{status}, 200, "$force without an end: passed");
    $bad = $t->status()->{redis}{bad_values};
    remove('kv', 'force');
    wait_polls($t, 6);
}

# closed: whatever the health; when it ends behind it is a ramp

fields('kv', force => 'closed', force_until => redis_time() + 60,
       by => 'me', reason => 'a test');
ok($t->wait_for(sub { kv()->{force} }), 'closed');
is($t->http_get('/')->{status}, 503, 'closed: shed');
cmp_ok(shed_reason('forced'), '>=', 1, 'closed: is the reason');
is(kv()->{allowed_per_s}, 0, 'closed: nothing is allowed');
is(kv()->{phase}, 'up', 'closed: the phase is what it was');

$b->reset();
my $since = time();
ok($t->wait_for(sub { $t->http_get('/'); time() - $since > 1.2 }), 'a while');
is($b->count(), 0, 'closed: nothing reaches the backend');

remove('kv', 'force', 'force_until');
ok($t->wait_phase('kv', 'probing'), 'closed no more: probing');

# open: whatever the health

fields('kv', health => 'down');
ok($t->wait_phase('kv', 'down'), 'down');
is($t->http_get('/')->{status}, 503, 'down: shed');
fields('kv', force => 'open', force_until => redis_time() + 3);
ok($t->wait_for(sub { kv()->{force} }), 'open');
is(scalar(grep { $_->{status} == 200 } $t->http_burst(40, '/')), 40,
   'open: all pass');
is(kv()->{phase}, 'down', 'open: the phase is what it was');
ok($t->wait_for(sub { !kv()->{force} }), 'open: it ends by itself');
is($t->http_get('/')->{status}, 503, 'open: and sheds again');
is($t->status()->{redis}{bad_values}, $bad, 'open: an end is not bad');

# a share

fields('d1', force => '35%');
ok(wait_allowed('d1', 350), '35%');
is($t->backend_status('d1')->{phase}, 'up', '35%: the phase is what it was');
$since = time();
ok($t->wait_for(sub { time() - $since > 1.2 }), 'a while');
remove('d1', 'force');
ok($t->wait_phase('d1', 'ramping'), '35% no more: ramping');
cmp_ok($t->backend_status('d1')->{level}, '>=', 0.35, 'from there');

# hold: the ramp stands still

$load = $t->load(rate => 100, uris => ['/d1']);

my $level = $t->backend_status('d1')->{level};

ok($t->wait_for(sub { $t->backend_status('d1')->{level} > $level }),
   'it rises');
fields('d1', force => 'hold');
ok($t->wait_for(sub { $t->backend_status('d1')->{force} }), 'hold');
$level = $t->backend_status('d1')->{level};
$since = time();
ok($t->wait_for(sub { time() - $since > 1 }), 'a while');
is($t->backend_status('d1')->{level}, $level, 'hold: the level stands still');
is($t->backend_status('d1')->{phase}, 'ramping', 'hold: ramping');
remove('d1', 'force');
ok($t->wait_for(sub { $t->backend_status('d1')->{level} > $level }),
   'hold no more: it rises');
$load->stop();

# a share of a reference that nobody knows: the places stand in for it

fields('unknown', force => '1%');
ok($t->wait_for(sub { $t->backend_status('unknown')->{force} }), '1%');

my $u = $t->backend_status('unknown');

is($u->{reference_per_s}, undef, 'unknown: no reference');
is($u->{allowed_per_s}, undef, 'unknown: no rate');
cmp_ok($u->{in_flight_limit}, '<=', 20, 'unknown: few places');
