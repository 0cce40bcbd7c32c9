#!/usr/bin/perl

# report.pl: build/bench/results.json, or what BENCH_RESULTS names, as Markdown.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use JSON::PP;
use List::Util qw(max min);

use Bench::Goals qw(goals);
use Bench::Proc qw(content median);

my $file = $ENV{BENCH_RESULTS}
           || "$FindBin::Bin/../build/bench/results.json";
my $results = decode_json(content($file));
my %figures = map { $_ => $results->{parts}{$_}{figures} }
              keys %{$results->{parts}};

binmode STDOUT, ':encoding(UTF-8)';


sub table {
    my ($head, @rows) = @_;

    print "\n| ", join(' | ', @$head), " |\n", '|---' x @$head, "|\n";
    print '| ', join(' | ', @$_), " |\n" for @rows;
}

# a few digits that say something, thousands apart

sub number {
    my ($value) = @_;

    my $places = abs($value) >= 100 || $value == int($value) ? 0
                 : abs($value) >= 10 ? 1
                 : abs($value) >= 0.1 ? 2 : 3;
    my $text = sprintf "%.${places}f", $value;

    1 while $text =~ s/^(-?\d+)(\d{3})/$1,$2/;

    return $text;
}


sub head {
    my $machine = $results->{machine};
    my $virtual = $machine->{virtual} ? 'virtual processors' : 'processors';
    my $busy = $results->{load_before} > 0.5
        ? "\n\n**The machine had something else to do (load "
          . "$results->{load_before}): do not trust the times.**" : '';

    print <<"EOF2";
# Results

Written by `make bench-report`, nothing by hand; how each figure is taken
stands at the top of the script that takes it, in this directory. What
recovery looks like is in [recovery/RESULTS.md](recovery/RESULTS.md).

- $results->{date}, commit $results->{commit}, in $results->{seconds} s
- $machine->{processors} $virtual of $machine->{processor},
  $machine->{memory_gb} GB
- $machine->{system}, kernel $machine->{kernel}
- $machine->{nginx}; Lua module $machine->{lua}
- $machine->{compiler}; $machine->{valgrind}$busy
EOF2
}


sub verdicts {
    my @goals = goals($results, "$FindBin::Bin/budgets.txt");
    my @missed = grep { !$_->{met} } @goals;

    print "\n## Goals\n\n", scalar(@goals) - @missed, ' of ', scalar @goals,
          " are met.\n";

    table(['what', 'measured', 'goal', ''],
          map { [$_->{what}, number($_->{value}), $_->{goal},
                 $_->{met} ? 'met' : '**MISSED**'] } @goals);
}


sub instructions {
    my @rounds = @{$figures{instructions}};

    print <<'EOF2';

## Instructions of a request

One worker, a kept connection, GET; what is added to nginx without the gate.
`static` is an answer of 43 bytes by nginx itself, `proxied` one by a server
behind. Each is the mean of two counts; *repeat* is by how much they differ.
EOF2

    for my $kind (qw(static proxied)) {
        my $mean = sub {
            my ($gate) = @_;
            return ($rounds[0]{$kind}{$gate} + $rounds[-1]{$kind}{$gate}) / 2;
        };
        my $absent = $mean->('absent');
        my $unit = $mean->('limit_req') - $absent;

        table([$kind, 'instructions', 'added', 'in limit_reqs', 'repeat, %'],
              map { [$_, number($mean->($_)), number($mean->($_) - $absent),
                     number(($mean->($_) - $absent) / $unit),
                     repeat($kind, $_)] }
              sort { $mean->($a) <=> $mean->($b) }
              keys %{$rounds[0]{$kind}});
    }
}

