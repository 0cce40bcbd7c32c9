#!/usr/bin/perl

# Goal: docs/capacity.md can be followed: its commands find what was put into
# the log, its queries name metrics that there are, and its zone is large
# enough for what it says.
# Method: a real nginx writes the log of the document, with known numbers of
# requests; a zone is nginx -t's to judge.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep);

use Test::Recovery;
use Test::Recovery::Commands;
use Test::Recovery::Markdown;
use Test::Recovery::Prometheus;
use Test::Recovery::Promql qw(selected);

my $t = Test::Recovery->new();
my $file = 'docs/capacity.md';
my %text = map { $_ => slurp($t->root() . "/$_") } $file, 'README.md';


sub slurp {
    my ($name) = @_;

    open my $fh, '<', $name or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


sub examples { return map { $_->{text} } blocks($file, $text{$file}, $_[0]) }


# The log of the document, in the folder of the test.

my ($log) = grep { /log_format/ } examples('nginx');
my ($zone) = grep { /recovery_zone/ } examples('nginx');

$log =~ s{/var/log/nginx/}{%%TESTDIR%%/};

my $b = $t->backend(8081);

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%
    $log

    recovery_backend  kv { capacity 100r/s; }
    recovery_backend  other { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        access_log  %%TESTDIR%%/plan.log    plan;
        access_log  %%TESTDIR%%/access.log  combined;

        location /kv/ {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;

            location /kv/login/ {
                recovery_class  critical;
                proxy_pass      http://127.0.0.1:%%PORT_8081%%;
            }
        }

        location /other/ {
            recovery    other;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /recovery/metrics {
            recovery_status prometheus;
            access_log  off;
        }
    }
}

EOF2

my $c = Test::Recovery::Commands->new(
    $t, curl => '--connect-to 127.0.0.1:80:127.0.0.1:%%PORT_8080%%',
    'recovery-sim' => '');

my ($mine) = map { $_->{text} }
             grep { $_->{text} =~ /recovery_policy mine/ }
             blocks('README.md', $text{'README.md'}, 'nginx');

$t->write_file('mine.conf', $mine);


# nine of /kv/, one of them critical, within a minute of the clock and at
# least two seconds; some that do not count

sub requests {
    $t->http_get('/other/') for 1 .. 4;
    $t->http_get('/kv/login/');
    $t->http_get('/kv/') for 1 .. 4;
    sleep 2.2;                          # a span of time for the log
    $t->http_get('/kv/') for 1 .. 4;
}


# one minute or two, if the clock passed a full one: 9/60 s or a part of it

sub nine { return $_[0] =~ /\Aminute 0\.(?:15|1[0-4]|0[89])/ }


my @steps = (
    [qr/\Acurl.*metrics/, sub {
        $_[0] =~ /in_flight_requests\{backend="kv"\} 0/
        && $_[0] =~ /delivered_requests_per_second\{backend="kv"\} /
        && $_[0] !~ /"other"/;
    }],
    [qr/minute\[int/, sub { nine($_[0]) && $_[0] =~ /second [45]\/s/ }],
    [qr/n\[\$3\]/, sub {
        join('', sort split /^/, $_[0])
            eq "critical 11.1 %\nnormal 88.9 %\n";
    }],
    [qr/busy/, sub {
        $_[0] =~ /\A([\d.e-]+) in flight\n\z/ && $1 >= 0 && $1 < 9;
    }],
    [qr/substr/, sub { nine($_[0]) }],
    [qr/recovery-sim mine\.conf/, sub {
        $_[0] =~ /^policy "mine"/m && $_[0] =~ /^cold +[\d.]+/m;
    }],
);


# 300 backends of 8 classes and 32 workers, as the text has it

sub of_size {
    my ($size) = @_;

    my $classes = join ' ', map { "class c$_" . ($_ == 8 ? ' default;' : ';') }
                            1 .. 8;
    my $backends = join "\n", map { "recovery_backend b$_ { policy p; }" }
                              1 .. 300;
    my ($rc, $said) = $t->config_test(
        "%%TEST_GLOBALS%%\nworker_processes 32;\nevents { }\nhttp {\n"
        . $zone =~ s/\d+\w?;/$size;/r
        . "\nrecovery_policy p { $classes }\n$backends\n}\n");

    return $rc eq '0' ? '' : $said;
}


my @queries = examples('promql');

$t->plan($c->tests(@steps) + 7);
$t->allow(qr/\[emerg\].*recovery_zone/);
$t->run();
requests();

my $metrics = Test::Recovery::Prometheus->new(
    $t->http_get('/recovery/metrics')->{body});
my @unknown = map { selected($_, $metrics) } @queries;

cmp_ok(scalar @queries, '>=', 3, 'queries');
ok(!@unknown, 'what they ask for') or diag(join "\n", @unknown);
ok(scalar(selected($queries[0] =~ s/reference/preference/r, $metrics)),
   'planted: a metric that is none');

$c->follow('docs/capacity.md', @steps);

my ($size) = $zone =~ /:(\w+);/;
my ($least) = of_size('512k') =~ /too small.*at least (\d+)k/;

is(of_size($size), '', "$size is enough");
like($text{$file}, qr/300\s+backends\s+of\s+8\s+classes\s+and\s+32\s+workers/,
     'of so many');
like($text{$file}, qr/at\s+least\s+${least}k\b/, "nginx asks for ${least}k");
my ($record, $slot, $class, $worker) = $text{$file}
    =~ /300 x \((\d+) \+ 32 x (\d+) \+ 4 x (\d+)\) \+ 32\s+x (\d+)/;
my $sum = 300 * ($record + 32 * $slot + 4 * $class) + 32 * $worker;

ok($sum < 1024 * $least && $sum > 0.9 * 1024 * $least, "the sum, $sum bytes");
