#!/usr/bin/perl

# run.pl [PART]...: all parts, or those that are named, one after the other;
# what they say goes to build/bench/results.json, with the machine it is of.
# BENCH_RESULTS names another file.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use JSON::PP;
use POSIX qw(strftime);
use Time::HiRes qw(time);

use Bench::Nginx;
use Bench::Proc qw(content);

my @PARTS = @ARGV ? @ARGV : qw(decision instructions load status footprint);
my $RESULTS = $ENV{BENCH_RESULTS}
              || "$Bench::Nginx::ROOT/build/bench/results.json";


sub first_line {
    my ($command) = @_;

    my ($line) = split /\n/, `$command 2>&1`;
    return $line // '';
}

sub load_average { return (split ' ', content('/proc/loadavg'))[0] }


sub machine {
    my $cpuinfo = content('/proc/cpuinfo');
    my ($cpu) = $cpuinfo =~ /^model name\s*:\s*(.*)$/m;
    my ($kb) = content('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
    my ($system) = content('/etc/os-release') =~ /^PRETTY_NAME="(.*)"/m;

    return {
        processor  => $cpu // 'unknown',
        processors => scalar(() = $cpuinfo =~ /^processor\s*:/gm),
        virtual    => $cpuinfo =~ /^flags.*\bhypervisor\b/m ? 1 : 0,
        memory_gb  => sprintf('%.0f', $kb / 1024 / 1024),
        system     => $system // 'unknown',
        kernel     => first_line('uname -r') =~ s/[^0-9.].*//r,
        nginx      => first_line("$Bench::Nginx::NGINX -v") =~ s/.*: //r,
        compiler   => first_line(($ENV{CC} // 'cc') . ' --version'),
        valgrind   => first_line('valgrind --version'),
        lua        => first_line("dpkg-query -W -f '\${Version}' "
                                 . 'libnginx-mod-http-lua'),
    };
}


sub run_part {
    my ($part) = @_;

    my $start = time();

    print STDERR "bench: $part\n";

    open my $out, '-|', $^X, "$FindBin::Bin/$part.pl"
        or die "$part.pl: $!\n";
    my $text = do { local $/; <$out> };
    close $out or die "bench: $part has failed\n";

    return { figures => decode_json($text),
             seconds => int(time() - $start) };
}


my $start = time();
my %results = (
    machine     => machine(),
    commit      => first_line('git describe --always --dirty'),
    date        => strftime('%Y-%m-%d %H:%M UTC', gmtime),
    load_before => load_average(),
);

$results{parts}{$_} = run_part($_) for @PARTS;
$results{seconds} = int(time() - $start);

open my $fh, '>', $RESULTS or die "$RESULTS: $!\n";
print $fh JSON::PP->new->canonical->pretty->encode(\%results);
close $fh or die "$RESULTS: $!\n";
