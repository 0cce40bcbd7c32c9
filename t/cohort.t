#!/usr/bin/perl

# Goal: under a cut the same users are served, whole pages of 20 calls; who
# is in stays in while the level holds or rises, and leaves last in, first
# out when it falls.  The lots are drawn anew for the next outage, and not by
# a reload.  Without the line every page is torn.
# Method: 64 users in turn, at a level that an operator holds; what
# came of each user's last 20 calls.  "torn" is the same without cohorts.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(max min shuffle);
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;

my $USERS = 64;
my $CALLS = 20;
my $RATE = 300;

my $t = Test::Recovery->new()->plan(33);

$t->backend(8081);
$t->redis_start();

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%%;

    recovery_policy sessions { ramp from=100% verify=1s;
                               cohort $arg_user; }
    recovery_policy none     { ramp from=100% verify=1s; }

    recovery_backend kv   { policy sessions; capacity 300r/s; }
    recovery_backend up   { policy sessions; capacity 300r/s; }
    recovery_backend torn { policy none; capacity 300r/s; }

    upstream u { recovery up; server 127.0.0.1:%%PORT_8081%%; }

    log_format  told  '$arg_user $recovery_outcome $recovery_reason';
    access_log  %%TESTDIR%%/told.log told;

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /kv   { recovery kv;
                         proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /torn { recovery torn;
                         proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /up   { proxy_pass http://u; }
    }
}

EOF2

$t->write_file_expand('nginx.conf', $conf);
$t->run();


# Every user once, then again in another order, and so on: whose turn it is
# must not go with the time.

srand(1);

my @turns = map { shuffle(1 .. $USERS) } 1 .. $CALLS;


sub load {
    my ($uri) = @_;

    return $t->load(rate => $RATE, most => 10, timeout => 10,
                    uris => [map { "$uri?user=u$_" } @turns]);
}


sub force {
    my ($backend, $level) = @_;

    $t->redis('HSET', "recovery:$backend", 'force', $level);
    $t->redis('PUBLISH', 'recovery:changed', $backend);
    $t->wait_for(sub {
        my $force = $t->backend_status($backend)->{force};
        return $force && $force->{level} * 100 == $level =~ s/%//r;
    }, "force $level");
}


# under load, until the cut has hardly moved for some seconds

sub settled {
    my ($uri, $backend) = @_;

    my @seen;
    my $load = load($uri);

    my $ok = $t->wait_for(sub {
        my $cut = $t->class_status($backend, 'normal')->{cut_cohort}
            // return 0;

        push @seen, [time(), $cut];
        @seen = grep { $_->[0] > time() - 4 } @seen;

        my @cuts = map { $_->[1] } @seen;

        return $seen[0][0] < time() - 3.5 && max(@cuts) - min(@cuts) <= 6;
    }, "$backend to settle", 60);

    ok($ok, "$uri: the cut settles");
    $load->stop();

    return $seen[-1][1];
}


# the next 20 calls of every user: how many were served, by user

sub pages {
    my ($uri) = @_;

    my %served = map { ("u$_" => 0) } 1 .. $USERS;
    my $load = load($uri);

    $t->wait_for(sub { $load->peek()->{sent} >= @turns }, 'pages', 60);

    my @results = @{$load->stop()};

    for my $r (@results[0 .. $#turns]) {
        my ($user) = $r->{uri} =~ /user=(\w+)/;
        $served{$user} += ($r->{status} == 200);
    }

    return \%served;
}


# As good as whole: where the machine stands still for a moment calls come in
# heaps, which no cut foresees.  By chance, at one half, one in 17 has as many.

sub whole {
    my ($p) = @_;
    return grep { $p->{$_} >= $CALLS * 0.7 } keys %$p;
}

sub torn {
    my ($p) = @_;
    return grep { $p->{$_} > $CALLS / 4 && $p->{$_} < $CALLS * 3 / 4 }
           keys %$p;
}

sub both {
    my ($a, $b) = @_;
    my %b = map { ($_ => 1) } @$b;
    return scalar grep { $b{$_} } @$a;
}


$t->health($_, 'up') for qw(kv up torn);
is($t->class_status('kv', 'normal')->{cut_cohort}, undef, 'up: no cut');

# half of it

force('kv', '50%');

my $half = settled('/kv', 'kv');
my $p = pages('/kv');
my @half = whole($p);

cmp_ok(scalar @half, '>=', $USERS / 4, 'half: many have whole pages');
cmp_ok(scalar @half, '<=', $USERS * 2 / 3, 'half: not more than fit');
cmp_ok(scalar torn($p), '<=', $USERS / 3, 'half: few pages are torn');

my $m = $t->metrics();
my %kv = (backend => 'kv', class => 'normal');

cmp_ok($m->value('nginx_recovery_shed_total', %kv, reason => 'cohort'), '>',
       500, 'the reason, counted');
cmp_ok(scalar $t->grep_file('told.log', qr/^u\d+ shed cohort$/), '>', 500,
       'the reason, told');
is($m->value('nginx_recovery_cut_cohorts', backend => 'kv',
             class => 'critical'), undef, 'critical is not cut');
is($t->class_status('kv', 'low')->{cut_cohort}, 0, 'low is, all of it');
cmp_ok($m->value('nginx_recovery_cut_cohorts', %kv), '>', 20, 'the metric');

# the same ones, time and again

my @again = whole(pages('/kv'));

cmp_ok(both(\@half, \@again), '>=', 0.7 * @half, 'again: the same users');

# more: who is in stays in

force('kv', '80%');

my $most = settled('/kv', 'kv');

cmp_ok($most, '>', $half + 10, 'more: the cut rises');
$p = pages('/kv');
cmp_ok(both(\@half, [whole($p)]), '>=', 0.8 * @half, 'more: who is in stays');
cmp_ok(scalar whole($p), '>', @half + 5, 'more: and others come in');

# less: the latest go first

force('kv', '40%');

my $least = settled('/kv', 'kv');

cmp_ok($least, '<', $half - 5, 'less: the cut falls');
$p = pages('/kv');

my @few = whole($p);

cmp_ok(scalar @few, '>=', 6, 'less: some are served');
cmp_ok(both(\@few, \@half), '>=', 0.7 * @few, 'less: who was in before');

# a reload

ok($t->reload(), 'reload');
settled('/kv', 'kv');
cmp_ok(both(\@few, [whole(pages('/kv'))]), '>=', 0.6 * @few,
       'reload: the same users');

# the next outage

$t->redis('HDEL', 'recovery:kv', 'force');
$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');

my $load = load('/kv');

$t->health('kv', 'up');
ok($t->wait_phase('kv', 'up', 60), 'up again');
$load->stop();

force('kv', '40%');
settled('/kv', 'kv');

my @others = whole(pages('/kv'));

cmp_ok(scalar @others, '>=', 6, 'next outage: some are served');
cmp_ok(both(\@others, \@few), '<=', 0.7 * @others,
       'next outage: others than before');

# in an upstream block

force('up', '50%');
settled('/up', 'up');
$p = pages('/up');
cmp_ok(scalar whole($p), '>=', $USERS / 4, 'upstream: whole pages');
cmp_ok(scalar torn($p), '<=', $USERS / 3, 'upstream: few are torn');

# without the line

force('torn', '50%');
$p = pages('/torn');
cmp_ok(scalar whole($p), '<=', $USERS / 6, 'no cohorts: hardly a whole page');
cmp_ok(scalar torn($p), '>=', $USERS * 2 / 3, 'no cohorts: all are torn');
is($t->class_status('torn', 'normal')->{cut_cohort}, undef,
   'no cohorts: no cut');
