package Test::Recovery::Client;

# The client half of Test::Recovery: requests to the nginx under test, by the
# symbolic name of its port.  Described in Test::Recovery.

use strict;
use warnings;

use Time::HiRes qw(time);

use Test::Recovery::HTTP qw(connect_to request_text send_all read_response
                            burst);
use Test::Recovery::Load;
use Test::Recovery::Process qw(slow spawn reap);


sub _target {
    my ($self, $o) = @_;

    my $unix = delete $o->{unix};
    my $port = delete $o->{port} // 8080;

    return $unix ? (unix => $unix) : (port => $self->port($port));
}


sub http_get {
    my ($self, $uri, %o) = @_;

    my $h = $o{socket} ? $self->http_send_on($o{socket}, $uri, %o)
                       : $self->http_start($uri, close => 1, %o);

    return $self->http_end($h, %o);
}


sub http_connect {
    my ($self, %o) = @_;

    my $s = connect_to($self->_target(\%o)) or return;

    return { s => $s, buf => \(my $buf = ''), start => time(),
             method => 'GET' };
}


sub http_start {
    my ($self, $uri, %o) = @_;

    my $h = $self->http_connect(map { $_ => $o{$_} }
                                grep { exists $o{$_} } qw(unix port));

    return $h ? $self->http_send_on($h, $uri, %o) : { error => 'connect' };
}


sub http_send_on {
    my ($self, $h, $uri, %o) = @_;

    delete @o{qw(unix port socket timeout)};
    $h->{method} = $o{method} // 'GET';
    $h->{start} = time();
    send_all($h->{s}, request_text($uri, %o));

    return $h;
}


sub http_end {
    my ($self, $h, %o) = @_;

    return { status => 0, error => $h->{error}, headers => {}, body => '' }
        unless $h->{s};

    return read_response($h->{s}, buf => $h->{buf}, method => $h->{method},
                         start => $h->{start}, timeout => $o{timeout},
                         head_only => $o{head_only});
}


sub http_head {
    my ($self, $h, %o) = @_;
    return $self->http_end($h, %o, head_only => 1);
}


sub http_close {
    my ($self, $h) = @_;
    close delete $h->{s} if $h->{s};
}


sub http_raw {
    my ($self, $h, $data) = @_;
    return send_all($h->{s}, $data);
}


sub http_pipeline {
    my ($self, $uris, %o) = @_;

    my $h = $self->http_connect(%o);
    my $last = $#$uris;

    send_all($h->{s}, join '', map {
        request_text($uris->[$_], %o, close => $_ == $last)
    } 0 .. $last);

    return map { $self->http_end($h, %o) } 0 .. $last;
}


# http_burst(20, '/uri', %o) or http_burst([['/a', %o], '/b', ...], %o)

sub http_burst {
    my ($self, @args) = @_;

    my @list = ref $args[0] ? map { ref $_ ? $_ : [$_] } @{shift @args}
               : do { my ($n, $uri) = splice @args, 0, 2; ([$uri]) x $n };
    my %o = @args;
    my $timeout = delete $o{timeout} // 20 * slow();
    my %target = $self->_target(\%o);

    return burst(
        \%target, $timeout, map { [$_->[0], %o, @$_[1 .. $#$_]] } @list);
}


# open-loop load: see Test::Recovery::Load

sub load {
    my ($self, %o) = @_;

    my %target = $self->_target(\%o);

    return Test::Recovery::Load->new(%o, target => \%target);
}


sub curl {
    my ($self, @args) = @_;

    my $n = ++$self->{curls};
    my ($head, $body) = ("curl$n.head", "curl$n.body");

    my $pid = spawn(cmd => ['curl', '-sS', '--max-time', 10 * slow(), '-D',
                            "$self->{dir}/$head", '-o', "$self->{dir}/$body",
                            map { $self->expand($_) } @args],
                    stderr => "$self->{dir}/curl$n.err");
    reap($pid, 15);

    my ($line, @lines) = split /\r?\n/, $self->read_file($head);
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @lines;
    my ($status) = ($line // '') =~ m{^HTTP/\S+ (\d+)};

    return { status => $status // 0, headers => \%headers,
             head => $self->read_file($head), body => $self->read_file($body),
             error => $self->read_file("curl$n.err") };
}


# One HTTP/2 request by nghttp, which sends headers and body in one write and
# shows the frames: what nginx answers before it has read the body is seen as
# it is (curl 7.88 gives up on such an answer, from a plain "return" too).

sub h2 {
    my ($self, $uri, %o) = @_;

    my $n = ++$self->{h2s};
    my $out = "h2.$n";
    my $port = $self->port($o{port} // 8080);
    my %headers = (':method' => $o{method} // 'GET', %{$o{headers} // {}});
    my @args = map { ('-H', "$_: $headers{$_}") } sort keys %headers;

    push @args, '-d', $self->write_file("$out.body", $o{body})
        if defined $o{body};

    my $pid = spawn(cmd => ['nghttp', '-v', '-n', '-t', 10 * slow(), @args,
                            "http://127.0.0.1:$port$uri"],
                    stdout => "$self->{dir}/$out",
                    stderr => "$self->{dir}/$out");
    reap($pid, 15);

    my $text = $self->read_file($out);
    my %seen = $text =~ /recv \(stream_id=\d+\) (:?[^:\s]+): (.*)$/mg;
    my $bytes = 0;

    $bytes += $_ for $text =~ /recv DATA frame <length=(\d+)/g;

    return { status => $seen{':status'} // 0, headers => \%seen,
             bytes => $bytes, text => $text };
}


1;
