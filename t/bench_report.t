#!/usr/bin/perl

# Goal: "make bench-report" names what is missed a miss, and says when the
# machine was busy; it leaves out nothing that was measured.
# Method: figures that are made up, in all of which the goals are met; then
# one after the other is planted that is not.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;

binmode $_, ':encoding(UTF-8)'
    for map { Test::More->builder->$_() } qw(output failure_output);

my $t = Test::Recovery->new();


# Instructions: of a request, and with a gate.

my %STATIC = (absent => 1000, limit_req => 1100, limit_conn => 1150,
              both => 1250, return_503 => 900, return_503_headers => 950,
              unused => 1001, up => 1040, ramping => 1090, shed => 910,
              down => 905, lua => 2000);

my %PROXIED = map { $_ => 2 * $STATIC{$_} }
              qw(absent limit_req limit_conn both unused up ramping lua);

my %LARGE = (absent_uri => 1000, absent_in_flight_500 => 1100,
             up_in_flight_500 => 1140);

for my $what (qw(backends_1000 slots_64 classes_16 rules_1 rules_10 rules_100
                 equal_100 everyday_100 unread_100))
{
    $LARGE{"${_}_$what"} = $STATIC{$_} for qw(up ramping);
}

$LARGE{"up_$_"} = $STATIC{up}
    for qw(equal_1 everyday_4 strings_4 strings_100 prefix_1 prefix_100
           suffix_1 suffix_100 words_1 words_100 caseless_1 caseless_100);


sub races {
    my (@modes) = @_;

    return {
        map { $_ => {
            instructions => 100,
            1 => { ns => 20, ns_low => 19, ns_high => 21, per_s => 5e7 },
            2 => { ns => 21, ns_low => 20, ns_high => 22, per_s => 9.5e7 },
        } } @modes,
    };
}


sub results {
    my %load = (cpu_us => 6, per_s => 50000, p50_us => 40, p99_us => 90);
    my %form = (bytes => 1500, ms => 2, cpu_ms => 2, stretch_ms => 1);
    my %idle = (wakeups_per_s => 1, worker_kb => 2000);
    my %reload = (median_ms => 5, longest_ms => 6);

    my $gates = sub { return { rate => 15000, gates => {
        map { $_ => [{ %load }, { %load, cpu_us => 7 }] } keys %{$_[0]} } } };

    return {
        machine => {
            processors => 2, memory_gb => 24, virtual => 1,
            map { $_ => "some $_" } qw(processor system kernel nginx compiler
                                       valgrind lua),
        },
        commit => 'abc', date => 'today', load_before => 0.1, seconds => 300,
        parts => {
            instructions => { figures => [
                map { { static => { %STATIC }, proxied => { %PROXIED },
                        large => { %LARGE } } } 1, 2] },
            decision => { figures => {
                decision => races(qw(open pass shed closed open-paced
                                     pass-paced)),
                limit_req => races(qw(pass shed pass-paced)) } },
            load => { figures => {
                static => { 1 => $gates->(\%STATIC), 2 => $gates->(\%STATIC) },
                proxied => { 1 => $gates->(\%PROXIED),
                             2 => $gates->(\%PROXIED) } } },
            status => { figures => {
                map { $_ => { map { $_ => { %form } }
                              qw(json prometheus html) } } 1, 100, 1000 } },
            footprint => { figures => {
                zone => { kb_1000 => 2000, bytes => 2048,
                          bytes_slots64 => 2200, bytes_class16 => 3300 },
                idle => { map { $_ => { %idle } } qw(absent up_1) },
                reload => { map { $_ => { %reload } } qw(absent up_1) } } },
        },
    };
}


sub report {
    my ($results) = @_;

    local $ENV{BENCH_RESULTS} =
        $t->write_file('results.json', encode_json($results));

    open my $out, '-|:encoding(UTF-8)',
         "$^X $FindBin::Bin/../bench/report.pl 2>&1" or die "report: $!\n";
    local $/;
    return scalar <$out>;
}


sub counted {
    my ($parts, $group, $gate, $value) = @_;
    $_->{$group}{$gate} = $value for @{$parts->{instructions}{figures}};
}


# What each plants, and the row in which it must be found.

my @PLANTED = (
    [qr/that `up` adds, of those of `limit_req`/,
     sub { counted($_[0], 'static', 'up', 1060) }],
    [qr/with `down`/,
     sub { counted($_[0], 'static', 'down', 1000) }],
    [qr/`lua` adds/,
     sub { counted($_[0], 'static', 'lua', 1300) }],
    [qr/with `up_backends_1000`/,
     sub { counted($_[0], 'large', 'up_backends_1000', 1050) }],
    [qr/500 requests/,
     sub { counted($_[0], 'large', 'up_in_flight_500', 1150) }],
    [qr/difference of two counts/,
     sub { $_[0]{instructions}{figures}[1]{proxied}{up} *= 1.01 }],
    [qr/one process, `pass`/,
     sub { $_[0]{decision}{figures}{decision}{pass}{1}{ns} = 51 }],
    [qr/two processes on one gate.*`open`/,
     sub { $_[0]{decision}{figures}{decision}{open}{2}{per_s} = 7e7 }],
    [qr/prometheus, ms of/,
     sub { $_[0]{status}{figures}{1000}{prometheus}{cpu_ms} = 21 }],
    [qr/longest stretch/,
     sub { $_[0]{status}{figures}{1000}{html}{stretch_ms} = 6 }],
    [qr/memory of 1,000/,
     sub { $_[0]{footprint}{figures}{zone}{kb_1000} = 2049 }],
);

$t->plan(6 + 2 * @PLANTED);

my $good = report(results());
my ($met, $all) = $good =~ /^(\d+) of (\d+) are met\.$/m;

is($met, $all, 'all are met') or diag($good);
unlike($good, qr/MISSED/, 'no miss');
unlike($good, qr/do not trust/, 'a quiet machine');
unlike($good, qr/uninitialized| line \d+\./, 'without a warning')
    or diag($good);
cmp_ok(scalar(() = $good =~ /^\| \w/gm), '>=', 100, 'rows');

for my $planted (@PLANTED) {
    my ($row, $plant) = @$planted;
    my $results = results();

    $plant->($results->{parts});

    my $said = report($results);
    my @missed = grep { /MISSED/ } split /\n/, $said;

    is(scalar @missed, 1, 'planted: one miss') or diag(join "\n", @missed);
    like($missed[0] // '', $row, 'and it is named');
}

my $busy = results();
$busy->{load_before} = 1.5;

like(report($busy), qr/do not trust the times/, 'planted: a busy machine');
