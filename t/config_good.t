#!/usr/bin/perl

# Goal: every directive, every line of a policy and of a backend and every
# form of their values that the documentation names is accepted by nginx -t.
# Method: one configuration for each form, so that a refusal names its form.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Certs;
use Test::Recovery::Config;

my @forms = (

    # shared memory

    [http => 'recovery_zone recovery:2m;'],
    [http => 'recovery_zone gate:512k;'],
    [http => 'recovery_zone gate:16m;'],

    # Redis

    [http => 'recovery_redis redis://127.0.0.1:6379;'],
    [http => 'recovery_redis redis://127.0.0.1;'],
    [http => 'recovery_redis redis://127.0.0.1:6379/3;'],
    [http => 'recovery_redis redis://localhost:6379;'],
    [http => 'recovery_redis redis://[::1]:6379;'],
    [http => 'recovery_redis unix:/var/run/redis.sock;'],
    [http => 'recovery_redis redis://127.0.0.1:1 redis://127.0.0.1:2'
             . ' unix:/x.sock;'],
    [http => 'recovery_redis redis://127.0.0.1 prefix=gate: poll=500ms'
             . ' timeout=2s;'],
    [http => 'recovery_redis redis://127.0.0.1 "prefix=r:{prod}:";'],
    [http => 'recovery_redis redis://127.0.0.1 node=Edge-1.example_net;'],
    [http => 'recovery_redis redis://127.0.0.1 node=' . 'n' x 63 . ';'],
    [http => 'recovery_redis redis://127.0.0.1'
             . ' password_file=%%TESTDIR%%/password;'],
    [http => 'recovery_redis redis://gate@127.0.0.1:6379/0'
             . ' password_file=%%TESTDIR%%/password;'],

    [http => 'recovery_redis rediss://127.0.0.1;'],
    [http => 'recovery_redis rediss://gate@localhost:6380/1 tls_verify=off'
             . ' password_file=%%TESTDIR%%/password;'],
    [http => 'recovery_redis rediss://[::1]:6380 redis://127.0.0.1'
             . ' tls_verify=on tls_ca=%%TESTDIR%%/ca.crt'
             . ' tls_cert=%%TESTDIR%%/ca.crt tls_key=%%TESTDIR%%/ca.key;'],

    [http => "recovery_redis redis://127.0.0.1:26379/2 redis://127.0.0.2/2"
             . ' sentinel=main;'],
    [http => 'recovery_redis rediss://gate@127.0.0.1:26379 sentinel=a.b-c'
             . ' password_file=%%TESTDIR%%/password sentinel_user=s'
             . ' sentinel_password_file=%%TESTDIR%%/password;'],
    [http => "resolver 127.0.0.1;\n"
             . 'recovery_redis redis://no.such.host.invalid;'],
    [http => "recovery_redis redis://no.such.host.invalid redis://localhost;\n"
             . 'resolver 127.0.0.1;'],

    # policy: nothing is required

    [http => 'recovery_policy x { }'],
    [http => "recovery_policy x { }\nrecovery_policy y { }"],

    # the example of the documentation

    [http => <<'EOF2', 'the example'],
recovery_policy cold-cache {
    ramp      from=2% double=1s;
    feedback  errors=2% latency=2x;
    class     critical reserve=20%;
    class     high;
    class     normal   default;
    class     low;
    match     critical $uri ~ ^/(login|token)(/|$);
    match     low      $request_method ~ ^(PUT|DELETE)$;
    match     high     $http_x_priority = high;
    trust     10.0.0.0/8;
    cohort    $cookie_session$binary_remote_addr;
    retries   $http_x_retry_attempt ~ ^[1-9] budget=10%;
    shed      status=503 retry_after=1s..60s;
    when      down   probe=1%;
    when      signal_lost hold=30s then=keep;
}
recovery_backend d1 {
    policy   cold-cache;
    capacity 2000r/s;
    quota    5000r/s;
    initial  up;
}
EOF2

    [policy => 'ramp from=1%;'],
    [policy => 'ramp double=500ms;'],
    [policy => 'ramp from=10% double=2s verify=5m;'],
    [policy => 'ramp over=120s;'],
    [policy => 'ramp from=5% over=2m verify=0s;'],
    [policy => 'ramp steps=5%:30s,25%:60s,100%;'],
    [policy => 'feedback off;'],
    [policy => 'feedback errors=5%;'],
    [policy => 'feedback latency=3x;'],
    [policy => 'feedback latency=1.5x errors=0.5%;'],
    [policy => 'class only;'],
    [policy => "class a reserve=50%;\nclass b reserve=49%;\nclass c;"],
    [policy => "class a default;\nclass b;"],
    [policy => join("\n", map({ "class c$_ reserve=1%;" } 1 .. 15),
                    'class c16;'), 'sixteen classes'],
    [policy => 'match critical $uri = /login;'],
    [policy => 'match critical $uri ~ ^/a;'],
    [policy => 'match low $uri ~* \.(JPG|png)$;'],
    [policy => 'match low "$http_a $arg_b" = "x y";'],
    [policy => 'match low $uri ~ "^/[a-z]{2,3}/";'],
    [policy => 'trust 10.0.0.0/8;'],
    [policy => 'trust 127.0.0.1;'],
    [policy => 'trust 10.0.0.0/8 192.168.0.0/16;'],
    [policy => "trust 10.0.0.0/8;\ntrust ::1;\ntrust 2001:db8::/32;"],
    [policy => 'cohort $remote_addr;'],
    [policy => 'retries $http_x_retry_attempt ~ ^[1-9] budget=10%;'],
    [policy => 'retries $http_x_retry = 1 budget=5%;'],
    [policy => 'shed status=429;'],
    [policy => 'shed retry_after=2s..5s;'],
    [policy => 'shed retry_after=5s..5s;'],
    [policy => 'when down shed;'],
    [policy => 'when down probe=2%;'],
    [policy => 'when down pass;'],
    [policy => 'when signal_lost hold=10s then=keep;'],
    [policy => 'when signal_lost hold=0s then=shed;'],
    [policy => 'when signal_lost then=pass;'],
    [policy => "when down pass;\nwhen signal_lost hold=5s;"],

    # backend

    [http => 'recovery_backend b { }'],
    [backend => 'policy p;'],
    [backend => 'capacity 2000r/s;'],
    [backend => 'capacity 30r/m;'],
    [backend => 'quota 100r/s;'],
    [backend => "quota 100r/s;\ncapacity 50r/s;"],
    [backend => 'initial up;'],
    [backend => 'initial down;'],
    [backend => 'initial probing;'],
    [http => "recovery_backend b { policy later; }\n"
             . 'recovery_policy later { }', 'a policy after its backend'],

    # requests

    [location => 'recovery kv;'],
    [location => 'recovery off;'],
    [server => 'recovery kv;'],
    [http => "recovery kv d1;\nrecovery_backend d1 { }"],
    [http => "server { listen 127.0.0.1:%%PORT_8082%%; recovery later; }\n"
             . 'recovery_backend later { }', 'a backend after its location'],
    [server => 'location /if { if ($arg_x) { recovery kv; } }'],
    [upstream => 'recovery kv;'],
    [upstream => 'recovery off;'],
    [upstream => "recovery kv;\nkeepalive 4;\nleast_conn;"],
    [upstream => "hash \$uri;\nzone u 64k;\nkeepalive 4;\nrecovery kv;"],
    [http => "upstream u {\nserver 127.0.0.1:1;\nrecovery later kv;\n}\n"
             . 'recovery_backend later { }', 'a backend after its upstream'],
    [http => 'recovery_class $arg_c;'],
    [server => 'recovery_class low;'],
    [location => 'recovery_class $http_a$uri;'],
    [http => 'recovery_cost 2;'],
    [server => 'recovery_cost 0.5;'],
    [location => 'recovery_cost $arg_n;'],
    [http => 'recovery_dry_run on;'],
    [server => 'recovery_dry_run off;'],
    [location => "recovery kv;\nrecovery_dry_run on;"],

    (map { [http => "recovery_log_level $_;"] }
     qw(info notice warn error)),

    [server => 'recovery_log_level notice;'],
    [location => 'recovery_log_level notice;'],
    [location => 'recovery_status;'],
    [location => 'recovery_status json;'],
    [location => 'recovery_status prometheus;'],
    [location => 'recovery_status html;'],
);

my $t = Test::Recovery->new();

$t->plan(scalar @forms + 3);
$t->write_file('password', "secret\n");
Test::Recovery::Certs->new($t)->ca('ca');

good($t, @$_) for @forms;

# nothing is read, checked and then without effect

my $conf = <<'EOF2';
%%TEST_GLOBALS%%
events { }
http {
    %%TEST_GLOBALS_HTTP%%
    recovery_policy p {
        cohort  $remote_addr;
        retries $http_x_retry = 1 budget=5%;
    }
    recovery_backend kv { policy p; }
}
EOF2

my ($code, $err) = $t->config_test($conf);

is($code, 0, 'cohort and retries pass');
unlike($err, qr/\[warn\]/, 'and have an effect');

# no backend before it has made the built-in policy

$conf =~ s/policy p;/policy default;/;
($code, $err) = $t->config_test($conf);

is($code, 0, 'policy default, built in') or diag($err);
