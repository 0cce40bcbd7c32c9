#!/usr/bin/perl

# Goal: "recovery_control" takes every order there is and refuses every other
# one, saying what is allowed; what it orders is in force when it answers, in
# every worker, with Redis dead, without any recovery_redis, over a reload and
# another size of the zone; and it ends by itself.
# Method: requests from outside, with two workers: which one gets an order and
# which one the next request is chance.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Order;

my $t = Test::Recovery->new();
my $b = $t->backend(8081);


sub configuration {
    my ($size) = @_;

    $t->write_file_expand('nginx.conf', <<"EOF2");

worker_processes 2;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_zone     recovery:$size;
    recovery_backend  kv { capacity 100r/s; }
    recovery_backend  d1 { capacity 100r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /control { recovery_control; }
        location = /recovery/control { recovery_control; }

        location = /file {
            recovery_control;
            client_body_in_file_only clean;
        }

        location = /small {
            recovery_control;
            client_body_buffer_size 16;
        }
    }
}

EOF2
}

configuration('1m');
$t->run();

sub kv { return $t->backend_status('kv') }

sub passed { return $t->http_get('/')->{status} }


# what is no order

my %json = ('Content-Type' => 'application/json');
my %mark = ('X-Recovery-Control' => '1');
my $good = '{"backend":"kv","action":"force","value":"closed","for":"10m"}';

my @refused = (
    ['PUT', 405, qr/POST/, method => 'PUT'],
    ['DELETE', 405, qr/POST/, method => 'DELETE'],
    ['no header', 403, qr/X-Recovery-Control: 1/, headers => {%json}],
    ['another header', 403, qr/X-Recovery-Control/,
     headers => {%json, 'X-Recovery-Control' => 'yes'}],
    ['a form', 403, qr/X-Recovery-Control/,
     headers => {'Content-Type' => 'text/plain'}],
    ['no type', 415, qr/application\/json/, headers => {%mark}],
    ['another type', 415, qr/application\/json/,
     headers => {%mark, 'Content-Type' => 'application/jsonp'}],
    ['too long', 413, qr/4096/, body => $good . ' ' x 4096],
    ['too long, without a length', 413, qr/4096/,
     headers => {%mark, %json, 'Transfer-Encoding' => 'chunked'},
     body => "2000\r\n" . $good . ' ' x (8192 - length $good)
             . "\r\n0\r\n\r\n"],
    ['empty', 400, qr/JSON/, body => ''],
    ['no JSON', 400, qr/JSON/, body => 'force=closed'],
    ['an array', 400, qr/object/, body => '[]'],
    ['deep', 400, qr/string or a number/, body => '{"a":' . '[' x 2000],
    ['NUL', 400, qr/control/, body => "{\"backend\":\"k\0v\"}"],
    ['another backend', 404, qr/no recovery_backend/,
     body => $good =~ s/kv/kw/r],
    ['no backend', 400, qr/"?backend/, body => '{"action":"clear"}'],
    ['unknown action', 400, qr/force, health, hold, resume, step-back/,
     body => $good =~ s/force/close/r],
    ['unknown member', 400, qr/allowed: backend, action, value/,
     body => $good =~ s/value/values/r],
    ['bad value', 400, qr/open.*closed.*hold/,
     body => $good =~ s/closed/shut/r],
    ['no end', 400, qr/for.*10m.*until/, body => $good =~ s/,"for.*/}/r],
    ['two ends', 400, qr/one of/,
     body => $good =~ s/}/,"until":1}/r],
    ['until the past', 400, qr/future/,
     body => $good =~ s/"for":"10m"/"until":1000000000/r],
    ['too long a time', 400, qr/30 days/, body => $good =~ s/10m/31d/r],
    ['unknown class', 400, qr/no class/,
     body => '{"backend":"kv","action":"promote","value":"x","for":"1m"}'],
    ['nothing to resume', 409, qr/no hold/,
     body => '{"backend":"kv","action":"resume"}'],
    ['unknown rule', 400, qr/failing/,
     body => $good =~ s/}/,"override_safety":"all"}/r],
);

