#!/usr/bin/perl

# Goal: a backend that breaks again in the middle of a ramp is cut off within
# two seconds, though Redis goes on saying "up": whether it answers errors,
# nothing at all, or cannot be reached.  When it is healed it ramps again,
# from the beginning, and nobody has to say so.
# Method: constant load, broken at a level that is known.  Control: the same
# ramp undisturbed is never cut, nor by a request in fifty that fails.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;

my @breaks = (
    ['errors',  sub { $_[0]->set(status => 500) },
                sub { $_[0]->set(delay => 0.1) }],
    ['silence', sub { $_[0]->set(hang => 1) },
                sub { $_[0]->set(delay => 0.1); $_[0]->release() }],
    ['refused', sub { $_[0]->refuse() },
                sub { $_[0]->accept_again() }],
);

my $t = Test::Recovery->new()->plan(7 + 10 * @breaks);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis     redis://127.0.0.1:%%PORT_6379%% poll=100ms;

    recovery_policy    p { ramp from=5% double=1s verify=1s; }
    recovery_backend   kv { policy p; capacity 200r/s; }

    proxy_read_timeout  60s;

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / { recovery kv;
                     proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

sub kv { return $t->backend_status('kv') }
sub passed { return $t->class_status('kv', 'normal')->{passed} }

# down and up by the word of Redis, up to a level of the ramp

sub ramp_to {
    my ($level) = @_;

    $t->health('kv', 'down');
    $t->wait_phase('kv', 'down') or return;
    $t->health('kv', 'up');

    return level($level);
}

sub level {
    my ($level) = @_;

    return $t->wait_for(sub {
        my $s = kv();
        $s->{phase} eq 'ramping' && $s->{level} >= $level;
    }, "level $level", 60);
}

# the phases since the n-th event

sub phases {
    my ($s, $since) = @_;
    return join ' ', map { $_->{to} } grep { $_->{time} gt $since }
                     @{$s->{events}};
}

# control; work takes a tenth of a second, so that some is always in flight

$b->set(delay => 0.1);

my $load = $t->load(rate => 150, uris => [('/') x 49, '/?status=500']);

ok($t->wait_for(sub { passed() > 100 }), 'up');
ok(ramp_to(0.3), 'control: half way');

my $since = kv()->{events}[-1]{time};

ok($t->wait_phase('kv', 'up', 60), 'control: up');
is(phases(kv(), $since), 'verifying up', 'control: it was never cut');
$load->stop();

# broken at 40 %

$load = $t->load(rate => 150, uris => ['/'], timeout => 5);

for my $case (@breaks) {
    my ($name, $break, $heal) = @$case;

    ok(ramp_to(0.4), "$name: half way");

    my $before = passed();
    my $start = time();
    my $s = kv();

    $since = $s->{events}[-1]{time};
    $break->($b);

    ok($t->wait_for(sub { ($s = kv())->{phase} ne 'ramping' }, 'a cut'),
       "$name: it is cut");
    cmp_ok(time() - $start, '<', 2 * slow(), "$name: within two seconds");
    like($s->{phase}, qr/^(?:probing|down)$/, "$name: down to the floor");
    is($s->{health}, 'up', "$name: while the source says up");
    is($t->redis('HGET', 'recovery:kv', 'health'), 'up',
       "$name: as it does");

    # what it is sent from then on: the floor, two a second, and a burst

    $start = time();

    my $cut = passed();

    cmp_ok($cut - $before, '<', 150 * 3 * slow(), "$name: it got no more");
    $t->wait_for(sub { time() - $start > 2 });
    cmp_ok(passed() - $cut, '<=', 3 + 3 * (time() - $start),
           "$name: the floor, no more");

    $heal->($b);
    ok(level(0.2), "$name: healed, it ramps again");
    like(phases(kv(), $since), qr/^(?:down )?probing (?:.* )?ramping$/,
         "$name: by probes, from the beginning");
}

# and all of it is well again

ok($t->wait_phase('kv', 'up', 60), 'up again');
$since = passed();
ok($t->wait_for(sub { passed() > $since + 150 }), 'and serves');

my %seen;
$seen{$_->{status}}++ for @{$load->stop()};

cmp_ok($seen{503} // 0, '>', 100, 'the others were told to come back');
