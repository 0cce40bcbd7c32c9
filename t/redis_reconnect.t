#!/usr/bin/perl

# Goal: one worker has the link, with two connections, whatever happens to it
# or to them: hundreds of reconnects leave no descriptor behind, a leader that
# is killed or stopped is followed by another one, and there are never two for
# long.
# Method: CLIENT KILL in a loop; who is connected is read from the kernel's
# tables and from Redis' CLIENT LIST.  The same server is given eight times,
# because the link goes to the next server at once and pauses only after the
# last one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Reconnect qw(clients leader reconnects);
use Test::Recovery::Watch qw(fd_count links statuses);

my $RECONNECTS = 500;

my $t = Test::Recovery->new()->plan(41);

$t->backend(8081);
$t->redis_start();

my $uris = join ' ', ('redis://127.0.0.1:%%PORT_6379%%') x 8;

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

worker_processes  2;

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    $uris poll=50ms timeout=300ms;
    recovery_backend  kv { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();


sub one_leader {
    my ($label) = @_;

    my $leader = $t->wait_for(sub { leader($t, 6379) }, 'one leader', 30);

    ok($leader, "$label: one worker, two connections")
        or diag(join "\n", links($t, 6379), clients($t));

    return $leader // 0;
}


sub listens {
    my ($label) = @_;

    $t->health('kv', 'recovering');
    ok($t->wait_phase('kv', 'probing'), "$label: recovering");
    $t->health('kv', 'down');
    ok($t->wait_phase('kv', 'down'), "$label: down");
}


my $leader = one_leader('start');

is(scalar(grep { /cmd=subscribe/ } clients($t)), 1, 'one of them subscribes');
listens('start');

my $seen = reconnects($t, 6379, $RECONNECTS);

cmp_ok($seen->{done}, '>=', $RECONNECTS,
       "$seen->{done} reconnects in $seen->{rounds} rounds");
is($seen->{leaked}, 0, 'no descriptor more or less');
cmp_ok($seen->{most}, '<=', 2, 'never more than two connections');
is($t->backend_status('kv')->{phase}, 'down', 'the phase is as it was');
listens('after them');

# while nobody answers

$leader = one_leader('again');

my $fds = fd_count($leader);

$t->redis_stop();
ok($t->wait_for(sub { $t->status()->{redis}{state} ne 'connected' }),
   'no Redis');
ok($t->wait_for(sub { $t->backend_status('kv')->{health_age_ms} > 2000 }),
   'for two seconds');
cmp_ok(fd_count($leader), '<=', $fds, 'no descriptor for what is refused');
$t->redis_start();
$t->redis('HSET', 'recovery:kv', 'health', 'down');
is(one_leader('after it'), $leader, 'the same worker leads');

# the leader is killed

for my $i (1 .. 3) {
    my $killed = one_leader("kill $i");

    is($t->kill9_worker($killed), $killed, "kill $i: killed");

    my $start = time();
    my $next = one_leader("kill $i, then");

    isnt($next, $killed, "kill $i: another one");
    cmp_ok(time() - $start, '<', 3 * slow(), "kill $i: soon");
}

listens('after the kills');

# The leader is stopped, as a debugger or a frozen cgroup does it: the lease
# runs out, and a request finds that.

$leader = one_leader('stop');
kill 'STOP', $leader;

my $load = $t->load(rate => 50, uris => ['/'], timeout => 30);
my ($other) = grep { $_ != $leader } $t->workers();

ok($t->wait_for(sub { (grep { $_ == $other } links($t, 6379)) == 2 },
                'another leader', 20), 'stop: the other one leads');
$t->redis('HSET', 'recovery:kv', 'health', 'recovering');
$t->redis('PUBLISH', 'recovery:changed', 'kv');
ok($t->wait_for(sub { $load->peek()->{status}{200} }, 'a probe', 20),
   'stop: it listens');

kill 'CONT', $leader;
is(one_leader('cont'), $other, 'cont: it stays so');

my $r = $load->stop();

is_deeply([grep { !/^(?:200|503)$/ } keys %{statuses($r, qr/./)}], [],
          'stop: every request was answered');
is(scalar($t->wait_for(sub {
    my @leads = $t->grep_file('error.log', qr/this worker leads$/);
    my @resigned = $t->grep_file('error.log', qr/leads no longer/);
    return "@leads" =~ /\b$other#/ && "@resigned" =~ /\b$leader#/;
})), 1, 'cont: the old one has resigned');
$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'cont: the link works');
