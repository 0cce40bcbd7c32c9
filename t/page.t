#!/usr/bin/perl

# Goal: the live page tells in a real browser what the JSON tells, through an
# outage and a ramp, asks its own address and nobody else, and runs nothing
# that anybody has put into a text.
# Method: Chromium, with its console and its requests looked at; the last JSON
# that it got against what it shows, and that against the tables of the
# server; then an answer full of markup, and attempts to break the policy.

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
my $json = JSON::PP->new->allow_nonref;      # of characters, not of bytes

$t->backend(8081);
$t->redis_start();
$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis  redis://127.0.0.1:%%PORT_6379%% poll=200ms;

    recovery_policy p {
        ramp   from=5% over=5s verify=1s;
        class  critical;
        class  normal  default;
        class  low;
        match  critical $uri ~ ^/c;
        match  low      $uri ~ ^/l;
    }

    # a word that every JavaScript object knows

    recovery_backend  kv           { policy p; capacity 60r/s; }
    recovery_backend  constructor  { }

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


# texts of pairs of cells, of a figure or of a row, by the first of them

sub pairs {
    my ($selector) = @_;

    my $list = $page->eval('[...document.querySelectorAll('
                           . $json->encode($selector) . ')].map((e) => '
                           . '[...e.children].map((c) => c.textContent))');

    return { map { $_->[0] => $_->[1] } @$list };
}


sub rows {
    my ($id) = @_;

    return $page->eval("[...document.querySelectorAll('#$id tbody tr')].map("
                       . '(r) => [...r.cells].map((c) => c.textContent))');
}


# the page hears no more: what it shows is the last JSON that it has

sub freeze {
    $page->call('lie', abort => JSON::PP::true);
    $page->wait("document.getElementById('lost-said').textContent");

    return $json->decode($page->seen()->{last});
}


sub thaw {
    $page->call('lie', none => JSON::PP::true);
    $page->eval("dispatchEvent(new Event('online'))");

    return $page->wait(
        "!document.getElementById('lost-said').textContent");
}


sub number {
    my ($n) = @_;

    return sprintf('%.1f', $n) =~ s/\.0$//r;
}


# loading

$t->http_get('/') for 1 .. 3;
$t->http_get('/l') for 1 .. 2;

my $r = $t->http_get('/recovery/?format=json');
like($r->{headers}{'content-type'}, qr{^application/json}, 'JSON when asked');
is($json->decode($r->{body})->{schema}, 1, 'JSON: of the status');

$page->open(url => $url);

ok($page->wait("!document.getElementById('live').hidden"), 'it goes live');
is($page->eval("document.getElementById('plain')"), undef,
   'the tables have gone');
is($page->text('html > head > title'),
   '2 up - Recovery', 'the title has the sum');
is_deeply($page->eval("[...document.querySelectorAll('#overview .who')]"
                      . '.map((e) => e.textContent)'),
          ['kv', 'constructor'], 'both backends, in order');

# the same as the tables of the server, but for what is older by then; some
# may move between the two

my (%server, $live);

$t->wait_for(sub {
    my ($kv) = $t->http_get('/recovery/')->{body}
               =~ m{<h2>kv .*?(<table.*?</table>)}s;

    %server = $kv =~ m{<th scope="row">([^<]+)</th><td>([^<]*)</td>}g;
    s/&ndash;/\x{2013}/ for values %server;
    $live = pairs('#numbers tr');

    $server{$_} = $live->{$_}
        for 'Health age', 'In this phase for', 'Delivered', 'Errors',
            'Latency, median', 'Latency, 90 %';

    return !grep { $live->{$_} ne $server{$_} } keys %server;
}, 'equal numbers');

is_deeply($live, \%server, 'all rows of the server, as it shows them');

# an outage

my $load = $t->load(rate => 80, timeout => 60, uris => ['/c', '/', '/l', '/']);

$page->wait("!document.getElementById('figures').textContent"
            . '.includes("Demand0 /s")');
$t->redis('HSET', 'recovery:kv', 'by', 'ann', 'reason',
          '<img src=x onerror=alert(1)>');
$t->health('kv', 'down');

ok($page->wait("document.querySelector('#name b').textContent === 'down'"),
   'the page says down');
ok($page->wait("document.getElementById('said').textContent"
               . ".startsWith('kv: down')"), 'and tells who listens');
ok($page->wait("/Shed[1-9][\\d.]* .s, 100 %/.test("
               . "document.getElementById('figures').textContent)"),
   'all is shed');

my $s = freeze();
my $b = $s->{backends}{kv};
my $figures = pairs('#figures > div');

is($figures->{Level}, number(100 * $b->{level}) . ' %', 'level');
is($figures->{Allowed}, number($b->{allowed_per_s}) . ' /s', 'allowed');
is($figures->{Delivered}, number($b->{delivered_per_s}) . ' /s', 'delivered');
like($figures->{Health},
     qr/^down, said by redis by ann: <img src=x onerror=alert\(1\)>, heard/,
     'whose word, as text');

my @reasons = @{$page->eval("[...document.querySelectorAll("
                            . "'#reasons thead th')].map("
                            . '(e) => e.textContent)')};

for my $class (@{$b->{classes}}) {
    my ($row) = grep { $_->[0] eq $class->{name} } @{rows('reasons')};
    my %cell;

    @cell{@reasons} = @$row;
    is(delete $cell{all}, $class->{shed}, "$class->{name}: shed");
    delete $cell{Class};
    delete @cell{grep { $cell{$_} eq '0' } keys %cell};
    is_deeply(\%cell, $class->{shed_by_reason}, "$class->{name}: by reason");
}

