#!/usr/bin/perl

# Goal: the status page's Content-Security-Policy lets its own style be
# applied, and nothing else: a changed style with an old hash would leave the
# page bare in every browser, and no other test would see it.
# Method: the hash in the header against that of the text in the page; when
# they differ, the right one is shown.

use strict;
use warnings;

use Digest::SHA qw(sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(5);

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_backend  kv { }

    server {
        listen      127.0.0.1:%%PORT_8080%%;

        location = /page { recovery_status html; }
    }
}

EOF2

$t->run();

my $r = $t->http_get('/page');
my @styles = $r->{body} =~ m{<style>(.*?)</style>}gs;

is(scalar @styles, 1, 'one style');
is($r->{headers}{'content-security-policy'},
   "default-src 'none'; style-src 'sha256-" . sha256_base64($styles[0]) . "='",
   'the policy is of this style');
unlike($r->{body}, qr/<[^>]* style=/, 'no style in a tag: it would not apply');
unlike($r->{body}, qr/<(?:link|img|iframe|object|embed|form)\b/i,
       'nothing that the policy would stop');
is($r->{headers}{'x-content-type-options'}, 'nosniff', 'no guessing of types');
