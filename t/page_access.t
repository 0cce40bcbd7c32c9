#!/usr/bin/perl

# Goal: everybody can use the page: without JavaScript, on a narrow screen, in
# the dark, with the keyboard alone, with a screen reader, without motion.
# Method: Chromium set to each of these; axe-core looks at the tree that a
# screen reader gets, in light and dark, with orders and warnings shown.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Test::More;

use Test::Recovery;
use Test::Recovery::Browser qw(browser_or_skip);

browser_or_skip();

my $t = Test::Recovery->new()->plan(49);
my $json = JSON::PP->new->allow_nonref;

$t->backend(8081);
$t->redis_start();
$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=200ms;

    recovery_backend  kv  { capacity 60r/s; }
    recovery_backend  d1  { }
    recovery_backend  d2-with-a-rather-long-name-that-cannot-be-broken { }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

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


sub focused {
    return $page->eval('(document.activeElement.id || document.activeElement'
                       . '.textContent).slice(0, 40)');
}


# Tab until what is focused fits

sub tab_to {
    my ($re) = @_;

    for (1 .. 30) {
        $page->press('Tab');
        return 1 if focused() =~ $re;
    }

    return 0;
}


sub wide { $page->eval('document.scrollingElement.scrollWidth') }


# boxes that reach beyond the window and do not scroll themselves

sub outside {
    return $page->eval(<<'EOF2');
[...document.querySelectorAll('body *')].filter((e) =>
    e.getClientRects().length
    && e.getBoundingClientRect().right > innerWidth + 1
    && !e.closest('.wide, .plot, .unseen, #timeline')
).map((e) => e.outerHTML.slice(0, 80))
EOF2
}


# parts of red, green, blue of what a rule gives

sub shade {
    my ($property) = @_;

    my ($r, $g, $b) = $page->eval("getComputedStyle(document.body).$property")
                      =~ /(\d+)/g;

    return $r + $g + $b;
}


# without JavaScript: the same numbers, and anew by themselves

$t->redis('HSET', 'recovery:kv', 'by', 'ann', 'reason', 'a disk');
$t->health('kv', 'down');
ok($t->wait_phase('kv', 'down'), 'down');
$t->http_get('/') for 1 .. 7;

ok(!defined $page->open(url => $url, js => JSON::PP::false), 'no script');

my $tree = $page->call('tree');

like($tree, qr/heading "kv down" \[level=2\]/, 'no script: a backend');
like($tree, qr/row "Because a disk"/, 'no script: why');
like($tree, qr/row "normal 7 0 7 down 7 0 /, 'no script: shed by reason');
like($tree, qr/row "Redis connected"/, 'no script: Redis');
unlike($tree, qr/Classes, now/, 'no script: nothing of the live page');
ok($t->wait_for(sub {
    2 <= grep { $_ eq $url } @{$page->seen()->{requests}}
}, 'a second request', 30), 'no script: loads itself anew');
is_deeply([grep { /format=json/ } @{$page->seen()->{requests}}], [],
          'no script: no polling');

# a narrow screen

$page->call('size', width => 360, height => 640);
is(wide(), 360, '360 px, no script: no scrolling sideways');

my $load = $t->load(rate => 30, timeout => 60, uris => ['/']);

$t->redis('HSET', 'recovery:kv', 'force', '40%', 'force_until', time() + 600,
          'reason', 'x' x 60);
$t->redis('PUBLISH', 'recovery:changed', 'kv');

for my $width (320, 360, 768, 1920) {
    ok(live(width => $width, height => 640), "$width px: live");
    $page->wait("document.querySelector('#orders li')");
    is(wide(), $width, "$width px: no scrolling sideways");
    is_deeply(outside(), [], "$width px: nothing outside");
}

# light and dark, with what axe-core finds

my %paint;

for my $dark (JSON::PP::false, JSON::PP::true) {
    my $name = $dark ? 'dark' : 'light';

    live(dark => $dark, width => 360, height => 740);
    $page->wait("document.querySelector('#orders li')"
                . " && document.querySelector('#charts canvas')");

    is(shade('backgroundColor') < shade('color') ? 'dark' : 'light', $name,
       $name);
    $paint{$name} = $page->eval(
        "getComputedStyle(document.documentElement).getPropertyValue("
        . "'--demand')");

    my $axe = $page->call('axe');

    is_deeply($axe->{violations}, [], "$name: axe-core finds nothing");
    cmp_ok($axe->{passes}, '>', 25, "$name: and has looked");
    $page->call('shot', file => $t->root() . "/build/page-$name-360.png");
}

isnt($paint{light}, $paint{dark}, 'the curves have other colours');

$page->eval("document.body.setAttribute('data-mark', 'same')");
$page->call('media', colorScheme => 'light');
ok($page->wait('(() => { const c = getComputedStyle(document.body).'
               . "backgroundColor; return c === 'rgb(255, 255, 255)'; })()"),
   'the theme changes while it is open');
is($page->eval('document.body.dataset.mark'), 'same', 'without loading anew');

$page->eval('document.getElementById("sum").style.color = "#ccc"');
$page->eval('document.querySelector("header").append('
            . 'document.createElement("img"))');
cmp_ok(scalar @{$page->call('axe')->{violations}}, '>=', 2,
       'planted: axe-core finds them');

# the keyboard alone

live();
$page->press('Tab');
like(focused(), qr/^Skip to/, 'the first stop skips the list');
$page->press('Enter');
is(focused(), 'name', 'to the backend that is shown');
is($page->eval('location.hash'), '', 'and chooses nothing');

live();
ok(tab_to(qr/^d1 up/), 'Tab comes to another backend');
$page->press('Enter');
ok($page->wait("document.querySelector('#name .who').textContent === 'd1'"),
   'Enter shows it');
is($page->eval('location.hash'), '#backend=d1', 'the address has it');
is(focused(), 'name', 'the focus is where it is shown');
ok(tab_to(qr/: as a table$/), 'on to the table of a chart');
$page->press('Space');
ok($page->wait("document.querySelector('#charts details table')"),
   'which Space opens');
$page->call('back');
ok($page->wait("document.querySelector('#name .who').textContent === 'kv'"),
   'back: the one before');

# what a screen reader has

$tree = $page->call('tree');
like($tree, qr/banner:.*navigation "Backends":.*main:/s, 'landmarks');
like($tree, qr/img "Demand, allowed, delivered, per second, the last .*: demand \d/,
     'a chart in words');
like($tree, qr/table "Requests per second by class/, 'a table with a name');
is($page->eval("document.querySelectorAll('[role=status]').length"), 1,
   'a place for what is told');

# without motion: the curves stand still for five seconds, numbers do not

my $canvas = "document.querySelector('canvas').toDataURL()";
my $same;

for (1 .. 3) {
    live(calm => JSON::PP::true);

    my $start = time();
    my $curve = $page->eval($canvas);

    $page->wait('performance.getEntriesByType("resource").length >= 3');
    $same = $page->eval($canvas) eq $curve;
    last if time() - $start < 4;
}

ok($same, 'no motion: the curves stand still');
ok($page->wait("$canvas !== " . $json->encode($page->eval($canvas))),
   'no motion: and come after five seconds');
is($page->eval("getComputedStyle(document.querySelector('#timeline li'))"
               . '.transitionDuration'), '0s', 'no motion: no transition');

$load->stop();
