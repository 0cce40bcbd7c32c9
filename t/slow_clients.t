#!/usr/bin/perl

# Goal: a permit is for work at the backend.  Clients that send or read slowly
# hold none: neither can they fill the gate of an idle service, nor keep one
# that comes back from being probed.
# Method: uploads that stop in the middle, answers that nobody reads; in
# flight against what the backend has to do.  A request that is at work there
# is the negative control.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(21);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms;
    recovery_policy   p { ramp from=10% double=100ms verify=1h; }
    recovery_backend  kv { policy p; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        client_max_body_size  10m;
        send_timeout          60s;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /stream/ {
            recovery                 kv;
            proxy_request_buffering  off;
            proxy_pass               http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();


# slow uploads

my @slow = map { upload('/up') } 1 .. 20;

ok($t->wait_for(sub { passed() == 20 }, 'all are let in'),
   'twenty uploads are let in');
is(in_flight(), 0, 'none is in flight');
is($b->count('/up'), 0, 'the backend knows of none');

finish($slow[0], '/up');
is($t->http_end($slow[0])->{status}, 200, 'one that ends is served');

# from the last byte of the body on it counts

my $work = upload('/work?hang=1');
is(in_flight(), 0, 'an upload: not yet');
finish($work);

ok($t->wait_for(sub { in_flight() == 1 }, 'at work'), 'at work: it counts');
is($b->release('/work'), 1, 'the backend had it');
is($t->http_end($work)->{status}, 200, 'it ends');
ok($t->wait_for(sub { in_flight() == 0 }, 'none'), 'and counts no more');

# a small body that came with the headers is at work at once

my $small = $t->http_start('/small?hang=1', method => 'POST', body => 'x');
ok($t->wait_for(sub { in_flight() == 1 }, 'small'), 'a small body: at once');
$b->release('/small');
$t->http_end($small);

# passed on as it comes, the backend waits with the client

my $stream = upload('/stream/x');
ok($t->wait_for(sub { in_flight() == 1 }, 'stream'),
   'an upload that is passed on as it comes counts');
$t->http_close($stream);

# slow readers

my @readers = map { $t->http_start('/down?size=8000000') } 1 .. 5;

ok($t->wait_for(sub { $b->count('/down') == 5 && $b->active() == 0 },
                'the backend is done'), 'the backend is done with five');
ok($t->wait_for(sub { in_flight() == 0 }, 'none'),
   'none is in flight while nobody reads');
is(length($t->http_end($readers[0], timeout => 30)->{body}), 8_000_000,
   'who reads at last gets it all');

# they do not keep a backend from being probed

$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
$t->health('kv', 'up');
ok($t->wait_phase('kv', 'probing'), 'probing');

push @slow, map { upload('/up') } 1 .. 20;

my $load = $t->load(rate => 20, uris => ['/probe']);
ok($t->wait_phase('kv', qr/ramping|verifying/, 20),
   'probed in spite of slow uploads');
$load->stop();

# the end: clients that leave give back what they do not hold

$t->http_close($_) for @slow[1 .. $#slow], @readers[1 .. 4];

ok($t->wait_for(sub { in_flight() == 0 }, 'none'), 'none is in flight');

my $undecided = $t->metrics()->value('nginx_recovery_undecided_total',
                                     reason => 'no_slot');
is($undecided, 0, 'and every one was decided');

is($t->http_get('/fine')->{status}, 200, 'it serves');
is(in_flight(), 0, 'nothing is left');


sub upload {
    my ($uri) = @_;

    my $h = $t->http_connect();

    $t->http_raw($h, "POST $uri HTTP/1.1\r\nHost: x\r\n"
                     . "Content-Length: 100000\r\n\r\n" . 'x' x 1000);
    return $h;
}


sub finish {
    my ($h) = @_;
    $t->http_raw($h, 'x' x 99_000);
}


sub in_flight {
    return $t->backend_status('kv')->{in_flight};
}


sub passed {
    return $t->class_status('kv', 'normal')->{passed};
}
