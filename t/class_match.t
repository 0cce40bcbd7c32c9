#!/usr/bin/perl

# Goal: a request gets the class of the first "match" rule that fits it, by
# =, ~ and ~*, else the default class; and the default class is the one with
# the word, else "normal", else the last one.
# Method: $recovery_class in a response header; nothing is shed here.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new();
my $b = $t->backend(8081);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_policy rules {
        class  critical reserve=20%;
        class  high;
        class  normal default;
        class  low;
        match  critical $uri = /login;
        match  critical $uri ~ ^/token(/|$);
        match  low      $request_method ~ ^(PUT|DELETE)$;
        match  high     $uri ~* \.JSON$;
        match  low      $uri ~ ^/first;
        match  critical $uri ~ ^/first;
        match  high     "$request_method $uri" = "GET /combo";
        match  low      $host = bulk.example.com;
        match  high     $uri ~ "^/[a-z]{3}[0-9]{2}$";
    }

    recovery_policy worded  { class a; class b default; class c; }
    recovery_policy named   { class low; class normal; class high; }
    recovery_policy last    { class a; class b; class c; }
    recovery_policy builtin { match low $uri ~ /low$; }

    recovery_backend rules   { policy rules; }
    recovery_backend worded  { policy worded; }
    recovery_backend named   { policy named; }
    recovery_backend last    { policy last; }
    recovery_backend builtin { policy builtin; }
    recovery_backend bare    { }

    add_header X-Class $recovery_class always;

    server {
        listen 127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    rules;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /p/worded  { recovery worded;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /p/named   { recovery named;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /p/last    { recovery last;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /p/builtin { recovery builtin;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /p/bare    { recovery bare;
                              proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

my @rows = (
    ['/', {}, 'normal', 'no rule: the default'],
    ['/login', {}, 'critical', '= hits'],
    ['/login/x', {}, 'normal', '= takes the whole string'],
    ['/LOGIN', {}, 'normal', '= minds the case'],
    ['/login?a=b', {}, 'critical', '= on $uri without arguments'],
    ['/token', {}, 'critical', '~ hits'],
    ['/token/x', {}, 'critical', '~ hits with more'],
    ['/tokens', {}, 'normal', '~ misses'],
    ['/TOKEN', {}, 'normal', '~ minds the case'],
    ['/x', { method => 'PUT' }, 'low', 'by method'],
    ['/x', { method => 'DELETE' }, 'low', 'by another method'],
    ['/x', { method => 'POST', body => 'x' }, 'normal', 'by none'],
    ['/login', { method => 'PUT' }, 'critical', 'the first match wins'],
    ['/a.json', {}, 'high', '~* hits'],
    ['/a.JsoN', {}, 'high', '~* minds no case'],
    ['/a.json/x', {}, 'normal', '~* misses'],
    ['/a.json', { method => 'PUT' }, 'low', 'a rule before wins'],
    ['/first', {}, 'low', 'two rules fit: the first'],
    ['/combo', {}, 'high', 'a string of several variables'],
    ['/combo', { method => 'POST', body => 'x' }, 'normal', 'and it misses'],
    ['/x', { host => 'bulk.example.com' }, 'low', 'by host'],
    ['/abc12', {}, 'high', 'braces in a pattern'],
    ['/abc123', {}, 'normal', 'braces in a pattern miss'],
    ['/p/worded', {}, 'b', 'default: the word'],
    ['/p/named', {}, 'normal', 'default: "normal"'],
    ['/p/last', {}, 'c', 'default: the last class'],
    ['/p/builtin/x', {}, 'normal', 'built-in classes: normal'],
    ['/p/builtin/low', {}, 'low', 'built-in classes: by rule'],
    ['/p/bare', {}, 'normal', 'built-in policy'],
);

$t->plan(@rows + 3);
$t->run();

for my $row (@rows) {
    my ($uri, $o, $class, $label) = @$row;
    is($t->http_get($uri, %$o)->{headers}{'x-class'}, $class, $label);
}

# the counters went to the same classes

is(join(' ', map { "$_->{name}:$_->{offered}" }
        @{$t->backend_status('rules')->{classes}}),
   'critical:5 high:4 normal:9 low:5', 'counted by class, in order');
is(join(' ', map { $_->{name} } @{$t->backend_status('bare')->{classes}}),
   'critical high normal low', 'the four default classes');
is($b->count(), scalar @rows, 'all went to the backend');
