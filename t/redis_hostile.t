#!/usr/bin/perl

# Goal: a server that answers with anything but Redis costs the link and
# nothing else.  The worker stays below half a core, does not grow, serves
# its requests, opens and closes nothing, and does not fill the log; when the
# server is Redis again, it is heard again.
# Method: a scripted server with real bytes, one fault at a time for a second,
# under requests to a backend that is up and one that is down.  CPU and memory
# are the kernel's figures of the worker.  redis_controls.t shows that the
# measures find what they are there for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::FakeRedis;
use Test::Recovery::Watch qw(statuses waited);

my $CHUNK = 16384;

# a sanitizer keeps what was freed for a while

my $GROWTH_KB = $ENV{ASAN_OPTIONS} ? 65536 : 4096;

my $honest = '*7' . "\r\n\$2\r\nup" . "\r\n\$-1" x 6 . "\r\n";
my $message = "*3\r\n\$7\r\nmessage\r\n\$16\r\nrecovery:changed\r\n"
              . "\$3\r\nbad\r\n";
my $other = $message =~ s/bad\r/eve\r/r;

# name, what the link is after it (lost, or kept), what the server does.
# Some come after an honest answer: that is a link that comes and goes, which
# may be logged each time, because the time in between grows.

my @rows = (

    # no protocol at all

    ['binary garbage', lost => { on => '*', say => _noise(256) }],
    ['a web server', lost => {
        on => '*', close => 1,
        say => "HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n" }],
    ['garbage at once', lost => { on => 'accept', say => "\0\1\2\3" x 64 }],
    ['garbage without end', lost => { on => '*',
                                      endless => _noise($CHUNK) }],
    ['a line without end', lost => { on => '*', say => '+',
                                     endless => 'x' x $CHUNK }],
    ['RESP3', lost => { on => '*', say => "%1\r\n+a\r\n+b\r\n" }],

    # the protocol, and too much of it

    ['an array of 10^9', lost => { on => '*', say => "*1000000000\r\n",
                                   endless => ":1\r\n" x ($CHUNK / 4) }],
    ['an array of -10^9', lost => { on => '*', say => "*-1000000000\r\n" }],
    ['a bulk of 10^18', lost => { on => '*',
                                  say => "\$1000000000000000000\r\n",
                                  endless => 'x' x $CHUNK }],
    ['a bulk of 10^9', lost => { on => 'HMGET',
                                 say => "*7\r\n\$1000000000\r\n",
                                 endless => 'x' x $CHUNK }],
    ['arrays in arrays', lost => { on => '*',
                                   endless => "*1\r\n" x ($CHUNK / 4) }],
    ['replies without end', lost => { on => '*', also => 1,
                                      endless => "+OK\r\n" x 4096 }],
    ['answers without end', lost => { on => 'HMGET', also => 1,
                                      endless => $honest x 256 }],

    # the protocol, and not what was asked for

    ['one field', lost => { on => 'HMGET', say => "*1\r\n\$2\r\nup\r\n" }],
    ['sixteen fields', lost => { on => 'HMGET',
                                 say => "*16\r\n" . "\$2\r\nup\r\n" x 16 }],
    ['fields of arrays', lost => { on => 'HMGET',
                                   say => "*7\r\n" . "*1\r\n:1\r\n" x 7 }],
    ['a number', lost => { on => 'HMGET', say => ":1\r\n" }],
    ['a time of words', lost => { on => 'TIME',
                                  say => "*2\r\n\$1\r\nx\r\n\$1\r\ny\r\n" }],
    ['an error', lost => { on => 'HMGET', say => "-ERR no\r\n" }],
    ['a long error', lost => { on => 'HMGET',
                               say => '-ERR ' . "\e[31m%s\0" x 999 . "\r\n" }],

    # the subscriber's: nobody else is harmed

    ['messages without end', kept => { on => 'SUBSCRIBE', also => 1,
                                       endless => $message x 256 }],
    ['other messages without end', kept => { on => 'SUBSCRIBE', also => 1,
                                             endless => $other x 256 }],
    ['no subscription', kept => { on => 'SUBSCRIBE', say => "-ERR no\r\n" }],
    ['a huge message', kept => { on => 'SUBSCRIBE', also => 1,
                                 say => "*3\r\n\$7\r\nmessage\r\n"
                                        . "\$16\r\nrecovery:changed\r\n"
                                        . "\$999999999\r\n",
                                 endless => 'x' x $CHUNK }],

    # the connection's

    ['never an answer', lost => { on => '*', say => '' }],
    ['half an answer', lost => { on => 'HMGET', say => "*7\r\n\$2\r\nu" }],
    ['closed at once', lost => { on => 'accept', close => 1 }],
    ['closed when asked', lost => { on => '*', close => 1 }],
    ['closed in the answer', lost => { on => 'HMGET', close => 1,
                                       say => "*7\r\n\$2\r\nup\r\n" }],
    ['half closed', lost => { on => 'HMGET', half_close => 1, say => '' }],
    ['half closed after it', lost => { on => 'HMGET', half_close => 1,
                                       also => 1 }],
    ['a byte at a time', kept => { on => 'none', drip_s => 0.0005 }],
    ['a byte now and then', lost => { on => 'none', drip_s => 0.05 }],
);

