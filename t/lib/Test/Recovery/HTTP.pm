package Test::Recovery::HTTP;

# An HTTP/1 client on raw sockets that shows exactly what came back: nothing
# is followed, retried or repaired.  A response is a hash:
#
#   status, reason, version    numbers and words of the status line
#   headers                    name in lower case => value (several: ", ")
#   header_list                [[Name, value], ...] as received
#   body                       decoded (content-length, chunked, until close)
#   time_s                     from sending to the last byte
#   error                      'connect', 'timeout' or 'closed'; status is 0
#   closed                     the server closed the connection

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use Test::Recovery::Process qw(slow);

our @EXPORT_OK = qw(connect_to request_text send_all read_response
                    parse_response burst);


# connect_to(port => N | unix => PATH): a socket or undef

sub connect_to {
    my (%o) = @_;

    if ($o{unix}) {
        return IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $o{unix});
    }

    my $s = IO::Socket::INET->new(
        Proto    => 'tcp',
        PeerAddr => $o{addr} // '127.0.0.1',
        PeerPort => $o{port},
        Timeout  => 10 * slow(),
    ) or return undef;

    setsockopt($s, IPPROTO_TCP, TCP_NODELAY, 1);

    return $s;
}


# request_text('/uri', method, headers => {..} | [..], body, version, close)

