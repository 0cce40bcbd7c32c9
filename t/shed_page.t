#!/usr/bin/perl

# Goal: the page of a shed request is nginx's own, to the byte, and so are its
# headers but for the two that we add, and what the log has of it, whatever
# the server and the client.
# Method: each request to a location that sheds and to one that returns the
# status, and all of it twice: a worker that has seen nginx's page sends it by
# a shorter way.  One worker, so that it has.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new();

my %OURS = map { $_ => 1 } qw(retry-after cache-control);

my $CHROME = 'Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) '
             . 'Chrome/120.0.0.0 Safari/537.36';
my $MSIE = 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)';

my @SERVERS = (
    ['plain',        ''],
    ['tokens off',   'server_tokens off;'],
    ['tokens build', 'server_tokens build;'],
    ['no padding',   'msie_padding off;'],
    ['headers',      'add_header X-Always yes always; add_header X-Ok yes;'],
    ['gzip',         'gzip on; gzip_min_length 1;'],
    ['ssi',          'ssi on;'],
    ['sub',          'sub_filter nginx other; sub_filter_once off;'],
    ['charset',      'charset utf-8;'],
    ['no keepalive', 'keepalive_timeout 0;'],
    ['slow',         'limit_rate 100k;'],
    ['error page elsewhere', 'error_page 404 /none;'],
    ['error page here', 'error_page 503 429 /none;'],
    ['error page of its own', 'error_page 503 429 /page;'],
    ['error page that hides it', 'error_page 503 429 =200 /page;'],
    ['error page far away', 'error_page 503 429 http://example.com/;'],
    ['afterwards',   'post_action /after;'],
);

my @CLIENTS = (
    ['GET',          {}],
    ['HEAD',         { method => 'HEAD' }],
    ['HTTP/1.0',     { version => '1.0' }],
    ['chrome',       { headers => { 'User-Agent' => $CHROME } }],
    ['msie',         { headers => { 'User-Agent' => $MSIE } }],
    ['chrome, 1.0',  { version => '1.0',
                       headers => { 'User-Agent' => $CHROME } }],
    ['accepts gzip', { headers => { 'Accept-Encoding' => 'gzip' } }],
    ['conditional',  { headers => { 'If-None-Match' => '*' } }],
    ['a range',      { headers => { Range => 'bytes=0-9' } }],
    ['a body',       { method => 'POST', body => 'x' x 70000 }],
    ['a short body', { method => 'POST', body => 'x' }],
    ['chunked',      { method => 'POST', body => "2\r\nxx\r\n0\r\n\r\n",
                       headers => { 'Transfer-Encoding' => 'chunked' } }],
    ['asks first',   { method => 'POST', body => '',
                       headers => { Expect => '100-continue',
                                    'Content-Length' => 2 } }],
    ['to be closed', { headers => { Connection => 'close' } }],
);

# what sheds, and what is answered in the same way

my $nth = 0;
my @PAIRS = (
    ['/plain' => '/503', 503],          # nothing is asked
    ['/match' => '/503', 503],          # rules are
    ['/429'   => '/return429', 429],
    ['/418'   => '/return418', 418],    # no page of nginx's
    ['/try/plain'  => '/try/503', 503],     # behind a redirect
    ['/dead/plain' => '/dead/503', 503],    # and after an attempt
);

