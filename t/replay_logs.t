#!/usr/bin/perl

# Goal: recovery-sim --replay takes logs as they lie about: in several files,
# from several nodes, out of order, with broken lines, in other time zones, too
# long to hold; says what it cannot use; and the same log gives the same bytes.
# Method: logs written here, of a service whose traffic is known.  Real ones
# are in t/replay.t.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(strftime);
use Test::More;

use Test::Recovery::Sim;

my $root = "$FindBin::Bin/..";
my $dir = tempdir(CLEANUP => 1);
my $BEGIN = 1795428000;                 # 2026-11-23 10:00:00 UTC
my @OUTAGE = ('--outage', '10:01..10:01:30');


sub file {
    my ($name, @text) = @_;

    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $fh @text;
    close $fh;

    return "$dir/$name";
}


sub slurp {
    my ($name) = @_;

    open my $fh, '<', $name or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


# A line; %o: at (s since $BEGIN), uri, method, status, took, zone, addr, more

sub line {
    my (%o) = @_;

    my $zone = $o{zone} // 0;
    my $took = $o{took} // 0.05;
    my $at = $BEGIN + $o{at} + $took;
    my $time = strftime('%d/%b/%Y:%H:%M:%S', gmtime $at + 3600 * $zone)
               . sprintf ' %+03d00', $zone;

    return sprintf '%s - - [%s] "%s %s HTTP/1.1" %s 99 "-" "curl" %s%s' . "\n",
                   $o{addr} // '10.1.2.3', $time, $o{method} // 'GET',
                   $o{uri} // '/x', $o{status} // 200,
                   $o{times} // sprintf('%.3f %.3f', $took, $took),
                   $o{more} // sprintf ' msec=%.3f', $at;
}


# fifty a second for four minutes, with some of each class

my @URIS = ('/login', ('/item') x 3, '/cart', '/item?a=1', '/item?b=2',
            '/search', '/late', '/other');

sub traffic {
    my ($code, %o) = @_;

    my $n = 50 * ($o{for} // 240);

    return map { $code->(at => $_ / 50 + 0.01, uri => $URIS[$_ % @URIS], %o) }
           0 .. $n - 1;
}


my $policy = file('policy.conf', <<'EOC');
recovery_policy p {
    class  critical;
    class  normal default;
    class  low;
    match  critical $uri = /login;
    match  low      $uri = /search;
}
EOC

my @lines = traffic(\&line);
my $log = file('access.log', @lines);


sub same {
    my ($label, $want, @args) = @_;

    my ($out, $rc) = sim($policy, @args);
    is($rc, 0, "$label: replayed") or diag($out);
    is($out, $want, $label);
}


# an outage

my ($whole, $rc) = sim($policy, '--replay', $log, @OUTAGE, '--csv',
                       "$dir/1.csv", '--svg', "$dir/1.svg");
my $r = replay($whole);

is($rc, 0, 'an outage') or diag($whole);
is($r->{class}{critical}{wanted}, 1200, 'a tenth is critical');
is($r->{class}{normal}{wanted}, 9600, 'most are normal');
is($r->{class}{low}{wanted}, 1200, 'a tenth is low');
is($r->{reason}{down}{critical}, 150, 'half a minute of them');
is($r->{reason}{down}{normal}, 1200, 'is shed');
is($_->{wanted}, $_->{let_in} + $_->{shed}, 'shed or let in')
    for values %{$r->{class}};
cmp_ok($r->{class}{critical}{percent}, '<', $r->{class}{low}{percent},
       'the first class less than the last one');
like($r->{phases}, qr/^up, 10:01:00 down, 10:01:30 probing, .* up$/, 'phases');
like($whole, qr/^outage 10:01:00 to 10:01:30, told/m, 'the outage');
like($whole, qr/it comes back cold \(a miss takes 8 times .*\n.* 71\.4 /,
     'what can be told of the backend');

my ($reached, $none, $up)
    = @{$r->{since}}{'95 % served again', 'nothing shed any more', 'phase up'};

cmp_ok($reached, '>', 0, 'full service takes a while');
cmp_ok($reached, '<=', $none, 'and some more until nothing is shed');
cmp_ok($up, '>=', 60, 'a minute of verifying');
like($whole, qr/^normal +\d+ \/item\n +\d+ \/(?:cart|other|late)$/m,
     'what was shed most often');
like($whole, qr/^critical +\d+ \/login$/m, 'of each class');

my @rows = csv(slurp("$dir/1.csv"));
my %sum;

for my $row (@rows) {
    $sum{$_} += $row->{$_}
        for qw(offered passed shed shed_critical shed_normal shed_low dead);
}

is(scalar @rows, 240, 'csv: each second');
is($rows[60]{time}, '2026-11-23 10:01:00', 'csv: the time');
is($sum{"shed_$_"}, $r->{class}{$_}{shed}, "csv: $_")
    for qw(critical normal low);
is($sum{offered}, 12000, 'csv: all of them');
is($sum{dead}, 30, 'csv: half a minute of outage');
is($rows[60]{phase}, 'down', 'csv: the phase');

my $svg = slurp("$dir/1.svg");
like($svg, qr/\A<svg .*<\/svg>\n\z/s, 'a whole svg');
unlike($svg, qr/nan|inf/, 'all of it numbers');

# the same again

same('the same again', $whole, '--replay', $log, @OUTAGE, '--csv',
     "$dir/2.csv", '--svg', "$dir/2.svg");
is(slurp("$dir/2.csv"), slurp("$dir/1.csv"), 'the same csv');
is(slurp("$dir/2.svg"), slurp("$dir/1.svg"), 'the same svg');

my ($other) = sim($policy, '--replay', $log, @OUTAGE, '--seed', 2);
isnt($other, $whole, 'another seed');

# files

my @part = map { file("part.$_", @lines[$_ * 4000 .. $_ * 4000 + 3999]) }
           0 .. 2;

same('rotated', $whole, '--replay', @part, @OUTAGE);
same('in any order', $whole, @OUTAGE, '--replay', $part[2], '--replay',
     $part[0], '--replay', $part[1]);

my ($stdin) = sim_input(join('', @lines), $policy, '--replay', '-', @OUTAGE);
is($stdin, $whole, 'stdin');

my @node = map { my $n = $_; [map { $lines[2 * $_ + $n] } 0 .. 5999] } 0, 1;

same('two nodes', $whole, '--replay', file('node.0', @{$node[0]}),
     file('node.1', @{$node[1]}), @OUTAGE);

# order: as a buffer or a slow request leaves it

my @mixed = @lines;

for (my $i = 0; $i + 300 < @mixed; $i += 300) {
    @mixed[$i .. $i + 299] = reverse @mixed[$i .. $i + 299];
}

same('out of order by some seconds', $whole, '--replay',
     file('mixed.log', @mixed), @OUTAGE);

my ($late) = sim($policy, '--replay',
                 file('late.log', @lines, $lines[0]), @OUTAGE);
like($late, qr/^1 request began more than a minute before/m,
     'out of order by minutes: said');
unlike($late, qr/in order\?/, 'no matter for one');

($late) = sim_input(join('', @lines[6000 .. 11999, 0 .. 5999]), $policy,
                    '--replay', '-');
like($late, qr/: is the log in order\?$/m, 'the older half last: said');

($late) = sim_input(line(at => 0, took => 7200,
                         more => sprintf ' msec=%.3f', $BEGIN)
                    . join('', @lines), $policy, '--replay', '-');
like($late, qr/^12001 requests, 2026-11-23 09:59:00 to/m,
     'a request of two hours does not begin two hours before the log');

# time zones

my $east = join '', traffic(\&line, zone => 2);
my ($zoned) = sim_input($east, $policy, '--replay', '-', '--outage',
                        '12:01..12:01:30');

$zoned =~ s/\b12:(\d\d:\d\d)/10:$1/g;
is($zoned, $whole, 'another time zone');

my $half = join '', map { $_ < 6000 ? (split /^/, $east)[$_] : () } 0 .. 5999;
($zoned) = sim_input($half . join('', @lines[6000 .. 11999]), $policy,
                     '--replay', '-', '--outage', '12:01..12:01:30');
$zoned =~ s/\b12:(\d\d:\d\d)/10:$1/g;
is($zoned, $whole, 'a zone that changes in the middle');

# ways to say when

same("--outage $_", $whole, '--replay', $log, '--outage', $_)
    for '+60s..+30s', '10:01..+30s', '2026-11-23T10:01:00..10:01:30',
        '2026-11-23T12:01:00+02:00..+30s', '23/Nov/2026:10:01:00..+30s';

# lines that are none

my @broken = ("nonsense\n", "\n", '10.1.2.3 - - [x] "GET / HTTP/1.1"' . "\n",
              $lines[0] =~ s/200/2OO/r, "\0\0\0\n", 'x' x 70000 . "\n",
              line(at => 1, times => 'rt=soon'), "\r\n", 'cut off [');

my ($out);
($out, $rc) = sim_input(join('', @lines[0 .. 99], @broken[0 .. 7],
                             @lines[100 .. 11999], $broken[8]),
                        $policy, '--replay', '-', @OUTAGE);
is($rc, 0, 'broken lines');
is_deeply([$out =~ /^recovery-sim: (.*)$/mg], [
    'no request in quotes in stdin:101',
    'no time in brackets before the request in stdin:103',
    'no status of three digits behind the request in stdin:104',
    'a byte of 0 in stdin:105',
    'a line of more than 65535 bytes in stdin:106',
], 'the first five, with their numbers');
like($out, qr/^7 lines could not be read$/m, 'all are counted');

$out =~ s/^7 lines.*\n//m;
$out =~ s/^recovery-sim: .*\n//mg;
is($out, $whole, 'and change nothing');

($out, $rc) = sim_input("a\n" x 3, $policy, '--replay', '-');
is($rc, 2, 'nothing but broken lines');
like($out, qr/there is no request in the log \(3 lines could not be read\)/,
     '... is said');

($out, $rc) = sim_input('', $policy, '--replay', '-');
is($rc, 2, 'an empty log');

($out, $rc) = sim_input(join('', @lines[0 .. 999],
                             $lines[1000] =~ s/2026/2029/r
                             =~ s/msec=\S+//r, @lines[1001 .. 11999]),
                        $policy, '--replay', '-', @OUTAGE);
is($rc, 0, 'a line of another year');
like($out, qr/a leap of more than a month in stdin:1001/, '... is said');

sub later {
    my ($s, @some) = @_;
    return map { s{(?<=msec=)([\d.]+)}{sprintf '%.3f', $1 + $s}er } @some;
}

($out, $rc) = sim_input(join('', @lines[0 .. 999], later(86400, $lines[1000]),
                             @lines[1001 .. 11999], later(86400, $lines[1000])),
                        $policy, '--replay', '-', @OUTAGE);
is_deeply([$out =~ /a leap that no other line makes in stdin:(\d+)/g],
          [1001, 12001], 'a line of another day: said');
is(replay($out)->{class}{normal}{wanted} + replay($out)->{class}{low}{wanted}
   + replay($out)->{class}{critical}{wanted}, 11999, '... and no more is lost');

($out) = sim_input(join('', @lines[0 .. 5999],
                        later(7 * 86400, @lines[6000 .. 11999])),
                   $policy, '--replay', '-');
like($out, qr/^12000 requests, 2026-11-23 10:00:00 to 2026-11-30 10:04:00/m,
     'a gap of a week');
unlike($out, qr/leap/, 'is a gap');

($out, $rc) = sim_input(join('', @lines, line(at => 1, uri => 'x',
                                              method => '\x16\x03\x01')),
                        $policy, '--replay', '-', @OUTAGE);
like($out, qr/^1 line is no request, left out$/m, 'a port scan');

# compressed

my $gz = file('a.log.gz', "\x1f\x8b\x08junk");
($out, $rc) = sim($policy, '--replay', $gz);
is($rc, 2, 'gzip: refused');
like($out, qr/compressed; try: zcat \Q$gz\E \| recovery-sim POLICY --replay -/,
     'and how it is done');
($out, $rc) = sim($policy, '--replay', file('a.xz', "\xfd7zXZ\0"));
like($out, qr/try: xzcat /, 'xz');

# files that are not to be had

for my $path ("$dir/none.log", $dir) {
    ($out, $rc) = sim($policy, '--replay', $path);
    is($rc, 2, "$path: no log");
    like($out, qr/\Q$path\E" (?:failed|could not be read) \(\w/, '... is said');
}

# without times

my $plain = join '', map { s/ 0\.050.*$//mr } @lines;

($out, $rc) = sim_input($plain, $policy, '--replay', '-', @OUTAGE);
is($rc, 2, 'no times');
like($out, qr/log \$request_time and \$upstream_response_time, or say --serv/,
     'what to do');
($out, $rc) = sim_input($plain, $policy, '--replay', '-', @OUTAGE, '--service',
                        '50ms');
is($rc, 0, 'told how long');
like($out, qr/^12000 requests without a time: taken to work 50 ms$/m, 'said');
is(replay($out)->{reason}{down}{critical}, 150, 'otherwise as ever');

# what is not in the log

my $asks = file('asks.conf', <<'EOC');
recovery_policy p {
    class    high;
    class    normal default;
    class    low;
    match    low   $http_x_bot = 1;
    match    low   $http_x_bot$cookie_a ~ ^$;
    match    high  $uri = /login;
    match    high  $http_x_level = 1;
    retries  $http_x_retry = 1 budget=10%;
    cohort   $cookie_s$remote_addr;
}
EOC

my ($asked) = sim($asks, '--replay', $log, @OUTAGE);
like($asked, qr/3 rules of "match" never matched: \$http_x_bot, \$cookie_a,/,
     'rules');
like($asked, qr/nobody was known to retry by "retries": \$http_x_retry$/m,
     'retries');
like($asked, qr/a part of "cohort" was empty: \$cookie_s$/m, 'cohort');
is(replay($asked)->{class}{low}{wanted}, 0, 'nothing matches by being empty');
is(replay($asked)->{class}{high}{wanted}, 1200, 'other rules are asked');

# ... and what is, by name

my $more = ' http_x_bot=1 cookie_a="" http_x_level="1" http_x_retry=1'
           . ' cookie_s="a b"';
($asked) = sim_input(join('', traffic(\&line, more => $more)), $asks,
                     '--replay', '-', @OUTAGE);
unlike($asked, qr/not in the log/, 'all is there');
is(replay($asked)->{class}{low}{wanted}, 12000,
   'a header that lowers, lowers all');

sub classes {
    my ($conf, %o) = @_;

    my ($said) = sim_input(join('', traffic(\&line, for => 1, %o)), $conf,
                           '--replay', '-');
    my $class = replay($said)->{class};

    return join ' ', map { "$_:$class->{$_}{wanted}" }
                     grep { $class->{$_}{wanted} } sort keys %$class;
}

my $trust = file('trust.conf', <<'EOC');
recovery_policy p {
    class  high;
    class  normal default;
    match  high $http_x_level = 1;
    trust  10.0.0.0/8 fc00::/7;
}
EOC

my %level = (more => ' http_x_level=1');
is(classes($trust, %level, addr => '10.9.9.9'), 'high:50', 'trusted');
is(classes($trust, %level, addr => '192.0.2.1'), 'normal:50', 'a stranger');
is(classes($trust, %level, addr => 'fd00::1'), 'high:50', 'trusted: IPv6');
is(classes($trust, %level, addr => '::ffff:10.1.1.1'), 'high:50', '... mapped');
is(classes($trust, %level, addr => 'unix:'), 'normal:50', 'no address');
is(classes($trust, more => ' recovery_class=high', addr => '192.0.2.1'),
   'high:50', 'what recovery_class was given');
is(classes($trust, more => ' recovery_class=none'), 'normal:50', '... unknown');
is(classes($trust, more => ' recovery_class="-"'), 'normal:50', '... empty');

# what the log has of the backend

my @own = map {
    my $s = $_ / 50;
    line(at => $s + 0.01, uri => $URIS[$_ % @URIS],
         $s >= 60 && $s < 90 ? (status => 502, took => 0.001) : ());
} 0 .. 11999;

($out) = sim_input(join('', @own), $policy, '--replay', '-');
$r = replay($out);
like($out, qr/^12000 requests, .* 1500 answered 5xx/m, 'failures of the log');
like($out, qr/^no outage: the backend answers as in the log$/m, 'its own');
like($r->{phases}, qr/^up, 10:01:0\d down, 10:01:3\d (?:probing|ramping)/,
     'a backend that the log shows dead is found dead');
cmp_ok($r->{class}{normal}{shed}, '>', 900, 'and not asked');
is($rc, 0, 'which is no error');

my @aside = map { s/0\.050 0\.050/0.000 -/r =~ s/ 200 / 503 /r } @lines;
($out) = sim_input(join('', @aside), $policy, '--replay', '-', '--service',
                   '50ms');
like($out, qr/nothing would have been shed/,
     'what nginx itself refused is no failure of the backend');

($out) = sim_input(join('', map { s/ 200 / 503 /r } @lines), $policy,
                   '--replay', '-');
unlike($out, qr/nothing would have been shed/, 'planted: of the backend it is');

# the backend in the model

sub since {
    my (@args) = @_;

    my ($said, $status) = sim($policy, '--replay', $log, @OUTAGE, @args);
    is($status, 0, "@args") or diag($said);

    return (replay($said), $said);
}

my ($warm) = since('--cold', 1);
cmp_ok($warm->{since}{'95 % served again'}, '<', $reached, 'warm: sooner');

my ($slow) = since('--keys', 4000);
cmp_ok($slow->{since}{'95 % served again'} // 1e9, '>', $reached,
       'more to learn: later');

my ($small, $said) = since('--capacity', '20r/s');
like($said, qr/can do 20\.0 requests a second warm \(told\)/, 'told');
like($said, qr/95 % served again +not before the log ends/,
     'too small: never');

my ($retried) = since('--retries');
cmp_ok($retried->{class}{normal}{wanted}, '>', 9600, 'clients try again');

my ($untold) = since('--untold');
cmp_ok($untold->{reason}{probing}{normal}, '>', 1000,
       'nobody tells: found dead, and probed');

my ($open, $open_said) = since('--law', 'none');
is($open->{class}{normal}{shed}, 0, 'no gate: nothing is shed');
like($open_said, qr/nothing would have been shed/, '... is said');

# where it cannot be

for my $case (
    ['09:00..09:10', qr/the log ends before the outage begins/],
    ['2026-11-22T09:00:00..+1h', qr/begins before the log, which begins at 2026-11-23 10:00:0/],
    ['+1h..+1m', qr/the log ends before the outage begins/],
    ['+60s..2026-11-23T10:00:30', qr/ends before it begins/],
    ['+3s..+30s', qr/less than ten seconds of health .*--capacity RATE/],
) {
    ($out, $rc) = sim($policy, '--replay', $log, '--outage', $case->[0]);
    is($rc, 2, "refused: --outage $case->[0]");
    like($out, $case->[1], '... why');
}

($out, $rc) = sim($policy, '--replay', $log, '--outage', '+3m..+2h');
is($rc, 0, 'the log ends in the outage');
like($out, qr/^the log ends in the outage$/m, '... is said');

# command lines

for my $case (
    [['--outage', '+1m..+1m'], qr/are of --replay/],
    [['--retries'], qr/are of --replay/],
    [['--replay', $log, '--cold', 2], qr/are of --outage/],
    [['--replay', $log, '--scenario', 'cold'], qr/are not of --replay/],
    [['--replay', $log, '--seeds', 2], qr/are not of --replay/],
    [['--replay', $log, '--law', 'vegas'], qr/product or none/],
    [['--replay', $log, '--law', 'all'], qr/product or none/],
    [['--replay', $log, '--outage', '10:01'], qr/must be START\.\.END/],
    [['--replay', $log, '--outage', 'a..b'], qr/must be START\.\.END/],
    [['--replay', $log, '--service', '5x'], qr/must be a time/],
    [['--replay', $log, '--patience', '0s'], qr/must be a time/],
    [['--replay', $log, '--capacity', '5'], qr/must be a rate/],
    [['--replay', $log, '--cold', '0.5'], qr/a number from 1 to/],
    [['--replay'], qr/usage|argument/],
) {
    ($out, $rc) = sim($policy, @{$case->[0]});
    is($rc, 2, "refused: @{$case->[0]}");
    like($out, $case->[1], '... why');
}

($out, $rc) = sim($policy, '--replay', $log, '--csv', "$dir/no/dir.csv");
is($rc, 2, 'a csv that cannot be written');

# what anybody may send is not obeyed by a terminal

($out) = sim_input(join('', traffic(\&line, uri => '/%1b[2J\x1b[31m<b>')),
                   $policy, '--replay', '-', @OUTAGE);
like($out, qr{^normal +\d+ /%1B\[2J%1B\[31m<b>$}m, 'control characters');

# as large as may be

my $long = 'https://' . 'x' x 200;
($out) = sim_input(join('', map { line(at => $_ / 50, uri => "/$_/$long") }
                            0 .. 11999), $policy, '--replay', '-', @OUTAGE);
like($out, qr{^normal +~\d+ /\d+/https:/x+\.\.\.$}m, 'many long URIs: about');

# more at once than wait for their turn, in bounded memory

my $busy = file('busy.log', map {
    sprintf '10.0.0.1 - - [23/Nov/2026:10:00:%02d +0000] "GET /%d HTTP/1.1"'
            . ' 200 1 "-" "-" 0.001 0.001' . "\n", $_ / 6000, $_
} 0 .. 299999);

sub limited {
    my ($kb) = @_;
    return `ulimit -v $kb; $root/build/recovery-sim $policy --replay $busy 2>&1`;
}

like(limited(100000), qr/^300000 requests, /m, '300,000 lines in 100 MB');
unlike(limited(20000), qr/^300000 requests, /m, 'planted: not in 20 MB');

done_testing();
