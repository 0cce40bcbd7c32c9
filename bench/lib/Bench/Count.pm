package Bench::Count;

# Instructions that one request takes, gate by gate: callgrind on one process,
# fixed numbers of requests on one kept connection, two counts subtracted, so
# that what is done once falls out.

use strict;
use warnings;

use Exporter 'import';
use Time::HiRes qw(sleep);

use Bench::Callgrind;
use Bench::Gate qw(gate);
use Bench::Nginx;

our @EXPORT_OK = qw(count);

my $WARM = 300;
my $FEW = 500;
my $MANY = 2500;
my $PHASE_S = 60;


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
    $client->many($WARM);
    $callgrind->part();

    for my $n ($FEW, $MANY) {
        my $statuses = $client->many($n);
        my $as_said = $statuses->{$gate->{status}} // 0;

        die "$gate->{name}: $as_said of $n were answered $gate->{status}\n"
            if $as_said < $n * ($gate->{some} ? 0.95 : 1);

        $parts{$n} = $callgrind->part();
    }

    check_phase($nginx, $gate);

    return ($parts{$MANY} - $parts{$FEW}) / ($MANY - $FEW);
}


# What is to be counted is the phase that the gate is about.

sub phase {
    my ($nginx, $gate) = @_;

    my (undef, $body) = $nginx->client('status')->get('/metrics');
    my ($phase) = $body =~ /^nginx_recovery_phase
                            \{[^}]*backend="\Q$gate->{backend}\E"[^}]*
                            phase="(\w+)"[^}]*\}\ 1$/mx;

    return $phase // 'none';
}


sub into_phase {
    my ($nginx, $client, $gate) = @_;

    return unless $gate->{backend};

    for (1 .. $PHASE_S * 10) {
        return if phase($nginx, $gate) eq $gate->{phase};
        $client->many(3);
        sleep(0.1);
    }

    die "$gate->{name} does not get to $gate->{phase}\n";
}


sub check_phase {
    my ($nginx, $gate) = @_;

    return unless $gate->{backend};

    my $phase = phase($nginx, $gate);

    die "$gate->{name} was $phase and not $gate->{phase}\n"
        if $phase ne $gate->{phase};
}


1;
