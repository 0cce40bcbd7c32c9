#!/usr/bin/perl

# Goal: whatever clients, operators, reloads and kills do at the same time,
# nothing leaks, nothing crashes, no counter goes back, and no backend opens
# on any way but through probing and ramping.
# Method: some clients that do everything at random, against a gate with all
# features in use, while health toggles in a real Redis, nginx reloads, and
# workers and Redis are killed.  The dice have a seed, which is printed.
#
#   TEST_SOAK_S      how long (default 30)
#   TEST_SOAK_SEED   to play the same again

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time sleep);

use Test::Recovery;
use Test::Recovery::Crowd;
use Test::Recovery::Watch qw(jumps);

my $SOAK_S = $ENV{TEST_SOAK_S} || 30;
my $SEED = $ENV{TEST_SOAK_SEED} || time() % 1_000_000;

my $t = Test::Recovery->new()->plan(11);

diag(sprintf 'TEST_SOAK_SEED=%d TEST_SOAK_S=%d', $SEED, $SOAK_S);

$t->backend(8081);
$t->backend(8083);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

worker_processes         2;
worker_shutdown_timeout  3s;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_zone   recovery:1m;
    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=200ms timeout=300ms;

    recovery_policy fast {
        ramp    from=20% double=200ms verify=500ms;
        class   critical reserve=20%;
        class   high;
        class   normal   default;
        class   low;
        match   critical $uri ~ ^/plain;
        match   low      $request_method ~ ^(PUT|DELETE)$;
        match   high     $http_x_priority = high;
        match   low      $http_x_priority ~* "^(x+)+y|low$";
        trust   127.0.0.0/8;
        when    signal_lost hold=1s then=keep;
    }

    recovery_backend kv   { policy fast; capacity 400r/s; }
    recovery_backend d1   { policy fast; quota 300r/s; }
    recovery_backend file { policy fast; }
    #more

    map $http_x_class $class { default $http_x_class; "" ""; }

    proxy_cache_path       %%TESTDIR%%/cache keys_zone=c:1m;
    proxy_read_timeout     1s;
    proxy_connect_timeout  1s;
    proxy_http_version     1.1;
    proxy_set_header       Connection "";
    limit_req_zone         $binary_remote_addr zone=r:1m rate=100r/s;

    upstream both {
        server     127.0.0.1:%%PORT_8081%% max_fails=0;
        server     127.0.0.1:%%PORT_8083%% max_fails=0;
        keepalive  8;
    }

    log_format  all '$status $recovery_outcome $recovery_reason '
                    '$recovery_class $recovery_phase $recovery_backend $uri';
    access_log  %%TESTDIR%%/all.log all;

    server {
        listen                   127.0.0.1:%%PORT_8080%%;
        listen                   127.0.0.1:%%PORT_8082%% http2;
        root                     %%TESTDIR%%/html;
        recovery                 kv;
        recovery_class           $class;
        client_body_buffer_size  4k;

        location /plain { proxy_pass http://both; }
        location /d1    { recovery d1; recovery_cost $arg_cost;
                          proxy_pass http://both; }
        location /two   { recovery kv d1; proxy_pass http://both; }
        location /off   { recovery off; proxy_pass http://both; }
        location /dry   { recovery_dry_run on; proxy_pass http://both; }
        location /file  { recovery file; }
        location /index/ { }
        location /dead  { proxy_pass http://127.0.0.1:%%PORT_8089%%; }
        location /limit { limit_req zone=r burst=5; proxy_pass http://both; }
        location /if    { if ($arg_status) { recovery off; }
                          proxy_pass http://both; }
        location /try   { try_files /none @d1; }
        location @d1    { recovery d1; proxy_pass http://both; }
        location /page  { error_page 500 502 503 504 /sorry.html;
                          proxy_intercept_errors on;
                          proxy_pass http://both; }
        location = /sorry.html { internal; }
        location /named { error_page 500 503 = @d1;
                          proxy_intercept_errors on;
                          proxy_pass http://both; }
        location /loop  { error_page 500 502 503 /loop/again;
                          recursive_error_pages on;
                          proxy_intercept_errors on;
                          proxy_pass http://both; }
        location /free  { error_page 503 = @free; proxy_pass http://both; }
        location @free  { recovery off; proxy_pass http://both; }

        location /ssi       { ssi on; ssi_types *; }
        location /auth      { auth_request /login; proxy_pass http://both; }
        location /auth/page { auth_request /login; error_page 503 @free;
                              recovery off; proxy_pass http://both; }
        location = /login   { internal; recovery d1;
                              proxy_pass_request_body off;
                              proxy_set_header Content-Length "";
                              proxy_pass http://both; }
        location /mirror    { mirror /copy; proxy_pass http://both; }
        location = /copy    { internal; recovery d1; proxy_pass http://both; }
        location /add       { add_after_body /d1/add; addition_types *;
                              proxy_pass http://both; }
        location /post      { post_action /after; proxy_pass http://both; }
        location = /after   { internal; recovery d1;
                              proxy_pass_request_body off;
                              proxy_set_header Content-Length "";
                              proxy_pass http://both; }
        location /accel     { proxy_pass http://both; }
        location /nobuf     { proxy_buffering off;
                              proxy_request_buffering off;
                              proxy_pass http://both; }

        location /cache {
            proxy_cache                    c;
            proxy_cache_valid              any 1s;
            proxy_cache_lock               on;
            proxy_cache_use_stale          error timeout updating http_503;
            proxy_cache_background_update  on;
            proxy_pass                     http://both;
        }

        location /ws {
            proxy_set_header  Upgrade $http_upgrade;
            proxy_set_header  Connection "upgrade";
            proxy_pass        http://both;
        }

        location /sse { proxy_pass http://both; proxy_read_timeout 5s; }

        location = /status  { recovery_status; }
        location = /metrics { recovery_status prometheus; }
        location = /html    { recovery_status html; }
    }
}

EOF2

mkdir $t->dir() . "/html$_" for '', '/index', '/ssi';
$t->write_file("html/$_", "text\n") for qw(file index/index.html sorry.html);
$t->write_file('html/ssi/all', join '', map {
    qq(<!--#include virtual="$_"-->) } qw(/plain /d1/a /file /ssi/in /dead));
$t->write_file('html/ssi/in', '<!--#include virtual="/d1/in" wait="yes"-->');

my @uris = qw(/plain /plain /d1 /d1?cost=3.5 /d1?cost=x /two /off /dry /file
              /index/ /dead /limit /if /try /page /named /loop /free /ssi/all
              /auth /auth/page /mirror /add /post /nobuf /cache/1 /cache/2
              /accel?header=X-Accel-Redirect:/d1/accel
              /accel?header=X-Accel-Redirect:/file
              /accel?header=X-Accel-Redirect:@free
              /status /metrics /html);

$t->run();

srand($SEED);

# what is looked at all the time

my (%counter, %event, @back, @jump, @bad_status, $polls);

sub look {
    my $s = eval { $t->status() } or return;
    my $m = $t->metrics();

    $polls++;

    for my $name (sort keys %{$s->{backends}}) {
        my $b = $s->{backends}{$name};

        push @jump, map { "$name: $_" } jumps($b);
        $event{"$name $_->{from} $_->{to}"}++ for @{$b->{events}};
    }

    for my $family ($m->families()) {
        next if $m->type($family) eq 'gauge';

        for my $name ($family, map { "$family$_" } qw(_bucket _sum _count)) {
            for my $sample (@{$m->samples($name)}) {
                my $l = $sample->{labels};
                my $key = join ' ', $name, map { "$_=$l->{$_}" } sort keys %$l;

                push @back, "$key: $counter{$key}, then $sample->{value}"
                    if defined $counter{$key}
                       && $sample->{value} < $counter{$key};
                $counter{$key} = $sample->{value};
            }
        }
    }
}

# what happens to it

my ($reloads, $kills) = (0, 0);

sub reconfigure {
    my $conf = $t->read_file('nginx.conf');

    # another backend now and then; the size of the zone changes too

    $conf =~ s/#more/recovery_backend more { }/
        or $conf =~ s/recovery_backend more \{ \}/#more/
        if rand() < 0.5;
    $conf =~ s/recovery_zone   recovery:\K\d+m/1 + int(rand 3) . 'm'/e
        if rand() < 0.3;

    $t->write_file('nginx.conf', $conf);
    push @bad_status, 'a reload never ended' unless $t->reload();
    $reloads++;
}

my %happens = (
    health => [30, sub {
        $t->health((qw(kv d1 file))[rand 3],
                   (qw(up down recovering degraded 0.3 0.9 nonsense))[rand 7],
                   publish => rand() < 0.7);
    }],
    ceiling => [5, sub {
        my $key = (qw(recovery:kv recovery:d1))[rand 2];

        rand() < 0.5 ? $t->redis('HDEL', $key, 'ceiling')
                     : $t->redis('HSET', $key, 'ceiling',
                                 (qw(50r/s 40% junk))[rand 3]);
    }],
    force => [8, sub {
        my $key = (qw(recovery:kv recovery:d1))[rand 2];

        rand() < 0.4 ? $t->redis('HDEL', $key, 'force')
                     : $t->redis('HSET', $key, 'force',
                                 (qw(open closed hold 35% junk))[rand 5],
                                 'force_until', int(time()) + int rand 3,
                                 'by', "me\x01\xff", 'reason', 'y' x 500);
    }],
    reload => [5, \&reconfigure],
    kill9 => [5, sub {
        my @pids = $t->workers();

        push @bad_status, 'a killed worker has no successor'
            unless $t->kill9_worker($pids[rand @pids]);
        $kills++;
    }],
    redis_kill => [2, sub { $t->redis_server()->kill9(); sleep(rand 1);
                            $t->redis_start(); }],
    redis_pause => [2, sub { $t->redis_pause(); sleep(rand 1);
                             $t->redis_resume(); }],
    nothing => [40, sub { sleep(0.1) }],
);

my @deck = map { ($_) x $happens{$_}[0] } sort keys %happens;

my $crowd = Test::Recovery::Crowd->new($t, seed => $SEED, clients => 6,
                                       uris => \@uris);
my $end = time() + $SOAK_S;

while (time() < $end) {
    eval { $happens{$deck[rand @deck]}[1]->(); 1 }
        or push @bad_status, "cannot act: $@";
    look();
    sleep(0.05);
}

my $seen = $crowd->stop();

# all of it is over, and the service is back

$t->redis('DEL', map { "recovery:$_" } qw(kv d1 file));
$t->health($_, 'up') for qw(kv d1 file);

sub idle {
    my $s = $t->status() or return 0;
    return !grep { $_->{in_flight} } values %{$s->{backends}};
}

ok($t->wait_for(\&idle, 'no permit to be out', 20), 'nothing is in flight');

my $load = $t->load(rate => 30, uris => ['/plain', '/d1', '/file']);

ok($t->wait_phase($_, 'up', 40), "$_ is up again") for qw(kv d1 file);
$load->stop();

look();

is($t->http_get('/plain')->{status}, 200, 'nginx answers');
is($t->http_get('/d1')->{status}, 200, 'nginx answers on another backend');

# what has been seen on the way

my %status;

for my $kind (keys %$seen) {
    $status{$_} += $seen->{$kind}{$_} for keys %{$seen->{$kind}};
}

my $text = join ', ', map { "$_ x $status{$_}" } sort keys %status;
my $odd = join ' ', grep {
    !/^(?:101|200|20[46]|30\d|40[0458]|411|413|50[0234]|505|done|left|closed)$/
} sort keys %status;

is_deeply(\@back, [], "no counter went back, seen $polls times");
is_deeply(\@jump, [], 'no phase is skipped on the way up');
is_deeply(\@bad_status, [], "$reloads reloads and $kills kills");
is($odd, '', "only answers that make sense: $text");
is($t->read_file('crowd.err'), '', 'the clients had no trouble');

diag("reloads $reloads, kills $kills, polls $polls; $text");
diag('phases: ' . join ', ', sort keys %event) if $ENV{TEST_VERBOSE};
