#!/usr/bin/perl

# Goal: a Redis that no longer lets nginx in moves nothing in any phase; a
# password is changed without the link being lost, when it is done in order.
# Method: ACL users of a real Redis, changed under load; see
# Test::Recovery::Fault.  That it is said once and not at every try, and that
# no password is in a log, is shown by redis_auth.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Fault;

my @RIGHTS = qw(resetchannels ~recovery:* &recovery:* +hmget +time +subscribe
                +ping +select +xadd +set +hset);

my $t = Test::Recovery->new()->plan(7 * 4 + 2 + 1);

$t->redis_start();
$t->redis('ACL', 'SETUSER', 'gate', 'on', '>first', @RIGHTS);

my $file = $t->write_file('password', "first\n");

chmod 0600, $file;

my $f = Test::Recovery::Fault->new($t, patience_s => 30,
    redis => "redis://gate\@127.0.0.1:%%PORT_6379%% password_file=$file",
    write => sub { $t->redis('HSET', 'recovery:' . shift, @_) });


sub setuser { $t->redis('ACL', 'SETUSER', 'gate', @_) }


sub cut {
    $t->redis('CLIENT', 'KILL', 'TYPE', $_, 'SKIPME', 'yes')
        for qw(pubsub normal);
}


my %denied = (link => 'lost', state => 'denied', lasts => 2);
my $CLOSED = qr/server closed the connection/;

$f->start();

$f->row('a right is missing', %denied, begin => sub { setuser('-hmget') },
        end => sub { setuser('+hmget') }, said => { qr/NOPERM/ => 1 });

$f->row('wrong password', %denied, begin => sub {
    setuser('resetpass', '>second');
    cut();
}, enough => sub { $_[0]{redis}{state} eq 'denied' },
   end => sub { setuser('resetpass', '>first') },
   said => { qr/WRONGPASS/ => 1, $CLOSED => [1, 2] });

# in order: both are good; nginx takes the new one; the old one ends

$f->row('password rotated', begin => sub {
    setuser('>second');
    $t->write_file('password', "second\n");
    $t->reload();
    $f->watch(0, sub { $_[0]{redis}{state} eq 'connected' });
    setuser('<first');
});
like($t->redis('CLIENT', 'LIST'), qr/ user=gate /, 'as the user');

# the wrong way round, and put right on the side of nginx

$f->row('password rotated too early', %denied, begin => sub {
    setuser('resetpass', '>third');
    cut();
}, enough => sub { $_[0]{redis}{state} eq 'denied' }, end => sub {
    $t->write_file('password', "third\n");
    $t->reload();
}, counted => 0, said => { qr/WRONGPASS/ => 1, $CLOSED => [1, 2] });

$f->finish();
