#!/usr/bin/perl

# Goal: behind "recovery" in upstream {} each attempt is one admission, one
# permit and one result: those of proxy_next_upstream too, and not those that
# reach nobody.  A location on the same backend has paid for the first.
# Method: one request of each kind; what was passed and what came of it before
# and after; then requests that are held while the permits are counted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new();

# uri, status; passed and results (ok error timeout) of kv and of d1

my @cases = (
    ['/one',              200, '1 1 0 0', '0 0 0 0', 'one attempt'],
    ['/one?status=404',   404, '1 1 0 0', '0 0 0 0', '404 is work done'],
    ['/one?status=302',   302, '1 1 0 0', '0 0 0 0', '302'],
    ['/one?status=503',   503, '1 0 1 0', '0 0 0 0', "the backend's own 503"],
    ['/one?status=504',   504, '1 0 1 0', '0 0 0 0', "the backend's own 504"],
    ['/one?close=before', 502, '1 0 1 0', '0 0 0 0', 'closed without a byte'],
    ['/one?close=mid',    200, '1 0 1 0', '0 0 0 0', 'the body cut short'],
    ['/raw?close=mid',    200, '1 0 1 0', '0 0 0 0', 'the same, unbuffered'],
    ['/slow?hang=1',      504, '1 0 0 1', '0 0 0 0', 'no answer in time'],
    ['/bad/x',            502, '1 0 1 0', '0 0 0 0', 'an invalid header'],
    ['/bad/half',         200, '1 0 0 1', '0 0 0 0',
     'the body stops in the middle'],
    ['/refused',          502, '1 0 1 0', '0 0 0 0', 'refused'],
    ['/next',             200, '2 1 1 0', '0 0 0 0',
     'refused, the next answers'],
    ['/slow-twice?hang=1', 504, '2 0 0 2', '0 0 0 0', 'no answer, twice'],
    ['/twice?status=500', 500, '2 0 2 0', '0 0 0 0', '500, twice'],
    ['/twice?status=404', 404, '2 2 0 0', '0 0 0 0', '404, twice'],
    ['/tries?status=500', 500, '1 0 1 0', '0 0 0 0', 'one try is allowed'],
    ['/all',              502, '2 0 2 0', '0 0 0 0', 'all refused'],
    ['/all',              502, '0 0 0 0', '0 0 0 0',
     'all known to be dead: nobody was asked'],
    ['/intercept?status=500', 500, '1 0 1 0', '0 0 0 0', 'intercepted'],
    ['/own/none',         404, '0 0 0 0', '0 0 0 0', 'no upstream at all'],

    ['/cache',            200, '1 1 0 0', '0 0 0 0', 'cache: MISS'],
    ['/cache',            200, '0 0 0 0', '0 0 0 0', 'cache: HIT'],

    ['/ep',               200, '2 1 1 0', '0 0 0 0', 'error_page, again'],
    ['/ep-d1',            200, '1 0 1 0', '1 1 0 0', 'error_page to d1'],
    ['/accel',            200, '2 2 0 0', '0 0 0 0', 'X-Accel-Redirect'],
    ['/both?status=500',  500, '1 0 1 0', '1 0 1 0', 'two backends'],

    ['/in-kv',            200, '1 1 0 0', '0 0 0 0', 'location on the same'],
    ['/in-kv/next',       200, '2 1 1 0', '0 0 0 0',
     'location on the same, two attempts'],
    ['/in-kv/all',        502, '1 0 0 0', '0 0 0 0',
     'location on the same, nobody to ask'],
    ['/in-kv/cache',      200, '1 1 0 0', '0 0 0 0',
     'location on the same, MISS'],
    ['/in-kv/cache',      200, '1 0 0 0', '0 0 0 0',
     'location on the same, HIT: admitted'],
    ['/in-kv/ep',         200, '2 1 1 0', '0 0 0 0',
     'location on the same, error_page to another such'],
    ['/in-kv/both',       200, '1 1 0 0', '1 1 0 0',
     'location on the same, upstream on one more'],
    ['/in-d1',            200, '1 1 0 0', '1 1 0 0', 'location on another'],
    ['/in-d1/next',       200, '2 1 1 0', '1 1 1 0',
     'location on another, two attempts'],
    ['/in-two',           200, '1 1 0 0', '1 1 0 0',
     'location on the same and another'],
    ['/in-two/next',      200, '2 1 1 0', '1 1 1 0',
     'the same, two attempts'],
    ['/ssi/in',           200, '2 1 1 0', '0 0 0 0', 'SSI'],
    ['/ssi-kv/in',        200, '2 1 1 0', '0 0 0 0',
     'SSI, a location on the same'],
    ['/ssi-kv/loc',       200, '1 1 0 0', '0 0 0 0',
     'SSI of locations on the same: one admission, one attempt'],
    ['/dry',              200, '1 1 0 0', '0 0 0 0', 'dry run, up'],
);

