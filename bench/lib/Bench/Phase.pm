package Bench::Phase;

# The phase of a gate's backend: to get there, and to see that it was that
# which was measured.

use strict;
use warnings;

use Exporter 'import';
use Time::HiRes qw(sleep);

our @EXPORT_OK = qw(check_phase into_phase);

my $PHASE_S = 60;


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


sub in_flight {
    my ($nginx, $gate) = @_;

    my (undef, $body) = $nginx->client('status')->get('/metrics');
    my ($n) = $body =~ /^nginx_recovery_in_flight_requests
                        \{[^}]*backend="\Q$gate->{backend}\E"[^}]*\}\ (\d+)$/mx;

    return $n // 0;
}


sub check_phase {
    my ($nginx, $gate) = @_;

    return unless $gate->{backend};

    my $phase = phase($nginx, $gate);

    die "$gate->{name} was $phase and not $gate->{phase}\n"
        if $phase ne $gate->{phase};

    my $held = $gate->{held} // 0;
    my $n = in_flight($nginx, $gate);

    die "$gate->{name} had $n in flight and not $held\n" if $n < $held;
}


1;
