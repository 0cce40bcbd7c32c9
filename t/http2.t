#!/usr/bin/perl

# Goal: one HTTP/2 connection carries many requests, and each stream is a
# request of its own: decided by itself, shed by itself with Retry-After, its
# permit back when the stream ends or is reset, whatever the others do.
# Method: nghttp and h2load for what a client sees; a few frames by
# hand for RST_STREAM, which neither sends on demand.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Process qw(spawn reap);

my $t = Test::Recovery->new();

for my $tool (qw(nghttp h2load)) {
    next if grep { -x "$_/$tool" } split /:/, $ENV{PATH};
    Test::More::plan(skip_all => "no $tool");
}

$t->plan(33);

my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_policy   plain { feedback off; }
    recovery_backend  kv { policy plain; }
    recovery_backend  d1 { quota 10r/m; }

    server {
        listen  127.0.0.1:%%PORT_8080%% http2;

        location /    { recovery kv;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /d1  { recovery d1;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /off { recovery off;
                        proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

my $url = 'http://127.0.0.1:' . $t->port(8080);
my $runs = 0;

# runs a client to its end and returns what it said

sub client {
    my @cmd = @_;

    my $file = 'client' . ++$runs;
    my $pid = spawn(cmd => \@cmd, stdout => $t->dir() . "/$file",
                    stderr => $t->dir() . "/$file");

    reap($pid, 30) or kill 'KILL', $pid;

    return $t->read_file($file);
}

# headers of each stream: {stream id => {name => value}}

sub streams {
    my ($text) = @_;

    my %streams;

    $text =~ s/\e\[[0-9;]*m//g;

    while ($text =~ /recv \(stream_id=(\d+)\) (:?[a-z-]+): (.*)/g) {
        $streams{$1}{$2} = $3;
    }

    return \%streams;
}

sub counted {
    my ($name) = @_;

    my $c = $t->class_status($name, 'normal');

    return "$c->{offered} $c->{passed} $c->{shed}";
}

sub in_flight { return $t->backend_status('kv')->{in_flight} }

# many streams pass

my $out = client('h2load', '-n', 200, '-c', 2, '-m', 50, "$url/x");

like($out, qr/status codes: 200 2xx, 0 3xx, 0 4xx, 0 5xx/, 'all streams');
is(counted('kv'), '200 200 0', 'each is decided');
is($b->count(), 200, 'each reaches the backend');

# some pass and some do not, on one connection: four of class "normal" are
# less than the burst, and it is refilled every six seconds

$out = client('nghttp', '-nv', '-m', 30, "$url/d1");

my $streams = streams($out);
my @shed = grep { $_->{':status'} == 503 } values %$streams;
my $passed = grep { $_->{':status'} == 200 } values %$streams;

is(scalar keys %$streams, 30, 'thirty streams');
is(scalar(@shed) + $passed, 30, 'passed or shed');
cmp_ok($passed, '>=', 5, 'the burst passes');
cmp_ok($passed, '<=', 8, 'and not more');
is(scalar(grep { ($_->{'retry-after'} // '') =~ /^[1-9]\d*$/ } @shed),
   scalar @shed, 'each shed stream has its Retry-After');
is(scalar(grep { ($_->{'cache-control'} // '') eq 'no-store' } @shed),
   scalar @shed, 'and no-store');
is(counted('d1'), "30 $passed " . @shed, 'counted');

my %kinds = map { $_->{'retry-after'} => 1 } @shed;
cmp_ok(scalar keys %kinds, '>', 1, 'with jitter');

# frames by hand

my ($DATA, $HEADERS, $RST, $SETTINGS) = (0, 1, 3, 4);

sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
           . pack('CCN', $type, $flags, $stream) . $payload;
}

# literals without Huffman coding; names by index of the static table

sub request {
    my ($stream, $path) = @_;

    return frame($HEADERS, 0x5, $stream,
                 "\x82\x86\x04" . chr(length $path) . $path
                 . "\x01\x09localhost");
}

sub connect_h2 {
    my $h = $t->http_connect();

    $t->http_raw($h, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                     . frame($SETTINGS, 0, 0, ''));

    return $h;
}

# reads until a frame of a type has come for a stream; 0 when the end did

sub read_frame {
    my ($h, $type, $stream) = @_;

    $h->{s}->blocking(0);

    return $t->wait_for(sub {
        my $n = sysread $h->{s}, ${$h->{buf}}, 65536, length ${$h->{buf}};

        while (length ${$h->{buf}} >= 9) {
            my ($length, $is, undef, $id)
                = unpack 'NCCN', "\0" . substr ${$h->{buf}}, 0, 9;

            last if length ${$h->{buf}} < 9 + $length;

            substr ${$h->{buf}}, 0, 9 + $length, '';
            return 1 if $is == $type && ($id & 0x7fffffff) == $stream;
        }

        return 0;
    }, "a frame of type $type");
}

$b->reset();

my $h = connect_h2();

$t->http_raw($h, join '', map { request($_, '/x?hang=1') } 1, 3, 5, 7, 9);
ok($t->wait_for(sub { $b->active() == 5 }), 'five streams are held');
is(in_flight(), 5, 'five permits');

$t->http_raw($h, frame($RST, 0, 5, pack('N', 8)));
ok($t->wait_for(sub { in_flight() == 4 }), 'one is reset, a permit is back');
ok($t->wait_for(sub { $b->aborted() == 1 }), 'the backend sees it gone');

$t->http_raw($h, frame($RST, 0, 1, pack('N', 8))
                 . frame($RST, 0, 1, pack('N', 8))
                 . frame($RST, 0, 9, pack('N', 8)));
ok($t->wait_for(sub { in_flight() == 2 }), 'two more, one of them twice');

# reset in the same packet as the request

$t->http_raw($h, join '', map {
    request($_, '/x?hang=1') . frame($RST, 0, $_, pack('N', 8))
} 11, 13, 15);
$t->http_raw($h, request(17, '/off'));
ok(read_frame($h, $DATA, 17), 'another stream is served meanwhile');
ok($t->wait_for(sub { in_flight() == 2 }), 'reset at once: no permit is lost');

# what was admitted goes on when the gate closes; new streams are shed

my $passed_before = $t->class_status('kv', 'normal')->{passed};

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
$t->http_raw($h, request(19, '/x') . request(21, '/off'));
ok(read_frame($h, $HEADERS, 19), 'down: a stream is answered');
ok(read_frame($h, $DATA, 21), 'down: one outside is served');
is(counted('kv') =~ s/ .*//r, $passed_before + 1, 'down: offered');
is(in_flight(), 2, 'down: what was held before still is');
is($b->release('/x'), 2, 'down: it ends');
ok(read_frame($h, $DATA, 3) || read_frame($h, $DATA, 7), 'down: served');
ok($t->wait_for(sub { in_flight() == 0 }), 'down: permits are back');

$streams = streams(client('nghttp', '-nv', '-m', 20, "$url/y"));
is(scalar(grep { $_->{':status'} == 503 && $_->{'retry-after'} }
          values %$streams), 20, 'down: each stream is shed by itself');

# a body that nobody wants does not disturb the other streams

$t->http_raw($h, frame($HEADERS, 0x4, 23,
                       "\x83\x86\x04\x02/x\x01\x09localhost")
                 . frame($DATA, 0, 23, 'x' x 10000));
ok(read_frame($h, $HEADERS, 23), 'down: answered before the body is there');
$t->http_raw($h, frame($DATA, 0x1, 23, 'x' x 10000) . request(25, '/off'));
ok(read_frame($h, $DATA, 25), 'down: the connection lives on');

# the whole connection goes

$t->health('kv', 'up');
ok($t->wait_for(sub {
    client('nghttp', '-n', "$url/y");
    return $t->backend_status('kv')->{phase} eq 'ramping';
}, 'the gate to open', 20), 'back');

$b->reset();
$t->http_raw($h, request(27, '/x?hang=1') . request(29, '/x?hang=1'));
ok($t->wait_for(sub { $b->active() == 2 && in_flight() == 2 }),
   'two are held');
$t->http_close($h);
ok($t->wait_for(sub { in_flight() == 0 }),
   'the connection is closed, both are back');
ok($t->wait_for(sub { $b->aborted() == 2 }), 'the backend sees it');
