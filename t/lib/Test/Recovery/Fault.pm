package Test::Recovery::Fault;

# One nginx with a backend in every phase, under load, and what has to be so
# whatever happens to its source: a row of the table is one fault.
#
#   $f = Test::Recovery::Fault->new($t, redis => 'redis://..', write => sub {},
#                                   main => directives of the main level)
#   $f->start               writes what all backends are, runs nginx, waits
#   $f->row(name, %o)       plays a fault: seven tests
#   $f->play(name, %o)      the same as {aspect => [problems]}
#   $f->finish              two tests: all requests together
#   moved(name, now, then, s)   how one backend of two statuses differs
#
# write(name, field => value, ..) puts that into the source.  A row:
#
#   begin, end      bring it about, put it right
#   link            'lost': the status has to show it; 'kept' (default): not
#   state           what redis.state is while it lasts, where it is lost
#   enough          true when it has lasted long enough, beside "lasts" seconds
#   bad             values that are counted as bad, default 0
#   said            {qr/../ => lines or [least, most]}: at warn and error,
#                   and no others
#   counted         0: what ends it is a reload, not a reconnect
#   but             {backend => sub ($now, $then)}: what may differ; a list of
#                   problems

use strict;
use warnings;

use List::Util qw(max);
use Test::More import => [qw(ok diag note)];
use Time::HiRes qw(time sleep);

use Test::Recovery::Process qw(slow);
use Test::Recovery::Watch qw(jumps quantile);

our @ASPECTS = qw(seen latency requests phases status log after);

# per second, of all requests; and of those that show how the machine is

my $RATE = 80;
my $DIRECT_RATE = 40;

# The ramp rises so much a second: 90 % of 1000 in 600 s.

my $SLOPE = 1.5;

# backend => what is written, how it is configured, what it answers

my %BACKENDS = (
    up        => { is => { health => 'up' } },
    degraded  => { is => { health => '0.5' } },
    down      => { is => { health => 'down' }, status => 503 },
    probing   => { is => { health => 'recovering' }, status => undef },
    ramping   => { is => { health => 'up' },
                   conf => 'policy slow; initial down;' },
    verifying => { is => { health => 'up' },
                   conf => 'policy long; initial down;' },
    ceiling   => { is => { health => 'up', ceiling => '200r/s' },
                   phase => 'up' },
    forced    => { is => { health => 'up', force => '35%' }, phase => 'up' },
    closed    => { is => { health => 'up', force => 'closed',
                           force_until => int(time()) + 3600, by => 'test',
                           reason => 'fault' },
                   phase => 'up', status => 503 },
);

our @NAMES = sort keys %BACKENDS;
my @ASKED = grep { !exists $BACKENDS{$_}{status} || $BACKENDS{$_}{status} }
            @NAMES;


sub new {
    my ($class, $t, %o) = @_;
    return bless { t => $t, base => [], fault => [], past => [],
                   all => [],
                   poll => '100ms', timeout => '300ms', patience_s => 20,
                   %o }, $class;
}


sub is { return %{$BACKENDS{$_[1]}{is}} }


