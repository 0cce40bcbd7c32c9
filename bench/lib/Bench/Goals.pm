package Bench::Goals;

# What is wanted of the figures, and whether it is so.  The instructions of a
# request are judged by budgets.txt, as "make bench-check" does.

use strict;
use warnings;
use utf8;

use Exporter 'import';

use Bench::Budget qw(budgets_read judge);

our @EXPORT_OK = qw(goals);


# rows of what, value, goal, met

sub goals {
    my ($results, $budgets) = @_;

    my %figures = map { $_ => $results->{parts}{$_}{figures} }
                  keys %{$results->{parts}};

    return (
        requests($figures{instructions}[0], $budgets),
        in_flight($figures{instructions}[0]),
        repeats($figures{instructions}),
        decision($figures{decision}),
        status($figures{status}{1000}),
        at_most('memory of 1,000 backends, KB',
                $figures{footprint}{zone}{kb_1000}, 2048),
        at_most('`make bench`, seconds', $results->{seconds}, 600),
    );
}

sub at_most {
    my ($what, $value, $goal) = @_;
    return { what => $what, value => $value, goal => "≤ $goal",
             met => $value <= $goal };
}

sub at_least {
    my ($what, $value, $goal) = @_;
    return { what => $what, value => $value, goal => "≥ $goal",
             met => $value >= $goal };
}


sub requests {
    my ($counts, $file) = @_;

    my %all = (static  => { %{$counts->{static}}, %{$counts->{large}} },
               proxied => $counts->{proxied});
    my @goals;

    my %text = (added   => 'instructions that `%s` adds, of those of `%s`',
                proxied => 'the same of a proxied request, `%s`, of `%s`',
                whole   => 'instructions with `%s`, of those with `%s`');

    for my $budget (budgets_read($file)) {
        my ($kind, $gate, $of) = @$budget{qw(kind gate of)};
        my $verdict = judge($budget, \%all);

        push @goals, {
            what  => sprintf($text{$kind}, $gate, $of),
            value => $verdict->{value},
            goal  => ($budget->{way} eq '<=' ? '≤' : '≥')
                     . " $budget->{goal}",
            met   => $verdict->{met},
        };
    }

    return @goals;
}


# nginx's own timers cost more, too: what we add must be the same

sub in_flight {
    my ($counts) = @_;

    my $large = $counts->{large};
    my $added = $large->{up_in_flight_500} - $large->{absent_in_flight_500};
    my $alone = $counts->{static}{up} - $counts->{static}{absent};

    return at_most('instructions that `up` adds, 500 requests being in '
                   . 'flight, of those with none', $added / $alone, 1.05);
}


sub repeats {
    my ($rounds) = @_;

    my $worst = 0;

    for my $group (keys %{$rounds->[0]}) {
        for my $gate (grep { !/^lua/ } keys %{$rounds->[0]{$group}}) {
            my ($one, $two) = map { $_->{$group}{$gate} } @$rounds[0, -1];
            my $off = abs($one - $two) / $one;

            $worst = $off if $off > $worst;
        }
    }

    return at_most('worst difference of two counts (without Lua), %',
                   100 * $worst, 0.5);
}


sub decision {
    my ($figures) = @_;

    my $ours = $figures->{decision};
    my @goals = map { at_most("decision alone, one process, `$_`, ns",
                              $ours->{$_}{1}{ns}, 50) }
                qw(open pass shed closed);

    for my $mode (qw(open pass shed open-paced pass-paced)) {
        push @goals, at_least(
            "two processes on one gate, of what one does, `$mode`",
            $ours->{$mode}{2}{per_s} / $ours->{$mode}{1}{per_s}, 1.6);
    }

    return @goals;
}


sub status {
    my ($figures) = @_;

    my @goals;

    for my $form (qw(json prometheus html)) {
        push @goals,
             at_most("status of 1,000 backends, $form, ms of one processor",
                     $figures->{$form}{cpu_ms}, 20),
             at_most("the same, longest stretch, ms",
                     $figures->{$form}{stretch_ms}, 5);
    }

    return @goals;
}


1;