my @verbs = (
    # label, order, status of a request then, in the answer
    ['closed', {action => 'force', value => 'closed', for => '10m'}, 503,
     'force.force' => 'closed', 'force.source' => 'local',
     allowed_per_s => 0],
    ['open', {action => 'force', value => 'open', for => 600}, 200,
     'force.force' => 'open', allowed_per_s => undef],
    ['a level', {action => 'force', value => '35%', for => '1h'}, 200,
     'force.force' => 'level', 'force.level' => 0.35, allowed_per_s => 35],
    ['0%', {action => 'force', value => '0%', for => '1h'}, 503,
     allowed_per_s => 0],
    ['force hold', {action => 'force', value => 'hold', for => '1h'}, 200,
     'force.force' => 'hold'],
    ['hold', {action => 'hold', until => time() + 600}, 200,
     'force.force' => 'hold', 'override.force' => 'hold'],
    ['resume', {action => 'resume'}, 200, force => undef, override => undef],
    ['down', {action => 'health', value => 'down', for => '10m'}, 503,
     phase => 'down', health => 'down', health_source => 'local',
     'override.health' => 'down'],
    ['recovering', {action => 'health', value => 'recovering', for => '10m'},
     undef, phase => 'probing', health => 'recovering'],
    ['clear', {action => 'clear'}, undef, override => undef],
    ['promote', {action => 'promote', for => '10m'}, undef,
     'override.class' => qr/^(?:critical|high|normal|low)$/],
    ['promote to', {action => 'promote', value => 'low', for => '10m'}, undef,
     'override.class' => 'low'],
    ['degraded', {action => 'health', value => 0.5, for => '10m'}, undef,
     'override.health_level' => 0.5, health => 'degraded'],
    ['step back', {action => 'step-back', for => '10m'}, undef,
     'force.force' => 'hold'],
    ['clear all', {action => 'clear'}, undef, override => undef,
     force => undef],
);

$t->plan(3 * @refused + 47);

for my $row (@refused) {
    my ($label, $status, $said, %o) = @$row;
    my $r = $t->http_get('/control', method => 'POST', body => $good,
                         headers => {%mark, %json}, %o);

    is($r->{status}, $status, "$label: $status");
    like(answer($r)->{error} // $r->{body}, $said, "$label: says why");
    is(kv()->{override}, undef, "$label: nothing is ordered");
}

# what is one

my $r = $t->http_get('/control');
is($r->{status}, 200, 'GET');
is_deeply(answer($r), {backends => {}}, 'GET: nothing is in force');

for my $row (@verbs) {
    my ($label, $order, $status, %shown) = @$row;

    my $r = order($t, 'kv', %$order, by => 'ann', reason => "for $label");

    is($r->{status} . ' ' . differs($r, %shown), '200 ', $label)
        or diag($r->{body});
    is(passed(), $status, "$label: obeyed at once") if defined $status;
}

# who, why, for how long; in the status, in both workers

$r = order($t, 'kv', action => 'force', value => 'closed', for => '10m',
           by => "an\"n", reason => "\x{e4} <b>\n" . 'x' x 100);
is($r->{status}, 200, 'closed again');
is(answer($r)->{force}{by}, 'an"n', 'who');
like(answer($r)->{force}{reason}, qr/^\x{e4} <b> x{50,}$/, 'why, cut');
ok(answer($r)->{force}{until_s} > 590, 'for how long');
is_deeply(kv()->{force}, answer($r)->{force}, 'status shows the same');
is(answer($t->http_get('/control'))->{backends}{kv}{force}{force}, 'closed',
   'GET shows it');
is($t->backend_status('d1')->{force}, undef, 'nothing at the other backend');
is($t->metrics()->value('nginx_recovery_override_in_force', backend => 'kv',
                        source => 'local'), 1, 'a metric');
is(scalar(grep { $_ == 503 } map { $_->{status} } $t->http_burst(20, '/')), 20,
   'all workers obey');
my @events = @{kv()->{events}};
is("$events[-1]{by} $events[-1]{force}", 'local closed', 'an event');

# over a reload, and in a zone of another size

ok($t->reload(), 'reloaded');
is(passed(), 503, 'reload: still closed');
configuration('2m');
ok($t->reload(), 'reloaded with another size');
is(passed(), 503, 'resize: still closed');
is(kv()->{force}{by}, 'an"n', 'resize: by whom');

# bodies in other forms

for my $uri ('/file', '/small') {
    $r = order($t, 'kv', uri => $uri, action => 'force', value => 'closed',
               for => '1m', by => $uri);
    is(answer($r)->{force}{by}, $uri, "$uri: read from a file");
}

$r = $t->http_get('/control', method => 'POST',
                  headers => {%mark, 'Content-Type' =>
                              'application/json; charset=utf-8'},
                  body => '{"backend":"kv","action":"clear"}');
is($r->{status}, 200, 'a type with a parameter');
isnt(kv()->{phase}, 'up', 'behind it all is a ramp');

# it ends by itself

order($t, 'd1', action => 'force', value => 'closed', for => '1s');
is($t->backend_status('d1')->{allowed_per_s}, 0, 'closed for a second');
ok($t->wait_for(sub { !$t->backend_status('d1')->{force} }), 'it ends');
like($t->backend_status('d1')->{phase}, qr/probing|ramping/, 'in the ramp');
