#!/usr/bin/perl

# Goal: what stands in Redis cannot write lines of its own into error.log.
# Method: a bad value with a line feed and escape codes in it, in every field.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my @fields = qw(health ceiling force epoch);

my $t = Test::Recovery->new()->plan(3 * @fields);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms;
    recovery_backend  kv { }
}

EOF2

$t->run();

for my $field (@fields) {
    $t->redis('HSET', 'recovery:kv', $field,
              "bad\nforged line of $field\r\e[31m\x7f");
    ok($t->wait_log(qr/redis has a bad "$field"/), "$field: reported");

    my @lines = $t->grep_file('error.log', qr/forged line of $field/);

    like($lines[0] // '', qr/redis has a bad "$field": "bad /,
         "$field: on one line");
    unlike("@lines", qr/[\e\r\x7f]/, "$field: no control codes");

    $t->redis('DEL', 'recovery:kv');
}
