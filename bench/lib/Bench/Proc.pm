package Bench::Proc;

# What the kernel tells of processes, and the median.

use strict;
use warnings;

use Exporter 'import';
use Time::HiRes qw(clock_gettime);

our @EXPORT_OK = qw(content cpu_us median memory_kb switches);


# Processor time of processes, to the ns also of one that runs just now; the
# clock's number is made of the pid as clock_getcpuclockid() does it.

sub cpu_us {
    my (@pids) = @_;

    my $us = 0;
    for my $pid (@pids) {
        my $clock = unpack 'l', pack 'L', (~$pid << 3 | 2) & 0xffffffff;
        $us += 1e6 * clock_gettime($clock);
    }

    return $us;
}


# how often they have gone to sleep by themselves, and so were woken up

sub switches {
    my (@pids) = @_;

    my $n = 0;

    for my $pid (@pids) {
        my ($more) = content("/proc/$pid/status")
                     =~ /^voluntary_ctxt_switches:\s+(\d+)/m;
        $n += $more;
    }

    return $n;
}


# memory that no other process has

sub memory_kb {
    my ($pid) = @_;

    my ($clean, $dirty) = content("/proc/$pid/smaps_rollup")
                          =~ /^Private_(?:Clean|Dirty):\s+(\d+)/gm;

    return $clean + $dirty;
}


sub content {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}


sub median {
    my @sorted = sort { $a <=> $b } @_;
    return $sorted[$#sorted / 2];
}


1;
