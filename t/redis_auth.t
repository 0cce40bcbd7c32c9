#!/usr/bin/perl

# Goal: with a password, or a user and a password, the link comes up; when it
# is refused it says so once and in the status, keeps what it knew, and comes
# up by itself when the operator has put Redis right.  The smallest set of
# rights that the documentation names is enough.  The password is nowhere to
# be read.
# Method: requirepass and ACL users of a real Redis, changed while nginx runs;
# what was refused is counted by Redis.  The log is at level debug.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Watch qw(links wait_polls);

my $SECRET = 'S3cr3t"of\'#us';
my $WRONG = 'Wr0ng-0ne';
my $RIGHTS = '+@hash +@string +@connection +@pubsub +@stream';

$ENV{TEST_LOG_LEVEL} = 'debug';

my $t = Test::Recovery->new()->plan(59);

$t->backend(8081);

my $redis = $t->redis_start(
    conf => "user default on >$SECRET ~* &* +\@all\n" =~ s/(>\S+)/"$1"/r
            =~ s/(?<=S3cr3t)"/\\"/r,
    auth => [$SECRET]);

my $conf = <<'EOF2';

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    URI poll=100ms;
    recovery_backend  kv { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /html {
            recovery_status html;
        }
    }
}

EOF2

my $PLAIN = 'redis://127.0.0.1:%%PORT_6379%%';
my $USER = 'redis://rcv@127.0.0.1:%%PORT_6379%%';
my $FILE = 'password_file=%%TESTDIR%%/password';


sub configure {
    my ($uri) = @_;
    $t->write_file_expand('nginx.conf', $conf =~ s/URI/$uri/r);
}


sub state { $t->status()->{redis}{state} }

sub connected {
    my ($label) = @_;

    ok($t->wait_for(sub {
        state() eq 'connected'
        && $t->redis('PUBSUB', 'NUMSUB', 'recovery:changed')->[1] == 1
    }, 'connected', 30), "$label: connected");
}


sub refusals {
    my ($word) = @_;

    my $info = $t->redis('INFO', 'errorstats');

    return $info =~ /^errorstat_$word:count=(\d+)/m ? $1 : 0;
}


# goes down and up and says so at once

sub listens {
    my ($label) = @_;

    $t->health('kv', 'recovering');
    ok($t->wait_phase('kv', 'probing'), "$label: recovering");
    $t->health('kv', 'down');
    ok($t->wait_phase('kv', 'down'), "$label: down");
}


# Redis refuses, more than once; that is said once, and nothing opens

sub refused {
    my ($label, $word, $watch, $before, %o) = @_;

    ok($t->wait_for(sub { state() eq 'denied' }, 'denied', 20),
       "$label: denied") or diag(state());
    ok($t->wait_for(sub { refusals($word) >= $before + 2 }, "second $word",
                    20), "$label: tried again") unless $o{quick};
    is(scalar $watch->said(qr/\[error\].*denied.*$word/), 1,
       "$label: said once");
    is($t->backend_status('kv')->{phase}, 'down', "$label: as it was");
    is($t->http_get('/')->{status}, 503, "$label: shed");
}


sub reload {
    my ($uri, $password) = @_;

    $t->write_file('password', "$password\n") if defined $password;
    configure($uri);

    my $watch = Test::Recovery::Watch->new($t);

    $t->reload() or diag('reload failed');

    return $watch;
}


# a password

$t->write_file('password', "$SECRET\n");
configure("$PLAIN $FILE");
$t->run();

connected('password');
listens('password');

# the wrong one, till it is the right one

my $before = refusals('WRONGPASS');
my $watch = reload("$PLAIN $FILE", $WRONG);

refused('wrong password', 'WRONGPASS', $watch, $before);
$t->redis('ACL', 'SETUSER', 'default', ">$WRONG");
connected('now the right one');
listens('now the right one');

# none, till none is asked for

$watch = reload($PLAIN);

refused('no password', 'NOAUTH', $watch, 0, quick => 1);
$t->redis('ACL', 'SETUSER', 'default', 'nopass');
connected('nopass');
listens('nopass');

# one that nobody asks for: Redis takes that for a mistake, and says so

