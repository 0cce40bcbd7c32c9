#!/usr/bin/perl

# Goal: a zone that becomes smaller keeps first what the configuration still
# names: a backend that is down must not be opened because the records of
# others, removed long ago, took the room.
# Method: sixty backends, the last of them down; then only that one, in a
# zone that has no room for sixty.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(8);

$t->backend(8081);
$t->redis_start();

sub configure {
    my ($size, @names) = @_;

    my $blocks = join '', map { "    recovery_backend $_ { }\n" } @names;

    $t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_zone   recovery:$size;
    recovery_redis  redis://127.0.0.1:%%PORT_6379%%;
$blocks

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / { recovery last;
                     proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2
}

configure('2m', (map { "b$_" } 1 .. 60), 'last');
$t->run();

is($t->http_get('/')->{status}, 200, 'up');
$t->health('last', 'down');
ok($t->wait_phase('last', 'down'), 'down');

# nothing but the zone knows it now

$t->redis('DEL', 'recovery:last');
my $shed = $t->http_get('/')->{status};
is($shed, 503, 'shed');

configure('64k', 'last');
ok($t->reload(), 'a smaller zone');

is($t->http_get('/')->{status}, 503, 'still shed');

my $s = $t->backend_status('last');
is($s->{phase}, 'down', 'still down');
is($t->class_status('last', 'normal')->{passed}, 1, 'its counters are here');
is(scalar keys %{$t->status()->{backends}}, 1, 'the others are gone');
