#!/usr/bin/perl

# Goal: the reference tells of every directive, line of a policy, line of a
# backend and variable that the code has: its syntax, its default, where it
# may stand and since when.
# Method: the code's tables against the blocks of docs/.  Where a directive
# may stand is what its flags say; "since" is no version that is still to
# come.  Each check must not be content with one planted mistake.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery::Markdown;

my $root = "$FindBin::Bin/..";
my $SHELL = 'ngx_recovery_module/ngx_http_recovery';

my @WORDS = qw(Syntax Default Context Since);

# of nginx's flags, in the order in which nginx.org names them

my @LEVELS = ([MAIN => 'http'], [SRV => 'server'], [LOC => 'location'],
              [LIF => 'if in location'], [UPS => 'upstream']);


sub slurp {
    my ($name) = @_;

    open my $fh, '<', "$root/$name" or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


# name => where it may stand

sub directives {
    my ($table) = slurp("${SHELL}_module.c")
                  =~ /_commands\[\] = \{(.*?)ngx_null_command/s;
    my %flags;

    while ($table =~ /\{ ngx_string\("(\w+)"\),\s*([A-Z0-9_|\s]+?),/g) {
        $flags{$1} .= "|$2";
    }

    return map {
        my $flags = $flags{$_};
        $_ => join ', ', map { $_->[1] }
                         grep { $flags =~ /NGX_HTTP_$_->[0]_CONF/ } @LEVELS;
    } keys %flags;
}


sub lines_of {
    my ($file, $table, $context) = @_;

    my ($rows) = slurp($file) =~ /\b$table\[\] = \{(.*?)\n\};/s
        or die "$file has no $table\n";

    return map { $_ => $context } $rows =~ /^    \{ "(\w+)"/mg;
}


sub version {
    my ($text) = @_;
    return join '', map { sprintf '%05d', $_ } split /\./, $text;
}


my ($VERSION) = slurp("$SHELL.h") =~ /RECOVERY_VERSION\s+"([\d.]+)"/;

my %stand = (
    directives => { directives() },
    policy => { lines_of('lua-free-policies/policy.c', 'rcv_verbs',
                         'recovery_policy') },
    backend => { lines_of('lua-free-policies/backend_lines.c',
                          'rcv_backend_verbs', 'recovery_backend') },
);

my @variables = map { "\$$_" }
                slurp("${SHELL}_variables.c") =~ /\{ ngx_string\("(\w+)"/g;


# what is wrong with what a document says of since when

sub since_wrong {
    my ($since) = @_;

    return 'no version' if $since !~ /\A\d+\.\d+\.\d+\z/;
    return version($since) gt version($VERSION) ? "later than $VERSION" : ();
}


# what is wrong with the section of one name

sub block_wrong {
    my ($name, $context, $section) = @_;

    my @blocks = map { $_->{text} } blocks('', $section, 'syntax');

    return "\"$name\" has " . @blocks . ' blocks of syntax' if @blocks != 1;

    my @words = $blocks[0] =~ /^(\S+?):/mg;
    my %told = map { /^(\w+): +(.*)/s }
               split /\n(?=\S)/, $blocks[0] =~ s/\n\z//r;

    return "\"$name\" has \"@words\"" if "@words" ne "@WORDS";

    return map { "\"$name\": $_" } (
        ($told{Syntax} =~ /\A\Q$name\E\b.*[;}]\z/s ? () : 'its syntax'),
        ($told{Default} =~ /\A(?:none|(?:\Q$name\E .+;)+)\z/s
            ? () : "its default is \"$told{Default}\""),
        ($told{Context} eq $context
            ? () : "stands in $context, not $told{Context}"),
        map { "since: $_" } since_wrong($told{Since}));
}


sub reference_wrong {
    my ($directives, $policy) = @_;

    my %at = (
        directives => [$directives, '##'],
        policy => [section($policy, 'Lines of a policy'), '###'],
        backend => [section($policy, 'Lines of a backend'), '###'],
    );

    return map {
        my ($text, $marks) = @{$at{$_}};
        my $names = $stand{$_};

        map {
            my $section = section($text, $_);
            $section =~ s/^###+ .*//ms if $marks eq '##';
            block_wrong($_, $names->{$_}, $section);
        } sort keys %$names;
    } sort keys %at;
}


# a row of the table of variables: name, value, default, context, since

sub variables_wrong {
    my ($directives) = @_;

    my ($table) = tables(section($directives, 'Variables'));
    my %row = map { ((spans($_->[0]))[0] // '') => $_ } @{$table // []};

    return map {
        my $row = $row{$_} // [];

        @$row != 5 || grep({ !/\S/ } @$row)
            ? "$_: not five cells"
            : map({ "$row->[0] since: $_" } since_wrong($row->[4]));
    } @variables;
}


# the index at the top of the reference leads to all of them

sub index_wrong {
    my ($directives) = @_;

    my ($index) = tables($directives =~ s/^## .*//msr);
    my $text = join "\n", map { @$_ } @$index;

    return ((map { $text =~ /\(#$_\)/ ? () : "index: no $_" }
             sort keys %{$stand{directives}}),
            (map { $text =~ /\(policy\.md#$_\)/ ? () : "index: no line $_" }
             sort map { keys %{$stand{$_}} } qw(policy backend)));
}


sub clean {
    my ($label, @problems) = @_;
    ok(!@problems, $label) or diag(join "\n", @problems);
}


sub caught {
    my ($label, $what, @problems) = @_;
    ok(scalar(grep { /$what/ } @problems), "planted: $label");
}


my $directives = slurp('docs/directives.md');
my $policy = slurp('docs/policy.md');

cmp_ok(scalar(keys %{$stand{directives}}), '>=', 12, 'directives');
cmp_ok(scalar(keys %{$stand{policy}}), '>=', 9, 'lines of a policy');
cmp_ok(scalar(keys %{$stand{backend}}), '>=', 4, 'lines of a backend');
cmp_ok(scalar @variables, '>=', 5, 'variables');
is($stand{directives}{recovery},
   'http, server, location, if in location, upstream', 'flags are read');

clean('each has its four', reference_wrong($directives, $policy));
clean('each variable', variables_wrong($directives));
clean('the index', index_wrong($directives));

for my $word (@WORDS) {
    caught("a directive without \"$word\"", qr/recovery_cost/, reference_wrong(
        $directives =~ s/(## recovery_cost\n.*?)^$word:.*?\n(?=\S)/$1/msr,
        $policy));
    caught("a line without \"$word\"", qr/"shed"/, reference_wrong(
        $directives, $policy =~ s/(### shed\n.*?)^$word:.*?\n(?=\S)/$1/msr));
}

caught('another context', qr/recovery_zone.*stands in http/, reference_wrong(
    $directives =~ s/(## recovery_zone\n.*?^Context:).*?\n/$1  server\n/msr,
    $policy));
caught('a version to come', qr/recovery_zone.*later/, reference_wrong(
    $directives =~ s/(## recovery_zone\n.*?^Since:).*?\n/$1    77.0.0\n/msr,
    $policy));
caught('no version', qr/"quota".*no version/, reference_wrong(
    $directives, $policy =~ s/(### quota\n.*?^Since:).*?\n/$1    soon\n/msr));
caught('no block', qr/"quota" has 0/, reference_wrong(
    $directives, $policy =~ s/(### quota\n\n)```syntax/$1```text/r));
caught('a variable without since', qr/recovery_phase/, variables_wrong(
    $directives =~ s/^(\| `\$recovery_phase`.*\|)[^|]+\|$/$1 |/mr));
caught('a variable that is missing', qr/recovery_phase/, variables_wrong(
    $directives =~ s/^\| `\$recovery_phase`.*\n//mr));
caught('a hole in the index', qr/no line cohort/, index_wrong(
    $directives =~ s/policy\.md#cohort/policy.md#cohorts/gr));

done_testing();
