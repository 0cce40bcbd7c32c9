package Test::Recovery::Port;

# Free loopback ports, safe for tests that run side by side.
#
# A TCP port cannot be kept reserved while nginx is to bind it, so the
# reservation is a UDP socket on the same number: whoever holds it owns the
# TCP port too, by agreement of everything that uses this file.  The range
# lies below the kernel's ephemeral ports, which would otherwise take one of
# ours for an outgoing connection.

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_REUSEADDR);

our @EXPORT_OK = qw(port_reserve);

my $PORT_MIN = 10240;
my $PORT_MAX = 32000;


sub port_reserve {
    my $span = $PORT_MAX - $PORT_MIN;
    my $first = ($$ * 61 + int(rand($span))) % $span;

    for my $i (0 .. 2000) {
        my $port = $PORT_MIN + ($first + $i * 7) % $span;

        my $lock = IO::Socket::INET->new(
            Proto     => 'udp',
            LocalAddr => '127.0.0.1',
            LocalPort => $port,
        ) or next;

        my $probe = IO::Socket::INET->new(
            Proto     => 'tcp',
            LocalAddr => '127.0.0.1',
            LocalPort => $port,
            Listen    => 1,
            ReuseAddr => 1,
        ) or next;

        close $probe;

        return ($port, $lock);
    }

    die "no free port between $PORT_MIN and $PORT_MAX\n";
}


1;