$t->plan(3 * @cases + 29);

my $b = $t->backend(8081);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    # half of what comes fails, and is not to be an outage
    recovery_policy  blind { feedback off; }
    recovery_backend kv { policy blind; }
    recovery_backend d1 { policy blind; }

    proxy_cache_path    %%TESTDIR%%/cache keys_zone=c:1m;
    proxy_cache_valid   1h;
    proxy_read_timeout  60s;

    upstream one {
        recovery  kv;
        server    127.0.0.1:%%PORT_8081%% max_fails=0;
    }

    upstream next {
        server    127.0.0.1:%%PORT_8091%% max_fails=0;
        server    127.0.0.1:%%PORT_8081%% max_fails=0 backup;
        recovery  kv;
    }

    upstream twice {
        recovery  kv;
        server    127.0.0.1:%%PORT_8081%% max_fails=0;
        server    127.0.0.1:%%PORT_8081%% max_fails=0;
    }

    upstream dead {
        recovery  kv;
        server    127.0.0.1:%%PORT_8091%% fail_timeout=1h;
        server    127.0.0.1:%%PORT_8092%% fail_timeout=1h;
    }

    upstream full {
        recovery  kv;
        server    127.0.0.1:%%PORT_8081%% max_conns=1;
    }

    upstream bad  { recovery kv; server 127.0.0.1:%%PORT_8083%%; }
    upstream gone { recovery kv; server 127.0.0.1:%%PORT_8091%% max_fails=0; }
    upstream d1   { recovery d1; server 127.0.0.1:%%PORT_8081%%; }
    upstream both { recovery kv d1; server 127.0.0.1:%%PORT_8081%%
                                           max_fails=0; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        root    %%TESTDIR%%/html;

        location /one     { proxy_pass http://one; }
        location /raw     { proxy_buffering off; proxy_pass http://one; }
        location /bad     { proxy_read_timeout 1s; proxy_pass http://bad; }
        location /refused { proxy_pass http://gone; }
        location /next    { proxy_pass http://next; }
        location /slow    { proxy_read_timeout 300ms;
                            proxy_pass http://one; }
        location /slow-twice { proxy_read_timeout 300ms;
                               proxy_pass http://twice; }
        location /twice   { proxy_next_upstream http_500 http_404;
                            proxy_pass http://twice; }
        location /tries   { proxy_next_upstream http_500;
                            proxy_next_upstream_tries 1;
                            proxy_pass http://twice; }
        location /all     { proxy_pass http://dead; }
        location /full    { proxy_pass http://full; }
        location /hold    { proxy_pass http://next; }
        location /own/    { }

        location /intercept { proxy_intercept_errors on;
                              error_page 500 /page.html;
                              proxy_pass http://one; }

        location /cache { proxy_cache c; proxy_pass http://one; }

        location /ep    { error_page 502 = /one; proxy_pass http://gone; }
        location /ep-d1 { error_page 502 = @d1; proxy_pass http://gone; }
        location @d1    { proxy_pass http://d1; }
        location /accel { proxy_pass http://one; }
        location /both  { proxy_pass http://both; }

        location /in-kv {
            recovery  kv;
            proxy_pass http://one;

            location /in-kv/next  { proxy_pass http://next; }
            location /in-kv/all   { proxy_pass http://dead; }
            location /in-kv/both  { proxy_pass http://both; }
            location /in-kv/cache { proxy_cache c; proxy_pass http://one; }
            location /in-kv/ep    { error_page 502 = /in-kv;
                                    proxy_pass http://gone; }
            location /in-kv/hold  { proxy_pass http://next; }
        }

        location /in-d1      { recovery d1; proxy_pass http://one; }
        location /in-d1/next { recovery d1; proxy_pass http://next; }
        location /in-two      { recovery d1 kv; proxy_pass http://one; }
        location /in-two/next { recovery d1 kv; proxy_pass http://next; }

        location /ssi/    { ssi on; ssi_types *; }
        location /ssi-kv/ { ssi on; ssi_types *; recovery kv;
                            alias %%TESTDIR%%/html/ssi/; }
        location /dry     { recovery_dry_run on; proxy_pass http://one; }
    }
}

EOF2

mkdir $t->dir() . "/html$_" for '', '/ssi';

my $include = '<!--# include virtual="%s" -->';

$t->write_file('html/page.html', "page\n");
$t->write_file('html/ssi/in', sprintf "$include$include\n",
               '/one?1', '/one?status=500');
$t->write_file('html/ssi/loc', sprintf "$include\n", '/in-kv');
$b->set_path('/accel', header => 'X-Accel-Redirect: /one');

# an answer that is none, and half of one

$t->daemon(8083, sub {
    my ($listen) = @_;

    my @open;

    while (my $s = $listen->accept()) {
        my $in = '';

        while ($in !~ /\r\n\r\n/) {
            sysread $s, $in, 4096, length $in or last;
        }

        if ($in =~ /half/) {
            syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";
            push @open, $s;

        } else {
            syswrite $s, "HTTP/1.1 200 OK\r\n\x01: x\r\n\r\n";
            close $s;
        }
    }
});

$t->run();

sub counted {
    my $m = $t->metrics();

    return map {
        my $name = $_;
        my $passed = $m->sum('nginx_recovery_requests_total',
                             backend => $name, outcome => 'passed');
        ($passed, map { $m->value('nginx_recovery_upstream_responses_total',
                                  backend => $name, result => $_) // 'none' }
                  qw(ok error timeout));
    } qw(kv d1);
}

for my $case (@cases) {
    my ($uri, $status, $kv, $d1, $what) = @$case;

    my @before = counted();

    is($t->http_get($uri)->{status}, $status, "$what: status");

    my @by;

    $t->wait_for(sub {
        my @now = counted();
        @by = map { $now[$_] - $before[$_] } 0 .. $#now;
        return "@by" eq "$kv $d1";
    }, $what, 1);

    is("@by[0 .. 3]", $kv, "$what: kv");
    is("@by[4 .. 7]", $d1, "$what: d1");
}

is($t->metrics()->sum('nginx_recovery_shed_total'), 0, 'nothing was shed');

# each result has its latency

my $m = $t->metrics();

for my $name (qw(kv d1)) {
    is($m->value('nginx_recovery_upstream_latency_seconds_count',
                 backend => $name),
       $m->sum('nginx_recovery_upstream_responses_total', backend => $name),
       "$name: as many latencies as results");
}

# a permit for each attempt, until it is over

sub in_flight { return $t->backend_status('kv')->{in_flight} }

is(in_flight(), 0, 'nothing is held');

for my $uri ('/hold?hang=1', '/in-kv/hold?hang=1') {
    $b->reset();

    my $h = $t->http_start($uri);

    ok($t->wait_for(sub { $b->active() == 1 }), "$uri: the second is held");
    is(in_flight(), 1, "$uri: one permit, the first attempt's is back");
    $b->release();
    is($t->http_end($h)->{status}, 200, "$uri: answered");
    $t->http_close($h);
    ok($t->wait_for(sub { in_flight() == 0 }), "$uri: both are back");
}

# no server has room: nobody was asked, free() is not called

$b->reset();

my $h = $t->http_start('/full?hang=1');

ok($t->wait_for(sub { $b->active() == 1 }), 'full: the only place is taken');

my @before = counted();

is(join(' ', map { $t->http_get('/full')->{status} } 1 .. 3), '502 502 502',
   'full: 502, as without us');
is(join(' ', counted()), "@before", 'full: not counted');
is(in_flight(), 1, 'full: no permit is lost');
$b->release();
is($t->http_end($h)->{status}, 200, 'full: the first is answered');
$t->http_close($h);
ok($t->wait_for(sub { in_flight() == 0 }), 'full: its permit is back');

# what the client broke off says nothing of the backend

$b->reset();
@before = counted();
$h = $t->http_start('/hold?hang=1');
ok($t->wait_for(sub { $b->active() == 1 }), 'abort: held');
$t->http_close($h);
ok($t->wait_for(sub { $b->aborted() == 1 }), 'abort: the client leaves');
ok($t->wait_for(sub { in_flight() == 0 }), 'abort: the permit is back');

my @now = counted();

is($now[0] - $before[0], 2, 'abort: two attempts');
is($now[1] - $before[1], 0, 'abort: none was ok');
is($now[2] - $before[2], 1, 'abort: the refused one is the only error');
is($now[3] - $before[3], 0, 'abort: no timeout');

# within a body

$b->reset();
@before = counted();
$h = $t->http_start('/raw?size=30000000');
ok($t->http_head($h), 'abort within the body: begun');
$t->http_close($h);
ok($t->wait_for(sub { in_flight() == 0 }),
   'abort within the body: the permit is back');
@now = counted();
is(join(' ', map { $now[$_] - $before[$_] } 0 .. 3), '1 1 0 0',
   'abort within the body: the answer had come');

is($t->metrics()->sum('nginx_recovery_undecided_total'), 0,
   'nothing was undecided');
