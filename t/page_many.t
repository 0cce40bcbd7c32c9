#!/usr/bin/perl

# Goal: with a thousand backends the page still leads to the one that matters,
# keeps the one that was chosen, and asks the more seldom the longer the
# answers are.
# Method: a thousand backends, one of them put down by an order; then a few,
# by answers in the place of nginx, because the page asks more often for them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;
use Test::Recovery::Browser qw(browser_or_skip);

browser_or_skip();

my $N = 1000;
my $t = Test::Recovery->new()->plan(39);
my $json = JSON::PP->new->allow_nonref;
my $backends = join "\n", map { "recovery_backend store-$_ { }" } 1 .. $N;

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    $backends

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location = /recovery/ { recovery_status html; }
        location = /control   { recovery_control; }
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


sub shown { $page->text('#name .who') }
sub names {
    my ($id) = @_;

    return $page->eval("[...document.querySelectorAll('#$id .who')]"
                       . '.map((e) => e.textContent)');
}


sub shows {
    my ($name, $label) = @_;

    ok($page->wait("document.querySelector('#name .who').textContent === "
                   . "'$name'", 30), $label)
        or diag(shown());
}


# a thousand

my $r = $t->http_get('/control', method => 'POST',
    headers => { 'X-Recovery-Control' => 1,
                 'Content-Type' => 'application/json' },
    body => $json->encode({ backend => 'store-777', action => 'health',
                            value => 'down', for => '10m', by => 'ann',
                            reason => 'disk swap' }));

is($r->{status}, 200, 'one is put down');
ok($t->wait_phase('store-777', 'down'), 'it is down');

ok(live(), 'live');
is($page->text('#sum'), '1 down, 999 up', 'the sum');
is_deeply(names('troubled'), ['store-777'], 'the one in trouble stands first');
is(scalar @{names('quiet')}, $N - 1, 'the others are there');
is($page->eval("document.getElementById('quiet-box').open"), JSON::PP::false,
   'folded away');
is(shown(), 'store-777', 'the one in trouble is shown');
like($page->text('#orders'),
     qr/^Ordered at this nginx: health down for another 9 min \d+ s by ann: /,
     'and whose order it is');
is($page->eval("document.querySelectorAll('.uplot').length"), 4,
   'curves of one backend, not of all');

$page->eval("location.hash = '#backend=store-5'");
shows('store-5', 'another one is chosen');
cmp_ok($page->eval("Math.round(document.querySelectorAll('*').length / $N)"),
       '<=', 10, 'elements for each');

# 1.2 MB: six seconds or so from answer to question

my $bytes = length $t->http_get('/recovery/?format=json')->{body};

cmp_ok($bytes, '>', 1_000_000, 'an answer of more than a megabyte');
ok($page->wait("performance.getEntriesByType('resource').length >= 2", 40),
   'it asks a second time');
cmp_ok($page->eval("(([a, b]) => b.startTime - a.responseEnd)"
                   . "(performance.getEntriesByType('resource'))"),
       '>=', $bytes / 200 * 0.9, 'after a while that fits the answer');
is(shown(), 'store-5', 'and stays with the one that was chosen');

# thirty

my $status = $json->decode($t->http_get('/recovery/?format=json')->{body});
my $b = $status->{backends};

