#!/usr/bin/perl

# Goal: Debian's nchan, which brings its own hiredis of another version, and
# this module work in one process, whichever is loaded first.
# Method: both talk to the same Redis: a message is published and received
# through nchan while our health goes down and up again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my ($nchan) = grep { -f } map { "$_/ngx_nchan_module.so" }
              qw(/usr/lib/nginx/modules /usr/share/nginx/modules
                 /usr/lib64/nginx/modules);

plan(skip_all => 'nchan is not installed (libnginx-mod-nchan)')
    unless $nchan;
plan(skip_all => 'nchan, when loaded, makes /var/lib/nginx/body: root only')
    if $> != 0 && !-d '/var/lib/nginx/body';
plan(skip_all => 'a static build has no load order')
    if $ENV{TEST_NGINX_STATIC};

my $t = Test::Recovery->new()->plan(20);

$t->backend(8081);
$t->redis_start();

my $conf = <<'EOF2';

BEFORE
%%TEST_GLOBALS%%
AFTER

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_backend  kv { }

    upstream channels {
        nchan_redis_server  redis://127.0.0.1:%%PORT_6379%%;
    }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location ~ ^/pub/(\w+)$ {
            nchan_publisher;
            nchan_channel_id      $1;
            nchan_redis_pass      channels;
        }

        location ~ ^/sub/(\w+)$ {
            nchan_subscriber      longpoll;
            nchan_channel_id      $1;
            nchan_redis_pass      channels;
        }
    }
}

EOF2

for my $order ('before', 'after') {
    my $load = "load_module $nchan;";
    my $text = $conf;

    $text =~ s/BEFORE/$order eq 'before' ? $load : ''/e;
    $text =~ s/AFTER/$order eq 'after' ? $load : ''/e;

    $t->redis('DEL', 'recovery:kv');
    $t->write_file_expand('nginx.conf', $text);
    $t->run();

    ok($t->wait_for(sub { $t->status()->{redis}{state} eq 'connected' }),
       "$order: Redis is connected");
    is($t->http_get('/')->{status}, 200, "$order: up");

    # nchan needs a moment for its own connection: the first message may be
    # refused, a later one must not

    ok($t->wait_for(sub {
        $t->http_get("/pub/$order", method => 'POST', body => 'hello')
          ->{status} =~ /^20[12]$/
    }), "$order: nchan publishes");

    is($t->http_get("/sub/$order")->{body}, 'hello', "$order: nchan delivers");

    $t->health('kv', 'down');
    ok($t->wait_phase('kv', 'down'), "$order: our health by pub/sub");
    is($t->http_get('/')->{status}, 503, "$order: sheds");

    $t->health('kv', 'up', publish => 0);
    ok($t->wait_phase('kv', qr/^(?:probing|ramping|verifying|up)$/),
       "$order: our health by poll");

    is($t->http_get("/pub/second$order", method => 'POST', body => 'again')
       ->{status} =~ /^20[12]$/ ? 1 : 0, 1, "$order: nchan goes on");
    is($t->status()->{redis}{bad_values}, 0, "$order: no bad values");
    ok($t->stop(), "$order: stops");
}
