#!/usr/bin/perl

# Goal: of a Redis Cluster any node may be given: the link follows its MOVED to
# the node that has the slot, also when the slot goes to another node while
# the link is up, and comes back when that node was lost.  Keys in several
# slots are refused with a reason.  Nodes that send us about in circles cost a
# few connections and nothing else.
# Method: three real nodes; a scripted one for what a real one does not say.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::FakeRedis;
use Test::Recovery::Watch qw(links slowest statuses);

my $t = Test::Recovery->new()->plan(54);

$t->backend(8081);

my @ports = (7001 .. 7003);
my %node = map { $_ => node($_) } @ports;

$node{7001}->cmd('CLUSTER', 'MEET', '127.0.0.1', $t->port($_),
                 $t->port($_ + 1000)) for 7002, 7003;
$node{7001}->cmd(qw(CLUSTER ADDSLOTSRANGE 0 5460));
$node{7002}->cmd(qw(CLUSTER ADDSLOTSRANGE 5461 10922));
$node{7003}->cmd(qw(CLUSTER ADDSLOTSRANGE 10923 16383));

ok($t->wait_for(sub {
    !grep {
        $_->cmd('CLUSTER', 'INFO') !~ /^cluster_state:ok/m
        || $_->cmd('CLUSTER', 'INFO') !~ /^cluster_known_nodes:3/m
    } values %node;
}, 'a cluster', 60), 'a cluster of three');

my $PREFIX = 'recovery:{prod}:';
my $slot = $node{7001}->cmd('CLUSTER', 'KEYSLOT', $PREFIX);
my ($owner, @others) = $slot <= 5460 ? (7001, 7002, 7003)
                       : $slot <= 10922 ? (7002, 7003, 7001)
                                        : (7003, 7001, 7002);
