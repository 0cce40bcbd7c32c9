#!/usr/bin/perl

# Goal: a source that has gone silent is waited for, and then the policy says
# what its silence means: keep, shed or pass.  What opens then, and when the
# source is back, opens by probes and a ramp, also when Redis comes back
# empty; a ramp does not go on while nobody says how the backend is.  A source
# that has never spoken is not lost.
# Method: backends of all three policies behind one Redis, which is stopped
# and goes on, then is killed and comes back without its data, under traffic.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Watch qw(jumps statuses);

my @ALL = qw(keepup keepdown shed pass patient rise);
my @LOST = qw(keepup keepdown shed pass);

my $t = Test::Recovery->new()->plan(91);

$t->backend(8081);
$t->redis_start();

my $ramp = 'ramp from=10% double=200ms verify=500ms';

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=100ms timeout=300ms;

    recovery_policy keep { $ramp; when signal_lost hold=1s then=keep; }
    recovery_policy shed { $ramp; when signal_lost hold=1s then=shed; }
    recovery_policy pass { $ramp; when signal_lost hold=1s then=pass; }
    recovery_policy wait { $ramp; when signal_lost hold=1h then=shed; }
    recovery_policy rise { ramp from=10% over=60s; }

    recovery_backend keepup   { policy keep; capacity 1000r/s; }
    recovery_backend keepdown { policy keep; capacity 1000r/s; }
    recovery_backend shed     { policy shed; capacity 1000r/s; }
    recovery_backend pass     { policy pass; capacity 1000r/s; }
    recovery_backend patient  { policy wait; capacity 1000r/s; }
    recovery_backend rise     { policy rise; capacity 1000r/s; }

    add_header X-Reason \$recovery_reason always;

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        @{[join "\n", map {
            "location /$_ { recovery $_; "
            . "proxy_pass http://127.0.0.1:%%PORT_8081%%; }"
        } @ALL]}
    }
}

EOF2


