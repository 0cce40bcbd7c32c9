package Test::Recovery::Backend;

# A scriptable HTTP/1 backend in a child process: fork and select, no
# blocking anywhere.  What it does with a request comes from three places,
# the later wins: defaults (set), a path prefix (set_path), and arguments of
# the URI:
#
#   status=N        answer with this status
#   delay=S         wait so many seconds before the answer
#   hang=1          no answer until release()
#   close=before    close without a byte; close=mid: after half of the body
#   size=N          body of N bytes (default: a line that says what came)
#   type=T          Content-Type
#   header=N:V      one more response header (may be repeated in the URI)
#   sse=N           text/event-stream: N events at once, then open until
#                   release()
#
# "Upgrade:" in the request: 101, then every byte is echoed.
#
# In the test:
#
#   $b->set(status => 500); $b->set_path('/slow', delay => 1);
#   $b->release; $b->release('/path')    answer what hangs
#   $b->count; $b->count('/path')        requests seen (all, or by path)
#   $b->active; $b->active_max           being worked on now; most at once
#   $b->requests                         [{time, method, uri, path, headers,
#                                          body_len, version}, ...]
#   $b->connections                      accepted so far
#   $b->aborted                          client gone before our answer
#   $b->reset                            forget what was seen
#   $b->refuse; $b->accept_again         close / reopen the listening socket
#   $b->stop

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use List::Util qw(min);
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Time::HiRes qw(time);

use Test::Recovery::Process qw(slow spawn reap group_kill);

my $REQUESTS_MAX = 50_000;


sub new {
    my ($class, %o) = @_;

    my $listen = _listen($o{port}) or die "backend: port $o{port}: $!\n";

    my ($near, $far) = IO::Socket->socketpair(AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "socketpair() failed: $!\n";

    my $self = bless { port => $o{port}, ctl => $near, owner => $$ }, $class;

    $self->{pid} = spawn(code => sub {
        close $near;
        _serve($listen, $far, \%o);
    }, stderr => $o{stderr});

    close $listen;
    close $far;

    return $self;
}


sub port { $_[0]{port} }
sub pid { $_[0]{pid} }


sub _listen {
    my ($port) = @_;

    return IO::Socket::INET->new(
        Proto     => 'tcp',
        LocalAddr => '127.0.0.1',
        LocalPort => $port,
        Listen    => 1024,
        ReuseAddr => 1,
    );
}


sub _ask {
    my ($self, %cmd) = @_;

    my $ctl = $self->{ctl};

    local $SIG{PIPE} = 'IGNORE';
    syswrite $ctl, JSON::PP->new->encode(\%cmd) . "\n";

    my $buf = '';
    my $end = time() + 10 * slow();
    my $select = IO::Select->new($ctl);

    while ($buf !~ /\n\z/) {
        die "backend does not answer \"$cmd{cmd}\"\n" if time() > $end;
        next unless $select->can_read(0.5);
        sysread($ctl, $buf, 1 << 20, length $buf) or die "backend is gone\n";
    }

    return JSON::PP->new->allow_nonref->decode($buf);
}


sub set { my ($s, %o) = @_; $s->_ask(cmd => 'set', o => \%o) }
sub release { $_[0]->_ask(cmd => 'release', path => $_[1]) }
sub reset { $_[0]->_ask(cmd => 'reset') }
sub refuse { $_[0]->_ask(cmd => 'refuse') }
sub accept_again { $_[0]->_ask(cmd => 'accept') }
sub seen { $_[0]->_ask(cmd => 'seen') }
sub active { $_[0]->seen->{active} }
sub active_max { $_[0]->seen->{active_max} }
sub aborted { $_[0]->seen->{aborted} }
sub connections { $_[0]->seen->{connections} }
sub requests { $_[0]->_ask(cmd => 'requests') }


sub set_path {
    my ($self, $path, %o) = @_;
    return $self->_ask(cmd => 'set_path', path => $path, o => \%o);
}


sub count {
    my ($self, $path) = @_;

    my $seen = $self->seen();

    return defined $path ? $seen->{paths}{$path} // 0 : $seen->{count};
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    close delete $self->{ctl};
    kill 'KILL', $pid;
    reap($pid, 5);
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $!, $@);
    $self->stop() if $self->{owner} == $$;
}


# the child's side; one hash holds all of its state

