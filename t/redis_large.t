#!/usr/bin/perl

# Goal: a field that is far too long costs itself alone: its backend keeps
# what it had, which is counted and logged, all others are heard, and the link
# stays up.
# Method: a real Redis with fields of up to a megabyte; the worker's memory is
# the kernel's figure.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Watch qw(wait_polls);

my $GROWTH_KB = $ENV{ASAN_OPTIONS} ? 65536 : 4096;

my $t = Test::Recovery->new()->plan(33);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms timeout=5s;
    recovery_backend  kv { }
    recovery_backend  other { }
}

EOF2


sub state { $t->status()->{redis}{state} }
sub bad { $t->status()->{redis}{bad_values} }

$t->redis('HSET', 'recovery:kv', 'health', 'up', 'ceiling', '500r/s');
$t->redis('HSET', 'recovery:other', 'health', 'up');
$t->run();
ok($t->wait_for(sub { $t->backend_status('kv')->{ceiling_per_s} }), 'before');
wait_polls($t, 10);

my $reconnects = $t->status()->{redis}{reconnects};

for my $row (['health', 65_536, 'up'], ['health', 1_048_576, 'up'],
             ['ceiling', 300_000, '500r/s'], ['epoch', 100_000, undef])
{
    my ($field, $len, $value) = @$row;
    my $label = "$field of $len bytes";
    my $before = bad();
    my $watch = Test::Recovery::Watch->new($t);

    $t->redis('HSET', 'recovery:kv', $field, '1' x $len);
    ok($t->wait_for(sub { bad() > $before }), "$label: counted");
    wait_polls($t, 10);
    is(bad(), $before + 1, "$label: once");
    is(scalar $watch->said(qr/\[warn\].*"kv".*\Q$field\E/), 1,
       "$label: in the log");
    is_deeply([@{$t->backend_status('kv')}{qw(health ceiling_per_s)}],
              ['up', 500], "$label: what was before is kept");

    $t->health('other', 'down');
    ok($t->wait_phase('other', 'down'), "$label: another one is heard");
    $t->health('other', 'up');
    $t->wait_for(sub { $t->backend_status('other')->{health} eq 'up' });
    is(state(), 'connected', "$label: connected");
    cmp_ok($watch->grown_kb(), '<', $GROWTH_KB, "$label: memory");

    defined $value ? $t->redis('HSET', 'recovery:kv', $field, $value)
                   : $t->redis('HDEL', 'recovery:kv', $field);
    wait_polls($t, 4);
}

# text that is only shown is cut

$t->redis('HSET', 'recovery:kv', 'force', '50%', 'reason', 'x' x 500_000);
ok($t->wait_for(sub { $t->backend_status('kv')->{force} }), 'a long reason');
is($t->backend_status('kv')->{force}{reason}, 'x' x 63, 'is cut');

is($t->status()->{redis}{reconnects}, $reconnects, 'the link was never lost');

# what is longer than that nobody wants to wait for

my $watch = Test::Recovery::Watch->new($t);

$t->redis('HSET', 'recovery:kv', 'by', 'x' x 1_048_577);
ok($t->wait_for(sub {
    $watch->said(qr/\[error\].*bad reply: a string of more than 1 MB/)
}), 'more than a megabyte: said');
