#!/usr/bin/perl

# Goal: what "recoveryctl status" shows is what the nodes' own statuses show,
# summed: through Redis and by --url alike, in text and in JSON. A node that is
# silent, a Redis that is dead, a name that is wrong are told, with what to do;
# exit codes say which it was.
# Method: two real nginx on a real Redis, one of them under load; reports that
# are written by hand for what nginx does not write.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;
use Test::Recovery::Ctl;
use Test::Recovery::Load;

my $t = Test::Recovery->new()->plan(91);
my $other = Test::Recovery->new();
my $b = $t->backend(8081);

$t->redis_start();

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:REDIS node=NODE poll=200ms;

    recovery_policy p {
        ramp   from=10% over=1h;
        match  critical  $uri ~ ^/critical;
    }

    recovery_backend  kv { policy p; capacity 100r/s; }
    recovery_backend  d1 { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:BACKEND;
        }

        location = /recovery/control { recovery_control; }
        location = /recovery/status  { recovery_status; }
        location = /other/state      { recovery_status; }
        location = /page/            { recovery_status html; }
        location /none/              { return 404; }
    }
}

EOF2

for my $n ([$t, 'web1'], [$other, 'web2']) {
    my %as = (NODE => $n->[1], REDIS => $t->port(6379),
              BACKEND => $t->port(8081));

    $n->[0]->write_file_expand('nginx.conf',
                               $conf =~ s/\b(NODE|REDIS|BACKEND)\b/
                                          $as{$1}/gerx);
    $n->[0]->run();
}

my $ctl = Test::Recovery::Ctl->new($t);
my $url1 = 'http://127.0.0.1:' . $t->port(8080) . '/recovery/control';
my $url2 = 'http://127.0.0.1:' . $other->port(8080) . '/recovery/control';
my @urls = ('--url', $url1, '--url', $url2);


sub status { return $ctl->run('status', @_) }

# the line of a table that begins with a word, as a hash by the heads

