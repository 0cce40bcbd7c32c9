#!/usr/bin/perl

# Goal: recovery-sim --replay says of a real log what nginx would have done.
# A log of the log_format of docs/dry-run.md, with an outage in it, replayed:
# every request has the class that nginx gave it, whatever was sent; the
# outage played again sheds what was shed; and without the gate's own answers
# being taken for the backend's failures.
# Method: nginx, Redis and a backend; odd requests by hand and steady ones by
# a load generator; what nginx counted is in its status.  The clock of nginx is
# one of another time zone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Sim;

$ENV{TZ} = 'IST-5:30';

my $t = Test::Recovery->new()->plan(29);
my $root = $t->root();


# the log_format is the one that the guide shows

sub shown {
    open my $fh, '<', "$root/docs/dry-run.md" or die "docs/dry-run.md: $!\n";
    my $text = do { local $/; <$fh> };

    my ($format) = $text =~ /^ *(log_format  replay .*?;)$/ms
        or die "docs/dry-run.md shows no log_format\n";

    return $format;
}


my $policy = <<'EOC';
recovery_policy p {
    ramp     from=20% double=300ms verify=1s;
    class    critical;
    class    high;
    class    normal default;
    class    low;
    match    critical $uri ~ ^/(login|a/b)$;
    match    low      $request_method = DELETE;
    match    low      $http_user_agent ~* "bot \"x\"";
    match    high     $http_x_priority = "very high";
    match    high     $arg_level = 1;
    match    low      $http_referer ~ ^http://spam;
    match    low      $request_uri ~ %2e%2E;
    match    normal   $remote_user = jo;
    match    high     $args ~ =\xe9\x22;
    match    high     $http_never_logged = 1;
    trust    127.0.0.0/8;
    shed     retry_after=1s..2s;
}
EOC

$t->backend(8081);
$t->redis_start();
$t->write_file('policy.conf', $policy);

my $format = shown();

