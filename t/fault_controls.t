#!/usr/bin/perl

# Goal: what the tests of faults trust finds what it is there for: each of the
# measures of Test::Recovery::Fault on something that is guilty, and the proxy
# does to the bytes what it was told.
# Method: a worker that is blocked, a backend that fails, opinions that
# change, a fault that is none or does not end; the proxy between a client of
# ours and a real Redis.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Recovery;
use Test::Recovery::Fault;
use Test::Recovery::Proxy;

my $t = Test::Recovery->new()->plan(35);

$t->redis_start();

my $proxy = Test::Recovery::Proxy->new($t, 6390, 6379);

# the proxy


sub connection {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                 PeerPort => $t->port(6390));
}


sub hear {
    my ($s, $bytes, $for_s) = @_;

    my $in = '';
    my $end = time() + ($for_s // 5 * slow());

    while (length $in < $bytes && time() < $end) {
        next unless IO::Select->new($s)->can_read(0.05);

        my $n = sysread $s, $in, 65536, length $in;

        return $in . ($!{ECONNRESET} ? '<reset>' : '<error>') if !defined $n;
        return "$in<eof>" if !$n;
    }

    return $in;
}


# an answer of seven bytes, and how long it took

sub answer {
    my ($s, $bytes, $for_s) = @_;

    my $start = time();

    print $s "PING\r\n";

    my $in = hear($s, $bytes // 7, $for_s);

    return ($in, time() - $start);
}


my $s = connection();

is((answer($s))[0], "+PONG\r\n", 'honest');
is($proxy->seen()->{down}, 7, 'bytes are counted');
is($proxy->seen()->{open}, 1, 'so are connections');

for my $case ([{ delay_s => 0.2 }, 0.4, 'delay'],
              [{ drip_s => 0.05 }, 0.3, 'drip'])
{
    my ($fault, $least_s, $name) = @$case;

    $proxy->fault(%$fault);

    my ($in, $took_s) = answer($s);

    is($in, "+PONG\r\n", "$name: all of it");
    cmp_ok($took_s, '>=', $least_s, "$name: and late");
}

$proxy->fault(garble => 1);
is((answer($s))[0], "+PONG\r\n" ^ "\x55" x 7, 'garble');

for my $case (['close', '<eof>'], ['reset', '<reset>'], ['half', '<eof>']) {
    my ($by, $end) = @$case;

    $proxy->fault();
    $s = connection();
    answer($s);
    $proxy->fault(cut => 3, cut_by => $by);
    is((answer($s))[0], "+PO$end", "cut by $by");
}

$s = connection();
$proxy->fault(swallow => 1);
is((answer($s, 1, 0.3))[0], '', 'swallow');
$proxy->fault();
is(hear($s, 1, 0.3), '', 'and nothing of it comes back');
is((answer($s))[0], "+PONG\r\n", 'but what is new');

$proxy->fault(refuse => 1);
is(connection(), undef, 'refuse');
$proxy->drop(1);
is(hear($s, 1), '<reset>', 'drop');
$proxy->fault();
ok($t->wait_for(sub { connection() }), 'again');

# The measures.  A "fault" that does nothing is no problem for any of them.

my $f = Test::Recovery::Fault->new($t, patience_s => 2,
    redis => 'redis://127.0.0.1:%%PORT_6390%%',
    write => sub { $t->redis('HSET', "recovery:" . shift, @_) });

$f->start();


# the aspects in which there was a problem

sub guilty {
    my ($name, %o) = @_;

    my $p = $f->play($name, begin => sub { }, %o);

    return join ' ', grep { @{$p->{$_}} } sort keys %$p;
}


is(guilty('nothing'), '', 'nothing happens');

# a worker that waits for something

like(guilty('blocked', begin => sub {
    my ($worker) = $t->workers();

    kill 'STOP', $worker;
    sleep 0.8 * slow();
    kill 'CONT', $worker;
}), qr/\blatency\b/, 'a worker that waits is seen');

like(guilty('failing', begin => sub {
    $t->{backends}[0]->set_path('/up', status => 500);
}, end => sub { $t->{backends}[0]->set_path('/up', status => 200) }),
     qr/\brequests\b/, 'other answers are seen');

like(guilty('no fault', link => 'lost'), qr/\bseen\b/, 'a fault that is none');
is(guilty('bad', bad => 1), 'status', 'a count that is not so');
is(guilty('mute', said => { qr/anything/ => 1 }), 'log',
   'a line that is not there');
is(guilty('bad value', bad => 1, begin => sub {
    $t->redis('HSET', 'recovery:up', 'epoch', 'x');
}, end => sub { $t->redis('HDEL', 'recovery:up', 'epoch') }), 'log',
   'a line that nobody expects');
like(guilty('lost for good', link => 'lost', begin => sub {
    $proxy->fault(refuse => 1);
    $proxy->drop();
}), qr/\bafter\b/, 'a fault that does not end');
$proxy->fault();

# one by one: another limit, another order, another word

for my $case (['ceiling', ['ceiling', '300r/s'], ['ceiling', '200r/s']],
              ['forced', ['force', '50%'], ['force', '35%']],
              ['up', ['health', 'down'], ['health', 'up']],
              ['down', ['health', 'up'], ['health', 'down']])
{
    my ($name, $change, $back) = @$case;

    my $change_it = sub {
        $t->redis('HSET', "recovery:$name", @{$_[0]});
        $t->redis('PUBLISH', 'recovery:changed', $name);
    };
    my $p = $f->play("moved: $name", begin => sub { $change_it->($change) },
                     end => sub { $change_it->($back) });

    cmp_ok(scalar(grep { /^$name:/ } @{$p->{phases}}), '>', 0,
           "moved: $name");
}

# a ramp that falls or leaps, in two statuses


sub ramp {
    my ($allowed, %o) = @_;

    return { backends => { ramping => { phase => 'ramping', health => 'up',
                                        allowed_per_s => $allowed,
                                        events => [], %o } } };
}


my $then = ramp(100);

is_deeply([Test::Recovery::Fault::moved('ramping', @$_)], [], 'ramp: as it is')
    for [ramp(100), $then, 1], [ramp(115), $then, 10];
is(scalar(Test::Recovery::Fault::moved('ramping', @$_)), 1,
   'ramp: fell or leapt')
    for [ramp(99), $then, 1], [ramp(120), $then, 1],
        [ramp(100, phase => 'probing'), $then, 1],
        [ramp(100, events => [{ from => 'ramping', to => 'ramping' }]),
         $then, 1];

$_->stop() for $f->{load}, $f->{machine};
