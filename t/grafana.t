#!/usr/bin/perl

# Goal: the dashboard is one that Grafana can load, and each of its
# expressions is PromQL that asks for what a node really gives.
# Method: the JSON is read; promtool parses the expressions, as rules; their
# selectors, with labels, are looked up in the scrape of a real node.
# t/prometheus.t asks a real Prometheus for all of them during a ramp.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;
use Test::Recovery::Markdown;
use Test::Recovery::Promql;

my $t = Test::Recovery->new()->plan(23);

$t->backend(8081);
$t->redis_start();
$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_state_file  %%TESTDIR%%/state;
    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_backend  kv { capacity 1000r/s; }

    # always at its quota: it has a ceiling, and its class is cut
    recovery_policy   c  { cohort $arg_user; }
    recovery_backend  co { policy c; quota 10r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /co {
            recovery    co;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

sub slurp {
    my ($name) = @_;

    open my $fh, '<', $t->root() . "/$name" or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


sub clean {
    my ($label, @problems) = @_;
    ok(!@problems, $label) or diag(join "\n", @problems);
}


sub caught {
    my ($label, @problems) = @_;
    ok(scalar @problems, "planted: $label");
}


my $text = slurp('dashboard/grafana.json');
my $dashboard = decode_json($text);
my @panels = panels($dashboard);
my %variable = map { $_->{name} => $_ } @{$dashboard->{templating}{list}};


# what Grafana would not show, or not where it should

sub misplaced {
    my (@panels) = @_;

    my (%id, %taken, @problems);

    for my $panel (@panels) {
        my ($title, $g) = @$panel{qw(title gridPos)};

        push @problems, "$title: its id is another one's"
            if $id{$panel->{id}}++;
        push @problems, "$title: wider than the page"
            if $g->{x} + $g->{w} > 24;

        for my $x ($g->{x} .. $g->{x} + $g->{w} - 1) {
            push @problems, "$title lies on another one"
                if grep { $taken{"$x $_"}++ }
                   $g->{y} .. $g->{y} + $g->{h} - 1;
        }
    }

    return @problems;
}


# a panel needs an explanation, the data source that was chosen, a unit

sub unfit {
    my (@panels) = @_;

    my @problems;

    for my $panel (grep { $_->{type} ne 'row' } @panels) {
        my $title = $panel->{title};

        push @problems, "$title: no description"
            if ($panel->{description} // '') !~ /\w+ \w+/;
        push @problems, "$title: no unit"
            if !$panel->{fieldConfig}{defaults}{unit};
        push @problems, map { "$title: another data source" }
                        grep { $_->{datasource}{uid} ne '${datasource}' }
                        $panel, @{$panel->{targets}};
    }

    return @problems;
}


# variables that are used and not there

sub unset {
    my (@exprs) = @_;
    return grep { !$variable{$_} } map { /\$(?!__)\{?(\w+)/g } @exprs;
}


# what promtool says of expressions, as rules

sub unparsed {
    my (@exprs) = @_;

    my $n = 0;
    my $rules = join '', "groups:\n  - name: x\n    rules:\n", map {
        $n++;
        "      - record: r$n\n        expr: '" . expanded($_) . "'\n"
    } @exprs;
    my ($rc, $said) = promtool('check', 'rules',
                               $t->write_file('rules.yml', $rules));

    return $rc ? $said : ();
}


sub undocumented {
    my ($text, @titles) = @_;

    my ($table) = tables(section($text, 'The dashboard'));
    my %row = map { $_->[0] => 1 } @{$table // []};
    my %title = map { $_ => 1 } @titles;

    return ((map { "\"$_\" has no row" } grep { !$row{$_} } @titles),
            (map { "\"$_\" is no panel" } grep { !$title{$_} } keys %row));
}


my @exprs = map { @$_[1 .. $#$_] } @panels;
my @titles = map { $_->[0] } @panels;
my $monitoring = slurp('docs/monitoring.md');

cmp_ok(scalar @panels, '>=', 12, 'panels');
cmp_ok(scalar @exprs, '>=', 20, 'expressions');
is(scalar(() = $text =~ /"expr":/g), @exprs, 'all of them were read');
is($dashboard->{id}, undef, 'no id of somebody\'s Grafana');
clean('panels side by side', misplaced(@{$dashboard->{panels}}));
clean('panels that explain themselves', unfit(@{$dashboard->{panels}}));
clean('variables', unset(@exprs, map { $_->{definition} // () }
                                 values %variable));
clean('each panel is in docs/monitoring.md',
      undocumented($monitoring, @titles));

# a scrape

$t->run();

my $load = $t->load(rate => 80, timeout => 30,
                    uris => ['/', map { "/co?user=$_" } 1 .. 7]);
my $m;

ok($t->wait_for(sub {
    $m = $t->metrics();
    $m->value('nginx_recovery_redis_up')
    && $m->value('nginx_recovery_state_file_written')
    && @{$m->samples('nginx_recovery_health_age_seconds')}
    && @{$m->samples('nginx_recovery_eta_seconds')}
    && @{$m->samples('nginx_recovery_cut_cohorts')};
}), 'a scrape of a node at work');

clean('each expression has samples', map { selected(expanded($_), $m) }
                                     @exprs);
clean('each variable has values', map { selected(expanded($_), $m) }
                                  map { $_->{definition} // () }
                                  values %variable);
$load->stop();

# one mistake each

is(scalar(() = map { selectors($_) } @exprs) >= @exprs, 1, 'selectors');
caught('a metric', selected('sum(nginx_recovery_magic{job=~"$job"})', $m));
caught('a label', selected('nginx_recovery_phase{phase="away"}', $m));
caught('a name of a label', selected('nginx_recovery_phase{stage="up"}', $m));
caught('a variable', unset('up{job="$jobs"}'));
caught('two at one place', misplaced(@{$dashboard->{panels}}, {
    %{$dashboard->{panels}[-1]}, id => 99 }));
caught('no description', unfit({ %{$dashboard->{panels}[-1]},
                                 description => '' }));
caught('a panel without a row', undocumented($monitoring, @titles, 'Magic'));
caught('a row without a panel',
       undocumented($monitoring, @titles[1 .. $#titles]));

SKIP: {
    skip 'promtool is not installed', 3 if !have('promtool');

    clean('promtool parses all', unparsed(@exprs));
    caught('no PromQL', unparsed(@exprs, 'sum(nginx_recovery_phase'));
    caught('a function', unparsed('ratio(nginx_recovery_phase)'));
}
