#!/usr/bin/perl

# Goal: a state file that is torn, old, foreign or hostile is told of once, in
# the log and in the status, and not used; one that cannot be written harms
# nothing but itself and is told of as clearly; what is not ours is left
# alone.  nginx -t writes nothing.
# Method: a good file says that "kv" is down, which is how it is seen whether
# a file is used.  Each kind of bad one takes its place.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(mkfifo);
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Process qw(poll_until);

my $t = Test::Recovery->new();
my $dir = $t->dir();
my $file = "$dir/keep/state";

mkdir "$dir/keep";
$t->redis_start();

sub configuration {
    my (%o) = @_;

    my $path = $o{path} // $file;
    my $user = $o{user} ? "user $o{user};" : '';
    my $globals = $t->expand('%%TEST_GLOBALS%%');

    $globals =~ s/^user root;\n/$user\n/m if $user;

    return <<"EOF2";

worker_processes  2;

$globals

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis       redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_state_file  $path;
    recovery_backend     kv { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        location / { recovery kv; return 204; }
    }
}

EOF2
}

sub start {
    $t->write_file_expand('nginx.conf', configuration(@_));
    truncate "$dir/error.log", 0;
    return $t->run();
}

sub kept { return $t->status()->{state_file} }
sub phase { return $t->backend_status('kv')->{phase} }

sub slurp {
    my ($name) = @_;

    open my $fh, '<:raw', $name or return undef;
    local $/;
    return scalar <$fh>;
}

sub spew {
    my ($name, $bytes) = @_;

    unlink $name;
    open my $fh, '>:raw', $name or die "$name: $!\n";
    print $fh $bytes;
    close $fh;
    chmod 0600, $name;
}

sub crc32c {
    my ($bytes) = @_;

    my $crc = 0xffffffff;

    for my $byte (unpack 'C*', $bytes) {
        $crc ^= $byte;
        $crc = ($crc >> 1) ^ ($crc & 1 ? 0x82f63b78 : 0) for 1 .. 8;
    }

    return $crc ^ 0xffffffff;
}

# a file that is good but for what was changed in it

sub seal {
    my ($bytes) = @_;

    substr $bytes, -4, 4, '';
    substr $bytes, 16, 8, pack 'Q<', 4 + length $bytes;

    return $bytes . pack 'V', crc32c($bytes);
}

sub at {
    my ($bytes, $offset, $new) = @_;

    substr $bytes, $offset, length $new, $new;

    return $bytes;
}

sub aged {
    my ($bytes, $age_s) = @_;
    return seal(at($bytes, 32, pack 'Q<', int((time() - $age_s) * 1000)));
}

# a good one: down, by Redis, which is gone afterwards

start();
$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
$t->redis_stop();
ok($t->wait_for(sub { kept()->{state} eq 'written' }), 'written');
ok($t->stop(), 'stops');

my $good = slurp($file);
ok(length $good, 'a file');
is(seal($good), $good, 'with the checksum that it should have');

# what it says is used

spew($file, aged($good, 1));
start();
is(phase(), 'down', 'a good file is used');
is(kept()->{loaded}, 'continued', 'and told of');
is(kept()->{error}, undef, 'without an error');
$t->stop();

# an old one is not, but for its references

spew($file, aged($good, 301));
start();
is(phase(), 'probing', 'an old file: not down for good, not open at once');
is(kept()->{loaded}, 'old', 'told of');
$t->stop();

my $at = 40;                            # of the first record
my $phase_at = $at + 1 + 2 + 1 + 1;     # behind three texts, two empty

# one that nobody keeps up any more

my $stale = aged($good, 100);

