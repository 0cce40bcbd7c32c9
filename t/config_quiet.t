#!/usr/bin/perl

# Goal: "nginx -t" connects nowhere and writes nothing.  Configurations are
# tested on machines where a second nginx serves, and by package scripts.
# Method: the Redis of the configuration is a listening socket of ours that
# must see no connection; the directory must hold the same files afterwards.
# A running nginx is the control: it does connect.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::INET;
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(6);

my $redis = IO::Socket::INET->new(
    Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => $t->port(6379),
    Listen => 10, ReuseAddr => 1) or die;

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms;
    recovery_backend  kv { }

    server {
        listen    127.0.0.1:%%PORT_8080%%;
        recovery  kv;
    }
}

EOF2

sub connections {
    my ($wait_s) = @_;
    my @ready = IO::Select->new($redis)->can_read($wait_s);
    return scalar @ready;
}

sub files {
    my ($dir) = @_;
    opendir my $d, $dir or die;
    my @files = sort grep { !/^\./ } readdir $d;
    return join ' ', @files;
}

# the first run makes what nginx itself makes: temp paths, logs

$t->config_test($conf);
my $before = files($t->dir());

my ($code, $err) = $t->config_test($conf);
is($code, 0, 'the configuration is good');
like($err, qr/test is successful/, 'and told so');
is(files($t->dir()), $before, 'no file is made');
is(connections(0.5), 0, 'no connection');

$t->write_file_expand('nginx.conf', $conf);
$t->run();
is(connections(5), 1, 'control: a running nginx connects');
is($t->http_get('/')->{status}, 404, 'and does not wait for Redis');
