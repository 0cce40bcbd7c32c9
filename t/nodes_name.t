#!/usr/bin/perl

# Goal: a node goes by its host name where it has no "node=", whatever bytes
# the host name has; and with the longest names that there can be, and texts
# that grow when they are written as JSON, its reports are still whole.
# Method: nginx in a namespace with a host name of its own; the reports are
# read back from Redis and held against the status.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;
use Test::Recovery::Order;
use Test::Recovery::Watch qw(calls);

my $BACKENDS = 64;

my $t = Test::Recovery->new();

$t->write_file('uts', <<"EOF2");
#!/bin/sh
exec unshare --uts sh -c 'printf "%s" "\$0" > /proc/sys/kernel/hostname
                          exec "\$@"' "\$HOST" @{[$t->nginx_binary()]} "\$@"
EOF2

chmod 0755, $t->dir() . '/uts';

plan(skip_all => 'no right to a host name of its own')
    if system('unshare --uts true 2>/dev/null') != 0;

$t->plan(6 * 2 + 10);
$t->redis_start();


sub json { JSON::PP->new->utf8->decode($_[0]) }

sub configure {
    my ($http) = @_;

    $t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    $http
}

EOF2
}


# host names

configure('recovery_redis redis://127.0.0.1:%%PORT_6379%% poll=100ms;
           recovery_backend kv { }');

for my $row (['edge-1.example.net', 'edge-1.example.net'],
             ['Edge_2', 'edge_2'], ['a:b "c"', 'a-b--c-'],
             ["caf\xc3\xa9", 'caf--'], ['-', 'nginx'],
             ['x' x 64, 'x' x 63])
{
    my ($host, $node) = @$row;

    $t->redis('FLUSHALL');

    {
        local $ENV{HOST} = $host;
        local $ENV{TEST_NGINX_BINARY} = $t->dir() . '/uts';
        $t->run();
    }

    ok($t->wait_for(sub { $t->redis('EXISTS', "recovery:node:$node:kv") }),
       "host \"$host\": reports");
    is(join(' ', @{$t->redis('HKEYS', 'recovery:nodes')},
            $t->status()->{instance}), "$node $node", "host \"$host\": $node");
    $t->stop();
}

# everything as long as it may be

my $prefix = 'p' x 63 . ':';
my $node = 'n' x 63;
my @names = map { sprintf '%063d', $_ } 1 .. $BACKENDS;
my $classes = join ' ', map { sprintf 'class %063d;', $_ } 1 .. 16;

configure("recovery_redis redis://127.0.0.1:%%PORT_6379%% poll=350ms
               prefix=$prefix node=$node;
           recovery_policy default { $classes }
           " . join("\n", map { "recovery_backend $_ { capacity 9r/s; }" }
                          @names) . "
           server {
               listen  127.0.0.1:%%PORT_8080%%;
               location = /control { recovery_control; }
           }");

my $long = "\xff" x 63;

for my $name (@names) {
    $t->redis('HSET', "$prefix$name", health => 'degraded', force => '50%',
              by => $long, reason => '"' x 63, promote => sprintf('%063d', 16),
              epoch => '9223372036854775807');
}

$t->run();

for my $name (@names) {
    my %who = (by => '"' x 63, reason => '\\' x 63, for => '10m');
    order($t, $name, %who, action => 'promote', value => sprintf '%063d', 15);
    order($t, $name, %who, action => 'health', value => '0.4');
}

ok($t->wait_for(sub {
    @names == grep { ($t->redis('GET', "${prefix}node:$node:$_") // '')
                     =~ /"epoch": 9223372036854775807.*"health": "degraded"/
            } @names
}, 'all reports', 30), 'longest: all are reported');

my $text = $t->redis('GET', "${prefix}node:$node:$names[-1]");
my $r = json($text);

is($r->{force}{reason}, '"' x 63, 'longest: a reason of quotes');
is($r->{force}{by}, "\x{fffd}" x 63, 'longest: bytes that are no text');
is(scalar @{$r->{classes}}, 16, 'longest: all classes');
is($r->{override}{class}, sprintf('%063d', 15), 'longest: an order');
is($r->{promote}, sprintf('%063d', 16), 'longest: promoted');
cmp_ok(length $text, '<', 12_000, 'longest: bounded');

# also with all the other questions in the same batch

my $calls = calls($t->redis_server(), 'set');
ok($t->wait_for(sub { calls($t->redis_server(), 'set') > $calls + 300 },
                '300 more', 30), 'longest: again and again');
is($t->status()->{redis}{reconnects}, 0, 'longest: the link was never lost');
is(scalar $t->grep_file('error.log', qr/no memory for a command/), 0,
   'longest: nor overfull');
