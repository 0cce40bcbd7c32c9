#!/usr/bin/perl

# Goal: the measures that the tests of the Redis link trust find what they
# are there for, and the scripted server does what it is told: a detector that
# never detected anything is no evidence.
# Method: each measure once on something that is guilty and once on something
# that is not.  No module here: a stock nginx, and children that burn, grow,
# leak and connect.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Recovery;
use Test::Recovery::FakeRedis;
use Test::Recovery::Process qw(poll_until spawn reap);
use Test::Recovery::Watch qw(fd_count links calls wait_polls slowest waited
                             statuses jumps);

my $t = Test::Recovery->new(no_module => 1)->plan(60);
my $b = $t->backend(8081);
my $redis = $t->redis_start();
my $fake = Test::Recovery::FakeRedis->new($t, 6390);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();

my @children;


# a program of its own, which inherits no connection of ours: it connects to
# the ports, says so, and stays for a minute

sub connected_to {
    my (@ports) = @_;

    my $code = 'my @s = map { IO::Socket::INET->new("127.0.0.1:$_") or die }'
               . ' @ARGV; print "ok\n"; close STDOUT; sleep 60';
    my $out = $t->dir() . '/connected' . @children;
    my $pid = spawn(cmd => [$^X, '-MIO::Socket::INET', '-e', $code,
                            map { $t->port($_) } @ports], stdout => $out);

    push @children, $pid;
    poll_until(sub { -s $out }, 10) or die "a child does not connect\n";

    return $pid;
}


sub connection {
    my ($port) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                 PeerPort => $t->port($port))
           // die "connect: $!\n";
}


# Processor time: a child burns a second of it by its own clock, however long
# that takes on a machine that has other things to do.

my $go = $t->dir() . '/go';
my $done = $t->dir() . '/done';

my $busy = spawn(code => sub {
    sleep 0.02 until -e $go;
    1 while (times)[0] + (times)[1] < 1;
    $t->write_file('done', 'x');
    sleep 1 while getppid() != 1;
});
push @children, $busy;

my $start = time();
my $watch = Test::Recovery::Watch->new($t, pids => [$busy]);
my $both = Test::Recovery::Watch->new($t, pids => [$busy, $t->workers()]);
my $idle = Test::Recovery::Watch->new($t);

$t->write_file('go', 'x');
ok(poll_until(sub { -s $done }, 60), 'a second was burnt');

my $elapsed = time() - $start;

cmp_ok(abs($watch->cores() * $elapsed - 1), '<', 0.2, 'and measured');
cmp_ok(abs($both->cores() * $elapsed - 1), '<', 0.3, 'in a sum, too');
cmp_ok($idle->cores(), '<', 0.1, 'an idle nginx burns nothing');
kill 'KILL', $busy;
reap($busy, 5);
unlink $go;

# memory

my $fat;
my $eater = spawn(code => sub {
    sleep 0.02 until -e $go;
    $fat = 'x' x 20_000_000;
    sleep 1 while length $fat && getppid() != 1;
});
push @children, $eater;

$watch = Test::Recovery::Watch->new($t, pids => [$eater]);

$t->write_file('go', 'x');
ok(poll_until(sub { $watch->grown_kb() > 4096 }, 10), 'growth is seen');

# descriptors and connections

my $before = fd_count($$);
my @open = map { connection(6379) } 1 .. 5;

is(fd_count($$), $before + 5, 'five descriptors more');
@open = ();
is(fd_count($$), $before, 'and gone');

my $three = connected_to((6379) x 3);
my $one = connected_to(6379, 6390);

is_deeply([links($t, 6379, $three)], [($three) x 3], 'three connections');
is_deeply([links($t, 6379, $three, $one)], [($three) x 3, $one],
          'three and one');
is_deeply([links($t, 6390, $three, $one)], [$one], 'to another port');
is_deeply([links($t, 6379)], [], 'nginx has none');
kill 'KILL', $three;
reap($three, 5);
is_deeply([links($t, 6379, $three, $one)], [$one], 'gone with their process');

# the log

$watch = Test::Recovery::Watch->new($t);
kill 'HUP', $t->master();
ok($t->wait_for(sub { $watch->said(qr/signal 1 .*received/) }),
   'a new line is seen');
is(scalar $watch->said(qr/no such line/), 0, 'another one is not');
is(scalar Test::Recovery::Watch->new($t)->said(qr/signal 1/), 0,
   'an old one is not');

# requests: slow ones, failed ones, lost ones

my $slow = $t->load(rate => 10, uris => ['/a', '/b?delay=1.5'], for => 1)
             ->wait();
my $fast = $t->load(rate => 10, uris => ['/a'], for => 0.5)->wait();

cmp_ok(slowest($slow), '>=', 1.5, 'a slow request is seen');
cmp_ok(slowest($fast), '<', 1.5, 'and is not there');
cmp_ok(waited($slow), '>=', 1.5, 'half of them make all slow');
cmp_ok(waited([@$fast, (grep { $_->{time_s} > 1 } @$slow)[0]]), '<', 1.5,
       'one does not');

my $mixed = $t->load(rate => 40, for => 0.5,
                     uris => ['/a', '/b?status=503', '/a?close=before'])
              ->wait();

