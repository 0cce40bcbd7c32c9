#!/usr/bin/perl

# Goal: counters of a class are of that class.  A reload that leaves the
# classes as they are keeps them; one that lists other classes, or the same
# in another order, begins anew: no total goes on under another name.
# Method: requests of two classes, then reloads with the policy rewritten.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(10);
my $b = $t->backend(8081);

configure('class first; class second default;');
$t->run();

$t->http_get("/first/$_") for 1 .. 3;
$t->http_get("/second/$_") for 1 .. 5;

is(passed('first'), 3, 'first');
is(passed('second'), 5, 'second');

configure('class first; class second default; trust 10.0.0.0/8;');
$t->reload();

is(passed('first'), 3, 'the same classes: first goes on');
is(passed('second'), 5, 'and second');

configure('class second default; class first;');
$t->reload();

ok($t->wait_for(sub { passed('first') == 0 && passed('second') == 0 },
                'new counters'), 'another order: both begin anew');

$t->http_get('/first/9');
is(passed('first'), 1, 'first counts');
is(passed('second'), 0, 'and nobody else');

configure('class second default; class third; class first;');
$t->reload();

ok($t->wait_for(sub { passed('first') == 0 }, 'new counters'),
   'one class more: anew');
is(passed('third'), 0, 'the new one');

$t->http_get('/first/10');
is(passed('first'), 1, 'first counts again');


sub passed {
    my ($class) = @_;
    return $t->class_status('kv', $class)->{passed};
}


sub configure {
    my ($classes) = @_;

    my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_policy p {
        CLASSES
        match  first $uri ~ ^/first/;
    }

    recovery_backend kv { policy p; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

    $conf =~ s/CLASSES/$classes/;
    $t->write_file_expand('nginx.conf', $conf);
}
