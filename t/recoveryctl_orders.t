#!/usr/bin/perl

# Goal: every verb that orders something does it, through Redis, at two real
# nginx, and says what both make of it; the hash has what the contract says,
# with an epoch that rises whatever happened to the key; what stands beside an
# order is named.
# Method: the tool as people call it; the hash and the status of both nodes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Ctl;
use Test::Recovery::Order;

my $t = Test::Recovery->new()->plan(76);
my $other = Test::Recovery->new();
my $b = $t->backend(8081);

$t->redis_start();

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:REDIS node=NODE poll=10s;
    recovery_policy   p { ramp from=10% over=1h; }
    recovery_backend  kv { policy p; capacity 100r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:BACKEND;
        }

        location = /control { recovery_control; }
    }
}

EOF2

for my $node ([$t, 'web1'], [$other, 'web2']) {
    my %as = (NODE => $node->[1], REDIS => $t->port(6379),
              BACKEND => $t->port(8081));

    $node->[0]->write_file_expand('nginx.conf',
                                  $conf =~ s/\b(NODE|REDIS|BACKEND)\b/
                                             $as{$1}/gerx);
    $node->[0]->run();
}

my $ctl = Test::Recovery::Ctl->new($t);

sub hash { return {@{$t->redis('HGETALL', 'recovery:kv')}} }

sub reports {
    return grep { $t->redis('EXISTS', "recovery:node:$_:kv") } qw(web1 web2);
}


# The order is done and confirmed; both nodes are so; the hash has the fields.

my $epoch = 0;

sub ordered {
    my ($label, $words, $sight, %fields) = @_;

    my $r = $ctl->run(@$words);
    my $hash = hash();

    is($r->{rc}, 0, "$label: done and confirmed") or diag($r->{all});
    like($r->{out}, qr/^2 of 2 nodes: \Q$sight\E$/m, "$label: $sight")
        or diag($r->{all});

    is(delete $hash->{epoch}, ++$epoch, "$label: an epoch more");

    if (exists $fields{force_until}) {
        my $end = time() + delete $fields{force_until};
        my $until = delete($hash->{force_until}) // 0;

        ok(abs($until - $end) < 30, "$label: its end") or diag("$until $end");
    }

    is_deeply($hash, \%fields, "$label: the hash")
        or diag(join ' ', %$hash);

    return $r;
}


# they poll rarely: what is at once is published

ok($t->wait_for(sub {
    reports() == 2
    && $t->redis('PUBSUB', 'NUMSUB', 'recovery:changed')->[1] == 2
}), 'two nodes');

# health; the only backend there is needs no name

my $r = ordered('down', ['down', 'kv', '--reason', 'disk full'], 'down',
                health => 'down', by => 'jo', reason => 'disk full');
is($r->{out}, "kv: health down, by jo: disk full\n2 of 2 nodes: down\n",
   'down: two lines');
is($r->{err}, '', 'down: and no more');
cmp_ok($r->{s}, '<', 4 * slow(), 'down: without the poll');
is($_->backend_status('kv')->{phase}, 'down', 'down: it is')
    for $t, $other;

ordered('recover', ['recover', '--reason=ok', '--by=ann'], 'probing',
        health => 'up', by => 'ann', reason => 'ok');
ordered('degraded', ['degraded', 'kv', '--reason', 'x'], 'probing',
        health => 'degraded', by => 'jo', reason => 'x');
ordered('a level', ['degraded', 'kv', '--reason', 'x', '--level', '0.4'],
        'probing', health => '0.4', by => 'jo', reason => 'x');

# forces

$r = ordered('closed', ['force', 'closed', 'kv', '--for', '10m', '--reason',
                        'swap'], 'probing, force closed',
             health => '0.4', force => 'closed', force_until => 600,
             by => 'jo', reason => 'swap');
like($r->{out}, qr/^kv: force closed until \d\d:\d\d:\d\d \(10 min\), by jo: /m,
     'closed: until when');

