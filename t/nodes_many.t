#!/usr/bin/perl

# Goal: the reports of a thousand backends cost Redis and nginx little: at
# most 64 in any second, in turn, so that nobody is forgotten; what somebody
# waits for goes first.
# Method: what Redis has counted, by its own clock; the processor time of the
# workers is the kernel's figure.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(time sleep);

use Test::Recovery;
use Test::Recovery::Watch qw(calls);

my $N = 1000;
my $MOST = 64;

my $t = Test::Recovery->new()->plan(12);
my $redis = $t->redis_start();
my $backends = join "\n", map { "recovery_backend store-$_ { }" } 1 .. $N;

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=200ms node=me;
    $backends
}

EOF2


sub now_ms {
    my ($s, $us) = @{$t->redis('TIME')};
    return $s * 1000 + int($us / 1000);
}

sub reports { return scalar @{$t->redis('KEYS', 'recovery:node:me:*')} }

sub reported { my $text = $t->redis('GET', "recovery:node:me:$_[0]");
               return $text ? JSON::PP->new->utf8->decode($text) : undef }


# For so many seconds: the most reports in a second, however it is cut.

sub busiest {
    my ($for_s) = @_;

    my @seen;
    my $most = 0;

    do {
        sleep(0.05);
        push @seen, { from => now_ms(), n => calls($redis, 'set'),
                      to => now_ms() };
    } while ($seen[-1]{to} < $seen[0]{from} + $for_s * 1000);

    for my $i (0 .. $#seen) {
        for my $j ($i + 1 .. $#seen) {
            last if $seen[$j]{to} - $seen[$i]{from} > 1000;
            my $n = $seen[$j]{n} - $seen[$i]{n};
            $most = $n if $n > $most;
        }
    }

    return $most;
}

$t->run();

ok($t->wait_for(sub { reports() > 0 }), 'it begins');

my $most = busiest(3);
cmp_ok($most, '<=', $MOST, "at most $MOST in a second");
cmp_ok($most, '>', $MOST / 2, 'and not much less while there are more');

my $written = calls($redis, 'set');
my $there = reports();
cmp_ok($there, '>=', $written, 'in turn: none twice while others wait')
    or diag("$written reports of $there backends");

# one of them changes while all others wait

my ($late) = grep { !reported("store-$_") } reverse 1 .. $N;
ok($late, 'one that has not been reported yet');

$t->redis('HSET', "recovery:store-$late", health => 'down', epoch => 5);
$t->redis('PUBLISH', 'recovery:changed', "store-$late");

my $before = calls($redis, 'set');
ok($t->wait_for(sub { my $r = reported("store-$late");
                      $r && ($r->{epoch} // 0) == 5 }), 'a change is told');
cmp_ok(calls($redis, 'set') - $before, '<=', $MOST, 'before the others');

# many of them change at once

my $same = $N - 300;

sub texts {
    return grep { defined } @{$t->redis('MGET', map {
        "recovery:node:me:store-$_" } $_[0] .. $_[1])};
}

for my $i ($same + 1 .. $N) {
    $t->redis('HSET', "recovery:store-$i", health => 'down', epoch => 6);
}

my $others = texts(1, $same);
my $watch = Test::Recovery::Watch->new($t);
cmp_ok(busiest(3), '<=', $MOST, "hundreds of changes: at most $MOST a second");
cmp_ok($watch->cores(), '<', 0.5, 'hundreds of changes: nginx has time');
cmp_ok(scalar texts(1, $same), '>', $others, 'hundreds of changes: the others go on');
ok($t->wait_for(sub {
    300 == grep { /"epoch": 6,/ } texts($same + 1, $N)
}, 'all of them', 60), 'hundreds of changes: all are told');

cmp_ok(scalar @{$t->redis('HKEYS', 'recovery:nodes')}, '==', 1, 'one node');
