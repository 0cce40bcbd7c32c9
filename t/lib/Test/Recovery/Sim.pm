package Test::Recovery::Sim;

# recovery-sim as users call it, and what it says of a replay.
#
#   my ($out, $rc) = sim(@args)         stdout, then stderr; exit status
#   my ($out, $rc) = sim_input($bytes, @args)
#   my $r = replay($out)                {class => {wanted, let_in, shed,
#                                         served}}, {reason}{class}, {phases}
#   my @rows = csv($text)               a hash for each line

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Temp;

our @EXPORT = qw(sim sim_input replay csv);

my $SIM = abs_path(dirname(__FILE__) . '/../../../../build') . '/recovery-sim';

-x $SIM or die "build/recovery-sim is not built: make\n";


sub sim { return sim_input('', @_) }


sub sim_input {
    my ($input, @args) = @_;

    my %file = map { $_ => File::Temp->new() } qw(in out err);

    print { $file{in} } $input;
    close $file{in};

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', $file{in}->filename() or exit 127;
        open STDOUT, '>', $file{out}->filename() or exit 127;
        open STDERR, '>', $file{err}->filename() or exit 127;
        exec $SIM, @args or exit 127;
    }

    waitpid $pid, 0;

    my $rc = $? & 127 ? "signal " . ($? & 127) : $? >> 8;

    return (join('', map { _slurp($file{$_}->filename()) } qw(out err)), $rc);
}


sub _slurp {
    my ($name) = @_;

    open my $fh, '<', $name or die "$name: $!\n";
    local $/;
    return scalar(<$fh>) // '';
}


sub replay {
    my ($out) = @_;

    my %r = (class => {}, reason => {}, since => {});
    my ($classes) = $out =~ /^class +wanted .*\n((?:\S+(?: +[\d.]+){5}\n)+)/m;
    my ($reasons, $rows) = $out =~ /^shed because +(.*)\n((?:\S+(?: +\d+)+\n)+)/m;

    for (split /\n/, $classes // '') {
        my ($name, @n) = split;
        @{$r{class}{$name}}{qw(wanted let_in shed percent served)} = @n;
    }

    my @reasons = split ' ', $reasons // '';

    for (split /\n/, $rows // '') {
        my ($name, @n) = split;
        $r{reason}{$reasons[$_]}{$name} = $n[$_] for 0 .. $#reasons;
    }

    ($r{phases}) = $out =~ /^phases: (.*)$/m;
    $r{since}{$1} = $2
        while $out =~ /^  (\S.*?\S)  +[\d: -]+?  \+(\d+) s$/mg;

    return \%r;
}


sub csv {
    my ($text) = @_;

    my ($head, @rows) = split /\n/, $text;
    my @names = split /,/, $head;

    return map {
        my %row;
        @row{@names} = split /,/, $_, -1;
        \%row;
    } @rows;
}


1;
