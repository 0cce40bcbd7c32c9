package Test::Recovery::FakeRedis;

# A server that speaks the protocol of Redis, honestly until it is told how
# not to.  Real bytes on a real socket, in a daemon of the test.
#
#   $f = Test::Recovery::FakeRedis->new($t, 6390)   symbolic port
#   $f->set('recovery:kv', health => 'down')        what HMGET finds
#   $f->behave(%o)          from now on, also on open connections
#   $f->behave()            honest again
#   $f->drop                closes every connection
#   $f->say(command => bytes)   to every connection that sent that command
#   $f->seen                {connections, open, bytes, commands => {TIME => N}}
#   $f->reset               forget what was seen
#
# behave(): on => 'accept', '*' or a command; what is done then:
#
#   say => BYTES            instead of the honest answer
#   also => 1               the honest answer first
#   endless => BYTES        and after it these, over and over
#   drip_s => S             every byte of an answer so long after the last
#   close => 1              then close; half_close => 1: then only our half
#
# What an answer to nothing would be: say => ''.

use strict;
use warnings;

use IO::Select;
use IO::Socket;
use JSON::PP;
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Time::HiRes qw(time);

use Test::Recovery::Process qw(slow);


sub new {
    my ($class, $t, $port) = @_;

    my ($near, $far) = IO::Socket->socketpair(AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "socketpair() failed: $!\n";

    my $pid = $t->daemon($port, sub {
        my ($listen) = @_;
        close $near;
        _serve($listen, $far);
    });

    close $far;

    return bless { ctl => $near, pid => $pid, port => $t->port($port) },
                 $class;
}


sub port { $_[0]{port} }
sub pid { $_[0]{pid} }
sub set { my ($s, $k, %h) = @_; $s->_ask(cmd => 'set', key => $k, h => \%h) }
sub behave { my ($s, %o) = @_; $s->_ask(cmd => 'behave', o => \%o) }
sub drop { $_[0]->_ask(cmd => 'drop') }
sub reset { $_[0]->_ask(cmd => 'reset') }
sub seen { $_[0]->_ask(cmd => 'seen') }
sub say { $_[0]->_ask(cmd => 'say', to => $_[1], say => $_[2]) }


# bytes travel as characters below 256

sub _ask {
    my ($self, %cmd) = @_;

    local $SIG{PIPE} = 'IGNORE';
    syswrite $self->{ctl}, JSON::PP->new->ascii->encode(\%cmd) . "\n";

    my $buf = '';
    my $end = time() + 20 * slow();
    my $select = IO::Select->new($self->{ctl});

    while ($buf !~ /\n\z/) {
        die "fake Redis does not answer \"$cmd{cmd}\"\n" if time() > $end;
        next unless $select->can_read(0.5);
        sysread($self->{ctl}, $buf, 1 << 16, length $buf)
            or die "fake Redis is gone\n";
    }

    return JSON::PP->new->allow_nonref->decode($buf);
}


# the child's side

sub _serve {
    my ($listen, $ctl) = @_;

    $SIG{PIPE} = 'IGNORE';
    $_->blocking(0) for $listen, $ctl;

    my $f = { listen => $listen, ctl => $ctl, in => '', o => {}, data => {},
              conns => {} };

    _forget($f);

    while (1) {
        my $now = time();
        my (@r, @w) = ($listen, $ctl);
        my $wait = 1;

        for my $c (values %{$f->{conns}}) {
            push @r, $c->{s} unless $c->{eof};
            next unless length $c->{out} || length $c->{endless};

            if ($c->{at} > $now) {
                $wait = $c->{at} - $now if $c->{at} - $now < $wait;

            } else {
                push @w, $c->{s};
            }
        }

        my ($r, $w) = IO::Select->select(IO::Select->new(@r),
                                         @w ? IO::Select->new(@w) : undef,
                                         undef, $wait);

        for my $s (@{$w // []}) {
            my $c = $f->{conns}{fileno $s // next} or next;
            _write($f, $c);
        }

        for my $s (@{$r // []}) {
            if ($s == $listen) {
                _accept($f);

            } elsif ($s == $ctl) {
                _control($f) or return;

            } else {
                my $c = $f->{conns}{fileno $s // next} or next;
                _read($f, $c);
            }
        }
    }
}


sub _forget {
    my ($f) = @_;
    $f->{seen} = { connections => 0, bytes => 0, commands => {} };
}


sub _control {
    my ($f) = @_;

    my $n = sysread $f->{ctl}, $f->{in}, 65536, length $f->{in};

    return 0 if defined $n && $n == 0;

    while ($f->{in} =~ s/\A([^\n]*)\n//) {
        my $reply = _command($f, JSON::PP->new->decode($1));

        $f->{ctl}->blocking(1);
        print {$f->{ctl}} JSON::PP->new->allow_nonref->encode($reply), "\n";
        $f->{ctl}->flush();
        $f->{ctl}->blocking(0);
    }

    return 1;
}


sub _command {
    my ($f, $q) = @_;

    my @conns = values %{$f->{conns}};

    if ($q->{cmd} eq 'set') {
        $f->{data}{$q->{key}} = $q->{h};

    } elsif ($q->{cmd} eq 'behave') {
        $f->{o} = $q->{o};
        $_->{endless} = '' for @conns;

    } elsif ($q->{cmd} eq 'drop') {
        _close($f, $_) for @conns;

    } elsif ($q->{cmd} eq 'say') {
        $_->{out} .= $q->{say} for grep { $_->{sent}{$q->{to}} } @conns;

    } elsif ($q->{cmd} eq 'reset') {
        _forget($f);

    } elsif ($q->{cmd} eq 'seen') {
        return { %{$f->{seen}}, open => scalar @conns };
    }

    return 1;
}


sub _accept {
    my ($f) = @_;

    while (my $s = $f->{listen}->accept()) {
        $s->blocking(0);
        $f->{seen}{connections}++;

        my $c = { s => $s, fd => fileno $s, in => '', out => '', at => 0,
                  endless => '', sent => {} };

        $f->{conns}{$c->{fd}} = $c;
        _act($f, $c, '') if ($f->{o}{on} // '') eq 'accept';
    }
}


sub _close {
    my ($f, $c) = @_;

    delete $f->{conns}{$c->{fd}};
    close $c->{s};
}


sub _act {
    my ($f, $c, $honest) = @_;

    my $o = $f->{o};

    $c->{out} .= $honest if $o->{also};
    $c->{out} .= $o->{say} // '';
    $c->{endless} = $o->{endless} // '';
    $c->{last} = $o->{close} ? 'close' : $o->{half_close} ? 'half' : '';
    _write($f, $c);
}


sub _write {
    my ($f, $c) = @_;

    $c->{out} = $c->{endless} if $c->{out} eq '';

    if (length $c->{out}) {
        my $drip = $f->{o}{drip_s};
        my $n = syswrite $c->{s}, $c->{out},
                         $drip ? 1 : length $c->{out};

        if (!defined $n) {
            return if $!{EAGAIN};
            return _close($f, $c);
        }

        $f->{seen}{bytes} += $n;
        substr $c->{out}, 0, $n, '';
        $c->{at} = $drip ? time() + $drip : 0;
        return if length $c->{out};
    }

    my $last = delete $c->{last} or return;

    return _close($f, $c) if $last eq 'close';

    shutdown $c->{s}, 1;
}


sub _read {
    my ($f, $c) = @_;

    my $n = sysread $c->{s}, $c->{in}, 65536, length $c->{in};

    return if !defined $n && $!{EAGAIN};
    return _close($f, $c) unless $n;

    while (my @words = _words(\$c->{in})) {
        my $name = uc $words[0];
        my $on = $f->{o}{on} // '';

        $f->{seen}{commands}{$name}++;
        $c->{sent}{$name} = 1;

        my $honest = _honest($f, $c, @words);

        if ($on eq '*' || $on eq $name) {
            _act($f, $c, $honest);

        } else {
            $c->{out} .= $honest;
            _write($f, $c);
        }

        return unless $f->{conns}{$c->{fd}};
    }
}


# one command off the front of the buffer, none while it is not all there

sub _words {
    my ($in) = @_;

    my $rest = $$in;
    $rest =~ s/\A\*(\d+)\r\n// or return;
    my $count = $1;
    my @words;

    for (1 .. $count) {
        $rest =~ s/\A\$(\d+)\r\n// or return;
        return if length $rest < $1 + 2;
        push @words, substr $rest, 0, $1, '';
        substr $rest, 0, 2, '';
    }

    $$in = $rest;

    return @words;
}


sub _bulk {
    return join '', map { defined $_ ? '$' . length($_) . "\r\n$_\r\n"
                                     : "\$-1\r\n" } @_;
}


sub _honest {
    my ($f, $c, $name, @args) = @_;

    $name = uc $name;

    if ($name eq 'TIME') {
        return "*2\r\n" . _bulk(int(time()), 0);
    }

    if ($name eq 'HMGET') {
        my $h = $f->{data}{shift @args} // {};
        return '*' . @args . "\r\n" . _bulk(map { $h->{$_} } @args);
    }

    if ($name eq 'HGETALL') {
        my $h = $f->{data}{$args[0]} // {};
        return '*' . 2 * keys(%$h) . "\r\n" . _bulk(%$h);
    }

    if ($name eq 'SUBSCRIBE') {
        return "*3\r\n" . _bulk('subscribe', $args[0]) . ":1\r\n";
    }

    if ($name eq 'PING') {
        return $c->{sent}{SUBSCRIBE} ? "*2\r\n" . _bulk('pong', '')
                                     : "+PONG\r\n";
    }

    return ":1\r\n" if $name eq 'HSET';

    return $name =~ /^(?:AUTH|SELECT|SET)$/ ? "+OK\r\n"
                                            : "-ERR unknown command\r\n";
}


1;
