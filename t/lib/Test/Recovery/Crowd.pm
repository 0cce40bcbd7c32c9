package Test::Recovery::Crowd;

# Clients that do everything that clients do, at random but from a seed:
# child processes, each a loop over a weighted list of what may happen to a
# connection.
#
#   $c = Test::Recovery::Crowd->new($t, seed => N, clients => 3,
#                                   uris => ['/a', ..])
#   $c->stop        ends them: {kind => {status or error word => count}}
#
# The server of the test has on port 8080 the uris given, /ws (WebSocket) and
# /sse (an endless event stream), and HTTP/2 on port 8082.

use strict;
use warnings;

use Errno;
use Time::HiRes qw(sleep);

use Test::Recovery::Process qw(spawn reap group_kill poll_until);

# what a client does, and how often among 100 times

my @KINDS = (
    [get => 40], [keepalive => 10], [pipeline => 8], [head => 4],
    [post => 6], [expect => 3], [grpc => 4], [http10 => 3],
    [abort => 8], [abort_body => 4], [abort_upload => 3],
    [websocket => 2], [sse => 2], [garbage => 1], [h2 => 2],
);

my @ARGS = ('', '', '', '?status=500', '?status=404', '?delay=0.05',
            '?delay=0.3', '?close=before', '?close=mid', '?size=100000');


sub new {
    my ($class, $t, %o) = @_;

    my $self = bless { t => $t, pids => [] }, $class;

    for my $i (1 .. $o{clients} // 3) {
        push @{$self->{pids}}, spawn(code => sub {
            srand($o{seed} + $i);
            _client($t, $o{uris}, $t->dir() . "/crowd.$i");
        }, stderr => $t->dir() . '/crowd.err');
    }

    return $self;
}


sub stop {
    my ($self) = @_;

    my %seen;

    kill 'TERM', $_ for @{$self->{pids}};

    for my $pid (@{$self->{pids}}) {
        reap($pid, 20) or group_kill('KILL', $pid);
    }

    for my $i (1 .. @{$self->{pids}}) {
        for (split /\n/, $self->{t}->read_file("crowd.$i")) {
            my ($kind, $what, $n) = split ' ';
            $seen{$kind}{$what} += $n;
        }
    }

    $self->{pids} = [];

    return \%seen;
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $!, $@);
    group_kill('KILL', $_), reap($_, 5) for @{$self->{pids}};
}


sub _client {
    my ($t, $uris, $file) = @_;

    my @deck = map { ($_->[0]) x $_->[1] } @KINDS;
    my ($stop, %seen);

    local $SIG{TERM} = sub { $stop = 1 };
    local $SIG{PIPE} = 'IGNORE';

    while (!$stop) {
        my $kind = $deck[rand @deck];
        my $uri = $uris->[rand @$uris];

        $uri .= $ARGS[rand @ARGS] unless $uri =~ /\?/;

        my @what = __PACKAGE__->can("_do_$kind")->($t, $uri);

        $seen{$kind}{ref $_ ? $_->{status} || $_->{error} : $_}++ for @what;
        sleep(rand 0.02);
    }

    open my $fh, '>', $file or die "$file: $!\n";

    for my $kind (sort keys %seen) {
        print $fh "$kind $_ $seen{$kind}{$_}\n" for sort keys %{$seen{$kind}};
    }

    close $fh;
}


sub _headers {
    my @headers;

    push @headers, 'X-Priority', (qw(low high bogus), 'x' x 500)[rand 4]
        if rand() < 0.5;
    push @headers, 'X-Class', (qw(critical low none))[rand 3]
        if rand() < 0.3;

    return @headers;
}


# each returns what came of it: responses, or words

sub _do_get {
    my ($t, $uri) = @_;
    return $t->http_get($uri, headers => [_headers()]);
}


sub _do_head { return $_[0]->http_get($_[1], method => 'HEAD') }
sub _do_http10 { return $_[0]->http_get($_[1], version => '1.0') }