is_deeply([map { "$_->[1] $_->[2] $_->[3]" } @{rows('events')}],
          [map { "$_->{from} $_->{to} $_->{why}" } reverse @{$b->{events}}],
          'events, the newest first');
like($page->text('#node'), qr/^\Q$s->{instance}\E, .*Redis: connected/,
     'node and Redis');
ok(thaw(), 'it hears again');

# the ramp: phases and level move, and the curves with them

my $canvas = "document.querySelector('#charts canvas').toDataURL()";
my $before = $page->eval($canvas);
my (@phases, @levels);

$t->health('kv', 'up');

ok($page->wait("(() => { const p = document.querySelector('#name b')"
               . ".textContent; return p === 'ramping' || p === 'verifying';"
               . ' })()', 30), 'ramping');

$t->wait_for(sub {
    my ($phase, $level) = @{$page->eval(
        "['#name b', '#figures dd'].map((s) => "
        . 'document.querySelector(s).textContent)')};

    push @phases, $phase if $phase ne ($phases[-1] // '');
    push @levels, $level if $phase eq 'ramping'
                            && $level ne ($levels[-1] // '');
    return $phase =~ /^(?:verifying|up)$/;
}, 'the end of the ramp', 40);

cmp_ok(scalar @levels, '>=', 2, 'the level moved') or diag("@levels");
cmp_ok($levels[-1] =~ s/ %//r, '>', $levels[0] =~ s/ %//r, 'it rose');
like($phases[-1], qr/^(?:verifying|up)$/, 'full service');
isnt($page->eval($canvas), $before, 'the curves moved');
like($page->text('#timeline'), qr/down for .*ramping for /s,
     'the phases one after the other');

# what is under the cursor stays in the legend, the first sample has no rate

my $demand = "document.querySelector('#charts .legend b').textContent";

like($page->eval($demand), qr{^[\d.]+ /s$}, 'the legend: the last number');
$page->call('hover', on => '#charts .u-over', x => 1, y => 50);
ok($page->wait("$demand === '\x{2013}'"), 'under the cursor: what was there');

my $asked = @{$page->seen()->{requests}};

$t->wait_for(sub { @{$page->seen()->{requests}} >= $asked + 2 });
is($page->eval($demand), "\x{2013}", 'and stays');
$page->call('hover', on => 'h1', x => 1, y => 1);
ok($page->wait("$demand !== '\x{2013}'"), 'away: the last number again');

mkdir $t->root() . '/build';
$page->call('shot', file => $t->root() . '/build/page.png');
cmp_ok(-s $t->root() . '/build/page.png', '>', 20000,
       'build/page.png is a picture of it');

$load->stop();

# an order, with its owner and its end

$t->redis('HSET', 'recovery:kv', 'force', '40%', 'force_until', time() + 300,
          'by', '</script><script>alert(1)</script>');
$t->redis('PUBLISH', 'recovery:changed', 'kv');
ok($page->wait("document.querySelector('#orders li')"),
   'a force has a banner');

my $order = $page->text('#orders');

like($order, qr/^Forced to 40 % for another [45] min \d+ s, ordered in Redis/,
     'what and how long');
like($order, qr{by </script><script>alert\(1\)</script>: }, 'by whom, as text');
ok($page->wait('document.querySelector("#orders").textContent !== '
               . $json->encode($order)), 'it counts down');

my $seen = $page->seen();

is_deeply([grep { !/ERR_FAILED/ } @{$seen->{problems}}], [],
          'nothing in the console, but for the answer that we held up');
is_deeply([grep { $_ ne $url && $_ ne "$url?format=json" }
           @{$seen->{requests}}], [], 'no request to anywhere else');

# an answer that is full of markup, also where nginx would not let it be

my $evil = '"><img src=x onerror="window.hit = 1"><script>window.hit = 1'
           . '</script>';
my $nasty = $json->encode({ %$s, instance => $evil, backends => {
    $evil => { %$b, why => $evil, phase => $evil,
               force => { force => $evil, by => $evil, reason => $evil },
               classes => [map { { %$_, name => $evil } }
                           $b->{classes}[0]],
               events => [{ %{$b->{events}[0]}, why => $evil }] },
    __proto__ => $b, 'a b#c%' => $b } });

$page->open(url => $url, lie => { body => $nasty });
ok($page->wait("!document.getElementById('live').hidden"), 'markup: live');
$page->eval('location.hash = "#backend=" + encodeURIComponent('
            . $json->encode($evil) . ')');
ok($page->wait("document.querySelector('#name .who').textContent === "
               . $json->encode($evil)), 'markup: chosen by its name');
is($page->eval('document.querySelectorAll("img, script:not([id])").length'),
   1, 'markup: no element of it');
is($page->eval('window.hit ?? null'), undef, 'markup: nothing of it runs');
is_deeply($page->seen()->{problems}, [], 'markup: nothing to stop');

# and if there were: controls of the policy

$page->open(url => $url);
$page->wait("!document.getElementById('live').hidden");
$page->eval(<<'EOF2');
(() => {
    const script = document.createElement('script');
    script.append('window.hit = 1');
    document.body.append(script);
    try { document.body.innerHTML = '<p>x'; } catch (e) { window.typed = 1; }
    fetch('http://127.0.0.1:1/').catch(() => { window.fetched = 1; });
})()
EOF2
ok($page->wait('window.fetched'), 'policy: no fetch from elsewhere');
is($page->eval('window.hit ?? null'), undef, 'policy: no other script');
is($page->eval('window.typed'), 1, 'policy: no markup from a text');
cmp_ok(scalar(grep { /Content Security Policy/ } @{$page->seen()->{problems}}),
       '>=', 2, 'policy: the console tells, and is heard');
