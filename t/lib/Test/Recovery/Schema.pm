package Test::Recovery::Schema;

# What /recovery/status must look like: every field of the fixed interface
# and nothing that is not a number, a word or null where one is due.
#
#   status_problems($decoded)  list of sentences, empty when it fits

use strict;
use warnings;

use B ();
use Exporter 'import';
use JSON::PP;
use List::Util qw(sum0);

our @EXPORT_OK = qw(status_problems json_type @PHASES);

our @PHASES = qw(up degraded down probing ramping verifying);

my %TOP = (
    schema    => 'integer',
    version   => 'string',
    nginx     => 'string',
    instance  => 'string',
    now       => 'string',
    uptime_s  => 'number',
    redis     => 'object',
    state_file => 'object',
    backends  => 'object',
);

my %REDIS = (
    state               => 'string',
    address             => 'string|null',
    last_success_age_ms => 'number|null',
    reconnects          => 'integer',
    bad_values          => 'integer',
);

my %STATE_FILE = (
    state   => 'string',
    age_ms  => 'number|null',
    loaded  => 'string',
    errors  => 'integer',
    error   => 'string|null',
);

my %BACKEND = (
    phase           => 'string',
    phase_age_ms    => 'number|null',
    health          => 'string|number|null',
    health_source   => 'string|null',
    health_by       => 'string|null',
    health_reason   => 'string|null',
    health_age_ms   => 'number|null',
    health_damped   => 'boolean',
    signal_lost     => 'boolean',
    signal_mode     => 'string|null',
    epoch           => 'integer|null',
    promote         => 'string|null',
    allowed_per_s   => 'number|null',
    ceiling_per_s   => 'number|null',
    reference_per_s => 'number|null',
    level           => 'number|null',
    in_flight       => 'integer',
    in_flight_limit => 'integer|null',
    delivered_per_s => 'number|null',
    error_ratio     => 'number|null',
    latency_p50_ms  => 'number|null',
    latency_p90_ms  => 'number|null',
    eta_s           => 'number|null',
    why             => 'string|null',
    force           => 'object|null',
    dry_run         => 'object|null',
    classes         => 'array',
    events          => 'array',
);

my %CLASS = (
    name       => 'string',
    offered    => 'integer',
    passed     => 'integer',
    shed       => 'integer',
    shed_by_reason => 'object',
    cut_cohort => 'integer|number|null',
);

my %EVENT = (
    time => 'string|number',
    from => 'string|null',
    to   => 'string|null',
    why  => 'string|null',
    by   => 'string|null',
);


sub json_type {
    my ($v) = @_;

    return 'null' unless defined $v;
    return 'object' if ref $v eq 'HASH';
    return 'array' if ref $v eq 'ARRAY';
    return 'boolean' if JSON::PP::is_bool($v);

    my $flags = B::svref_2object(\$v)->FLAGS;

    return 'string' if $flags & B::SVp_POK;
    return 'integer' if $flags & B::SVp_IOK;
    return 'number';
}


sub _fields {
    my ($at, $object, $table) = @_;

    return ("$at is not an object") unless ref $object eq 'HASH';

    my @problems;

    for my $name (sort keys %$table) {
        if (!exists $object->{$name}) {
            push @problems, "$at.$name is missing";
            next;
        }

        my $type = json_type($object->{$name});
        my $want = $table->{$name};

        $want .= '|integer' if $want =~ /\bnumber\b/;

        push @problems, "$at.$name is $type, must be $table->{$name}"
            unless $type =~ /^(?:$want)$/;

        push @problems, "$at.$name is negative, unknown must be null"
            if $type =~ /^(?:integer|number)$/ && $object->{$name} < 0;
    }

    return @problems;
}


sub status_problems {
    my ($s) = @_;

    my @problems = _fields('status', $s, \%TOP);
    return @problems if @problems;

    push @problems, 'status.schema must be 1' if $s->{schema} != 1;
    push @problems, "status.now is not ISO 8601: $s->{now}"
        if $s->{now} !~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d
                          (?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$/x;

    push @problems, _fields('redis', $s->{redis}, \%REDIS);
    push @problems, _fields('state_file', $s->{state_file}, \%STATE_FILE);

    for my $name (sort keys %{$s->{backends}}) {
        push @problems, _backend($name, $s->{backends}{$name});
    }

    return @problems;
}


sub _backend {
    my ($name, $b) = @_;

    my @problems = _fields($name, $b, \%BACKEND);
    return @problems if @problems;

    push @problems, "$name.phase is \"$b->{phase}\""
        unless grep { $_ eq $b->{phase} } @PHASES;
    push @problems, "$name.level is $b->{level}, must be 0..1"
        if defined $b->{level} && $b->{level} > 1;
    push @problems, "$name.error_ratio is above 1"
        if defined $b->{error_ratio} && $b->{error_ratio} > 1;
    push @problems, "$name.events holds more than 32"
        if @{$b->{events}} > 32;

    for my $i (0 .. $#{$b->{classes}}) {
        my $c = $b->{classes}[$i];

        push @problems, my @p = _fields("$name.classes[$i]", $c, \%CLASS);

        push @problems, "$name.classes[$i]: $c->{offered} offered, "
                        . "$c->{passed} passed + $c->{shed} shed"
            if !@p && $c->{passed} + $c->{shed} > $c->{offered};

        push @problems, "$name.classes[$i]: $c->{shed} shed, by reasons "
                        . sum0(values %{$c->{shed_by_reason}})
            if !@p && sum0(values %{$c->{shed_by_reason}}) != $c->{shed};
        push @problems, "$name.classes[$i]: a reason without any"
            if !@p && grep { !$_ } values %{$c->{shed_by_reason}};
    }

    for my $i (0 .. $#{$b->{events}}) {
        push @problems, _fields("$name.events[$i]", $b->{events}[$i], \%EVENT);
    }

    return @problems;
}


1;