sub _serve {
    my ($listen, $ctl, $o) = @_;

    $SIG{PIPE} = 'IGNORE';
    $_->blocking(0) for $listen, $ctl;

    my $b = {
        port => $o->{port}, name => $o->{name} // 'backend',
        listen => $listen, ctl => $ctl, ctl_buf => '', defaults => {},
        paths => {}, conns => {}, timers => [],
    };

    _forget($b);

    while (1) {
        my $rd = IO::Select->new($ctl, map { $_->{s} } values %{$b->{conns}});
        my $wr = IO::Select->new(map { $_->{s} }
                                 grep { length $_->{out} }
                                 values %{$b->{conns}});

        $rd->add($b->{listen}) if $b->{listen};

        my $next = min(map { $_->[0] } @{$b->{timers}});
        my $wait = defined $next ? $next - time() : 5;
        my ($r, $w) = IO::Select->select($rd, $wr, undef,
                                         $wait < 0 ? 0 : $wait);

        _timers($b);

        for my $s (@{$w // []}) {
            my $c = $b->{conns}{fileno $s // next} or next;
            _flush($b, $c);
        }

        for my $s (@{$r // []}) {
            if ($s == $ctl) {
                return unless _control($b);

            } elsif ($b->{listen} && $s == $b->{listen}) {
                _accept($b);

            } else {
                my $c = $b->{conns}{fileno $s // next} or next;
                _readable($b, $c);
            }
        }
    }
}


sub _forget {
    my ($b) = @_;

    $b->{seen} = { count => 0, paths => {}, active_max => 0, aborted => 0,
                   connections => 0 };
    $b->{requests} = [];
}


sub _control {
    my ($b) = @_;

    my $n = sysread $b->{ctl}, $b->{ctl_buf}, 65536, length $b->{ctl_buf};
    return 0 if defined $n && $n == 0;

    while ($b->{ctl_buf} =~ s/\A([^\n]*)\n//) {
        my $reply = JSON::PP->new->allow_nonref
                    ->encode(_command($b, JSON::PP->new->decode($1)));

        $b->{ctl}->blocking(1);
        print {$b->{ctl}} "$reply\n";
        $b->{ctl}->flush();
        $b->{ctl}->blocking(0);
    }

    return 1;
}


sub _command {
    my ($b, $q) = @_;

    my $cmd = $q->{cmd};

    if ($cmd eq 'set') {
        $b->{defaults} = $q->{o};

    } elsif ($cmd eq 'set_path') {
        $b->{paths}{$q->{path}} = $q->{o};

    } elsif ($cmd eq 'reset') {
        _forget($b);

    } elsif ($cmd eq 'refuse') {
        close $b->{listen} if $b->{listen};
        $b->{listen} = undef;

    } elsif ($cmd eq 'accept') {
        $b->{listen} //= _listen($b->{port});
        return undef unless $b->{listen};
        $b->{listen}->blocking(0);

    } elsif ($cmd eq 'release') {
        my @held = grep { $_->{held}
                          && (!defined $q->{path} || $_->{path} eq $q->{path})
                        } values %{$b->{conns}};

        (delete $_->{held})->() for @held;
        return scalar @held;

    } elsif ($cmd eq 'seen') {
        return { %{$b->{seen}}, active => _active($b) };

    } elsif ($cmd eq 'requests') {
        return $b->{requests};
    }

    return 1;
}


sub _active {
    my ($b) = @_;
    return scalar grep { $_->{busy} } values %{$b->{conns}};
}


sub _accept {
    my ($b) = @_;

    while (my $s = $b->{listen}->accept()) {
        $s->blocking(0);
        $b->{seen}{connections}++;
        $b->{conns}{fileno $s} = { s => $s, fd => fileno $s, in => '',
                                   out => '', busy => 0, path => '' };
    }
}


sub _drop {
    my ($b, $c) = @_;

    $b->{seen}{aborted}++ if $c->{busy};
    $c->{busy} = 0;
    $c->{gone} = 1;
    delete $c->{held};
    delete $b->{conns}{$c->{fd}};
    close $c->{s};
}


sub _flush {
    my ($b, $c) = @_;

    while (length $c->{out}) {
        my $n = syswrite $c->{s}, $c->{out};

        if (!defined $n) {
            return if $!{EAGAIN};
            return _drop($b, $c);
        }

        substr $c->{out}, 0, $n, '';
    }

    return _drop($b, $c) if $c->{last};

    _next_request($b, $c) if !$c->{busy} && length $c->{in};
}


sub _readable {
    my ($b, $c) = @_;

    my $n = sysread $c->{s}, $c->{in}, 65536, length $c->{in};

    return if !defined $n && $!{EAGAIN};
    return _drop($b, $c) unless $n;

    if ($c->{echo}) {
        $c->{out} .= $c->{in};
        $c->{in} = '';
        return _flush($b, $c);
    }

    _next_request($b, $c) unless $c->{busy};
}


sub _next_request {
    my ($b, $c) = @_;

    my ($head, $rest) = $c->{in} =~ /\A(.*?)\r\n\r\n(.*)\z/s or return;
    my ($line, @lines) = split /\r\n/, $head;
    my ($method, $uri, $version) = $line =~ m{^(\S+) (\S+) HTTP/(\S+)$}
        or return _drop($b, $c);
    my %h = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @lines;
    my $length = 0;

    if (lc($h{'transfer-encoding'} // '') eq 'chunked') {
        my $end = index $rest, "0\r\n\r\n";
        return if $end < 0;
        $length = $end + 5;

    } elsif ($h{'content-length'}) {
        $length = $h{'content-length'};
        return if length $rest < $length;
    }

    substr $rest, 0, $length, '';
    $c->{in} = $rest;
    $c->{busy} = 1;
    ($c->{path}) = $uri =~ /^([^?]*)/;
    $c->{last} = lc($h{connection} // '') eq 'close'
                 || ($version eq '1.0'
                     && lc($h{connection} // '') ne 'keep-alive');

    my $seen = $b->{seen};

    $seen->{count}++;
    $seen->{paths}{$c->{path}}++;

    my $active = _active($b);
    $seen->{active_max} = $active if $active > $seen->{active_max};

    push @{$b->{requests}}, { time => time(), method => $method, uri => $uri,
                              path => $c->{path}, headers => \%h,
                              version => $version, body_len => $length }
        if @{$b->{requests}} < $REQUESTS_MAX;

    _behave($b, $c, $method, $uri, \%h);
}


# apart: where $b is a backend, sort has no $b

sub _by_length { sort { length $a <=> length $b } @_ }


sub _rules {
    my ($b, $c, $uri) = @_;

    my %rule = %{$b->{defaults}};

    for my $prefix (_by_length(keys %{$b->{paths}})) {
        next if index($c->{path}, $prefix) != 0;
        %rule = (%rule, %{$b->{paths}{$prefix}});
    }

    my @headers = ref $rule{header} ? @{$rule{header}} : $rule{header} // ();
    my ($args) = $uri =~ /\?(.*)$/;

    for my $arg (split /&/, $args // '') {
        my ($name, $value) = split /=/, $arg, 2;

        $value //= 1;
        $value =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge;

        if ($name eq 'header') {
            push @headers, $value;

        } else {
            $rule{$name} = $value;
        }
    }

    $rule{header} = \@headers;

    return \%rule;
}


sub _behave {
    my ($b, $c, $method, $uri, $h) = @_;

    my $rule = _rules($b, $c, $uri);

    if ($h->{upgrade} && lc $h->{upgrade} ne 'h2c') {
        $c->{echo} = 1;
        $c->{last} = 0;
        $c->{out} .= "HTTP/1.1 101 Switching Protocols\r\n"
                     . "Upgrade: $h->{upgrade}\r\nConnection: Upgrade\r\n\r\n"
                     . $c->{in};
        $c->{in} = '';
        return _flush($b, $c);
    }

    my $answer = sub {
        return if $c->{gone};
        return _sse($b, $c, $rule) if $rule->{sse};
        _answer($b, $c, $rule, $method, $uri);
    };

    if ($rule->{hang}) {
        $c->{held} = $answer;

    } elsif ($rule->{delay}) {
        push @{$b->{timers}}, [time() + $rule->{delay}, $answer];

    } else {
        $answer->();
    }
}


sub _timers {
    my ($b) = @_;

    my $now = time();
    my @due = grep { $_->[0] <= $now } @{$b->{timers}};

    $b->{timers} = [grep { $_->[0] > $now } @{$b->{timers}}];
    $_->[1]->() for @due;
}


sub _head {
    my ($b, $rule, $status, %more) = @_;

    my $head = "HTTP/1.1 $status Scripted\r\n"
               . "X-Backend: $b->{name}\r\nX-Count: $b->{seen}{count}\r\n";

    $head .= "$_: $more{$_}\r\n" for sort keys %more;

    for my $header (@{$rule->{header}}) {
        my ($name, $value) = split /:\s*/, $header, 2;
        $head .= "$name: $value\r\n";
    }

    return $head;
}


sub _sse {
    my ($b, $c, $rule) = @_;

    $c->{out} .= _head($b, $rule, 200, 'Content-Type' => 'text/event-stream',
                       'Connection' => 'close') . "\r\n"
                 . join '', map { "data: $_\n\n" } 1 .. $rule->{sse};

    $c->{held} = sub {
        $c->{busy} = 0;
        $c->{last} = 1;
        _flush($b, $c);
    };

    _flush($b, $c);
}


sub _answer {
    my ($b, $c, $rule, $method, $uri) = @_;

    my $close = $rule->{close} // '';
    my $body = defined $rule->{size} ? 'x' x $rule->{size}
                                     : "$b->{name} $method $uri\n";

    $c->{busy} = 0;

    return _drop($b, $c) if $close eq 'before';

    $c->{out} .= _head($b, $rule, $rule->{status} // 200,
                       'Content-Type' => $rule->{type} // 'text/plain',
                       'Content-Length' => length $body,
                       'Connection' => $c->{last} ? 'close' : 'keep-alive')
                 . "\r\n";

    if ($close eq 'mid') {
        $c->{out} .= substr $body, 0, length($body) / 2;
        $c->{last} = 1;

    } elsif ($method ne 'HEAD') {
        $c->{out} .= $body;
    }

    _flush($b, $c);
}


1;
