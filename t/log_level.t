#!/usr/bin/perl

# Goal: each shed request is one line at recovery_log_level (default info),
# and an outage is one line a second at warn, so that a log at its usual
# level shows the outage and is not drowned by it.
# Method: two hundred shed requests; count the lines by level.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;

my $t = Test::Recovery->new()->plan(15);

$t->backend(8081);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_backend  kv { }
    recovery_backend  odd { }

    server {
        listen    127.0.0.1:%%PORT_8080%%;
        recovery  kv;

        location /      { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /loud  { recovery_log_level error;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /odd   { recovery odd; recovery_dry_run on;
                          recovery_log_level notice;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        location /quiet {
            error_log   %%TESTDIR%%/quiet.log warn;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();

sub lines {
    my ($level, $re) = @_;
    return scalar grep { /\bshed/ && (!$re || /$re/) }
           $t->grep_file('error.log', qr/\[$level\]/);
}

$t->http_get('/');
is(lines('info'), 0, 'no line for a request that passed');

for my $name (qw(kv odd)) {
    $t->health($name, 'down');
    ok($t->wait_phase($name, 'down'), "$name is down");
}

ok($t->grep_file('error.log', qr/\[notice\].*"kv".*down/),
   'the change of the phase is a notice');

my $start = time();
$t->http_burst(100, '/a') for 1, 2;

is(lines('info', qr/"GET \/a /), 200, 'a line for each shed request');

my ($line) = grep { /shed/ } $t->grep_file('error.log', qr/\[info\]/);
like($line, qr/"kv"/, 'with its backend');
like($line, qr/"?normal"?/, 'its class');
like($line, qr/"?down"?/, 'and its reason');
like($line, qr/client: 127\.0\.0\.1/, 'and the client, as nginx does');

ok($t->wait_log(qr/\[warn\].*shed/, 5), 'a summary at warn');

my $s = int(time() - $start) + 2;
cmp_ok(lines('warn', qr/"kv"/), '<=', $s, "at most one a second in $s s");

my $summary = ($t->grep_file('error.log', qr/\[warn\].*shed/))[0] // '';
like($summary =~ s/^\S+ \S+ \[warn\] [\d#]+: //r, qr/\d+.*"kv"|"kv".*\d+/,
     'with its number and its backend');

$t->http_get('/loud');
is(lines('error'), 1, 'recovery_log_level error');

$t->http_get('/quiet');
is($t->grep_file('quiet.log', qr/shed/) // 0, 0,
   'below the level of the log: no line');

$t->http_get('/odd');
is(lines('notice', qr/dry/), 1, 'a dry run says so');
