#!/usr/bin/perl

# Goal: what a client writes into a header, cookie or argument may lower its
# class but not raise it above what the other rules say, unless its address
# is trusted.  The same holds for recovery_class; a name it does not know
# falls through to the rules and is counted.
# Method: the same rules in two policies, one of which trusts 127.0.0.0/8.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new();
my $b = $t->backend(8081);

my $rules = <<'EOF2';
        match  critical $uri ~ /login$;
        match  critical $http_x_priority = critical;
        match  high     $http_x_priority = high;
        match  low      $http_x_priority = low;
        match  high     $cookie_tier = gold;
        match  high     $arg_tier = gold;
        match  high     $args ~ vip=1;
        match  high     $query_string ~ vap=1;
        match  high     "$request_method $http_x_mixed" = "GET up";
EOF2

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    map \$uri \$mapped {
        ~vip      critical;
        ~odd      nonsense;
        default   '';
    }

    recovery_policy strict {
$rules
        trust  10.0.0.0/8;
    }

    recovery_policy trusting {
$rules
        trust  10.0.0.0/8 127.0.0.0/8;
    }

    recovery_backend s { policy strict; }
    recovery_backend t { policy trusting; }

    add_header X-Class \$recovery_class always;

    server {
        listen      127.0.0.1:%%PORT_8080%%;

        location /s/ {
            recovery    s;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;

            location /s/named/ {
                recovery_class  \$http_x_class;
                proxy_pass      http://127.0.0.1:%%PORT_8081%%;
            }

            location /s/mapped/ {
                recovery_class  \$mapped;
                proxy_pass      http://127.0.0.1:%%PORT_8081%%;
            }
        }

        location /t/ {
            recovery    t;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;

            location /t/named/ {
                recovery_class  \$http_x_class;
                proxy_pass      http://127.0.0.1:%%PORT_8081%%;
            }
        }
    }
}

EOF2

my @rows = (

    # uri, headers, class for a stranger, class for a trusted address

    ['/x', {}, 'normal', 'normal'],
    ['/login', {}, 'critical', 'critical'],
    ['/x', { 'X-Priority' => 'critical' }, 'normal', 'critical'],
    ['/x', { 'X-Priority' => 'high' }, 'normal', 'high'],
    ['/x', { 'X-Priority' => 'low' }, 'low', 'low'],
    ['/login', { 'X-Priority' => 'low' }, 'low', 'critical'],
    ['/login', { 'X-Priority' => 'high' }, 'high', 'critical'],
    ['/x', { Cookie => 'tier=gold' }, 'normal', 'high'],
    ['/x?tier=gold', {}, 'normal', 'high'],
    ['/x?vip=1', {}, 'normal', 'high'],
    ['/x?vap=1', {}, 'normal', 'high'],
    ['/x', { 'X-Mixed' => 'up' }, 'normal', 'high'],
    ['/x', { 'X-Forwarded-For' => '10.0.0.1', 'X-Priority' => 'high' },
     'normal', 'high'],

    # recovery_class

    ['/named/x', {}, 'normal', 'normal'],
    ['/named/x', { 'X-Class' => 'critical' }, 'normal', 'critical'],
    ['/named/x', { 'X-Class' => 'low' }, 'low', 'low'],
    ['/named/login', { 'X-Class' => 'low' }, 'low', 'low'],
    ['/named/login', { 'X-Class' => 'nonsense' }, 'critical', 'critical'],
    ['/named/x', { 'X-Class' => 'nonsense', 'X-Priority' => 'low' },
     'low', 'low'],
);

$t->plan(2 * @rows + 7);
$t->run();

for my $row (@rows) {
    my ($uri, $headers, $stranger, $trusted) = @$row;
    my $label = "$uri " . join ' ', %$headers;

    is($t->http_get("/s$uri", headers => $headers)->{headers}{'x-class'},
       $stranger, "stranger: $label");
    is($t->http_get("/t$uri", headers => $headers)->{headers}{'x-class'},
       $trusted, "trusted: $label");
}

# a variable of the configuration's own making is not the client's choice

sub class {
    return $t->http_get(@_)->{headers}{'x-class'};
}

is(class('/s/mapped/vip'), 'critical', 'a map may raise anybody');
is(class('/s/mapped/x'), 'normal', 'an empty name: the rules');
is(class('/s/mapped/login'), 'critical', 'an empty name: a rule');

# /named/ twice for two policies, unknown in four of them, /mapped/odd one

is(class('/s/mapped/odd'), 'normal', 'an unknown name: the rules');
is($t->metrics()->value('nginx_recovery_undecided_total',
                        reason => 'unknown_class'),
   5, 'unknown names are counted, empty ones are not');
ok($t->wait_log(qr/nonsense/), 'and logged');
is($b->count(), 2 * @rows + 4, 'nothing was shed');
