#!/usr/bin/perl

# Goal: what "make run" starts can be used with nothing but what it prints,
# and leaves nothing behind.
#
# Method: demo/run.sh from a copy of the checkout whose path no script should
# have to like; the printed commands go to a shell as they stand.  Twice in a
# row, once ended by Ctrl-C and once by TERM, and as an ordinary user when
# the test is root.  A process belongs to the run if it works in its folder.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find qw(find);
use File::Path qw(make_path);
use HTTP::Tiny;
use JSON::PP;
use POSIX ();
use Test::More;

use Test::Recovery;
use Test::Recovery::Process qw(spawn reap group_kill poll_until);

my $t = Test::Recovery->new();
my $top = $t->dir() . "/check out's \$1";
my $runs = $< == 0 ? 3 : 2;

$t->plan(17 * $runs + 1);


make_path("$top/build");
system('cp', '-r', $t->root() . '/demo', $top) == 0 or die "no demo/\n";
chdir $t->root() or die "$!\n";
system('cp', glob('build/demo-*'), $t->module_path(), "$top/build") == 0
    or die "make first\n";

my $files = files();

is_deeply([leftovers()], [], 'nobody works in the new copy');

a_run('Ctrl-C', 'INT');
a_run('TERM', 'TERM');

if ($< == 0) {
    my ($uid, $gid) = (getpwnam('nobody'))[2, 3];

    system('rm', '-rf', "$top/build/run") == 0 or die;
    system('chown', '-R', "$uid:$gid", $top) == 0 or die;

    a_run('an ordinary user', 'INT', sub {
        $) = "$gid $gid"; $( = $gid;
        ($<, $>) = ($uid, $uid);
        die "still root\n" if $< == 0 || $> == 0;
    });
}


sub a_run {
    my ($name, $signal, $become) = @_;

    my $log = $t->dir() . "/run.$name.log";
    my $text = '';
    open my $touch, '>', $log or die; close $touch; chmod 0666, $log;

    my $pid = spawn(stdout => $log, stderr => $log, code => sub {
        $become->() if $become;
        delete $ENV{NGINX};
        exec 'bash', "$top/demo/run.sh" or POSIX::_exit(127);
    });

    ok(poll_until(sub {
        $text = slurp($log);
        return $text =~ /Ctrl-C stops everything/
               || waitpid($pid, POSIX::WNOHANG()) == $pid;
    }, 30) && $text =~ /Ctrl-C stops everything/, "$name: it is up")
        or diag($text);

    my ($json) = $text =~ m{JSON\s+(http://\S+)};
    my ($page) = $text =~ m{status page\s+(http://\S+)};
    my ($metrics) = $text =~ m{Prometheus\s+(http://\S+)};
    my ($service) = $text =~ m{the service\s+(http://\S+)};

    like(get($page)->{content}, qr/<html/i, "$name: the page");
    like(get($metrics)->{content}, qr/^nginx_recovery_phase/m,
         "$name: the metrics");
    is(phase($json), 'up', "$name: up");
    is(get($service)->{status}, 200, "$name: it serves");

    # break it, as printed

    my ($break) = $text =~ /Break.*?\n\n(.*?)\n\n/s;
    my ($restore) = $text =~ /Restore.*?\n\n(.*?)\n\n/s;

    is(shell($break), 0, "$name: the commands to break it");
    ok(poll_until(sub { phase($json) eq 'down' }, 10), "$name: down");

    my $shed = get($service);
    is($shed->{status}, 503, "$name: it sheds");
    like($shed->{headers}{'retry-after'} // '', qr/^[1-9]\d*$/,
         "$name: and says when to come back");

    # restore it; only traffic brings it back

    is(shell($restore), 0, "$name: the commands to restore it");
    ok(poll_until(sub { phase($json) ne 'down' }, 10), "$name: down no more");
    ok(poll_until(sub { get($service)->{status} == 200 }, 20),
       "$name: it serves again");

    # the end

    my @before = leftovers();
    cmp_ok(scalar @before, '>=', 4, "$name: nginx, Redis and the store ran");

    kill $signal, $pid;
    my ($gone, $status) = reap($pid, 20);

    ok($gone, "$name: it ends");
    is($status >> 8, $signal eq 'INT' ? 130 : 143, "$name: by our signal")
        or diag("status $status");
    ok(poll_until(sub { !leftovers() }, 10), "$name: no process is left")
        or diag(join ' ', leftovers());
    is_deeply(files(), $files, "$name: nothing changed outside build/");
}


# processes that work in the copy, whoever started them

sub leftovers {
    my @pids;

    for my $proc (glob '/proc/[0-9]*') {
        my $cwd = readlink("$proc/cwd") // next;
        push @pids, $proc =~ /(\d+)$/ if $cwd =~ /^\Q$top\E(?:\/|$)/;
    }

    return @pids;
}


# everything of the copy but build/, with the time of its last change

sub files {
    my %seen;

    find({ no_chdir => 1, wanted => sub {
        return $File::Find::prune = 1 if $_ eq "$top/build";
        $seen{$_} = (stat)[9] if -f;
    }}, $top);

    return \%seen;
}


sub slurp {
    open my $fh, '<', $_[0] or return '';
    local $/;
    return scalar <$fh>;
}


sub get {
    return HTTP::Tiny->new(timeout => 5 * slow())->get($_[0]);
}


sub phase {
    my $status = eval { decode_json(get($_[0])->{content}) } or return '';
    return $status->{backends}{kv}{phase};
}


sub shell {
    my ($commands) = @_;
    $commands =~ s/^\s+curl/curl -sf/mg;

    open my $sh, '|-', 'bash -e >/dev/null' or die "no bash: $!\n";
    print $sh $commands, "\n";
    close $sh;

    return $? >> 8;
}
