#!/usr/bin/perl

# Plays one outage and one recovery against what demo/demo.sh has started, and
# prints it second by second.  demo-crowd's line is the clock: at each line the
# store and the status page are asked for their side of that second.
#
# usage: play.pl NAME=VALUE... -- CROWD-COMMAND...
#
# All figures are measured: demand and what became of it by the crowd, work and
# waste by the store, allowance and phase by nginx.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use Time::HiRes qw(time);

my %arg = (gate => 0);

while (@ARGV) {
    my $word = shift @ARGV;
    last if $word eq '--';
    $word =~ /^(\w+)=(.*)$/s or die "play.pl: $word: NAME=VALUE expected\n";
    $arg{$1} = $2;
}

my $http = HTTP::Tiny->new(timeout => 2, proxy => undef, http_proxy => undef);
my $break_at = $arg{warm};
my $restore_at = $arg{warm} + $arg{outage};

$| = 1;

sub store {
    my ($method, $verb) = @_;

    my $answer = $http->request($method,
                           "http://127.0.0.1:$arg{store_port}/_store/$verb");
    die "play.pl: store: $verb: $answer->{status}\n" if !$answer->{success};

    return $verb eq 'stats' ? decode_json($answer->{content}) : undef;
}

# what nginx says of the backend; {} when it does not answer
sub status {
    return {} if !$arg{gate};

    my $answer = $http->get(
                         "http://127.0.0.1:$arg{nginx_port}/recovery/status");
    return {} if !$answer->{success};

    return decode_json($answer->{content})->{backends}{kv} || {};
}

sub health {
    my ($health) = @_;

    return if !$arg{gate};

    for my $command (['HSET', 'recovery:kv', 'health', $health],
                     ['PUBLISH', 'recovery:changed', 'kv'])
    {
        open my $cli, '-|', 'redis-cli', '-s', 'redis.sock', @$command
            or die "play.pl: redis-cli: $!\n";
        my @answer = <$cli>;
        close $cli or die "play.pl: redis-cli @$command: @answer\n";
    }
}

sub event {
    my ($text) = @_;

    printf "%5s  ---- %s\n", '', $text;
}

sub number {
    my ($value, $format) = @_;

    return defined $value ? sprintf($format || '%.0f', $value) : '-';
}

sub print_head {
    printf "%5s  %-9s %7s %8s %8s %9s %6s %7s %8s  %6s %5s\n", 'time',
        'phase', 'demand', 'offered', 'allowed', 'delivered', 'shed',
        'errors', 'timeouts', 'queue', 'hit%';
}

sub print_row {
    my ($row) = @_;

    my $allowed = !$arg{gate} ? 'all'
        : !defined $row->{phase} ? '-'
        : number($row->{allowed}) eq '-' ? 'all' : number($row->{allowed});

    printf "%5d  %-9s %7d %8d %8s %9d %6d %7d %8d  %6d %5.0f\n",
        $row->{t} - $restore_at, $row->{phase} || '-', $row->{users},
        $row->{offered}, $allowed, $row->{ok}, $row->{shed}, $row->{errors},
        $row->{timeouts}, $row->{queue}, 100 * $row->{hit_ratio};
}

sub sum {
    my ($name, @rows) = @_;
    my $sum = 0;

    $sum += $_->{$name} for @rows;

    return $sum;
}

sub share {
    my ($part, $whole) = @_;

    return $whole > 0 ? $part / $whole : 0;
}

# the first second after the restore from which three in a row together served
# 95 % of the share of users that was served before the outage
sub seconds_to_steady {
    my ($steady, @rows) = @_;

    for my $i (0 .. $#rows - 2) {
        my @three = @rows[$i .. $i + 2];

        return $i + 1 if share(sum('ok', @three), sum('users', @three))
                         >= 0.95 * $steady;
    }

    return undef;
}

sub summary {
    my @rows = @_;

    # the first second opens connections: not steady yet
    my @warm = grep { $_->{t} > 1 && $_->{t} <= $break_at } @rows;
    my @after = grep { $_->{t} > $break_at } @rows;
    my @recovery = grep { $_->{t} > $restore_at } @rows;
    my @tail = @recovery[-5 .. -1];

    my $steady = share(sum('ok', @warm), sum('users', @warm));
    my ($peak) = sort { $b <=> $a } map { $_->{to_store} } @after;
    my %class;

    for my $name (qw(login kv bulk)) {
        $class{$name} = share(sum("ok_$name", @recovery),
                              sum("users_$name", @recovery));
    }

    return {
        name => $arg{name},
        seconds_recovery => scalar @recovery,
        demand_per_s => share(sum('users', @recovery), scalar @recovery),
        steady_share => $steady,
        goodput_share => share(sum('ok', @recovery),
                               sum('users', @recovery)),
        goodput_share_last_5_s => share(sum('ok', @tail),
                                        sum('users', @tail)),
        goodput_share_by_class => \%class,
        seconds_to_95_percent => seconds_to_steady($steady, @recovery),
        wasted_share => share(sum('wasted_ms', @recovery),
                              sum('work_ms', @recovery)),
        wasted_requests => sum('wasted', @recovery),
        peak_to_store_per_s => $peak,
        refused_by_cap => sum('capped', @rows),
        rows => \@rows,
    };
}

sub play {
    my @rows;
    my $last = store('GET', 'stats');
    my $last_time = time;

    open my $crowd, '-|', @ARGV or die "play.pl: $ARGV[0]: $!\n";

    my @names = split /,/, (<$crowd> // die "play.pl: no crowd\n") =~ s/\n//r;

    print_head();

    while (my $line = <$crowd>) {
        chomp $line;

        my %row;
        @row{@names} = map { $_ + 0 } split /,/, $line;

        my $now = store('GET', 'stats');
        my $time = time;
        my $status = status();

        $row{$_} = $now->{$_} - $last->{$_}
            for qw(served wasted work_ms wasted_ms);
        $row{$_} = $now->{$_} for qw(queue in_service hit_ratio);
        $row{to_store} = ($now->{offered} - $last->{offered})
                         / ($time - $last_time);
        $row{phase} = $status->{phase};
        $row{allowed} = $status->{allowed_per_s};
        $row{$_} = $status->{$_} for qw(in_flight in_flight_limit level);

        ($last, $last_time) = ($now, $time);

        push @rows, \%row;
        print_row(\%row);

        if ($row{t} == $break_at) {
            store('POST', 'break');
            health('down');
            event('the store breaks');

        } elsif ($row{t} == $restore_at) {
            store('POST', 'restore');
            health('up');
            event('the store is restored, its cache is cold');
        }
    }

    close $crowd or die "play.pl: the crowd failed\n";

    return @rows;
}

my @rows = play();

open my $file, '>', $arg{json} or die "play.pl: $arg{json}: $!\n";
print $file JSON::PP->new->canonical->encode(summary(@rows)), "\n";
close $file or die "play.pl: $arg{json}: $!\n";
