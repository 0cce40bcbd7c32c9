#!/usr/bin/perl

# Goal: what the rule knows for a retry is kept inside the budget's part of
# what is delivered; first attempts are untouched; a healthy service sheds
# none; what was taken for nothing comes back; and a reload keeps it all.
# What nginx repeats by itself counts too, in upstream {} and in a location.
# Method: a long ramp with room for all, so that the budget alone can shed;
# the same without the rule is the control.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;

my $t = Test::Recovery->new()->plan(49);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=100ms;

    recovery_policy budget {
        ramp     from=50% over=1h;
        retries  $http_x_retry ~ ^[1-9] budget=10%;
    }

    recovery_policy none { ramp from=50% over=1h; }

    recovery_policy one {
        class    normal;
        retries  $http_x_retry ~ ^[1-9] budget=10%;
    }

    recovery_policy plain { class normal; }

    recovery_backend  kv     { policy budget; capacity 1000r/s; }
    recovery_backend  free   { policy none;   capacity 1000r/s; }
    recovery_backend  small  { policy one;    capacity 1000r/s; }
    recovery_backend  hit    { policy one;    capacity 1000r/s; }
    recovery_backend  up     { policy one;    capacity 1000r/s; }
    recovery_backend  storm  { policy one; }
    recovery_backend  shut   { }
    recovery_backend  paid   { policy plain;  quota 1r/m; }
    recovery_backend  single { policy plain;  quota 1r/m; }

    upstream next  { server 127.0.0.1:%%PORT_8091%% max_fails=0;
                     server 127.0.0.1:%%PORT_8081%% backup; }
    upstream gated { server 127.0.0.1:%%PORT_8091%% max_fails=0;
                     server 127.0.0.1:%%PORT_8081%% backup;
                     recovery up; }

    add_header  X-Out "$recovery_outcome $recovery_reason" always;

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /kv     { recovery kv;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /free   { recovery free;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /small  { recovery small;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /storm  { recovery storm;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /both   { recovery small shut;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /dry    { recovery small; recovery_dry_run on;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /hit    { recovery hit;    proxy_pass http://next; }
        location /gated  { proxy_pass http://gated; }
        location /paid   { recovery paid;   proxy_pass http://next; }
        location /single { recovery single;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2

$t->run();

my %retry = (headers => { 'X-Retry' => 1 });

sub out {
    my ($uri, %o) = @_;
    my $r = $t->http_get($uri, %o);
    return "$r->{status} $r->{headers}{'x-out'}";
}

sub shed_total {
    my ($name, $reason) = @_;
    return $t->metrics()->value('nginx_recovery_shed_total',
                                backend => $name, class => 'normal',
                                reason => $reason) // 0;
}

# requests seen at the backend: all, and those that said they are retries

sub seen {
    my ($path) = @_;

    my @all = grep { $_->{path} =~ /^$path/ } @{$b->requests()};
    my @retries = grep { $_->{headers}{'x-retry'} } @all;

    return (scalar @all, scalar @retries);
}

# a healthy service: nothing is shed, though all are retries

ok($t->wait_for(sub { $t->status()->{redis}{state} eq 'connected' }),
   'connected');
is(scalar(grep { $_->{status} == 200 } $t->http_burst(100, '/kv', %retry)),
   100, 'up: all retries pass');

# a ramp with room for all: retries have their tenth

for my $name (qw(kv free)) {
    $t->health($name, 'down');
    ok($t->wait_phase($name, 'down'), "$name: down");
    $t->health($name, 'recovering');
    ok($t->wait_phase($name, 'probing'), "$name: probing");
}

my @first = map { $t->load(rate => 100, uris => ["/$_"]) } qw(kv free);

for my $name (qw(kv free)) {
    ok($t->wait_phase($name, 'ramping'), "$name: ramping");
}

# what others shed in probing is not ours

my $before = $t->class_status('kv', 'normal')->{shed};

$b->reset();

my $start = time();
my @again = map { $t->load(rate => 100, uris => ["/$_"], %retry) }
            qw(kv free);

ok($t->wait_for(sub { (seen('/kv'))[0] >= 250 }), 'some time');
ok($t->reload(), 'reload');
ok($t->wait_for(sub { (seen('/kv'))[0] >= 600 }), 'some time more');

my $took_s = time() - $start;
my @seen = seen('/kv');
my @free = seen('/free');

my $resent = (shift @again)->stop();
my @results = map { @{$_->stop()} } @first;

$_->stop() for @again;

# a tenth, what the bucket may hold, and a token a second at the least

cmp_ok($seen[1], '<=', $seen[0] / 10 + $seen[0] / 50 + $took_s + 15,
       'ramping: retries are kept in their tenth, over a reload too');
cmp_ok($seen[1], '>=', 5, 'ramping: some pass');
cmp_ok($free[1], '>', $free[0] / 4, 'control, no rule: they all pass');
is(shed_total('free', 'retry_budget'), 0, 'control: none is shed');

my $budget = shed_total('kv', 'retry_budget');

cmp_ok($budget, '>', 50, 'ramping: the reason is counted');

# the places in flight are few at first, and the load is never even

cmp_ok($t->class_status('kv', 'normal')->{shed} - $before - $budget, '<',
       $budget / 10, 'ramping: and next to nobody else is shed');

my @shed = grep { $_->{status} == 503 } @$resent;

cmp_ok(scalar @shed, '>', 50, 'ramping: the clients are told');
is(scalar(grep { $_->{headers}{'x-out'}
                 !~ /^shed (?:retry_budget|in_flight)$/ } @shed), 0,
   'ramping: why');
is(scalar(grep { ($_->{headers}{'retry-after'} // 0) < 1 } @shed), 0,
   'ramping: and when to come back');

is(scalar(grep { ($_->{headers}{'x-out'} // '') =~ /retry_budget/ }
          @results), 0, 'first attempts: no budget for them');

# who hides that it retries passes as without the rule

is(scalar(grep { out('/kv', headers => { 'X-Retry' => 0 }) =~ /^200/ }
          1 .. 20), 20, 'no retry by the rule: all pass');

# degraded is no quiet service: in force; one class, so the bucket holds one

for my $name (qw(small hit up)) {
    $t->health($name, '0.5');
    ok($t->wait_phase($name, 'degraded'), "$name: degraded");
}

$t->health('shut', 'down');
ok($t->wait_phase('shut', 'down'), 'shut: down');

# what another backend turns away has cost nothing

sub wait_token {
    my ($uri) = @_;
    return $t->wait_for(sub { out($uri, %retry) =~ /^200/ });
}

my @out = map { out('/both', %retry) } 1 .. 10;

is(scalar(grep { $_ ne '503 shed down' } @out), 0,
   'two backends: the other one sheds');
is(out('/small', %retry), '200 passed none', 'the token came back');

my $out;

ok($t->wait_for(sub {
    ($out = out('/small', %retry)) ne '200 passed none';
}), 'one is all there is');
is($out, '503 shed retry_budget', 'the budget is spent');
is(out('/small'), '200 passed none', 'a first attempt passes');

ok($t->wait_for(sub { out('/dry', %retry) eq
                      '200 shed_dry_run retry_budget' }),
   'dry run: would be shed');
ok(wait_token('/small'), 'a second later there is one again');

# what nginx repeats by itself

is(out('/single'), '200 passed none', 'control: one attempt');
is(out('/single'), '200 passed none', 'control: two are the quota');
is(out('/single'), '503 shed quota', 'control: and no third');
is(out('/paid'), '200 passed none', 'location: two attempts');
is(out('/paid'), '503 shed quota', 'location: are two of the quota');

ok(wait_token('/small'), 'control: a retry that is the first attempt');
ok($t->wait_for(sub { out('/hit') eq '200 passed none'
                      and out('/hit', %retry) eq '503 shed retry_budget' }),
   'location: a second attempt is a retry of the budget');

@out = map { out('/gated') } 1 .. 3;

is($out[0], '200 passed none', 'upstream: the second attempt takes a token');
like("@out[1, 2]", qr/503 shed retry_budget/,
     'upstream: without one it is shed');
cmp_ok(shed_total('up', 'retry_budget'), '>=', 1, 'upstream: counted');

# the end: calm in full service

my $load = $t->load(rate => 50, uris => ['/small']);

$t->health('small', 'up');
ok($t->wait_phase('small', qr/verifying|up/), 'small: full service');
ok($t->wait_for(sub {
    10 == grep { $_->{status} == 200 } $t->http_burst(10, '/small', %retry);
}, 'the budget ends', 40), 'calm: all retries pass again');
$load->stop();

# a storm begins in "up": with the first sign of trouble it meets the budget

my @storm = ($t->load(rate => 100, uris => ['/storm']),
             $t->load(rate => 50, uris => ['/storm'], %retry));

ok($t->wait_for(sub { $t->class_status('storm', 'normal')->{passed} > 300 }),
   'storm: all is well');
is($t->class_status('storm', 'normal')->{shed}, 0, 'storm: no retry is shed');

push @storm, $t->load(rate => 30, uris => ['/storm?status=500']);

ok($t->wait_for(sub { shed_total('storm', 'retry_budget') > 10 }),
   'storm: some fail, and retries are shed');
is($t->backend_status('storm')->{phase}, 'up', 'storm: while it is up');
$_->stop() for @storm;
