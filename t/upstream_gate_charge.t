#!/usr/bin/perl

# Goal: each attempt behind "recovery" in upstream {} is paid for, at the cost
# and in the class that the location says: a retry that is not allowed is
# 503, what reached nobody is given back, a location has paid for the first,
# and the attempt that nginx gives itself for a kept connection that was
# closed is free.
# Method: quotas of which two are the burst and the next comes in a minute;
# one backend for each case.  Then a recovery through the gate alone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(76);
my $b = $t->backend(8081);

$t->redis_start();

my @names = qw(retry second stale located undo full kept post spare cost class
               dry ok);
my $backends = join "\n    ", map {
    "recovery_backend $_ { policy "
        . ($_ eq 'class' ? 'two' : 'one') . '; quota 1r/m; }'
} @names;

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms;

    recovery_policy   one { class normal; }
    recovery_policy   two { class high reserve=50%; class low default;
                            match high \$arg_p = 1; trust 127.0.0.1; }

    $backends
    recovery_backend  wide { quota 4r/m; }
    recovery_backend  kv   { capacity 1000r/s; }

    proxy_cache_path  %%TESTDIR%%/cache keys_zone=c:1m;

    upstream retry   { recovery retry; server 127.0.0.1:%%PORT_8091%% max_fails=0;
                       server 127.0.0.1:%%PORT_8081%% backup; }
    upstream second  { recovery second; server 127.0.0.1:%%PORT_8081%%; }
    upstream stale   { recovery stale; keepalive 4;
                       server 127.0.0.1:%%PORT_8081%% max_fails=0;
                       server 127.0.0.1:%%PORT_8081%% backup; }
    upstream next    { recovery second; server 127.0.0.1:%%PORT_8081%%
                                               max_fails=0;
                       server 127.0.0.1:%%PORT_8081%% backup; }
    upstream located { recovery located; server 127.0.0.1:%%PORT_8081%%
                                                max_fails=0;
                       server 127.0.0.1:%%PORT_8081%% backup; }
    upstream undo    { recovery wide undo; server 127.0.0.1:%%PORT_8081%%; }
    upstream wide    { recovery wide; server 127.0.0.1:%%PORT_8081%%; }
    upstream full    { recovery full; server 127.0.0.1:%%PORT_8081%%
                                             max_conns=1; }
    upstream kept    { recovery kept; server 127.0.0.1:%%PORT_8083%%;
                       keepalive 4; }
    upstream post    { server 127.0.0.1:%%PORT_8083%%; keepalive 4;
                       recovery post; }
    upstream spare   { server 127.0.0.1:%%PORT_8083%%; keepalive 4;
                       recovery spare; }
    upstream cost    { recovery cost;  server 127.0.0.1:%%PORT_8081%%; }
    upstream class   { recovery class; server 127.0.0.1:%%PORT_8081%%; }
    upstream dry     { recovery dry;   server 127.0.0.1:%%PORT_8081%%; }
    upstream ok      { recovery ok;    server 127.0.0.1:%%PORT_8081%%; }
    upstream kv      { recovery kv;    server 127.0.0.1:%%PORT_8081%%; }

    add_header  X-Out "\$recovery_outcome \$recovery_reason" always;
    add_header  X-By  "\$recovery_backend \$recovery_class" always;
    add_header  X-Up  "\$upstream_status" always;

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        proxy_http_version  1.1;
        proxy_set_header    Connection "";

        location /retry   { proxy_pass http://retry; }
        location /second  { proxy_pass http://second; }
        location /next    { proxy_next_upstream http_500;
                            proxy_pass http://next; }
        location /stale   { proxy_cache c; proxy_cache_valid 200 1s;
                            proxy_cache_use_stale error;
                            proxy_next_upstream error http_500;
                            proxy_pass http://stale; }
        location /located { recovery located;
                            proxy_next_upstream http_500;
                            proxy_pass http://located; }
        location /undo    { proxy_pass http://undo; }
        location /wide    { proxy_pass http://wide; }
        location /full    { proxy_pass http://full; }
        location /kept    { proxy_pass http://kept; }
        location /post    { proxy_pass http://post; }
        location /spare   { error_page 502 = \@spare;
                            proxy_pass http://spare; }
        location \@spare   { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /cost    { recovery_cost \$arg_n; proxy_pass http://cost; }
        location /class   { proxy_pass http://class; }
        location /named   { recovery_class high; proxy_pass http://class; }
        location /dry     { recovery_dry_run on; recovery_log_level warn;
                            proxy_pass http://dry; }
        location /loud    { recovery_log_level warn; proxy_pass http://ok; }
        location /kv      { proxy_pass http://kv; }
    }
}

EOF2

# closes each connection on which it gets a second request, without a byte

$t->daemon(8083, sub {
    my ($listen) = @_;

    while (my $s = $listen->accept()) {
        next if fork;

        my $in = '';

        while ($in !~ /\r\n\r\n/) {
            sysread $s, $in, 4096, length $in or exit;
        }

        syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
        sysread $s, $in, 4096;
        exit;
    }
});

$t->run();

my $r;

sub get {
    my ($uri, %o) = @_;

    $r = $t->http_get($uri, %o);
    return $r->{status};
}

sub counted {
    my ($name, $class) = @_;

    my $c = $t->class_status($name, $class // 'normal');

    return "$c->{passed} $c->{shed}";
}

sub results {
    my ($name) = @_;

    my $m = $t->metrics();

    return join ' ', map {
        $m->value('nginx_recovery_upstream_responses_total',
                  backend => $name, result => $_)
    } qw(ok error timeout);
}

sub in_flight { return $t->backend_status($_[0])->{in_flight} }

# a retry is an attempt, and may be one too many

is(get('/retry'), 200, 'retry: both attempts are allowed');
is($r->{headers}{'x-up'}, '502, 200', 'retry: both were made');
is(counted('retry'), '2 0', 'retry: both are paid for');
is(get('/retry'), 503, 'retry: the next request is shed');
is($r->{headers}{'x-out'}, 'shed quota', 'retry: why');
is(counted('retry'), '2 1', 'retry: counted');
is(results('retry'), '1 1 0', 'retry: and proves nothing');

# the first attempt passes and the second does not: that is final, and what
# the first had brought is thrown away

is(get('/second'), 200, 'second: one of two is used');
is(get('/next?status=500'), 503, 'second: its retry is shed');
is($r->{headers}{'x-up'}, '500, 503', 'second: after a 500');
is($r->{headers}{'x-out'}, 'shed quota', 'second: why');
like($r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'second: Retry-After');
is(counted('second'), '2 1', 'second: counted');
is(results('second'), '1 1 0', 'second: results');
is(in_flight('second'), 0, 'second: no permit is left');

# the same with a stale answer at hand

is(get('/stale'), 200, 'stale: stored');
$t->wait_for(sub {
    $b->set(status => 500);
    get('/stale');
    return $r->{headers}{'x-out'} ne 'none none';
}, 'stale to expire');
is($r->{status}, 200, 'stale: served');
is($r->{headers}{'x-out'}, 'shed quota', 'stale: the retry was shed');
is($r->{headers}{'x-up'}, '500, 502', 'stale: after a 500');
is(counted('stale'), '2 1', 'stale: two attempts, one shed');
is(results('stale'), '1 1 0', 'stale: two results');

# a location has paid for the first attempt

$b->set();
is(get('/located?status=500'), 500, 'located: the location pays for one');
is($r->{headers}{'x-up'}, '500, 500', 'located: of two');
is(counted('located'), '2 0', 'located: two are paid for');
is(get('/located'), 503, 'located: shed by the location');
is(counted('located'), '2 1', 'located: counted once');
is($r->{headers}{'x-up'}, undef, 'located: no upstream was asked');

# two backends: what the wider had granted is given back

is(get('/undo'), 200, 'undo: first');
$b->reset();
is(get('/undo?status=500'), 500, 'undo: second');
is(join(' ', map { get('/undo') } 1 .. 5), '503 503 503 503 503',
   'undo: shed by the tighter of two');
is($r->{headers}{'x-by'}, 'undo normal', 'undo: by which');
like($r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'undo: Retry-After');
is(counted('undo'), '2 5', 'undo: the tighter');
is(counted('wide'), '2 0', 'undo: the wider has not counted');
is(join(' ', map { get('/wide') } 1 .. 5), '200 200 200 200 503',
   'undo: the wider has it back');
is(in_flight('undo') . in_flight('wide'), '00', 'undo: no permit is left');

# no room: what was paid is given back

$b->reset();

my $h = $t->http_start('/full?hang=1');

ok($t->wait_for(sub { $b->active() == 1 }), 'full: held');
is(join(' ', map { get('/full') } 1 .. 4), '502 502 502 502',
   'full: nobody to ask');
is(counted('full'), '1 0', 'full: not counted');
$b->release();
$t->http_end($h);
$t->http_close($h);
ok($t->wait_for(sub { in_flight('full') == 0 }), 'full: over');
is(join(' ', get('/full'), get('/full')), '200 503',
   'full: one was left to pay for');

# the kept connection that is closed when it is used

is(get('/kept'), 200, 'kept: a connection is kept');
is(get('/kept'), 200, 'kept: it was closed, another one serves');
is($r->{headers}{'x-up'}, '502, 200', 'kept: in two attempts');
is(counted('kept'), '2 0', 'kept: one of them is free');
is(results('kept'), '2 0 0', 'kept: and is no error');
is(get('/kept'), 503, 'kept: the quota is used');
is(in_flight('kept'), 0, 'kept: no permit is left');

# where nginx does not try again

is(get('/post'), 200, 'post: a connection is kept');
is(get('/post', method => 'POST', body => 'x'), 502,
   'post: it was closed, and POST is not repeated');
is($r->{headers}{'x-up'}, '502', 'post: one attempt');
is(results('post'), '1 0 0', 'post: no error of the backend');
is(in_flight('post'), 0, 'post: the permit is back');

is(get('/spare'), 200, 'spare: a connection is kept');
$b->reset();
$h = $t->http_start('/spare?hang=1', method => 'POST', body => 'x');
ok($t->wait_for(sub { $b->active() == 1 }), 'spare: error_page is held');
is(in_flight('spare'), 0, 'spare: the permit is back already');
$b->release();
$t->http_end($h);
$t->http_close($h);

# cost and class

is(get('/cost?n=2'), 200, 'cost: two at once');
is(get('/cost?n=1'), 503, 'cost: nothing is left');
is(get('/cost?n=0'), 200, 'cost: for nothing');

is(join(' ', map { get('/class') } 1 .. 3), '200 200 503', 'class: low');
is($r->{headers}{'x-by'}, 'class low', 'class: told');
is(join(' ', get('/class?p=1'), get('/named'), get('/class?p=1')),
   '200 200 503', 'class: high, by a rule and by name');
is(counted('class', 'high'), '2 1', 'class: counted');

# dry run, log level

is(join(' ', map { get('/dry') } 1 .. 4), '200 200 200 200', 'dry run');
is($r->{headers}{'x-out'}, 'shed_dry_run quota', 'dry run: told');
is($t->metrics()->sum('nginx_recovery_requests_total', backend => 'dry',
                      outcome => 'shed_dry_run'), 2, 'dry run: counted');
is(scalar $t->grep_file('error.log', qr/\[warn\].*dry run.*backend "dry"/),
   2, 'dry run: logged');
is(results('dry'), '4 0 0', 'dry run: results');
is(join(' ', map { get('/loud') } 1 .. 3), '200 200 503', 'log level');
is(scalar $t->grep_file('error.log', qr/\[warn\].*shed by backend "ok"/), 1,
   'log level: logged');

# a recovery, steered by nothing but what the attempts come to

is(get('/kv'), 200, 'recovery: up');
$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'recovery: down');
is(get('/kv'), 503, 'recovery: shed');
$t->health('kv', 'recovering');
ok($t->wait_phase('kv', qr/probing|ramping/), 'recovery: probing');
ok($t->wait_for(sub {
    get('/kv');
    return $t->backend_status('kv')->{phase} eq 'ramping';
}, 'the ramp', 20), 'recovery: answers let it ramp');
ok($t->wait_for(sub {
    $t->http_burst(20, '/kv');
    return $t->backend_status('kv')->{level} > 0.1;
}, 'the level to rise', 30), 'recovery: and raise it');
