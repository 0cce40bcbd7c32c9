#!/usr/bin/perl

# Goal: docs/security.md can be followed, and holds: with its certificates,
# rights, files and servers nginx works, and what it says to be refused is
# refused.  Each threat names a test that exists.
# Method: as root, the blocks in their order, with /etc, /home, /run and the
# addresses led into the folder of the test; nginx and Redis are configured by
# the blocks of the text, and what is not in a block is tried from outside.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Test::More;

use Test::Recovery;
use Test::Recovery::Commands;
use Test::Recovery::Markdown;
use Test::Recovery::Promql qw(have);
use Test::Recovery::Shown;

my $root = Test::Recovery->root();
my $file = 'docs/security.md';
my $text = do {
    open my $fh, '<', "$root/$file" or die "$file: $!\n";
    local $/;
    <$fh>;
};

plan(skip_all => 'its commands are those of root') if $> != 0;

my $t = Test::Recovery->new();
my $dir = $t->dir();


sub clean {
    my ($label, @problems) = @_;
    ok(!@problems, $label) or diag(join "\n", @problems);
}


sub caught {
    my ($label, @problems) = @_;
    ok(scalar @problems, "planted: $label");
}


sub block {
    my ($language, $n) = @_;
    return (map { $_->{text} } blocks($file, $text, $language))[$n // 0];
}


sub threats {
    my ($text) = @_;
    return map { @$_ } tables(section($text, 'Threats'));
}


# The machine of the text, in the folder of the test.

make_path(map { "$dir/$_" } qw(etc/redis home/jo home/eve root systemd));
$t->write_file('etc/redis/users.acl', '');

my $c = Test::Recovery::Commands->new(
    $t, 'redis-cli' => '', curl => '', recoveryctl => '',
    nginx => "-p $dir/ -c $dir/nginx.conf -e $dir/error.log");

$c->places(
    '/run/redis/redis.sock' => "$dir/redis.sock",
    (map { $_ => "$dir$_" } qw(/etc/recovery-ca /etc/redis /home/jo /home/eve
                               /root)),
    '/etc/nginx/nginx.conf' => "$dir/nginx.conf",
    '/etc/nginx' => "$dir/etc/nginx",
    '/var/lib/nginx' => "$dir/lib",
    'IP:10.0.0.11' => 'IP:127.0.0.1', 'IP:10.0.0.1' => 'IP:127.0.0.1',
    '10.0.0.11:8443' => '127.0.0.1:%%PORT_8443%%',
    '10.0.0.11:9145' => '127.0.0.1:%%PORT_9145%%',
    '10.0.0.11' => '127.0.0.1:%%PORT_8080%%',
    '10.0.0.1:6379' => '127.0.0.1:%%PORT_6380%%',
    '10.0.0.5' => '127.0.0.5',
    '127.0.0.1:8081' => '127.0.0.1:%%PORT_8091%%',
    'tls-port 6379' => 'tls-port %%PORT_6380%%',
    "port 0\n" => '',
);


# nginx, with what is around the blocks

sub configure {
    my $conf = $c->led(block('nginx'));

    $t->write_file_expand('nginx.conf', <<"EOF2");
user www-data;

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_backend  kv { }

    $conf

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /shop/ {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }
    }
}
EOF2

    my $with = $t->read_file('nginx.conf') =~ s/^user root;\n//mr;
    $t->write_file('nginx.conf', $with);
}


sub mode {
    my ($name) = @_;

    my ($mode, $uid) = (stat "$dir/$name")[2, 4];
    return sprintf '%03o %s', $mode & 0777, scalar getpwuid $uid;
}


# the drop-in beside Debian's unit, or one like it

sub unit {
    make_path("$dir/systemd/nginx.service.d");
    $t->write_file('systemd/nginx.service',
                   "[Service]\nType=forking\nExecStart=/bin/true\n");
    $t->write_file('systemd/nginx.service.d/recovery.conf', $_[0]);
}


sub verified { return $_[0] !~ /ignoring|Unknown|Failed/ }


# where there is no systemd nobody judges its file

if (!have('systemd-analyze')) {
    diag('systemd-analyze is not installed, passed over');
    chmod 0755, $t->write_file('bin/systemd-analyze', "#!/bin/sh\n");
}

$ENV{SYSTEMD_UNIT_PATH} = "$dir/systemd:";


sub kv { return $t->backend_status('kv') }


# certificates first: Redis and nginx start with them

