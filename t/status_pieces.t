#!/usr/bin/perl

# Goal: a status that goes out in many pieces is whole for every reader:
# HTTP/1.1, 1.0 and 2, TLS, gzip, a limited rate, half a connection, inside of
# another answer, and before further requests on its connection.  Who leaves in
# the middle takes nobody along, and who reads slowly holds little memory.
# Method: the metrics of many backends, of which nothing changes while nobody
# asks for a backend: every way must end in the same bytes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;

use Test::Recovery;
use Test::Recovery::Certs;

my $N = 600;
my $t = Test::Recovery->new()->plan(54);
my $backends = join "\n", map { "recovery_backend store-$_ { }" } 1 .. $N;

my $certs = Test::Recovery::Certs->new($t)->ca('ca');
$certs->cert('good', ca => 'ca', names => 'DNS:localhost,IP:127.0.0.1');

my $locations = <<'EOF2';
        location = /status  { recovery_status; }
        location = /metrics { recovery_status prometheus; }
        location = /page    { recovery_status html; }
        location = /tiny    { return 200 tiny; }
EOF2

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

worker_processes 1;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    $backends

    gzip_types       text/plain application/json;
    gzip_comp_level  1;
    proxy_buffering  off;
    ssi_types        text/plain;

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        $locations

        location = /gzip    { gzip on; recovery_status prometheus; }
        location = /slow    { limit_rate 4m; recovery_status prometheus; }
        location = /ssi     { ssi on; root %%TESTDIR%%; }
        location = /in-ssi  { ssi on; recovery_status prometheus; }
        location = /around  { add_before_body /metrics;
                              add_after_body /status;
                              addition_types *; return 200 "middle\\n"; }
        location = /inside  { add_before_body /tiny;
                              add_after_body /tiny;
                              addition_types *; recovery_status prometheus; }
        location = /proxy   { proxy_pass http://127.0.0.1:%%PORT_8080%%/page; }
        location = /mirror  { mirror /metrics; return 200 mirrored; }
        location = /post    { error_page 405 =200 /metrics;
                              recovery_status prometheus; }
    }

    server {
        listen  127.0.0.1:%%PORT_8082%% http2;
        $locations
    }

    server {
        listen  127.0.0.1:%%PORT_8443%% ssl http2;
        ssl_certificate      %%TESTDIR%%/good.crt;
        ssl_certificate_key  %%TESTDIR%%/good.key;
        $locations
    }
}

EOF2

$t->write_file('ssi', <<'EOF2');
1<!--#include virtual="/metrics" -->2<!--#include virtual="/tiny" -->3
4<!--#include virtual="/metrics" -->5<!--#include virtual="/status" -->6
EOF2

$t->run();

my ($worker) = $t->workers();
my $plain = $t->http_get('/metrics');
my $metrics = $plain->{body};


sub same {
    my ($body, $label) = @_;

    ok($body eq $metrics, "$label: whole")
        or diag(length($body) . ' bytes of ' . length $metrics);
}


sub fds { return scalar(() = glob "/proc/$worker/fd/*") }


sub memory_kb {
    open my $fh, '<', "/proc/$worker/smaps_rollup" or die "smaps: $!\n";
    my ($clean, $dirty) = join('', <$fh>) =~ /^Private_\w+:\s+(\d+)/gm;
    return $clean + $dirty;
}


# A nested answer: what of it is the status is taken out, and must be right.

