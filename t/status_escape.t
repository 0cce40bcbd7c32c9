#!/usr/bin/perl

# Goal: nothing that an operator types into Redis can break a reader of the
# status: "by" and "reason" with quotes, markup, control bytes, bad UTF-8 or
# great length leave JSON, Prometheus text and page whole.
# Method: each nasty text is set with a force, and all three are read back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;

my @nasty = (
    ['quotes', 'say "no" \\ \'never\''],
    ['markup', '</td><script>alert(1)</script>&amp;'],
    ['control bytes', "a\0b\x01c\nd\te\rf\x7f"],
    ['UTF-8', "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"],
    ['bad UTF-8', "a\xffb\xc3\x28c\xed\xa0\x80d\xf8\xe2\x82"],
    ['a great length', 'long ' x 2000],
    ['nothing', ''],
);

my $t = Test::Recovery->new()->plan(6 * @nasty + 1);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms;
    recovery_backend  kv { }

    server {
        listen      127.0.0.1:%%PORT_8080%%;

        location = /status { recovery_status; }
        location = /page   { recovery_status html; }
    }
}

EOF2

$t->run();

my $n = 0;

for my $row (@nasty) {
    my ($name, $text) = @$row;
    my $percent = 11 + $n++;

    $t->redis('HSET', 'recovery:kv', 'force', "$percent%", 'force_until',
              time() + 1000, 'by', $text, 'reason', $text);
    $t->redis('PUBLISH', 'recovery:changed', 'kv');

    my $raw;
    my $s = $t->wait_for(sub {
        $raw = $t->http_get('/status')->{body};
        return 1 unless eval { JSON::PP->new->utf8->decode($raw) };

        my $s = JSON::PP->new->utf8->decode($raw);
        my $force = $s->{backends}{kv}{force} or return 0;
        return $s if JSON::PP->new->encode($force) =~ /\b0?\.?$percent\b/;
    }, "force $percent%");

    ok(ref $s, "$name: JSON is whole") or diag($raw);
    ok(!grep({ /[\x00-\x08\x0b\x0c\x0e-\x1f]/ } $raw), "$name: no raw bytes");
    ok(utf8::decode(my $copy = $raw), "$name: JSON is UTF-8");
    is_deeply([$t->metrics()->problems()], [], "$name: metrics are whole");

    my $page = $t->http_get('/page')->{body};
    unlike($page, qr/alert\(1\)<|[\x00-\x08]/i, "$name: page is whole");
    is(scalar(() = $page =~ /<script/gi), 2, "$name: two scripts, both ours");
}

is($t->metrics()->value('nginx_recovery_redis_bad_values_total'), 0,
   'free text is no bad value');
