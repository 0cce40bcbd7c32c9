#!/usr/bin/perl

# Goal: a pattern that explodes on an input made for it costs a bounded
# time, counts as "no match", and is counted; the request passes.
# Method: ^(a+)+$ against "aaa...ab" tries 2^n ways without a limit: with
# n = 60 it would not end before the machine is scrapped.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(11);
my $b = $t->backend(8081);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_policy p {
        match  low       $arg_x ~ ^(a+)+$;
        match  low       $arg_y ~ ^(?:b|b?)*c;
        match  low       $arg_z = yes;
    }

    recovery_backend kv { policy p; }

    add_header X-Class $recovery_class always;

    server {
        listen      127.0.0.1:%%PORT_8080%%;
        recovery    kv;

        location / {
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();

sub undecided {
    return $t->metrics()->value('nginx_recovery_undecided_total',
                                reason => 'pattern_limit') // 0;
}

is($t->http_get('/?x=aaaa')->{headers}{'x-class'}, 'low', 'control: a match');
is($t->http_get('/?x=aaab')->{headers}{'x-class'}, 'normal', 'and none');
is(undecided(), 0, 'no limit was hit');

my $r = $t->http_get('/?x=' . 'a' x 60 . 'b', timeout => 60);
is($r->{status}, 200, 'the explosive input passes');
is($r->{headers}{'x-class'}, 'normal', 'as no match');
ok($r->{time_s} < 5 * slow(), "in a bounded time ($r->{time_s} s)");
is(undecided(), 1, 'and is counted');

$r = $t->http_get('/?z=yes&x=' . 'a' x 60 . 'b', timeout => 60);
is($r->{headers}{'x-class'}, 'low', 'the rules after it are still asked');

# a long subject must not overflow a stack

$r = $t->http_get('/?x=' . 'a' x 6000, timeout => 60);
is($r->{status}, 200, 'a long input passes');
$r = $t->http_get('/?y=' . 'b' x 6000, timeout => 60);
is($r->{status}, 200, 'another one too');
is($b->count(), 6, 'nothing was shed');
