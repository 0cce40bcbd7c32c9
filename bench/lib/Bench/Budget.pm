package Bench::Budget;

# Lines of budgets.txt: what they say, and whether it holds.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(budgets_read gates_of judge value_of);


sub budgets_read {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    my @budgets;

    while (my $line = <$fh>) {
        next if $line =~ /^\s*(?:#|$)/;

        my $number = qr/[0-9]+(?:\.[0-9]+)?/;
        my ($kind, $gate, $of, $way, $goal, $way_now, $now) = $line =~
            /^(added|proxied|whole) \s+ (\w+) \s+ (\w+) \s+ (<=|>=) \s+ ($number)
             (?: \s+ (<=|>=) \s+ ($number) )? \s* $/x
            or die "$file:$.: not a budget: $line";

        die "$file:$.: the two go different ways\n"
            if defined $way_now && $way_now ne $way;

        push @budgets, { kind => $kind, gate => $gate, of => $of,
                         way => $way, goal => $goal, now => $now };
    }

    die "$file: no budgets\n" unless @budgets;

    return @budgets;
}


# all that must be counted, for those that proxy or for the others

sub gates_of {
    my ($proxied, @all) = @_;

    my @budgets = grep { $proxied == ($_->{kind} eq 'proxied') } @all;
    my %gates = map { ($_->{gate} => 1, $_->{of} => 1) } @budgets;

    $gates{absent} = 1 if grep { $_->{kind} ne 'whole' } @budgets;

    return sort keys %gates;
}


# counts: static => { gate => n }, proxied => { .. }

sub value_of {
    my ($budget, $all) = @_;

    my $counts = $all->{$budget->{kind} eq 'proxied' ? 'proxied' : 'static'};
    my ($gate, $of) = map { $counts->{$_} // die "$_ was not counted\n" }
                      @$budget{qw(gate of)};

    return $gate / $of if $budget->{kind} eq 'whole';

    my $absent = $counts->{absent} // die "absent was not counted\n";

    return ($gate - $absent) / ($of - $absent);
}


sub judge {
    my ($budget, $counts) = @_;

    my ($way, $goal, $now) = @$budget{qw(way goal now)};
    my $value = value_of($budget, $counts);
    my $met = within($value, $way, $goal);
    my $text = "goal $way $goal" . ($met ? ' met' : ' NOT MET');

    $text .= defined $now ? $met ? "; take \"$way $now\" out"
                                 : ", must stay $way $now"
                          : '';

    return { value => $value, met => $met, text => $text,
             holds => $met || defined $now && within($value, $way, $now) };
}

sub within {
    my ($value, $way, $bound) = @_;
    return $way eq '<=' ? $value <= $bound : $value >= $bound;
}


1;
