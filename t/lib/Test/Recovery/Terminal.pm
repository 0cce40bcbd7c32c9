package Test::Recovery::Terminal;

# A program on a terminal of its own, and what somebody in front of it sees.
#
#   $p = Test::Recovery::Terminal->new(cmd => [...], env => {TERM => 'xterm'},
#                                      rows => 30, columns => 100)
#   $p->wait(sub { $_[0] =~ /../ }, S)  until the screen, a text of lines, fits
#   $p->screen, $p->raw                 the screen now; all bytes that came
#   $p->type("\cC"), $p->resize(10, 50), $p->signal('TERM')
#   $p->echo                            does the terminal echo what is typed?
#   $p->stopped                         is the process stopped (Ctrl-Z)?
#   $p->end(S)                          "exit 0", "signal 2", "goes on"
#
# The emulator knows what we send: CR, LF, home, erasures, colours, alternate
# screen and cursor.  Anything else is kept in $p->{unknown}.

use strict;
use warnings;

use Encode qw(decode);
use Fcntl;
use POSIX qw(:sys_wait_h :termios_h);
use Time::HiRes qw(time);

use Test::Recovery::Process qw(slow);


sub new {
    my ($class, %o) = @_;

    my $self = bless { rows => 24, columns => 80, raw => '', rest => '',
                       at => [0, 0], lines => [], saved => undef,
                       cursor => 1, unknown => [], frames => 0, %o }, $class;

    require IO::Pty;                    # libio-pty-perl
    my $pty = $self->{pty} = IO::Pty->new();
    $pty->set_winsize($self->{rows}, $self->{columns}, 0, 0);

    my $pid = $self->{pid} = fork() // die "fork: $!\n";

    if ($pid == 0) {
        $pty->make_slave_controlling_terminal();
        my $slave = $pty->slave();

        for my $fh (\*STDIN, \*STDOUT, \*STDERR) {
            open $fh, ($fh == \*STDIN ? '<&' : '>&'), $slave
                or POSIX::_exit(99);
        }

        for my $name (keys %{$o{env} // {}}) {
            defined $o{env}{$name} ? $ENV{$name} = $o{env}{$name}
                                   : delete $ENV{$name};
        }

        close $pty;
        exec {$o{cmd}[0]} @{$o{cmd}} or POSIX::_exit(99);
    }

    $self->{slave} = $pty->slave();     # open: what is restored can be seen
    $pty->blocking(0);

    return $self;
}


sub read_some {
    my ($self, $s) = @_;

    my $set = '';
    vec($set, fileno $self->{pty}, 1) = 1;

    if (select($set, undef, undef, $s)) {
        while (sysread $self->{pty}, my $bytes, 65536) {
            $self->{raw} .= $bytes;
            $self->_take($bytes);
        }
    }
}


sub _take {
    my ($self, $bytes) = @_;

    my $in = $self->{rest} . $bytes;
    my $at = $self->{at};

    while ($in ne '') {
        if ($in =~ s/^\e\[([?0-9;]*)([A-Za-z])//) {
            $self->_escape($1, $2);

        } elsif ($in =~ s/^\r//) {
            $at->[1] = 0;

        } elsif ($in =~ s/^\n//) {
            $at->[0]++;

        } elsif ($in =~ s/^([\x20-\x7e]|[\xc2-\xf4][\x80-\xbf]+)//) {
            my $line = \$self->{lines}[$at->[0]];
            $$line //= '';
            $$line .= ' ' x ($at->[1] - length $$line)
                if length $$line < $at->[1];
            substr($$line, $at->[1]++, 1) = decode('UTF-8', $1);

        } elsif (length $in > 8 || $in !~ /^[\e\xc2-\xf4]/) {
            push @{$self->{unknown}}, sprintf '%vd', substr($in, 0, 1, '');

        } else {
            last;                       # the rest of it is to come
        }
    }

    $self->{rest} = $in;
}


sub _escape {
    my ($self, $n, $what) = @_;

    my $at = $self->{at};
    my $lines = $self->{lines};

    if ($what eq 'm') {
        return;

    } elsif ($what eq 'H' && $n eq '') {
        @$at = (0, 0);
        $self->{frames}++;

    } elsif ($what eq 'K' && $n eq '') {
        substr($lines->[$at->[0]] //= '', $at->[1]) = ''
            if length($lines->[$at->[0]] // '') > $at->[1];

    } elsif ($what eq 'J' && $n eq '') {
        $#$lines = $at->[0] if $#$lines > $at->[0];

    } elsif ($what eq 'J' && $n eq '2') {
        @$lines = ();

    } elsif ($n eq '?25') {
        $self->{cursor} = $what eq 'h';

    } elsif ($n eq '?1049' && $what eq 'h') {
        $self->{saved} = [@$lines];

    } elsif ($n eq '?1049') {
        @$lines = @{$self->{saved} // []};
        $self->{saved} = undef;

    } else {
        push @{$self->{unknown}}, "$n$what";
    }
}


sub screen {
    my ($self) = @_;
    return join '', map { ($_ // '') . "\n" } @{$self->{lines}};
}


sub raw { $_[0]{raw} }
sub alternate { defined $_[0]{saved} }
sub cursor { $_[0]{cursor} }


sub wait {
    my ($self, $fits, $deadline_s) = @_;

    my $end = time() + ($deadline_s // 10) * slow();

    while (1) {
        my $found = $fits->($self->screen());
        return $found if $found;
        return undef if time() > $end;
        $self->read_some(0.1);
    }
}


sub type { syswrite $_[0]{pty}, $_[1] }
sub signal { kill $_[1], $_[0]{pid} }


sub resize {
    my ($self, $rows, $columns) = @_;
    $self->{pty}->set_winsize($rows, $columns, 0, 0);
}


sub echo {
    my ($self) = @_;

    my $termios = POSIX::Termios->new();
    $termios->getattr(fileno $self->{slave});

    return $termios->getlflag() & ECHO ? 1 : 0;
}


sub stopped {
    my ($self, $deadline_s) = @_;

    return $self->wait(sub {
        open my $fh, '<', "/proc/$self->{pid}/stat" or return 0;
        return <$fh> =~ /\) T /;
    }, $deadline_s);
}


sub end {
    my ($self, $deadline_s) = @_;

    my $status;

    $self->wait(sub {
        waitpid($self->{pid}, WNOHANG) == $self->{pid}
            && defined($status = $?)
    }, $deadline_s);

    if (!defined $status) {
        kill 'KILL', $self->{pid};
        waitpid $self->{pid}, 0;
        return 'goes on';
    }

    $self->{pid} = undef;
    $self->read_some(0.1);

    return $status & 127 ? 'signal ' . ($status & 127)
                         : 'exit ' . ($status >> 8);
}


sub DESTROY {
    my ($self) = @_;
    kill 'KILL', $self->{pid} if $self->{pid};
}


1;
