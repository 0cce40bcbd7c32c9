#!/usr/bin/perl

# Goal: a kept connection that its server closes just as nginx uses it is no
# failure of the backend: nginx asks the same server again, and what comes of
# that is the result.  A service that drops idle connections must be able to
# answer its probes in a row, in a location as well as in an upstream block.
# Method: a server that closes each connection when it is used again; and two
# controls: one that answers nobody, and two of which the first one does not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(13);

# one answer for each connection, and none for what comes after it

sub server {
    my ($port, $answers) = @_;

    $t->daemon($port, sub {
        my ($listen) = @_;

        while (my $s = $listen->accept()) {
            next if fork();

            my $left = $answers;

            while (defined(my $line = <$s>)) {
                next if $line !~ /^\r?\n$/;
                last if $left-- <= 0;
                print $s "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                $s->flush();
            }

            exit 0;
        }
    });
}

$SIG{CHLD} = 'IGNORE';
server(8081, 1);
server(8082, 0);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=100ms;

    recovery_policy plain { ramp from=50% double=100ms; }

    recovery_backend  drops { policy plain; capacity 1000r/s; }
    recovery_backend  dead  { policy plain; capacity 1000r/s; }
    recovery_backend  half  { policy plain; capacity 1000r/s; }

    upstream drops { server 127.0.0.1:%%PORT_8081%%; keepalive 4; }
    upstream dead  { server 127.0.0.1:%%PORT_8082%%; keepalive 4; }
    upstream half  { server 127.0.0.1:%%PORT_8082%% max_fails=0;
                     server 127.0.0.1:%%PORT_8081%% max_fails=0; }

    proxy_http_version  1.1;
    proxy_set_header    Connection "";

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /drops { recovery drops; proxy_pass http://drops; }
        location /dead  { recovery dead;  proxy_pass http://dead; }
        location /half  { recovery half;  proxy_pass http://half; }
    }
}

EOF2

$t->run();

sub results {
    my ($name) = @_;

    my $m = $t->metrics();

    return join ' ', map {
        $m->value('nginx_recovery_upstream_responses_total',
                  backend => $name, result => $_)
    } qw(ok error timeout);
}

sub statuses { return join ' ', map { $t->http_get($_[0])->{status} } 1 .. 10 }

is(statuses('/drops'), join(' ', (200) x 10), 'ten are answered');
is(results('drops'), '10 0 0', 'ten results, none of them an error');
is($t->class_status('drops', 'normal')->{passed}, 10, 'ten passed');

is(statuses('/dead'), join(' ', (502) x 10), 'control: ten are not');
is(results('dead'), '0 10 0', 'control: ten errors');

is(statuses('/half'), join(' ', (200) x 10), 'control: the second answers');
like(results('half'), qr/^10 ([1-9]|10) 0$/, 'control: the first did not');

# five in a row end the probes

for my $name (qw(drops dead)) {
    $t->health($name, 'down');
    ok($t->wait_phase($name, 'down'), "$name: down");
    $t->health($name, 'up');
    ok($t->wait_phase($name, 'probing'), "$name: probing");
}

my $load = $t->load(rate => 20, uris => ['/drops', '/dead']);

ok($t->wait_phase('drops', qr/ramping|verifying|up/, 60),
   'its probes are answered in a row');
is($t->backend_status('dead')->{phase}, 'probing', 'control: the dead one');

$load->stop();