sub repeat {
    my ($kind, $gate) = @_;

    my ($one, $two) = map { $_->{$kind}{$gate} } @{$figures{instructions}};
    return sprintf '%.3f', 100 * abs($one - ($two // $one)) / $one;
}


sub large {
    my $counts = $figures{instructions}[0];
    my ($static, $large) = @$counts{qw(static large)};

    print <<'EOF2';

## Where something is large

Instructions added, static. `rules_N`: N `match` lines with a regular
expression, none of which matches; `equal_100`: with `=`; `everyday_100`: of
several kinds, and with an address that has much in common with them (added to
nginx with that address); `unread_100`: such as are tried on each request.
EOF2

    my @rows = (['as above', map { number($static->{$_} - $static->{absent}) }
                             qw(up ramping)]);

    for my $what (qw(backends_1000 slots_64 classes_16 rules_1 rules_10
                     rules_100 equal_100 everyday_100 unread_100))
    {
        my $absent = $what =~ /everyday/ ? $large->{absent_uri}
                                         : $static->{absent};

        push @rows, [$what, map { number($large->{"${_}_$what"} - $absent) }
                            qw(up ramping)];
    }

    push @rows, ['500 requests in flight',
                 number($large->{up_in_flight_500}
                        - $large->{absent_in_flight_500}), ''];

    table(['what', 'up', 'ramping'], @rows);
}


sub load {
    print <<'EOF2';

## Under load

Open loop: requests are due at random times that no answer changes, latency
counts from when a request was due. Medians of the rounds and, in brackets,
the lowest and the highest. `cpu` is processor time of the workers for each
request, with more load than can be served; that is the figure to compare. The
latencies are at 30 % of what nginx without a gate can serve. With two workers
on two processors the load shares them.
EOF2

    for my $kind (qw(static proxied)) {
        for my $workers (1, 2) {
            load_table($kind, $workers, $figures{load}{$kind}{$workers});
        }
    }
}

sub load_table {
    my ($kind, $workers, $figures) = @_;

    my @columns = qw(cpu_us per_s p50_us p99_us);
    my $gates = $figures->{gates};
    my %cpu = map { my $gate = $_;
                    $gate => median(map { $_->{cpu_us} } @{$gates->{$gate}}) }
              keys %$gates;

    table(["$kind, $workers worker" . ($workers > 1 ? 's' : ''), 'cpu, µs',
           'requests/s', "p50, µs at $figures->{rate}/s", 'p99, µs'],
          map { my $rounds = $gates->{$_};
                [$_, map { spread($rounds, $_) } @columns] }
          sort { $cpu{$a} <=> $cpu{$b} } keys %cpu);
}

sub spread {
    my ($rounds, $column) = @_;

    my @values = map { $_->{$column} } @$rounds;

    return sprintf '%s (%s–%s)', number(median(@values)),
                   number(min(@values)), number(max(@values));
}


sub decision {
    print <<'EOF2';

## The decision alone

The core without nginx, and what `limit_req` does for the same: its own code,
called in a loop. `open` is as in `up`, `pass` as in a ramp that admits. Two
processes share one gate, or one key. Between two decisions there is nothing
else, which is the worst case; `paced` has some 2 µs of other work there, as
the smallest request to nginx has.
EOF2

    my @rows;

    for my $program (qw(decision limit_req)) {
        for my $mode (sort keys %{$figures{decision}{$program}}) {
            my $of = $figures{decision}{$program}{$mode};

            push @rows, [
                $program eq 'decision' ? "ours, $mode" : "limit_req, $mode",
                exists $of->{instructions} ? number($of->{instructions}) : '',
                map({ sprintf '%s (%s–%s)', map { number($_) }
                              @{$of->{$_}}{qw(ns ns_low ns_high)} } 1, 2),
                number($of->{2}{per_s} / $of->{1}{per_s}),
            ];
        }
    }

    table(['', 'instructions', 'one process, ns', 'two, ns each',
           'two / one'], @rows);
}


sub status {
    print <<'EOF2';

## Status

*Stretch*: what the worker computes, at most, before it looks after others
again; the median of the longest in each of the requests.
EOF2

    my @rows;

    for my $n (1, 100, 1000) {
        for my $form (qw(json prometheus html)) {
            my $of = $figures{status}{$n}{$form};

            push @rows, [number($n), $form,
                         map { number($of->{$_}) } qw(bytes ms cpu_ms
                                                      stretch_ms)];
        }
    }

    table(['backends', 'form', 'bytes', 'ms', 'processor, ms',
           'stretch, ms'], @rows);
}


sub footprint {
    my $of = $figures{footprint};
    my $zone = $of->{zone};

    print "\n## Footprint\n\n",
          'A backend takes ', number($zone->{bytes}), ' bytes of the zone (',
          number($zone->{bytes_slots64}), " with 64 worker\nslots, ",
          number($zone->{bytes_class16}), ' with 16 classes); 1,000 of them ',
          'need a zone of ', number($zone->{kb_1000}), " KB.\n";

    table(['idle', 'wake-ups a second', 'memory of a worker, KB'],
          map { [$_, number($of->{idle}{$_}{wakeups_per_s}),
                 number($of->{idle}{$_}{worker_kb})] }
          sort keys %{$of->{idle}});

    table(['reload', 'first answer of a new worker, ms', 'longest, ms'],
          map { [$_, number($of->{reload}{$_}{median_ms}),
                 number($of->{reload}{$_}{longest_ms})] }
          sort keys %{$of->{reload}});
}


head();
verdicts();
instructions();
large();
load();
decision();
status();
footprint();
