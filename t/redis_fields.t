#!/usr/bin/perl

# Goal: every field of the hash that an operator writes does what it says;
# what is malformed keeps the last good state of that backend, is counted and
# logged when it appears and not at every poll, and touches no other backend.
# No key, no field and an emptied Redis are no opinion.
# Method: a real Redis, written to as redis-cli would; the effect is read from
# the status.  "Not at every poll" is told by the polls that Redis counted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Watch qw(wait_polls);

my $t = Test::Recovery->new();

$t->backend(8081);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=50ms
                      "prefix=my:{x}:";
    recovery_backend  kv    { capacity 1000r/s; }
    recovery_backend  other { capacity 1000r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /other {
            recovery    other;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

my $key = 'my:{x}:kv';

# fields, what the status shows; a field "-" is removed

my @good = (

    ['health down', phase => 'down', health => 'down', allowed_per_s => 0],
    ['health recovering', phase => 'probing', health => 'recovering'],
    ['health down', phase => 'down'],
    ['health up', phase => 'probing', health => 'up'],
    ['health 0', phase => 'down', health => 'down'],
    ['health 1', phase => 'probing', health => 'up'],
    ['health 0.0', phase => 'down'],
    ['health 1.000', phase => 'probing', health => 'up'],

    ['health down', phase => 'down'],
    ['health up force open force_until +1000', allowed_per_s => undef,
     'force.force' => 'open'],
    ['force closed force_until +1000', allowed_per_s => 0,
     'force.force' => 'closed'],
    ['force closed force_until +2000 by Jo reason disk', allowed_per_s => 0,
     'force.by' => 'Jo', 'force.reason' => 'disk'],
    ['force 35% force_until - by - reason -', allowed_per_s => 350,
     'force.force' => qr/./, 'force.by' => undef],
    ['force 100%', allowed_per_s => 1000],
    ['force 0%', allowed_per_s => 0],
    ['force hold', 'force.force' => 'hold', phase => 'probing'],
    ['force -', force => undef, phase => 'probing'],
);

# fields, the bad ones of them, each after "up" (a bad value must not change
# what a good one said)

my @bad = (

    ['health uppp', 'health'],
    ['health UP', 'health'],
    ["health ''", 'health'],
    ['health -1', 'health'],
    ['health 1.5', 'health'],
    ['health nan', 'health'],
    ['health 50%', 'health'],
    ['health 99999999999999999999', 'health'],
    ['ceiling 500', 'ceiling'],
    ['ceiling -5r/s', 'ceiling'],
    ['ceiling 5r/h', 'ceiling'],
    ["ceiling ''", 'ceiling'],
    ['ceiling 1e3r/s', 'ceiling'],
    ['force closed', 'force_until'],
    ['force open', 'force_until'],
    ['force closed force_until 12', 'force_until'],
    ['force closed force_until soon', 'force_until'],
    ['force closed force_until -5', 'force_until'],
    ['force shut force_until +1000', 'force'],
    ['force 101%', 'force'],
    ['force -5%', 'force'],
    ["force ''", 'force'],
    ['epoch x', 'epoch'],
    ['epoch -1', 'epoch'],
);

my @ceilings = (
    ['500r/s', 500], ['40%', 400], ['30r/m', 0.5], ['0.5r/s', 0.5],
    ['2000r/s', 2000], ['100%', 1000],
);

$t->plan(@good + 4 * @bad + @ceilings + 52);
$t->run();


# "a b c d" as pairs; '' is empty, - removes, +N is N seconds from now

sub put {
    my ($fields) = @_;

    my @words = split ' ', $fields;
    my (@set, @gone);

    while (my ($name, $value) = splice @words, 0, 2) {
        if ($value eq '-') {
            push @gone, $name;
            next;
        }

        $value = '' if $value eq "''";
        $value = time() + $1 if $value =~ /^\+(\d+)$/;
        push @set, $name, $value;
    }

    # a poll in between must not see a force that has lost its end: what
    # needs none comes first, then all ends go at once

    $t->redis('HSET', $key, @set) if @set;
    $t->redis('HDEL', $key, @gone) if @gone;

    $t->redis('PUBLISH', 'my:{x}:changed', 'kv');
}


sub shows {
    my ($kv, %want) = @_;

    for my $name (keys %want) {
        my $value = $kv;

        $value = ref $value ? $value->{$_} : undef for split /\./, $name;

        return "$name is " . ($value // 'null')
            if ref $want{$name} ? ($value // '') !~ $want{$name}
               : defined $value != defined $want{$name}
                 || (defined $value && $value ne $want{$name});
    }

    return '';
}


sub shown {
    my ($label, %want) = @_;

    my $last = 'no status';

    ok($t->wait_for(sub {
        $last = shows($t->backend_status('kv'), %want);
        return $last eq '';
    }, $label), $label) or diag($last);
}


sub bad_values { $t->status()->{redis}{bad_values} }

sub bad_lines {
    my ($field) = @_;
    return scalar $t->grep_file('error.log', qr/"kv".*bad "$field"/);
}


# a good state of "kv" from which any value that were taken would show

sub settle {
    $t->redis('DEL', $key);
    $t->redis('HSET', $key, 'health', 'up', 'ceiling', '700r/s');
    wait_polls($t, 3);
}


ok($t->wait_for(sub { $t->status()->{redis}{state} eq 'connected' }),
   'connected');

# nothing written: no opinion, the initial state

wait_polls($t, 4);
is($t->backend_status('kv')->{phase}, 'up', 'no key: initial');
is($t->backend_status('kv')->{health}, undef, 'no key: no health');
is($t->backend_status('kv')->{health_source}, 'initial', 'no key: source');
is($t->http_get('/')->{status}, 200, 'no key: passed');

# degraded first: from "up" it is at once

put('health degraded');
shown('health degraded', phase => 'degraded', health => 'degraded',
      ceiling_per_s => 500, allowed_per_s => 500);
put('health 0.25');
shown('health 0.25', phase => 'degraded', allowed_per_s => 250);
put('health 0.3333333333');
shown('health 0.333...', phase => qr/degraded|ramping/,
      ceiling_per_s => qr/^333/);

for my $row (@good) {
    my ($fields, %want) = @$row;

    put($fields);
    shown($fields, %want);
}

is($t->backend_status('other')->{phase}, 'up', 'the other one is up');
is_deeply($t->backend_status('other')->{events}, [], 'and nothing happened');
is(bad_values(), 0, 'none of these was bad');

# a ceiling binds in any phase; the lowest limit wins

for my $row (@ceilings) {
    my ($value, $rate) = @$row;

    put("ceiling $value");
    shown("ceiling $value", ceiling_per_s => $rate);
}

put('ceiling -');
shown('no ceiling', ceiling_per_s => undef);

# an override ends by itself, by the clock of Redis

put('force closed force_until +3');
shown('closed for three seconds', allowed_per_s => 0,
      'force.force' => 'closed');
is($t->http_get('/')->{status}, 503, 'closed: shed');
shown('and then no more', force => undef, phase => 'probing');
is(bad_values(), 0, 'an override that has ended is not bad');

# what is shown is printable, bounded and still JSON

put('force closed force_until +1000');
$t->redis('HSET', $key, 'by', "a\"b\\\n\0\xff<i>", 'reason', 'x' x 20_000);
$t->redis('PUBLISH', 'my:{x}:changed', 'kv');
shown('any text', 'force.reason' => qr/^x{30}/);

my $force = $t->backend_status('kv')->{force};
cmp_ok(length $force->{reason}, '<', 1000, 'cut');
like($force->{by}, qr/^a"b\\[^\n\0]/, 'no control characters');
is($t->status()->{redis}{state}, 'connected', 'a long text harms nobody');
is($t->status()->{redis}{reconnects}, 0, 'not even for a moment');

# one that nobody waits for the end of costs the link, and no more

$t->redis('HSET', $key, 'by', 'y' x 1_100_000);
ok($t->wait_for(sub { $t->status()->{redis}{state} ne 'connected' }),
   'a reply that is too long');
is($t->http_get('/')->{status}, 503, 'too long: still closed');
is($t->http_get('/other')->{status}, 200, 'too long: the other one is open');
$t->redis('HDEL', $key, 'by');
ok($t->wait_for(sub { $t->status()->{redis}{state} eq 'connected' }, 'link',
                30), 'gone: connected again');
my $reconnects = $t->status()->{redis}{reconnects};

# epoch: an old writer is not listened to

settle();
put('epoch 7 health down');
shown('epoch 7', phase => 'down', health => 'down');

my $before = bad_values();
put('health up epoch 6');
ok($t->wait_for(sub { bad_values() == $before + 1 }), 'epoch 6: reported');
wait_polls($t, 6);
is($t->backend_status('kv')->{health}, 'down', 'epoch 6: ignored');
is(bad_values(), $before + 1, 'epoch 6: once');
is(bad_lines('epoch'), 1, 'epoch 6: logged once');
put('epoch 7');
shown('epoch 7 again', health => 'up');
put('epoch - health down');
shown('without an epoch', health => 'down');

# what is malformed

for my $row (@bad) {
    my ($fields, $field) = @$row;

    settle();

    my ($values, $lines) = (bad_values(), bad_lines($field));
    my ($kv, $other) = map { $t->backend_status($_) } 'kv', 'other';

    put($fields);
    ok($t->wait_for(sub { bad_values() > $values }, "$fields to be counted"),
       "bad: $fields");
    wait_polls($t, 4);
    is(bad_values(), $values + 1, "bad: $fields: counted once");
    is(bad_lines($field), $lines + 1, "bad: $fields: logged once");

    my $now = $t->backend_status('kv');

    is_deeply([map { $now->{$_} } qw(health phase ceiling_per_s force)],
              [map { $kv->{$_} } qw(health phase ceiling_per_s force)],
              "bad: $fields: the last good state");
}

# one bad value after the other is a change too; a good one in between ends it

settle();

my ($values, $lines) = (bad_values(), bad_lines('health'));

put('health dwon');
ok($t->wait_for(sub { bad_values() == $values + 1 }), 'a typo');
put('health dowm');
ok($t->wait_for(sub { bad_values() == $values + 2 }), 'the next typo');
is(bad_lines('health'), $lines + 2, 'both are logged');
put('health up');
wait_polls($t, 4);
$values = bad_values();
put('health dowm');
ok($t->wait_for(sub { bad_values() == $values + 1 }), 'and again');

# a bad field does not hold up the good ones beside it

settle();
put('ceiling 300 health down');
shown('health beside a bad ceiling', health => 'down', phase => 'down');
put('ceiling 300r/s health up');
shown('both are good', health => 'up', ceiling_per_s => 300);

# a key of another type

settle();
$values = bad_values();
$lines = $t->grep_file('error.log', qr/my:\{x\}:kv.*not a hash/);
$t->redis('SET', $key, 'x');
ok($t->wait_for(sub { bad_values() == $values + 1 }), 'a string: counted');
wait_polls($t, 6);
is(bad_values(), $values + 1, 'a string: counted once');
is(scalar $t->grep_file('error.log', qr/my:\{x\}:kv.*not a hash/), $lines + 1,
   'a string: logged once');
is($t->backend_status('kv')->{ceiling_per_s}, 700, 'the last good state');
is($t->status()->{redis}{reconnects}, $reconnects, 'and still connected');

$t->redis('HSET', 'my:{x}:other', 'health', 'down');
ok($t->wait_phase('other', 'down'), 'the other one listens meanwhile');
is($t->http_get('/other')->{status}, 503, 'and sheds');

$t->redis('DEL', $key);
put('health down');
shown('a hash again', health => 'down', phase => 'down');

# nothing there any more: no opinion, nothing opens

$t->redis('DEL', $key);
wait_polls($t, 6);
is($t->backend_status('kv')->{health}, 'down', 'DEL: kept');
$t->redis('HSET', $key, 'reason', 'no health in here');
wait_polls($t, 6);
is($t->backend_status('kv')->{health}, 'down', 'no field: kept');
$t->redis('FLUSHALL');
wait_polls($t, 6);
is($t->backend_status('kv')->{phase}, 'down', 'FLUSHALL: kept');
is($t->backend_status('other')->{phase}, 'down', 'FLUSHALL: the other one');
is($t->http_get('/')->{status}, 503, 'FLUSHALL: shed');

# names under the default prefix are somebody else's

$t->redis('HSET', 'recovery:kv', 'health', 'up');
$t->redis('PUBLISH', 'recovery:changed', 'kv');
wait_polls($t, 6);
is($t->backend_status('kv')->{health}, 'down', 'another prefix');