sub json_whole {
    my ($text, $label) = @_;

    my $s = eval { JSON::PP->new->utf8->decode($text) };
    is(scalar keys %{$s->{backends} // {}}, $N, "$label: JSON is whole");
}


# HTTP/1.1

is($plain->{status}, 200, 'status');
is($plain->{headers}{'transfer-encoding'}, 'chunked', 'in chunks');
cmp_ok(length $metrics, '>', 1_000_000, 'many');
is(scalar(() = $metrics =~ /^nginx_recovery_in_flight_requests\{/mg), $N,
   'all of them');
is_deeply([$t->metrics()->problems()], [], 'clean');
json_whole($t->http_get('/status')->{body}, 'status');
like($t->http_get('/page')->{body}, qr/store-$N\b.*<\/html>\s*\z/s,
     'page: whole');

# the connection afterwards

my @r = $t->http_pipeline(['/metrics', '/tiny', '/metrics', '/tiny']);
is(join(' ', map { $_->{status} } @r), '200 200 200 200', 'pipelined');
same($r[$_]{body}, "pipelined $_") for 0, 2;
is($r[$_]{body}, 'tiny', "pipelined $_") for 1, 3;

my $h = $t->http_connect();
my $r = $t->http_get('/metrics', socket => $h, method => 'HEAD');
is($r->{status}, 200, 'HEAD');
same($t->http_get('/metrics', socket => $h)->{body}, 'after HEAD');
is($t->http_get('/tiny', socket => $h)->{body}, 'tiny', 'and after that');

# bodies that nobody wants

$r = $t->http_get('/metrics', body => 'x' x 300_000, method => 'GET');
same($r->{body}, 'with a body');
$r = $t->http_get('/post', body => 'x' x 300_000, method => 'POST');
same($r->{body}, 'as an error page');

# HTTP/1.0

$r = $t->http_get('/metrics', version => '1.0');
same($r->{body}, 'HTTP/1.0');
is($r->{headers}{'transfer-encoding'}, undef, 'HTTP/1.0: no chunks');
ok($r->{closed}, 'HTTP/1.0: closed');

# half a connection

$h = $t->http_start('/metrics', close => 1);
shutdown $h->{s}, 1;
same($t->http_end($h)->{body}, 'half a connection');

# filters

my $url = 'http://127.0.0.1:%%PORT_8080%%';
$r = $t->curl('--compressed', "$url/gzip");
is($r->{headers}{'content-encoding'}, 'gzip', 'gzip');
same($r->{body}, 'gzip');
same($t->http_get('/slow')->{body}, 'a limited rate');
same($t->http_get('/in-ssi')->{body}, 'with SSI');

# HTTP/2 and TLS

same($t->curl('--http2-prior-knowledge',
              'http://127.0.0.1:%%PORT_8082%%/metrics')->{body}, 'HTTP/2');

my $tls = 'https://127.0.0.1:%%PORT_8443%%/metrics';
same($t->curl('-k', '--http1.1', $tls)->{body}, 'TLS');
$r = $t->curl('-k', '--http2', $tls);
like($r->{head}, qr{^HTTP/2 200}, 'TLS: HTTP/2');
same($r->{body}, 'TLS: HTTP/2');
is($t->curl('-k', '--http2', '-I', $tls)->{status}, 200, 'TLS: HEAD');

# several on one connection

$r = $t->h2('/metrics', port => 8082);
is($r->{bytes}, length $metrics, 'HTTP/2: bytes');
my $u = $t->expand('http://127.0.0.1:%%PORT_8082%%/metrics');
my $out = `h2load -n 12 -c 2 -m 6 $u 2>&1`;
like($out, qr/status codes: 12 2xx/, 'HTTP/2: many at once');
like($out, qr/12 total, 12 started, 12 done, 12 succeeded/,
     'HTTP/2: all of them whole');

# inside of another answer

$r = $t->http_get('/ssi');
my ($one, $two, $json) = $r->{body}
    =~ /\A1(.*?)2tiny3\n4(.*?)5(\{.*\})\n6\n\z/s;
same($one // '', 'SSI: the first one');
same($two // '', 'SSI: the second one');
json_whole($json // '', 'SSI');

$r = $t->http_get('/around');
my ($before, $after) = split /^middle\n/m, $r->{body};
same($before // '', 'before another');
json_whole($after // '', 'after another');
$r = $t->http_get('/inside');
same($r->{body} =~ s/\Atiny(.*)tiny\z/$1/sr, 'between two others');
like($t->http_get('/proxy')->{body}, qr/store-$N\b.*<\/html>\s*\z/s,
     'to a proxy: whole');

is($t->http_get('/mirror')->{body}, 'mirrored', 'in the background');
$r = $t->curl('--compressed', "$url/ssi");
is($r->{status}, 200, 'SSI again');

# who leaves

my $fds = fds();

sub leave {
    my ($rude) = @_;

    my $h = $t->http_connect();
    setsockopt($h->{s}, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0) if $rude;

    $t->http_send_on($h, '/metrics');
    sysread $h->{s}, my $some, 1000;
    $t->http_close($h);
}

leave($_ % 2) for 1 .. 20;
$t->curl('--http2-prior-knowledge', '--max-time', '0.01',
         'http://127.0.0.1:%%PORT_8082%%/metrics') for 1 .. 5;
$t->curl('-k', '--max-time', '0.02', $tls) for 1 .. 5;
$t->curl('--max-time', '0.02', "$url/ssi") for 1 .. 5;

ok($t->wait_for(sub { fds() <= $fds }), 'no connection is left')
    or diag(fds() . " of $fds");
is(($t->workers())[0], $worker, 'the worker is the same one');
same($t->http_get('/metrics')->{body}, 'after those who left');

# who reads slowly

sub slow_readers {
    my ($n) = @_;

    my @h;

    for (1 .. $n) {
        my $h = $t->http_connect();
            $t->http_send_on($h, '/metrics');
        sysread $h->{s}, ${$h->{buf}}, 1;
        push @h, $h;
    }

    return @h;
}

# by a new worker, which has nothing left over from those before

ok($t->reload(), 'reload');
($worker) = $t->workers();

my $slow = 8;
my $kb = memory_kb();
my @slow = slow_readers($slow);

is($t->http_get('/tiny')->{body}, 'tiny', 'others are served meanwhile');
my $each_kb = (memory_kb() - $kb) / $slow;
cmp_ok($each_kb, '<', length($metrics) / 1024 / 2,
       'they hold less than what they have asked for');

# a reload in the middle, and the end

$t->http_close(pop @slow) for 1 .. 4;

ok($t->reload(), 'reload again');
cmp_ok(scalar $t->workers(all => 1), '>=', 2, 'the old worker stays');
same($t->http_end($_)->{body}, 'reload: a slow reader') for @slow[0 .. 1];
$t->http_close($_) for splice @slow, 0, 2;

my ($last, $lost) = @slow;
kill 'QUIT', $t->master();
same($t->http_end($last)->{body}, 'quit: a slow reader');
$t->http_close($lost);
ok($t->wait_for(sub { !$t->workers(all => 1) }), 'quit: all are gone');
