#!/usr/bin/perl

# Goal: whatever the network does between nginx and Redis, requests keep their
# latency, what is in force stays in force in every phase, status and metrics
# tell it, the log tells it once, and the link comes up again by itself.
# Method: a real Redis behind a proxy of ours, one fault at a time, under
# load; see Test::Recovery::Fault.  fault_controls.t shows that its measures
# find what they are there for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Fault;
use Test::Recovery::Proxy;

# what the proxy does, how the link is while it does, what the log says

my $CLOSED = qr/server closed the connection/;
my $SILENT = qr/no answer in time/;

my @rows = (
    ['refused', lost => { refuse => 1 }, { $CLOSED => [1, 2],
                                           qr/Connection refused/ => 1 }],
    ['cut in mid-reply', lost => { cut => 20 }, { $CLOSED => 1 }],
    ['reset in mid-reply', lost => { cut => 20, cut_by => 'reset' },
                           { $CLOSED => 1 }],
    ['half closed', lost => { cut => 20, cut_by => 'half' },
                    { $CLOSED => 1 }],
    ['black hole', lost => { swallow => 1 }, { $SILENT => 1 }],
    ['garbled', lost => { garble => 1 }, { qr/bad reply/ => 1 }, bad => 1],
    ['delayed', kept => { delay_s => 0.05 }],
    ['delayed too long', lost => { delay_s => 0.5 }, { $SILENT => 1 }],
    ['a byte at a time', kept => { drip_s => 0.0002 }],
    ['a byte now and then', lost => { drip_s => 0.05 }, { $SILENT => 1 }],
);

my $t = Test::Recovery->new()->plan(7 * @rows + 2);

$t->redis_start();

my $proxy = Test::Recovery::Proxy->new($t, 6390, 6379);
my $f = Test::Recovery::Fault->new($t,
    redis => 'redis://127.0.0.1:%%PORT_6390%%',
    write => sub { $t->redis('HSET', "recovery:" . shift, @_) });

$f->start();

for my $row (@rows) {
    my ($name, $link, $fault, $said, @more) = @$row;

    # tried often enough: what is said at every try is not said once

    my $enough = $link eq 'lost' && !$fault->{refuse}
                 ? sub { $proxy->seen()->{connections} >= 3 }
                 : sub { $proxy->seen()->{up} >= 3000 };

    $f->row($name, link => $link, said => $said, @more,
        $fault->{refuse} ? (lasts => 2) : (enough => $enough),
        begin => sub {
            $proxy->reset();
            $proxy->fault(%$fault);
            $proxy->drop() if $fault->{refuse};
        }, end => sub { $proxy->fault() });
}

$f->finish();