sub b { $t->backend_status($_[0]) }
sub get { $t->http_get("/$_[0]") }
sub lost { [map { b($_)->{signal_lost} ? 1 : 0 } @ALL] }
sub modes { join ' ', map { b($_)->{signal_mode} // 'null' } @ALL }


# the same, of the metrics: those that are 1

sub mode_metrics {
    my $m = $t->metrics();

    return join ' ', map {
        my $name = $_;
        my @on = grep {
            $m->value('nginx_recovery_signal_mode', backend => $name,
                      mode => $_)
        } qw(live held kept shed pass);
        @on ? "@on" : 'null';
    } @ALL;
}
sub jumped { [map { jumps(b($_)) } @ALL] }


# never heard of: initial, and that for as long as it takes

$t->redis_stop();
$t->run();
ok($t->wait_for(sub { $t->status()->{uptime_s} >= 5 }), 'five seconds alone');
is_deeply(lost(), [(0) x @ALL], 'alone: never heard is not lost');
is_deeply([map { b($_)->{phase} } @ALL], [('up') x @ALL], 'alone: initial');
is(b('shed')->{health_age_ms}, undef, 'alone: no age');
is(get('shed')->{status}, 200, 'alone: passed');
is(modes(), 'null null null null null null', 'alone: no mode');
is(mode_metrics(), modes(), 'alone: nor in the metrics');

$t->redis_start();
$t->redis('HSET', "recovery:$_", 'health', 'up') for qw(keepup shed patient);
$t->health($_, 'down') for qw(keepdown pass rise);
ok($t->wait_phase($_, 'down'), "$_ is down") for qw(keepdown pass rise);

my $load = $t->load(rate => 120, uris => [map { "/$_" } @ALL], timeout => 30);

# one that rises, slowly

$t->health('rise', 'up');
ok($t->wait_phase('rise', 'ramping', 20), 'one is rising');

my $risen = b('rise')->{allowed_per_s};

ok($t->wait_for(sub { b('rise')->{allowed_per_s} > $risen + 5 }),
   'it goes up');


sub phases_are {
    my ($label, %phase) = @_;

    ok($t->wait_phase($_, $phase{$_}, 20), "$label: $_")
        for sort keys %phase;
}


# the policies speak, not before "hold" is over

sub goes_silent {
    my ($label) = @_;

    my $early = 0;

    ok($t->wait_for(sub {
        my $s = $t->status()->{backends};

        $early++ if grep { $_->{signal_lost} && $_->{health_age_ms} < 1000 }
                         values %$s;

        return @LOST == grep { $s->{$_}{signal_lost} } @LOST;
    }, 'signal_lost', 20), "$label: lost");

    is($early, 0, "$label: not before its time");
    is_deeply(lost(), [1, 1, 1, 1, 0, 0], "$label: each by its own policy");
    cmp_ok(b('keepup')->{health_age_ms}, '>=', 1000, "$label: health ages");
    isnt($t->status()->{redis}{state}, 'connected', "$label: status");
    is(modes(), 'kept kept shed pass held held', "$label: modes");
    is(mode_metrics(), modes(), "$label: in the metrics, too");

    phases_are($label, keepup => 'up', keepdown => 'down', shed => 'down',
               pass => qr/ramping|verifying|up/, patient => 'up');

    is(get('keepup')->{status}, 200, "$label: keep up");
    is(get('keepdown')->{headers}{'x-reason'}, 'down', "$label: keep down");
    is(get('patient')->{status}, 200, "$label: the patient one");

    my $r = get('shed');

    is($r->{status}, 503, "$label: shed");
    is($r->{headers}{'x-reason'}, 'signal_lost', "$label: and why");
    like(b('shed')->{why}, qr/lost/, "$label: why the limit moved");
    is_deeply(jumped(), [], "$label: no phase was skipped");
}


sub comes_back {
    my ($label) = @_;

    ok($t->wait_for(sub { !grep { $_ } @{lost()} }, 'the signal', 30),
       "$label: none is lost");
    is($t->status()->{redis}{state}, 'connected', "$label: connected");
    is(modes(), 'live live live live live live', "$label: modes");
    is(mode_metrics(), modes(), "$label: in the metrics, too");

    # what was shed rises; the source has never said that "pass" is up

    phases_are($label, shed => qr/verifying|up/, pass => 'down',
               keepup => 'up', keepdown => 'down', patient => 'up');

    is(get('shed')->{status}, 200, "$label: passed");
    is(get('pass')->{status}, 503, "$label: shed");
    is_deeply(jumped(), [], "$label: no phase was skipped");
}


# silent, and back with what it said before

$t->redis_pause();
goes_silent('silent');

# meanwhile nothing rises, however much is delivered

like(b('rise')->{why}, qr/nothing rises/, 'silent: a ramp waits');

my $held = b('rise')->{allowed_per_s};
my $passed = $t->class_status('rise', 'normal')->{passed};

ok($t->wait_for(sub {
    $t->class_status('rise', 'normal')->{passed} > $passed + 20
}), 'silent: work is delivered');
is(b('rise')->{allowed_per_s}, $held, 'silent: and the ramp waits');
is(b('rise')->{phase}, 'ramping', 'silent: where it was');

# 90 % in 60 s are 15 a second

my $resumed = time();

$t->redis_resume();
ok($t->wait_for(sub { b('rise')->{allowed_per_s} > $held }, 'the ramp', 30),
   'back: the ramp goes on');

my $now = b('rise')->{allowed_per_s};

cmp_ok($now, '<=', $held + 16 * (time() - $resumed) + 1,
       'back: from where it was');

comes_back('back');

# gone, a reload meanwhile, and back without a memory

$t->redis_stop();
goes_silent('gone');

my @phases = map { b($_)->{phase} } qw(keepup keepdown shed);

ok($t->reload(), 'gone: reload');
ok($t->wait_for(sub { join(' ', @{lost()}) eq '1 1 1 1 0 0' }),
   'reload: still lost');
is_deeply([map { b($_)->{phase} } qw(keepup keepdown shed)], \@phases,
          'reload: nothing moves');
is(get('shed')->{headers}{'x-reason'}, 'signal_lost', 'reload: still shed');

$t->redis_start();
is($t->redis('EXISTS', 'recovery:keepdown'), 0, 'empty: it knows nothing');
comes_back('empty');
is(b('keepdown')->{health}, 'down', 'empty: the last word is kept');

# and it is listened to

$t->health('keepdown', 'up');
$t->health('keepup', 'down');
phases_are('heard', keepup => 'down', keepdown => qr/ramping|verifying|up/);
is_deeply(jumped(), [], 'heard: no phase was skipped');

my $r = $load->stop();

is_deeply([grep { !/^(?:200|503)$/ } keys %{statuses($r, qr/./)}], [],
          'every request was answered');
is_deeply([keys %{statuses($r, qr/patient/)}], [200],
          'the patient one never shed');
