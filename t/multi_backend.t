#!/usr/bin/perl

# Goal: a location that stands on several backends is as tight as the
# tightest: one that sheds decides, and what the others had granted is given
# back, permit, cost and count.
# Method: pairs of backends of which one is up and the other down, out of its
# quota, or out of places, in both orders.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(39);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms;

    recovery_policy   one { class normal; }

    recovery_backend  a     { }
    recovery_backend  b     { }
    recovery_backend  few   { policy one; quota 2r/m; }
    recovery_backend  many  { quota 4r/m; }
    recovery_backend  tight { capacity 1000r/s; }

    add_header  X-By "$recovery_backend $recovery_reason" always;

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /ab     { recovery a b;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /ba     { recovery b a;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /a      { recovery a;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /quotas { recovery many few;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /many   { recovery many;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /tight  { recovery a tight;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /probe  { recovery tight;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /dry    { recovery b a; recovery_dry_run on;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

sub counted {
    my ($name, $class) = @_;

    my $c = $t->class_status($name, $class // 'normal');

    return "$c->{offered} $c->{passed} $c->{shed}";
}

sub in_flight { return $t->backend_status($_[0])->{in_flight} }

# both up

is($t->http_get('/ab')->{status}, 200, 'both up');
is(counted('a'), '1 1 0', 'both up: a');
is(counted('b'), '1 1 0', 'both up: b');

my $h = $t->http_start('/ab?hang=1');
ok($t->wait_for(sub { $b->active() == 1 }), 'held');
is(in_flight('a') . in_flight('b'), '11', 'a permit of each');
$b->release();
is($t->http_end($h)->{status}, 200, 'ends');
$t->http_close($h);
ok($t->wait_for(sub { in_flight('a') + in_flight('b') == 0 }),
   'both are back');

# one down: it decides, in either order

$t->health('b', 'down');
ok($t->wait_phase('b', 'down'), 'b is down');
$b->reset();

my $r = $t->http_get('/ab');

is($r->{status}, 503, 'a b: shed');
is($r->{headers}{'x-by'}, 'b down', 'a b: by b');
is(counted('a'), '2 2 0', 'a b: a has not counted it');
is(counted('b'), '3 2 1', 'a b: b has');
is(in_flight('a'), 0, 'a b: the permit of a is back');

$r = $t->http_get('/ba');

is($r->{status}, 503, 'b a: shed');
is($r->{headers}{'x-by'}, 'b down', 'b a: by b');
is(counted('a'), '2 2 0', 'b a: a has not counted it');
is(counted('b'), '4 2 2', 'b a: b has');
is(in_flight('a'), 0, 'b a: no permit of a');

is($t->http_get('/a')->{status}, 200, 'a alone is up');
is($b->count(), 1, 'all that the backend has seen');
is($t->metrics()->sum('nginx_recovery_upstream_responses_total',
                      backend => 'b'), 2, 'b has no results of a');

# both down: the first one named is told

$t->health('a', 'down');
ok($t->wait_phase('a', 'down'), 'a is down too');
is($t->http_get('/ab')->{headers}{'x-by'}, 'a down', 'a b: by a');
is(counted('a'), '4 3 1', 'counted by a');
is(counted('b'), '4 2 2', 'and not by b');

# dry run: every backend says what it would have done

is($t->http_get('/dry')->{status}, 200, 'dry run: served');
is($t->metrics()->sum('nginx_recovery_requests_total',
                      outcome => 'shed_dry_run'), 2, 'dry run: by both');

# quotas: what the wider one gave is refunded each time.  Two requests are
# the burst of the tighter one, six of this class that of the wider one.

my @q = map { $t->http_get('/quotas') } 1 .. 12;

is(join(' ', map { $_->{status} } @q), '200 200' . ' 503' x 10,
   'quotas: the burst passes and no more');
is($q[-1]{headers}{'x-by'}, 'few quota', 'quotas: shed by the tighter one');
is(counted('few'), '12 2 10', 'quotas: few');
is(counted('many'), '2 2 0', 'quotas: many');
is(join(' ', map { $t->http_get('/many')->{status} } 1 .. 5),
   '200 200 200 200 503', 'quotas: what the wider one gave came back');

# out of places: probing has two, for all that stand on it

$t->health('a', 'up');
ok($t->wait_for(sub { $t->http_get('/a');
                      $t->backend_status('a')->{phase} =~ /ramping|up/ },
                'a to be let in again', 20), 'a is back');

$t->health('tight', 'recovering');
ok($t->wait_phase('tight', 'probing'), 'tight is probing');

$b->reset();

my @h;
my $held = $t->wait_for(sub {
    push @h, $t->http_start('/probe?hang=1');
    return $b->active() == 2;
}, 'two probes');
ok($held, 'two are held');

my $before = counted('a');
my @shed = grep { $_->{status} == 503 } map { $t->http_get('/tight') } 1 .. 5;

is(scalar @shed, 5, 'no place: shed');
is(scalar(grep { $_->{headers}{'x-by'} =~ /^tight (?:in_flight|probing)$/ }
          @shed), 5, 'no place: by whom, and why');
is(counted('a') . ' ' . in_flight('a'), "$before 0",
   'no place: a has given all back');

$t->wait_for(sub { $b->release(); in_flight('tight') == 0 }, 'the end');
$t->http_close($_) for @h;
is($b->active_max(), 2, 'never more than two');
