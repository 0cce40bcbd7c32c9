package Bench::Callgrind;

# Counts the instructions of an nginx, part by part.
#
# callgrind writes what it has counted and begins anew whenever nginx enters
# ngx_reopen_files(), which SIGUSR1 makes it do: no client of callgrind needed,
# nothing is linked in.  What goes by the clock and not by requests is taken
# off.

use strict;
use warnings;

use File::Basename qw(basename);
use Time::HiRes qw(sleep time);

use Test::Recovery::Process qw(poll_until);

my $MARK = 'ngx_reopen_files';
my $NUDGE_S = 2;
my $NUDGES = 30;
my $TIMERS = 'ngx_event_expire_timers';
my $CLOCK = 'ngx_time_update';
my %DATES = map { $_ => 1 } qw(ngx_sprintf ngx_gmtime localtime_r);

# what glibc's allocator takes goes by what was freed before: each call counts
# as what it is on average

my $ALLOCATOR = qr/^(?:malloc|calloc|realloc|free|posix_memalign)$/;
my $ALLOCATION = 200;


sub words {
    my ($dir) = @_;

    return ('valgrind', '--tool=callgrind', "--dump-before=$MARK",
            "--callgrind-out-file=$dir/callgrind");
}


sub new {
    my ($class, $nginx) = @_;
    return bless { nginx => $nginx, parts => 0 }, $class;
}


# Ends a part; the instructions in it.

sub part {
    my ($self) = @_;

    my $file = sprintf '%s/callgrind.%d', $self->{nginx}{dir},
                       ++$self->{parts};

    kill 'USR1', $self->{nginx}{pid};

    # who goes to sleep just after he has looked for signals must be woken up:
    # that counts for a part, some 5,000 instructions in all

    for (1 .. $NUDGES) {
        last if poll_until(sub { _whole($file) }, $NUDGE_S);
        $self->{nginx}->nudge();
    }

    die "callgrind writes no $file\n" unless _whole($file);

    return _sum($file);
}


# the last line there is tells that all is there

sub _whole {
    my ($file) = @_;

    open my $fh, '<', $file or return 0;
    seek $fh, -200, 2;
    local $/;
    return (<$fh> // '') =~ /^totals: \d+/m;
}


# All, less what goes by the clock: what is called by way of the timers, and
# the dates that are written when a new second begins; and less the history of
# the heap.

sub _sum {
    my ($file) = @_;

    my ($caller, $called, $less, $total) = ('', '', 0, undef);
    my %names;

    open my $fh, '<', $file or die "$file: $!\n";

    while (my $line = <$fh>) {

        # a name is written out once, then its number stands for it

        if ($line =~ /^(c?)fn=(\(\d+\))(?: (.*))?$/) {
            $names{$2} = $3 if defined $3;

            if ($1) {
                $called = $names{$2} // '';
            } else {
                $caller = $names{$2} // '';
            }

        } elsif ($line =~ /^calls=(\d+)/) {

            # the next line has what the calls came to

            my $calls = $1;
            my ($cost) = (<$fh> // '') =~ / (\d+)$/;

            if ($called eq $TIMERS || $caller eq $CLOCK && $DATES{$called}) {
                $less += $cost;

            } elsif ($called =~ $ALLOCATOR && $caller =~ /^ngx_/) {
                $less += $cost - $calls * $ALLOCATION;
            }

        } elsif ($line =~ /^(?:totals|summary): (\d+)/) {
            $total = $1;
        }
    }

    die "$file: no total\n" unless defined $total;

    return $total - $less;
}


1;
