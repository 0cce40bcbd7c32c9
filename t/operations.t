#!/usr/bin/perl

# Goal: docs/operations.md can be followed by somebody who knows nothing else.
# Its commands do what it says they do, in its order; each failure names a
# test that exists; what an alert asks for is a metric.
# Method: the blocks of commands are given to a shell as they stand, with
# redis-cli, curl and nginx led to those of the test, and what is in force is
# read from the status.  Each check of the text must not be content with a
# text in which one mistake is planted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Commands;
use Test::Recovery::Markdown;
use Test::Recovery::Shown;
use Test::Recovery::Watch qw(jumps);

my $t = Test::Recovery->new();
my $root = $t->root();
my $file = 'docs/operations.md';
my $text = slurp("$root/$file");


sub slurp {
    my ($name) = @_;

    open my $fh, '<', $name or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


sub clean {
    my ($label, @problems) = @_;
    ok(!@problems, $label) or diag(join "\n", @problems);
}


sub caught {
    my ($label, @problems) = @_;
    ok(scalar @problems, "planted: $label");
}


# The rows of what can fail: [failure, .., .., .., shown by]

sub failures {
    my ($text) = @_;
    return map { @$_ } tables(section($text, 'What can fail'));
}


sub unshown {
    my ($text) = @_;
    return unproved($root, 5, failures($text));
}


# every failure that was asked for has a row

my @ASKED = (
    'killed, crashed', 'stopped', 'silent for longer', 'one byte', 'garbage',
    'array of 10^9', 'other types', 'wrong words', 'LOADING', 'READONLY',
    'NOPERM', 'WRONGPASS', 'password is changed', 'another host', 'expired',
    'partition', 'cut in the middle', 'half closed', 'empty', 'cut again',
    'worker is killed', 'hangs', 'reload', 'zone', 'nobody says so',
    'never answers', 'every request fails', 'ever later', 'forgotten',
    'clock of nginx', 'restarted', 'state file is torn', 'name servers',
    'Sentinel', 'Cluster', 'the master fails',
);


sub forgotten {
    my ($text) = @_;

    my $rows = join "\n", map { join ' ', @$_ } failures($text);

    return grep { $rows !~ /\Q$_\E/ } @ASKED;
}


# metrics that the text names

sub no_metric {
    my ($text, $metrics) = @_;

    my %seen = map { $_ => 1 }
               $text =~ /\b(nginx_recovery_\w+?)(?=[^\w*])/g;

    return grep { $metrics !~ /^\Q$_\E[ {]/m } sort keys %seen;
}


# nginx, and commands that lead to it

my $b = $t->backend(8081);

$t->redis_start();
$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_state_file  %%TESTDIR%%/state;
    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_policy   p { ramp from=10% over=20s verify=1s; }
    recovery_backend  kv { policy p; capacity 1000r/s; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location / {
            recovery    kv;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location = /recovery/status  { recovery_status; }
        location = /recovery/metrics { recovery_status prometheus; }
        location = /recovery/control { recovery_control; }
    }
}

EOF2

$ENV{USER} = 'jo';
delete @ENV{qw(SUDO_USER LOGNAME)};
$ENV{RECOVERY_REDIS} = $t->expand('redis://127.0.0.1:%%PORT_6379%%');

my $c = Test::Recovery::Commands->new(
    $t, 'redis-cli' => '-p %%PORT_6379%%', recoveryctl => '',
    curl => '',
    nginx => '-p %%TESTDIR%%/ -c %%TESTDIR%%/nginx.conf'
             . ' -e %%TESTDIR%%/error.log');

$c->places('127.0.0.1:6379' => '127.0.0.1:%%PORT_6379%%',
           'http://127.0.0.1/' => 'http://127.0.0.1:%%PORT_8080%%/');


sub kv { return $t->backend_status('kv') }
sub phase { return $t->wait_phase('kv', $_[0], 30) }


sub force {
    my ($force, $by) = @_;

    return $t->wait_for(sub {
        my $f = kv()->{force};
        ($f ? $f->{force} : 'none') eq $force
        && (!$by || $f->{by} eq 'jo');
    }, "force $force");
}


# sixty more are shed, which takes longer than a second

sub sheds {
    my $shed = sub { $t->class_status('kv', 'normal')->{shed} };
    my $before = $shed->();

    return $t->wait_for(sub { $shed->() > $before + 60 }, 'sixty to be shed');
}


sub passes { return $t->http_get('/')->{status} == 200 }


# What each block has to bring about, by how it begins; in the order of the
# text.  What it said is given.  "By hand" has to do what was done before it,
# so that is undone first.

my @old;


sub confirmed { return $_[0] =~ /^1 of 1 nodes: /m }


sub no_orders {
    $t->redis(qw(HDEL recovery:kv force force_until by reason ceiling));
    $t->redis(qw(PUBLISH recovery:changed kv));
    force('none');
}


# a backend that is up for Redis, on its way there

sub said_up {
    no_orders();
    $t->health('kv', 'up');
    phase(qr/up|probing|ramping|verifying/);
}


sub shut { return force('closed', 'jo') && !passes() }
sub halved { return phase(qr/degraded|probing|ramping/) && health_is(qr/degraded|0\.5\d*/) }


sub health_is {
    my ($health) = @_;
    return $t->wait_for(sub { (kv()->{health} // 'none') =~ /\A$health\z/ },
                        "health $health");
}


sub status_of {
    my ($said, $phase) = @_;
    return $said =~ /^kv +$phase\b/m && $said =~ /^why +\w/m
           && $said =~ /^NODE .*\n\S+ +(?:now|\d)/m;
}


my @steps = (
    [qr/\Anginx -t\n/, sub { $_[0] =~ /test is successful/ }],
    [qr/RECOVERY_REDIS.*\nrecoveryctl status/, sub {
        $_[0] =~ /1 node heard/ && $_[0] =~ /^kv +up /m;
    }],
    [qr/\Arecoveryctl recover.*in service/, sub {
        confirmed(@_) && kv()->{health_source} eq 'redis';
    }],
    [qr/health up\n/, sub {
        $t->wait_for(sub { kv()->{health_source} eq 'redis' });
    }],
    [qr/\Arecoveryctl status kv/, sub { status_of($_[0], 'up') }],
    [qr/\Acurl.*metrics/, sub {
        my ($said) = @_;
        my ($shown) = map { $_->{text} } blocks($file, $text, 'text');

        !grep { index($said, $_) < 0 } split /\n/, $shown;
    }],
    [qr/\Arecoveryctl force closed.*rehearsal/, sub {
        confirmed(@_) && shut() && sheds();
    }],
    [qr/\Arecoveryctl clear/, sub {
        confirmed(@_) && force('none') && phase(qr/probing|ramping/);
    }],
    [qr/force closed.*rehearsal/, sub { shut() && sheds() }],
    [qr/HDEL.* force/, sub { force('none') && phase(qr/probing|ramping/) }],
    [qr/\Arecoveryctl status kv/, sub {
        status_of($_[0], qr/probing|ramping/);
    }],
    [qr/\Acurl.*status/, sub {
        $_[0] =~ /"phase": ?"(?:probing|ramping)"/ && $_[0] =~ /"why": ?"\w/
        && $_[0] =~ /"state": ?"connected"/;
    }],
    [qr/\Arecoveryctl down/, sub {
        confirmed(@_) && kv()->{phase} eq 'down' && !passes();
    }],
    [qr/health down/, sub { phase('down') && !passes() },
     before => \&said_up],
    [qr/\Arecoveryctl degraded/, sub { confirmed(@_) && halved() }],
    [qr/health 0\.5/, sub { halved() }, before => \&said_up],
    [qr/ceiling 100r\/s/, sub {
        $t->wait_for(sub { (kv()->{ceiling_per_s} // 0) == 100 });
    }],
    [qr/\Arecoveryctl force closed.*incident\n\z/, sub {
        confirmed(@_) && shut();
    }],
    [qr/force closed.*incident/, sub { shut() }, before => \&no_orders],
    [qr/\Arecoveryctl force open/, sub {
        confirmed(@_) && force('open', 'jo') && passes();
    }],
    [qr/force open/, sub { force('open', 'jo') && passes() },
     before => \&no_orders],
    [qr/\Arecoveryctl force closed.*--url/s, sub {
        confirmed(@_) && shut() && sheds();
    }],
    [qr/\Arecoveryctl status.*--url/, sub {
        status_of($_[0], qr/\w+/) && $_[0] =~ /closed/;
    }],
    [qr/\Arecoveryctl clear.*--url/, sub {
        confirmed(@_) && force('open') && passes();
    }],
    [qr/\Acurl.*control -H.*"closed"/s, sub { shut() && sheds() }],
    [qr/\Acurl.*control\n\z/, sub {
        $_[0] =~ /"kv"/ && $_[0] =~ /"closed"/ && $_[0] =~ /"jo"/;
    }],
    [qr/\Acurl.*"clear"/s, sub { force('open') && passes() }],
    [qr/nginx -s reload/, sub {
        $t->wait_for(sub {
            my @now = $t->workers();
            my %now = map { $_ => 1 } @now;
            @now && !grep { $now{$_} } @old;
        }) && force('open');
    }, before => sub { @old = $t->workers() }],
    [qr/\Arecoveryctl audit/, sub {
        $_[0] =~ /by jo: incident$/m && $_[0] =~ /by jo: gate is wrong$/m;
    }],
    [qr/XREVRANGE/, sub { $_[0] =~ /^disk full$/m }],
    [qr/\Arecoveryctl clear.*\nrecoveryctl recover/, sub {
        confirmed(@_) && force('none') && phase(qr/probing|ramping/)
        && health_is('up');
    }],
    [qr/HDEL.* ceiling.*\n.*health up/s, sub {
        force('none') && phase(qr/probing|ramping/)
        && !defined kv()->{force} && health_is('up');
    }, before => sub {
        $t->redis(qw(HSET recovery:kv ceiling 0% force closed force_until),
                  time() + 600);
        $t->redis(qw(PUBLISH recovery:changed kv));
        force('closed');
    }],
    [qr/\Arecoveryctl status kv/, sub {
        status_of($_[0], qr/probing|ramping/) && $_[0] =~ /^level .*%/m;
    }],
    [qr/\Acurl.*level_ratio/s, sub {
        $_[0] =~ /phase="(?:probing|ramping)"\} 1/
        && $_[0] =~ /level_ratio\{backend="kv"\} 0\.\d/;
    }],
    [qr/\Arecoveryctl hold/, sub { confirmed(@_) && force('hold', 'jo') },
     before => sub { phase('ramping') }],
    [qr/\Arecoveryctl resume/, sub { confirmed(@_) && force('none') }],
    [qr/force hold/, sub { force('hold', 'jo') }],
    [qr/HDEL.* force/, sub { force('none') }],
    [qr/\Arecoveryctl step-back/, sub { confirmed(@_) && force('level', 'jo') }],
    [qr/\Arecoveryctl clear/, sub { confirmed(@_) && force('none') }],
    [qr/HGETALL/, sub {
        $_[0] =~ /^health\nup$/m
        && $_[0] !~ /^(?:force|force_until|ceiling|promote)$/m;
    }],
    [qr/\Acurl.*control\n\z/, sub {
        $_[0] =~ /"backends"/ && $_[0] !~ /"kv"/;
    }],
);

$t->plan($c->tests(@steps) + 13);

# the text

cmp_ok(scalar(failures($text)), '>', 40, 'failures');
clean('each failure names its test', unshown($text));
clean('each failure that was asked for', forgotten($text));

caught('a test that does not exist',
       unshown($text =~ s/fault_redis\.t/fault_radish.t/r));
caught('a name that is not in it', unshown($text =~ s/"killed"/"klled"/r));
caught('a row without a test',
       unshown($text =~ s/^(\| killed.*\|).*\|$/$1 none |/mr));
caught('a failure that is missing', forgotten($text =~ s/^\| killed.*\n//mr));
caught('a column', unshown($text =~ s/^(\| killed.*)\|.*\|$/$1|/mr));

# the commands

$t->run();

my $load = $t->load(rate => 40, uris => ['/'], timeout => 30);
my $metrics;

ok($t->wait_for(sub {
    $metrics = $t->http_get('/recovery/metrics')->{body};
    $metrics =~ /error_ratio\{/ && $metrics =~ /state_file_written /;
}), 'metrics of a backend that is at work');

clean('metrics', no_metric($text, $metrics));
caught('a metric', no_metric($text . ' nginx_recovery_magic ', $metrics));
$c->follow('docs/operations.md', @steps);

# what it said and did; with a shorter ramp, not to wait for this one

$t->write_file('nginx.conf',
               $t->read_file('nginx.conf') =~ s/over=20s/over=2s/r);
$t->reload();
ok(phase('up'), 'it comes back');

my @jumps = jumps(kv());

is_deeply(\@jumps, [], 'by every step');
$load->stop();
