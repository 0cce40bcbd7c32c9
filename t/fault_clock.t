#!/usr/bin/perl

# Goal: a clock that is set moves nothing in any phase: ages, ramps and the
# ends of overrides are counted on the steady clock.  The clock of Redis is
# what the end of an override is compared with, and nothing else.
# Method: nginx with a library between it and the system's clock, which is set
# while it runs; a scripted Redis that tells another time.  Under load, see
# Test::Recovery::Fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Fault;
use Test::Recovery::FakeRedis;
use Test::Recovery::Watch qw(jumps);

my ($LIBRARY) = glob '/usr/lib/*/faketime/libfaketime.so.1';

plan(skip_all => 'faketime is not installed') unless $LIBRARY;
plan(skip_all => 'the library and a sanitizer do not go together')
    if $ENV{ASAN_OPTIONS};

my @rows = (['the clock is set an hour ahead', 3600],
            ['the clock is set an hour back', -3600],
            ['the clock is set a year ahead', 365 * 86400]);

my $t = Test::Recovery->new()->plan(8 * @rows + 7 * 2 + 2 + 1);
my $fake = Test::Recovery::FakeRedis->new($t, 6390);
my $file = $t->write_file('clock', "+0\n");

# nginx takes the environment from its workers, but for what it is told

my %env = (LD_PRELOAD => $LIBRARY, FAKETIME_TIMESTAMP_FILE => $file,
           FAKETIME_NO_CACHE => 1, FAKETIME_DONT_FAKE_MONOTONIC => 1,
           DONT_FAKE_MONOTONIC => 1);

my $f = Test::Recovery::Fault->new($t,
    redis => 'redis://127.0.0.1:%%PORT_6390%%',
    main => join('', map { "env $_;\n" } sort keys %env),
    write => sub { $fake->set('recovery:' . shift, @_) });

{
    local @ENV{keys %env} = values %env;
    $f->start();
}


# how far nginx's clock is from ours

sub ahead_s {
    my ($s) = @_;

    my @t = ($s->{now} // '') =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/
        or return 0;

    $t[1]--;

    return POSIX::mktime(reverse(@t[3 .. 5]), $t[2], $t[1], $t[0] - 1900)
           - POSIX::mktime(gmtime(time()));
}


for my $row (@rows) {
    my ($name, $by_s) = @$row;

    my $seen = 0;

    $f->row($name, begin => sub {
        $t->write_file('clock', sprintf "%+d\n", $by_s);
    }, enough => sub {
        $seen ||= abs(ahead_s($_[0]) - $by_s) < 60;
    }, end => sub { $t->write_file('clock', "+0\n") });

    ok($seen, "$name: it was");
}


# Redis tells another time than it has

sub tells {
    my ($ahead_s) = @_;

    my $now = int(time()) + $ahead_s;

    $fake->behave(on => 'TIME', say => sprintf "*2\r\n\$%d\r\n%d\r\n\$1\r\n0\r\n",
                  length $now, $now);
}


$f->row("Redis' clock is set ahead, not to the end",
        begin => sub { tells(1800) }, end => sub { $fake->behave() });

$f->row("Redis' clock is set past the end of an override",
        begin => sub { tells(86400) }, end => sub { $fake->behave() },
        said => { qr/bad "force_until"/ => [0, 1] }, bad => 0,
        but => { closed => sub { jumps($_[0]) } });

like($t->backend_status('closed')->{phase}, qr/^(?:probing|ramping)$/,
     'it ends, and what was closed is probed');

$f->finish();
