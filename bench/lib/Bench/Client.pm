package Bench::Client;

# One request after the other on one kept connection.

use strict;
use warnings;

use IO::Socket::INET;

my $TIMEOUT_S = 120;


sub new {
    my ($class, %o) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $o{port});

    if (!$s) {
        return undef if $o{quiet};
        die "port $o{port}: $!\n";
    }

    return bless { s => $s }, $class;
}


sub send {
    my ($self, $uri) = @_;

    my $text = "GET $uri HTTP/1.1\r\nHost: bench\r\n\r\n";
    syswrite($self->{s}, $text) == length $text or die "write: $!\n";
}


# (status, body)

sub get {
    my ($self, $uri) = @_;

    $self->send($uri);

    my $buf = '';
    local $SIG{ALRM} = sub { die "no answer from nginx\n" };
    alarm $TIMEOUT_S;

    while (1) {
        sysread $self->{s}, $buf, 1 << 20, length $buf
            or die "nginx has closed the connection: $!\n";

        last if _whole($buf);
    }

    alarm 0;

    my ($status) = $buf =~ m{^HTTP/1\.1 (\d+)};
    my ($body) = $buf =~ /\r\n\r\n(.*)/s;

    return ($status, $body);
}


sub _whole {
    my $head = index $_[0], "\r\n\r\n";

    return 0 if $head < 0;

    my $headers = substr $_[0], 0, $head;

    if ($headers =~ /^Content-Length: (\d+)/mi) {
        return length($_[0]) >= $head + 4 + $1;
    }

    return substr($_[0], -5) eq "0\r\n\r\n"
           || $headers =~ m{^HTTP/1\.1 (204|304)};
}


# status => how often

sub many {
    my ($self, $n, $uri) = @_;

    my %statuses;

    for (1 .. $n) {
        my ($status) = $self->get($uri // '/x');
        $statuses{$status}++;
    }

    return \%statuses;
}


1;
