package Test::Recovery::Process;

# Child processes: start, look at, end.  Every child leads its own process
# group, so that what it starts itself (nginx workers, a new binary after
# USR2) is found and ended with it, and nothing else ever is.

use strict;
use warnings;

use Exporter 'import';
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(time sleep);

our @EXPORT_OK = qw(slow poll_until spawn reap group_pids group_kill
                    proc_title proc_state);


# factor on every deadline; a slow machine sets TEST_SLOW

sub slow {
    return $ENV{TEST_SLOW} || 1;
}


sub poll_until {
    my ($cond, $deadline_s) = @_;

    my $end = time() + ($deadline_s // 10) * slow();

    while (1) {
        my $value = $cond->();
        return $value if $value;
        return undef if time() > $end;
        sleep(0.02);
    }
}


# spawn(stdout => FILE, stderr => FILE, cmd => [..]) or code => sub {..}

sub spawn {
    my (%o) = @_;

    my $pid = fork() // die "fork() failed: $!\n";

    if ($pid == 0) {
        setpgrp(0, 0);
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);

        if ($o{stdout}) {
            open STDOUT, '>>', $o{stdout} or POSIX::_exit(126);
        }

        if ($o{stderr}) {
            open STDERR, '>>', $o{stderr} or POSIX::_exit(126);
        }

        if ($o{code}) {
            eval { $o{code}->(); 1 } or warn $@;
            POSIX::_exit(0);
        }

        { no warnings 'exec'; exec { $o{cmd}[0] } @{$o{cmd}}; }
        print STDERR "cannot run $o{cmd}[0]: $!\n";
        POSIX::_exit(127);
    }

    # both sides set the group: whoever comes first, a kill finds it

    setpgrp($pid, $pid);

    return $pid;
}


# true once the child is gone; its exit status is in the second value

sub reap {
    my ($pid, $deadline_s) = @_;

    my $status;

    my $gone = poll_until(sub {
        my $rc = waitpid($pid, WNOHANG);
        $status = $? if $rc == $pid;
        return $rc == $pid || $rc == -1;
    }, $deadline_s);

    return wantarray ? ($gone, $status) : $gone;
}


sub proc_stat {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return;
    my $line = <$fh> // return;
    close $fh;

    # the command may hold blanks and brackets: cut after the last bracket

    $line =~ s/^.*\) // or return;

    my ($state, $ppid, $pgrp) = split ' ', $line;

    return ($state, $ppid, $pgrp);
}


sub proc_state {
    my ($pid) = @_;
    return (proc_stat($pid))[0];
}


sub proc_title {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/cmdline" or return '';
    local $/;
    my $title = <$fh> // '';
    $title =~ tr/\0/ /;
    $title =~ s/\s+$//;

    return $title;
}


# live processes of a group; zombies do not count, a container's first
# process may never collect them

sub group_pids {
    my ($pgrp) = @_;

    opendir my $dir, '/proc' or die "no /proc: $!\n";
    my @pids;

    for my $pid (grep { /^\d+$/ } readdir $dir) {
        my ($state, undef, $group) = proc_stat($pid);

        next if !defined $group || $group != $pgrp;
        next if $state eq 'Z' || $state eq 'X';

        push @pids, $pid;
    }

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


sub group_kill {
    my ($signal, $pgrp) = @_;

    for my $pid (group_pids($pgrp)) {
        kill $signal, $pid;
    }
}


1;