is(join(' ', sort keys %{statuses($mixed, qr/^\/a/)}), '200 502',
   'one other status among many');
is_deeply([keys %{statuses($mixed, qr/^\/b/)}], [503], 'by URI');

# commands

is(calls($redis, 'hmget'), 0, 'no command yet');
$redis->cmd('HMGET', 'x', 'y') for 1 .. 25;
is(calls($redis, 'hmget'), 25, 'commands are counted');

my $poller = spawn(code => sub {
    my $s = connection(6379);
    while (getppid() != 1) {
        print $s "HMGET x y\r\n";
        sleep 0.05;
    }
});
push @children, $poller;
ok(wait_polls($t, 5, $redis), 'polls are waited for');
cmp_ok(calls($redis, 'hmget'), '>=', 30, 'all of them');
kill 'KILL', $poller;
reap($poller, 5);

# phases: every way up that leaves one out

my @UP = qw(down probing ramping verifying up);


sub events {
    my (@phases) = @_;

    return { events => [map { { from => $phases[$_ - 1], to => $phases[$_],
                                why => '' } } 1 .. $#phases] };
}


is_deeply([jumps(events(@UP, 'down', 'probing', 'down'))], [], 'no jump');
is_deeply([jumps(events('up', 'degraded', 'ramping', 'probing'))], [],
          'ways down');

for my $i (0 .. 2) {
    is(scalar jumps(events($UP[$i], $UP[$_])), 1, "$UP[$i] to $UP[$_]")
        for $i + 2 .. 4;
}

is(scalar jumps(events('degraded', 'up')), 1, 'degraded to up');

# the scripted server, honest: as the real one, to the byte


sub ask {
    my ($s, @words) = @_;

    print $s '*' . @words . "\r\n"
             . join '', map { '$' . length($_) . "\r\n$_\r\n" } @words;
}


# what comes within the time, or up to so many bytes

sub hear {
    my ($s, $bytes, $for_s) = @_;

    my $in = '';
    my $end = time() + ($for_s // 5 * slow());

    while (length $in < $bytes && time() < $end) {
        next unless IO::Select->new($s)->can_read(0.05);
        sysread $s, $in, 65536, length $in or return "$in<eof>";
    }

    return $in;
}


# an answer of a length that nobody knows: all of it, once it has begun

sub hear_all {
    my ($s) = @_;

    my $in = hear($s, 1);

    while (IO::Select->new($s)->can_read(0.2 * slow())) {
        my $n = sysread $s, $in, 65536, length $in;
        return "$in<eof>" if !$n;
    }

    return $in;
}


$redis->cmd('HSET', 'k', 'a', 'x y', 'b', '');
$fake->set('k', a => 'x y', b => '');

my %link = map { $_ => connection($_) } 6379, 6390;

for my $words (['HMGET', 'k', 'a', 'b', 'c'], ['HMGET', 'none', 'a'],
               ['PING'], ['SELECT', 3], ['SUBSCRIBE', 'c'], ['PING'])
{
    my %in;

    for my $port (6379, 6390) {
        ask($link{$port}, @$words);
        $in{$port} = hear_all($link{$port});
    }

    is($in{6390}, $in{6379}, "as the real one: @$words");
    isnt($in{6390}, '', 'and not nothing');
}

my $s = connection(6390);

ask($s, 'TIME');
like(hear($s, 20), qr/^\*2\r\n\$10\r\n\d{10}\r\n\$\d\r\n\d+\r\n$/, 'TIME');

# and not

$fake->reset();
$fake->behave(on => 'TIME', say => "\0\xff");
ask($s, 'TIME');
is(hear($s, 2), "\0\xff", 'say');
ask($s, 'PING');
is(hear($s, 7), "+PONG\r\n", 'honest to another command');

$fake->behave(on => '*', also => 1, endless => 'ab' x 512);
ask($s, 'PING');
ok(hear($s, 200_000, 20 * slow()) =~ /^\+PONG\r\n(?:ab){60000}/, 'endless');
$fake->behave();
ok($t->wait_for(sub { hear($s, 1, 0.3) eq '' }), 'till it is told');

$fake->behave(drip_s => 0.05);
ask($s, 'PING');

$start = time();
is(hear($s, 7), "+PONG\r\n", 'a byte at a time');
cmp_ok(time() - $start, '>=', 0.25, 'slowly');

$fake->behave(on => 'PING', say => '', half_close => 1);
ask($s, 'PING');
is(hear($s, 1), '<eof>', 'half closed');
ok($t->wait_for(sub { $fake->seen()->{open} == 3 }), 'and still there');

$fake->behave(on => 'accept', close => 1);
is(hear(connection(6390), 1), '<eof>', 'closed at once');

$fake->behave();
$s = connection(6390);
ask($s, 'PING');
hear($s, 7);
$fake->say(PING => '+more');
is(hear($s, 5), '+more', 'unasked');

is($fake->seen()->{connections}, 2, 'connections are counted');
is($fake->seen()->{commands}{PING}, 5, 'commands are counted');
$fake->drop();
is(hear($s, 1), '<eof>', 'dropped');

for my $pid (@children) {
    kill 'KILL', $pid;
    reap($pid, 5);
}