$watch = reload("$PLAIN $FILE", $SECRET);
refused('not needed', 'ERR AUTH', $watch, 0, quick => 1);

$t->redis('ACL', 'SETUSER', 'default', 'resetpass', ">$SECRET");

# a user who does not exist, then without rights, then with the smallest set

$watch = reload("$USER $FILE", $SECRET);

refused('no such user', 'WRONGPASS', $watch, 0, quick => 1);

$watch = Test::Recovery::Watch->new($t);
$before = refusals('NOPERM');
$t->redis('ACL', 'SETUSER', 'rcv', 'on', ">$SECRET");
ok($t->wait_for(sub { refusals('NOPERM') > $before }, 'NOPERM', 20),
   'no rights: refused');
is(state(), 'denied', 'no rights: denied');
is(scalar $watch->said(qr/\[error\].*denied.*NOPERM/), 1,
   'no rights: another reason is said, once');

$t->redis('ACL', 'SETUSER', 'rcv', 'reset', 'on', ">$SECRET",
          '~recovery:*', '&recovery:*', split ' ', $RIGHTS);
connected('smallest rights');
listens('smallest rights');

my ($client) = grep { /user=rcv/ } split /\n/, $t->redis('CLIENT', 'LIST');

like($client // '', qr/user=rcv/, 'smallest rights: as that user');

# without the right to ask for the time an override still has its end

$t->redis('HSET', 'recovery:kv', 'force', 'closed', 'force_until', time + 3);
$t->redis('PUBLISH', 'recovery:changed', 'kv');
ok($t->wait_for(sub { $t->backend_status('kv')->{force} }), 'an override');
ok($t->wait_for(sub { !$t->backend_status('kv')->{force} }),
   'has its end');
is($t->status()->{redis}{bad_values}, 0, 'smallest rights: no bad values');

# rights that go away and come back while the link is up

$watch = Test::Recovery::Watch->new($t);
$t->redis('ACL', 'SETUSER', 'rcv', '-@hash');
refused('no more @hash', 'NOPERM', $watch, 0, quick => 1);
$t->redis('ACL', 'SETUSER', 'rcv', '+@hash');
connected('@hash again');
listens('@hash again');

# without the channel the poll goes on

$watch = Test::Recovery::Watch->new($t);
$t->redis('ACL', 'SETUSER', 'rcv', 'resetchannels');
ok($t->wait_for(sub { $watch->said(qr/\[error\].*NOPERM.*channel/) }, 'NOPERM',
                20), 'no channel: said');
ok($t->wait_for(sub { state() eq 'connected' }, 'connected', 30),
   'no channel: connected all the same');
$t->health('kv', 'recovering', publish => 0);
ok($t->wait_phase('kv', 'probing'), 'no channel: the poll finds it');
is(scalar(links($t, 6379)), 1, 'no channel: one connection');
wait_polls($t, 5);
is(scalar $watch->said(qr/\[error\].*NOPERM.*channel/), 1,
   'no channel: said once');

# switched off

$t->redis('ACL', 'SETUSER', 'rcv', '&recovery:*', 'off');
$t->redis('CLIENT', 'KILL', 'USER', 'rcv');
ok($t->wait_for(sub { state() eq 'denied' }, 'denied', 20), 'user is off');

# the password: nowhere

for my $uri ('/recovery/status', '/recovery/metrics', '/html') {
    my %target = $uri eq '/html' ? ()
                                 : (unix => $t->dir() . '/status.sock');
    my $r = $t->http_get($uri, %target);

    is($r->{status}, 200, "$uri");
    unlike($r->{body} . $r->{head}, qr/S3cr3t|Wr0ng/, "$uri: no password");
}

my $log = $t->read_file('error.log');

like($log, qr/\[debug\]/, 'the log is at level debug');
unlike($log, qr/S3cr3t|Wr0ng/, 'no password in it');
unlike($t->read_file('access.log') . $t->read_file('stderr.log'),
       qr/S3cr3t|Wr0ng/, 'nor in others');
unlike(join(' ', map { Test::Recovery::Process::proc_title($_) }
                 $t->processes()), qr/S3cr3t|Wr0ng/, 'nor in ps');