my @bad = (
    ['empty', '', qr/empty/],
    ['one byte', 'r', qr/torn/],
    ['half of it', substr($good, 0, length($good) / 2), qr/torn/],
    ['all but a byte', substr($good, 0, -1), qr/torn/],
    ['a byte more', "$good\0", qr/torn/],
    ['a bit flipped', at($good, 60, chr(1 ^ ord substr $good, 60, 1)),
     qr/damaged/],
    ['another checksum', at($good, -4, "\0\0\0\0"), qr/damaged/],
    ['another version', seal(at($good, 8, pack 'V', 4)), qr/version/],
    ['version 0', seal(at($good, 8, pack 'V', 0)), qr/version/],
    ['no state file', "root:x:0:0:root:/root:/bin/sh\n", qr/not a state file/,
     1],
    ['zeros', "\0" x 4096, qr/not a state file/, 1],
    ['from the future', aged($good, -60), qr/future/],
    ['from the end of time', seal(at($good, 32, "\xff" x 8)), qr/future/],
    ['10^9 records', seal(at($good, 12, pack 'V', 1e9)), qr/out of range/],
    ['no records', seal(at($good, 12, pack 'V', 0)), qr/out of range/],
    ['two records', seal(at($good, 12, pack 'V', 2)), qr/out of range/],
    ['no such phase', seal(at($good, $phase_at, "\6")), qr/out of range/],
    ['no such health', seal(at($good, $phase_at + 1, "\xff")),
     qr/out of range/],
    ['level of infinity', seal(at($good, $phase_at + 8, "\xff\xff\xff\x7f")),
     qr/out of range/],
    ['level like NaN', seal(at($good, $phase_at + 8, "\0\0\xc0\x7f")),
     qr/out of range/],
    ['a name with a slash', seal(at($good, $at + 1, '/v')), qr/out of range/],
    ['a name with a NUL', seal(at($good, $at + 1, "\0v")), qr/out of range/],
    ['a name of 255 bytes', seal(at($good, $at, "\xff")), qr/out of range/],
    ['huge', sub { spew($file, $stale); truncate $file, 1 << 30 },
     qr/too large/],
    ['a symbolic link', sub { spew("$dir/real", $good);
                              symlink "$dir/real", $file },
     qr/symbolic link/, 1],
    ['a dangling link', sub { symlink "$dir/nowhere", $file },
     qr/symbolic link/, 1],
    ['a FIFO', sub { mkfifo($file, 0600) }, qr/not a plain file/, 1],
    ['a directory', sub { mkdir $file }, qr/not a plain file/, 1],
    ['writable for all', sub { spew($file, $stale); chmod 0666, $file },
     qr/writable for others/],
);

push @bad, ['of another user', sub { spew($file, $stale);
                                     chown 12345, 12345, $file },
            qr/of another user/] if $> == 0;

for (@bad) {
    my ($what, $bytes, $re, $left_alone) = @$_;

    rmdir $file or unlink $file;

    if (ref $bytes) { $bytes->() } else { spew($file, $bytes) }

    my $before = -l $file ? readlink $file : -p $file ? 'fifo'
                 : -d $file ? 'directory' : slurp($file);

    my ($rc, $said) = $t->config_test(configuration());

    is($rc, 0, "$what: nginx -t passes");
    like($said, qr/\[warn\].*recovery_state_file.*$re.*:\d+\n/,
         "$what: and tells") or diag($said);

    start();
    is(phase(), 'up', "$what: not used");
    is(kept()->{loaded}, 'refused', "$what: refused");

    if ($left_alone) {
        ok($t->wait_for(sub { kept()->{state} eq 'failed' }), "$what: failed");
        like(kept()->{error}, qr/^not written: it is not a/, "$what: told");

        my $after = -l $file ? readlink $file : -p $file ? 'fifo'
                    : -d $file ? 'directory' : slurp($file);

        is($after, $before, "$what: left alone");
        is(scalar($t->grep_file('error.log', qr/state_file.*not written/)), 1,
           "$what: once in the log");

    } else {
        like(kept()->{error}, qr/^not used: it is .*$re/, "$what: told");
        is($t->metrics()->value('nginx_recovery_state_file_errors_total'), 1,
           "$what: counted");
        ok($t->wait_for(sub { kept()->{state} eq 'written' }),
           "$what: written anew");
        is(scalar($t->grep_file('error.log', qr/state_file.*not used/)), 1,
           "$what: once in the log");
    }

    $t->stop();
}