my $fake = Test::Recovery::FakeRedis->new($t, 6390);

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    WORDS poll=100ms timeout=500ms;
    recovery_backend  good { }
    recovery_backend  bad  { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /good {
            recovery    good;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /bad {
            recovery    bad;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2


sub node {
    my ($port) = @_;

    return $t->redis_start(
        name => "node$port", port => $port,
        conf => "cluster-enabled yes\ncluster-node-timeout 2000\n"
                . "cluster-config-file node$port.nodes\n"
                . "cluster-require-full-coverage no\n"
                . "cluster-port @{[$t->port($port + 1000)]}\n");
}


sub configure {
    my ($ports, $words) = @_;

    my $uris = join ' ', map { "redis://127.0.0.1:%%PORT_$_%%" } @$ports;

    $words //= '"prefix=recovery:{prod}:"';
    $t->write_file_expand('nginx.conf', $conf =~ s/WORDS/$uris $words/r);
    $t->master() ? $t->reload() : $t->run();
}


sub state { $t->status()->{redis}{state} }
sub address { $t->status()->{redis}{address} // '' }

sub uses {
    my ($label, $port) = @_;

    my $re = qr/:@{[$t->port($port)]}$/;

    ok($t->wait_for(sub {
        state() eq 'connected' && address() =~ $re && links($t, $port) == 2
    }, "node $port", 60), "$label: node $port") or diag(state(), address());
}


# written where the slot is, published anywhere

sub say_to {
    my ($port, $name, $health) = @_;

    $node{$port}->cmd('HSET', "$PREFIX$name", 'health', $health);
    $node{$others[0]}->cmd('PUBLISH', "${PREFIX}changed", $name);
}


sub obeys {
    my ($label, $port) = @_;

    for my $row (['down', qr/^down$/], ['recovering', qr/^probing$/],
                 ['down', qr/^down$/])
    {
        say_to($port, 'bad', $row->[0]);
        ok($t->wait_phase('bad', $row->[1]), "$label: $row->[0]");
    }
}


sub events {
    return join ' ', map { scalar @{$t->backend_status($_)->{events}} }
                     qw(good bad);
}


# the node that has it, and those that do not

say_to($owner, 'good', 'up');
configure([$owner]);
uses('the right one', $owner);
obeys('the right one', $owner);

for my $other (@others) {
    my $watch = Test::Recovery::Watch->new($t);

    configure([$other]);
    uses("by way of $other", $owner);
    is(scalar $watch->said(qr/\[notice\].*moved to "127\.0\.0\.1" port/), 1,
       "by way of $other: in the log");
    is(scalar(links($t, $other)), 0, "by way of $other: and left it");
    obeys("by way of $other", $owner);
}

# The slot goes to another node while the link is up.  Redis wants the keys
# gone before it gives a slot away, and nginx writes new ones all the time.


sub give {
    my ($from, $to) = @_;

    my $id = $node{$to}->cmd('CLUSTER', 'MYID');

    my @setslot = ('CLUSTER', 'SETSLOT', $slot, 'NODE', $id);

    $node{$to}->cmd(@setslot);
    $t->wait_for(sub {
        $node{$from}->cmd('DEL', @{$node{$from}->cmd('KEYS', '*')});
        $node{$from}->cmd(@setslot);
    }, 'the slot to be given away');
    $node{$_}->cmd(@setslot) for grep { $_ != $from && $_ != $to } @ports;
}


configure([$owner]);
uses('before', $owner);

my $before = events();
my $load = $t->load(rate => 40, uris => ['/good', '/bad'], timeout => 30);

give($owner, $others[0]);
uses('the slot goes away', $others[0]);
is(events(), $before, 'the slot goes away: no phase moved');

my $r = $load->stop();

is_deeply([map { keys %{statuses($r, $_)} } qr/good/, qr/bad/], [200, 503],
          'the slot goes away: requests as before');
obeys('the slot went away', $others[0]);

# the node with the slot is killed, and is back

my $watch = Test::Recovery::Watch->new($t);

configure([$others[1], $owner]);
uses('before', $others[0]);
$before = events();
$load = $t->load(rate => 40, uris => ['/good', '/bad'], timeout => 30);

$node{$others[0]}->kill9();
ok($t->wait_for(sub { state() eq 'disconnected' }), 'killed: disconnected');
ok($t->wait_for(sub { $t->backend_status('bad')->{health_age_ms} > 2000 }),
   'killed: for two seconds');

$r = $load->stop();

is_deeply([map { keys %{statuses($r, $_)} } qr/good/, qr/bad/], [200, 503],
          'killed: requests as before');
cmp_ok(slowest($r), '<', 1 * slow(), 'killed: none waited');
is(events(), $before, 'killed: no phase moved');

$node{$others[0]}->start();
uses('back', $others[0]);
obeys('back', $others[0]);

# keys in several slots

$watch = Test::Recovery::Watch->new($t);
configure(\@ports, 'prefix=recovery:');
ok($t->wait_for(sub { $watch->said(qr/\[error\].*must be in one slot/) }),
   'several slots: said');
ok($t->wait_for(sub { state() eq 'disconnected' }),
   'several slots: disconnected');

# in circles, and nowhere

my $circle = $t->port(6390);

for my $row (["1 127.0.0.1:$circle" => qr/must be in one slot/],
             ["1 :$circle" => qr/must be in one slot/],
             ['1 127.0.0.1:1' => qr/connect\(\) failed/],
             ['1 ?:6379' => qr/server answered "MOVED 1 \?/],
             ['1 127.0.0.1:99999' => qr/server answered "MOVED 1 127/],
             ['' => qr/server answered "MOVED/])
{
    my ($text, $why) = @$row;

    $fake->behave(on => 'HMGET', say => "-MOVED $text\r\n");
    $fake->reset();
    $watch = Test::Recovery::Watch->new($t);
    configure([6390]);
    ok($t->wait_for(sub { $watch->said($why) }, $why), "\"$text\": said");

    my $age = $t->backend_status('good')->{health_age_ms};

    $t->wait_for(sub {
        $t->backend_status('good')->{health_age_ms} > $age + 1000
    });
    cmp_ok($fake->seen()->{connections}, '<', 25, "\"$text\": in peace");
    isnt(state(), 'connected', "\"$text\": not connected");
}
