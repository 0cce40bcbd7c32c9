#!/usr/bin/perl

# Goal: a Prometheus as Debian has it scrapes a node, loads the rules and
# answers during an outage and the ramp after it; its alerts come and go with
# them, and every panel of the dashboard has something to show.
# Method: constant load on a real node, one backend with a fast ramp; queries
# to the HTTP interface of Prometheus, compared with the status of the node.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;
use Test::Recovery::PromServer;
use Test::Recovery::Promql;

plan(skip_all => 'prometheus is not installed') unless have('prometheus');

my $t = Test::Recovery->new()->plan(30);
my $dashboard = $t->root() . '/dashboard';
my $b = $t->backend(8081, delay => 0.005);

$t->redis_start();
$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_state_file  %%TESTDIR%%/state;
    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_policy   p { ramp from=2% double=2s verify=1s; }
    recovery_backend  kv { policy p; capacity 500r/s; }

    # always at its quota: it has a ceiling, and its class is cut
    recovery_policy   c  { cohort $arg_user; }
    recovery_backend  co { policy c; quota 10r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /co {
            recovery    co;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /recovery/metrics { recovery_status prometheus; }
    }
}

EOF2

$t->run();

# a "for" of minutes is none here: alerts.t has them

my @rules = map {
    my $file = "$_.rules.yml";
    open my $fh, '<', "$dashboard/$file" or die "$file: $!\n";
    my $text = do { local $/; <$fh> };
    $text =~ s/^ +for: .*\n//mg;
    $t->write_file($file, $text);
} qw(recording alerts);

my $load = $t->load(rate => 60, uris => ['/'], timeout => 30);
my $users = $t->load(rate => 40, timeout => 30,
                     uris => [map { "/co?user=$_" } 1 .. 8]);
my $p = Test::Recovery::PromServer->new($t,
    targets => ['127.0.0.1:' . $t->port(8080)], path => '/recovery/metrics',
    interval => '250ms', rules => \@rules);


sub until_value {
    my ($expr, $re) = @_;
    return $t->wait_for(sub { ($p->value($expr) // '') =~ $re }, $expr, 60);
}


sub phase {
    return until_value("nginx_recovery_phase{backend='kv',phase='$_[0]'}",
                       qr/^1$/);
}


sub firing {
    my ($alert, $n) = @_;
    return until_value("count(ALERTS{alertname='NginxRecovery$alert',"
                       . "alertstate='firing'}) or vector(0)", qr/^$n$/);
}


# up

ok(until_value('up', qr/^1$/), 'the scrape works');
ok(phase('up'), 'up');
is($p->value('count(nginx_recovery_phase{backend="kv"})'), 6, 'six phases');
is($p->value('nginx_recovery_allowed_requests_per_second{backend="kv"}'),
   '+Inf', 'no limit is +Inf');
ok(until_value('backend:nginx_recovery_level_ratio:min{backend="kv"}', qr/^1$/),
   'a rule makes that 1');
ok(until_value('sum(rate(nginx_recovery_requests_total{backend="kv"}[10s]))',
               qr/^[1-9]\d/),
   'demand');
ok(firing('BackendDown', 0), 'no alert');
is_deeply($p->query('nginx_recovery_magic'), [], 'a name that is not there');
is($p->query('sum('), undef, 'an expression that is none');

# the rules are loaded and all of them can be computed

my $groups = ($p->get('/api/v1/rules') // {})->{groups} // [];
my @loaded = map { @{$_->{rules}} } @$groups;

cmp_ok(scalar @loaded, '>=', 20, 'rules');
ok($t->wait_for(sub {
    my $data = $p->get('/api/v1/rules') // return 0;
    my @all = map { @{$_->{rules}} } @{$data->{groups}};
    @all && !grep { $_->{health} ne 'ok' } @all;
}, 'rules to be computed', 60), 'each is healthy');

# down

$t->health('kv', 'down');
ok(phase('down'), 'down');
ok(firing('BackendDown', 1), 'alert: down');
ok(until_value('backend_class:nginx_recovery_shed:ratio_rate5m{backend="kv"}',
               qr/^0\.\d/),
   'the part that is shed');
is($p->value('nginx_recovery_level_ratio{backend="kv"}'), 0, 'level');

my ($alert) = grep { $_->{labels}{alertname} eq 'NginxRecoveryBackendDown' }
              @{($p->get('/api/v1/alerts') // {})->{alerts} // []};

is($alert->{annotations}{summary}, 'Backend kv is down for 1 nginx.',
   'its summary');

# the way back

$t->health('kv', 'up');
ok(phase('ramping'), 'ramping');

# held while all panels are asked for, however long that takes

$t->redis('HSET', 'recovery:kv', 'force', 'hold');
$t->redis('PUBLISH', 'recovery:changed', 'kv');
ok(until_value('nginx_recovery_force{backend="kv",force="hold"}',
               qr/^1$/), 'held');

my @empty = map {
    my ($title, @exprs) = @$_;
    map { my $expr = expanded($_);
          my $result = $p->query($expr);
          $result && @$result ? () : "$title: $expr "
                                     . ($p->{error} // 'has no data') } @exprs;
} panels(do {
    open my $fh, '<', "$dashboard/grafana.json" or die "grafana.json: $!\n";
    local $/;
    decode_json(<$fh>);
});

ok(!@empty, 'each panel of the dashboard has data during a ramp')
    or diag(join "\n", @empty);
is($t->backend_status('kv')->{phase}, 'ramping', 'it still was one');

ok(firing('BackendDown', 0), 'the alert is over');
$t->redis('HDEL', 'recovery:kv', 'force');
$t->redis('PUBLISH', 'recovery:changed', 'kv');
ok(phase('up'), 'up again');

# what was seen meanwhile: the level rose, and through the phases

my $rose = $p->query('nginx_recovery_level_ratio{backend="kv"}[5m]') // [];
my %level = map { $_->[1] => 1 } map { @{$_->{values}} } @$rose;

cmp_ok(scalar(grep { /^0\.\d/ } keys %level), '>', 3, 'levels of the ramp');
is($p->value('max_over_time(nginx_recovery_phase'
             . '{backend="kv",phase="ramping"}[5m])'), 1,
   'the ramp is in the history');

# orders

$t->redis('HSET', 'recovery:kv', 'force', 'open', 'force_until', time() + 600);
$t->redis('PUBLISH', 'recovery:changed', 'kv');
ok(firing('ForceOpen', 1), 'alert: forced open');
$t->redis('HDEL', 'recovery:kv', 'force', 'force_until');
$t->redis('PUBLISH', 'recovery:changed', 'kv');
ok(firing('ForceOpen', 0), 'and over');

$t->redis('HSET', 'recovery:kv', 'health', 'splendid');
$t->redis('PUBLISH', 'recovery:changed', 'kv');
ok(firing('BadValues', 1), 'alert: a bad value');

# Redis, and the node

$t->redis_stop();
ok(firing('RedisDown', 1), 'alert: Redis');

$_->stop() for $load, $users;
$t->stop();
ok(firing('NodeLost', 1), 'alert: the node is gone');
ok($p->stop(), 'Prometheus ends');
