package Test::Recovery::Promql;

# As much of PromQL and of rule files as the tests of dashboard/ have to read.
#
#   rules(text)             [{kind => 'alert' or 'record', name, expr, for,
#                             text, annotations => {..}}, ...]
#   selectors(expr)         [[metric, [label, op, value], ...], ...]
#   selected(expr, $m)      selectors without a sample in a scrape
#                           (Test::Recovery::Prometheus), as text
#   panels(dashboard)       [[title, expr, ...], ...] of decoded JSON
#   expanded(expr)          with the variables of Grafana filled in
#   promtool(args)          (exit status, what it said)
#   have(program)           its path

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(rules selectors selected panels expanded promtool have);


sub have {
    my ($program) = @_;
    return (grep { -x } map { "$_/$program" } split /:/, $ENV{PATH})[0];
}


sub promtool {
    my $command = join ' ', 'promtool', map { "'$_'" } @_;
    my $said = `GOGC=400 $command 2>&1`;

    return ($? >> 8, $said);
}


# one rule for each "- alert:" or "- record:"; a block of ">-" is one line

sub rules {
    my ($text) = @_;

    my @rules;

    while ($text =~ /^(\ {6}-\ (alert|record):\ (\S+)\n
                      (?:\ {8}.*\n)+)/gmx)
    {
        my %rule = (text => $1, kind => $2, name => $3);
        my ($block) = $rule{text} =~ /^ {8}expr: >-\n((?: {10}.*\n)+)/m;
        my ($line) = $rule{text} =~ /^ {8}expr: (?!>-)(.*)/m;

        $rule{expr} = $line // ($block // '') =~ s/\s+/ /gr;
        ($rule{for}) = $rule{text} =~ /^ {8}for: (\S+)/m;
        ($rule{severity}) = $rule{text} =~ /^ {10}severity: (\S+)/m;
        $rule{annotations} = {
            $rule{text} =~ /^ {10}(summary|description|runbook_url): (.*)/mg
        };
        push @rules, \%rule;
    }

    return @rules;
}


sub selectors {
    my ($expr) = @_;

    my @selectors;

    while ($expr =~ /\b((?:[a-z_]+:)?nginx_recovery_\w+(?::\w+)?|up\b)
                     (?:\{([^}]*)\})?/gx)
    {
        my ($metric, $labels) = ($1, $2 // '');
        push @selectors, [$metric, map { [/^\s*(\w+)\s*(=~|!~|!=|=)"(.*)"/] }
                                   $labels =~ /\s*\w+\s*[=!]~?=?"[^"]*"/g];
    }

    return @selectors;
}


sub _matches {
    my ($labels, $matcher) = @_;

    my ($name, $op, $value) = @$matcher;
    my $have = $labels->{$name} // '';

    # these two are Prometheus' own

    return 1 if $name eq 'job' || $name eq 'instance';

    return $op eq '=' ? $have eq $value
         : $op eq '!=' ? $have ne $value
         : $op eq '=~' ? $have =~ /^(?:$value)$/
         : $have !~ /^(?:$value)$/;
}


sub selected {
    my ($expr, $m) = @_;

    my @missing;

    for my $selector (selectors($expr)) {
        my ($metric, @matchers) = @$selector;

        push @missing, $metric . '{' . join(',', map { join '', @$_ }
                                                 @matchers) . '}'
            if !grep { my $l = $_->{labels};
                       !grep { !_matches($l, $_) } @matchers
                     } @{$m->samples($metric)};
    }

    return @missing;
}


sub panels {
    my ($dashboard) = @_;

    return map { [$_->{title}, map { $_->{expr} } @{$_->{targets}}] }
           grep { $_->{targets} }
           map { ($_, @{$_->{panels} // []}) } @{$dashboard->{panels}};
}


sub expanded {
    my ($expr) = @_;

    $expr =~ s/\$__rate_interval/1m/g;
    $expr =~ s/\$(?:job|instance|backend)\b/.*/g;

    return $expr;
}


1;
