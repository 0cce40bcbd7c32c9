#!/usr/bin/perl

# Goal: "status --watch" on a terminal shows a ramp as it goes: bars and
# numbers move, nothing flickers, a new size is drawn at once, and however it
# ends the terminal is as it was. Elsewhere it prints lines: of changes, and
# every ten seconds.
# Method: a real nginx that ramps under load on a real Redis; a terminal of
# our own, with a small emulator; a pipe.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Test::Recovery;
use Test::Recovery::Ctl;
use Test::Recovery::Load;
use Test::Recovery::Terminal;

my $t = Test::Recovery->new()->plan(63);
$t->backend(8081);

$t->redis_start();
$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% node=web1 poll=200ms;
    recovery_policy   p { ramp from=10% over=60s; match low $uri ~ ^/low; }
    recovery_backend  kv { policy p; capacity 100r/s; }
    recovery_backend  d1 { }
    recovery_backend  d2 { }

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

my $ctl = Test::Recovery::Ctl->new($t);
my $binary = $t->root() . '/build/recoveryctl';
my %env = (RECOVERY_REDIS => 'redis://127.0.0.1:' . $t->port(6379),
           TERM => 'xterm', LC_ALL => 'C.UTF-8', NO_COLOR => undef);

sub watch {
    my ($words, %o) = @_;

    return Test::Recovery::Terminal->new(
        cmd => [$binary, 'status', '--watch', @$words],
        env => {%env, %{delete $o{env} // {}}}, rows => 40, columns => 110,
        %o);
}

sub reported {
    my ($re) = @_;

    return $t->wait_for(sub {
        ($t->redis('GET', 'recovery:node:web1:kv') // '') =~ $re
    });
}

# the number behind the bar of a line

sub value {
    my ($screen, $label) = @_;
    return $screen =~ /^\Q$label\E +[^ ]+ ([\d.]+)/m ? $1 : undef;
}

ok($t->wait_for(sub { 3 == grep { $t->redis('EXISTS', "recovery:node:web1:$_") }
                                qw(kv d1 d2) }),
   'a node');


# one that stands still, one of which there is nothing to tell

$t->redis('HSET', 'recovery:d1', 'force', 'hold');
$t->redis('PUBLISH', 'recovery:changed', 'd1');
$t->wait_for(sub {
    $t->redis('GET', 'recovery:node:web1:d1') =~ /"force": "hold"/
});

my $began = time();
my $held = $ctl->start('status', '--watch', 'd1');
my $calm = $ctl->start('status', '--watch', 'd2');

# a pipe, from before the outage on

my $pipe = $ctl->start('status', '--watch');

ok($pipe->wait_out(qr/^\S+Z 1 node heard$/m), 'pipe: who is heard');
ok($pipe->wait_out(qr/^\S+Z kv up .*no-limit.*nodes=1\/1/m), 'pipe: kv is up');

my $load = Test::Recovery::Load->new(
    target => {port => $t->port(8080)}, rate => 100,
    uris => ['/a', '/b', '/c', '/low'], timeout => 2);

$t->health('kv', 'down');
ok($pipe->wait_out(qr/^\S+Z kv down level=0%/m), 'pipe: it is down');
$t->health('kv', 'up');
ok(reported(qr/"phase": "ramping"/), 'it ramps');


# the terminal

my $p = watch(['kv']);

ok($p->wait(sub { $_[0] =~ /^kv  ramping/m }), 'terminal: kv ramps');
ok($p->wait(sub { (value($_[0], 'demand') // 0) > 50 }), 'demand');
ok($p->alternate(), 'a screen of its own');
ok(!$p->cursor(), 'without a cursor');
ok(!$p->echo(), 'and echo');

my $screen = $p->screen();
like($screen, qr/^level +\x{2588}+\x{b7}+ \d/m, 'a bar of the level');
like($screen, qr/^normal .*\x{2588}*\x{2592}+/m,
     'a bar of a class, with what is shed of it');
like($screen, qr/^why +work is delivered/m, 'why');
like($screen, qr/full service in \d+ s/, 'ETA');
like($p->raw(), qr/\e\[33m/, 'colours');

my @levels = value($screen, 'level');
my $frames = $p->{frames};

ok($p->wait(sub {
    my $level = value($_[0], 'level') // return 0;
    push @levels, $level if $level > $levels[-1];
    return @levels >= 4;
}, 20), 'the level rises') or diag("@levels");

cmp_ok($p->{frames} - $frames, '>=', 3, 'drawn again and again');
unlike($p->raw() =~ s/^.*?\e\[2J//sr, qr/\e\[2J|\ec/, 'never erased first');
is(join(' ', @{$p->{unknown}}), '', 'nothing that is not known');

# another size

$p->resize(12, 60);
ok($p->wait(sub {
    my @lines = split /\n/, $_[0], -1;
    $_[0] =~ /^\.\.\. \d+ more lines$/m && @lines == 13;
}), 'smaller: what is left out is said');

my ($longest) = sort { $b <=> $a } map { length } split /\n/, $p->screen();
cmp_ok($longest, '<=', 60, 'smaller: no line is too long');
like($p->screen(), qr/^level +\S+ \d.* of 100/m, 'smaller: with its bar');

$p->resize(40, 110);
ok($p->wait(sub { $_[0] =~ /^NODE .*ETA$/m }), 'larger: all of it');

# Ctrl-Z and back

$p->type("\cZ");
ok($p->stopped(), 'Ctrl-Z: stopped');
$p->wait(sub { !$p->alternate() });
ok(!$p->alternate() && $p->cursor() && $p->echo(),
   'Ctrl-Z: the terminal is given back');
$p->signal('CONT');
ok($p->wait(sub { $p->alternate() && $_[0] =~ /^level/m }),
   'and taken again');
ok(!$p->echo(), '... without echo');

# Ctrl-C

$p->type('typed');
$p->type("\cC");
is($p->end(), 'exit 0', 'Ctrl-C: exit code 0');
ok(!$p->alternate() && $p->cursor() && $p->echo(),
   'Ctrl-C: the terminal is as it was');
unlike($p->screen(), qr/\S/, '... with nothing on it');
like($p->raw(), qr/\e\[\?1049l$/, '... and nothing came after');


# other ends, other terminals, all backends

$p = watch([]);
ok($p->wait(sub {
    $_[0] =~ /^BACKEND .*\nd1 .*\n.*force hold.*\nkv .*\nd2 /m
}), 'all backends');
like($p->screen(), qr/^kv +ramping +\x{2588}/m, 'with bars');
$p->signal('TERM');
is($p->end(), 'signal 15', 'SIGTERM');
ok(!$p->alternate() && $p->cursor() && $p->echo(), '... leaves it clean');

$p = watch(['kv'], env => {NO_COLOR => 1, LC_ALL => 'C'});
ok($p->wait(sub { $_[0] =~ /^level +#+\.+ \d/m }),
   'no UTF-8: bars of other signs');
unlike($p->raw(), qr/\e\[[1-9][0-9;]*m/, 'NO_COLOR: no colours');

# the pipe meanwhile

ok($t->wait_for(sub {
    4 <= grep { /^\S+Z kv ramping level=\S+% demand=\d.* low=\d/ }
              split /\n/, $pipe->out()
}), 'pipe: a line for what has changed');
unlike($pipe->out(), qr/\e/, 'pipe: plain');
is(scalar(() = $pipe->out() =~ /^\S+Z d2 up/mg), 1,
   'pipe: what does not change: once');


$p->type("\cC");
is($p->end(), 'exit 0', '... until Ctrl-C');

$p = watch(['kv'], env => {TERM => 'dumb'});
ok($p->wait(sub { $_[0] =~ /^\S+Z kv ramping.*\n(?:.*\n)*\S+Z kv ramping/m }),
   'TERM=dumb: lines');
unlike($p->raw(), qr/\e/, '... and nothing but');
$p->type("\cC");
is($p->end(), 'exit 0', '... until Ctrl-C');

$p = watch(['kvv']);
is($p->end(), 'exit 2', 'no such backend: exit code 2');
unlike($p->raw(), qr/\e\[\?1049h/, '... and no screen is made for that');


# every ten seconds, when there is nothing to tell

for ([$held, 'd1 up .*\[force hold', 'what is held'],
     [$calm, 'd2 quietly up, nodes=1/1$', 'what is quietly up'])
{
    my ($at, $line, $what) = @$_;

    ok($at->wait_out(qr/^\S+Z $line/m, 20), "pipe: $what, now and then");
    cmp_ok(scalar(() = $at->out() =~ /^\S+Z d\d /mg), '<=',
           3 + (time() - $began) / 9, '... not more often');
    $at->signal('TERM');
    is($at->end()->{rc}, 0, '... until SIGTERM');
}

# who reads is gone

$began = time();
is(`RECOVERY_REDIS=$env{RECOVERY_REDIS} $binary status --watch kv | head -n 1`
   =~ tr/\n//, 1, 'pipe: one line is enough');
cmp_ok(time() - $began, '<', 8 * slow(), '... ends as soon as it notices');


# Redis goes and comes

$p = watch(['kv']);
ok($p->wait(sub { $_[0] =~ /^level/m }), 'once more');
$t->redis_stop();
ok($p->wait(sub { $_[0] =~ /^no answer for .*refused/m }),
   'Redis is gone: said');
like($p->screen(), qr/^kv  ramping/m, '... what was is kept');
ok($pipe->wait_out(qr/Z no answer: .*refused/), 'pipe: said');
$t->redis_start();
$t->health('kv', 'up');
ok($p->wait(sub { $_[0] =~ /^level/m && $_[0] !~ /no answer/ }, 20),
   'Redis is back');
$p->type("\cC");
is($p->end(), 'exit 0', 'and that was it');

$pipe->signal('INT');

my $r = $pipe->end();

is($r->{rc}, 0, 'pipe: SIGINT: exit code 0');
like($r->{out}, qr/\n\z/, '... behind a whole line');
is($r->{err}, '', '... without a word');

$load->stop();
