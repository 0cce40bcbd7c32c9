#!/usr/bin/perl

# Goal: a main request is decided once for each backend, whatever it becomes
# on its way: index, error_page, try_files, X-Accel-Redirect, mirror, SSI,
# auth_request, additions, slices, what is done after the answer, and loops of
# them all cost one admission, hold one permit and give back one permit.
# Method: one request of each kind; the counters before and after it.  Where
# two places are passed through, the last one is held at the backend and the
# permits that are out are counted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new();

# uri, status, decisions for kv and for d1, requests seen by the backend

my @once = (
    ['/plain',         200, 1, 0, 1, 'plain'],
    ['/both',          200, 1, 1, 1, 'two backends'],
    ['/index/',        200, 1, 0, 0, 'index'],
    ['/ep-uri',        200, 1, 0, 2, 'error_page with a uri'],
    ['/ep-named',      200, 1, 0, 2, 'error_page with a named location'],
    ['/ep-other',      200, 1, 1, 2, 'error_page to another backend'],
    ['/ep-off',        200, 1, 0, 2, 'error_page to no backend of ours'],
    ['/ep-static',     500, 1, 0, 1, 'error_page with a static page'],
    ['/try/none',      200, 1, 0, 1, 'try_files with a uri'],
    ['/try-named/no',  200, 1, 0, 1, 'try_files with a named location'],
    ['/accel',         200, 1, 0, 2, 'X-Accel-Redirect'],
    ['/accel-named',   200, 1, 0, 2, 'X-Accel-Redirect, named'],
    ['/accel-file',    200, 1, 0, 1, 'X-Accel-Redirect to a file'],
    ['/mirror',        200, 1, 0, 3, 'mirror, twice'],
    ['/ssi/in',        200, 1, 0, 3, 'SSI, three includes'],
    ['/ssi/nested',    200, 1, 0, 2, 'SSI within SSI'],
    ['/auth',          200, 1, 0, 2, 'auth_request'],
    ['/add',           200, 1, 0, 3, 'addition'],
    ['/slice/f',       200, 1, 0, 4, 'slices'],
    ['/post',          200, 1, 0, 1, 'post_action'],
    ['/post-other',    200, 1, 1, 1, 'post_action, to another backend'],
    ['/loop-ep',       500, 1, 0, 11, 'loop of error_page'],
    ['/loop-accel',    500, 1, 0, 11, 'loop of X-Accel-Redirect'],
    ['/loop-rewrite',  500, 0, 0, 0, 'loop of rewrite'],
    ['/return',        204, 0, 0, 0, 'return never comes to us'],

    ['/out/mirror',    200, 1, 0, 3, 'outside: mirror'],
    ['/out/ssi/in',    200, 1, 0, 3, 'outside: SSI, three includes'],
    ['/out/ssi/two',   200, 1, 1, 4, 'outside: SSI, two backends'],
    ['/out/auth',      200, 1, 0, 2, 'outside: auth_request'],
    ['/out/add',       200, 1, 0, 3, 'outside: addition'],
    ['/out/plain',     200, 0, 0, 1, 'outside'],
);

# the same on its way, held where it ends: the permits that are out

my @held = (
    ['/plain?hang=1',          1, 0],
    ['/both?hang=1',           1, 1],
    ['/ep-uri?hold=1',         1, 0],
    ['/ep-other?hold=1',       1, 1],
    ['/ep-off?hold=1',         1, 0],
    ['/try/none?hang=1',       1, 0],
    ['/accel-hold',            1, 0],
    ['/ssi/hold',              1, 0],
    ['/out/ssi/hold',          1, 0],
    ['/auth?hang=1',           1, 0],
    ['/post-hold',             0, 1],
);

$t->plan(2 * @once + 3 * @held + 9);

