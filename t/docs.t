#!/usr/bin/perl

# Goal: what README.md and docs/ say is what the code has: every example
# passes nginx -t, the names in the reference are those of the code's tables
# (no more, no fewer), bounds and sizes are the code's, links and files exist.
# Method: each check gives a list of problems, which must be empty; and must
# not be for a text with one planted mistake.
#
# An example stands in a "```nginx" block.  Its first directive tells where it
# belongs; upstreams, backends and policies that it only names are stubs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Glob qw(bsd_glob);
use Test::More;

use Test::Recovery;
use Test::Recovery::Certs;
use Test::Recovery::Markdown;

my $t = Test::Recovery->new();
my $root = $t->root();

my @files = ('README.md',
             map { s{^\Q$root/\E}{}r } sort { $a cmp $b }
             bsd_glob("$root/docs/*.md"));
my %doc = map { $_ => slurp($_) } @files;

my $CORE = 'lua-free-policies';
my $SHELL = 'ngx_recovery_module/ngx_http_recovery';

my $DIRECTIVES = 'docs/directives.md';
my $POLICY = 'docs/policy.md';
my $REDIS = 'docs/redis.md';
my $TOUR = 'docs/how-it-works.md';


sub slurp {
    my ($name) = @_;

    open my $fh, '<', "$root/$name" or die "$name: $!\n";
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


# C

sub strings { return $_[0] =~ /"((?:[^"\\]|\\.)*)"/g }


sub array_of {
    my ($file, $name) = @_;

    my ($body) = slurp($file) =~ /\b$name\[\w*\] = \{(.*?)\};/s
        or die "$file has no $name\n";

    return strings($body);
}


sub define {
    my ($file, $name) = @_;

    my ($value) = slurp($file) =~ /^#define\s+$name\s+(\S.*?)\s*(?:\/\*.*)?$/m
        or die "$file has no $name\n";

    $value =~ s/(?<=\d)u(?:ll)?\b//g;
    return eval $value;
}


# What the code has: name of a set => what is in it.

sub policy_usages {
    my ($table) = slurp("$CORE/policy.c") =~ /rcv_verbs\[\] = \{(.*?)\n\};/s;
    my %usage;

    for my $row (split /\n\n/, $table) {
        my ($verb, @usage) = strings($row) or next;
        $usage{$verb} = join '', @usage;
    }

    return %usage;
}


sub redis_keys {
    my ($table) = slurp("${SHELL}_conf_redis.c")
                  =~ /redis_keys\[\] = \{(.*?)\n\};/s;

    return $table =~ /ngx_string\("(\w+=)"\)/g;
}


my $module = slurp("${SHELL}_module.c");
my $variables = slurp("${SHELL}_variables.c");
my $backend = slurp("$CORE/backend_lines.c");
my $fields = slurp("${SHELL}_fields.c");
my ($report) = $fields =~ s/^(const \w+ +\w+_report_fields\[\] = \{.*?^\};)//ms
               ? $1 : '';
my %usage = policy_usages();

