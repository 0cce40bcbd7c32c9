#!/usr/bin/perl

# Goal: a server that answers what no Redis answers, or types that nobody
# asked for, moves nothing in any phase and costs no request anything.
# Method: a scripted server under load, see Test::Recovery::Fault; what such
# a server costs in processor time, memory and connections is told by
# redis_hostile.t, with many more answers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Fault;
use Test::Recovery::FakeRedis;

my $CHUNK = 16384;
my $BAD = qr/bad reply/;

# name, what it does, what the log says, bad values

my @rows = (
    ['garbage', { on => '*', say => "\0\1\2\xff garbage\r\n" }, $BAD, 1],
    ['garbage without end', { on => '*', endless => "\xfe" x $CHUNK },
     $BAD, 1],
    ['an array of 10^9', { on => 'HMGET', say => "*1000000000\r\n",
                           endless => ":1\r\n" x ($CHUNK / 4) }, $BAD, 1],
    ['a string of 10^9', { on => 'HMGET',
                           say => "*7\r\n\$1000000000\r\n",
                           endless => 'x' x $CHUNK }, $BAD, 1],
    ['numbers', { on => 'HMGET', say => "*7\r\n" . ":1\r\n" x 7 }, $BAD, 1],
    ['arrays', { on => 'HMGET', say => "*7\r\n" . "*1\r\n+up\r\n" x 7 },
     $BAD, 1],
    ['errors', { on => 'HMGET', say => "*7\r\n" . "-ERR\r\n" x 7 }, $BAD, 1],
    ['no array', { on => 'HMGET', say => "*-1\r\n" }, $BAD, 1],
    ['READONLY', { on => 'HMGET', say => "-READONLY You can't write\r\n" },
     qr/"READONLY/, 0],
);

my $t = Test::Recovery->new()->plan(7 * @rows + 2);
my $fake = Test::Recovery::FakeRedis->new($t, 6390);
my $f = Test::Recovery::Fault->new($t,
    redis => 'redis://127.0.0.1:%%PORT_6390%%',
    write => sub { $fake->set('recovery:' . shift, @_) });

$f->start();

for my $row (@rows) {
    my ($name, $behaviour, $said, $bad) = @$row;

    $f->row($name, link => 'lost', bad => $bad, said => { $said => 1 },
        begin => sub {
            $fake->reset();
            $fake->behave(%$behaviour);
        }, enough => sub { $fake->seen()->{connections} >= 3 },
        end => sub { $fake->behave() });
}

$f->finish();