my $b = $t->backend(8081);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_backend kv { }
    recovery_backend d1 { }

    proxy_cache_path  %%TESTDIR%%/cache keys_zone=c:1m;

    server {
        listen     127.0.0.1:%%PORT_8080%%;
        root       %%TESTDIR%%/html;
        recovery   kv;

        proxy_intercept_errors  on;

        location /plain { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /both  { recovery kv d1;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /index/ { }
        location /return { return 204; }

        # each fails, and error_page leads on

        location /ep-uri    { error_page 500 = /fallback?hang=$arg_hold;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /ep-named  { error_page 500 = @fallback;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /ep-other  { error_page 500 = /other?hang=$arg_hold;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /ep-off    { error_page 500 = /off?hang=$arg_hold;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /ep-static { error_page 500 /index/page.html;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /fallback { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location @fallback { rewrite ^ /fallback break;
                             proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /other { recovery d1;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /off   { recovery off;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /try/       { try_files $uri /fallback$is_args$args; }
        location /try-named/ { try_files $uri @fallback; }

        location /accel { proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /mirror { mirror /m1; mirror /m2;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /m1     { internal;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /m2     { internal;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /ssi/  { ssi on; ssi_types *; }
        location /auth  { auth_request /login;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /login { internal;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /add   { add_before_body /plain; add_after_body /plain;
                          addition_types *;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        # a file is answered, and then the backend is told

        location /post       { try_files /index/page.html =404;
                               post_action /plain; }
        location /post-other { try_files /index/page.html =404;
                               post_action /other; }
        location /post-hold  { try_files /index/page.html =404;
                               post_action /other-hold; }
        location /other-hold { recovery d1;
                  proxy_pass http://127.0.0.1:%%PORT_8081%%/other?hang=1; }

        location /slice/ {
            slice             1k;
            proxy_set_header  Range $slice_range;
            proxy_pass        http://127.0.0.1:%%PORT_8082%%;
        }

        # loops: nginx ends them after ten turns

        location /loop-ep {
            recursive_error_pages  on;
            error_page             500 = /loop-ep;
            proxy_pass             http://127.0.0.1:%%PORT_8081%%;
        }

        location /loop-accel   { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /loop-rewrite { rewrite ^ /loop-rewrite last; }
    }

    # the main request stands on nothing, its subrequests do

    server {
        listen  127.0.0.1:%%PORT_8083%%;
        root    %%TESTDIR%%/html;

        location /out/plain  { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /out/mirror { mirror /m1; mirror /m2;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /out/ssi/   { ssi on; ssi_types *;
                               alias %%TESTDIR%%/html/ssi/; }
        location /out/auth   { auth_request /m1;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /out/add    { add_before_body /m1; add_after_body /m2;
                               addition_types *;
                               proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /plain { recovery kv;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /other { recovery d1;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /m1    { recovery kv;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /m2    { recovery kv;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

mkdir $t->dir() . "/html$_" for '', '/index', '/ssi';

my $include = '<!--# include virtual="%s" -->';

$t->write_file('html/index/index.html', "index\n");
$t->write_file('html/index/page.html', "page\n");
$t->write_file('html/ssi/in', sprintf "$include$include$include\n",
               '/plain?1', '/plain?2', '/plain?3');
$t->write_file('html/ssi/nested', sprintf "$include\n", '/ssi/inner');
$t->write_file('html/ssi/inner', sprintf "$include$include\n",
               '/plain?1', '/plain?2');
$t->write_file('html/ssi/two', sprintf "$include$include$include$include\n",
               '/plain?1', '/other?1', '/plain?2', '/other?2');
$t->write_file('html/ssi/hold', sprintf "$include$include\n",
               '/plain?hang=1', '/plain?hang=1&2');

$b->set_path($_, status => 500) for '/ep-', '/loop-ep';
$b->set_path('/accel', header => 'X-Accel-Redirect: /fallback');
$b->set_path('/accel-named', header => 'X-Accel-Redirect: @fallback');
$b->set_path('/accel-hold', header => 'X-Accel-Redirect: /plain?hang=1');
$b->set_path('/accel-file',
             header => 'X-Accel-Redirect: /index/page.html');
$b->set_path('/loop-accel', header => 'X-Accel-Redirect: /loop-accel');

# a backend that knows ranges, of a resource of 4k

my $ranges = 0;

$t->daemon(8082, sub {
    my ($listen) = @_;

    while (my $s = $listen->accept()) {
        my $in = '';

        while ($in !~ /\r\n\r\n/) {
            sysread $s, $in, 4096, length $in or last;
        }

        my ($first, $last) = $in =~ /^Range: bytes=(\d+)-(\d+)/mi;

        open my $fh, '>>', $t->dir() . '/ranges';
        print $fh "$first-$last\n";
        close $fh;

        print $s "HTTP/1.1 206 Partial Content\r\nContent-Length: 1024\r\n"
                 . "Content-Range: bytes $first-$last/4096\r\n"
                 . "ETag: \"1\"\r\nConnection: close\r\n\r\n"
                 . 'x' x 1024;
        close $s;
    }
});

$t->run();

sub counters {
    my $s = $t->status();
    my %n;

    for my $name (qw(kv d1)) {
        $n{$name} = { offered => 0, passed => 0 };

        for my $class (@{$s->{backends}{$name}{classes}}) {
            $n{$name}{$_} += $class->{$_} for qw(offered passed);
        }
    }

    return \%n;
}

sub port_of { $_[0] =~ m{^/out/} ? 8083 : 8080 }

# one request of each kind

for my $case (@once) {
    my ($uri, $status, $kv, $d1, $seen, $what) = @$case;

    my $before = counters();
    $b->reset();

    my $r = $t->http_get($uri, port => port_of($uri));

    is($r->{status}, $status, "$what: status");

    # a mirror may be on its way still

    my $at_backend = sub {
        return $uri =~ /slice/ ? scalar($t->grep_file('ranges', qr/./))
                               : $b->count();
    };
    my ($after, $counted);

    $t->wait_for(sub {
        $after = counters();
        $counted = join ' ', map {
            my $name = $_;
            map { $after->{$name}{$_} - $before->{$name}{$_} }
                qw(offered passed)
        } qw(kv d1);
        return $at_backend->() == $seen && $counted eq "$kv $kv $d1 $d1";
    }, $what, 2);

    is($counted . ', backend ' . $at_backend->(),
       "$kv $kv $d1 $d1, backend $seen", "$what: counted");
}

# the permits that are out

for my $case (@held) {
    my ($uri, $kv, $d1) = @$case;

    $b->reset();

    my $h = $t->http_start($uri, port => port_of($uri));
    my $out = '';

    ok($t->wait_for(sub { $b->active() > 0
                          && grep { $_->{uri} =~ /hang=1/ } @{$b->requests()}
                        }, $uri), "$uri is held");

    is(join(' ', map { $t->backend_status($_)->{in_flight} } qw(kv d1)),
       "$kv $d1", "$uri: permits");

    $t->wait_for(sub {
        $b->release();
        return $b->active() == 0
               && !grep { $_->{in_flight} } values %{$t->status()->{backends}};
    }, 'the end');

    is($t->http_end($h)->{status}, 200, "$uri ends");
    $t->http_close($h);
}

# one connection, several requests

my $before = counters();
my $h = $t->http_connect();

is($t->http_get('/plain', socket => $h)->{status}, 200, "keepalive: $_")
    for 1 .. 3;
$t->http_close($h);
is(join(' ', map { $_->{status} }
        $t->http_pipeline(['/plain', '/index/', '/ep-uri'])), '200 200 200',
   'pipelined');
is(counters()->{kv}{passed} - $before->{kv}{passed}, 6, 'six decisions');

# the client leaves

$h = $t->http_start('/plain?hang=1');
ok($t->wait_for(sub { $t->backend_status('kv')->{in_flight} == 1 }),
   'held by nobody soon');
$t->http_close($h);
ok($t->wait_for(sub { $t->backend_status('kv')->{in_flight} == 0 }),
   'its permit is back');

my $s = $t->status();

is($s->{backends}{d1}{in_flight}, 0, 'and all others are');
is($t->metrics()->sum('nginx_recovery_undecided_total'), 0,
   'nothing was undecided');
