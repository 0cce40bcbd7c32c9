#!/usr/bin/perl

# Goal: recovery-sim can be trusted with a decision: it reads the file that
# nginx reads, says the same of a bad one, and gives the same answer twice.
# Method: the tool as users call it, on one small scenario.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

my $sim = "$FindBin::Bin/../build/recovery-sim";
-x $sim or die "build/recovery-sim is not built: make\n";

my $dir = tempdir(CLEANUP => 1);


sub file {
    my ($name, $text) = @_;

    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $fh $text;
    close $fh;

    return "$dir/$name";
}


# Output and exit status; stderr is in the output.

sub sim {
    my (@args) = @_;

    my $pid = open my $fh, '-|';
    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec $sim, @args or exit 127;
    }

    my $out = do { local $/; <$fh> };
    close $fh;

    return ($out, $? >> 8);
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!\n";
    return do { local $/; <$fh> };
}


# the same seed, the same bytes

my @quick = ('--scenario', 'rate-30');
my ($first, $rc) = sim('default', @quick, '--seeds', 4, '--jobs', 1,
                       '--csv', "$dir/1.csv", '--svg', "$dir/1.svg");
is($rc, 0, 'a run ends well');
like($first, qr/^rate-30 +\d+\.\d/m, 'a line for the scenario');

my ($second) = sim('default', @quick, '--seeds', 4, '--jobs', 3,
                   '--csv', "$dir/2.csv", '--svg', "$dir/2.svg");
is($second, $first, 'the same table, also with more processes');
ok(slurp("$dir/1.csv") eq slurp("$dir/2.csv"), 'the same csv');
ok(slurp("$dir/1.svg") eq slurp("$dir/2.svg"), 'the same svg');

my ($other) = sim('default', @quick, '--seeds', 4, '--seed', 5);
isnt($other, $first, 'other seeds, other figures');

# the time series

my ($head, @rows) = split /\n/, slurp("$dir/1.csv");
is($head, 'scenario,law,seed,second,demand,offered,passed,shed,good,errors,'
          . 'timeouts,work_s,wasted_s,capacity,warmth,queue,in_flight,limit,'
          . 'rate,phase,dead,oracle_good', 'the columns');
is(scalar @rows, 4 * 240, 'a row for each second of each seed');

my $columns = split /,/, $head;
is(scalar(grep { scalar(split /,/, $_, -1) != $columns } @rows), 0,
   'as many fields in every row');

my %phases = map { $_ => 1 } map { (split /,/)[19] } @rows;
ok($phases{up} && $phases{down} && $phases{ramping}, 'phases of the core');

my @dead = grep { (split /,/)[20] } @rows;
is(scalar @dead, 4 * 30, 'half a minute of outage each');
is(scalar(grep { (split /,/)[8] != 0 } @dead), 0, 'nobody served in it');

my $svg = slurp("$dir/1.svg");
like($svg, qr/\A<svg .*<\/svg>\n\z/s, 'a whole svg');
is(() = $svg =~ /<polyline/g, 5, 'five curves');
unlike($svg, qr/nan|inf/, 'all of them numbers');

# what there is

my ($list) = sim('--list');
for my $name (qw(warm cold slow-return partial relapse-honest relapse-lying
                 backlog slow-success noisy app-errors degrading rate-2
                 rate-30 rate-100k capacity-high capacity-low capacity-absent
                 burst-after-quiet second-peak flapping two-services
                 eight-nodes))
{
    like($list, qr/^  $name +\S/m, "--list has $name");
}

# other laws, and all of them

($first) = sim('default', @quick, '--law', 'oracle');
like($first, qr/^rate-30 +100\.0 /m, 'the omniscient run is its own measure');

($first, $rc) = sim('default', @quick, '--law', 'all');
is($rc, 0, 'laws side by side');
like($first, qr/^scenario\ +product\ +reference\ +vegas\ +gradient2\ +envoy\ +
                throttle\ +linear\ +linear-open\ +fixed\ +fixed-warm\ +
                none$/mx, 'a column for each');
like($first, qr/^$_ +\d+\.\d /m, "... and a line of sums for $_")
    for qw(product reference envoy none);

# the product's law without its ingredients

my @without = $list =~ /^  (without-[\w-]+) /mg;
cmp_ok(scalar @without, '>', 20, '--list has the ingredients');

($first, $rc) = sim('default', @quick, '--law', 'without');
is($rc, 0, 'the law without each of them');

my ($columns_line) = $first =~ /^scenario +(.*)$/m;
is_deeply([split ' ', $columns_line], ['product', @without],
          'a column for each');

my %sums = $first =~ /^(product|without-[\w-]+) +(\d+\.\d) /mg;
is(scalar keys %sums, 1 + @without, 'a line of sums for each');

my ($product) = sim('default', @quick);
my ($goodput) = $product =~ /^rate-30 +(\S+)/m;
is($sums{product}, $goodput, 'nothing is left out of the product');

cmp_ok($sums{"without-$_"}, '<', $sums{product} / 2, "without $_ it falls")
    for qw(in-flight down);

