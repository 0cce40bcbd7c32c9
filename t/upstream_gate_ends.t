#!/usr/bin/perl

# Goal: however an attempt behind the gate of upstream {} ends, its permit
# comes back once: with the answer, at the headers of a tunnel or a stream,
# with a client that leaves, a worker that is killed; nothing that is open is
# harmed when the gate closes.
# Method: each kind held open while the permits are counted; then a mix of
# all of them, at random, while the backend goes down and comes back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(47);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%
worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms;
    recovery_policy   quick { ramp from=50% double=100ms verify=1s; }
    recovery_backend  kv { policy quick; capacity 100000r/s; }

    proxy_cache_path  %%TESTDIR%%/cache keys_zone=c:1m;

    upstream kv {
        recovery   kv;
        server     127.0.0.1:%%PORT_8081%% max_fails=0;
        server     127.0.0.1:%%PORT_8091%% backup max_fails=0;
        keepalive  8;
    }

    upstream half { recovery kv; server 127.0.0.1:%%PORT_8082%%; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        root    %%TESTDIR%%/html;

        proxy_http_version  1.1;
        proxy_buffering     off;

        location / {
            proxy_set_header  Upgrade $http_upgrade;
            proxy_set_header  Connection $http_connection;
            proxy_pass        http://kv;
        }

        location /half   { proxy_pass http://half; }
        location /kept   { proxy_set_header Connection "";
                           proxy_next_upstream error http_500;
                           proxy_pass http://kv; }
        location /cache  { proxy_cache c; proxy_cache_valid 200 1s;
                           proxy_cache_use_stale error updating;
                           proxy_cache_background_update on;
                           proxy_buffering on; proxy_cache_lock on;
                           proxy_pass http://kv; }
        location /in     { recovery kv; proxy_pass http://kv; }
        location /auth   { auth_request /kept; proxy_pass http://kv; }
        location /ssi/   { ssi on; ssi_types *; }
        location /page   { error_page 503 500 = @kv; proxy_pass http://kv; }
        location @kv     { proxy_pass http://kv; }
    }
}

EOF2

mkdir $t->dir() . "/html$_" for '', '/ssi';
$t->write_file('html/ssi/in', '<!--# include virtual="/kept?1" -->'
                              . '<!--# include virtual="/in?2" -->' . "\n");

# half of an answer, the other half when a file is there

$t->daemon(8082, sub {
    my ($listen) = @_;

    while (my $s = $listen->accept()) {
        my $in = '';

        while ($in !~ /\r\n\r\n/) {
            sysread $s, $in, 4096, length $in or last;
        }

        syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";
        select undef, undef, undef, 0.02 until -e $t->dir() . '/go';
        syswrite $s, "half";
        close $s;
    }
});

$t->run();

sub in_flight { return $t->backend_status('kv')->{in_flight} }

sub results {
    my $m = $t->metrics();

    return join ' ', map {
        $m->value('nginx_recovery_upstream_responses_total',
                  backend => 'kv', result => $_)
    } qw(ok error timeout);
}

# a tunnel: work ends with its headers

my $h = $t->http_start('/ws', headers => { Upgrade => 'websocket',
                                           Connection => 'Upgrade' });

is($t->http_head($h)->{status}, 101, 'tunnel: open');
ok($t->wait_for(sub { in_flight() == 0 }), 'tunnel: holds no permit');
is(results(), '1 0 0', 'tunnel: its result is known');

my $s = $t->http_start('/events?sse=3');

is($t->http_head($s)->{status}, 200, 'events: open');
ok($t->wait_for(sub { in_flight() == 0 }), 'events: hold no permit');
is(results(), '2 0 0', 'events: their result is known');

my $half = $t->http_start('/half');

is($t->http_head($half)->{status}, 200, 'half an answer');
is(in_flight(), 1, 'half an answer: a permit until the last byte');
is(results(), '2 0 0', 'half an answer: nothing is known yet');

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
is($t->http_get('/x')->{status}, 503, 'down: shed');
is($t->http_get('/ws', headers => { Upgrade => 'websocket',
                                    Connection => 'Upgrade' })->{status},
   503, 'down: no new tunnel');

$t->http_raw($h, 'ping');
is($t->wait_for(sub { sysread $h->{s}, my $in, 64; $in }, 'the echo'),
   'ping', 'down: the old one lives');
is($b->release(), 1, 'down: the events end');
like($t->http_end($s)->{body}, qr/data: 3/, 'down: in whole');
$t->write_file('go', '');
is($t->http_end($half)->{body}, 'halfhalf', 'down: so does half an answer');
ok($t->wait_for(sub { in_flight() == 0 }), 'down: its permit is back');

$t->http_close($_) for $h, $s, $half;
ok($t->wait_for(sub { results() eq '3 0 0' }), 'down: each one result');

$t->health('kv', 'up');
ok($t->wait_for(sub { $t->http_get('/x');
                      $t->backend_status('kv')->{phase} eq 'up' },
                'service', 30), 'up again');

# clients that leave

$b->reset();
my @h = map { $t->http_start($_ % 2 ? '/x?hang=1' : '/in?hang=1') } 1 .. 20;
ok($t->wait_for(sub { $b->active() == 20 }), 'abort: twenty are held');
is(in_flight(), 20, 'abort: a permit each');

my $before = results();

$t->http_close($_) for @h;
ok($t->wait_for(sub { $b->aborted() == 20 }), 'abort: all leave');
ok($t->wait_for(sub { in_flight() == 0 }), 'abort: all permits are back');
is(results(), $before, 'abort: no result');

# uploads, and one that stops in the middle

is($t->http_get('/x', method => 'POST', body => 'x' x 300_000)->{status},
   200, 'upload');
$t->wait_for(sub { in_flight() == 0 }, 'the upload to be over');

$h = $t->http_start('/x', method => 'POST', headers =>
                    { 'Content-Length' => 1000 });
$t->http_raw($h, 'x' x 10);
is(in_flight(), 0, 'upload: buffered, no permit while it comes');
$t->http_close($h);

# a worker is killed

$b->reset();
@h = map { $t->http_start('/x?hang=1') } 1 .. 10;
ok($t->wait_for(sub { $b->active() == 10 }), 'kill: ten are held');
is(in_flight(), 10, 'kill: a permit each');
$t->allow(qr/exited on signal 9/);
$t->kill9_worker($_) for $t->workers();
ok($t->wait_for(sub { in_flight() == 0 }, 'reclaim', 20),
   'kill: the permits are back');
$b->release();
$t->http_close($_) for @h;
is($t->http_get('/x')->{status}, 200, 'kill: served');

# a mix of all, while it goes down and comes back

my @uris = qw(/x /x?status=500 /kept /kept?status=500 /kept?close=before
              /x?close=mid /x?delay=0.05 /cache?1 /cache?2 /cache /in
              /in?status=500 /auth /auth?status=500 /ssi/in /page
              /page?status=500);

srand 7;

my ($done, %status) = (0);

for my $round (1 .. 40) {
    $t->health('kv', 'down') if $round == 10;
    $t->health('kv', 'up') if $round == 20;

    my @left = map { $t->http_start($uris[rand @uris]) } 1 .. 6;

    for my $r ($t->http_burst([map { $uris[rand @uris] } 1 .. 12])) {
        $status{$r->{status}}++;
        $done++;
    }

    $t->http_close($_) for @left;
}

is($done, 480, 'mix: all are answered');
is(join(' ', grep { !/^(?:200|500|502|503)$/ } sort keys %status), '',
   'mix: as they should be') or diag(explain(\%status));
ok($status{$_}, "mix: some are $_") for 200, 500, 503;
ok($t->wait_for(sub { in_flight() == 0 }), 'mix: no permit is left');

my $c = $t->class_status('kv', 'normal');
my $m = $t->metrics();

is($c->{offered}, $c->{passed} + $c->{shed}, 'mix: the sum is right');
cmp_ok($m->sum('nginx_recovery_upstream_responses_total', backend => 'kv'),
       '<=', $c->{passed}, 'mix: not more results than attempts');
is($m->sum('nginx_recovery_undecided_total'), 0, 'mix: all were decided');

# reload while attempts are out

$t->health('kv', 'up');
ok($t->wait_for(sub { $t->http_get('/x');
                      $t->backend_status('kv')->{phase} eq 'up' },
                'service', 30), 'reload: up');
$b->reset();
@h = map { $t->http_start('/x?hang=1') } 1 .. 4;
ok($t->wait_for(sub { $b->active() == 4 }), 'reload: four are held');
ok($t->reload(), 'reload');
is(in_flight(), 4, 'reload: so are their permits');
$b->release();
is(join(' ', map { $t->http_end($_)->{status} } @h), '200 200 200 200',
   'reload: answered by the old workers');
$t->http_close($_) for @h;
ok($t->wait_for(sub { in_flight() == 0 }), 'reload: all permits are back');
is($t->http_get('/x')->{status}, 200, 'reload: the new ones have the gate');
is($t->class_status('kv', 'normal')->{passed} > $c->{passed}, 1,
   'reload: and count');
