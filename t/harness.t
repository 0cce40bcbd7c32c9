#!/usr/bin/perl

# Goal: what every other test stands on works by itself, with a stock nginx
# and without the module.  Each helper is used once against something whose
# answer is known, and the end-of-test checks are shown a fault each, because
# a detector that never detected anything is no evidence.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Process qw(proc_state);
use Test::Recovery::Prometheus;
use Test::Recovery::Schema qw(json_type);

my $t = Test::Recovery->new(no_module => 1)->plan(62);
my $b = $t->backend(8081, name => 'b1');

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    upstream u {
        server 127.0.0.1:%%PORT_8081%%;
    }

    server {
        listen       127.0.0.1:%%PORT_8080%%;
        server_name  localhost;

        location / {
            proxy_pass         http://u;
            proxy_http_version 1.1;
            proxy_set_header   Upgrade $http_upgrade;
            proxy_set_header   Connection $http_connection;
            proxy_buffering    off;
        }

        location /stock/ {
            return 200 "stock $request_method\n";
        }

        location /alert {
            error_log %%TESTDIR%%/error.log debug;
            return 204;
        }
    }
}

EOF2

$t->write_file_expand('nginx.conf', $conf);

# configuration test

my ($code, $err) = $t->config_test($conf);
is($code, 0, 'good configuration passes');
like($err, qr/test is successful/, 'good configuration is told so');

($code, $err) = $t->config_test("daemon off;\nfoo bar;\nevents { }\n");
is($code, 1, 'bad configuration fails');
like($err, qr/unknown directive "foo" in \S+:2$/m, 'file and line');

$t->run();

is(scalar $t->workers(), 2, 'two workers');
is(scalar $t->processes(), 3, 'three processes');

# client and backend

my $r = $t->http_get('/stock/');
is($r->{status}, 200, 'get');
is($r->{body}, "stock GET\n", 'body');
is($t->http_get('/stock/', method => 'HEAD')->{body}, '', 'head');

$r = $t->http_get('/a?status=503&header=X-Odd:yes');
is($r->{status}, 503, 'backend: status');
is($r->{headers}{'x-odd'}, 'yes', 'backend: header');
is($t->http_get('/a?size=100000')->{body}, 'x' x 100_000, 'backend: size');
is($t->http_get('/a?close=before')->{status}, 502, 'backend: close');
ok($t->http_get('/a?delay=0.3')->{time_s} >= 0.3, 'backend: delay');
is($b->count('/a'), 4, 'backend: count by path');
is($b->count(), 4, 'backend: count');
is($b->requests()->[0]{method}, 'GET', 'backend: requests');

$r = $t->http_get('/post', method => 'POST', body => 'abc',
                  headers => { 'X-A' => 'b' });
is($r->{status}, 200, 'post');
is($b->requests()->[-1]{body_len}, 3, 'post: body seen');
is($b->requests()->[-1]{headers}{'x-a'}, 'b', 'post: header seen');

$b->set(status => 500);
is($t->http_get('/x')->{status}, 500, 'backend: default');
$b->set_path('/x', status => 404);
is($t->http_get('/x')->{status}, 404, 'backend: by path');
$b->set();

# several requests on a connection

my $h = $t->http_connect();
is($t->http_get('/stock/1', socket => $h)->{status}, 200, 'keepalive 1');
is($t->http_get('/stock/2', socket => $h)->{status}, 200, 'keepalive 2');
$t->http_close($h);

is(join(' ', map { $_->{status} }
        $t->http_pipeline(['/stock/1', '/y?status=404', '/stock/2'])),
   '200 404 200', 'pipeline');

is(scalar(grep { $_->{status} == 200 } $t->http_burst(50, '/burst')), 50,
   'burst');
is($b->count('/burst'), 50, 'burst seen');

# requests that hang, are released, are given up

my @hang = map { $t->http_start('/hang?hang=1') } 1 .. 3;
ok($t->wait_for(sub { $b->active() == 3 }, 'three at work'), 'hang');
$t->http_close($hang[2]);
ok($t->wait_for(sub { $b->aborted() == 1 }, 'abort seen'), 'abort');
$b->release('/hang');
is($t->http_end($hang[0])->{status}, 200, 'released');
is($t->http_end($hang[1])->{status}, 200, 'released too');

# streams

$h = $t->http_start('/sse?sse=2');
is($t->http_head($h)->{headers}{'content-type'}, 'text/event-stream', 'sse');
is($b->active(), 1, 'sse is open');
$b->release();
like($t->http_end($h)->{body}, qr/data: 1\n\ndata: 2\n\n/, 'sse: events');