rmdir $file or unlink $file;

# nginx -t writes nothing

my ($rc) = $t->config_test(configuration());

is($rc, 0, 'nginx -t');
is(join(' ', glob "$dir/keep/*"), '', 'nginx -t writes nothing');

# nothing to write to: told before, and while it runs; it heals by itself

($rc, my $said) = $t->config_test(configuration(path => "$dir/gone/state"));
is($rc, 0, 'no directory: nginx -t passes');
like($said, qr/\[warn\].*gone\/state" cannot be written.*No such file/,
     'no directory: told');

start(path => "$dir/gone/state");
ok($t->wait_for(sub { kept()->{state} eq 'failed' }), 'no directory: failed');
like(kept()->{error}, qr/open\(\).*No such file/, 'no directory: why');
is($t->http_get('/')->{status}, 204, 'no directory: served');
is($t->metrics()->value('nginx_recovery_state_file_written'), 0,
   'no directory: in the metrics');

mkdir "$dir/gone";
ok($t->wait_for(sub { kept()->{state} eq 'written' }, 'written', 30),
   'the directory is there: written');
is(kept()->{error}, undef, 'the error is gone');

unlink glob "$dir/gone/*";
rmdir "$dir/gone";
$t->redis_start();
$t->health('kv', 'down');
ok($t->wait_for(sub { kept()->{state} eq 'failed' }, 'failed', 30),
   'the directory is gone again');
$t->health('kv', 'up');
is(scalar($t->grep_file('error.log', qr/state_file.*not written/)), 2,
   'each failure once in the log');
ok($t->stop(), 'stops');
$t->redis_stop();

# configuration

for (['"";', qr/invalid value ""/], ['/tmp/;', qr/invalid value "\/tmp\/"/],
     ['a; recovery_state_file b;', qr/is duplicate/],
     [';', qr/invalid number of arguments/],
     ['/' . 'a' x 4200 . ';', qr/too long/])
{
    my ($line, $re) = @$_;
    my $text = configuration(path => 'XX') =~ s/XX;/$line/r;

    ($rc, $said) = $t->config_test($text);
    isnt($rc, 0, "refused: " . substr $line, 0, 30);
    like($said, $re, 'why');
}

SKIP: {
    skip 'needs root', 7 if $> != 0;

    # workers of another user

    chown 0, 0, "$dir/keep";
    chmod 0755, $dir, "$dir/keep";

    ($rc, $said) = $t->config_test(configuration(user => 'nobody nogroup'));
    is($rc, 0, 'another user: nginx -t passes');
    like($said, qr/\[warn\].*cannot be written.*Permission denied/,
         'another user: told');

    mkdir "$dir/full";

    skip 'cannot mount', 5
        if system('mount', '-t', 'tmpfs', '-o', 'size=4k', 'none',
                  "$dir/full") != 0;

    # a disk without room

    spew("$dir/full/filler", 'x' x 4096);
    start(path => "$dir/full/state");
    ok($t->wait_for(sub { kept()->{state} eq 'failed' }), 'full: failed');
    like(kept()->{error}, qr/No space left/, 'full: why');
    ok(!-e "$dir/full/state.tmp", 'full: no trash');
    unlink "$dir/full/filler";
    ok($t->wait_for(sub { kept()->{state} eq 'written' }, 'written', 30),
       'full: room is there');
    $t->stop();

    # a disk that is read only

    system('mount', '-o', 'remount,ro', "$dir/full");
    ($rc, $said) = $t->config_test(configuration(path => "$dir/full/state"));
    like($said, qr/\[warn\].*cannot be written.*Read-only/, 'read only: told');
    system('umount', "$dir/full");
}

done_testing();
