#!/usr/bin/perl

# Goal: what happened upstream becomes results of the right backend: every
# attempt once, nothing that was no attempt, and no attempt of others.
# Method: one request of each kind that upstream_states can look like (and
# some that have none); results and status before and after it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new();

# uri, status; results of kv (ok error timeout) and of d1; what it is

my @cases = (
    ['/one',            200, '1 0 0', '0 0 0', 'one attempt'],
    ['/one?status=404', 404, '1 0 0', '0 0 0', '404 is work done'],
    ['/one?status=302', 302, '1 0 0', '0 0 0', '302'],
    ['/one?status=503', 503, '0 1 0', '0 0 0', "the backend's own 503"],
    ['/one?status=504', 504, '0 1 0', '0 0 0',
     "the backend's own 504 is no timeout"],
    ['/one?close=before', 502, '0 1 0', '0 0 0', 'closed without a byte'],
    ['/one?close=mid',  200, '1 0 0', '0 0 0', 'the body cut short'],
    ['/slow?hang=1',    504, '0 0 1', '0 0 0', 'no answer in time'],
    ['/next',           200, '1 1 0', '0 0 0', 'refused, the next answers'],
    ['/next-slow?hang=1', 504, '0 0 2', '0 0 0', 'no answer, twice'],
    ['/refused',        502, '0 1 0', '0 0 0', 'refused, a single address'],
    ['/all',            502, '0 2 0', '0 0 0', 'all refused'],
    ['/all',            502, '0 0 0', '0 0 0',
     'all known to be dead: nobody was asked'],
    ['/marked',         502, '0 0 0', '0 0 0', 'all marked "down"'],
    ['/next-503?status=503', 503, '0 2 0', '0 0 0', '503, twice'],

    ['/cache?1',        200, '1 0 0', '0 0 0', 'cache: MISS'],
    ['/cache?1',        200, '0 0 0', '0 0 0', 'cache: HIT'],

    ['/ep-off',         200, '0 1 0', '0 0 0',
     '502, error_page to a proxy outside'],
    ['/ep-d1',          200, '0 1 0', '1 0 0',
     '502, error_page to another backend'],
    ['/ep-kv',          200, '1 1 0', '0 0 0',
     '502, error_page to the same backend'],
    ['/ep-dead',        502, '0 1 0', '0 0 0',
     '502, error_page to a group outside that is dead'],
    ['/try/none',       200, '0 0 0', '0 0 0', 'try_files to a proxy outside'],
    ['/out-ep',         200, '1 0 0', '0 0 0',
     '502 outside, error_page to kv'],
    ['/accel',          200, '2 0 0', '0 0 0', 'X-Accel-Redirect'],
    ['/accel-file',     200, '1 0 0', '0 0 0', 'X-Accel-Redirect to a file'],
    ['/both?status=500', 500, '0 1 0', '0 1 0', 'two backends'],

    ['/ssi/in',         200, '1 1 0', '0 0 0', 'SSI'],
    ['/ssi/d1',         200, '0 0 0', '1 1 0', 'SSI, on another backend'],
    ['/ssi-out/in',     200, '1 1 0', '0 0 0', 'SSI, not governed itself'],
    ['/auth',           200, '2 0 0', '0 0 0', 'auth_request'],
    ['/auth-d1',        401, '0 0 0', '1 0 0', 'auth_request, denied'],
    ['/mirror',         200, '1 0 0', '0 1 0', 'mirror on another backend'],

    ['/files/page',     200, '1 0 0', '0 0 0', 'a file'],
    ['/files/none',     404, '0 0 0', '0 0 0', 'a missing file'],
    ['/free',           200, '0 0 0', '0 0 0', 'not governed'],
);

$t->plan(3 * @cases + 8);

