package Bench::Jobs;

# Several things at the same time, each in a process of its own.

use strict;
use warnings;

use Exporter 'import';
use JSON::PP;

our @EXPORT_OK = qw(processors side_by_side);

my %running;


sub processors {
    my $n = `nproc`;
    return $n =~ /^(\d+)/ ? $1 : 1;
}


# What each of the subs returns, in their order.

sub side_by_side {
    my (@jobs) = @_;

    my @results;
    my $next = 0;

    while ($next < @jobs || %running) {
        if ($next < @jobs && keys %running < processors()) {
            start($next, $jobs[$next]);
            $next++;
            next;
        }

        my $job = delete $running{wait()} or next;

        die "part $job->{index} has failed\n" if $? != 0;

        seek $job->{file}, 0, 0;
        local $/;
        $results[$job->{index}] = decode_json(readline $job->{file});
    }

    return @results;
}


sub start {
    my ($index, $sub) = @_;

    open my $file, '+>', undef or die "no temporary file: $!\n";
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        %running = ();
        print $file encode_json($sub->());
        close $file or die "temporary file: $!\n";
        exit 0;
    }

    $running{$pid} = { index => $index, file => $file };
}


# who ends early takes the others with him

END {
    my $status = $?;

    if (%running) {
        kill 'TERM', keys %running;
        1 while wait() > 0;
    }

    $? = $status;
}


1;
