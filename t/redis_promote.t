#!/usr/bin/perl

# Goal: the field "promote" in Redis lets classes up to the named one in on
# the floor of "probing", and not one request more; it is shown, audited, and
# ends with its removal.  A class that the policy does not have is a bad value.
# Method: a backend that fails its probes, so that probing goes on, and
# requests of the first and the last class.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
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

    recovery_policy default {
        feedback  off;
        class     critical;
        class     low default;
        match     critical $uri ~ ^/critical;
    }

    recovery_redis    redis://127.0.0.1:%%PORT_6379%% poll=100ms node=me;
    recovery_backend  kv { capacity 1000r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /control { recovery off; recovery_control; }
    }
}

EOF2

$t->run();


sub say { $t->redis('HSET', 'recovery:kv', @_);
          $t->redis('PUBLISH', 'recovery:changed', 'kv') }

sub shown { $t->backend_status('kv')->{promote} }

sub passed { $t->class_status('kv', 'low')->{passed} }


# the first class is there all the time; how many of the last pass meanwhile

sub low_passes {
    my $before = passed();

    $t->load(rate => 40, uris => ['/critical', ('/low') x 7], for => 2)->wait();

    return passed() - $before;
}


# from when on the phase lets in the first class alone

sub only_critical {
    $t->load(rate => 20, uris => ['/critical'], for => 1.5)->wait();
}

$b->set(status => 500);
say(health => 'down');
ok($t->wait_phase('kv', 'down'), 'down');
say(health => 'recovering', epoch => 1);
ok($t->wait_phase('kv', 'probing'), 'probing');
is(shown(), undef, 'nobody has said anything');
only_critical();
is(low_passes(), 0, 'the last class waits');

say(promote => 'low', by => 'jo', reason => 'all of them', epoch => 2);
ok($t->wait_for(sub { (shown() // '') eq 'low' }), 'promoted: shown');
cmp_ok(low_passes(), '>', 0, 'promoted: the last class, too');
is($t->backend_status('kv')->{phase}, 'probing', 'promoted: still probing');
cmp_ok($t->backend_status('kv')->{allowed_per_s}, '<=', 10,
       'promoted: the floor is what it was');
like($t->http_get('/control')->{body}, qr/"kv".*"promote": "low"/s,
     'promoted: in force, says nginx');
ok($t->wait_for(sub {
    grep { my %e = @{$_->[1]};
           $e{what} =~ /let in more classes/ && $e{by} eq 'jo' }
         @{$t->redis('XRANGE', 'recovery:audit', '-', '+')}
}), 'promoted: audited');
ok($t->wait_for(sub {
    ($t->redis('GET', 'recovery:node:me:kv') // '') =~ /"promote": "low"/
}), 'promoted: reported');

# no such class

say(promote => 'vip', epoch => 3);
ok($t->wait_log(qr/\[warn\].*"kv".*bad "promote": "vip"/), 'no such class');
is(shown(), 'low', 'no such class: what was before is kept');
wait_polls($t, 5);
is($t->status()->{redis}{bad_values}, 1, 'no such class: counted once');
is($t->backend_status('kv')->{epoch}, 3, 'no such class: the rest is taken');

# an old writer

say(promote => 'critical', epoch => 2);
wait_polls($t, 3);
is(shown(), 'low', 'an older epoch');
say(promote => 'low', epoch => 4);

# a reload with other classes

$t->write_file('nginx.conf', $t->read_file('nginx.conf')
               =~ s/class     low default;/class mid; $&/r);
ok($t->reload(), 'a class more');
ok($t->wait_for(sub { (shown() // '') eq 'low' }), 'a class more: by name');

# the end

$t->redis('HDEL', 'recovery:kv', 'promote', 'by', 'reason');
ok($t->wait_for(sub { !defined shown() }), 'removed');
only_critical();
is(low_passes(), 0, 'removed: the last class waits');
ok($t->wait_for(sub {
    grep { my %e = @{$_->[1]}; $e{what} =~ /as the phase has them again/ }
         @{$t->redis('XRANGE', 'recovery:audit', '-', '+')}
}), 'removed: audited');
unlike($t->http_get('/control')->{body}, qr/"kv"/, 'removed: nothing in force');