my $b = $t->backend(8081);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    # failures in a row are what is looked at here
    recovery_policy blind { feedback off; }
    recovery_backend kv { policy blind; }
    recovery_backend d1 { policy blind; }

    proxy_cache_path    %%TESTDIR%%/cache keys_zone=c:1m;
    proxy_read_timeout  300ms;

    upstream next {
        server  127.0.0.1:%%PORT_8091%% max_fails=0;
        server  127.0.0.1:%%PORT_8081%% max_fails=0 backup;
    }

    upstream twice {
        server  127.0.0.1:%%PORT_8081%% max_fails=0;
        server  127.0.0.1:%%PORT_8081%% max_fails=0;
    }

    upstream dead {
        server  127.0.0.1:%%PORT_8091%% fail_timeout=1h;
        server  127.0.0.1:%%PORT_8092%% fail_timeout=1h;
    }

    upstream marked {
        server  127.0.0.1:%%PORT_8081%% down;
        server  127.0.0.1:%%PORT_8091%% down;
    }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        root    %%TESTDIR%%/html;

        recovery  kv;

        location /one     { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /slow    { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /refused { proxy_pass http://127.0.0.1:%%PORT_8091%%; }
        location /next    { proxy_pass http://next; }
        location /all     { proxy_pass http://dead; }
        location /marked  { proxy_pass http://marked; }
        location /next-slow { proxy_pass http://twice; }
        location /next-503  { proxy_next_upstream http_503;
                              proxy_pass http://twice; }

        location /both  { recovery kv d1;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /cache { proxy_cache c; proxy_cache_valid 200 1h;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /ep-off  { error_page 502 = /free;
                            proxy_pass http://127.0.0.1:%%PORT_8091%%; }
        location /ep-d1   { error_page 502 = /d1;
                            proxy_pass http://127.0.0.1:%%PORT_8091%%; }
        location /ep-kv   { error_page 502 = /one;
                            proxy_pass http://127.0.0.1:%%PORT_8091%%; }
        location /ep-dead { error_page 502 = /dead;
                            proxy_pass http://127.0.0.1:%%PORT_8091%%; }
        location /out-ep  { recovery off; error_page 502 = /one;
                            proxy_pass http://127.0.0.1:%%PORT_8091%%; }
        location /try/    { try_files $uri /free; }
        location /dead    { recovery off; proxy_pass http://dead; }

        location /d1    { recovery d1;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /free  { recovery off;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /accel { proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /ssi/     { ssi on; ssi_types *; }
        location /ssi-out/ { ssi on; ssi_types *; recovery off;
                             alias %%TESTDIR%%/html/ssi/; }
        location /auth     { auth_request /one;
                             proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /auth-d1  { auth_request /d1/deny;
                             proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /mirror   { mirror /d1/fail;
                             proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /files/   { }
    }
}

EOF2

mkdir $t->dir() . "/html$_" for '', '/ssi', '/files';

my $include = '<!--# include virtual="%s" -->';

$t->write_file('html/files/page', "page\n");
$t->write_file('html/ssi/in', sprintf "$include$include$include\n",
               '/one?1', '/one?status=500', '/free?status=500');
$t->write_file('html/ssi/d1', sprintf "$include$include\n",
               '/d1?1', '/d1?status=500');

$b->set_path('/accel', header => 'X-Accel-Redirect: /one');
$b->set_path('/accel-file', header => 'X-Accel-Redirect: /files/page');
$b->set_path('/d1/deny', status => 401);
$b->set_path('/d1/fail', status => 500);

$t->run();

sub results {
    my $m = $t->metrics();

    return map {
        my $name = $_;
        map { $m->value('nginx_recovery_upstream_responses_total',
                        backend => $name, result => $_) // 'none' }
            qw(ok error timeout);
    } qw(kv d1);
}

my $cache = 0;

for my $case (@cases) {
    my ($uri, $status, $kv, $d1, $what) = @$case;

    my @before = results();
    my $r = $t->http_get($uri);

    is($r->{status}, $status, "$what: status");

    # a mirror ends behind the answer

    my @by;

    $t->wait_for(sub {
        my @now = results();
        @by = map { $now[$_] - $before[$_] } 0 .. $#now;
        return "@by" eq "$kv $d1";
    }, $what, 1);

    is("@by[0 .. 2]", $kv, "$what: results of kv");
    is("@by[3 .. 5]", $d1, "$what: results of d1");
}

# what the client broke off says nothing of the backend

my @before = results();

$b->reset();
my $h = $t->http_start('/one?hang=1');
ok($t->wait_for(sub { $b->active() == 1 }), 'held');
$t->http_close($h);
ok($t->wait_for(sub { $b->aborted() == 1 }), 'the client leaves');
ok($t->wait_for(sub { $t->backend_status('kv')->{in_flight} == 0 }),
   'the permit is back');
is(join(' ', results()), "@before", 'and proves nothing');

# a latency has been noted for each result

my $m = $t->metrics();

for my $name (qw(kv d1)) {
    is($m->value('nginx_recovery_upstream_latency_seconds_count',
                 backend => $name),
       $m->sum('nginx_recovery_upstream_responses_total', backend => $name),
       "$name: as many latencies as results");
}

cmp_ok($m->value('nginx_recovery_upstream_latency_seconds_sum',
                 backend => 'kv'), '>=', 0.9, 'three timeouts of 300 ms');
is($m->sum('nginx_recovery_undecided_total'), 0, 'nothing was undecided');