sub answer {
    my ($clock, $n, %change) = @_;

    my $text = $json->encode({ %$status,
        now => sprintf('2026-01-01T00:00:%02d.000Z', $clock),
        uptime_s => 1000 + $clock, backends => undef });
    my $list = join ',', map {
        $json->encode("store-$_") . ':'
        . $json->encode({ %{$b->{"store-$_"}}, %{$change{$_} // {}} })
    } 1 .. $n;

    return { body => $text =~ s/"backends":null/"backends":{$list}/r };
}


# asks at once, and not after its second

sub hear {
    my ($lie) = @_;

    $page->call('lie', %$lie);
    $page->eval("dispatchEvent(new Event('online'))");
}


live(lie => answer(1, 30,
    9 => { phase => 'ramping', level => 0.25, eta_s => 40 },
    4 => { phase => 'down' }, 7 => { phase => 'verifying' },
    2 => { signal_lost => JSON::PP::true }));
is_deeply(names('troubled'), [map { "store-$_" } 4, 9, 2, 7],
          'in the order of their trouble');
like($page->text('#troubled li:nth-child(2)'),
     qr/^store-9 ramping 25 %, full service in 40 s$/, 'what it is like');
is(shown(), 'store-4', 'the worst is shown');
like($page->text('#followed'), qr/^The one in most trouble/, 'and says so');

hear(answer(2, 30, 12 => { phase => 'down' }));
shows('store-12', 'and the next worst, when it has gone');

# a link that has the focus keeps it when its row moves

$page->eval("document.getElementById('quiet-box').open = true");
$page->eval("[...document.querySelectorAll('#quiet a')].find((a) => "
            . "a.textContent.startsWith('store-20 ')).focus()");
hear(answer(3, 30, 20 => { phase => 'down' }));
ok($page->wait("document.querySelector('#troubled .who')?.textContent"
               . " === 'store-20'"), 'one goes down while it has the focus');
like($page->eval('document.activeElement.textContent'), qr/^store-20 down/,
     'and still has it');

# what a screen reader is told of many

hear(answer(4, 30, map { $_ => { phase => 'down' } } 1 .. 10));
ok($page->wait("document.getElementById('said').textContent"
               . ".startsWith('11 changes: 10 down, 20 up')"),
   'many changes are told as a number');

# a name that is not there

$page->eval("location.hash = '#backend=' + encodeURIComponent('<b>')");
ok($page->wait("document.getElementById('followed').textContent"
               . ".startsWith('There is no \"<b>\" here')"),
   'a name that is not there');
$page->eval("location.hash = '#backend=%E0%A4%A'");
shows('store-1', 'nor is one that is no text');

# orders of every kind, each with its owner and its end

my %left = (force => undef, force_level => undef, force_until_s => undef,
            health => undef, health_level => undef, health_until_s => undef,
            class => undef, class_until_s => undef);
my %by = (level => undef, until_s => undef, by => undef, reason => undef,
          source => 'redis');
my $clock = 5;

for my $row (
    [{ force => { %by, force => 'open', by => 'ann', reason => 'a drill' } },
     '^Forced open without an end, ordered in Redis by ann: a drill$'],
    [{ force => { %by, force => 'closed', until_s => 600 } },
     '^Forced closed for another (10 min 0 s|9 min 5\\d s), '
     . 'ordered in Redis$'],
    [{ force => { %by, force => 'hold', until_s => 50, source => 'local',
                  by => 'bob' },
       override => { %left, force => 'hold', force_until_s => 50 } },
     '^The ramp is held for another (50|4\\d) s, ordered at this nginx by '
     . 'bob$'],
    [{ override => { %left, force => 'none', force_until_s => 90 } },
     '^Ordered at this nginx: no force counts for another 1 min \\d+ s$'],
    [{ override => { %left, class => 'high', class_until_s => 40 } },
     '^Ordered at this nginx: classes up to high are let in for another '
     . '\\d+ s$'],
    [{ promote => 'normal' },
     '^Classes up to normal are let in, ordered in Redis$'],
    [{ force => { %by, force => 'level', level => 0.125, until_s => 0 } },
     '^Forced to 12.5 % until just now, ordered in Redis$'],
) {
    my ($change, $re) = @$row;

    hear(answer($clock++, 1, 1 => $change));
    ok($page->wait("/$re/.test(document.getElementById('orders')"
                   . '.textContent)'), $re) or diag($page->text('#orders'));
}

hear(answer($clock++, 1, 1 => {
    signal_lost => JSON::PP::true, signal_mode => 'shed',
    health_damped => JSON::PP::true }));
ok($page->wait("document.getElementById('warnings').children.length === 2"),
   'warnings');
like($page->text('#warnings'),
     qr/^The signal is lost: everything is shed\.Health flaps: /,
     'in words');
is($page->eval("document.getElementById('orders').hidden"), JSON::PP::true,
   'no orders: no empty list');

# none at all

hear(answer($clock, 0));
ok($page->wait("document.getElementById('sum').textContent"
               . " === 'no backend is configured'"), 'none at all');
like($page->text('#this'), qr/Redis/, 'none: the nginx is shown');
is_deeply($page->seen()->{problems}, [], 'nothing in the console');
