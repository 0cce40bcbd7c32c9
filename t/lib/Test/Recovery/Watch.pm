package Test::Recovery::Watch;

# What a process costs and what it is connected to, from /proc; what Redis
# counted.  Nothing here knows the module.
#
#   $w = Test::Recovery::Watch->new($t)     takes note of nginx's workers
#   $w = Test::Recovery::Watch->new($t, pids => [..])
#   $w->cores           cores they used since then (0.5: half of one)
#   $w->grown_kb        growth of the fattest of them
#   $w->said(qr/../)    lines that error.log has more since then
#
#   fd_count($pid)              open descriptors
#   links($t, $port)            pids of workers, one for each connection they
#                               have to that (symbolic) port
#   calls($redis, 'hmget')      executed by a real Redis
#   wait_polls($t, N [, redis]) until N more HMGETs were executed
#   slowest($results), statuses($results, qr/uri/)      of a load
#   quantile(0.99, @times)      0 of none
#   waited($results)            how long at least one request in four took: a
#                               worker that waits makes many wait, a machine
#                               that has other things to do makes some
#   jumps($backend_status)      events that skip a phase on the way up

use strict;
use warnings;

use Exporter 'import';
use List::Util qw(max);
use POSIX qw(_SC_CLK_TCK sysconf);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(fd_count links calls wait_polls slowest quantile waited
                    statuses jumps);

my $TICKS = sysconf(_SC_CLK_TCK);


sub new {
    my ($class, $t, %o) = @_;

    my @pids = @{$o{pids} // [$t->workers()]};

    return bless { t => $t, start => time(),
                   cpu => { map { $_ => _cpu_s($_) } @pids },
                   rss => { map { $_ => _rss_kb($_) } @pids },
                   log => length $t->read_file('error.log') }, $class;
}


sub _slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    local $/;
    return scalar(<$fh>) // '';
}


sub _cpu_s {
    my ($pid) = @_;

    my $line = _slurp("/proc/$pid/stat");

    $line =~ s/^.*\) //s or return 0;

    my ($user, $system) = (split ' ', $line)[11, 12];

    return ($user + $system) / $TICKS;
}


sub _rss_kb {
    my ($pid) = @_;

    return _slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}


sub cores {
    my ($self) = @_;

    my $used = 0;
    $used += _cpu_s($_) - $self->{cpu}{$_} for keys %{$self->{cpu}};

    return $used / (time() - $self->{start});
}


sub grown_kb {
    my ($self) = @_;

    my ($most) = sort { $b <=> $a }
                 map { _rss_kb($_) - $self->{rss}{$_} } keys %{$self->{rss}};

    return $most;
}


sub said {
    my ($self, $re) = @_;

    my $new = substr $self->{t}->read_file('error.log'), $self->{log};

    return grep { /$re/ } split /\n/, $new;
}


sub fd_count {
    my ($pid) = @_;

    opendir my $dir, "/proc/$pid/fd" or return 0;

    return scalar grep { /^\d/ } readdir $dir;
}


# by the inodes of established sockets with that remote port

sub links {
    my ($t, $port, @pids) = @_;

    my $hex = sprintf '%04X', $t->port($port);
    my (%inode, @found);

    for my $line (split /\n/, _slurp('/proc/net/tcp')) {
        my (undef, undef, $remote, $state, @rest) = split ' ', $line;

        next unless ($remote // '') =~ /:$hex$/ && $state eq '01';
        $inode{$rest[5]} = 1;
    }

    for my $pid (@pids ? @pids : $t->workers()) {
        for my $fd (glob "/proc/$pid/fd/*") {
            my $name = readlink $fd // next;
            push @found, $pid if $name =~ /^socket:\[(\d+)\]$/ && $inode{$1};
        }
    }

    return @found;
}


sub calls {
    my ($redis, $command) = @_;

    my $info = $redis->cmd('INFO', 'commandstats');

    return $info =~ /^cmdstat_\Q$command\E:calls=(\d+)/m ? $1 : 0;
}


sub wait_polls {
    my ($t, $count, $redis) = @_;

    $redis //= $t->redis_server();

    my $goal = calls($redis, 'hmget') + $count;

    return $t->wait_for(sub { calls($redis, 'hmget') >= $goal },
                        "$count more HMGETs", 20);
}


sub slowest {
    my ($results) = @_;

    my ($most) = sort { $b <=> $a } map { $_->{time_s} } @$results;

    return $most // 0;
}


sub quantile {
    my ($q, @times) = @_;

    @times = sort { $a <=> $b } @times or return 0;

    return $times[max(0, int($q * @times + 0.5) - 1)];
}


sub waited {
    my ($results) = @_;
    return quantile(0.75, map { $_->{time_s} } @$results);
}


# { 200 => N, ... } of those whose URI fits

sub statuses {
    my ($results, $re) = @_;

    my %count;
    $count{$_->{status}}++ for grep { $_->{uri} =~ $re } @$results;

    return \%count;
}


# The only ways up; a line for every event that took another one.

my %UP = map { $_ => 1 }
         'down probing', 'probing ramping', 'ramping verifying',
         'verifying up', 'degraded ramping', 'ramping degraded';


sub jumps {
    my ($b) = @_;

    my %rank = (down => 0, probing => 1, degraded => 2, ramping => 3,
                verifying => 4, up => 5);

    return map { "$_->{from} to $_->{to}: $_->{why}" }
           grep { defined $_->{from} && defined $_->{to}
                  && $rank{$_->{to}} > $rank{$_->{from}}
                  && !$UP{"$_->{from} $_->{to}"} } @{$b->{events}};
}


1;
