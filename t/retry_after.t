#!/usr/bin/perl

# Goal: Retry-After is an appointment: within the bounds, spread, later for
# later classes, and most who keep it are let in, where those who try again
# after a second are not.
# Method: a ramp of some 20 seconds under constant load.  Beside the load some
# users come one by one; each who is shed comes again when he was told to,
# and another one in his stead after a second.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(max min sum);
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Recovery;

my $t = Test::Recovery->new()->plan(24);

$t->backend(8081);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%%;

    recovery_policy slow {
        feedback  off;
        ramp      from=5% over=20s;
        match     high $uri ~ ^/high;
        match     low  $uri ~ ^/low;
        cohort    $arg_user;
    }

    recovery_policy bound { shed retry_after=5s..9s; }
    recovery_policy exact { shed retry_after=7s..7s; }

    recovery_backend kv    { policy slow; capacity 150r/s; }
    recovery_backend bound { policy bound; initial down; }
    recovery_backend exact { policy exact; initial down; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        recovery    kv;
        proxy_set_header Connection "";

        location /       { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /bound  { recovery bound;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /exact  { recovery exact;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();


# the seconds that were said, of those shed

sub said {
    return map { $_->{headers}{'retry-after'} // 0 }
           grep { $_->{status} == 503 } @_;
}

sub mean { return @_ ? sum(@_) / @_ : 0 }

# of all, the part that was told the same second, at most

sub clump {
    my %n;
    $n{$_}++ for @_;
    return max(values %n) / @_;
}


# bounds

my @said = said(map { $t->http_get('/bound') } 1 .. 100);

is(scalar @said, 100, 'bounds: all shed');
cmp_ok(min(@said), '>=', 5, 'bounds: the lower one');
cmp_ok(max(@said), '<=', 9, 'bounds: the upper one');
cmp_ok(clump(@said), '<=', 0.7, 'bounds: spread in between');

@said = said(map { $t->http_get('/exact') } 1 .. 20);
is(join(' ', @said), join(' ', (7) x 20), 'no room between them');

# down: nobody knows when

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
@said = said(map { $t->http_get('/') } 1 .. 200);
is(scalar @said, 200, 'down: all shed');
cmp_ok(min(@said), '>=', 4, 'down: not at once');
cmp_ok(max(@said), '<=', 30, 'down: not in the end');
cmp_ok(clump(@said), '<=', 0.25, 'down: spread');

# the ramp

my $load = $t->load(rate => 120, most => 10, timeout => 10,
                    uris => [map { ("/high?user=u$_", "/?user=u$_",
                                    "/?user=v$_", "/low?user=u$_") } 1 .. 50]);

$t->health('kv', 'up');
ok($t->wait_phase('kv', 'ramping', 30), 'ramping');

my (@due, %came, %in);
my $n = 0;


sub visit {
    my ($uri, $manner) = @_;

    my $r = $t->http_get($uri);

    $came{$manner}++;
    $in{$manner} += ($r->{status} == 200);

    return $r;
}


my $end = time() + 120;
my $ramping = 1;

while (($ramping || @due) && time() < $end) {

    if ($ramping && $n % 10 == 0) {
        $ramping = ($t->backend_status('kv')->{phase} eq 'ramping');
    }

    if ($ramping) {
        my $uri = '/?user=w' . $n++;
        my $r = $t->http_get($uri);

        if ($r->{status} == 503) {
            push @due, [time() + $r->{headers}{'retry-after'}, $uri, 'kept'],
                       [time() + 1, $uri, 'second'];
        }
    }

    for my $visit (grep { $_->[0] <= time() } @due) {
        visit(@$visit[1, 2]);
    }

    @due = grep { $_->[0] > time() } @due;
    sleep(0.05);
}

my $results = $load->stop();

is($t->backend_status('kv')->{phase}, 'verifying', 'the ramp is done');
is(scalar @due, 0, 'all have come again');
cmp_ok($came{kept} // 0, '>=', 30, 'many were shed once');
cmp_ok($in{kept}, '>=', 0.4 * $came{kept}, 'who kept it is in');
cmp_ok($in{kept} / $came{kept}, '>', $in{second} / $came{second} + 0.2,
       'who came after a second is not');

my %by;

for my $r (@$results) {
    my ($class) = $r->{uri} =~ m{^/(\w*)};
    push @{$by{$class || 'normal'}}, $r;
}

my $first = min(map { $_->{t} } grep { $_->{status} == 200 } @$results);
my %early = map {
    my $class = $_;
    ($class => [said(grep { $_->{t} > $first && $_->{t} < $first + 6 }
                     @{$by{$class}})])
} keys %by;


cmp_ok(scalar @{$early{low}}, '>=', 20, 'low is shed');
cmp_ok(mean(@{$early{low}}), '>', mean(@{$early{normal}}) + 1,
       'low comes later than normal');
cmp_ok(mean(@{$early{normal}}), '>', mean(@{$early{high}}),
       'normal later than high');
cmp_ok(clump(@{$early{normal}}), '<=', 0.4, 'normal: spread');
cmp_ok(clump(@{$early{low}}), '<=', 0.4, 'low: spread');

my @all = said(@$results);

cmp_ok(min(@all), '>=', 1, 'at least a second');
cmp_ok(max(@all), '<=', 60, 'at most a minute');
is(scalar(grep { !/^[1-9]\d*$/ } @all), 0, 'whole seconds');
