#!/usr/bin/perl

# Goal: every wrong value, duplicate, unknown name or impossible combination
# outside a policy is refused by nginx -t, with the file, the line, the word
# that is wrong and what is allowed instead.
# Method: a table of one fault a row; config_bad_policy.t has the policies.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Config;

my $ALLOWED = qr/must|expected|allowed|known are|it takes|supported/i;

sub says {
    my ($word) = @_;
    return qr/(?=.*"[^"]*\Q$word\E[^"]*")(?=.*$ALLOWED)/;
}

my $TWICE = qr/duplicate|twice|already/i;
my $MISSING = qr/must|expected|allowed|missing|number of arguments/i;
my $HERE = qr/not allowed here/;
my $OK = 'redis://127.0.0.1';
my $TLS = 'rediss://127.0.0.1';

my @faults = (

    # recovery_zone

    [http => 'recovery_zone;', $MISSING],
    [http => 'recovery_zone a:1m b:1m;', $MISSING],
    [http => 'recovery_zone a;', says('a')],
    [http => 'recovery_zone :2m;', says(':2m')],
    [http => 'recovery_zone a:;', says('a:')],
    [http => 'recovery_zone a:big;', says('a:big')],
    [http => 'recovery_zone a:0;', qr/"a:0"|too small/],
    [http => 'recovery_zone a:8k;', qr/too small.*(?:\d|least)|must.*least/],
    [http => 'recovery_zone a:-1m;', says('a:-1m')],
    [http => "recovery_zone a:1m;\nrecovery_zone b:1m;", $TWICE],
    [http => "recovery_zone small:64k;\n"
             . join("\n", map { "recovery_backend b$_ { }" } 1 .. 2000),
     qr/small.*(?:\d+k|\d+m|\d+ bytes|least)|must.*least/i,
     'a zone too small for its backends'],
    [server => 'recovery_zone a:1m;', $HERE],
    [location => 'recovery_zone a:1m;', $HERE],

    # recovery_redis

    [http => 'recovery_redis;', $MISSING],
    [http => 'recovery_redis poll=1s;', qr/URI|redis:\/\//],
    [http => 'recovery_redis 127.0.0.1:6379;', says('127.0.0.1')],
    [http => 'recovery_redis http://127.0.0.1;', says('http://127.0.0.1')],
    [http => 'recovery_redis redis://;', says('redis://')],
    [http => 'recovery_redis redis://127.0.0.1:0;', says('127.0.0.1:0')],
    [http => 'recovery_redis redis://127.0.0.1:99999;', says('99999')],
    [http => 'recovery_redis redis://127.0.0.1:abc;', says('abc')],
    [http => 'recovery_redis redis://127.0.0.1:6379/x;', says('/x')],
    [http => 'recovery_redis redis://127.0.0.1:6379/-1;', says('/-1')],
    [http => 'recovery_redis redis://[::1:6379;', says('[::1:6379')],
    [http => 'recovery_redis redis://user:secret@127.0.0.1;',
     qr/password_file/],
    [http => 'recovery_redis redis://no.such.host.invalid;',
     qr/no\.such\.host\.invalid/],
    [http => 'recovery_redis unix:;', says('unix:')],
    [http => 'recovery_redis unix:/' . 'x' x 200 . ';',
     qr/long|must|allowed/, 'a unix socket with a long path'],
    [http => 'recovery_redis redis://gate@127.0.0.1;', qr/password_file/],
    [http => "recovery_redis $OK;\nrecovery_redis $OK;", $TWICE],
    [http => "recovery_redis $OK foo=1;", says('foo')],
    [http => "recovery_redis $OK poll=0;", says('0')],
    [http => "recovery_redis $OK poll=often;", says('often')],
    [http => "recovery_redis $OK poll=1s poll=2s;", $TWICE],
    [http => "recovery_redis $OK timeout=0s;", says('0s')],
    [http => "recovery_redis $OK timeout=x;", says('x')],
    [http => "recovery_redis $OK timeout=1s timeout=1s;", $TWICE],
    [http => "recovery_redis $OK prefix=;", qr/prefix/],
    [http => "recovery_redis $OK prefix=a: prefix=b:;", $TWICE],
    [http => "recovery_redis $OK node=;", says('node=')],
    [http => "recovery_redis $OK node=a:b;", says('node=a:b')],
    [http => "recovery_redis $OK node=-a;", says('node=-a')],
    [http => "recovery_redis $OK node=\$hostname;", says('node=$hostname')],
    [http => "recovery_redis $OK node=" . 'n' x 64 . ';', says('n' x 64)],
    [http => "recovery_redis $OK node=a node=b;", $TWICE],
    [http => "recovery_redis $OK password_file=%%TESTDIR%%/none;",
     qr/none.*No such file/],
    [http => "recovery_redis $OK password_file=%%TESTDIR%%/empty;",
     qr/empty/],
    [http => "recovery_redis $OK password_file=;", qr/password_file/],
    [http => "recovery_redis $OK tls_ca=/x;", qr/rediss:.*must/],
    [http => "recovery_redis $OK tls_verify=off;", qr/rediss:.*must/],
    [http => "recovery_redis $TLS tls_verify=maybe;",
     qr/"tls_verify=maybe".*"on" or "off"/],
    [http => "recovery_redis $TLS tls_verify=on tls_verify=off;", $TWICE],
    [http => "recovery_redis $TLS tls_ca=;", qr/"tls_ca=" must/],
    [http => "recovery_redis $TLS tls_ca=/none;", qr/"tls_ca=\/none".*must/],
    [http => "recovery_redis $TLS tls_ca=%%TESTDIR%%/empty;",
     qr/"tls_ca=[^"]*empty".*must/],
    [http => "recovery_redis $TLS tls_cert=/none;", qr/tls_key=.*together/],
    [http => "recovery_redis $TLS tls_key=/none;", qr/tls_cert=.*together/],
    [http => "recovery_redis $TLS tls_cert=/none tls_key=/none;",
     qr/"tls_cert=\/none" and "tls_key=\/none".*must/],
    [http => 'recovery_redis rediss://u:secret@127.0.0.1;',
     qr/password_file/],
    [http => 'recovery_redis rediss://;', says('rediss://')],
    [http => 'recovery_redis redisss://127.0.0.1;', qr/rediss:/],
    [http => "recovery_redis $OK sentinel=;", qr/"sentinel=".*must/],
    [http => "recovery_redis $OK 'sentinel=a b';", says('a b')],
    [http => "recovery_redis $OK sentinel=" . 'x' x 129 . ';', qr/must/],
    [http => "recovery_redis $OK sentinel=a sentinel=b;", $TWICE],
    [http => 'recovery_redis unix:/x sentinel=a;', qr/must be "redis:/],
    [http => "recovery_redis $OK $TLS sentinel=a;", qr/must have the same/],
    [http => "recovery_redis $OK/1 $OK/2 sentinel=a;",
     qr/must have the same/],
    [http => "recovery_redis $OK sentinel_user=u;", qr/"sentinel=" must/],
    [http => "recovery_redis $OK sentinel=a sentinel_user=u;",
     qr/"sentinel_password_file="/],
    [http => "recovery_redis $OK sentinel=a sentinel_password_file=;",
     qr/"sentinel_password_file=" must/],
    [http => "recovery_redis $OK"
             . ' sentinel_password_file=%%TESTDIR%%/password;',
     qr/"sentinel=" must/],
    [server => "recovery_redis $OK;", $HERE],

    # recovery_backend

    [http => 'recovery_backend;', qr/opening "\{"/],
    [http => 'recovery_backend { }', $MISSING],
    [http => 'recovery_backend a b { }', $MISSING],
    [http => 'recovery_backend "a b" { }', says('a b')],
    [http => 'recovery_backend off { }', says('off')],
    [http => 'recovery_backend audit { }', says('audit')],
    [http => 'recovery_backend nodes { }', says('nodes')],
    [http => 'recovery_backend node:x { }', says('node:x')],
    [http => "recovery_backend a { }\nrecovery_backend a { }",
     qr/\ba".*$TWICE|$TWICE.*"a"/],
    [server => 'recovery_backend a { }', $HERE],
    [backend => 'foo 1;', says('foo')],
    [backend => 'policy;', $MISSING],
    [backend => 'policy p p;', $MISSING],
    [backend => 'policy none;', qr/(?=.*unknown.*"none")(?=.*"p")/],
    [backend => "policy p;\npolicy p;", $TWICE],
    [backend => 'capacity;', $MISSING],
    [backend => 'capacity 2000;', says('2000')],
    [backend => 'capacity 0r/s;', says('0r/s')],
    [backend => 'capacity -5r/s;', says('-5r/s')],
    [backend => 'capacity 5r/h;', says('5r/h')],
    [backend => 'capacity 5x/s;', says('5x/s')],
    [backend => 'capacity 99999999999999999999r/s;',
     says('99999999999999999999r/s')],
    [backend => 'capacity 1r/s 2r/s;', $MISSING],
    [backend => "capacity 1r/s;\ncapacity 1r/s;", $TWICE],
    [backend => 'quota;', $MISSING],
    [backend => 'quota lots;', says('lots')],
    [backend => 'quota 0r/s;', says('0r/s')],
    [backend => "quota 1r/s;\nquota 2r/s;", $TWICE],
    [backend => 'initial;', $MISSING],
    [backend => 'initial maybe;', says('maybe')],
    [backend => 'initial ramping;', says('ramping')],
    [backend => "initial up;\ninitial up;", $TWICE],

    # recovery

    [location => 'recovery;', $MISSING],
    [location => 'recovery none;', qr/(?=.*unknown.*"none")(?=.*"kv")/],
    [location => 'recovery kv none;', qr/unknown.*"none"/],
    [location => 'recovery kv kv;', qr/"kv".*$TWICE|$TWICE.*"kv"/],
    [location => 'recovery kv off;', qr/off/],
    [location => 'recovery off kv;', qr/off/],
    [location => "recovery kv;\nrecovery kv;", $TWICE],
    [server => "recovery off;\nrecovery off;", $TWICE],
    [main => 'recovery kv;', $HERE],
    [location => 'recovery $backend;', says('$backend')],

    # recovery in upstream {}

    [upstream => 'recovery;', $MISSING],
    [upstream => 'recovery none;', qr/(?=.*unknown.*"none")(?=.*"kv")/],
    [upstream => 'recovery kv none;', qr/unknown.*"none"/],
    [upstream => 'recovery kv kv;', qr/"kv".*$TWICE|$TWICE.*"kv"/],
    [upstream => 'recovery kv off;', qr/off/],
    [upstream => "recovery kv;\nrecovery kv;", $TWICE],
    [upstream => "recovery off;\nrecovery kv;", $TWICE],
    [upstream => 'recovery $backend;', says('$backend')],
    [upstream => 'recovery ' . join(' ', map { "b$_" } 1 .. 9) . ';',
     qr/9 backends.*at most 8/],
    [upstream => 'recovery_class low;', $HERE],
    [upstream => 'recovery_cost 2;', $HERE],
    [upstream => 'recovery_dry_run on;', $HERE],

    # recovery_class

    [location => 'recovery_class;', $MISSING],
    [location => 'recovery_class a b;', $MISSING],
    [location => "recovery kv;\nrecovery_class vip;", says('vip')],
    [location => 'recovery_class $nosuchvariable;',
     qr/unknown.*nosuchvariable/],
    [location => "recovery_class a;\nrecovery_class b;", $TWICE],

    # recovery_cost

    [location => 'recovery_cost;', $MISSING],
    [location => 'recovery_cost 1 2;', $MISSING],
    [location => 'recovery_cost cheap;', says('cheap')],
    [location => 'recovery_cost -1;', says('-1')],
    [location => 'recovery_cost 99999999999;', says('99999999999')],
    [location => 'recovery_cost $nosuchvariable;',
     qr/unknown.*nosuchvariable/],
    [location => "recovery_cost 1;\nrecovery_cost 2;", $TWICE],

    # recovery_dry_run, recovery_log_level

    [location => 'recovery_dry_run;', $MISSING],
    [location => 'recovery_dry_run maybe;',
     qr/"maybe".*must be "on" or "off"/],
    [location => "recovery_dry_run on;\nrecovery_dry_run on;", $TWICE],
    [location => 'recovery_log_level;', $MISSING],
    [location => 'recovery_log_level loud;', qr/"loud"/],
    [location => "recovery_log_level warn;\nrecovery_log_level warn;",
     $TWICE],

    # recovery_status

    [location => 'recovery_status xml;', says('xml')],
    [location => 'recovery_status json html;', $MISSING],
    [location => "recovery_status;\nrecovery_status;", $TWICE],
    [server => 'recovery_status;', $HERE],
    [http => 'recovery_status;', $HERE],
);

my $t = Test::Recovery->new();

$t->plan(scalar @faults);
$t->write_file('empty', '');
$t->write_file('password', "secret\n");
$t->allow(qr/\[emerg\].*"small"/);

bad($t, @$_) for @faults;
