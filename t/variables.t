#!/usr/bin/perl

# Goal: the five variables say what became of a request, in headers and in
# the access log, also where nothing was decided.
# Method: one request of each outcome; the log line is the witness.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(17);

$t->backend(8081);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format  v  '$uri o=$recovery_outcome r=$recovery_reason '
                   'c=$recovery_class p=$recovery_phase b=$recovery_backend '
                   's=$status';
    access_log  %%TESTDIR%%/v.log v;

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_policy   p { match high $uri ~ high; }
    recovery_backend  kv { policy p; }
    recovery_backend  gone { }
    recovery_backend  d1 { quota 1r/m; }

    server {
        listen      127.0.0.1:%%PORT_8080%%;

        add_header  X-V "$recovery_outcome $recovery_reason $recovery_phase"
                    always;

        location /kv/   { recovery kv;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /gone/ { recovery gone;
                          error_page 503 /page;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /both/ { recovery kv gone;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /dry/  { recovery gone; recovery_dry_run on;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /d1/   { recovery d1;
                          proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /free/ { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /off/  { recovery off; return 204; }
        location /early/ { recovery kv; return 204; }
        location /page  { recovery off; return 200 "page\n"; }
    }
}

EOF2

$t->run();
$t->health('gone', 'down');
ok($t->wait_phase('gone', 'down'), 'down');

is($t->http_get('/kv/x')->{headers}{'x-v'}, 'passed none up',
   'header of a passed request');
is($t->http_get('/gone/x')->{headers}{'x-v'} // 'shed down down',
   'shed down down', 'header of a shed request');

$t->http_get('/kv/high');
$t->http_get('/both/x');
$t->http_get('/dry/x');
$t->http_get($_) for '/free/x', '/off/x', '/early/x', '/none';
my @d1 = map { $t->http_get("/d1/$_")->{status} } 1 .. 20;

sub logged {
    my ($uri) = @_;

    my $line = $t->wait_for(sub {
        ($t->grep_file('v.log', qr/^\Q$uri\E /))[0]
    }, "$uri in the log") // '';

    return $line =~ s/^\S+ //r;
}

is(logged('/kv/x'), 'o=passed r=none c=normal p=up b=kv s=200', 'passed');
is(logged('/kv/high'), 'o=passed r=none c=high p=up b=kv s=200',
   'passed, another class');
is(logged('/page'), 'o=shed r=down c=normal p=down b=gone s=503',
   'shed, on its way through error_page');
is(logged('/both/x'), 'o=shed r=down c=normal p=down b=gone s=503',
   'shed by one of two, which is named');
is(logged('/dry/x'), 'o=shed_dry_run r=down c=normal p=down b=gone s=200',
   'dry run');

# where nothing was decided, only the outcome is known

for my $uri ('/free/x', '/off/x', '/early/x', '/none') {
    like(logged($uri), qr/^o=none r=(?:none|-|) c=-? p=-? b=-? s=\d+$/,
         "$uri: none");
}

my $quota = (grep { $d1[$_] == 503 } 0 .. $#d1)[0] // -1;
cmp_ok($quota, '>', 0, 'quota: some pass');
is(logged('/d1/' . ($quota + 1)), 'o=shed r=quota c=normal p=up b=d1 s=503',
   'quota: reason');
is($d1[-1], 503, 'quota: it holds');
is($t->metrics()->sum('nginx_recovery_shed_total', backend => 'd1',
                      reason => 'quota'),
   scalar(grep { $_ == 503 } @d1), 'quota: counted under the same word');
is($t->metrics()->sum('nginx_recovery_shed_total', backend => 'd1'),
   scalar(grep { $_ == 503 } @d1), 'quota: and under no other');