my %code = (
    directives => [$module =~ /\{ ngx_string\("(recovery\w*)"\),\n/g],
    'log levels' => [$module =~ /\{ ngx_string\("(\w+)"\), NGX_LOG_/g],
    variables => [map { "\$$_" } $variables =~ /ngx_string\("(\w+)"\)/g],
    reasons => [array_of("$CORE/rcv.c", 'rcv_reason_names')],
    outcomes => [array_of("$CORE/rcv.c", 'rcv_outcome_names')],
    phases => [array_of("$CORE/rcv.c", 'rcv_phase_names')],
    'signal modes' => [array_of("${SHELL}_view.c",
                                'ngx_http_recovery_mode_names')],
    undecided => [array_of("${SHELL}_zone.c",
                           'ngx_http_recovery_undecided_names')],
    'redis states' => [array_of("${SHELL}_zone.c",
                                'ngx_http_recovery_redis_state_names')],
    'policy lines' => [keys %usage],
    'backend lines' => [$backend =~ /\{ "(\w+)", rcv_backend_\w+ \}/g],
    metrics => [$fields =~ /(?:GAUGE|COUNTER|FAMILY)\("(\w+)"/g],
    'json keys' => [$fields =~ /^ {4}\{ ngx_string\("(\w+)"\)/gm],
    'report keys' => [$report =~ /^ {4}\{ ngx_string\("(\w+)"\)/gm],
    'hash fields' => [array_of("$CORE/health.c", 'rcv_field_names')],
    'redis parameters' => [redis_keys()],
);


# What the reference has, by the same names.

sub documented {
    my (%doc) = @_;

    my $text = $doc{$DIRECTIVES};
    my $policy = $doc{$POLICY};
    my $status = section($text, 'recovery_status');
    my @status = tables($status);
    my @reasons = tables(section($text, 'Reasons'));
    my @vars = tables(section($text, 'Variables'));
    my @connection = tables(section($doc{$REDIS}, 'The connection'));
    my @fails = tables(section($doc{$REDIS}, 'When Redis fails'));
    my @nodes = tables(section($doc{$REDIS}, 'Nodes'));
    my @hash = tables(section($doc{$REDIS}, 'The hash') =~ s/^###.*//msr);
    my ($levels) = section($text, 'recovery_log_level')
                   =~ /Syntax:\s+\w+ (.*);/;

    return (
        directives => [grep { /^recovery/ } headings($text, '##')],
        'log levels' => [($levels // '') =~ /(\w+)/g],
        variables => [column($vars[0], 0)],
        outcomes => [spans($vars[0][0][1])],
        reasons => [column($reasons[0], 0)],
        undecided => [column($reasons[1], 0)],
        'signal modes' => [grep { !/^(?:mode|when signal_lost)$/ }
                           map { spans($_->[2]) }
                           grep { $_->[0] eq '`signal_mode`' }
                           map { @$_ } @status],
        phases => [grep { $_ ne 'phase' } spans($status[1][0][2])],
        'redis states' => [column($fails[1], 0)],
        'policy lines' => [headings(section($policy, 'Lines of a policy'),
                                    '###')],
        'backend lines' => [headings(section($policy, 'Lines of a backend'),
                                     '###')],
        metrics => [map { column($_, 1) } @status[0, 1]],
        'json keys' => [(map { column($_, 0) } @status[0, 1]),
                        map { spans($_->[2] =~ s/(?:labels|\((?:not|`)).*//r) }
                        grep { $_->[0] =~ /^`(?:force|override|classes|events|dry_run)`$/ }
                        @{$status[1]}],
        'report keys' => [column($nodes[1], 0)],
        'hash fields' => [column($hash[0], 0)],
        'redis parameters' => [grep { /=$/ } column($connection[0], 0)],
    );
}


sub differences {
    my ($want, $have) = @_;

    my %want = map { $_ => 1 } @{$want // []};
    my %have = map { $_ => 1 } @{$have // []};

    return ((map { "\"$_\" is not documented" }
             grep { !$have{$_} } sort keys %want),
            (map { "\"$_\" is documented and not in the code" }
             grep { !$want{$_} } sort keys %have));
}


# the form of each line of a policy is the one that nginx -t tells

sub forms {
    my ($text) = @_;

    my $lines = section($text, 'Lines of a policy');
    my %form;

    while ($lines =~ /^Syntax: +(.*\n(?: .*\n)*)/gm) {
        for my $form (grep { /\S/ } split /;/, $1) {
            my ($verb) = $form =~ /(\w+)/;
            push @{$form{$verb}}, $form =~ s/\s//gr;
        }
    }

    return map {
        my $want = join ';', map { s/\s//gr } split /, or /, $usage{$_};
        my $have = join ';', @{$form{$_} // ['nothing']};
        $want eq $have ? () : "\"$_\" is $want, documented is $have";
    } sort keys %usage;
}


# a directive or variable of ours that is named anywhere must be there

sub strangers {
    my (%doc) = @_;

    my %known = map { $_ => 1 } @{$code{directives}},
                map { s/^\$//r } @{$code{variables}};
    my @problems;

    for my $file (sort keys %doc) {
        push @problems, map { "$file: \"$_\" is in no table of the code" }
                        grep { !$known{$_} }
                        $doc{$file} =~ /\b(recovery_[a-z_]+)\b(?!-)/g;
    }

    return @problems;
}


# bounds: [file, macro, document, what it says with the number]

my @bounds = (
    ["$CORE/rcv.h", 'RCV_CLASSES_MAX', $DIRECTIVES,
     qr/^\| classes of a policy \| (\d+)/m],
    ["$CORE/rcv.h", 'RCV_NAME_MAX', $DIRECTIVES,
     qr/^\| bytes of a name \| (\d+)/m],
    ["$CORE/rcv.h", 'RCV_NAME_MAX', $DIRECTIVES, qr/1 to (\d+) letters/],
    ["$CORE/rcv.h", 'RCV_COST_MAX', $DIRECTIVES,
     qr/^\| cost of a request \| (\d+)/m],
    ["$CORE/rcv.h", 'RCV_TEXT_MAX', $REDIS, qr/at most (\d+) bytes of each/],
    ["$CORE/policy.h", 'RCV_MATCHES_MAX', $DIRECTIVES,
     qr/different STRINGs \| (\d+);/],
    ["$CORE/policy.h", 'RCV_MATCHES_MAX', $POLICY, qr/Up to (\d+) lines/],
    ["$CORE/policy.h", 'RCV_SUBJECTS_MAX', $DIRECTIVES,
     qr/different STRINGs \| \d+; (\d+)/],
    ["$CORE/policy.h", 'RCV_TRUST_MAX', $DIRECTIVES,
     qr/^\| networks in `trust` \| (\d+)/m],
    ["$CORE/policy.h", 'RCV_STEPS_MAX', $DIRECTIVES,
     qr/^\| steps of a ramp \| (\d+)/m],
    ["$CORE/gate.h", 'RCV_IN_FLIGHT_MAX', $DIRECTIVES,
     qr/that can be counted \| (\d+)/],
    ["$CORE/pattern.h", 'RCV_PATTERN_MATCH_LIMIT', $POLICY,
     qr/(\d+)\s+matching\s+steps/],
    ["$CORE/pattern.h", 'RCV_PATTERN_DEPTH_LIMIT', $POLICY,
     qr/depth\s+of\s+(\d+)/],
    ["$CORE/pattern.h", 'RCV_PATTERN_HEAP_KB', $POLICY,
     qr/(\d+)\s+KB\s+of\s+memory/],
    ["$CORE/pattern.h", 'RCV_PATTERN_SUBJECT_MAX', $POLICY,
     qr/more\s+than\s+(\d+)\s+bytes/],
    ["$SHELL.h", 'NGX_HTTP_RECOVERY_BACKENDS_MAX', $DIRECTIVES,
     qr/one main request \| (\d+)/],
    ["${SHELL}_zone.h", 'NGX_HTTP_RECOVERY_EVENTS', $DIRECTIVES,
     qr/the last (\d+): `time`/],
    ["${SHELL}_zone.h", 'NGX_HTTP_RECOVERY_SLOTS_MIN', $DIRECTIVES,
     qr/worker\s+slots\s+\(at\s+least\s+(\d+)/],
    ["${SHELL}_conf_redis_uri.c", 'NGX_HTTP_RECOVERY_REDIS_SERVERS_MAX',
     $DIRECTIVES, qr/servers in `recovery_redis` \| (\d+)/],
    ["${SHELL}_conf_redis_password.c",
     'NGX_HTTP_RECOVERY_REDIS_PASSWORD_MAX', $REDIS, qr/first line, 1 to (\d+) bytes/],
    ["${SHELL}_source.h", 'NGX_HTTP_RECOVERY_SOURCE_PREFIX_MAX', $REDIS,
     qr/channel, 1 to (\d+) bytes/],
    ["${SHELL}_source.h", 'NGX_HTTP_RECOVERY_SOURCE_BATCH', $REDIS,
     qr/up to (\d+)\s+in\s+one\s+batch/],
    ["${SHELL}_report.c", 'NGX_HTTP_RECOVERY_REPORT_EVENTS', $REDIS,
     qr/the last (\d+) `events`/],
);


sub bounds_wrong {
    my (%doc) = @_;

    return map {
        my ($file, $macro, $name, $re) = @$_;
        my $want = define($file, $macro);
        my ($have) = $doc{$name} =~ $re;

        !defined $have ? "$name: nothing like $re"
            : $have != $want ? "$name: $macro is $want, not $have" : ();
    } @bounds;
}


# Sizes, by the compiler that makes the module.

sub sizes {
    my $src = "$root/build/nginx-module";

    return undef if !-f "$src/objs/ngx_auto_config.h";

    $t->write_file('sizes.c', <<'EOC');
#include "ngx_http_recovery.h"
#include <stdio.h>

int
main(void)
{
    printf("record=%zu class=%zu slot=%zu counters=%zu line=%d\n",
           sizeof(ngx_http_recovery_record_t),
           sizeof(ngx_http_recovery_class_t), sizeof(rcv_slot_t),
           offsetof(ngx_http_recovery_record_t, version)
           - offsetof(ngx_http_recovery_record_t, results), RCV_LINE);
    return 0;
}
EOC

    my @include = map { "-I$_" }
        "$root/ngx_recovery_module", "$root/$CORE", "$src/objs",
        map { "$src/src/$_" } qw(core event event/modules os/unix http
                                 http/modules http/v2);
    my $program = $t->dir() . '/sizes';

    return undef if system($ENV{CC} || 'cc', @include, '-o', $program,
                           "$program.c") != 0;

    return { map { split /=/ } split ' ', `$program` };
}


sub sizes_wrong {
    my ($size, %doc) = @_;

    my $counters = $size->{counters} + 4 * $size->{class};
    my $record = $size->{record} + 4 * $size->{class};

    $record += -$record % $size->{line};

    my $told = qr/(\d[\d,]*)/;
    my @told = (
        [$TOUR, qr/backend\s+has\s+$told\s+bytes\s+of\s+counters/, $counters],
        [$TOUR, qr/counters:\s+$told,/, $size->{counters}],
        [$TOUR, qr/and\s+$told\s+for\s+each\s+class/, $size->{class}],
        [$TOUR, qr/that\s+is\s+$told\s+bytes/, $counters * 16 * 1000],
        [$TOUR, qr/record\s+of\s+$told\s+bytes/, $record],
        [$TOUR, qr/in\s+16\s+slots\s+$told\b/, $record + 16 * 4],
        [$DIRECTIVES, qr/further\s+class\s+takes\s+$told/, $size->{class}],
        [$DIRECTIVES, qr/process\s+$told\s+bytes\s+in\s+every/, 4 * 4],
        [$DIRECTIVES, qr/backend\s+and\s+$told\s+in\s+all/,
         4 * ($size->{slot} + $size->{line})],
    );

    return map {
        my ($name, $re, $want) = @$_;
        my ($have) = map { tr/,//dr } $doc{$name} =~ $re;

        !defined $have ? "$name: nothing like $re"
            : $have != $want ? "$name: it is $want, not $have ($re)" : ();
    } @told;
}


# links and files

sub links_broken {
    my ($file, $text) = @_;

    my $plain = without_code($text) =~ s/`[^`]*`//gr;
    my ($dir) = $file =~ m{^(.*/)};
    my %known = map { /^\[([^\]]+)\]: / ? (lc $1 => 1) : () }
                split /\n/, $plain;
    my @targets = ($plain =~ /\]\(([^)\s]+)\)/g,
                   $plain =~ /^\[[^\]]+\]: (\S+)$/gm);
    my @problems = map { "$file: [$_] leads nowhere" }
                   grep { !$known{lc $_} }
                   $plain =~ /\[([^\]\[]+)\](?![(\[:])/g;

    for my $target (grep { !/^https?:/ } @targets) {
        my ($path, $anchor) = split /#/, $target;
        my $there = $path eq '' ? $file : ($dir // '') . $path;

        if (!-e "$root/$there") {
            push @problems, "$file: $target is not there";

        } elsif (defined $anchor
                 && !grep { $_ eq $anchor }
                          slugs($path eq '' ? $text : slurp($there)))
        {
            push @problems, "$file: $target has no such heading";
        }
    }

    return @problems;
}


sub files_missing {
    my ($file, $text) = @_;

    my $kinds = qr/\.(?:[cht]|pm|pl|sh|md|map|in|so)$/;
    my $dirs = join '|', map { quotemeta } grep { !/^\./ && -d "$root/$_" }
                                           map { s{.*/}{}r }
                                           bsd_glob("$root/*");

    my @named = grep { m{^[\w.-]+(?:/[\w.-]+)*/?$}
                       && ($_ =~ $kinds || m{^(?:$dirs)/}) }
                spans(without_code($text));

    return map { "$file: $_ does not exist" }
           grep { my $name = $_;
                  !grep { -e "$root/$_$name" } '', 'docs/', "$CORE/",
                                               'ngx_recovery_module/' }
           @named;
}


# examples

my %home = (
    (map { $_ => 'main' } qw(load_module http events)),
    (map { $_ => 'http' } qw(recovery_zone recovery_redis recovery_state_file
                             recovery_policy recovery_backend
                             recovery_log_level server map geo log_format
                             include)),
    location => 'server', upstream => 'http',
);


# what an example names and does not define

sub stubs {
    my ($text) = @_;

    my %named;

    $named{"recovery_backend $_ { }"} = 1
        for grep { $_ ne 'off' && $text !~ /recovery_backend\s+$_\b/ }
            map { split } $text =~ /\brecovery\s+([^;{]+);/g;
    $named{"recovery_policy $_ { }"} = 1
        for grep { $text !~ /recovery_policy\s+$_\b/ }
            grep { $text !~ m{\binclude\s+\S*/\Q$_\E\.conf;} }
            $text =~ /\bpolicy\s+([\w-]+);/g;
    $named{"upstream $_ { server 127.0.0.1:%%PORT_8081%%; }"} = 1
        for grep { $text !~ /upstream\s+$_\b/ }
            $text =~ m{\bproxy_pass\s+http://(\w+)[;/]}g;

    return join "\n", sort keys %named;
}


sub configuration {
    my ($text) = @_;

    my ($first) = $text =~ /^\s*(?:#.*\n\s*)*(\w+)/;
    my $home = $home{$first} // 'location';
    my $stubs = stubs($text);

    $text =~ s/^\s*load_module .*\n//m;
    $text =~ s{(access_log\s+)/var/log/nginx/}{$1%%TESTDIR%%/};
    $text =~ s{\binclude\s+(?=recovery/presets/)}{include %%TESTDIR%%/};
    $text =~ s/password_file=\S+?(?=[\s;])/password_file=%%TESTDIR%%\/secret/g;
    $text =~ s/tls_(ca|cert)=\S+?(?=[\s;])/tls_$1=%%TESTDIR%%\/ca.crt/g;
    $text =~ s/tls_key=\S+?(?=[\s;])/tls_key=%%TESTDIR%%\/ca.key/g;
    $text =~ s{(ssl_(?:client_)?certificate)\s.*?;}{$1 %%TESTDIR%%/ca.crt;}g;
    $text =~ s{(ssl_certificate_key)\s.*?;}{$1 %%TESTDIR%%/ca.key;}g;
    $text =~ s{(recovery_state_file\s+)[^\s;]+}{$1%%TESTDIR%%/x};
    $text =~ s/\blisten\s+\S+?;//g;
    $text =~ s/\blisten\s+\S+ ssl;/listen 127.0.0.1:%%PORT_8443%% ssl;/g;

    $text = "location / {\n$text\n}" if $home eq 'location';
    $text = "server {\n$text\n}" if $home =~ /location|server/;
    $text =~ s/\bserver \{/server {\nlisten 127.0.0.1:%%PORT_8080%%;/g;
    $text = "http {\n$text\n}" if $home ne 'main';
    $text =~ s/\bhttp \{/http {\n%%TEST_GLOBALS_HTTP%%\n$stubs/;
    $text .= "\nevents { }\n" if $text !~ /\bevents \{/;

    return "%%TEST_GLOBALS%%\n$text";
}


sub refused {
    my ($text) = @_;

    my ($code, $err) = $t->config_test(configuration($text));

    return $code eq '0' ? () : $err;
}


# the defaults of the reference, as one configuration

sub defaults {
    my (%doc) = @_;

    my %part = (policy => section($doc{$POLICY}, 'Lines of a policy'),
                backend => section($doc{$POLICY}, 'Lines of a backend'),
                http => $doc{$DIRECTIVES});

    my %lines = map {
        $_ => join "\n", grep { $_ ne 'none' }
                              $part{$_} =~ /^Default: +(\S.*)$/gm
    } keys %part;

    return <<"EOC";
http {
$lines{http}
recovery_policy x {
$lines{policy}
}
recovery_backend x {
$lines{backend}
}
}
EOC
}


# the table of sizes: so many backends fit, half as many again do not

sub zone_wrong {
    my ($text) = @_;

    my ($table) = tables(section($text, 'recovery_zone'));

    return map {
        my ($size, $n) = @$_;
        my ($few, $many) = map {
            my @conf = map { "recovery_backend b$_ { }" } 1 .. $_;
            scalar refused(join "\n", "http {\nrecovery_zone z:$size;", @conf,
                                      "}\n");
        } $n, int($n * 1.5);

        ($few ? "$n do not fit into $size" : (),
         $many ? () : "many more than $n fit into $size");
    } @$table;
}


my @examples = map { blocks($_, $doc{$_}, 'nginx') } @files;
my %have = documented(%doc);
my $size = sizes();

$t->write_file('secret', "secret\n");
mkdir $t->dir() . '/recovery';
symlink "$root/$CORE/presets", $t->dir() . '/recovery/presets';
chmod 0600, $t->dir() . '/secret';
Test::Recovery::Certs->new($t)->ca('ca');
$t->allow(qr/\[emerg\].*recovery_zone/);
$t->plan(@examples + keys(%code) + 2 * @files + 23);

cmp_ok(scalar @files, '>=', 4, 'documents');
cmp_ok(scalar @examples, '>=', 15, 'examples');

clean("$_->{where}: nginx -t", refused($_->{text})) for @examples;

my $defaults = defaults(%doc);

cmp_ok(scalar(() = $defaults =~ /;/g), '>=', 10, 'defaults');
clean('the defaults pass nginx -t', refused($defaults));
clean('backends for each size of a zone', zone_wrong($doc{$DIRECTIVES}));

clean("$_ as in the code", differences($code{$_}, $have{$_}))
    for sort keys %code;
clean('no name that is in no table', strangers(%doc));
clean('forms of the lines of a policy', forms($doc{$POLICY}));
clean('bounds', bounds_wrong(%doc));

SKIP: {
    skip 'no headers of nginx in build/', 2 if !$size;
    clean('sizes', sizes_wrong($size, %doc));
    caught('a size', sizes_wrong({ %$size, class => 1 }, %doc));
}

for my $file (@files) {
    clean("links of $file", links_broken($file, $doc{$file}));
    clean("files named in $file", files_missing($file, $doc{$file}));
}

# one mistake each

my $fence = '```';
my ($bad) = blocks('x', "${fence}nginx\nrecovery_policy p { rampp 1; }\n"
                        . "$fence\n", 'nginx');

caught('an example', refused($bad->{text}));
caught('a size of a zone', zone_wrong($doc{$DIRECTIVES}
                                      =~ s/^\| 64k \| \d+/| 64k | 500/mr));


sub planted {
    my ($name, $file, $from, $to) = @_;

    my %changed = (%doc, $file => $doc{$file} =~ s/$from/$to/r);
    my %now = documented(%changed);

    return () if $changed{$file} eq $doc{$file};
    return differences($code{$name}, $now{$name});
}


caught('a directive that is missing',
       planted('directives', $DIRECTIVES, qr/^## recovery_cost$/m, '## x'));
caught('a directive too many',
       planted('directives', $DIRECTIVES, qr/^## Reasons$/m,
               "## recovery_magic\n\n## Reasons"));
caught('a reason', planted('reasons', $DIRECTIVES, qr/^\| `quota`/m,
                           '| `quotta`'));
caught('a metric', planted('metrics', $DIRECTIVES, qr/`shed_total`/,
                           '`sheds_total`'));
caught('a variable', planted('variables', $DIRECTIVES,
                             qr/^\| `\$recovery_phase`.*\n/m, ''));
caught('a form', forms($doc{$POLICY} =~ s/verify=TIME/verfy=TIME/r));
caught('a bound', bounds_wrong(%doc, $DIRECTIVES => $doc{$DIRECTIVES}
                               =~ s/(different STRINGs \| )256/${1}255/r));
caught('a stranger', strangers('x.md' => 'set `recovery_magic on;`'));
caught('a link', links_broken($DIRECTIVES, '[x](nowhere.md)'));
caught('an anchor', links_broken($DIRECTIVES, '[x](redis.md#nowhere)'));
caught('a file', files_missing($DIRECTIVES, "in `$CORE/nothing.c`"));
