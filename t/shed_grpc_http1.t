#!/usr/bin/perl

# Goal: a shed gRPC call over HTTP/1.1, as grpc-web in a browser makes it,
# has an end: the connection goes on with the next request.  What the call
# was before (an error_page led it here) does not show in its status.
# Method: several requests on one connection that the client keeps open.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(21);

$t->backend(8081);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_backend kv { initial down; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /off  { proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /kv   { recovery kv;
                         proxy_pass http://127.0.0.1:%%PORT_8081%%; }

        # filters that forget the length, since they may change it

        location /kv/add { recovery kv; addition_types *;
                           add_after_body /empty;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /kv/ssi { recovery kv; ssi on; ssi_types *;
                           proxy_pass http://127.0.0.1:%%PORT_8081%%; }
        location /empty  { return 204; }

        location /dead {
            error_page  502 /kv;
            proxy_pass  http://127.0.0.1:%%PORT_8082%%;
        }
    }
}

EOF2

$t->run();

my $h = $t->http_connect();

sub call {
    my ($uri, %o) = @_;

    return $t->http_get($uri, socket => $h, method => 'POST', timeout => 5,
                        headers => { 'Content-Type' => 'application/grpc-web',
                                     %{$o{headers} // {}} },
                        body => $o{body} // 'xx');
}

for my $uri ('/kv', '/dead', '/kv/ssi', '/kv/add') {
    my $r = call($uri);

    is($r->{status}, 200, "$uri: status");
    is($r->{error}, undef, "$uri: the answer has an end");
    is($r->{headers}{'grpc-status'}, 14, "$uri: grpc-status");
    is($r->{body}, '', "$uri: no body");
}

is($t->http_get('/off', socket => $h)->{status}, 200, 'the connection goes on');

# a client that asks before it sends is told at once, and not to go on

my $r = call('/kv', headers => { Expect => '100-continue',
                                 'Content-Length' => 2 }, body => '');

is($r->{status}, 200, '100-continue: not asked for the body');
is($r->{headers}{'grpc-status'}, 14, '100-continue: grpc-status');
is($r->{body}, '', '100-continue: no body');

$t->http_close($h);

is($t->http_get('/kv', version => '1.0', headers => {
       'Content-Type' => 'application/grpc' })->{headers}{'grpc-status'},
   14, 'HTTP/1.0: grpc-status');