my $locations = <<'EOF2';
location /plain     { recovery plain; }
        location /match     { recovery match; }
        location /429       { recovery busy; }
        location /418       { recovery teapot; }
        location /503       { return 503; }
        location /return429 { return 429; }
        location /return418 { return 418; }
        location /try/plain { try_files /none @plain; }
        location /try/503   { try_files /none @503; }
        location @plain     { recovery plain; }
        location @503       { return 503; }
        location /dead/plain { error_page 502 /plain; proxy_pass
                               http://127.0.0.1:%%PORT_8089%%; }
        location /dead/503  { error_page 502 /503; proxy_pass
                              http://127.0.0.1:%%PORT_8089%%; }
        location /page      { default_type text/plain; return 200 page; }
        location /after     { return 204; }
EOF2

my $servers = join "\n", map {
    my ($name, $lines) = @$_;
    (my $host = $name) =~ s/\W/-/g;

    "server { listen 127.0.0.1:%%PORT_8080%%; server_name $host; $lines "
    . "$locations }";
} @SERVERS;

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

worker_processes 1;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format told '\$request_uri \$status \$body_bytes_sent '
                    '\$request_completion \$sent_http_content_type '
                    '\$sent_http_content_length \$pipe';

    access_log %%TESTDIR%%/told.log told;

    recovery_policy plain  { shed retry_after=7s..7s; }
    recovery_policy match  { shed retry_after=7s..7s; match low \$uri ~ ^/x; }
    recovery_policy busy   { shed retry_after=7s..7s status=429; }
    recovery_policy teapot { shed retry_after=7s..7s status=418; }

    recovery_backend plain  { policy plain; initial down; }
    recovery_backend match  { policy match; initial down; }
    recovery_backend busy   { policy busy; initial down; }
    recovery_backend teapot { policy teapot; initial down; }

    $servers

    server {
        listen  127.0.0.1:%%PORT_8081%% http2;
        $locations
    }

    server {
        listen  127.0.0.1:%%PORT_8082%%;
        location / { recovery_status; }
    }
}

EOF2

$t->run();

sub get {
    my ($host, $uri, $client) = @_;

    my %headers = (Host => $host, %{$client->{headers} // {}});

    return $t->http_get($uri, %$client, headers => \%headers);
}

sub told {
    my ($r) = @_;

    return join "\n", map { "$_->[0]: $_->[1]" }
                      grep { !$OURS{lc $_->[0]} && lc $_->[0] ne 'date' }
                      @{$r->{header_list}};
}

for my $server (@SERVERS) {
    (my $host = $server->[0]) =~ s/\W/-/g;

    subtest $server->[0] => sub {
        for my $pair (@PAIRS) {
            for my $client (@CLIENTS, @CLIENTS) {

                # nginx itself would wait for the body that never comes

                next if "$pair->[0] $client->[0]" =~ /dead.*asks/;

                my ($shed, $own) = map { get($host, $_, $client->[1]) }
                                       map { "$_?" . ++$nth } @$pair[0, 1];
                my $name = "$pair->[0], $client->[0]";

                is($shed->{status}, $own->{status}, "$name: status");
                is($shed->{body}, $own->{body}, "$name: body");
                is(told($shed), told($own), "$name: headers");

                # what hides the status tells nothing else either

                my $hidden = $own->{status} != $pair->[2];

                is($shed->{headers}{'retry-after'}, $hidden ? undef : 7,
                   "$name: Retry-After");
                is($shed->{headers}{'cache-control'},
                   $hidden ? undef : 'no-store', "$name: no-store");
            }
        }
    };
}

# one connection goes on behind whatever was shed on it

my $h = $t->http_connect();
my $keeps = 0;

for (1, 2) {
    for my $client (@CLIENTS) {
        next if $client->[0] =~ /1\.0|asks|closed/;

        my $r = $t->http_get('/plain', %{$client->[1]}, socket => $h,
                             headers => { Host => 'plain',
                                          %{$client->[1]{headers} // {}} });
        $keeps++ if $r->{status} == 503 && !$r->{error};
    }
}

is($keeps, 2 * grep({ $_->[0] !~ /1\.0|asks|closed/ } @CLIENTS),
   'the connection goes on');
$t->http_close($h);

for my $pair (@PAIRS) {
    for my $o ([], ['-A', $CHROME]) {
        for (1, 2) {
            my ($shed, $own) = map {
                $t->curl('--http2-prior-knowledge', @$o,
                         "http://127.0.0.1:%%PORT_8081%%$_")
            } @$pair[0, 1];

            my $name = "HTTP/2, $pair->[0] @$o";

            is($shed->{status}, $own->{status}, "$name: status");
            is($shed->{body}, $own->{body}, "$name: body");
            is($shed->{headers}{'retry-after'}, 7, "$name: Retry-After");
            is($shed->{headers}{'content-type'},
               $own->{headers}{'content-type'}, "$name: type");
        }
    }
}

for my $pair (@PAIRS) {
    for (1, 2) {
        my ($shed, $own) = map {
            $t->h2($_, port => 8081, method => 'POST', body => 'x' x 70000)
        } @$pair[0, 1];

        is($shed->{status}, $own->{status}, "HTTP/2, $pair->[0], body: status");
        is($shed->{bytes}, $own->{bytes}, "HTTP/2, $pair->[0], body: page");
    }
}

$t->stop();

# in the log they come by their numbers, since some are closed slowly

my %logged = $t->read_file('told.log') =~ m{^\S+\?(\d+) (.*)$}mg;
my @differ = grep { $logged{$_} ne $logged{$_ + 1} }
                  map { $_ * 2 - 1 } 1 .. $nth / 2;

is(scalar keys %logged, $nth, 'the log has all of them');
is("@{[map { qq($logged{$_} and not $logged{$_ + 1}) } @differ]}", '',
   'and the same of each two');

done_testing();