sub conf {
    my ($self) = @_;

    my $backends = join '', map {
        "    recovery_backend $_ { capacity 1000r/s; "
        . ($BACKENDS{$_}{conf} // '') . " }\n"
    } @NAMES;
    my $locations = join '', map {
        "        location = /$_ { recovery $_; "
        . "proxy_pass http://127.0.0.1:%%PORT_8081%%; }\n"
    } @NAMES;

    return <<"CONF";
%%TEST_GLOBALS%%
@{[$self->{main} // '']}

worker_processes  1;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  $self->{redis} poll=$self->{poll}
                    timeout=$self->{timeout};

    recovery_policy slow { ramp from=10% over=600s; }
    recovery_policy long { ramp from=50% over=100ms verify=1h; }

$backends
    server {
        listen  127.0.0.1:%%PORT_8080%%;

$locations
    }
}
CONF
}


# all that is remembered; "names" only those

sub write_all {
    my ($self, @names) = @_;
    $self->{write}->($_, $self->is($_)) for @names ? @names : @NAMES;
}


sub start {
    my ($self) = @_;

    my $t = $self->{t};

    $t->backend(8081);
    $t->write_file_expand('nginx.conf', $self->conf());
    $self->write_all();
    $t->run();

    $self->{load} = $t->load(rate => $RATE, uris => [map { "/$_" } @ASKED],
                             timeout => 30);
    $self->{machine} = $t->load(rate => $DIRECT_RATE, uris => ['/direct'],
                                port => 8081, timeout => 30);

    for my $name (@NAMES) {
        my $phase = $BACKENDS{$name}{phase} // $name;
        $t->wait_phase($name, $phase, 30) or die "$name is not $phase\n";
    }

    $t->wait_for(sub { $t->status()->{redis}{state} eq 'connected' },
                 'connected', 30) or die "not connected\n";

    $self->{then} = $self->snapshot();

    my $from = time();

    $self->watch(2);
    $self->collect();
    $self->_base($from, time());

    return $self;
}


# what is in force, of all backends

sub snapshot {
    my ($self) = @_;

    my $s = $self->{t}->status() or return undef;

    $s->{at} = time();

    return $s;
}


my @SAME = qw(phase health health_source allowed_per_s ceiling_per_s level);


# ways in which one backend is not what it was

sub moved {
    my ($name, $now, $then, $elapsed_s) = @_;

    my ($n, $t) = map { $_->{backends}{$name} } $now, $then;
    my @moved;

    for my $key (@SAME) {
        next if $name eq 'ramping' && $key =~ /^(?:allowed_per_s|level)$/;

        my ($is, $was) = map { $_->{$key} // 'null' } $n, $t;
        push @moved, "$name: $key is $is, was $was" if $is ne $was;
    }

    my ($is, $was) = map { $_->{force} ? $_->{force}{force} : 'none' } $n, $t;

    push @moved, "$name: force is $is, was $was" if $is ne $was;
    push @moved, "$name: " . @{$n->{events}} . ' events, were '
                 . @{$t->{events}}
        if @{$n->{events}} != @{$t->{events}};
    push @moved, "$name: $_" for jumps($n);

    return @moved if $name ne 'ramping' || @moved;

    # a ramp goes up by its schedule at most, and not down

    my $most = $t->{allowed_per_s} + $SLOPE * ($elapsed_s + 0.5) + 1;

    push @moved, "ramping: fell from $t->{allowed_per_s} to "
                 . $n->{allowed_per_s}
        if $n->{allowed_per_s} < $t->{allowed_per_s};
    push @moved, "ramping: leapt from $t->{allowed_per_s} to "
                 . "$n->{allowed_per_s} in $elapsed_s s"
        if $n->{allowed_per_s} > $most;

    return @moved;
}


# Looks at the status for so long, or until something is so; whatever moved
# is noted once.

sub watch {
    my ($self, $for_s, $until) = @_;

    my $least = time() + $for_s;
    my $last = time() + ($for_s + $self->{patience_s}) * slow();

    while (1) {
        my $now = $self->snapshot();

        $self->_compare($now) if $now;

        my $found = !$until || ($now && $until->($now));

        return $now if $found && time() >= $least;
        return undef if time() > $last;

        sleep 0.05;
    }
}


sub _compare {
    my ($self, $now) = @_;

    my $then = $self->{then};
    my $elapsed_s = $now->{at} - $then->{at};

    for my $name (@NAMES) {
        my $may = $self->{but}{$name};
        my @moved = $may ? $may->($now->{backends}{$name},
                                  $then->{backends}{$name})
                         : moved($name, $now, $then, $elapsed_s);

        $self->{moved}{$_} //= 1 for @moved;
    }

    # the ramp is compared from step to step

    $then->{backends}{ramping} = $now->{backends}{ramping};
    $then->{at} = $now->{at};
}


# results of the load since the last time, by the hour of their beginning

sub collect {
    my ($self) = @_;

    my $r = $self->{load}->take();
    my $d = $self->{machine}->take();

    $_->{load} = 1 for @$r;
    push @{$self->{all}}, @$r, @$d;
}


# times of the requests that were sent between two instants

sub _times {
    my ($self, $load, $from, $to) = @_;

    return map { $_->{time_s} }
           grep { $_->{t} >= $from && $_->{t} < $to
                  && ($_->{load} // 0) == $load } @{$self->{all}};
}


# what is measured without a fault: before every row, and all of it counts

sub _base {
    my ($self, $from, $to) = @_;
    push @{$self->{base}}, $self->_times(1, $from, $to);
}


sub _slow {
    my ($self, $from, $to) = @_;

    my @fault = $self->_times(1, $from, $to);
    my $fault = quantile(0.99, @fault);
    my @machine = $self->_times(0, $from, $to);
    my $machine = quantile(0.99, @machine);
    my $base = quantile(0.99, @{$self->{base}});
    my $most = 5 * max($base, $machine) + 0.05 * slow();

    return 'too few requests' if @fault < 20;

    my $figures = sprintf 'p99 %.1f ms, without a fault %.1f ms, '
                          . 'past nginx %.1f ms', map { 1000 * $_ }
                          $fault, $base, $machine;

    push @{$self->{fault}}, @fault;
    push @{$self->{past}}, @machine;
    note("$self->{name}: $figures");

    return $fault > $most ? $figures : ();
}


# requests that were not answered as the phase of their backend says

sub _answered {
    my ($self, $from, $to) = @_;

    my %count;

    for my $r (grep { $_->{load} && $_->{t} >= $from && $_->{t} < $to }
               @{$self->{all}})
    {
        my ($name) = $r->{uri} =~ m{(\w+)};
        my $may = $self->{but}{$name} ? qr/^(?:200|503)$/
                                      : $BACKENDS{$name}{status} // 200;

        $count{"$name: " . ($r->{error} || $r->{status})}++
            if $r->{status} !~ /^$may$/;
    }

    return map { "$_, $count{$_} times" } sort keys %count;
}


# what status and metrics say of the link, in the middle of the fault

sub _truth {
    my ($self, $o, $before, $lost_s) = @_;

    my $now = $self->snapshot();
    my $m = $self->{t}->metrics();
    my $redis = $now->{redis};
    my $up = $redis->{state} eq 'connected' ? 1 : 0;
    my @lies;

    my $is = sub {
        my ($what, $have, $want) = @_;
        push @lies, "$what is $have, must be $want"
            if ($have // 'nothing') ne ($want // 'nothing');
    };
    my $metric = sub { $m->value("nginx_recovery_$_[0]", @_[1 .. $#_]) };

    $is->('redis_up', $metric->('redis_up'), $up);
    $is->('bad_values', $redis->{bad_values} - $before->{redis}{bad_values},
          $o->{bad} // 0);
    $is->('redis_bad_values_total', $metric->('redis_bad_values_total'),
          $redis->{bad_values});
    $is->('redis_reconnects_total', $metric->('redis_reconnects_total'),
          $redis->{reconnects});

    if (($o->{link} // 'kept') eq 'kept') {
        $is->('state', $redis->{state}, 'connected');
        $is->('reconnects', $redis->{reconnects},
              $before->{redis}{reconnects});
        push @lies, "answered $redis->{last_success_age_ms} ms ago"
            if $redis->{last_success_age_ms} > 2000 * slow();

    } else {
        my $state = $o->{state} // 'disconnected';

        push @lies, "state is $redis->{state}, must be $state"
            if $redis->{state} !~ /^(?:$state)$/;
        push @lies, "no answer for $lost_s s, and age is "
                    . "$redis->{last_success_age_ms} ms"
            if $redis->{last_success_age_ms} < 1000 * ($lost_s - 0.2);
    }

    for my $name (@NAMES) {
        my $b = $now->{backends}{$name};

        $is->("signal_lost of $name", $b->{signal_lost} ? 1 : 0, 0);
        $is->("metric phase of $name",
              $metric->('phase', backend => $name, phase => $b->{phase}), 1);
        push @lies, "health age of $name is $b->{health_age_ms} ms"
            if abs($b->{health_age_ms} - $redis->{last_success_age_ms}) > 1;
    }

    return @lies;
}


sub _log {
    my ($self, $o) = @_;

    my @lines = $self->{log}->said(qr/\[(?:warn|error)\].*\brecovery/);
    my %said = %{$o->{said} // {}};
    my @problems;

    # a summary of what was shed is no word about the source

    @lines = grep { !/ shed / } @lines;

    for my $re (sort keys %said) {
        my $found = grep { /$re/ } @lines;

        my ($least, $most) = ref $said{$re} ? @{$said{$re}}
                                            : ($said{$re}) x 2;

        push @problems, "$found lines of $re, must be $least to $most"
            if $found < $least || $found > $most;
        @lines = grep { !/$re/ } @lines;
    }

    return (@problems, map { "too much: $_" } @lines);
}


sub play {
    my ($self, $name, %o) = @_;

    my $lost = ($o{link} // 'kept') eq 'lost';
    my %p;

    $self->{name} = $name;
    $self->{moved} = {};

    # a new worker: its link has not backed off yet

    $self->{t}->reload() or die "$name: no reload\n";
    $self->watch(0, sub { $_[0]{redis}{state} eq 'connected' });

    my $calm = time();
    my $before = $self->watch(0.5, sub {
        $_[0]{redis}{state} eq 'connected'
    }) or die "$name: not connected before\n";
    my $from = time();

    $self->{log} = Test::Recovery::Watch->new($self->{t});
    $self->{but} = $o{but} // {};
    $o{begin}->();

    my $seen = $lost ? $self->watch(0, sub {
        $_[0]{redis}{state} !~ /^conn/ }) : $before;
    my $since = time();

    $p{seen} = $seen ? [] : ['the status does not show it'];

    push @{$p{seen}}, 'it does not last long enough'
        unless $self->watch($o{lasts} // 1, $o{enough});

    $p{status} = [$self->_truth(\%o, $before, time() - $since)];
    $o{end}->() if $o{end};

    my $after = $self->watch(0, sub {
        $_[0]{redis}{state} eq 'connected'
        && $_[0]{redis}{last_success_age_ms} < 1000
        && (!$lost || !($o{counted} // 1)
            || $_[0]{redis}{reconnects} > $before->{redis}{reconnects})
    });
    my $to = time();

    $p{after} = $after ? [] : ['it is not connected again'];
    $p{log} = [$self->_log(\%o)];
    $self->watch(0.5);
    $self->collect();

    $self->_base($calm, $from);
    $p{latency} = [$self->_slow($from, $to)];
    $p{requests} = [$self->_answered($calm, time())];
    $p{phases} = [sort keys %{$self->{moved}}];

    return \%p;
}


sub row {
    my ($self, $name, %o) = @_;

    my $p = $self->play($name, %o);
    my %label = (
        latency => 'requests keep their latency', phases => 'nothing moves',
        requests => 'every request is answered as before',
        status => 'status and metrics tell it', log => 'the log tells it once',
        after => 'well again', seen => 'it happened',
    );

    for my $aspect (@ASPECTS) {
        my @problems = @{$p->{$aspect}};

        ok(!@problems, "$name: $label{$aspect}") or diag(join "\n", @problems);
    }

    return $p;
}


# All rows together are enough requests for a closer look.

sub finish {
    my ($self) = @_;

    $self->collect();
    $_->stop() for $self->{load}, $self->{machine};

    for my $q (0.5, 0.99) {
        my ($fault, $base, $past) = map { quantile($q, @{$self->{$_}}) }
                                    qw(fault base past);
        my $figures = sprintf 'p%d of %d requests during faults %.1f ms, of '
                              . '%d others %.1f ms, of %d past nginx %.1f ms',
                              100 * $q,
                              map { scalar @{$self->{$_->[0]}},
                                    1000 * $_->[1] }
                              [fault => $fault], [base => $base],
                              [past => $past];

        note($figures);
        ok($fault <= 3 * max($base, $past) + 0.02 * slow(),
           'together: p' . 100 * $q) or diag($figures);
    }
}

1;
