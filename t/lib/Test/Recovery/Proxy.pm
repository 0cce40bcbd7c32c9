package Test::Recovery::Proxy;

# Stands between nginx and a real server and does to the bytes what networks
# do.  A child process; select, and no blocking anywhere.
#
#   $p = Test::Recovery::Proxy->new($t, 6390, 6379)     listens, leads to
#   $p->fault(%o)       from now on, for open connections too
#   $p->fault()         honest again; nothing that was swallowed comes back
#   $p->drop            closes all connections; drop(1): with a reset
#   $p->seen            {connections, open, up, down}: bytes since reset
#   $p->reset           counts from 0
#
# fault(): any of
#
#   swallow => 1        nothing comes through, connections stay: a partition
#   delay_s => S        everything comes so much later, each way
#   drip_s => S         every byte of an answer so long after the last
#   garble => 1         no byte of an answer is what it was
#   cut => N            after so many bytes of answers a connection is closed
#   cut_by => 'reset'   .. is reset; 'half': only our half of it is closed
#   refuse => 1         nobody listens any more

use strict;
use warnings;

use IO::Select;
use IO::Socket;
use JSON::PP;
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

use Test::Recovery::Process qw(slow);

my $CHUNK = 16384;


sub new {
    my ($class, $t, $port, $to) = @_;

    my ($near, $far) = IO::Socket->socketpair(AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "socketpair() failed: $!\n";

    $to = $t->port($to);

    my $pid = $t->daemon($port, sub {
        my ($listen) = @_;
        close $near;
        _serve({ listen => $listen, ctl => $far, in => '', o => {},
                 port => $t->port($port), to => $to, links => {} });
    });

    close $far;

    return bless { ctl => $near, pid => $pid, port => $t->port($port) },
                 $class;
}


sub port { $_[0]{port} }
sub fault { my ($self, %o) = @_; $self->_ask(cmd => 'fault', o => \%o) }
sub drop { $_[0]->_ask(cmd => 'drop', reset => $_[1] // 0) }
sub seen { $_[0]->_ask(cmd => 'seen') }
sub reset { $_[0]->_ask(cmd => 'reset') }


sub _ask {
    my ($self, %cmd) = @_;

    local $SIG{PIPE} = 'IGNORE';
    syswrite $self->{ctl}, JSON::PP->new->encode(\%cmd) . "\n";

    my $buf = '';
    my $end = time() + 20 * slow();
    my $select = IO::Select->new($self->{ctl});

    while ($buf !~ /\n\z/) {
        die "proxy does not answer \"$cmd{cmd}\"\n" if time() > $end;
        next unless $select->can_read(0.5);
        sysread($self->{ctl}, $buf, 1 << 16, length $buf)
            or die "proxy is gone\n";
    }

    return JSON::PP->new->allow_nonref->decode($buf);
}


# The child's side.  A link has two ends; an end has a socket, the other end,
# what is to be written to it as a list of [when, bytes], and how much went.

sub _serve {
    my ($p) = @_;

    $SIG{PIPE} = 'IGNORE';
    $_->blocking(0) for $p->{listen}, $p->{ctl};
    $p->{seen} = { connections => 0, up => 0, down => 0 };

    while (1) {
        my $now = time();
        my $wait = 1;
        my @w;

        for my $end (values %{$p->{links}}) {
            my $first = $end->{out}[0] or next;
            my $in_s = $first->[0] - $now;

            push @w, $end->{s} if $in_s <= 0;
            $wait = $in_s if $in_s > 0 && $in_s < $wait;
        }

        my @r = ($p->{ctl}, $p->{listen} // (),
                 map { $_->{s} } grep { !$_->{eof} } values %{$p->{links}});
        my ($r, $w) = IO::Select->select(IO::Select->new(@r),
                                         @w ? IO::Select->new(@w) : undef,
                                         undef, $wait);

        for my $s (@{$w // []}) {
            my $end = $p->{links}{fileno $s // next} or next;
            _write($p, $end);
        }

        for my $s (@{$r // []}) {
            if ($s == $p->{ctl}) {
                _control($p) or return;

            } elsif ($p->{listen} && $s == $p->{listen}) {
                _accept($p);

            } else {
                my $end = $p->{links}{fileno $s // next} or next;
                _read($p, $end);
            }
        }
    }
}


sub _control {
    my ($p) = @_;

    my $n = sysread $p->{ctl}, $p->{in}, 65536, length $p->{in};

    return 0 if defined $n && $n == 0;

    while ($p->{in} =~ s/\A([^\n]*)\n//) {
        my $reply = _command($p, JSON::PP->new->decode($1));

        $p->{ctl}->blocking(1);
        print {$p->{ctl}} JSON::PP->new->allow_nonref->encode($reply), "\n";
        $p->{ctl}->flush();
        $p->{ctl}->blocking(0);
    }

    return 1;
}


sub _command {
    my ($p, $q) = @_;

    if ($q->{cmd} eq 'fault') {
        $p->{o} = $q->{o};
        $_->{went} = 0 for values %{$p->{links}};
        _listen($p);

        # what ended behind the partition

        _close($p, $_) for grep { $_->{eof} && !$p->{o}{swallow} }
                           values %{$p->{links}};

    } elsif ($q->{cmd} eq 'drop') {
        _close($p, $_, $q->{reset}) for grep { $_->{near} }
                                        values %{$p->{links}};

    } elsif ($q->{cmd} eq 'reset') {
        $p->{seen} = { connections => 0, up => 0, down => 0 };

    } elsif ($q->{cmd} eq 'seen') {
        return { %{$p->{seen}},
                 open => scalar grep { $_->{near} } values %{$p->{links}} };
    }

    return 1;
}


sub _listen {
    my ($p) = @_;

    if ($p->{o}{refuse}) {
        close delete $p->{listen} if $p->{listen};
        return;
    }

    $p->{listen} //= IO::Socket::INET->new(
        Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => $p->{port},
        Listen => 128, ReuseAddr => 1, Blocking => 0)
        or warn "proxy: port $p->{port}: $!\n";
}


sub _accept {
    my ($p) = @_;

    while (my $s = $p->{listen}->accept()) {
        $s->blocking(0);
        $p->{seen}{connections}++;

        my $far = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                        PeerPort => $p->{to});

        # nobody there: as far as the client can tell we are nobody, too

        if (!$far) {
            _reset($s);
            next;
        }

        $far->blocking(0);

        my $near_end = { s => $s, fd => fileno $s, near => 1, out => [],
                         went => 0 };
        my $far_end = { s => $far, fd => fileno $far, near => 0, out => [],
                        went => 0, to => $near_end };

        $near_end->{to} = $far_end;
        $p->{links}{$_->{fd}} = $_ for $near_end, $far_end;
    }
}


sub _reset {
    my ($s) = @_;

    setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $s;
}


sub _close {
    my ($p, $end, $reset) = @_;

    for my $e ($end, $end->{to}) {
        next unless delete $p->{links}{$e->{fd}};
        $e->{out} = [];
        $reset ? _reset($e->{s}) : close $e->{s};
    }

    delete $end->{to}{to};
    delete $end->{to};
}


sub _read {
    my ($p, $end) = @_;

    my $o = $p->{o};
    my $to = $end->{to};
    my $n = sysread $end->{s}, my ($bytes), $CHUNK;

    return if !defined $n && $!{EAGAIN};

    # a partition hides the end of a connection, too

    if (!$n) {
        $end->{eof} = 1;
        push @{$to->{out}}, [time() + ($o->{delay_s} // 0), undef]
            unless $o->{swallow};
        return;
    }

    return if $o->{swallow};

    my $at = time() + ($o->{delay_s} // 0);

    if ($to->{near} && $o->{garble}) {
        $bytes ^= "\x55" x length $bytes;
    }

    if ($to->{near} && $o->{drip_s}) {
        my $last = @{$to->{out}} ? $to->{out}[-1][0] : 0;

        $at = $last if $last > $at;
        push @{$to->{out}}, map { [$at += $o->{drip_s}, $_] }
                            split //, $bytes;
        return;
    }

    push @{$to->{out}}, [$at, $bytes];
    _write($p, $to) if $at <= time();
}


sub _write {
    my ($p, $end) = @_;

    my $way = $end->{near} ? 'down' : 'up';

    while (my $first = $end->{out}[0]) {
        return if $first->[0] > time();
        return _close($p, $end) if !defined $first->[1];

        my $cut = $end->{near} ? $p->{o}{cut} : undef;
        my $most = length $first->[1];

        if (defined $cut && $end->{went} + $most > $cut) {
            $most = $cut - $end->{went};
        }

        my $n = $most > 0 ? syswrite $end->{s}, $first->[1], $most : 0;

        if (!defined $n) {
            return if $!{EAGAIN};
            return _close($p, $end);
        }

        $end->{went} += $n;
        $p->{seen}{$way} += $n;
        substr $first->[1], 0, $n, '';
        shift @{$end->{out}} if $first->[1] eq '';

        return _cut($p, $end) if defined $cut && $end->{went} >= $cut;
    }
}


sub _cut {
    my ($p, $end) = @_;

    my $by = $p->{o}{cut_by} // 'close';

    return _close($p, $end, $by eq 'reset') if $by ne 'half';

    $end->{out} = [];
    shutdown $end->{s}, 1;
}


1;