sub row {
    my ($out, $first) = @_;
    my @head;

    for my $line (split /\n/, $out) {
        my @cells = split / {2,}/, $line;

        @head = @cells if $line =~ /^(?:BACKEND|CLASS|NODE) /;
        return {map { $head[$_] => $cells[$_] } 0 .. $#head}
            if @head && @cells && $cells[0] eq $first;
    }

    return {};
}

sub label {
    my ($out, $label) = @_;
    return $out =~ /^\Q$label\E +(.*)$/m ? $1 : 'nothing';
}

# until a node's report in Redis says so

sub reported {
    my ($what, $node, $re) = @_;

    ok($t->wait_for(sub {
        ($t->redis('GET', "recovery:node:$node:kv") // '') =~ $re
    }), $what);
}


# the status when it knows that rate: a node that is late is asked again

sub rated {
    my ($first, $head, @args) = @_;
    my $r;

    $t->wait_for(sub {
        $r = status(@args);
        (row($r->{out}, $first)->{$head} // '-') =~ /\d/;
    });

    return $r;
}


# quietly up

ok($t->wait_for(sub {
    4 == grep { $t->redis('EXISTS', "recovery:node:$_") }
              qw(web1:kv web2:kv web1:d1 web2:d1)
}), 'two nodes, two backends');

my $r = status();

is($r->{rc}, 0, 'all is up: exit code 0');
is($r->{err}, '', 'no complaint');
like($r->{out}, qr/^2 nodes heard$/m, 'who is heard');
is(row($r->{out}, $_)->{PHASE}, 'up', "$_ is up") for qw(d1 kv);
is(row($r->{out}, 'kv')->{NODES}, '2/2', 'of both nodes');
is(row($r->{out}, 'kv')->{'ALLOWED/s'}, 'no limit', 'no limit');
is(row($r->{out}, 'kv')->{HEALTH}, 'not said', 'nobody has said anything');
unlike($r->{out}, qr/\e/, 'no colours: no terminal');

# in trouble, and asked for

my $load = Test::Recovery::Load->new(
    target => {port => $t->port(8080)}, rate => 100,
    uris => ['/critical', '/b', '/c', '/d'], timeout => 2);

$t->redis('HSET', 'recovery:kv', 'health', 'down', 'by', 'ann', 'reason',
          'disk full', 'epoch', 7);
$t->redis('PUBLISH', 'recovery:changed', 'kv');

reported('down', $_, qr/"phase": "down"/) for qw(web1 web2);
reported('shed', 'web1', qr/"shed": [1-9]\d/);

$r = rated('kv', 'SHED/s');
cmp_ok(row($r->{out}, 'kv')->{'SHED/s'}, '>', 10, 'what is shed, per second');
is(row($r->{out}, 'kv')->{LEVEL}, '0%', 'nothing is allowed');
is(row($r->{out}, 'kv')->{HEALTH}, 'down by ann', 'health, and by whom');
like($r->{out}, qr/^BACKEND.*\nkv .*\nd1 /m, 'what is not well comes first');

$r = rated('web2', 'SHED/s', 'kv');
is($r->{rc}, 0, 'details: exit code 0');
like($r->{out}, qr/^kv  down .*2 nodes heard$/m, 'details: phase, nodes');
is(label($r->{out}, 'health'), 'down by ann: disk full', 'details: health');
is(label($r->{out}, 'why'), 'the source says down', 'details: why');
like(label($r->{out}, 'level'), qr{^\.+ 0% of 200/s$}, 'details: the bar');
like(label($r->{out}, 'demand'), qr{^#+\.* \d\d+(?:\.\d)?/s$},
     'details: demand');

my $critical = row($r->{out}, 'critical');
my $normal = row($r->{out}, 'normal');

cmp_ok($normal->{'DEMAND/s'}, '>', 1.5 * $critical->{'DEMAND/s'},
       'by class: three of four are normal');
is($critical->{'LET IN/s'}, 0, 'by class: none is let in');
is($critical->{'SHED/s'}, $critical->{'DEMAND/s'}, 'by class: all are shed');
is(row($r->{out}, 'web1')->{PHASE}, 'down', 'by node: web1');
is(row($r->{out}, 'web2')->{'SHED/s'}, 0, 'by node: nobody asks web2');
like($r->{out}, qr/Z web1 up -> down: the source says down \(redis\)$/m,
     'events');

# a ramp: level, limits and ETA are the sums of what the nodes say

$t->redis('HSET', 'recovery:kv', 'health', 'up', 'epoch', 8);
$t->redis('PUBLISH', 'recovery:changed', 'kv');

reported('one ramps', 'web1', qr/"phase": "ramping"/);
reported('nobody asks the other', 'web2', qr/"phase": "probing"/);

$r = status('--json', 'kv');
is($r->{rc}, 0, 'json: exit code 0');

my $json = eval { decode_json($r->{out}) } // {};
my $kv = $json->{backends}{kv};

is(join(' ', keys %{$json->{backends}}), 'kv', 'json: the one asked for');
is_deeply($kv->{sum}{phases}, {probing => 1, ramping => 1}, 'json: phases');
is($kv->{nodes}{web1}{phase}, 'ramping', 'json: reports as they are');
cmp_ok(abs($kv->{sum}{allowed_per_s} - $kv->{nodes}{web1}{allowed_per_s}
           - $kv->{nodes}{web2}{allowed_per_s}), '<', 0.01,
       'json: sums of the nodes');
is($kv->{sum}{reference_per_s}, 200, 'json: references too');
is($json->{nodes}{web2}{heard}, JSON::PP::true, 'json: who is heard');

# the same by --url

my $u = decode_json(status('--json', @urls)->{out});

is(join(' ', sort keys %{$u->{backends}}), 'd1 kv', 'url: all backends');
is(join(' ', sort keys %{$u->{nodes}}), 'web1 web2', 'url: by their names');
is($u->{backends}{kv}{nodes}{web1}{phase}, 'ramping', 'url: what they say');

my $own = $t->backend_status('kv');
is_deeply([sort keys %{$u->{backends}{kv}{nodes}{web1}}],
          [sort keys %$own], 'url: the status as it is');

$r = rated('normal', 'DEMAND/s', @urls, 'kv');
is($r->{rc}, 0, 'url: details');
is(row($r->{out}, 'web1')->{PHASE}, 'ramping', 'url: by node');
cmp_ok(row($r->{out}, 'normal')->{'DEMAND/s'}, '>', 10, 'url: rates');

is(status('--url', $url1, '--status-url', $url1 =~ s{/recovery/.*}{}r
          . '/other/state', 'kv')->{rc}, 0, 'url: a status of another name');

# a force, of one node, with its owner and the time left

$r = $ctl->run('hold', 'kv', '--for', '10m', '--reason', 'cold cache', '--url',
               $url1);
is($r->{rc}, 0, 'a hold at one node');
like(status('--url', $url1)->{out},
     qr/^  force hold by jo \(at node\), (?:10:00|9:5\d) left: cold cache$/m,
     'overview: force, by whom, how long, why');
reported('the hold', 'web1', qr/"force": "hold"/);
$r = status('kv');
is(label($r->{out}, 'force'), 'at some nodes: see below',
   'details: at some nodes');
like($r->{out}, qr/^  force hold by jo \(at node\)/m, 'details: at which');

$t->redis('HSET', 'recovery:kv', 'force', '5%', 'epoch', 9);
$t->redis('PUBLISH', 'recovery:changed', 'kv');
reported('the level', 'web2', qr/"force": "level"/);
is(label(status('kv')->{out}, 'force'),
   '5.0% by ann, no end: disk full (other nodes: see below)',
   'a level in Redis, without an end');
$t->redis('HDEL', 'recovery:kv', 'force');

# names

$r = status('kvv');
is($r->{rc}, 2, 'no such backend: exit code 2');
like($r->{err}, qr/no backend "kvv"\n  is it kv\?  there are: d1, kv\n/,
     'no such backend: which there are');
is(status('kvv', @urls)->{err}, $r->{err}, 'no such backend: by url');
is(status('a b')->{rc}, 2, 'no name at all');
is(status('kv', 'd1')->{rc}, 2, 'two names');
$r = status('--json', '--watch');
is($r->{rc}, 2, '--json and --watch');
like($r->{err}, qr/do not go together/, '... is said');

# what others have written

my $evil = encode_json({phase => "\e[2J", why => "a\nb\e]0;x\a", level => [],
                        classes => {}, events => 3, health => "\x{9b}"});

$t->redis('SET', 'recovery:node:web3:kv', $evil);
$t->redis('SET', 'recovery:node:web4:kv', 'no json');
$t->redis('RPUSH', 'recovery:node:web5:kv', 'a list');
$t->redis('HSET', 'recovery:nodes', 'web3', 32503680000000, 'web4',
          32503680000000, 'web5', 32503680000000, "web\e[2J", 1, 'web6', 'x');
$r = status();
ok($r->{rc} == 1 && $r->{out} =~ /^kv /m, 'reports of others')
    or diag($r->{all});
$r = status('kv');
is($r->{rc}, 1, '... in detail: exit code 1, one of them is silent');
is(row($r->{out}, 'web3')->{PHASE}, '\x1b[2J', '... what a phase may not be');
unlike($r->{all}, qr/[\e\a\x9b]/, '... no control bytes get through');

# what a terminal would obey, or show in another order than it is written

my @obeyed = ("\x{7f}", "\x{85}", "\x{9b}2J", "\x{61c}", "\x{200f}", "\x{2028}",
              "\x{202e}kv", "\x{2066}", "\x{2069}");
my $obeyed = join '', map { sprintf 'x%s', $_ } @obeyed;
my $raw = qr/\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]
             |\xe2\x81[\xa6-\xa9]/x;
my $said = encode_json({phase => $obeyed, why => "\x{e4}$obeyed", events => [],
                        $obeyed => $obeyed});

like($said, $raw, 'hostile letters, as they come');
$t->redis('SET', 'recovery:node:web3:kv', $said);

for my $words ([], ['kv'], ['--json'], ['kv', '--json']) {
    unlike(status(@$words)->{all}, $raw, "hostile letters: status @$words");
}

my $told = status('kv', '--json')->{out};
my $report = decode_json($told)->{backends}{kv}{nodes}{web3};
is($report->{phase}, $obeyed, 'hostile letters: JSON says what they are');
is($report->{$obeyed}, $obeyed, 'hostile letters: also as a key');
like($told, qr/"why": "\xc3\xa4x/, 'and leaves all others as they are');

$t->redis('DEL', 'recovery:node:web3:kv', 'recovery:node:web4:kv',
          'recovery:node:web5:kv');
$t->redis('HDEL', 'recovery:nodes', map { $_, "web\e[2J" } qw(web3 web4 web5
                                                             web6));

# who may not ask for names

$t->redis('ACL', 'SETUSER', 'viewer', 'on', '>secret', 'resetchannels',
          '~recovery:*', '+hgetall', '+time', '+mget', '+ping', '+select');

my %viewer = (env => {RECOVERY_REDIS_PASSWORD => 'secret',
                      RECOVERY_REDIS => 'redis://viewer@127.0.0.1:'
                                        . $t->port(6379)});

$r = $ctl->run({%viewer}, 'status');
is($r->{rc}, 3, 'no right to SCAN: exit code 3');
like($r->{err}, qr/SCAN.*status NAME/s, '... what to do');
is($ctl->run({%viewer}, 'status', '--json', 'kv')->{rc}, 0,
   '... by name it goes');

# one of them stops

$load->stop();
$other->stop();

$r = status(@urls, 'kv');
is($r->{rc}, 1, 'url: one does not answer: exit code 1');
like($r->{out}, qr/1 node heard, 127\.0\.0\.1:\d+: .*onnect/,
     'url: which, and why');

$t->redis('HSET', 'recovery:nodes', 'web2', ($t->redis('TIME')->[0] - 34)
                                            . '000');
$r = status();
is($r->{rc}, 1, 'one is silent: exit code 1');
like($r->{out}, qr/^1 node heard, web2 silent for 3\d s$/m,
     'which, since when');
is(row($r->{out}, 'kv')->{NODES}, '1/2', 'how many of a backend');
$r = status('kv');
like(row($r->{out}, 'web2')->{HEARD}, qr/^3\d s ago$/, 'by node: since when');

$t->redis('HDEL', 'recovery:nodes', 'web2');
is(status('--json')->{rc}, 0, 'forgotten: exit code 0');

# nobody, nothing, nowhere

$r = $ctl->run('status', '--prefix', 'elsewhere:');
is($r->{rc}, 3, 'nobody has reported: exit code 3');
like($r->{err}, qr/no nginx has reported.*prefix "elsewhere:".*recovery_redis/s,
     'nobody has reported: what it may be');

$r = status('--url', 'http://127.0.0.1:' . $t->port(8080) . '/none/control');
is($r->{rc}, 3, 'url: nothing there: exit code 3');
like($r->{err}, qr/HTTP 404.*recovery_status beside it/s, 'url: what is wrong');

$r = status('--url', $url1, '--status-url',
            'http://127.0.0.1:' . $t->port(8080) . '/page/');
is($r->{rc}, 3, 'url: a page: exit code 3');
like($r->{err}, qr/no recovery_status in JSON/, 'url: a page: said');

$t->redis_stop();
$r = status();
is($r->{rc}, 3, 'Redis is dead: exit code 3');
like($r->{err}, qr/Redis does not answer.*--url http/s,
     'Redis is dead: what to do');
is(status('kv', '--json', '--url', $url1)->{rc}, 0, 'Redis is dead: by url');
