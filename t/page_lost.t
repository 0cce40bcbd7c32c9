#!/usr/bin/perl

# Goal: a page that hears nothing says so, since when, and why; it keeps what
# it had, begins again by itself, and is no burden: one request at a time,
# fewer while nobody answers, none while nobody looks.
# Method: nginx stopped and started behind an open page; answers that hang,
# refuse, are no JSON, of another version, of another nginx.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Recovery;
use Test::Recovery::Browser qw(browser_or_skip);

browser_or_skip();

my $t = Test::Recovery->new()->plan(33);
my $json = JSON::PP->new->allow_nonref;

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_backend  kv { capacity 60r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location = /recovery/ { recovery_status html; }
    }
}

EOF2

$t->run();

my $url = 'http://127.0.0.1:' . $t->port(8080) . '/recovery/';
my $page = Test::Recovery::Browser->new($t->dir() . '/browser.log');


sub live {
    my (%o) = @_;

    $page->open(url => $url, %o);

    return $page->wait("!document.getElementById('live').hidden");
}


sub lost { $page->text('#lost-said') }
sub heard { $page->wait("!document.getElementById('lost-said').textContent",
                        40) }
sub polls { scalar grep { /format=json/ } @{$page->seen()->{requests}} }


sub says {
    my ($re, $name, $deadline_s) = @_;

    ok($page->wait("/$re/.test(document.getElementById('lost-said')"
                   . '.textContent)', $deadline_s // 20), $name)
        or diag(lost());
}


# nginx is stopped

ok(live(), 'live');
is(lost(), '', 'nothing to complain of');

my $figures = $page->text('#figures');
my $before = polls();

$t->stop();
says('^No answer from this nginx since \\d\\d:\\d\\d:\\d\\dZ '
     . '\\(it cannot be reached\\)', 'stopped: it says so, and since when');
is($page->text('#figures'), $figures, 'stopped: the numbers are still there');
like($page->text('head > title'), qr/^\(no answer\) 1 up/,
     'stopped: so does the title');
is($page->eval("document.querySelector('#lost [role=alert]').id"),
   'lost-said', 'stopped: a screen reader is told');

my $age = $page->text('#lost-age');

like($age, qr/^That is \d+ s ago\.$/, 'stopped: how old the numbers are');
ok($page->wait("document.getElementById('lost-age').textContent !== '$age'"),
   'stopped: they grow older');

# after 2 s, then 4, then 8

my $start = time();
$before = polls();
$page->wait("parseInt(document.getElementById('lost-age').textContent"
            . ".slice(8)) >= 6", 30);
cmp_ok(polls() - $before, '<=', 2 + (time() - $start) / 8,
       'stopped: asked more and more seldom');

# started again, all counters anew

$t->run();
$page->eval("dispatchEvent(new Event('online'))");
says('^This nginx was started anew', 'started: it says that curves begin');
is($page->text('#lost-age'), '', 'started: nothing is old');
unlike($page->text('head > title'), qr/no answer/, 'started: nor the title');
is(scalar(grep { !/ERR_CONNECTION_REFUSED/ } @{$page->seen()->{problems}}), 0,
   'no problem in the console but what the browser says of refusals');

# answers that are none

my $good = $t->http_get('/recovery/?format=json')->{body};

live();
$page->call('lie', status => 403);
says('\\(it answers 403\\)', 'refused: it says so');
$page->call('lie', body => '<p>log in');
$page->eval("dispatchEvent(new Event('online'))");
says('\\(its answer is no JSON\\)', 'no JSON: it says so');
$page->call('lie', body => $good =~ s/"schema": 1/"schema": 2/r);
$page->eval("dispatchEvent(new Event('online'))");
says('another version: load this page anew', 'another version: it says so');
$page->call('lie', none => JSON::PP::true);
$page->eval("dispatchEvent(new Event('online'))");
ok(heard(), 'and hears again');

# several nginx behind one address

my $other = $json->decode($good);

$other->{instance} = 'other.example';
$page->call('lie', body => $json->encode($other));
says('another one answers here \\(before: ', 'another nginx: it says so');
like($page->text('#node'), qr/^other\.example, /, 'and which one it is');
is_deeply($page->eval("[...document.querySelectorAll('#figures dd')].slice("
                      . '2, 3).map((e) => e.textContent)'), ["\x{2013}"],
          'and makes no rate of counters of two');

# one that hangs: one request, however long

# (the page's patience is shortened here)

live();
$page->eval('AbortSignal.timeout = ((wait) => (ms) => { window.patience = ms;'
            . ' return wait.call(AbortSignal, ms / 3); })'
            . '(AbortSignal.timeout)');
$page->call('lie', hang => JSON::PP::true);
$before = polls();
ok($t->wait_for(sub { polls() > $before }), 'hangs: asked');
$page->eval("dispatchEvent(new Event('online'))") for 1 .. 5;
sleep(1);
is(polls(), $before + 1, 'hangs: no second request beside it');
is($page->eval('window.patience'), 10000, 'hangs: it waits ten seconds');
says('\\(it does not answer in time\\)', 'hangs: then it says so', 40);
$page->call('lie', none => JSON::PP::true);
$page->eval("dispatchEvent(new Event('online'))");
ok(heard(), 'hangs: and hears again');

# nobody looks

$page->eval("Object.defineProperty(document, 'hidden', { get: () => true,"
            . ' configurable: true })');
$page->eval("document.dispatchEvent(new Event('visibilitychange'))");
sleep(1);
$before = polls();
sleep(2);
is(polls(), $before, 'hidden: no request');
$page->eval('delete document.hidden');
$page->eval("document.dispatchEvent(new Event('visibilitychange'))");
ok($t->wait_for(sub { polls() > $before }), 'shown: asks again');
ok($t->wait_for(sub { polls() > $before + 2 }), 'shown: and again');

# nothing to hear from the beginning on: the tables stay

$page->open(url => $url, lie => { abort => JSON::PP::true });
says('^The live page cannot begin \\(it cannot be reached\\)',
     'never: it says so');
like($page->call('tree'), qr/heading "kv up" \[level=2\]/,
     'never: the tables are there');
$page->call('lie', none => JSON::PP::true);
ok($page->wait("!document.getElementById('live').hidden", 30),
   'never: until it can');

my $most = $page->seen()->{most};

cmp_ok($most, '<=', 1, 'one request at a time, always');
like($page->text('#name'), qr/^kv up/, 'and shows the backend');