my ($alone) = sim('default', @quick, '--law', 'without-in-flight');
like($alone, qr/^rate-30 +\Q$sums{'without-in-flight'}\E /m,
     'the same alone');

# policies, as nginx reads them

my $good = file('good.conf', <<'EOC');
# a comment; with "quotes' and { braces }
recovery_policy 'it' {
    ramp   from=5%   double=2s;
    class  "critical" reserve=20%; class normal
           default;
    match critical "$uri" ~ "^/(a|b){1,2};\"";
}
EOC

($first, $rc) = sim($good, @quick);
is($rc, 0, 'a policy of a file') or diag($first);
like($first, qr/^policy "it",/, 'its name');

my $whole = file('nginx.conf', <<"EOC");
events { worker_connections 64; }
http {
    map \$uri \${it} { default 1; "x;{" 2; }
    include good.co*;
    include $dir/more/*.conf;
    server { listen 1; location / { return 200 "}"; } }
}
EOC

($first, $rc) = sim($whole, @quick);
is($rc, 0, 'a whole nginx.conf with includes') or diag($first);
like($first, qr/^policy "it",/, 'the policy in it');

my $two = file('two.conf', "recovery_policy a { }\n"
                           . "recovery_policy b { ramp over=60s; }\n");
($first, $rc) = sim($two, @quick);
is($rc, 2, 'several policies');
like($first, qr/choose one with --policy: "a", "b"/, 'are named');
($first, $rc) = sim($two, @quick, '--policy', 'b');
like($first, qr/^policy "b",/, 'one of several');

# bad ones, with file and line

my @bad = (
    ["recovery_policy x {\n    ramp from=0%;\n}\n", 2,
     qr/invalid value "0%" of "from" in "ramp"/],
    ["recovery_policy x {\n\n    rump from=1%;\n}\n", 3, qr/"rump"/],
    ["recovery_policy x {\n    class a reserve=60%;\n"
     . "    class b reserve=60%;\n    class c;\n}\n", 5, qr/reserve/],
    ["recovery_policy x {\n    ramp from=1%\n}\n", 3, qr/unexpected "}"/],
    ["recovery_policy x {\n    ramp from=1%;\n", 3,
     qr/unexpected end of file, expecting "}"/],
    ["recovery_policy x { ramp \"from\"x; }\n", 1, qr/unexpected "x"/],
    ["recovery_policy x { ramp { } }\n", 1, qr/unexpected "\{"/],
    ["recovery_policy x;\n", 1, qr/has no opening "\{"/],
    ["recovery_policy -x { }\n", 1, qr/invalid name "-x"/],
    ["recovery_policy x { }\nrecovery_policy x { }\n", 2, qr/duplicate/],
    ["}\n", 1, qr/unexpected "}"/],
    ["\n;\n", 2, qr/unexpected ";"/],
    ["include nothing-there.conf;\n", 1, qr/nothing-there\.conf" failed/],
);

for my $case (@bad) {
    my ($text, $line, $what) = @$case;

    my $path = file('bad.conf', $text);
    ($first, $rc) = sim($path, @quick);
    is($rc, 2, "refused: $what");
    like($first, qr/^recovery-sim: .*$what.* in \Q$path\E:$line$/m,
         "... in line $line");
}

file('inner.conf', "recovery_policy x {\n    shed status=99;\n}\n");
($first, $rc) = sim(file('outer.conf', "\n\ninclude inner.conf;\n"), @quick);
like($first, qr{ in \Q$dir\E/inner\.conf:2$}m, 'the line of the inner file');

($first, $rc) = sim("$dir/none.conf");
is($rc, 2, 'no such file');
like($first, qr/none\.conf" failed \(No such file/, '... is said');

($first, $rc) = sim(file('empty.conf', "events { }\n"));
like($first, qr/no "recovery_policy" in/, 'no policy in it');

# a command line that makes no sense

for my $args ([], ['default', 'x'], ['default', '--scenario', 'nope'],
              ['default', '--law', 'nope'], ['default', '--seed', '0'],
              ['default', '--seeds', 'x'], ['default', '--what'])
{
    ($first, $rc) = sim(@$args);
    is($rc, 2, "refused: @$args");
}

# floors

my $floors = "$dir/floors.txt";
($first, $rc) = sim('default', @quick, '--record', $floors);
is($rc, 0, 'floors recorded');
($first, $rc) = sim('default', @quick, '--floors', $floors);
is($rc, 0, '... and held');

my $text = slurp($floors);
$text =~ s/^(rate-30 +goodput +median +)\S+/${1}1.500/m;
($first, $rc) = sim('default', @quick, '--floors', file('high.txt', $text));
is($rc, 1, 'a figure below its floor');
like($first, qr/rate-30: goodput \(median\) is .*recorded 1\.500/,
     '... is named');

# what may be shed of a healthy service is less than the slack of the others

($first, $rc) = sim('default', @quick, '--floors',
                    file('shed.txt', "rate-30 shed worst -0.0001 0.0001\n"));
is($rc, 1, 'a ten-thousandth more shed in a healthy service');

($first, $rc) = sim('default', @quick, '--floors', file('odd.txt', "x y\n"));
is($rc, 2, 'not a floor');

done_testing();
