#!/usr/bin/perl

# Goal: the stream "recovery:audit" tells who did what, when, why and from
# which node: orders in Redis, orders in nginx, and phases that changed by
# themselves.  Redis gone: nothing waits, what has room is told later, the
# rest is counted.  Without the right to write all else works.
# Method: as said, read back by XRANGE.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Order;
use Test::Recovery::Watch qw(wait_polls);

my $t = Test::Recovery->new()->plan(22);
my $b = $t->backend(8081);

$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=200ms prefix=x:;
    recovery_backend  kv { capacity 100r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /control { recovery_control; }
    }
}

EOF2

$t->run();


# the entries, oldest first, as hashes

sub entries {
    my $reply = $t->redis('XRANGE', 'x:audit', '-', '+') // [];

    return map { +{ @{$_->[1]} } } @$reply;
}


# the first entry that has all this, or undef

sub entry {
    my (%wanted) = @_;

    return $t->wait_for(sub {
        for my $e (entries()) {
            return $e if !grep { ($e->{$_} // '') !~ $wanted{$_} } keys %wanted;
        }
        return 0;
    });
}

$t->redis('HSET', 'x:kv', health => 'down', by => 'jo', reason => 'disk');
my $e = entry(from => qr/^up$/, to => qr/^down$/);
ok($e, 'health in redis');
is("$e->{through} $e->{by} $e->{reason} $e->{backend}", 'redis jo disk kv',
   'who, why, of what');
like($e->{node}, qr/^\S+$/, 'from which node');
ok(abs($e->{time_ms} / 1000 - time()) < 120, 'when');
like($e->{what}, qr/source says down/, 'what');

order($t, 'kv', action => 'force', value => 'closed', for => '10m',
      by => 'ann', reason => 'rack');
$e = entry(force => qr/^closed$/, through => qr/^local$/);
ok($e, 'an order in nginx');
is("$e->{by} $e->{reason} $e->{from} $e->{to}", 'ann rack down down',
   'who, why');

# words in Redis that move no phase, here since an order stands above them

order($t, 'kv', action => 'health', value => 'down', for => '10m');
$t->redis('HSET', 'x:kv', health => 'degraded', by => 'eve', reason => 'try');
$e = entry(by => qr/^eve$/) || {};
is("$e->{through} $e->{reason} $e->{what}",
   'redis try the source says degraded', 'a word that moves no phase');
$t->redis('HSET', 'x:kv', health => 'down', by => 'joe', reason => 'no');
$e = entry(by => qr/^joe$/) || {};
is("$e->{reason} $e->{what}", 'no the source says down', 'and the next');
$t->redis('HSET', 'x:kv', ceiling => '50r/s', by => 'max', reason => 'slow');
$e = entry(by => qr/^max$/) || {};
is("$e->{reason} $e->{what}", 'slow a ceiling or quota binds', 'a ceiling');
$t->redis('HDEL', 'x:kv', 'ceiling');
ok(entry(what => qr/ceiling was raised or removed/, through => qr/^redis$/),
   'and its end');

order($t, 'kv', action => 'clear', by => 'ann');
$t->redis('HSET', 'x:kv', health => 'up');
ok(entry(from => qr/^down$/, to => qr/^probing$/), 'probing');

$t->wait_for(sub { $t->http_get('/'); $t->backend_status('kv')->{phase}
                   eq 'ramping' }, 'ramping', 20);
ok(entry(from => qr/^probing$/, to => qr/^ramping$/, through => qr/^self$/),
   'a phase by itself');

my $n = entries();
ok(wait_polls($t, 5), 'some polls later');
cmp_ok(scalar entries(), '<=', $n + 3, 'each once');

# gone, and back

$t->redis_stop();
order($t, 'kv', action => 'force', value => 'closed', for => '10m',
      by => "late $_") for 1 .. 40;
is($t->http_get('/')->{status}, 503, 'redis gone: orders are obeyed');
ok($t->wait_for(sub { $t->status()->{redis}{audit_dropped} > 0 }),
   'redis gone: what has no room is counted');
$t->redis_start();
ok(entry(force => qr/^closed$/, by => qr/^late 40$/), 'back: the rest comes');

# no right to write

$t->redis('ACL', 'SETUSER', 'default', '-xadd');
order($t, 'kv', action => 'clear');
ok($t->wait_log(qr/the audit is not written: NOPERM/), 'no right: one line');
$t->redis('HSET', 'x:kv', health => 'down');
ok($t->wait_phase('kv', 'down'), 'no right: all else works');
is($t->status()->{redis}{state}, 'connected', 'no right: connected');
is(scalar(() = $t->grep_file('error.log', qr/audit is not written/)), 1,
   'no right: not said again');
