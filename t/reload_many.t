#!/usr/bin/perl

# Goal: reloads in a row use nothing up: no slot, no descriptor, no second
# leader, and no request is lost in any of them.
# Method: twenty under load; the first two are the measure for the rest.
# Then some without waiting for each other, as a careless script does it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(max min);
use Test::More;

use Test::Recovery;
use Test::Recovery::Watch qw(fd_count links);

my $RELOADS = 20;

my $t = Test::Recovery->new()->plan(18);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

worker_processes  2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_backend  kv { }
    recovery_backend  d1 { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /    { recovery kv;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /d1  { recovery d1;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();
$t->health('d1', 'down');
ok($t->wait_phase('d1', 'down'), 'd1 is down');

my $load = $t->load(rate => 100, uris => ['/', '/?delay=0.1', '/d1']);

# nothing of a reload is on its way any more

sub calm {
    return $t->wait_for(sub {
        $t->workers(all => 1) == 2 && links($t, 6379) == 2
            && $t->status()->{redis}{state} eq 'connected';
    }, 'calm', 20);
}

# descriptors, without those of requests

sub fds {
    my @fds = map { fd_count($_) } $t->workers();

    return [fd_count($t->master()), min(@fds), max(@fds)];
}

sub offered {
    my $offered = 0;

    for my $backend (values %{$t->status()->{backends}}) {
        $offered += $_->{offered} for @{$backend->{classes}};
    }

    return $offered;
}

my ($done, $fell, $offered, $two) = (0, 0, 0, 0);
my @measure;

for my $i (1 .. $RELOADS) {
    $done++ if $t->reload();

    my $now = offered();

    $fell++ if $now < $offered;
    $offered = $now;

    # never two that lead: four connections at most for a moment, while the
    # one who led is told

    $two++ if links($t, 6379) > 4;

    if ($i == 2) {
        calm();
        @measure = (fds());
    }
}

is($done, $RELOADS, 'reloads');
is($fell, 0, 'counters never fall');
is($two, 0, 'never three that lead');
ok(calm(), 'one leader is left, and two workers');

$measure[1] = fds();

is($measure[1][0], $measure[0][0], 'descriptors of the master');
cmp_ok($measure[1][2], '<=', $measure[0][2] + 12, 'descriptors of a worker');

my $results = $load->stop();
my %kinds;

$kinds{"$_->{uri} $_->{status}"}++ for @$results;

is(join(', ', sort keys %kinds), '/ 200, /?delay=0.1 200, /d1 503',
   'no request is lost, none is shed that need not be');
is($b->count('/d1'), 0, 'd1 was never let in');

my $m = $t->metrics();

is($m->value('nginx_recovery_undecided_total', reason => 'no_slot'), 0,
   'each worker had a slot');
is($m->value('nginx_recovery_slots_reclaimed_total'), 0,
   'each gave it back itself');

# without load the number of descriptors is exact

ok(calm(), 'calm');
my $fds = fds();
$t->reload() for 1 .. 3;
ok(calm(), 'calm again');
ok($t->wait_for(sub { "@{fds()}" eq "@$fds" }),
   'not a descriptor more or less') or diag("@$fds, @{fds()}");

# a careless script

my $lines = () = $t->grep_file('error.log', qr/reconfiguring/);

for (1 .. 6) {
    kill 'HUP', $t->master();
    my $goal = ++$lines;
    $t->wait_for(sub {
        (() = $t->grep_file('error.log', qr/reconfiguring/)) >= $goal;
    });
}

ok(calm(), 'six reloads in a hurry');
is($t->http_get('/')->{status}, 200, 'kv passes');
is($t->http_get('/d1')->{status}, 503, 'd1 is shed');
is($t->metrics()->value('nginx_recovery_undecided_total',
                        reason => 'no_slot'), 0, 'each worker had a slot');