sub request_text {
    my ($uri, %o) = @_;

    my $method = $o{method} // 'GET';
    my $version = $o{version} // '1.1';
    my @headers = ref $o{headers} eq 'HASH' ? %{$o{headers}}
                                            : @{$o{headers} // []};
    my %names = map { $_ % 2 ? () : (lc $headers[$_] => 1) } 0 .. $#headers;

    my $out = "$method $uri HTTP/$version\r\n";

    $out .= 'Host: ' . ($o{host} // 'localhost') . "\r\n" unless $names{host};
    $out .= "Connection: close\r\n" if $o{close} && !$names{connection};

    if (defined $o{body} && !$names{'content-length'}
        && !$names{'transfer-encoding'})
    {
        $out .= 'Content-Length: ' . length($o{body}) . "\r\n";
    }

    while (@headers) {
        my ($name, $value) = splice @headers, 0, 2;
        $out .= "$name: $value\r\n";
    }

    return $out . "\r\n" . ($o{body} // '');
}


sub send_all {
    my ($s, $data) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $end = time() + 20 * slow();
    my $off = 0;

    while ($off < length $data) {
        my $n = syswrite($s, $data, length($data) - $off, $off);

        if (!defined $n) {
            return 0 unless $!{EAGAIN} || $!{EINTR};
            return 0 if time() > $end;
            IO::Select->new($s)->can_write(0.1);
            next;
        }

        $off += $n;
    }

    return 1;
}


# Takes one response off the front of $$buf.  Returns undef while more bytes
# are needed; $eof says that none will come.

sub parse_response {
    my ($buf, $method, $eof) = @_;

    my ($head, $rest) = $$buf =~ /\A(.*?\r?\n)\r?\n(.*)\z/s or return undef;
    my ($status_line, @lines) = split /\r?\n/, $head;
    my %r = (headers => {}, header_list => [], head => $head, body => '');

    ($r{version}, $r{status}, $r{reason})
        = $status_line =~ m{^HTTP/(\d\.\d) (\d{3}) ?(.*)$}
        or return { %r, status => 0, error => 'garbage' };

    for my $line (@lines) {
        my ($name, $value) = $line =~ /^([^:]+):\s*(.*)$/ or next;

        push @{$r{header_list}}, [$name, $value];
        $name = lc $name;
        $r{headers}{$name} = defined $r{headers}{$name}
                             ? "$r{headers}{$name}, $value" : $value;
    }

    if ($r{status} >= 100 && $r{status} < 200 && $r{status} != 101) {
        $$buf = $rest;
        return parse_response($buf, $method, $eof);
    }

    my $h = $r{headers};

    if ($method eq 'HEAD' || $r{status} == 204 || $r{status} == 304
        || $r{status} == 101)
    {
        $$buf = $rest;
        return \%r;
    }

    if (lc($h->{'transfer-encoding'} // '') eq 'chunked') {
        return undef unless _dechunk(\$rest, \$r{body}) || $eof;
        $$buf = $rest;
        return \%r;
    }

    if (defined(my $length = $h->{'content-length'})) {
        if (length($rest) < $length) {
            return undef unless $eof;
            $r{truncated} = 1;
            $length = length $rest;
        }

        $r{body} = substr $rest, 0, $length, '';
        $$buf = $rest;
        return \%r;
    }

    return undef unless $eof;

    $r{body} = $rest;
    $$buf = '';

    return \%r;
}


sub _dechunk {
    my ($in, $out) = @_;

    my $src = $$in;
    my $dst = '';

    while ($src =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//) {
        my $size = hex $1;

        if ($size == 0) {
            return 0 unless $src =~ s/\A(?:[^\r\n]+\r\n)*\r\n//;
            ($$in, $$out) = ($src, $dst);
            return 1;
        }

        return 0 if length($src) < $size + 2;

        $dst .= substr $src, 0, $size, '';
        substr $src, 0, 2, '';
    }

    return 0;
}


# Reads one response from a socket; what follows it stays in $$buf.
# $head_only returns as soon as the headers are there.

sub read_response {
    my ($s, %o) = @_;

    my $buf = $o{buf} // \(my $own = '');
    my $method = $o{method} // 'GET';
    my $start = $o{start} // time();
    my $end = time() + ($o{timeout} // 10 * slow());
    my $eof = 0;

    while (1) {
        my $r = parse_response($buf, $method, $eof);

        if (!$r && $o{head_only} && $$buf =~ /\r?\n\r?\n/) {
            my $head = $$buf =~ s/\r?\n\r?\n.*\z/\r\n\r\n/sr;
            $r = parse_response(\$head, 'HEAD', 1);
        }

        if ($r) {
            return { %$r, time_s => time() - $start, closed => $eof };
        }

        my $error = $eof ? 'closed' : time() > $end ? 'timeout' : undef;

        if ($error) {
            return { status => 0, error => $error, headers => {}, body => '',
                     header_list => [], partial => $$buf, closed => $eof,
                     time_s => time() - $start };
        }

        my $left = $end - time();
        next unless IO::Select->new($s)->can_read($left > 0 ? $left : 0);

        my $n = sysread $s, $$buf, 65536, length $$buf;

        $eof = 1 if !defined $n ? !($!{EAGAIN} || $!{EINTR}) : $n == 0;
    }
}


# All of a list of [uri, %options] at once, each on its own connection;
# answers in the order of the list.

sub burst {
    my ($target, $timeout, @requests) = @_;

    my $select = IO::Select->new();
    my (%by, @r);

    for my $i (0 .. $#requests) {
        my ($uri, %o) = @{$requests[$i]};
        my $s = connect_to(%$target);

        $r[$i] = { status => 0, error => 'connect', headers => {},
                   header_list => [], body => '', time_s => 0 };
        next unless $s;

        $s->blocking(0);
        $by{fileno $s} = { i => $i, s => $s, buf => '', t => time(),
                           method => $o{method} // 'GET' };
        send_all($s, request_text($uri, close => 1, %o));
        $select->add($s);
        $r[$i]{error} = 'timeout';
    }

    my $end = time() + $timeout;

    while ($select->count() && time() < $end) {
        for my $s ($select->can_read(0.1)) {
            my $c = $by{fileno $s};
            my $n = sysread $s, $c->{buf}, 65536, length $c->{buf};

            next if !defined $n && ($!{EAGAIN} || $!{EINTR});

            my $r = parse_response(\$c->{buf}, $c->{method}, !$n);

            if ($r) {
                $r[$c->{i}] = { %$r, time_s => time() - $c->{t} };

            } elsif (!$n) {
                $r[$c->{i}]{error} = 'closed';

            } else {
                next;
            }

            $select->remove($s);
            close $s;
        }
    }

    return @r;
}


1;
