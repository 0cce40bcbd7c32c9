package Test::Recovery::Ctl;

# build/recoveryctl as people call it.
#
#   $c = Test::Recovery::Ctl->new($t)           its Redis is port 6379 of $t
#   $r = $c->run('down', 'kv', '--reason', 'x')
#   $r = $c->run({env => {NO_COLOR => 1}}, 'status')    undef: not set
#                                   {rc, out, err, all, s}; rc "signal 2"
#   $h = $c->start(...)             goes on; $h->out, $h->err so far
#   $h->wait_out(qr/../, S), $h->signal('INT'), $r = $h->end(S)
#
# The environment has no RECOVERY_*, USER is jo, and RECOVERY_REDIS is what
# redis => "..." of new() says, expanded.  TEST_RECOVERYCTL is another binary.

use strict;
use warnings;

use Time::HiRes qw(time);

use Test::Recovery::Process qw(slow spawn reap poll_until);


sub new {
    my ($class, $t, %o) = @_;

    my $binary = $ENV{TEST_RECOVERYCTL} || $t->root() . '/build/recoveryctl';

    -x $binary or die "build/recoveryctl is not built: make\n";

    return bless { t => $t, binary => $binary, n => 0,
                   redis => $o{redis} // 'redis://127.0.0.1:%%PORT_6379%%',
    }, $class;
}


sub _slurp {
    my ($path) = @_;

    open my $fh, '<', $path or return '';
    return do { local $/; <$fh> } // '';
}


sub start {
    my ($self, @words) = @_;

    my $o = ref $words[0] ? shift @words : {};
    my %env = (RECOVERY_REDIS => $self->{redis}, USER => 'jo',
               RECOVERY_REDIS_PASSWORD => undef, SUDO_USER => undef,
               TZ => 'UTC', %{$o->{env} // {}});
    my $file = $self->{t}->dir() . '/ctl-' . ++$self->{n};

    unlink "$file.out", "$file.err";

    local %ENV = %ENV;

    for my $name (keys %env) {
        if (defined $env{$name}) {
            $ENV{$name} = $self->{t}->expand($env{$name});
        } else {
            delete $ENV{$name};
        }
    }

    my @cmd = map { $self->{t}->expand($_) } @words;

    my $pid = spawn(cmd => [$self->{binary}, @cmd], stdout => "$file.out",
                    stderr => "$file.err");

    return bless { pid => $pid, file => $file, began => time() },
                 'Test::Recovery::Ctl::Running';
}


sub run {
    my ($self, @words) = @_;

    return $self->start(@words)->end(30);
}


package Test::Recovery::Ctl::Running;

use strict;
use warnings;

use Time::HiRes qw(time);

use Test::Recovery::Process qw(slow reap poll_until);


sub pid { $_[0]{pid} }
sub out { Test::Recovery::Ctl::_slurp("$_[0]{file}.out") }
sub err { Test::Recovery::Ctl::_slurp("$_[0]{file}.err") }
sub signal { kill $_[1], $_[0]{pid} }


sub wait_out {
    my ($self, $re, $deadline_s) = @_;

    return poll_until(sub { $self->out() =~ $re }, $deadline_s // 10);
}


sub end {
    my ($self, $deadline_s) = @_;

    my ($gone, $status) = reap($self->{pid}, $deadline_s // 10);
    my $s = time() - $self->{began};

    if (!$gone) {
        kill 'KILL', $self->{pid};
        reap($self->{pid}, 5);
    }

    my ($out, $err) = ($self->out(), $self->err());

    return { out => $out, err => $err, all => $out . $err, s => $s,
             rc => !$gone ? 'did not end' : $status & 127
                   ? 'signal ' . ($status & 127) : $status >> 8 };
}


1;
