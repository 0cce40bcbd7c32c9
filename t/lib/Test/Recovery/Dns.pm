package Test::Recovery::Dns;

# A name server of one zone, with real bytes, over UDP on a loopback port.
#
#   $d = Test::Recovery::Dns->new($t)
#   $d->port                                    one that was free
#   $d->name('redis.test', '127.0.0.1', '127.0.0.2')    its addresses
#   $d->name('redis.test')                      no such name
#   $d->behave('silent')    'servfail', 'refused', 'garbage', 'cut';
#   $d->behave('')          honest again
#   $d->asked               how many questions came

use strict;
use warnings;

use IO::Socket::INET;
use Socket qw(inet_aton);

use Test::Recovery::Process qw(spawn group_kill reap);

my %RCODE = (servfail => 2, nxdomain => 3, refused => 5);


sub new {
    my ($class, $t) = @_;

    my $self = bless { t => $t, names => {}, behaviour => '', owner => $$ },
                     $class;

    $self->_write();

    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
                                  LocalPort => 0)
        or die "dns: $!\n";

    $self->{port} = $s->sockport();
    $self->{pid} = spawn(code => sub { $self->_serve($s) },
                         stderr => $t->dir() . '/dns.err');
    close $s;

    return $self;
}


sub port { $_[0]{port} }

sub name {
    my ($self, $name, @addresses) = @_;

    $self->{names}{$name} = \@addresses;
    $self->_write();
}


sub behave {
    my ($self, $behaviour) = @_;

    $self->{behaviour} = $behaviour;
    $self->_write();
}


sub asked { return length $_[0]{t}->read_file('dns.asked') }


# what the child is to say; read by it at each question

sub _write {
    my ($self) = @_;

    $self->{t}->write_file('dns.new', join "\n", $self->{behaviour},
                           map { "$_ @{$self->{names}{$_}}" }
                           sort keys %{$self->{names}});
    rename $self->{t}->dir() . '/dns.new', $self->{t}->dir() . '/dns.txt'
        or die "rename: $!\n";
}


sub _serve {
    my ($self, $s) = @_;

    while (1) {
        my $from = recv $s, my $query, 4096, 0;

        next unless defined $from && length $query > 12;

        open my $fh, '>>', $self->{t}->dir() . '/dns.asked' or next;
        print $fh '.';
        close $fh;

        my ($behaviour, @lines) = split /\n/,
                                  $self->{t}->read_file('dns.txt'), -1;
        my $reply = _reply($query, $behaviour,
                           map { my ($n, @a) = split / /; $n => \@a } @lines);

        send $s, $reply, 0, $from if length $reply;
    }
}


sub _reply {
    my ($query, $behaviour, %names) = @_;

    return '' if $behaviour eq 'silent';

    my ($id) = unpack 'n', $query;
    my ($at, @labels) = (12);

    while (my $len = unpack 'C', substr $query, $at, 1) {
        push @labels, substr $query, $at + 1, $len;
        $at += $len + 1;
    }

    my $question = substr $query, 12, $at + 5 - 12;
    my $type = unpack 'n', substr $query, $at + 1, 2;
    my $known = $names{lc join '.', @labels};
    my $rcode = $RCODE{$behaviour}
                // ($known && @$known ? 0 : $RCODE{nxdomain});
    my @answers = $rcode || $type != 1 ? () : @$known;
    my $reply = pack('n6', $id, 0x8180 | $rcode, 1, scalar @answers, 0, 0)
                . $question
                . join '', map {
                    pack('n3Nn', 0xc00c, 1, 1, 1, 4) . inet_aton($_)
                } @answers;

    return substr $reply, 0, 20 if $behaviour eq 'cut';
    return substr($reply, 0, 2) . "\xff" x 40 if $behaviour eq 'garbage';
    return $reply;
}


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$ || !$self->{pid};

    local ($?, $!, $@);
    group_kill('KILL', $self->{pid});
    reap($self->{pid}, 5);
}


1;