$h = $t->http_start('/ws', headers => { Connection => 'Upgrade',
                                        Upgrade => 'websocket' });
is($t->http_end($h)->{status}, 101, 'upgrade');
$t->http_raw($h, 'echo me');
sysread $h->{s}, my $echo, 100;
is($echo, 'echo me', 'upgrade: echo');
$t->http_close($h);

# a backend that refuses

$b->refuse();
is($t->http_get('/a')->{status}, 502, 'refused');
$b->accept_again();
ok($t->wait_for(sub { $t->http_get('/a')->{status} == 200 }), 'accepts again');

# open-loop load

my $l = $t->load(rate => 100, uris => ['/stock/', '/z?status=404'], for => 1);
my $results = $l->wait();
my $n = @$results;
ok($n >= 100 && $n <= 102, "load: $n sent in a second at 100/s");
is(scalar(grep { $_->{status} == 404 } @$results), int($n / 2), 'load: mix');

# reload and crash

my @old = $t->workers();
ok($t->reload(), 'reload');
my %new = map { $_ => 1 } $t->workers();
ok(!grep({ $new{$_} } @old), 'new workers');

ok($t->kill9_worker(), 'worker killed');
is(scalar $t->workers(), 2, 'worker replaced');
is($t->http_get('/stock/')->{status}, 200, 'serves on');

$t->write_file_expand('nginx.conf', $conf =~ s/return 204/foo/r);
like($t->reload_fails(), qr/unknown directive "foo"/, 'reload refused');
$t->write_file_expand('nginx.conf', $conf);

# Redis

my $redis = $t->redis_start();
is($t->redis('PING'), 'PONG', 'redis');
is($t->health('kv', 'down'), 0, 'health: published to nobody');
is($t->redis('HGET', 'recovery:kv', 'health'), 'down', 'health: set');
is_deeply($t->redis('HMGET', 'recovery:kv', 'health', 'none'),
          ['down', undef], 'redis: array and nil');
eval { $t->redis('HGET', 'one') };
like($@, qr/wrong number of arguments/, 'redis: error');
ok(-S $redis->unix_path(), 'redis: unix socket');
$t->redis_stop();
$t->redis_start();
is($t->redis('PING'), 'PONG', 'redis again');

# a daemon of our own

$t->daemon(8085, sub {
    my ($listen) = @_;
    while (my $s = $listen->accept()) {
        print $s "HTTP/1.0 200 OK\r\n\r\nown\n";
        close $s;
    }
});
is($t->http_get('/', port => 8085)->{body}, "own\n", 'daemon');

# readers of status and metrics

my $m = Test::Recovery::Prometheus->new(<<'EOF2');
# HELP a_total Help.
# TYPE a_total counter
a_total{x="1",y="a\"\\\n"} 3
a_total{x="2",y=""} 4
# HELP l_seconds Help.
# TYPE l_seconds histogram
l_seconds_bucket{le="+Inf"} 2
l_seconds_sum 0.5
l_seconds_count 2
EOF2
is_deeply([$m->problems()], [], 'metrics: clean text is clean');
is($m->value('a_total', x => 1), 3, 'metrics: value');
is($m->sum('a_total'), 7, 'metrics: sum');

$m = Test::Recovery::Prometheus->new(<<'EOF2');
# TYPE a_total counter
a_total 1
# HELP b Help.
# TYPE b gauge
b{x="y} 1
# TYPE a_total counter
a_total 1
EOF2
is(scalar(my @faults = $m->problems()), 6, 'metrics: faults are found')
    or diag(join "\n", $m->problems());

is(join(' ', map { json_type($_) }
        @{JSON::PP->new->decode('[1, 1.5, "1", null, true, {}, []]')}),
   'integer number string null boolean object array', 'types of JSON');

# the checks of the end, each with its fault

{
    my $bad = Test::Recovery->new(no_module => 1, scratch => 1);

    $bad->write_file_expand('nginx.conf', $conf);
    $bad->run();
    open my $fh, '>>', $bad->dir() . '/error.log' or die;
    print $fh "2026/01/01 [alert] odd\n==1==ERROR: AddressSanitizer: x\n";
    close $fh;

    my @workers = $bad->workers();
    my $h = $bad->http_start('/hang?hang=1', port => 8080);
    kill 'STOP', @workers;
    ok(!$bad->stop(deadline_s => 0.5), 'a stop that takes too long');
    ok(!grep({ (proc_state($_) // 'Z') ne 'Z' } @workers),
       'and the processes are gone');
    $bad->_check_logs();

    my $said = join "\n", @{$bad->{problems}};
    like($said, qr/does not stop.*odd.*AddressSanitizer/s, 'said so');
}