ok($format =~ s/;\z/\n    ' http_x_priority="\$http_x_priority"';/,
   'its log_format, and one variable more');

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%
    include policy.conf;

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=200ms;
    recovery_backend  kv { policy p; }

    $format

    server {
        listen      127.0.0.1:%%PORT_8080%%;
        access_log  %%TESTDIR%%/replay.log replay;
        access_log  %%TESTDIR%%/plain.log combined;
        recovery    kv;

        location / {
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();


# odd ones

my @odd = (
    ['/login'], ['//login'], ['/a/./x/../b'], ['/%6cogin?a=1'],
    ['/logi%'],                                         # 400
    ['/x', method => 'DELETE'],
    ['/x', headers => { 'User-Agent' => 'a BOT "x" \\ ' . "\xe9" }],
    ['/x', headers => { 'X-Priority' => 'very high' }],
    ['/x', headers => { 'X-Priority' => '"very high"' }],
    ['/x?b=2&LEVEL=1'], ['/x?level=11'],
    ['/x', headers => { Referer => 'http://spam/"] "GET /login' }],
    ['/y/%2e%2E/x'], ["/x?q=\xe9\""], ['/x#/login'],
    ['/x', headers => { Authorization => 'Basic ' . 'am86cHc=' }],
    ['/x', headers => { Authorization => 'Basic '
                        . 'YSBbeF0gImIiOng=' }],        # a [x] "b"
);

$t->http_get($_->[0], @$_[1 .. $#$_]) for @odd;
$t->http_raw($_, "\x16\x03\x01\r\n\r\n"), $t->http_close($_)
    for $t->http_connect();

# steady ones, through an outage

my $load = $t->load(rate => 120, uris => ['/login', ('/x') x 6, '/x?level=1',
                                          '/z', '/z/2']);

ok($t->wait_for(sub { $load->peek()->{sent} > 360 }, 'health', 30),
   'some seconds of health');
$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
ok($t->wait_for(sub { $t->class_status('kv', 'normal')->{shed} > 250 },
                'sheds', 30), 'three seconds of outage');
$t->health('kv', 'up');
ok($t->wait_phase('kv', 'up', 30), 'it comes back');
$load->stop();

my $counted = $t->backend_status('kv');
my ($down, $back) = map {
    my $to = $_;
    (grep { $_->{to} eq $to } @{$counted->{events}})[-1]{time}
} qw(down probing);

ok($t->wait_for(sub {
    grep { /\\x16/ } $t->grep_file('replay.log', qr/x16/);
}), 'all is logged');


# as it was

my $log = $t->dir() . '/replay.log';
my $conf = $t->dir() . '/policy.conf';

my ($out, $rc) = sim($conf, '--replay', $log);
is($rc, 0, 'replayed') or diag($out);

my $lines = () = $t->read_file('replay.log') =~ /\n/g;
my $r = replay($out);
my %wanted = map { $_ => $r->{class}{$_}{wanted} } keys %{$r->{class}};
my %offered = map { $_->{name} => $_->{offered} } @{$counted->{classes}};

is_deeply(\%wanted, \%offered, 'every request has the class nginx gave it')
    or diag($out);
like($out, qr/^@{[$lines - 2]} requests, /m, 'every line is one');
like($out, qr/^2 lines are no request/m, 'but two');
unlike($out, qr/could not be read/, 'and can be read');
like($out, qr/\$http_never_logged$/m, 'what was not logged');
like($out, qr/1 rule of "match" never matched/, 'in one rule');
like($out, qr/nothing would have been shed/,
   'what the gate itself answered is no failure of the backend');

my ($from, $zone) = $t->read_file('replay.log') =~ /\[\d+\/\w+\/\d+:(\S+) (\S+)\]/;
is($zone, '+0530', 'logged in another zone');
like($out, qr/ requests, \S+ \Q@{[substr $from, 0, 4]}\E/, '... told in it');

# the outage played again

my @outage = ('--outage', "$down..$back", '--capacity', '300r/s');

($out, $rc) = sim($conf, '--replay', $log, @outage, '--cold', 1, '--csv',
                  $t->dir() . '/a.csv', '--svg', $t->dir() . '/a.svg');
is($rc, 0, 'with the outage') or diag($out);

$r = replay($out);

my $p = 'nginx_recovery_shed_total';
my $m = $t->metrics();

for my $class (qw(critical high normal)) {
    my $was = $m->value($p, backend => 'kv', class => $class,
                        reason => 'down');
    my $is = $r->{reason}{down}{$class};
    my $rate = $was / 3;

    cmp_ok(abs($is - $was), '<=', 5 + $rate * 2,
           "$class: shed while down: $was, and $is in the replay");
}

like($r->{phases}, qr/^up, \S+ down, \S+ (?:probing|ramping)/, 'phases');

my @rows = csv($t->read_file('a.csv'));
my %sum;

for my $row (@rows) {
    $sum{$_} += $row->{$_} for qw(offered shed passed good shed_normal);
}

is($sum{offered}, $lines - 2, 'csv: every request in a second');
is($sum{shed_normal}, $r->{class}{normal}{shed}, 'csv: shed of a class');
is($sum{offered}, $sum{shed} + $sum{passed}, 'csv: shed or let in');
like($out, qr/^normal +\d+ \/x$/m, 'what was shed most often');
like($t->read_file('a.svg'), qr/\A<svg .*<\/svg>\n\z/s, 'a whole svg');

# the same log as nginx writes it unless told otherwise

my ($plain, $plain_rc) = sim($conf, '--replay', $t->dir() . '/plain.log');
is($plain_rc, 2, 'without times');
like($plain, qr/\$request_time.*--service/, '... says what to do');

($plain, $plain_rc) = sim($conf, '--replay', $t->dir() . '/plain.log',
                          @outage, '--service', '2ms');
$r = replay($plain);
is($r->{class}{critical}{wanted}, $offered{critical},
   'with a service time: the classes, as far as what is in it goes')
    or diag($plain);
