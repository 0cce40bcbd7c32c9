package Bench::Nginx;

# One nginx with a server, on a port of its own, for each gate: what one of
# them costs must not depend on how many others there are in the file.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use IO::Socket::INET;

use Bench::Client;
use Test::Recovery::Port qw(port_reserve);
use Test::Recovery::Process qw(group_kill group_pids poll_until reap spawn);

delete $ENV{NGINX};

our $ROOT = abs_path(dirname(__FILE__) . '/../../..');

my $MODULE = $ENV{TEST_NGINX_MODULE}
             || "$ROOT/build/ngx_http_recovery_module.so";
our $NGINX = $ENV{RCV_NGINX} || '/usr/sbin/nginx';
my $MODULES = '/usr/lib/nginx/modules';
my $RUN = $ENV{BENCH_RUN} // "$ROOT/build/bench/run";
my $READY_S = 60;

# an interrupted run still ends what it has started; by whom, since a child
# of ours knows of it too

my %running;

$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);


# new(name => .., gates => [..], handler => TEXT, workers => N, single => 1,
#     http => TEXT, servers => TEXT)

sub new {
    my ($class, %o) = @_;

    my $dir = "$RUN/$o{name}";
    remove_tree($dir);
    make_path($dir);
    chmod 0755, $dir;

    my $self = bless { handler => 'empty_gif;', workers => 1, %o,
                       dir => $dir, ports => {}, locks => [] }, $class;

    $self->_write();

    return $self;
}


sub port {
    my ($self, $name) = @_;

    if (!$self->{ports}{$name}) {
        my ($port, $lock) = port_reserve();

        $self->{ports}{$name} = $port;
        push @{$self->{locks}}, $lock;
    }

    return $self->{ports}{$name};
}


sub _merged {
    my ($self, $what) = @_;

    my %seen;
    return grep { !$seen{$_}++ } map { @{$_->{$what}} } @{$self->{gates}};
}


sub _modules {
    my ($self) = @_;

    my %all = map { $_ => 1 } $self->_merged('modules'),
              @{$self->{modules} // []};
    my $text = '';

    # in nginx's order of things: ndk is what lua stands on

    for my $name (sort { ($b =~ /^ndk/) <=> ($a =~ /^ndk/) } keys %all) {
        $text .= $name eq 'recovery' ? "load_module $MODULE;\n"
                                     : "load_module $MODULES/$name.so;\n";
    }

    return $text;
}


sub _server {
    my ($self, $gate) = @_;

    my $port = $self->port($gate->{name});

    return <<"EOF2";
    server {
        listen  127.0.0.1:$port;
        location / { $gate->{location} $self->{handler} }
        location = /held { $gate->{location} @{[$self->_held()]} }
    }
EOF2
}


# where nobody ever answers: the kernel alone takes the connections

sub _held {
    my ($self) = @_;

    return 'empty_gif;' unless grep { $_->{held} } @{$self->{gates}};

    $self->{deaf} = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                          Listen => 4096)
        or die "no socket to listen on: $!\n";

    return 'proxy_read_timeout 600s; proxy_pass http://127.0.0.1:'
           . $self->{deaf}->sockport() . ';';
}


sub hold {
    my ($self, $gate) = @_;

    for (1 .. $gate->{held} // 0) {
        my $client = $self->client($gate->{name});

        $client->send('/held');
        push @{$self->{held}}, $client;
    }
}


sub _write {
    my ($self) = @_;

    my $dir = $self->{dir};
    my $modules = $self->_modules();
    my $user = $> == 0 ? 'user root;' : '';
    my $processes = $self->{single} ? 'off' : 'on';
    my $http = join "\n    ", $self->_merged('http'), $self->{http} // '';
    my $servers = join '', map { $self->_server($_) } @{$self->{gates}};
    my $temp = join "\n    ", map { "${_}_temp_path $dir/$_;" }
                              qw(client_body proxy fastcgi uwsgi scgi);
    my $status = $modules =~ /recovery/ ? $self->_status() : '';
    my $pid = $self->{pid_port} ? $self->_pid() : '';

    open my $fh, '>', "$dir/nginx.conf" or die "$dir: $!\n";
    print $fh <<"EOF2";
$modules
$user
daemon off;
master_process $processes;
worker_processes $self->{workers};
@{[$self->{single} ? '' : 'worker_cpu_affinity auto;']}
pid $dir/pid;
error_log $dir/error.log;

events { worker_connections 4096; }

http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    $temp

    $http
    @{[$self->{upstream} // '']}

$servers
$status
$pid
}
EOF2
    close $fh or die "$dir: $!\n";
}


sub _status {
    my ($self) = @_;

    my $port = $self->port('status');

    return <<"EOF2";
    server {
        listen    127.0.0.1:$port;
        recovery  off;
        location = /status  { recovery_status; }
        location = /metrics { recovery_status prometheus; }
        location = /page    { recovery_status html; }
        location = /ping    { empty_gif; }
    }
EOF2
}


# which worker answers

sub _pid {
    my ($self) = @_;

    my $port = $self->port('pid');

    return <<"EOF2";
    server {
        listen  127.0.0.1:$port;
        return  200 \$pid;
    }
EOF2
}


# nginx -t, and what it says

sub test {
    my ($self) = @_;

    my $dir = $self->{dir};
    return scalar `$NGINX -t -p $dir/ -e stderr -c $dir/nginx.conf 2>&1`;
}


# start(under => [WORDS..]): the words go in front of the command

sub start {
    my ($self, %o) = @_;

    my $dir = $self->{dir};

    $self->{pid} = spawn(
        cmd => [@{$o{under} // []}, $NGINX, '-p', "$dir/", '-e',
                "$dir/error.log", '-c', "$dir/nginx.conf"],
        stdout => "$dir/out.log", stderr => "$dir/out.log");

    $running{$self->{pid}} = $$;

    my $gone = 0;
    my $up = poll_until(sub {
        $gone = waitpid($self->{pid}, POSIX::WNOHANG()) != 0;
        return $gone || -s "$dir/pid" && $self->_answers();
    }, $READY_S);

    die "nginx did not start, see $dir/out.log and $dir/error.log\n"
        if !$up || $gone;

    return $self;
}


sub _answers {
    my ($self) = @_;

    my ($port) = values %{$self->{ports}};
    return Bench::Client->new(port => $port, quiet => 1) ? 1 : 0;
}


sub client {
    my ($self, $name) = @_;
    return Bench::Client->new(port => $self->port($name));
}


# something to wake up for

sub nudge {
    my ($self) = @_;

    my ($port) = values %{$self->{ports}};
    Bench::Client->new(port => $port, quiet => 1);
}


sub workers {
    my ($self) = @_;
    return grep { $_ != $self->{pid} } group_pids($self->{pid});
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill 'QUIT', $pid;

    if (!reap($pid, 10)) {
        group_kill('KILL', $pid);
        reap($pid, 10);
    }

    delete $running{$pid};
}


END {
    my $status = $?;

    for my $pid (grep { $running{$_} == $$ } keys %running) {
        group_kill('KILL', $pid);
        reap($pid, 5);
    }

    $? = $status;
}


1;
