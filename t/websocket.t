#!/usr/bin/perl

# Goal: a permit stands for work that the backend has to get done.  A tunnel,
# an event stream or a gRPC stream gives it back at the response headers and
# lives on; any other answer keeps it to its last byte.
# Method: each kind is held open while the permits are counted; the gate is
# then closed and the tunnels must not notice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(43);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_backend  kv { }
    recovery_backend  d1 { }

    server {
        listen    127.0.0.1:%%PORT_8080%%;
        recovery  kv;

        proxy_http_version  1.1;
        proxy_buffering     off;

        location / {
            proxy_set_header  Upgrade $http_upgrade;
            proxy_set_header  Connection $http_connection;
            proxy_pass        http://127.0.0.1:%%PORT_8081%%;
        }

        location /half/ {
            proxy_pass  http://127.0.0.1:%%PORT_8082%%;
        }

        location /d1/ {
            recovery    d1;
            error_page  503 = @kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location @kv {
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

# half of an answer of a given type, the other half when a file is there

$t->daemon(8082, sub {
    my ($listen) = @_;

    while (my $s = $listen->accept()) {
        my $in = '';

        while ($in !~ /\r\n\r\n/) {
            sysread $s, $in, 4096, length $in or last;
        }

        my ($type) = $in =~ m{^GET /half/(\S+)};

        syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n"
                     . "Content-Type: $type\r\nConnection: close\r\n\r\nhalf";

        select undef, undef, undef, 0.02 until -e $t->dir() . '/go';

        syswrite $s, "half";
        close $s;
    }
});

$t->run();

sub in_flight { return $t->backend_status($_[0] // 'kv')->{in_flight} }

sub upgrade {
    my ($uri) = @_;

    return $t->http_start($uri, headers => { Upgrade => 'websocket',
                                             Connection => 'Upgrade' });
}

# echo(tunnel, text): does it come back?

sub echo {
    my ($h, $text) = @_;

    $t->http_raw($h, $text);

    return $t->wait_for(sub {
        $h->{s}->blocking(0);
        sysread $h->{s}, ${$h->{buf}}, 4096, length ${$h->{buf}};
        return ${$h->{buf}} =~ s/\A\Q$text\E//;
    }, "\"$text\" to come back");
}

# WebSocket

my @tunnels = map { upgrade('/ws') } 1 .. 12;
my @status = map { $t->http_head($_)->{status} } @tunnels;

is(join(' ', @status), join(' ', (101) x 12), 'twelve tunnels');

for my $h (@tunnels) {
    ${$h->{buf}} =~ s/\A.*?\r\n\r\n//s;
}

is(in_flight(), 0, 'tunnels: no permit is out');
is($t->class_status('kv', 'normal')->{passed}, 12, 'tunnels: all counted');
is(scalar(grep { echo($_, 'hello') } @tunnels), 12, 'tunnels: all echo');
is($t->metrics()->value('nginx_recovery_upstream_responses_total',
                        backend => 'kv', result => 'ok'), 12,
   'tunnels: their results are in before they end');

# event stream

my $sse = $t->http_start('/sse?sse=3');
my $r = $t->http_head($sse);

is($r->{headers}{'content-type'}, 'text/event-stream', 'an event stream');
is(in_flight(), 0, 'event stream: no permit is out');
is($b->active(), 13, 'event stream: it is open');

# other answers keep it: before their headers, and within the body

my $slow = $t->http_start('/slow?hang=1');

ok($t->wait_for(sub { $b->active() == 14 }), 'slow: at work');
is(in_flight(), 1, 'slow: a permit is out');
is($b->release('/slow'), 1, 'slow: it ends');
is($t->http_end($slow)->{status}, 200, 'slow: 200');
$t->http_close($slow);
ok($t->wait_for(sub { in_flight() == 0 }), 'slow: the permit is back');

for my $type ('text/plain', 'application/octet-stream') {
    unlink $t->dir() . '/go';

    my $h = $t->http_start("/half/$type");

    is($t->http_head($h)->{status}, 200, "$type: headers are there");
    is(in_flight(), 1, "$type: the permit is out");

    $t->write_file('go', '');

    is($t->http_end($h)->{body}, 'halfhalf', "$type: all of it");
    $t->http_close($h);
    ok($t->wait_for(sub { in_flight() == 0 }), "$type: the permit is back");
}

for my $type ('application/grpc', 'application/grpc+proto',
              'text/event-stream;charset=utf-8')
{
    unlink $t->dir() . '/go';

    my $h = $t->http_start("/half/$type");

    is($t->http_head($h)->{status}, 200, "$type: headers are there");
    is(in_flight(), 0, "$type: no permit is out");

    $t->write_file('go', '');

    is($t->http_end($h)->{body}, 'halfhalf', "$type: all of it");
    $t->http_close($h);
}

# the gate closes, and what is open stays open

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');

is(scalar(grep { echo($_, 'still here') } @tunnels), 12,
   'down: the tunnels live on');
is($b->release('/sse'), 1, 'down: the event stream ends by itself');
like($t->http_end($sse)->{body}, qr/data: 3/, 'down: whole');
is($t->http_head(upgrade('/ws'))->{status}, 503, 'down: no new tunnel');

# shed by one backend, let in by another, and streaming there

$t->health('kv', 'up');
$t->health('d1', 'down');
ok($t->wait_phase('d1', 'down'), 'd1 is down');
ok($t->wait_for(sub { $t->http_get('/');
                      $t->backend_status('kv')->{phase} eq 'ramping' },
                'kv to be let in again', 20), 'kv is back');

my $led = $t->http_start('/d1/?sse=1');

is($t->http_head($led)->{status}, 200, 'led to an event stream');
is(in_flight('kv') + in_flight('d1'), 0, 'led: no permit is out');
$b->release();
$t->http_close($led);

# the end of the tunnels gives nothing back twice

$t->http_close($_) for @tunnels;
ok($t->wait_for(sub { $b->active() == 0
                      && !grep { $_->{in_flight} }
                         values %{$t->status()->{backends}} }), 'closed');

my $last = $t->http_start('/last?hang=1');
ok($t->wait_for(sub { $b->active() == 1 }), 'one more');
is(in_flight(), 1, 'is one permit');
$b->release();
is($t->http_end($last)->{status}, 200, 'which ends');
