package Test::Recovery::Redis;

# A private redis-server on a loopback port and a unix socket, and a RESP
# client that is small enough to trust.
#
#   $r = Test::Recovery::Redis->new(dir => .., port => .., conf => "..",
#                                   args => ['--sentinel'])
#                   host => where it listens, run => [words before the command]
#   $r->cmd('HSET', 'recovery:kv', 'health', 'down')   dies on -ERR
#   $r->port, $r->unix_path, $r->url, $r->pid
#   $r->pause (SIGSTOP), $r->resume, $r->kill9, $r->stop, $r->start

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

use Test::Recovery::Process qw(slow poll_until spawn reap);


sub new {
    my ($class, %o) = @_;

    my $self = bless { name => 'redis', host => '127.0.0.1', run => [], %o,
                       owner => $$ }, $class;

    $self->{file} = "$self->{dir}/$self->{name}";
    $self->start();

    return $self;
}


sub port { $_[0]{port} }
sub pid { $_[0]{pid} }
sub unix_path { "$_[0]{file}.sock" }
sub url { "redis://$_[0]{host}:$_[0]{port}" }
sub pause { kill 'STOP', $_[0]{pid} }
sub resume { kill 'CONT', $_[0]{pid} }


sub start {
    my ($self) = @_;

    my $file = $self->{file};
    my $binary = $ENV{TEST_REDIS_BINARY} || 'redis-server';

    open my $fh, '>', "$file.conf" or die "$file.conf: $!\n";
    print $fh "bind $self->{host}\nport $self->{port}\n"
              . "unixsocket $file.sock\ndir $self->{dir}\n"
              . "dbfilename $self->{name}.rdb\nsave \"\"\nappendonly no\n"
              . "daemonize no\nlogfile $file.log\n" . ($self->{conf} // '');
    close $fh;

    $self->{pid} = spawn(cmd => [@{$self->{run}}, $binary, "$file.conf",
                                 @{$self->{args} // []}],
                         stdout => "$file.out", stderr => "$file.out");

    poll_until(sub {
        my $reply = eval { $self->cmd('PING') } // $@;
        return $reply =~ /PONG|NOAUTH|NOPERM/;
    }, 10) or die "redis-server does not answer, see $file.log\n";
}


sub _end {
    my ($self, $signal) = @_;

    my $pid = delete $self->{pid} or return;

    delete $self->{sock};
    kill 'CONT', $pid;
    kill $signal, $pid;

    return if reap($pid, 5);

    kill 'KILL', $pid;
    reap($pid, 5);
}


sub stop { $_[0]->_end('TERM') }
sub kill9 { $_[0]->_end('KILL') }


sub cmd {
    my ($self, @args) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $s = $self->{sock} //= $self->_connect();
    my $out = '*' . @args . "\r\n"
              . join '', map { '$' . length($_) . "\r\n$_\r\n" } @args;

    if (!defined syswrite $s, $out) {
        delete $self->{sock};
        die "redis: cannot write: $!\n";
    }

    my $reply = eval { $self->_reply(time() + 10 * slow()) };

    if (my $error = $@) {
        delete $self->{sock} unless $error =~ /^redis: -/;
        die $error;
    }

    return $reply;
}


sub _connect {
    my ($self) = @_;

    $self->{buf} = '';

    my $s = IO::Socket::INET->new(PeerAddr => $self->{host},
                                  PeerPort => $self->{port},
                                  Timeout => 5 * slow())
        or die "redis: cannot connect to port $self->{port}: $!\n";

    return $s unless $self->{auth};

    $self->{sock} = $s;
    $self->cmd('AUTH', @{$self->{auth}});

    return $s;
}


sub _fill {
    my ($self, $end) = @_;

    my $left = $end - time();

    die "redis: no answer in time\n"
        if $left <= 0 || !IO::Select->new($self->{sock})->can_read($left);
    sysread $self->{sock}, $self->{buf}, 65536, length $self->{buf}
        or die "redis: connection closed\n";
}


sub _reply {
    my ($self, $end) = @_;

    $self->_fill($end) while $self->{buf} !~ /\r\n/;
    $self->{buf} =~ s/\A(.)([^\r]*)\r\n// or die "redis: garbage\n";

    my ($type, $value) = ($1, $2);

    return $value if $type eq '+' || $type eq ':';
    die "redis: -$value\n" if $type eq '-';

    if ($type eq '$') {
        return undef if $value < 0;
        $self->_fill($end) while length $self->{buf} < $value + 2;
        my $data = substr $self->{buf}, 0, $value, '';
        substr $self->{buf}, 0, 2, '';
        return $data;
    }

    if ($type eq '*') {
        return undef if $value < 0;
        return [map { $self->_reply($end) } 1 .. $value];
    }

    die "redis: unknown reply type \"$type\"\n";
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $!, $@);
    $self->kill9() if $self->{owner} == $$;
}


1;
