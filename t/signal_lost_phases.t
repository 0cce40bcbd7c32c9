#!/usr/bin/perl

# Goal: in every phase a source that has gone silent is first held to its last
# word and then replaced by what the policy says; orders and ceilings stay
# above it; and when it is back, with all or with nothing, what may rise rises
# from where it is, by probes and a ramp.
# Method: one backend for each phase and each policy, under traffic; Redis is
# stopped and goes on, then is killed and comes back empty.  All statuses in
# between are looked at.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Recovery;
use Test::Recovery::Watch qw(jumps statuses);

my $CAPACITY = 1000;

# A ramp that lasts: 90 % in 600 s, so much a second.

my $SLOPE = 1.5;

# what is written, and the phase that this leads to

my %is = (
    up        => [up => health => 'up'],
    degraded  => [degraded => health => '0.5'],
    down      => [down => health => 'down'],
    probing   => [probing => health => 'recovering'],
    ramping   => [ramping => health => 'up'],
    verifying => [verifying => health => 'up'],
    ceiling   => [up => health => 'up', ceiling => '200r/s'],
    forced    => [up => health => 'up', force => '35%'],
    closed    => [up => health => 'up', force => 'closed',
                  force_until => int(time()) + 3600],
);

my @PHASES = sort keys %is;
my @POLICIES = qw(keep shed pass);
my @ALL = map { my $p = $_; map { "$p-$_" } @POLICIES } @PHASES;

my $t = Test::Recovery->new()->plan(@ALL + 4 * @ALL + 5 + 8);

$t->backend(8081);

my $redis = $t->redis_start();
my (%policy, $backends, $locations);

for my $name (@ALL) {
    my ($phase, $then) = split /-/, $name;
    my $ramp = $phase eq 'verifying' ? 'ramp from=50% over=100ms verify=1h;'
                                     : 'ramp from=10% over=600s;';
    my $class = $phase eq 'verifying' ? 'long' : 'slow';
    my $initial = $phase =~ /^(?:ramping|verifying)$/ ? 'initial down;' : '';

    $policy{"$class-$then"} = "recovery_policy $class-$then { $ramp "
                              . "when signal_lost hold=4s then=$then; }\n";
    $backends .= "recovery_backend $name { policy $class-$then; $initial "
                 . "capacity ${CAPACITY}r/s; }\n";
    $locations .= "location = /$name { recovery $name; "
                  . "proxy_pass http://127.0.0.1:%%PORT_8081%%; }\n";
}

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=100ms timeout=300ms;

    @{[join '', map { $policy{$_} } sort keys %policy]}
    $backends

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        $locations
    }
}

EOF2

my (%wrong, $last);


sub fields {
    my ($name) = @_;

    my ($phase) = split /-/, $name;
    my (undef, @fields) = @{$is{$phase}};

    return @fields;
}


# What must never be, in none of the phases: a phase that is left out, more
# than the ramp gives, everything before the ramp is over.

sub leaps {
    my ($name, $was, $now, $elapsed_s) = @_;

    my @leaps = map { "skipped, $_" } jumps($now);
    my ($before, $after) = map { $_->{allowed_per_s} } $was, $now;

    push @leaps, "without a limit in $now->{phase}"
        if !defined $after && $now->{phase} !~ /^(?:up|verifying)$/;

    # one ramp, under no order; that to "verifying" is a fast one

    if ($was->{phase} eq 'ramping' && $now->{phase} eq 'ramping'
        && defined $before && defined $after
        && !$was->{force} && !$now->{force} && $name !~ /^verifying/)
    {
        push @leaps, "leapt from $before to $after"
            if $after > $before + $SLOPE * ($elapsed_s + 0.5) + 1;
    }

    return @leaps;
}


sub look {
    my $s = $t->status() or return {};
    my $now = { %{$s->{backends}}, at => time() };

    if ($last) {
        for my $name (@ALL) {
            $wrong{"$name $_"} = 1
                for leaps($name, $last->{$name}, $now->{$name},
                          $now->{at} - $last->{at});
        }
    }

    $last = $now;

    return $now;
}


# looks until it is so

sub until_so {
    my ($cond) = @_;

    my $end = time() + 30 * slow();

    while (1) {
        my $b = look();

        return $b if $cond->($b);
        return undef if time() > $end;

        sleep 0.1;
    }
}


sub shown {
    my ($b) = @_;

    return join ' ', $b->{phase}, $b->{allowed_per_s} // 'all',
                     $b->{force} ? $b->{force}{force} : 'no force',
                     $b->{signal_mode};
}


# name => what its line has to be like; those that are not there: as "was"

