#!/usr/bin/perl

# Goal: some more workers are a plain reload: nginx -t and the reload agree,
# phases stay, and each of the workers has its slot.
# Method: one worker, then eight, with a request in flight all the time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(8);

my $b = $t->backend(8081);

sub configure {
    my ($workers) = @_;

    $t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

worker_processes  $workers;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_backend  kv { }
    recovery_backend  dead { initial down; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /     { recovery kv;
                         proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /dead { recovery dead;
                         proxy_pass http://127.0.0.1:%%PORT_8081%%; }
    }
}

EOF2
}

configure(1);
$t->run();

my $h = $t->http_start('/?hang=1');
ok($t->wait_for(sub { $b->active() == 1 }, 'the backend'), 'in flight');

configure(8);
ok($t->reload(), 'eight workers');
ok($t->wait_for(sub { $t->workers() == 8 }, 'eight workers'), 'all run');
is($t->backend_status('kv')->{in_flight}, 1, 'still in flight');
is($t->backend_status('dead')->{phase}, 'down', 'still down');

$t->http_burst(40, '/');
is($t->metrics()->value('nginx_recovery_undecided_total',
                        reason => 'no_slot'), 0, 'all have a slot');

$b->release();
is($t->http_end($h)->{status}, 200, 'the request ends');

configure(1);
ok($t->reload(), 'and back');
