#!/usr/bin/perl

# Goal: each rule of dashboard/ fires when it should and only then, asks for
# metrics that there are, and tells whoever is woken what to do next.
# Method: promtool runs dashboard/rules_test.yml; then all rules are broken in
# one way, and for each of them a test must have noticed.  The texts are
# compared with the table of fields, docs/operations.md and docs/monitoring.md.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp qw(tempdir);
use Test::More;

use Test::Recovery::Markdown;
use Test::Recovery::Promql;

my $root = "$FindBin::Bin/..";
my $dir = tempdir(CLEANUP => 1);

my %text = map { $_ => slurp("$root/dashboard/$_") }
           qw(alerts.rules.yml recording.rules.yml rules_test.yml);
my @alerts = rules($text{'alerts.rules.yml'});
my @records = rules($text{'recording.rules.yml'});
my $operations = slurp("$root/docs/operations.md");
my $monitoring = slurp("$root/docs/monitoring.md");
my $fields = slurp("$root/ngx_recovery_module/ngx_http_recovery_fields.c");

my %metric = map { ("nginx_recovery_$_" => 1) }
             $fields =~ /\b(?:GAUGE|COUNTER|FAMILY)\("(\w+)"/g;

$metric{"nginx_recovery_upstream_latency_seconds_$_"} = 1
    for qw(bucket sum count);


sub slurp {
    my ($name) = @_;

    open my $fh, '<', $name or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


sub spew {
    my ($name, $text) = @_;

    open my $fh, '>', $name or die "$name: $!\n";
    print $fh $text;
    close $fh;
}


sub clean {
    my ($label, @problems) = @_;
    ok(!@problems, $label) or diag(join "\n", @problems);
}


sub caught {
    my ($label, @problems) = @_;
    ok(scalar @problems, "planted: $label");
}


# what is wrong with the text of the rules

sub speechless {
    my (@alerts) = @_;

    my @problems;

    for my $alert (@alerts) {
        my ($name, $says) = @$alert{qw(name annotations)};
        my $url = $says->{runbook_url} // '';
        my ($anchor) = $url =~ m{^docs/operations\.md#(.+)$};

        push @problems, map { "$name has no $_" }
                        grep { ($says->{$_} // '') !~ /\w.*\w/ }
                        qw(summary description);
        push @problems, "$name: \"$url\" is no heading of operations.md"
            if !grep { $_ eq ($anchor // '') } slugs($operations);
        push @problems, "$name has no severity"
            if ($alert->{severity} // '') !~ /^(?:critical|warning|info)$/;
    }

    return @problems;
}


sub strangers {
    my (@rules) = @_;

    my %known = (%metric, up => 1, map { $_->{name} => 1 } @records);

    return map { my $rule = $_;
                 map { "$rule->{name}: $_ is nowhere" }
                 grep { !$known{$_} }
                 map { $_->[0] } selectors($rule->{expr}) } @rules;
}


# the tables of docs/monitoring.md

sub undocumented {
    my ($text) = @_;

    my @problems;

    for my $part (['Alerts', @alerts], ['Recording rules', @records]) {
        my ($title, @rules) = @$part;
        my %row = map { $_ => 1 } column([map { @$_ }
                                          tables(section($text, $title))], 0);
        my %rule = map { $_->{name} => 1 } @rules;

        push @problems, (map { "$_ has no row" } grep { !$row{$_} }
                         sort keys %rule),
                        (map { "$_ is no rule" } grep { !$rule{$_} }
                         sort keys %row);
    }

    return @problems;
}


# What promtool says of rules that were changed: [expected, got, all of it]
# for each failure

sub failures {
    my ($alerts, $records) = @_;

    my %files = ('alerts.rules.yml' => $alerts,
                 'recording.rules.yml' => $records,
                 'rules_test.yml' => $text{'rules_test.yml'});

    spew("$dir/$_", $files{$_}) for keys %files;

    my (undef, $said) = promtool('test', 'rules', "$dir/rules_test.yml");

    return map { [/exp: *(.*?)\n\s*got: *(.*)/s, $_] }
           grep { /exp:/ } split /^    expr:/m, $said;
}


# names of rules whose mutation nobody noticed

sub unnoticed {
    my ($noticed, @rules) = @_;
    return map { "$_->{name}: no test" } grep { !$noticed->{$_->{name}} }
                                         @rules;
}


# changed by the callback, which returns undef for a rule that stays

sub mutate {
    my ($text, $rules, $change) = @_;

    for my $rule (@$rules) {
        my $new = $change->($rule);
        $text =~ s/\Q$rule->{text}\E/$new/ if defined $new;
    }

    return $text;
}


sub with_expr {
    my ($rule, $expr) = @_;

    my $block = qr/>-\n(?: {10}.*\n)+/;

    return $rule->{text} =~ s/^( {8}expr: )(?:$block|.*\n)/$1$expr\n/mr;
}


# which alerts were missed, or fired too many, in at least one test

sub alerts_in {
    my ($which, @failures) = @_;

    my %noticed;

    for my $failure (@failures) {
        my %have = map { $_ => 1 } $failure->[1 - $which] =~ /="(Nginx\w+)"/g;
        $noticed{$_} = 1 for grep { !$have{$_} }
                             $failure->[$which] =~ /="(Nginx\w+)"/g;
    }

    return \%noticed;
}


my @waiting = grep { $_->{for} } @alerts;

plan(tests => 22);

cmp_ok(scalar @alerts, '>=', 13, 'alerts');
cmp_ok(scalar @records, '>=', 5, 'recording rules');
is(scalar(() = "@text{'alerts.rules.yml', 'recording.rules.yml'}"
          =~ /^ *- (?:alert|record):/mg), @alerts + @records,
   'all of them were read');
clean('each says what to do next', speechless(@alerts));
clean('each asks for what there is', strangers(@alerts, @records));
clean('each is in docs/monitoring.md', undocumented($monitoring));

my ($rule) = @alerts;
my %says = %{$rule->{annotations}};

caught('no summary',
       speechless({ %$rule, annotations => { %says, summary => '' } }));
caught('no such heading',
       speechless({ %$rule, annotations => {
           %says, runbook_url => 'docs/operations.md#prayer' } }));
caught('a metric', strangers({ name => 'x',
                               expr => 'nginx_recovery_magic > 0' }));
caught('a row', undocumented($monitoring =~ s/^\| `$rule->{name}`.*\n//mr));
caught('a row too many',
       undocumented($monitoring =~ s/^\| `$rule->{name}`/| `Nginx`/mr));

SKIP: {
    skip 'promtool is not installed', 11 if !have('promtool');

    my @files = map { "$root/dashboard/$_.rules.yml" } qw(alerts recording);
    my ($rc, $said) = promtool('check', 'rules', @files);

    is($rc, 0, 'promtool check rules') or diag($said);
    ($rc, $said) = promtool('test', 'rules', "$root/dashboard/rules_test.yml");
    is($rc, 0, 'promtool test rules') or diag($said);

    # the configuration of docs/monitoring.md, with the rules where they are

    my ($yaml) = $monitoring =~ /^```yaml\n(.*?)^```/ms;
    my $config = "$dir/prometheus.yml";

    $yaml =~ s{/etc/prometheus/nginx-recovery/}{$root/dashboard/};
    spew($config, $yaml);
    ($rc, $said) = promtool('check', 'config', $config);
    is("$rc " . (() = $said =~ /rules found/g), '0 2', 'the configuration')
        or diag($said);
    spew($config, $yaml =~ s/scrape_configs/scrap_configs/r);
    ($rc) = promtool('check', 'config', $config);
    isnt($rc, 0, 'planted: a word of it');

    # all rules broken in one way: is it noticed of each of them?

    my ($a, $r) = @text{'alerts.rules.yml', 'recording.rules.yml'};
    my $nothing = 'vector(0) > 1';
    my @f;

    is(scalar failures($a, $r), 0, 'as it is: no failure');

    @f = failures(mutate($a, \@alerts, sub { with_expr($_[0], $nothing) }),
                  $r);
    clean('none fires: noticed', unnoticed(alerts_in(0, @f), @alerts));

    @f = failures(mutate($a, \@alerts,
                         sub { with_expr($_[0], 'vector(1)') }), $r);
    clean('all fire: noticed', unnoticed(alerts_in(1, @f), @alerts));

    @f = failures(mutate($a, \@waiting,
                         sub { $_[0]{text} =~ s/^ {8}for: .*\n//mr }), $r);
    clean('at once: noticed', unnoticed(alerts_in(1, @f), @waiting));

    @f = failures(mutate($a, \@waiting, sub {
        $_[0]{text} =~ s/^( {8}for: )(\d+)/$1 . 4 * $2/mer
    }), $r);
    clean('too late: noticed', unnoticed(alerts_in(0, @f), @waiting));

    @f = failures($a, mutate($r, \@records,
                             sub { with_expr($_[0], $nothing) }));
    my %noticed = map { $_ => 1 } map { $_->[2] =~ /([\w:]+:\w+)/g } @f;
    clean('nothing is recorded: noticed', unnoticed(\%noticed, @records));

    # and the search for what was not noticed finds something

    @f = failures(mutate($a, [@alerts[1 .. $#alerts]],
                         sub { with_expr($_[0], $nothing) }), $r);
    is_deeply([unnoticed(alerts_in(0, @f), @alerts)],
              ["$alerts[0]{name}: no test"], 'one that is not broken: seen');
}
