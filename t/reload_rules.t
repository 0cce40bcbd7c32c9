#!/usr/bin/perl

# Goal: cohort, retries and class lines may come, go and change by a reload
# in the middle of a ramp: what is in force is what is written, a cut of a
# class that is gone does no harm, nothing is leaked, and users send what they
# like.
# Method: one ramp under load, a reload for each row, also into another zone;
# two backends in one location, of which only one has such lines.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new();

$t->backend(8081);
$t->redis_start();

my $many = join(' ', map { "class c$_" . ($_ == 3 ? ' default;' : ';') }
                     1 .. 16)
           . join(' ', map { "match c$_ \$uri ~ /c$_\$;" } 1 .. 16);

# the lines; are there cuts, and is there a budget?

my @rows = (
    ["$many cohort \$cookie_s; retries \$http_x_retry = 1 budget=1%;", 1, 1],
    ['class a; class b default; cohort $arg_user;',                    1, 0],
    ['class only; retries $http_x_retry = 1 budget=1%;',               0, 1],
    ['class only; cohort $http_cookie;',                               1, 0],
    ["$many retries \$arg_user ~ . budget=1%;",                        0, 1],
    ["$many cohort \$cookie_s\$arg_user;",                             1, 0],
);

$t->plan(3 + 4 * @rows);


sub conf {
    my ($lines, $zone) = @_;

    $t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    large_client_header_buffers  4 80k;

    recovery_redis  redis://127.0.0.1:%%PORT_6379%%;
    recovery_zone   $zone;

    recovery_policy  rules { ramp from=5% over=1h; $lines }
    recovery_policy  plain { ramp from=50% over=1h; class x; class y default; }

    recovery_backend  kv    { policy rules; capacity 400r/s; }
    recovery_backend  other { policy plain; capacity 400r/s; }

    upstream u { server 127.0.0.1:%%PORT_8081%%; recovery kv other; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        proxy_set_header  Cookie "";

        location /      { recovery kv;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /both  { recovery kv other;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /rev   { recovery other kv;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /up    { recovery off; proxy_pass http://u; }
    }
}

EOF2
}


sub cuts {
    return grep { defined $_->{cut_cohort} }
           @{$t->backend_status('kv')->{classes}};
}


sub offered {
    my $n = 0;

    $n += $_->{offered} for @{$t->backend_status('kv')->{classes}};
    return $n;
}


sub budget_shed {
    my $metrics = $t->metrics();
    my $n = 0;

    for my $c (@{$t->backend_status('kv')->{classes}}) {
        $n += $metrics->value('nginx_recovery_shed_total', backend => 'kv',
                              class => $c->{name},
                              reason => 'retry_budget') // 0;
    }

    return $n;
}


conf($rows[0][0], 'a:2m');
$t->run();

for my $name (qw(kv other)) {
    $t->health($name, 'down');
    ok($t->wait_phase($name, 'down'), "$name: down");
    $t->health($name, 'up');
}

my @uris = map { my $p = $_; map { "$p/c$_?user=u$_" } 1 .. 16 }
           ('', '/both', '/rev', '/up');
my @load = map { $t->load(rate => 60, timeout => 10, uris => \@uris, %$_) }
           { headers => { Cookie => 's=a' } },
           { headers => { Cookie => 's=b', 'X-Retry' => 1 } };

ok($t->wait_phase('kv', 'ramping', 60), 'ramping');

my @cookies = ('s=' . 'x' x 60_000, "s=\xff\xfe\x80\x01", '', 's', 's=',
               ';;;=;', 'x' x 60_000);
my $n = 0;

for my $row (@rows) {
    my ($lines, $cut, $budget) = @$row;
    my $name = 'row ' . ++$n;

    conf($lines, $n == 4 ? 'a:3m' : $n == 6 ? 'b:2m' : 'a:2m');
    ok($t->reload(), "$name: reload");

    ok($t->wait_for(sub { $cut ? cuts() : !cuts() }), "$name: "
       . ($cut ? 'a cut' : 'no cut'));

    my ($before, $offered) = (budget_shed(), offered());

    $t->wait_for(sub { $budget ? budget_shed() > $before
                               : offered() > $offered + 100 });
    is(budget_shed() > $before ? 1 : 0, $budget,
       "$name: retries are " . ($budget ? 'shed' : 'none of its business'));

    my @said = map { $t->http_get('/c1?user=x', headers => { Cookie => $_ }) }
               @cookies;
    is(scalar(grep { $_->{status} !~ /^(?:200|503)$/ } @said), 0,
       "$name: any cookie will do");
}

$_->stop() for @load;
