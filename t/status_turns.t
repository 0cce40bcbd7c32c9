#!/usr/bin/perl

# Goal: a worker that tells the status of many backends does not keep others
# waiting for it, however fast the reader is.
# Method: while the only worker is stopped, a status is asked for and then, on
# another connection, something tiny; when the worker goes on it finds both at
# once, the status first.  All of the status fits into the kernel's buffers:
# nothing but its own courtesy makes the worker turn to the other one before
# it is done.  The access log has the order in which they were done.  Negative
# control: a file as long as the status, which nginx sends in one go.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Process qw(poll_until proc_state);

my $N = 150;
my @PATHS = qw(/status /metrics /page);
my $CHUNK_MAX = 192 * 1024;

my $t = Test::Recovery->new()->plan(3 * @PATHS + 6);
my $backends = join "\n", map { "recovery_backend store-$_ { }" } 1 .. $N;

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

worker_processes 1;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    $backends

    log_format  done  '\$uri';

    server {
        listen      127.0.0.1:%%PORT_8080%%;
        access_log  %%TESTDIR%%/done.log done;

        location = /status  { recovery_status; }
        location = /metrics { recovery_status prometheus; }
        location = /page    { recovery_status html; }
        location = /tiny    { return 204; }
        location = /long    { root %%TESTDIR%%; }
    }
}

EOF2

$t->write_file('long', "0123456789abcdef\n" x 70_000);
$t->run();

my ($worker) = $t->workers();


sub done { return grep { length } split /\n/, $t->read_file('done.log') }


# In which order the two are done that a worker finds at once.

sub order {
    my ($uri) = @_;

    my @h = map { $t->http_connect() } 1 .. 2;

    # both are known to the worker before it is stopped

    $t->http_get('/tiny', socket => $_) for @h;
    my $before = done();

    kill 'STOP', $worker;
    poll_until(sub { proc_state($worker) eq 'T' }, 10 * slow());

    $t->http_send_on($h[0], $uri);
    $t->http_send_on($h[1], '/tiny');

    kill 'CONT', $worker;

    my $answers = join ' ', map { $t->http_end($_)->{status} } @h;

    $t->wait_for(sub { done() == $before + 2 }, 'both are logged');

    my @done = done();
    return ($answers, join ' ', @done[$before .. $#done]);
}


for my $path (@PATHS) {
    my ($answers, $order) = order($path);

    is($answers, '200 204', "$path: both are answered");
    is($order, "/tiny $path", "$path: the other one first");
}

my ($answers, $order) = order('/long');

is($answers, '200 204', 'a file: both are answered');
is($order, '/long /tiny', 'a file: the file first');

# What is rendered without a turn is one chunk.

sub chunks {
    my ($path) = @_;

    my $h = $t->http_start($path, close => 1);
    my ($raw, @sizes) = ('');

    while (sysread $h->{s}, $raw, 65536, length $raw) {
    }

    $raw =~ s/\A.*?\r\n\r\n//s or return;

    while ($raw =~ s/\A([0-9a-f]+)\r\n//) {
        push @sizes, hex $1;
        return @sizes if $sizes[-1] == 0;
        substr($raw, 0, $sizes[-1] + 2) = '';
    }

    return;
}

my %bytes;

for my $path (@PATHS) {
    my @sizes = chunks($path);
    my ($longest) = sort { $b <=> $a } @sizes, 0;

    $bytes{$path} += $_ for @sizes;

    ok(@sizes && $longest <= $CHUNK_MAX, "$path: no piece is long")
        or diag("longest $longest of " . scalar @sizes);
}

cmp_ok($bytes{'/metrics'} // 0, '>', 1_000_000, 'metrics are long');
cmp_ok(scalar(() = chunks('/metrics')), '>', 10, 'and have many pieces');

# who asks for little waits for nothing

my $alone = Test::Recovery->new();

$alone->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_backend store { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;
        location = /metrics { recovery_status prometheus; }
    }
}

EOF2

$alone->run();

my $r = $alone->http_get('/metrics');
is($r->{headers}{'content-length'}, length $r->{body}, 'few: with its length');
is($alone->http_get('/metrics', method => 'HEAD')->{headers}{'content-length'},
   length $r->{body}, 'few: HEAD says the same');
