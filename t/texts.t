#!/usr/bin/perl

# Goal: "by" and "reason" lie in a pool that all backends share.  When more
# have such texts than it has room for, a force gets its own before a health,
# what is missing is missing and nothing else, one line says so, and room
# that is free again is used.  They survive a reload, a new size of the zone
# and the end of the leader.
# Method: twice as many backends as the pool has room for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $ROOM = 64;
my $N = 2 * $ROOM;

my $t = Test::Recovery->new()->plan(16);

$t->redis_start();


sub configuration {
    my ($size) = @_;

    my $backends = join "\n", map { "recovery_backend b$_ { }" } 1 .. $N;

    $t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=100ms;
    recovery_zone   recovery:$size;

    $backends

    server {
        listen  127.0.0.1:%%PORT_8080%%;
    }
}

EOF2
}


sub said {
    my ($n, @fields) = @_;

    $t->redis('HSET', "recovery:b$_", by => "who $_", reason => "why $_",
              @fields) for $n =~ /^(\d+)\.\.(\d+)$/ ? $1 .. $2 : $n;
}


# how many backends show their texts, and how many show another one's

sub shown {
    my $all = $t->status()->{backends};
    my ($right, $wrong, $forced) = (0, 0, 0);

    for my $name (keys %$all) {
        my $b = $all->{$name};
        my $n = $name =~ s/^b//r;
        my $by = $b->{health_by} // next;

        "$by, $b->{health_reason}" eq "who $n, why $n" ? $right++ : $wrong++;
        $forced++ if $b->{force};
    }

    return "$right right, $wrong wrong, $forced forced";
}


sub shows {
    my ($wanted, $label) = @_;

    my $seen = '';

    ok($t->wait_for(sub { ($seen = shown()) eq $wanted }), $label)
        or diag("shown: $seen");
}


sub lines { return scalar(() = $t->grep_file('error.log', qr/has room for/)) }


configuration('1m');
$t->run();

shows('0 right, 0 wrong, 0 forced', 'nothing at first');

said("1..$ROOM", health => 'up');
shows("$ROOM right, 0 wrong, 0 forced", 'as many as there is room for');
is(lines(), 0, 'no line');

said("@{[$ROOM + 1]}..$N", health => 'up');
ok($t->wait_for(sub { lines() == 1 }), 'more: one line');
shows("$ROOM right, 0 wrong, 0 forced", 'more: no more are shown');

said("@{[$N - 9]}..$N", force => '50%', force_until => time() + 1000);
shows("$ROOM right, 0 wrong, 10 forced", 'a force displaces a health');

said("1..$N", force => '50%', force_until => time() + 1000);
shows("$ROOM right, 0 wrong, $ROOM forced", 'more forces: as many as fit');
is(scalar(grep { $_->{force} } values %{$t->status()->{backends}}), $N,
   'more forces: all are in force');
is(lines(), 1, 'more forces: still one line');

$t->redis('DEL', map { "recovery:b$_" } 1 .. $N - 20);
shows('20 right, 0 wrong, 20 forced', 'room is given back and used again');

# they last

ok($t->reload(), 'reloaded');
shows('20 right, 0 wrong, 20 forced', 'after a reload');

$t->redis_stop();
configuration('2m');
ok($t->reload(), 'reloaded with another size');
shows('20 right, 0 wrong, 20 forced', 'after a resize, without redis');

my ($leader) = reverse $t->grep_file('error.log', qr/this worker leads$/);

ok($t->kill9_worker($leader =~ /\] (\d+)#/), 'the leader is killed');
shows('20 right, 0 wrong, 20 forced', 'after its end');
