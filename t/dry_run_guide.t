#!/usr/bin/perl

# Goal: docs/dry-run.md can be followed: from an nginx without the module to
# one that enforces, and back.  Nobody is turned away before the step that says
# so; what the commands are said to show, they show; and the example of a
# replay is what a replay says.
# Method: its configurations and commands as they stand, in its order, on a
# running nginx with steady traffic.  Yesterday's log is written here.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(strftime);
use Test::More;

use Test::Recovery;
use Test::Recovery::Commands;
use Test::Recovery::Markdown;
use Test::Recovery::Sim;

my $t = Test::Recovery->new();
my $file = 'docs/dry-run.md';
my $text = do {
    open my $fh, '<', $t->root() . "/$file" or die "$file: $!\n";
    local $/;
    <$fh>;
};


# The first configuration of the guide, with what it takes for granted.

my ($first, $location) = map { $_->{text} } blocks($file, $text, 'nginx');
my $upstream = 'upstream shop { server 127.0.0.1:%%PORT_8081%%; }';

sub configuration {
    my ($conf) = @_;

    $conf =~ s/^load_module .*\n//;
    $conf =~ s/:6379/:%%PORT_6379%%/;
    $conf =~ s{/var/log/nginx/}{%%TESTDIR%%/}g;
    $conf =~ s/server \{/server {\n        listen 127.0.0.1:%%PORT_8080%%;/;
    $conf =~ s/http \{\n/http {\n    %%TEST_GLOBALS_HTTP%%\n    $upstream\n/;

    $t->write_file_expand('nginx.conf', "%%TEST_GLOBALS%%\nevents { }\n$conf");
}


# as it is before: without the module

sub before {
    my $main = $t->expand('%%TEST_GLOBALS%%') =~ s/load_module .*\n//r;

    $t->write_file_expand('nginx.conf', <<"EOF2");
$main
events { }
http {
    access_log %%TESTDIR%%/access.log;
    $upstream
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location /shop/ { proxy_pass http://shop; }
    }
}
EOF2
}


# forty a second for twenty minutes around two o'clock, of yesterday

sub yesterday {
    my $begin = 1795442400 - 600;       # 2026-11-23 14:00:00 UTC
    my @uris = qw(/shop/login /shop/item/1 /shop/item/2 /shop/cart
                  /shop/item/1?a=b /shop/item/3 /shop/pay /shop/item/2
                  /shop/report/day /shop/search?q=x);

    return join '', map {
        my $at = $begin + $_ / 40 + 0.05;

        sprintf '192.0.2.%d - - [%s] "GET %s HTTP/1.1" 200 99 "-" "curl" '
                . "0.050 0.050 msec=%.3f outcome=passed class=x reason=none\n",
                $_ % 250, strftime('%d/%b/%Y:%H:%M:%S +0000', gmtime $at),
                $uris[$_ % @uris], $at;
    } 0 .. 40 * 1200 - 1;
}


my $b = $t->backend(8081);

$t->redis_start();
$t->write_file('replay.log.1', yesterday());

my $c = Test::Recovery::Commands->new(
    $t, curl => '--connect-to 127.0.0.1:80:127.0.0.1:%%PORT_8080%%',
    nginx => '-p %%TESTDIR%%/ -c %%TESTDIR%%/nginx.conf'
             . ' -e %%TESTDIR%%/error.log',
    recoveryctl => '', 'recovery-sim' => '');

$c->places('/etc/nginx/' => '%%TESTDIR%%/', '/var/log/nginx/' => '%%TESTDIR%%/');

$ENV{USER} = 'jo';
$ENV{RECOVERY_REDIS} = $t->expand('redis://127.0.0.1:%%PORT_6379%%');

my $load;


sub phase { return $t->wait_phase('kv', $_[0], 30) }


# What the clients have got since it was last asked.

sub got {
    my ($want) = @_;

    my %n;

    $n{"$_->{uri} $_->{status}"}++ for @{$load->take()};

    my @not = grep { !/ 200$/ } keys %n;

    diag(join ', ', map { "$_: $n{$_}" } sort keys %n)
        if $want ? !@not : @not;

    return $want ? scalar @not : !@not;
}


sub counted {
    my ($name, %labels) = @_;
    return $t->metrics()->sum("nginx_recovery_$name", backend => 'kv', %labels);
}


sub reloaded {
    my %old = map { $_ => 1 } @_;

    return $t->wait_for(sub {
        my @now = $t->workers();
        @now && !grep { $old{$_} } @now;
    });
}


# the replay of the text: what is shown, is said

sub shown {
    my ($said) = @_;

    my ($block) = map { $_->{text} } blocks($file, $text, 'text');

    return !grep { index($said, $_) < 0 } split /\n/, $block;
}


my (@old, $shed);
my $loads = sub { @old = $t->workers() };

my @steps = (

    # 1
    [qr/\Anginx -t/, sub {
        reloaded(@old)
        && $t->wait_for(sub { counted('requests_total') > 100 });
    }, before => sub { $loads->(); configuration($first) }],

    [qr/requests_total\|phase/, sub {
        my ($said) = @_;

        !grep { $said !~ /class="$_",outcome="passed"\} \d/ }
              qw(critical normal low)
        or return 0;
        $said !~ /outcome="shed/ && $said =~ /phase="up"\} 1/
        && $said =~ /reference_requests_per_second\S+ \d/ && got();
    }, before => sub {
        $t->wait_for(sub {
            defined $t->backend_status('kv')->{reference_per_s};
        });
    }],

    [qr/\Ased .*uniq/s, sub {
        $_[0] =~ m{^ *\d+ critical /shop/login$}m
        && $_[0] =~ m{^ *\d+ normal /shop/item/1$}m
        && $_[0] =~ m{^ *\d+ low /shop/report/day$}m
        && $_[0] !~ m{critical /shop/item};
    }],

    [qr/down kv.*dry run/, sub {
        phase('down')
        && $t->wait_for(sub { counted('shed_dry_run_total') > 60 }) && got();
    }],

    [qr/shed_dry_run/, sub {
        $_[0] =~ /shed_dry_run_total\{backend="kv",reason="down"\} [1-9]/
        && $_[0] =~ /class="critical",outcome="shed_dry_run"\} [1-9]/
        && $_[0] =~ /class="low",outcome="shed_dry_run"\} [1-9]/;
    }],

    [qr/\Agrep -o/, sub {
        $_[0] =~ /^ *\d+ outcome=shed_dry_run class=critical reason=down$/m
        && $_[0] =~ /^ *\d+ outcome=shed_dry_run class=normal reason=down$/m;
    }],

    [qr/recover kv.*dry run/, sub { phase(qr/probing|ramping/) && got() }],

    # 2
    [qr/14:00\.\.\+5m\n\z/, sub {
        shown($_[0]) && $_[0] =~ /^critical +9600 /m
        && $_[0] =~ /nothing shed any more +14:05:/;
    }],
    [qr/--law none/, sub { $_[0] =~ /law none/ }],
    [qr/replay\.log\.1\n\z/, sub { $_[0] =~ /nothing would have been shed/ }],

    # 3
    [qr/\Anginx -t/, sub { reloaded(@old) && got() }, before => sub {
        phase(qr/verifying|up/);
        $loads->();
        configuration($first =~ s/(?= +location = )/$location/r);
    }],

    [qr/force closed kv/, sub {
        $t->wait_for(sub { counted('shed_total') > 3 });
    }],
    [qr/report\.html/, sub { $_[0] eq "503\n200\n" }],
    [qr/shed_total/, sub {
        $_[0] =~ /shed_total\{backend="kv",class="low",reason="forced"\} \d/;
    }],
    [qr/clear kv/, sub {
        my ($only) = grep { !/report/ }
                     map { $_->{uri} } grep { $_->{status} != 200 }
                     @{$load->take()};

        !$only && counted('shed_total', class => 'normal') == 0
        && !defined $t->backend_status('kv')->{force}
        && phase(qr/probing|ramping|verifying/);
    }],

    # 4
    [qr/\Ased .*off;/, sub {
        reloaded(@old) && $t->read_file('nginx.conf') !~ /dry_run +on/
        && counted('requests_total', outcome => 'passed') > 100;
    }, before => $loads],
    [qr/down kv/, sub {
        phase('down') && $t->http_get('/shop/item/1')->{status} == 503
        && $t->wait_for(sub {
            $t->class_status('kv', 'critical')->{shed} > 3;
        });
    }],
    [qr/recover kv/, sub {
        phase(qr/ramping|verifying/)
        && $t->wait_for(sub {
            $t->http_get('/shop/login')->{status} == 200;
        }, 'the first ones to be served', 30);
    }],

    # 5
    [qr/force open/, sub {
        $load->take();
        $t->wait_for(sub { $t->http_get('/shop/item/1')->{status} == 200 })
        && ($t->backend_status('kv')->{force}{force} // '') eq 'open';
    }],
    [qr/\Ased .*on;/, sub {
        reloaded(@old) && $t->read_file('nginx.conf') !~ /dry_run +off/
        && !defined $t->backend_status('kv')->{force}
        && $t->health('kv', 'down') && phase('down')
        && $load->take() && $t->wait_for(sub {
            counted('shed_dry_run_total', reason => 'down') > $shed + 60;
        }) && got();
    }, before => sub {
        $loads->();
        $shed = counted('shed_dry_run_total', reason => 'down');
    }],
);

$t->plan($c->tests(@steps) + 4);

before();
$t->run();

$load = $t->load(rate => 40, timeout => 30, uris => [
    qw(/shop/login /shop/item/1 /shop/item/2 /shop/cart /shop/report/day
       /shop/pay /shop/item/3 /shop/search)]);

ok($t->wait_for(sub { $b->count() > 20 }), 'traffic, without the module');

$c->follow('docs/dry-run.md', @steps);

cmp_ok($b->count(), '>', 300, 'the backend was there all the time');
cmp_ok($load->peek()->{sent}, '>', 300, 'and so were its users');
$load->stop();
ok(shown(join "\n", map { $_->{text} } blocks($file, $text, 'text'))
   && !shown('nothing'), 'planted: another example of a replay');
