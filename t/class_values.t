#!/usr/bin/perl

# Goal: rules see of a request what nginx's own variables say at that moment,
# whether they are looked at one by one or all at once: an absent value is an
# empty one, $uri is that of the location, what is volatile is asked anew,
# and values that are too long for a look at all rules are matched as well.
# Method: $recovery_class in a response header, and the counters; nothing is
# shed here.

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

    map $uri $where {
        volatile;
        ~^/here/   here;
        ~^/there/  there;
    }

    recovery_policy uri {
        match  critical $uri ~ ^/there/;
        match  high     $uri ~ \.php$;
        match  low      $uri ~ ^/(a|aa)+$;
        match  low      $uri ~ ^/f(oo)?/bar;
    }

    recovery_policy mixed {
        trust  127.0.0.0/8;
        match  critical $http_x_absent = yes;
        match  high     $http_x_absent ~ ^.+$;
        match  low      ${URI} ~ ^/there/low;
        match  high     $where = there;
        match  low      $flag = 1;
        match  critical "x$arg_none" = xyes;
        match  critical $document_uri = /mixed/doc;
    }

    recovery_policy absent {
        match  high     $uri ~ ^/absent/uri$;
        match  critical $http_x_absent = "";
        match  low      $http_x_absent ~ ^y;
        trust  127.0.0.0/8;
    }

    recovery_policy user {
        cohort $http_x_user;
        match  high $uri ~ ^/user/high;
    }

    recovery_backend uri    { policy uri; }
    recovery_backend shared { policy uri; }
    recovery_backend mixed  { policy mixed; }
    recovery_backend absent { policy absent; }
    recovery_backend user   { policy user; }

    add_header X-Class $recovery_class always;

    server {
        listen 127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    uri;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /old/ {
            recovery    uri;
            rewrite     ^/old/(.*)$ /there/$1 last;
        }

        location /shared/ {
            recovery    shared;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /mixed/ {
            set $flag 0;
            if ($arg_flag) {
                set $flag 1;
            }
            recovery    mixed;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /here/ {
            set $flag $where;
            rewrite     ^/here/(.*)$ /there/$1 break;
            recovery    mixed;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /absent/ {
            recovery    absent;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /user/ {
            recovery    user;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /class/ {
            recovery        uri;
            recovery_class  low;
            proxy_pass      http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

my @x = (headers => { 'X-Absent' => 'yes' });
my $long = 'x' x 600;

my @rows = (
    ['/x', {}, 'normal', 'no rule'],
    ['/there/x', {}, 'critical', 'a rule on $uri'],
    ['/old/x', {}, 'critical', '$uri is what it was rewritten to'],
    ['/old/x.php', {}, 'critical', 'the first rule of two'],
    ['/x.php', {}, 'high', 'at the end'],
    ['/x.php?y=.html', {}, 'high', 'arguments are none of $uri'],
    ['/%78.p%68p', {}, 'high', '$uri is unescaped'],
    ['/x.php%0a', {}, 'high', 'a line feed behind "$"'],
    ['/x.php%0a%0a', {}, 'normal', 'but not two'],
    ["/$long.php", {}, 'high', 'a long value'],
    ["/$long.phq", {}, 'normal', 'a long one that does not match'],
    ['/aaaa', {}, 'low', 'a group repeated'],
    ['/f/bar', {}, 'low', 'a group left out'],
    ['/x', { method => 'POST', body => 'x' }, 'normal', 'with a body'],
    ['/x.php', { method => 'POST', body => 'x' }, 'high',
     'a rule with a body'],
    ['/shared/x.php', {}, 'high', 'a policy of two backends'],
    ['/shared/x', {}, 'normal', 'and no rule'],
    ['/class/x', {}, 'low', 'recovery_class'],
    ['/class/x.php', {}, 'low', 'is before the rules'],
    ['/mixed/x', {}, 'normal', 'no rule of several strings'],
    ['/mixed/x', { @x }, 'critical', 'a header'],
    ['/mixed/x', { headers => { 'X-Absent' => 'no' } }, 'high',
     'another value of it'],
    ['/mixed/x?flag=1', {}, 'low', 'a variable that was set'],
    ['/mixed/doc', {}, 'critical', '$document_uri'],
    ['/here/x', {}, 'high', 'what is volatile is asked anew'],
    ['/here/low', {}, 'low', 'and $uri as well'],
    ['/absent/x', {}, 'critical', 'an absent header is empty'],
    ['/absent/x', { headers => { 'X-Absent' => '' } }, 'critical',
     'as an empty one'],
    ['/absent/x', { @x }, 'low', 'and a header is not'],
    ['/absent/uri', {}, 'high', 'a rule before it'],
    ['/user/x', {}, 'normal', 'a user who is absent'],
    ['/user/high', {}, 'high', 'and a rule'],
);

$t->plan(@rows + 3);
$t->run();

my %offered;

for my $row (@rows) {
    my ($uri, $o, $class, $label) = @$row;
    is($t->http_get($uri, %$o)->{headers}{'x-class'}, $class, $label);

    my ($backend) = $uri =~ m{^/(shared|mixed|absent|user)/};
    $backend //= $uri =~ m{^/here/} ? 'mixed' : 'uri';
    $offered{$backend}{$class}++;
}

# each was counted once, and in the class that it was told

is(join(' ', map { my $name = $_; map { "$name:$_->{name}:$_->{offered}" }
                   grep { $_->{offered} }
                   @{$t->backend_status($name)->{classes}} }
        qw(uri shared mixed absent user)),
   join(' ', map { my $name = $_; map { "$name:$_:$offered{$name}{$_}" }
                   grep { $offered{$name}{$_} } qw(critical high normal low) }
        qw(uri shared mixed absent user)),
   'counted by class');

sub limits {
    return $t->metrics()->value('nginx_recovery_undecided_total',
                                reason => 'pattern_limit') // 0;
}

is(limits(), 0, 'no bound was hit');

$t->http_get('/' . 'a' x 60 . 'b');
is(limits(), 1, 'one that is hit counts, whatever the string ends with');