sub _do_keepalive {
    my ($t, $uri) = @_;

    my $h = $t->http_connect() or return 'connect';
    my @r;

    for (1 .. 4) {
        push @r, $t->http_get($uri, socket => $h);
        last if !$r[-1]{status} || $r[-1]{closed};
        last if ($r[-1]{headers}{connection} // '') eq 'close';
    }

    $t->http_close($h);

    return @r;
}


sub _do_pipeline {
    my ($t, $uri) = @_;

    my $h = $t->http_connect() or return 'connect';

    $t->http_raw($h, "GET $uri HTTP/1.1\r\nHost: a\r\n\r\n" x 3
                     . "GET $uri HTTP/1.1\r\nHost: a\r\n"
                     . "Connection: close\r\n\r\n");

    my @r;

    for (1 .. 4) {
        push @r, $t->http_end($h);
        last if !$r[-1]{status};
        last if ($r[-1]{headers}{connection} // '') eq 'close';
    }

    $t->http_close($h);

    return @r;
}


sub _do_post {
    my ($t, $uri) = @_;

    return $t->http_get($uri, method => (qw(POST PUT DELETE))[rand 3],
                        body => 'x' x rand 50_000);
}


sub _do_expect {
    my ($t, $uri) = @_;

    my $h = $t->http_connect() or return 'connect';

    $t->http_raw($h, "POST $uri HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                     . "Connection: close\r\nExpect: 100-continue\r\n\r\n");

    # the response reader skips what is not final

    poll_until(sub {
        $h->{s}->blocking(0);
        return sysread($h->{s}, ${$h->{buf}}, 4096, length ${$h->{buf}}) // 0
               || !$!{EAGAIN};
    }, 1);

    # nobody may wait for ever (RFC 9110, 10.1.1): where error_page leads to
    # a proxy, nginx expects the body without asking for it

    $t->http_raw($h, 'hello') if ${$h->{buf}} =~ m{^(?:HTTP/1.1 100 |\z)};

    my $r = $t->http_end($h);

    $t->http_close($h);

    return $r;
}


# not closed by the client: an answer without an end would hang here

sub _do_grpc {
    my ($t, $uri) = @_;

    my $h = $t->http_connect() or return 'connect';
    my $r = $t->http_get($uri, socket => $h, method => 'POST', body => 'xx',
                         headers => ['Content-Type', 'application/grpc+x']);

    $t->http_close($h);

    return $r;
}


sub _do_abort {
    my ($t, $uri) = @_;

    my $h = $t->http_start($uri);

    sleep(rand 0.1);
    $t->http_close($h);

    return 'left';
}


sub _do_abort_body {
    my ($t, $uri) = @_;

    my $h = $t->http_start($uri =~ s/\?.*//r . '?size=3000000');

    return 'connect' unless $h->{s};

    sysread $h->{s}, my $some, 1000;
    $t->http_close($h);

    return 'left';
}


sub _do_abort_upload {
    my ($t, $uri) = @_;

    my $h = $t->http_connect() or return 'connect';

    $t->http_raw($h, "POST $uri HTTP/1.1\r\nHost: a\r\n"
                     . "Content-Length: 100000\r\n\r\n" . 'x' x rand 5000);
    sleep(rand 0.1);
    $t->http_close($h);

    return 'left';
}


sub _do_websocket {
    my ($t) = @_;

    my $h = $t->http_start('/ws', headers => {
        Connection => 'Upgrade', Upgrade => 'websocket' });
    my $r = $t->http_head($h);

    if ($r->{status} == 101) {
        $t->http_raw($h, 'hello');
        sleep(rand 0.5);
    }

    $t->http_close($h);

    return $r;
}


sub _do_sse {
    my ($t) = @_;

    my $h = $t->http_start('/sse?sse=2');
    my $r = $t->http_head($h);

    sleep(rand 0.3);
    $t->http_close($h);

    return $r;
}


sub _do_garbage {
    my ($t) = @_;

    my $h = $t->http_connect() or return 'connect';

    $t->http_raw($h, ("GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\0" x 100,
                      "GET /%%% HTTP/1.1\r\nHost: a\r\n\r\n")[rand 4]);

    my $r = $t->http_end($h, timeout => 2);

    $t->http_close($h);

    return $r;
}


# a few streams of one connection; what nghttp says does not matter here

sub _do_h2 {
    my ($t, $uri) = @_;

    my $url = 'http://127.0.0.1:' . $t->port(8082);
    my $null = '/dev/null';
    my $pid = spawn(cmd => ['nghttp', '-n', '-t', 5, map { "$url$_" }
                            $uri, '/plain', '/d1', $uri],
                    stdout => $null, stderr => $null);

    if (rand() < 0.3) {
        sleep(rand 0.1);
        kill 'KILL', $pid;
    }

    my ($gone, $status) = reap($pid, 15);

    group_kill('KILL', $pid) unless $gone;

    return !$gone ? 'timeout' : $status ? 'left' : 'done';
}


1;
