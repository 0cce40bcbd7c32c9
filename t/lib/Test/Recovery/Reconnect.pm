package Test::Recovery::Reconnect;

# Cuts the link to a real Redis over and over, and counts descriptors.
#
#   leader($t, $port)       the worker with the two connections to that
#                           (symbolic) port, and with all that Redis has
#   $seen = reconnects($t, $port, $times)
#       done                how many there were, in ...
#       rounds              workers, each of which is judged by itself
#       leaked              descriptors at the end of each less its beginning
#       most                connections at a time
#
# The pause grows to five seconds when all servers have failed in turn: the
# configuration gives the same server eight times.  A reload starts with a
# short pause again, and with a new worker: that is done after every 32.

use strict;
use warnings;

use Exporter 'import';

use Test::Recovery::Watch qw(fd_count links);

our @EXPORT_OK = qw(clients leader reconnects);


# Redis' own list, without whoever asks

sub clients {
    my ($t) = @_;

    my $me = $t->redis('CLIENT', 'ID');

    return grep { !/^id=$me / } split /\n/, $t->redis('CLIENT', 'LIST');
}


sub leader {
    my ($t, $port) = @_;

    my %pids = map { $_ => 1 } my @links = links($t, $port, $t->workers());

    return @links == 2 && keys %pids == 1 && clients($t) == 2 ? $links[0]
                                                              : undef;
}


sub reconnects {
    my ($t, $port, $times) = @_;

    my %seen = (done => 0, rounds => 0, leaked => 0, most => 0);

    while ($seen{done} < $times && $seen{rounds} < $times / 10) {
        $t->reload() or last;

        my $leader = $t->wait_for(sub { leader($t, $port) }, 'a leader', 30)
            or last;
        my $before = fd_count($leader);

        $seen{rounds}++;

        for my $i (1 .. 32) {
            _cut($t, $i % 4 ? 'normal' : 'pubsub') or last;

            my $count = links($t, $port, $leader);

            $seen{most} = $count if $count > $seen{most};
            $seen{done}++;
        }

        $t->wait_for(sub { (leader($t, $port) // 0) == $leader },
                     'the same leader', 30)
            or last;
        $seen{leaked} += fd_count($leader) - $before;
    }

    return \%seen;
}


# and waits until it is back

sub _cut {
    my ($t, $type) = @_;

    my $goal = $t->status()->{redis}{reconnects} + 1;

    $t->redis('CLIENT', 'KILL', 'TYPE', $type, 'SKIPME', 'yes');

    return $t->wait_for(sub {
        return $type eq 'pubsub'
               ? $t->redis('PUBSUB', 'NUMSUB', 'recovery:changed')->[1]
               : $t->status()->{redis}{reconnects} >= $goal;
    }, 'the link', 30);
}


1;