sub all_are {
    my ($label, $was, $mode, %re) = @_;

    my $b;

    my $so = sub {
        my ($name) = @_;
        my ($phase, $then) = split /-/, $name;
        my $re = $re{$name} // $re{"*-$then"};

        if (!defined $re) {
            $re = '^' . quotemeta(shown($was->{$name}));
            $re =~ s/\\ \S+$//;
            $re = '^ramping [\d.]+ no force' if $phase eq 'ramping';
        }

        return shown($b->{$name}) =~ /$re.* $mode->{$then}$/;
    };

    until_so(sub { $b = $_[0]; @ALL == grep { $so->($_) } @ALL });

    ok($so->($_), "$label: $_") or diag(shown($b->{$_})) for @ALL;

    return $b;
}


$redis->cmd('HSET', "recovery:$_", fields($_)) for @ALL;
$t->run();

my $load = $t->load(rate => 150, timeout => 30,
                    uris => [map { "/$_" } grep { !/^probing/ } @ALL]);

for my $name (@ALL) {
    my ($phase) = split /-/, $name;
    ok($t->wait_phase($name, $is{$phase}[0], 30), "before: $name");
}

my $before = look();
my %live = map { $_ => 'live' } @POLICIES;
my %lost = (keep => 'kept', shed => 'shed', pass => 'pass');

# Silent.  Shed is down, whatever it was, but for orders; pass goes on as if
# it were up: a ramp rises, what was down or degraded begins to.

my %shed = ('*-shed' => '^down 0 no force', 'forced-shed' => '^down 350 level',
            'closed-shed' => '^down 0 closed');
my %pass = ('down-pass' => '^(?:probing|ramping) \d+',
            'degraded-pass' => '^(?:ramping) \d+');

$redis->pause();

ok(until_so(sub { $_[0]{'up-keep'}{signal_mode} eq 'held' }), 'silent: held');
is(look()->{'up-shed'}{phase}, 'up', 'silent: held to its last word');

my $lost = all_are('silent', $before, \%lost, %shed, %pass);
my $kept = $lost->{'ramping-keep'}{allowed_per_s};
my $passed = $lost->{'ramping-pass'}{allowed_per_s};

ok(until_so(sub { $_[0]{'ramping-pass'}{allowed_per_s} > $passed }),
   'silent: pass rises');
is(look()->{'ramping-keep'}{allowed_per_s}, $kept, 'silent: keep does not');

# Back.  What was shed is probed; what was passed obeys again.

my $probed = '^(?:probing|ramping) \d\S* ';

$redis->resume();
all_are('back', $before, \%live,
    '*-shed' => $probed, 'down-shed' => '^down 0',
    'forced-shed' => '^(?:probing|ramping) 350 level',
    'closed-shed' => '^(?:probing|ramping|down) 0 closed',
    'degraded-pass' => '^(?:degraded 500|ramping [1-5]\d\d)');

# Gone, and back with nothing: orders and ceilings end, health stays.

$redis->kill9();
all_are('gone', $before, \%lost, %shed,
    'forced-shed' => '^down 350 level', 'degraded-pass' => '^ramping',
    'down-pass' => '^(?:probing|ramping) \d+');
$redis->start();

my $healthy = '^(?:up|verifying) all no force|^ramping \d+\S* no force';
my $risen = '^(?:probing|ramping) \d\S* no force';

all_are('empty', $before, \%live,
    '*-shed' => $risen, 'down-shed' => '^down 0',
    'degraded-pass' => '^(?:degraded 500|ramping [1-5]\d\d)',
    (map { ("ceiling-$_" => $healthy, "forced-$_" => $healthy,
            "closed-$_" => $risen) } qw(keep pass)));

is($redis->cmd('EXISTS', 'recovery:down-keep'), 0, 'empty: it knows nothing');
is_deeply(\%wrong, {}, 'nothing has leapt at any time');

my $ramp = { phase => 'ramping', allowed_per_s => 100, events => [] };

is(scalar leaps('x', $ramp, $ramp, 1), 0, 'a ramp that stands still');
is(scalar(leaps('x', $ramp, { %$ramp, %$_ }, 1)), 1, 'planted: is seen')
    for { allowed_per_s => 104 }, { allowed_per_s => undef },
        { events => [{ from => 'down', to => 'ramping', why => '' }] };

my $r = $load->stop();

is_deeply([grep { !/^(?:200|503)$/ } keys %{statuses($r, qr/./)}], [],
          'every request was answered');
is_deeply([keys %{statuses($r, qr/^\/(?:up|verifying)-(?:keep|pass)/)}], [200],
          'what was kept or passed was not shed');
is_deeply([keys %{statuses($r, qr/^\/down-(?:keep|shed)/)}], [503],
          'what was down was not opened');
