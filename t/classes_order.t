#!/usr/bin/perl

# Goal: classes are served in order.  When there is not enough for all, those
# before the marginal class lose nothing, those behind it get nothing, and
# the first one has a spare place.
# Method: first without time: a bucket that hardly refills and places that
# are held are filled class by class.  Then under a constant overload of all
# classes, by a rate and by places, counted over a stretch of time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(50);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=200ms;

    recovery_policy order {
        ramp   from=2% double=1h;
        match  critical $uri ~ /critical$;
        match  high     $uri ~ /high$;
        match  normal   $uri ~ /normal$;
        match  low      $uri ~ /low$;
    }

    recovery_policy reserved {
        class  first reserve=50%;
        class  last;
        match  first $uri ~ /first$;
    }

    recovery_backend  up     { policy order; quota 1r/m; }
    recovery_backend  down   { policy order; quota 1r/m; }
    recovery_backend  half   { policy reserved; quota 1r/m; }
    recovery_backend  places { policy order; initial probing; }
    recovery_backend  rate   { policy order; quota 100r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /up/     { recovery up;
                            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /down/   { recovery down;
                            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /half/   { recovery half;
                            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /places/ { recovery places;
                            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /rate/   { recovery rate;
                            proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

my @classes = qw(critical high normal low);

# how many in a row pass

sub passes {
    my ($uri) = @_;

    for my $n (0 .. 20) {
        return $n if $t->http_get($uri)->{status} != 200;
    }

    return 'all';
}

# The burst of such a rate is two requests a class, eight; each class leaves
# a tenth of it, and at least one, to those before it.

is(passes('/up/low'), 5, 'bucket, from below: low');
is(passes('/up/normal'), 1, 'bucket, from below: normal');
is(passes('/up/low'), 0, 'bucket, from below: low gets no more');
is(passes('/up/high'), 1, 'bucket, from below: high');
is(passes('/up/normal'), 0, 'bucket, from below: normal gets no more');
is(passes('/up/critical'), 1, 'bucket, from below: critical');
is(passes('/up/critical'), 0, 'bucket, from below: it is empty');

is(passes('/down/critical'), 8, 'bucket, from above: critical takes all');
is(passes("/down/$_"), 0, "bucket, from above: $_") for @classes;

is(passes('/half/last'), 2, 'bucket: half of four is reserved');
is(passes('/half/first'), 2, 'bucket: for the first');

# ten places of a ramp whose reference is unknown, and one spare

$t->redis('HSET', 'recovery:places', health => 'up', force => 'hold');

ok($t->wait_for(sub { $t->backend_status('places')->{force} }), 'hold');
is($t->backend_status('places')->{phase}, 'probing', 'it holds probing');
$t->redis('HDEL', 'recovery:places', 'force');

ok($t->wait_for(sub {
    $t->http_get('/places/critical');
    return $t->backend_status('places')->{phase} eq 'ramping';
}, 'ramping', 20), 'ramping');

$t->redis('HSET', 'recovery:places', force => 'hold');
ok($t->wait_for(sub { $t->backend_status('places')->{force} }), 'hold');
is($t->backend_status('places')->{in_flight_limit}, 10, 'ten places');

my @held;

# starts requests until one is shed: how many are held more than before

sub fill {
    my ($class) = @_;

    my $before = $b->active();

    for my $n (0 .. 20) {
        my $h = $t->http_start("/places/$class?hang=1");

        push @held, $h;
        $t->wait_for(sub { $b->active() > $before + $n
                           || IO::Select->new($h->{s})->can_read(0) });

        return $n if $b->active() == $before + $n;
    }

    return 'all';
}

sub drain {
    $t->wait_for(sub { $b->release();
                       $t->backend_status('places')->{in_flight} == 0 },
                 'the end');
    $t->http_close($_) for splice @held;
}

$b->reset();

is(fill('low'), 7, 'places, from below: low');
is(fill('normal'), 1, 'places, from below: normal');
is(fill('low'), 0, 'places, from below: low gets no more');
is(fill('high'), 1, 'places, from below: high');
is(fill('critical'), 2, 'places, from below: critical, one spare');
is($b->active_max(), 11, 'places, from below: all');
drain();

$b->reset();

is(fill('critical'), 11, 'places, from above: critical takes all');
is(fill($_), 0, "places, from above: $_") for qw(high normal low);
drain();

is(fill('normal'), 8, 'places, in the middle: normal');
is(fill('low'), 0, 'places, in the middle: low');
is(fill('high'), 1, 'places, in the middle: high');
drain();

my $m = $t->metrics();

is($m->value('nginx_recovery_shed_total', backend => 'places',
             class => 'low', reason => 'in_flight'), 4,
   'places: low was shed for them');

# constant overload.  counted(name): what passed of what was offered, by
# class, from now until so many were offered

sub counted {
    my ($name, $offered) = @_;

    my (@before, @now);
    my $read = sub {
        return map { $t->class_status($name, $_) } @classes;
    };
    my $sum = sub {
        my $n = 0;
        $n += $_->{offered} for @_;
        return $n;
    };

    @before = $read->();
    $t->wait_for(sub { @now = $read->();
                       $sum->(@now) >= $sum->(@before) + $offered },
                 "$offered to be offered", 30);

    return map {
        my ($was, $is) = ($before[$_], $now[$_]);
        my $n = $is->{offered} - $was->{offered} || 1;

        { class => $classes[$_], offered => $n,
          share => ($is->{passed} - $was->{passed}) / $n };
    } 0 .. 3;
}

# in order: none has a larger share than the one before it (a hair's breadth
# aside), all before the marginal one lose nothing and all behind get nothing

sub in_order {
    my ($what, @c) = @_;

    note("$what: " . join ', ', map { sprintf '%s %.2f of %d', @{$_}{
        qw(class share offered)} } @c);

    cmp_ok($c[0]{share}, '>=', 0.95, "$what: critical passes");
    cmp_ok($c[-1]{share}, '<=', 0.05, "$what: low does not");

    for my $i (1 .. $#c) {
        cmp_ok($c[$i]{share}, '<=', $c[$i - 1]{share} + 0.02,
               "$what: $c[$i]{class} not before $c[$i - 1]{class}");
    }

    cmp_ok(scalar(grep { $_->{share} > 0.15 && $_->{share} < 0.85 } @c), '<=',
           1, "$what: one class is the marginal one");
}

# The machine may stall: the bucket then is full, and what was late comes at
# once and takes of it what was low's and nobody's.  Try again.

sub quiet {
    my ($name, $offered) = @_;

    my @c;

    for my $try (1 .. 10) {
        @c = counted($name, $offered);
        last if $c[0]{share} > 0.97 && $c[-1]{share} < 0.03;
    }

    return @c;
}

my $load = $t->load(rate => 240, uris => [map { "/rate/$_" } @classes]);
ok($t->wait_for(sub { $load->peek()->{sent} > 60 }), 'load');
in_order('rate', quiet('rate', 400));
$load->stop();

$b->set_path('/places/', delay => 0.1);
$load = $t->load(rate => 240, uris => [map { "/places/$_" } @classes]);
ok($t->wait_for(sub { $load->peek()->{sent} > 60 }), 'load');
in_order('places', quiet('places', 400));
$load->stop();

# more classes at once than there is room for critical alone: it is shed too,
# and nobody else passes

$load = $t->load(rate => 240,
                 uris => ['/rate/critical', '/rate/critical', '/rate/high']);
ok($t->wait_for(sub { $load->peek()->{sent} > 60 }), 'load');

my ($critical, $high) = counted('rate', 400);

cmp_ok($critical->{share}, '<', 0.95, 'too much critical: it is shed too');
cmp_ok($high->{share}, '<', 0.1, 'too much critical: high gets nothing');
$load->stop();