ordered('open', ['force', 'open', 'kv', '--for', '1h', '--reason', 'x',
                 '--override-safety', 'failing'], 'probing, force open',
        health => '0.4', force => 'open', force_until => 3600,
        override_safety => 'failing', by => 'jo', reason => 'x');

# what stands above a health is said

$r = $ctl->run('recover', 'kv', '--reason', 'ok');
$epoch++;
is($r->{rc}, 0, 'recover under a force: done');
like($r->{err}, qr/force open stands above it.*recoveryctl clear kv/s,
     'recover under a force: said');

# no reason: none of somebody else's

ordered('hold', ['hold', 'kv'], 'probing, force hold', health => 'up',
        force => 'hold', force_until => 600, by => 'jo');
ordered('resume', ['resume', 'kv'], 'probing', health => 'up', by => 'jo');

$r = $ctl->run('resume', 'kv');
is($r->{rc}, 4, 'nothing to resume: refused');
like($r->{err}, qr/nothing holds "kv".*recoveryctl status kv/s,
     'nothing to resume: said');
is(hash()->{epoch}, $epoch, 'nothing to resume: nothing written');

# a class more, while it probes; who has become somebody else is named

ordered('promote', [{env => {SUDO_USER => 'ann'}}, 'promote', 'high', 'kv'],
        'probing', health => 'up', promote => 'high', by => 'ann');
is($t->backend_status('kv')->{events}[-1]{why},
   'an operator let in more classes', 'promote: obeyed');

# half of what the lowest node has

ordered('a part', ['force', '40%', 'kv', '--for', '5m', '--reason', 'x'],
        'probing, force level', health => 'up', promote => 'high',
        force => '40%', force_until => 300, by => 'jo', reason => 'x');

my $level = $t->backend_status('kv')->{level};

$r = $ctl->run('step-back', 'kv', '--for', '5m');
$epoch++;
my ($half) = $r->{out} =~ /^kv: force ([\d.]+)% until/m;
ok($half && abs($half - $level * 50) < 0.1, 'half of it')
    or diag("$level: $r->{all}");
is(hash()->{force}, "$half%", 'half of it, in Redis');

$r = $ctl->run('resume', 'kv');
is($r->{rc}, 4, 'a level is no hold');
like($r->{err}, qr/forced: $half%.*recoveryctl clear kv/s, 'and how to end it');

# clear ends all, and says what it was

$t->redis('HSET', 'recovery:kv', 'ceiling', '90r/s');
$r = ordered('clear', ['clear', 'kv'], 'probing', health => 'up');
like($r->{out},
     qr/^kv: clear force $half%, ceiling 90r\/s, promote high, by jo$/m,
     'clear: what it was');

$r = $ctl->run('clear', 'kv');
is($r->{rc}, 0, 'nothing to clear: well');
is($r->{out}, "kv: nothing was ordered in Redis\n", 'nothing to clear: said');

# a key that was deleted: nodes do not forget its epoch

$t->redis('DEL', 'recovery:kv');
ordered('deleted', ['down', 'kv', '--reason', 'x'], 'down', health => 'down',
        by => 'jo', reason => 'x');

# orders of a node itself stand above

order($t, 'kv', action => 'force', value => 'closed', for => '10m');
ok($t->wait_for(sub {
    $t->redis('GET', 'recovery:node:web1:kv') =~ /"override": *\{ *"force"/
}, 'the report'), 'an order of its own');
$r = $ctl->run('down', 'kv', '--reason', 'x');
is($r->{rc}, 0, 'an order of its own: read all the same');
like($r->{out}, qr/^2 of 2 nodes: 1 down, force closed; 1 down$/m,
     'an order of its own: who sees what');
like($r->{err}, qr/web1 has an order of its own.*force closed.*--url .*web1/s,
     'an order of its own: said');