my $t = Test::Recovery->new()->plan(10 * @rows + 8);

$t->backend(8081);

my $f = Test::Recovery::FakeRedis->new($t, 6390);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6390%% poll=100ms timeout=400ms;
    recovery_backend  good { }
    recovery_backend  bad  { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /good {
            recovery    good;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /bad {
            recovery    bad;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$f->set('recovery:good', health => 'up');
$f->set('recovery:bad', health => 'down');

$t->run();

ok($t->wait_phase('bad', 'down'), 'one is down');
is($t->backend_status('good')->{health}, 'up', 'one is up');

my $events = events();


sub _noise {
    my ($count) = @_;

    my $seed = 1;

    return join '', map {
        $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
        chr($seed >> 16 & 0xff);
    } 1 .. $count;
}


sub events {
    return join ' ', map { scalar @{$t->backend_status($_)->{events}} }
                     qw(good bad);
}


sub connected {
    return $t->wait_for(sub {
        $t->status()->{redis}{state} eq 'connected' && $f->seen()->{open} == 2
    }, 'connected', 30);
}


# a new worker for each row: its link has not backed off yet

for my $row (@rows) {
    my ($name, $after, $behaviour) = @$row;

    ok($t->reload() && connected(), "$name: connected before");
    $t->http_burst(20, '/good');

    $f->reset();

    my $watch = Test::Recovery::Watch->new($t);
    my $load = $t->load(rate => 40, uris => ['/good', '/bad'], for => 1,
                        timeout => 20);

    $f->behave(%$behaviour);
    $f->drop() unless $behaviour->{drip_s};

    my $r = $load->wait();
    my $cores = $watch->cores();

    cmp_ok($cores, '<', 0.5, "$name: half a core");
    cmp_ok($watch->grown_kb(), '<', $GROWTH_KB, "$name: memory");
    is_deeply([map { keys %{statuses($r, $_)} } qr/good/, qr/bad/],
              [200, 503], "$name: requests");
    cmp_ok(waited($r), '<', 1 * slow(), "$name: none waited");
    is(events(), $events, "$name: no phase moved");

    my $state = $t->status()->{redis}{state};

    $after eq 'kept' ? is($state, 'connected', "$name: kept")
                     : isnt($state, 'connected', "$name: lost");

    my @lines = $watch->said(qr/\[(?:notice|warn|error)\].*recovery_redis/);

    my $connections = $f->seen()->{connections};
    my $most = $behaviour->{also} ? 2 * $connections + 2 : 5;

    cmp_ok($connections, '<', 25, "$name: few connections");
    ok(@lines <= $most, "$name: few lines in the log")
        or diag(join "\n", @lines);

    $f->behave();
    ok(connected(), "$name: connected again");
}

# answers to nothing, on connections that were fine

$f->behave();
ok($t->reload() && connected(), 'connected before');

for my $to ('HMGET', 'SUBSCRIBE') {
    my $watch = Test::Recovery::Watch->new($t);

    $f->say($to => "+OK\r\n");
    ok($t->wait_for(sub { $watch->said(qr/bad reply/) }),
       "not asked for, after $to");
    ok(connected(), 'connected again');
}

# and after all that it listens

$f->set('recovery:bad', health => 'up');
ok($t->wait_phase('bad', 'probing'), 'up is heard');
