#!/usr/bin/perl

# Goal: README.md, that of the demo and the reference can be followed: their
# commands do what the text says.
# Method: each block of commands goes to a shell as it stands, programs being
# led to the nginx, the Redis and the store of the test; README.md has the
# configuration as well.  Who runs the other documents is in t/docs_blocks.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP qw(decode_json);
use Test::More;

use Test::Recovery;
use Test::Recovery::Commands qw(@NOT_RUN);
use Test::Recovery::Markdown;
use Test::Recovery::Process qw(spawn reap);

my $t = Test::Recovery->new();
my $root = $t->root();


sub slurp {
    my ($name) = @_;

    open my $fh, '<', "$root/$name" or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


my $readme = slurp('README.md');


# The smallest configuration, with what it names, and with the control of the
# reference in a server of its own.

sub configuration {
    my ($conf) = map { $_->{text} }
                 blocks('README.md', section($readme,
                                             'The smallest configuration'),
                        'nginx');

    $conf =~ s/^load_module .*\n//;
    $conf =~ s/:6379/:%%PORT_6379%%/;
    $conf =~ s/server \{/server {\n        listen 127.0.0.1:%%PORT_8080%%;/;
    $conf =~ s/http \{\n/http {\n    %%TEST_GLOBALS_HTTP%%\n/;
    $conf =~ s/\}\s*\z//;

    return <<"EOF2";
%%TEST_GLOBALS%%
events { }
$conf
    upstream kv_upstream { server 127.0.0.1:%%PORT_8081%%; }

    server {
        listen 127.0.0.1:%%PORT_8090%%;
        location = /recovery/control { recovery_control; }
    }
}
EOF2
}


sub phase { return $t->wait_phase('kv', $_[0], 30) }
sub force { return ($t->backend_status('kv')->{force} // {})->{reason} // '' }


# members of the JSON that a text shows

sub members { return $_[0] =~ /"(\w+)":/g }


# what the store of the demo answers: a status, or 0 when none comes

sub store {
    my ($port) = ($t->port(9080));
    return `curl -s -m 1 -o /dev/null -w '%{http_code}' 127.0.0.1:$port/kv/1`;
}


my $b = $t->backend(8081);

$t->redis_start();
$t->write_file_expand('nginx.conf', configuration());

my $c = Test::Recovery::Commands->new(
    $t, 'redis-cli' => '-p %%PORT_6379%%', make => "-n -C $root",
    recoveryctl => '',
    curl => '--connect-to 127.0.0.1:80:127.0.0.1:%%PORT_8080%%'
            . ' --connect-to 127.0.0.1:8080:127.0.0.1:%%PORT_8090%%'
            . ' --connect-to 127.0.0.1:9080:127.0.0.1:%%PORT_9080%%');

$ENV{RECOVERY_REDIS} = $t->expand('redis://127.0.0.1:%%PORT_6379%%');

my ($shown) = map { $_->{text} }
              blocks('README.md', section($readme, 'Status'), 'text');

my @readme = (
    [qr/\Arecoveryctl down/, sub {
        $_[0] =~ /^1 of 1 nodes: down/m
        && $t->http_get('/kv/')->{status} == 503;
    }],
    [qr/\Arecoveryctl recover/, sub {
        $_[0] =~ /^1 of 1 nodes: /m && phase(qr/probing|ramping/);
    }],
    [qr/\Arecoveryctl status/, sub {
        $_[0] =~ /^kv +(?:probing|ramping)/m && $_[0] =~ /^why +\w/m;
    }],
    [qr/health down/, sub {
        phase('down') && $t->http_get('/kv/')->{status} == 503;
    }],
    [qr/health up/, sub { phase(qr/probing|ramping/) }],
    [qr/\Acurl.*status/, sub {
        my %is = map { $_ => 1 } members($_[0]);
        !grep { !$is{$_} } members($shown);
    }],
);

my @reference = (
    [qr/"closed"/, sub {
        force() eq 'disk swap' && $t->http_get('/kv/')->{status} == 503;
    }],
    [qr/control\n\z/, sub {
        decode_json($_[0])->{backends}{kv}{force}{by} eq 'ann';
    }],
    [qr/"clear"/, sub {
        decode_json($_[0])->{backend} eq 'kv' && force() eq '';
    }],
);

my @demo = (
    [qr/break /, sub { store() == 503 }],
    [qr/break\?hang/, sub { store() == 0 }],
    [qr/restore/, sub { $_[0] =~ /\{.*\}/s && store() == 200 }],
);

$t->plan($c->tests(@readme) + $c->tests(@reference) + $c->tests(@demo) + 5);
$t->run();

cmp_ok(scalar(() = members($shown)), '>=', 10, 'members of what README.md shows');
is($t->http_get('/kv/')->{status}, 200, 'the smallest configuration');

$c->follow('README.md', @readme);
$c->follow('docs/directives.md', @reference);

my $store = spawn(cmd => ["$root/build/demo-store",
                          '--listen=127.0.0.1:' . $t->port(9080)],
                  stdout => $t->dir() . '/store.log',
                  stderr => $t->dir() . '/store.log');

$t->wait_for(sub { store() == 200 }, 'the store');
$c->follow('demo/README.md', @demo);
kill 'TERM', $store;
reap($store, 5);

# what takes minutes: make knows it

my ($make) = grep { $_->{text} =~ /\Q$NOT_RUN[0][1]\E/ }
             blocks('README.md', $readme, 'sh');
my ($said, $status) = $c->sh($make->{text});

is($status, 0, 'the verbs of make') or diag($said);
like($said, qr{demo/demo\.sh.*bench/recovery/run\.sh}s, 'what they run');
($said, $status) = $c->sh($make->{text} =~ s/make demo/make demos/r);
isnt($status, 0, 'planted: a verb that is none');
