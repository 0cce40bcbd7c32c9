#!/usr/bin/perl

# Goal: the status page's Content-Security-Policy lets its own style and its
# own script be applied, and nothing else; and their many bytes are sent from
# where the module has them, for each request from the same place.
# Method: the hashes in the header against those of the texts in the page; the
# buffers that nginx says it writes.

use strict;
use warnings;

use Digest::SHA qw(sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(11);

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

        location = /debug {
            recovery_status  html;
            error_log        %%TESTDIR%%/debug.log debug;
        }
    }
}

EOF2

$t->run();

my $r = $t->http_get('/page');
my @styles = $r->{body} =~ m{<style>(.*?)</style>}gs;
my @scripts = $r->{body} =~ m{<script>(.*?)</script>}gs;

is(scalar @styles, 1, 'one style');
is(scalar @scripts, 1, 'one script');

my $csp = $r->{headers}{'content-security-policy'};

like($csp, qr{style-src '\Qsha256-@{[sha256_base64($styles[0])]}=\E';},
     'the policy is of this style');
like($csp, qr{script-src '\Qsha256-@{[sha256_base64($scripts[0])]}=\E';},
     'the policy is of this script');
like($csp, qr/^default-src 'none';/, 'and of nothing else');

my $markup = $r->{body} =~ s{<(script|style)\b.*?</\1>}{}gsr;

unlike($markup, qr/<[^>]* style=/, 'no style in a tag: it would not apply');
unlike($markup, qr/<(?:link|img|iframe|object|embed|form)\b/i,
       'nothing that the policy would stop');
is($r->{headers}{'x-content-type-options'}, 'nosniff', 'no guessing of types');

# what the documentation promises

open my $fh, '<', $t->root() . '/docs/directives.md' or die "docs: $!\n";
my ($most) = do { local $/; <$fh> } =~ /at most ([\d,]+) bytes before/;

cmp_ok(length($r->{body}), '<=', $most =~ s/,//r, 'no larger than documented');

# t: a buffer that may be written into; head and tail of the page are none

SKIP: {
    skip 'nginx was built without --with-debug', 2
        if `@{[$t->nginx_binary()]} -V 2>&1` !~ /--with-debug/;

    $t->http_get('/debug') for 1 .. 2;

    my @sent = $t->read_file('debug.log')
               =~ /write new buf t:0 f:0 ([0-9A-F]+), pos \1, size: (\d+)/g;

    is(scalar @sent, 8, 'head and tail of two pages are sent as they are')
        or diag("@sent");
    is_deeply([@sent[0 .. 3]], [@sent[4 .. 7]], 'both from the same place');
}