my @steps = (
    [qr/\Ainstall.*recovery-ca/, sub {
        !grep { !-s "$dir/etc/recovery-ca/$_.crt" } qw(redis edge-1 jo);
    }],
    [qr/\Ainstall.*nginx/, sub {
        mode('etc/nginx/recovery') eq '700 root'
        && mode('etc/nginx/recovery/redis.password') eq '600 root'
        && mode('etc/nginx/recovery/edge-1.key') eq '600 root'
        && mode('lib/recovery') eq '700 www-data';
    }],
    [qr/SETUSER gate/, sub { $_[0] =~ /\AOK\n/ }, before => \&redis],
    [qr/SETUSER jo/, sub {
        $t->read_file('etc/redis/users.acl') =~ /^user gate on/m
        && mode('home/jo/redis.password') eq '600 root';
    }],
    [qr/systemd-analyze/, \&verified, before => sub { unit(block('ini')) }],
    [qr/\Arecoveryctl check/, sub {
        $_[0] =~ /test is successful/
        && $_[0] =~ /: 0 errors, 0 warnings/;
    }, before => \&configure],
    [qr/\Acurl -s -o/, sub { $_[0] =~ /\A404$/m }, fails => 1,
     before => \&up],
    [qr/\Acurl -sS --cacert/, sub { $_[0] =~ /400 No required SSL/ },
     fails => 1],
    [qr/\Arecoveryctl status/, sub { $_[0] =~ /^kv +up/m }],
    [qr/\Arecoveryctl down/, sub {
        $t->wait_phase('kv', 'down') && kv()->{health_by} eq 'jo';
    }],
    [qr/--user gate HSET/, sub { $_[0] =~ /NOPERM/ }, fails => 1],
    [qr/\Arecoveryctl recover/, sub {
        $_[0] =~ /HSET|NOPERM|rights/ && kv()->{phase} eq 'down';
    }, fails => 1],
);


# Redis by its block, and on a port of loopback for the test

sub redis {
    $t->write_file('etc/redis/' . $_, slurp_ca($_))
        for qw(redis.crt redis.key servers.crt);
    $t->redis_start(conf => $c->led(block('redis')));
}


sub slurp_ca { return $t->read_file("etc/recovery-ca/$_[0]") }


sub up {
    $t->run();
    $t->wait_for(sub { $t->status()->{redis}{state} eq 'connected' });
}


my @threats = threats($text);
my $b = $t->backend(8081);

$t->plan($c->tests(@steps) + 14);

cmp_ok(scalar @threats, '>=', 20, 'threats');
clean('each names its test', unproved($root, 5, @threats));
caught('a test that does not exist', unproved($root, 5, threats(
    $text =~ s/class_forge\.t/class_forged.t/r)));
caught('a label that is none', unproved($root, 5, threats(
    $text =~ s/no word to a stranger/no word to a friend/r)));

$c->follow('docs/security.md', @steps);

# what the blocks do not try

my $status;

$t->wait_for(sub {
    $status = $t->status();
    $status->{state_file}{state} eq 'written';
});

is($status->{redis}{state}, 'connected', 'the gate is connected, by TLS');
is($status->{redis}{bad_values}, 0, 'it may do all that it does');
is($status->{state_file}{state}, 'written', 'the state file is written');
is(mode('lib/recovery/state'), '600 www-data', 'for nobody else');
unlike($t->read_file('error.log'), qr/NOPERM|denied/, 'no right is missing');

my ($said) = $c->sh('REDISCLI_AUTH=$(cat /home/eve/redis.password) redis-cli'
                    . ' -s /run/redis/redis.sock --user eve'
                    . ' GET recovery:node:edge-1:kv || true');
like($said, qr/NOPERM/, 'who looks, looks by what recoveryctl uses');

($said) = $c->sh('REDISCLI_AUTH=$(cat /etc/nginx/recovery/redis.password)'
                 . ' redis-cli -s /run/redis/redis.sock --user gate'
                 . ' HSET recovery:kv health up || true');
like($said, qr/NOPERM/, 'the gate may not say how anybody is');

my $metrics = 'http://10.0.0.11:9145/recovery/metrics';
my ($denied) = $c->sh("curl -s $metrics || true");
my ($given) = $c->sh("curl -s --interface 10.0.0.5 $metrics");

like($denied, qr/403 Forbidden/, 'metrics: not for all');
like($given, qr/^nginx_recovery_info/m, 'metrics: for Prometheus');

SKIP: {
    skip 'no systemd-analyze', 1 if -e "$dir/bin/systemd-analyze";
    unit(block('ini') =~ s/PrivateTmp/PrivateTemp/r);
    ($said) = $c->sh('systemd-analyze verify nginx.service');
    ok(!verified($said), 'planted: a word that systemd does not know')
        or diag($said);
}
