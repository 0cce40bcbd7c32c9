#!/usr/bin/perl

# Goal: a thousand backends fit into the default zone of two megabytes, and
# their status is whole in all three forms, also with a slow reader.
# Method: as said; the numbers of the last backend are looked at, too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);

use Test::Recovery;

my $N = 1000;

my $t = Test::Recovery->new()->plan(11);
my $b = $t->backend(8081);
my $backends = join "\n", map { "recovery_backend store-$_ { }" } 1 .. $N;

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    $backends

    server {
        listen      127.0.0.1:%%PORT_8080%%;
        recovery    store-$N;

        location / {
            proxy_pass http://127.0.0.1:%%PORT_8081%%;
        }

        location = /status  { recovery off; recovery_status; }
        location = /metrics { recovery off; recovery_status prometheus; }
        location = /page    { recovery off; recovery_status html; }
    }
}

EOF2

$t->run();

is($t->http_get('/')->{status}, 200, 'a request for the last backend');

my $s = $t->status();
is(scalar keys %{$s->{backends}}, $N, 'JSON has them all');
is($s->{backends}{"store-$N"}{classes}[2]{passed}, 1, 'the last one counts');
is($s->{backends}{'store-1'}{classes}[2]{passed}, 0, 'the first one does not');

my $m = $t->metrics();
is_deeply([$m->problems()], [], 'metrics are clean');
is(scalar @{$m->samples('nginx_recovery_in_flight_requests')}, $N,
   'metrics have them all');

my $r = $t->http_get('/page');
is($r->{status}, 200, 'page');
like($r->{body}, qr/store-$N\b.*<\/html>\s*$/s, 'page is whole');

# a reader that takes its time, while others are served

my $h = $t->http_start('/status', close => 1);
my $slow = '';

for (1 .. 10) {
    sysread $h->{s}, $slow, 2000, length $slow;
    sleep(0.01);
}

is($t->http_get('/')->{status}, 200, 'others are served meanwhile');

while (sysread $h->{s}, $slow, 65536, length $slow) {
}

${$h->{buf}} = $slow;
$r = $t->http_end($h);
is($r->{status}, 200, 'slow reader');
is(scalar keys %{JSON::PP->new->utf8->decode($r->{body})->{backends}}, $N,
   'slow reader: whole');
