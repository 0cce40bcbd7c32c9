package Bench::Count;

# Instructions that one request takes, gate by gate: callgrind on one process,
# fixed numbers of requests on one kept connection, two counts subtracted, so
# that what is done once falls out.

use strict;
use warnings;

use Exporter 'import';

use Bench::Callgrind;
use Bench::Gate qw(gate);
use Bench::Jobs qw(side_by_side);
use Bench::Nginx;
use Bench::Phase qw(check_phase into_phase);

our @EXPORT_OK = qw(count count_all);

my $WARM = 300;
my $FEW = 500;
my $MANY = 2500;
my $HELD = 4;                  # warming up for each request that is held


# count_all({ .. }, NAMES): the gates, in as few servers as can be: one for
# each set of modules, and one for each gate that must be alone.

sub count_all {
    my ($o, @names) = @_;

    my %runs;

    for my $gate (map { gate($_) } @names) {
        my $of = $gate->{alone} ? $gate->{name}
                                : join '-', 'with', @{$gate->{modules}};

        push @{$runs{$of}}, $gate->{name};
    }

    my @jobs = map {
        my $of = $_;
        sub { count(%$o, name => "$o->{name}-$of", gates => $runs{$of}) };
    } sort keys %runs;

    return { map { %$_ } side_by_side(@jobs) };
}


# count(name => .., gates => [NAMES], handler => .., upstream => ..): a hash
# of gate => instructions a request

sub count {
    my (%o) = @_;

    my @gates = map { gate($_) } @{$o{gates}};
    my ($workers) = map { $_->{workers} // () } @gates;

    my $nginx = Bench::Nginx->new(%o, gates => \@gates, single => 1,
                                  workers => $workers // 1);

    $nginx->start(under => [Bench::Callgrind::words($nginx->{dir})]);

    my $callgrind = Bench::Callgrind->new($nginx);
    my %counts;

    for my $gate (@gates) {
        $counts{$gate->{name}} = count_gate($nginx, $callgrind, $gate);
    }

    $nginx->stop();

    return \%counts;
}


# One connection at a time: each has a timer, and to set one takes longer the
# more of them there are.

sub count_gate {
    my ($nginx, $callgrind, $gate) = @_;

    my $client = $nginx->client($gate->{name});
    my %parts;

    into_phase($nginx, $client, $gate);
    $nginx->hold($gate);
    $client->many($WARM + $HELD * ($gate->{held} // 0), $gate->{uri});
    $callgrind->part();

    for my $n ($FEW, $MANY) {
        my $statuses = $client->many($n, $gate->{uri});
        my $as_said = $statuses->{$gate->{status}} // 0;

        die "$gate->{name}: $as_said of $n were answered $gate->{status}\n"
            if $as_said < $n * ($gate->{some} ? 0.95 : 1);

        $parts{$n} = $callgrind->part();
    }

    check_phase($nginx, $gate);

    return ($parts{$MANY} - $parts{$FEW}) / ($MANY - $FEW);
}


1;
