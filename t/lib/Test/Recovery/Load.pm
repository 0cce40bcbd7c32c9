package Test::Recovery::Load;

# An open-loop load generator in a child process: it sends at its own pace
# whatever the answers do, because a client that waits for an answer before
# it sends again hides every overload.  One connection per request.
#
#   $l = Test::Recovery::Load->new(target => {port => N}, rate => 200,
#            uris => ['/a', '/b', ...], headers => {..}, timeout => 2,
#            for => SECONDS)              uris in turn; without "for": till stop
#            most => N                    in a heap, and unanswered: what the
#                                         machine held up is not caught up on
#   $l->peek                    {sent, status => {200 => N, ..}, open}
#   $l->take                    results so far, which it forgets
#   $l->stop, $l->wait          results: [{t, uri, status, time_s, headers}]
#
# status 0 is an error: its word is in "error".

use strict;
use warnings;

use Errno;
use IO::Select;
use IO::Socket;
use JSON::PP;
use Socket qw(:DEFAULT SOCK_NONBLOCK);
use Time::HiRes qw(time);

use Test::Recovery::HTTP qw(request_text parse_response);
use Test::Recovery::Process qw(slow poll_until spawn reap);


sub new {
    my ($class, %o) = @_;

    my $self = bless { owner => $$ }, $class;

    ($self->{ctl}, my $far)
        = IO::Socket->socketpair(AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "socketpair() failed: $!\n";

    $self->{pid} = spawn(code => sub {
        close $self->{ctl};
        _run($far, \%o);
    });

    close $far;

    return $self;
}


sub _ask {
    my ($self, $cmd, $deadline_s) = @_;

    local $SIG{PIPE} = 'IGNORE';
    syswrite $self->{ctl}, "$cmd\n";

    my $buf = '';
    my $end = time() + ($deadline_s // 30) * slow();
    my $select = IO::Select->new($self->{ctl});

    while ($buf !~ /\n\z/) {
        die "load generator does not answer\n" if time() > $end;
        next unless $select->can_read(0.5);
        sysread $self->{ctl}, $buf, 1 << 20, length $buf
            or die "load generator is gone\n";
    }

    return JSON::PP->new->decode($buf);
}


sub peek { $_[0]->_ask('peek') }
sub take { $_[0]->_ask('take') }


# wait: until "for" is over and the last answer is there

sub wait {
    my ($self, $deadline_s) = @_;
    return $self->_finish('wait', $deadline_s // 120);
}


sub stop {
    my ($self) = @_;
    return $self->_finish('stop', 30);
}


sub _finish {
    my ($self, $cmd, $deadline_s) = @_;

    return $self->{results} if $self->{results};

    $self->{results} = $self->_ask($cmd, $deadline_s);
    $self->_kill();

    return $self->{results};
}


sub _kill {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill 'KILL', $pid;
    reap($pid, 5);
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $!, $@);
    $self->_kill() if $self->{owner} == $$;
}


# the child's side

sub _run {
    my ($ctl, $o) = @_;

    $SIG{PIPE} = 'IGNORE';
    $ctl->blocking(0);

    my $start = time();
    my $l = { o => $o, open => {}, done => [], sent => 0, status => {},
              end => $o->{for} ? $start + $o->{for} : undef };
    my ($buf, $final) = ('', 0);

    while (1) {
        my $now = time();
        my $sending = $final ne 'stop' && (!$l->{end} || $now < $l->{end});

        if ($sending) {
            my $due = int(($now - $start) * $o->{rate}) + 1;

            if ($o->{most}) {
                my $late = $due - $l->{sent}
                           - $o->{most} + keys %{$l->{open}};

                if ($late > 0) {
                    $start += $late / $o->{rate};
                    $due -= $late;
                }
            }

            _send($l, $now) while $l->{sent} < $due;
        }

        if ($final && !$sending && !%{$l->{open}}) {
            $ctl->blocking(1);
            print $ctl JSON::PP->new->encode($l->{done}), "\n";
            $ctl->flush();
            return;
        }

        my $next = $sending ? $start + $l->{sent} / $o->{rate} : $now + 0.05;
        _answers($l, $ctl, $next - time());

        my $n = sysread $ctl, $buf, 4096, length $buf;
        return if defined $n && $n == 0;

        while ($buf =~ s/\A([^\n]*)\n//) {
            $final = $1, next if $1 ne 'peek' && $1 ne 'take';

            $ctl->blocking(1);
            print $ctl JSON::PP->new->encode($1 eq 'take' ? $l->{done} : {
                sent => $l->{sent}, status => $l->{status},
                open => scalar keys %{$l->{open}} }), "\n";
            $ctl->flush();
            $ctl->blocking(0);
            $l->{done} = [] if $1 eq 'take';
        }
    }
}


sub _send {
    my ($l, $now) = @_;

    my $o = $l->{o};
    my $uri = $o->{uris}[$l->{sent}++ % @{$o->{uris}}];
    my $unix = $o->{target}{unix};
    my $c = { t => $now, uri => $uri, in => '',
              out => request_text($uri, close => 1, headers => $o->{headers},
                                  method => $o->{method},
                                  body => $o->{body}) };

    socket my $s, $unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0
        or return _done($l, $c, error => "socket: $!");

    my $addr = $unix ? pack_sockaddr_un($unix)
               : pack_sockaddr_in($o->{target}{port}, inet_aton('127.0.0.1'));

    if (!connect($s, $addr) && !$!{EINPROGRESS}) {
        return _done($l, $c, error => "connect: $!");
    }

    $c->{s} = $s;
    $l->{open}{fileno $s} = $c;
    _write($l, $c) if $unix;
}


sub _done {
    my ($l, $c, %r) = @_;

    $r{status} //= 0;
    $l->{status}{$r{status}}++;
    push @{$l->{done}}, { t => $c->{t}, uri => $c->{uri},
                          time_s => time() - $c->{t}, %r };

    if ($c->{s}) {
        delete $l->{open}{fileno $c->{s}};
        close $c->{s};
    }
}


sub _write {
    my ($l, $c) = @_;

    my $n = syswrite $c->{s}, $c->{out};

    if (!defined $n) {
        return if $!{EAGAIN} || $!{ENOTCONN};
        return _done($l, $c, error => "write: $!");
    }

    substr $c->{out}, 0, $n, '';
}


sub _answers {
    my ($l, $ctl, $wait) = @_;

    my $rd = IO::Select->new($ctl);
    my $wr = IO::Select->new();

    for my $c (values %{$l->{open}}) {
        $rd->add($c->{s});
        $wr->add($c->{s}) if length $c->{out};
    }

    $wait = $wait < 0 ? 0 : $wait > 0.05 ? 0.05 : $wait;

    my ($r, $w) = IO::Select->select($rd, $wr, undef, $wait);

    for my $s (@{$w // []}) {
        my $c = $l->{open}{fileno $s} or next;
        _write($l, $c);
    }

    for my $s (grep { $_ != $ctl } @{$r // []}) {
        my $c = $l->{open}{fileno $s // next} or next;
        my $n = sysread $s, $c->{in}, 65536, length $c->{in};

        next if !defined $n && $!{EAGAIN};

        my $res = parse_response(\$c->{in}, $l->{o}{method} // 'GET', !$n);

        if ($res) {
            _done($l, $c, status => $res->{status} + 0,
                  headers => $res->{headers});

        } elsif (!$n) {
            _done($l, $c, error => 'closed');
        }
    }

    my $oldest = time() - ($l->{o}{timeout} // 5 * slow());

    for my $c (values %{$l->{open}}) {
        _done($l, $c, error => 'timeout') if $c->{t} < $oldest;
    }
}


1;
