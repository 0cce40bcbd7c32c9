package Test::Recovery;

# Real nginx, real Redis and scripted backends for one test.  The interface
# is described at the end of this file: perldoc t/lib/Test/Recovery.pm

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use JSON::PP;
use Scalar::Util qw(weaken);
use Test::More import => [qw(diag ok)];
use Time::HiRes qw(time sleep);

use Test::Recovery::Backend;
use Test::Recovery::Client;
use Test::Recovery::Port qw(port_reserve);
use Test::Recovery::Process qw(slow poll_until spawn reap group_pids
                               group_kill proc_title);
use Test::Recovery::Prometheus;
use Test::Recovery::Redis;
use Test::Recovery::Schema qw(status_problems);

use Exporter 'import';
use parent -norequire, 'Test::Recovery::Client';

our @EXPORT = qw(slow);

my $ROOT = abs_path(dirname(__FILE__) . '/../../..');
my $OWNER = $$;
my @objects;

# nginx takes a variable of that name for a list of inherited sockets

delete $ENV{NGINX};

# an interrupted test still has to end what it started

$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);


sub new {
    my ($class, %o) = @_;

    my $self = bless {
        ports => {}, locks => [], problems => [], allowed => [],
        backends => [], module => !$o{no_module}, conf => 'nginx.conf',
    }, $class;

    die "$0: " . $self->module_path() . " is not there, run make first\n"
        if $self->{module} && !$ENV{TEST_NGINX_STATIC}
           && !-f $self->module_path();

    $self->{dir} = tempdir('rcv-' . basename($0, '.t') . '-XXXXXX',
                           TMPDIR => 1);
    chmod 0755, $self->{dir};

    push @objects, $self;
    weaken($objects[-1]) if $o{scratch};

    return $self;
}


sub dir { $_[0]{dir} }
sub root { $ROOT }
sub nginx_binary { $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx' }
sub module_path {
    return $ENV{TEST_NGINX_MODULE} || "$ROOT/build/ngx_http_recovery_module.so";
}


# the plan counts one more: the clean end of all that was started

sub plan {
    my ($self, $tests) = @_;

    Test::More::plan(tests => $tests + 1);
    $self->{planned} = 1;

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


sub expand {
    my ($self, $text) = @_;

    $text =~ s/%%TEST_GLOBALS%%/$self->_globals()/ge;
    $text =~ s/%%TEST_GLOBALS_HTTP%%/$self->_globals_http()/ge;
    $text =~ s/%%TESTDIR%%/$self->{dir}/g;
    $text =~ s/%%PORT_(\w+)%%/$self->port($1)/ge;

    return $text;
}


sub _globals {
    my ($self) = @_;

    my $level = $ENV{TEST_LOG_LEVEL} || 'info';
    my $conf = "daemon off;\npid %%TESTDIR%%/nginx.pid;\n"
               . "error_log %%TESTDIR%%/error.log $level;\n";

    $conf .= "user root;\n" if $> == 0;
    $conf .= 'load_module "' . $self->module_path() . "\";\n"
        if $self->{module} && !$ENV{TEST_NGINX_STATIC};

    return $conf;
}


sub _globals_http {
    my ($self) = @_;

    my $conf = "access_log %%TESTDIR%%/access.log;\n";

    $conf .= "${_}_temp_path %%TESTDIR%%/${_}_temp;\n"
        for qw(client_body proxy fastcgi uwsgi scgi);

    return $conf unless $self->{module};

    # every test can read the status, and the harness reads it at the end

    return $conf . <<'CONF';
server {
    listen      unix:%%TESTDIR%%/status.sock;
    access_log  off;
    recovery    off;

    location = /recovery/status  { recovery_status; }
    location = /recovery/metrics { recovery_status prometheus; }
}
CONF
}


sub write_file {
    my ($self, $name, $text) = @_;

    open my $fh, '>', "$self->{dir}/$name" or die "$name: $!\n";
    print $fh $text;
    close $fh;

    return "$self->{dir}/$name";
}


sub write_file_expand {
    my ($self, $name, $text) = @_;
    return $self->write_file($name, $self->expand($text));
}


sub read_file {
    my ($self, $name) = @_;

    open my $fh, '<', "$self->{dir}/$name" or return '';
    local $/;
    return scalar(<$fh>) // '';
}


sub grep_file {
    my ($self, $name, $re) = @_;
    return grep { /$re/ } split /\n/, $self->read_file($name);
}


# nginx: start, reload, look at its processes, stop

sub run {
    my ($self) = @_;

    unlink "$self->{dir}/status.sock";

    $self->{nginx} = spawn(
        cmd => [$self->nginx_binary(), '-p', "$self->{dir}/", '-c',
                "$self->{dir}/$self->{conf}", '-e', "$self->{dir}/error.log"],
        stdout => "$self->{dir}/stderr.log",
        stderr => "$self->{dir}/stderr.log");

    my $up = poll_until(sub { $self->workers() || !$self->master() }, 15);

    if (!$up || !$self->master()) {
        diag($self->read_file('stderr.log'));
        die "nginx did not start\n";
    }

    return $self;
}


sub master {
    my ($self) = @_;

    my $pid = $self->{nginx} or return undef;

    return waitpid($pid, POSIX::WNOHANG()) == 0 ? $pid : undef;
}


# every process of nginx, or only the workers that take new requests

sub processes { $_[0]{nginx} ? group_pids($_[0]{nginx}) : () }

sub workers {
    my ($self, %o) = @_;

    my $re = $o{all} ? qr/^nginx: worker process/
                     : qr/^nginx: worker process$/;

    return grep { proc_title($_) =~ $re } $self->processes();
}


sub reload {
    my ($self) = @_;

    my %old = map { $_ => 1 } $self->workers();

    kill 'HUP', $self->{nginx};

    return poll_until(sub {
        my @now = $self->workers();
        return @now && !grep { $old{$_} } @now;
    }, 15);
}


# a reload that nginx has to refuse; returns what it said

sub reload_fails {
    my ($self) = @_;

    my $before = length $self->read_file('error.log');
    my $said;

    $self->allow(qr/\[emerg\]/);
    kill 'HUP', $self->{nginx};

    poll_until(sub {
        my $new = substr $self->read_file('error.log'), $before;
        ($said) = $new =~ /(\[emerg\].*)/;
    }, 15);

    return $said;
}


sub kill9_worker {
    my ($self, $pid) = @_;

    my @before = $self->workers();

    $pid //= $before[0];
    $self->allow(qr/worker process \d+ exited on signal 9/);
    kill 'KILL', $pid;

    poll_until(sub {
        my @now = $self->workers();
        return @now >= @before && !grep { $_ == $pid } @now;
    }, 15) or return undef;

    return $pid;
}


sub stop {
    my ($self, %o) = @_;

    my $pid = $self->{nginx} or return 1;

    $self->_check_status() unless $o{no_status_check};

    kill $o{signal} // 'QUIT', $pid;

    my $start = time();
    my ($gone, $status) = reap($pid, $o{deadline_s} // 15);

    $self->{stop_s} = time() - $start;
    $self->_problem("nginx does not stop: " . join ', ',
                    map { proc_title($_) } $self->processes())
        unless $gone;
    $self->_problem("nginx ended with status $status")
        if $gone && $status;

    # the master waits for its workers; who is still there was forgotten

    my $empty = $gone && poll_until(sub { !group_pids($pid) }, 2);

    $self->_problem('process left behind: ' . join ', ',
                    map { "$_ " . proc_title($_) } group_pids($pid))
        if $gone && !$empty;

    group_kill('KILL', $pid);
    reap($pid, 5) unless $gone;
    poll_until(sub { !group_pids($pid) }, 5);
    delete $self->{nginx};

    return $gone;
}


# ends at once, as a crash of the whole machine would

sub kill9_all {
    my ($self) = @_;

    my $pid = delete $self->{nginx} or return;

    kill 'STOP', $pid;
    group_kill('KILL', $pid);
    reap($pid, 5);
    poll_until(sub { !group_pids($pid) }, 5);
}


# what "nginx -t" says to a configuration: (exit code, stderr)

sub config_test {
    my ($self, $conf, %o) = @_;

    my $dir = $self->{dir};
    my $file = $o{file} // 'test.conf';

    $self->write_file_expand($file, $conf);
    unlink "$dir/test.err";

    my $pid = spawn(cmd => [$self->nginx_binary(), '-t', '-p', "$dir/", '-c',
                            "$dir/$file", '-e', "$dir/test-error.log"],
                    stdout => "$dir/test.err", stderr => "$dir/test.err");
    my ($gone, $status) = reap($pid, 20);

    group_kill('KILL', $pid) unless $gone;

    return ($gone ? ($status & 127 ? "signal " . ($status & 127)
                                   : $status >> 8) : 'timeout',
            $self->read_file('test.err'));
}


# children of the test

sub backend {
    my ($self, $port, %o) = @_;

    my $b = Test::Recovery::Backend->new(
        name => "backend$port", stderr => "$self->{dir}/backend.log", %o,
        port => $self->port($port));

    push @{$self->{backends}}, $b;

    return $b;
}


# daemon(8081, sub { my ($listening_socket) = @_; ... }): anything else that
# has to listen, such as a Redis that answers garbage

sub daemon {
    my ($self, $port, $code) = @_;

    my $s = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1',
                                  LocalPort => $self->port($port),
                                  Listen => 128, ReuseAddr => 1)
        or die "daemon: port $port: $!\n";
    my $pid = spawn(code => sub { $code->($s) },
                    stderr => "$self->{dir}/daemon.log");

    close $s;
    push @{$self->{daemons}}, $pid;

    return $pid;
}


sub daemon_stop {
    my ($self, $pid) = @_;

    group_kill('KILL', $pid);
    reap($pid, 5);
    $self->{daemons} = [grep { $_ != $pid } @{$self->{daemons} // []}];
}


# Redis

sub redis_start {
    my ($self, %o) = @_;

    my $name = $o{name} // 'redis';

    if (my $known = $self->{redis}{$name}) {
        $known->start();
        return $known;
    }

    return $self->{redis}{$name} = Test::Recovery::Redis->new(
        %o, name => $name, dir => $self->{dir},
        port => $self->port($o{port} // 6379));
}


sub redis_server { $_[0]{redis}{$_[1] // 'redis'} // die "no such Redis\n" }
sub redis { my $self = shift; $self->redis_server()->cmd(@_) }
sub redis_stop { $_[0]->redis_server($_[1])->stop() }
sub redis_pause { $_[0]->redis_server($_[1])->pause() }
sub redis_resume { $_[0]->redis_server($_[1])->resume() }


# what the operator would type; publish => 0 leaves it to the poll

sub health {
    my ($self, $name, $health, %o) = @_;

    my $prefix = $o{prefix} // 'recovery:';

    $self->redis('HSET', "$prefix$name", 'health', $health);

    return $self->redis('PUBLISH', "${prefix}changed", $name)
        if $o{publish} // 1;
}


# status and metrics

sub _status_get {
    my ($self, $uri) = @_;

    return { status => 0 } unless -S "$self->{dir}/status.sock";

    return $self->http_get($uri, unix => "$self->{dir}/status.sock");
}


sub status {
    my ($self) = @_;

    my $r = $self->_status_get('/recovery/status');

    return undef if $r->{status} != 200;

    return JSON::PP->new->utf8->decode($r->{body});
}


sub backend_status {
    my ($self, $name) = @_;

    my $s = $self->status() or return undef;

    return $s->{backends}{$name};
}


sub class_status {
    my ($self, $backend, $class) = @_;

    my $b = $self->backend_status($backend) or return {};

    return (grep { $_->{name} eq $class } @{$b->{classes}})[0] // {};
}


sub metrics {
    my ($self) = @_;

    my $r = $self->_status_get('/recovery/metrics');

    # one that is not there has no samples, and is not clean

    return Test::Recovery::Prometheus->new($r->{status} == 200 ? $r->{body}
                                                               : '');
}


# waiting: always for something, always with an end

sub wait_for {
    my ($self, $cond, $what, $deadline_s) = @_;

    my $value = poll_until(sub { eval { $cond->() } }, $deadline_s // 10);

    if (!$value) {
        diag('waited in vain' . ($what ? " for $what" : '')
             . ($@ ? ": $@" : ''));
    }

    return $value;
}


sub wait_phase {
    my ($self, $name, $phase, $deadline_s) = @_;

    my $last = 'nothing';

    my $found = poll_until(sub {
        my $b = eval { $self->backend_status($name) } or return 0;

        $last = $b->{phase} // 'null';
        return ref $phase ? $last =~ $phase : $last eq $phase;
    }, $deadline_s // 10);

    diag("waited in vain for \"$name\" to be $phase, it is $last")
        unless $found;

    return $found;
}


sub wait_log {
    my ($self, $re, $deadline_s) = @_;

    return $self->wait_for(sub { ($self->grep_file('error.log', $re))[0] },
                           "$re in error.log", $deadline_s);
}


# the end: what must not be in the log, in flight or alive

sub allow { my $self = shift; push @{$self->{allowed}}, @_ }
sub _problem { my $self = shift; push @{$self->{problems}}, @_ }


sub _check_status {
    my ($self) = @_;

    my $s = eval { $self->status() } or return;

    $self->_problem(status_problems($s));

    poll_until(sub {
        my $now = eval { $self->status() } or return 1;
        $s = $now;
        return !grep { $_->{in_flight} } values %{$now->{backends}};
    }, 5);

    for my $name (sort keys %{$s->{backends}}) {
        my $in_flight = $s->{backends}{$name}{in_flight} or next;
        $self->_problem("\"$name\" still has $in_flight in flight");
    }
}


sub _check_logs {
    my ($self) = @_;

    for my $line ($self->grep_file('error.log',
                                   qr/\[(?:alert|crit|emerg)\]/))
    {
        next if grep { $line =~ $_ } @{$self->{allowed}};
        $self->_problem($line);
    }

    for my $file (qw(error.log stderr.log)) {
        $self->_problem($self->grep_file($file,
            qr/Sanitizer|runtime error:|ERROR SUMMARY: [1-9]/));
    }

    $self->_problem(map { "backend: $_" }
                    $self->grep_file('backend.log', qr/./));
}


sub _finish {
    my ($self) = @_;

    return if $self->{finished}++;

    eval { $self->stop(); 1 } or $self->_problem($@);
    $self->_check_logs();

    $_->stop() for @{$self->{backends}};
    $self->daemon_stop($_) for @{$self->{daemons} // []};
    $_->kill9() for values %{$self->{redis} // {}};
}


sub _keep_or_remove {
    my ($self, $failed) = @_;

    if ($failed || $ENV{TEST_LEAVE}) {
        diag("see $self->{dir}");
        return;
    }

    remove_tree($self->{dir});
}


sub DESTROY {
    my ($self) = @_;

    return if $$ != $OWNER || ${^GLOBAL_PHASE} eq 'DESTRUCT';

    local ($?, $!, $@);
    $self->_finish();
    remove_tree($self->{dir}) unless $ENV{TEST_LEAVE};
}


END {
    if ($$ == $OWNER) {
        my $exit = $?;
        my @all = grep { defined } @objects;

        local $@;
        $_->_finish() for @all;

        my @problems = map { @{$_->{problems}} } @all;

        if (grep { $_->{planned} } @all) {
            ok(!@problems, 'clean end: log, permits, processes');

        } elsif (@problems) {
            $exit ||= 1;
        }

        diag($_) for @problems;

        my $failed = $exit || @problems
                     || !Test::More->builder()->is_passing();

        $_->_keep_or_remove($failed) for @all;
        @objects = ();
        $? = $exit;
    }
}


1;

__END__

=head1 NAME

Test::Recovery - real nginx, real Redis and scripted backends for one test

=head1 SYNOPSIS

    use strict;
    use warnings;

    use FindBin;
    use lib "$FindBin::Bin/lib";
    use Test::More;
    use Test::Recovery;

    my $t = Test::Recovery->new()->plan(2);     # 2 of yours + "clean end"
    my $b = $t->backend(8081);                  # scripted backend
    $t->redis_start();                          # port(6379), redis.sock

    $t->write_file_expand('nginx.conf', <<'EOF');

    %%TEST_GLOBALS%%
    events { }
    http {
        %%TEST_GLOBALS_HTTP%%
        recovery_redis redis://127.0.0.1:%%PORT_6379%% poll=200ms;
        recovery_backend kv { }
        server {
            listen 127.0.0.1:%%PORT_8080%%;
            location / {
                recovery kv;
                proxy_pass http://127.0.0.1:%%PORT_8081%%;
            }
        }
    }

    EOF

    $t->run();
    is($t->http_get('/')->{status}, 200, 'passed');
    $t->health('kv', 'down');                   # HSET and PUBLISH
    ok($t->wait_phase('kv', 'down'), 'down');

Run: C<prove t/> or C<prove -j2 t/x.t> from anywhere.

=head1 ENVIRONMENT

    TEST_NGINX_BINARY   default /usr/sbin/nginx
    TEST_NGINX_MODULE   default build/ngx_http_recovery_module.so
    TEST_NGINX_STATIC   the module is in the binary: no load_module
    TEST_REDIS_BINARY   default redis-server
    TEST_LOG_LEVEL      of error.log, default info
    TEST_SLOW           factor on every deadline, default 1
    TEST_LEAVE          keep the directory of a test that passed

=head1 SET-UP

=over

=item new(no_module => 1)

A directory, and everything in it is ended and removed at the end of the
program. With no_module nginx is stock.

=item plan(N)

N tests of the caller and one more, made at the very end: nginx stops in time,
leaves no process, every backend's in_flight is 0 and the status fits its
schema (when the status could be read), and error.log has no [alert], [crit],
[emerg] that was not allow(qr/../)ed and no report of a sanitizer.

=item write_file(name, text), write_file_expand, read_file, grep_file(name, re)

Files of the directory. Expanded are %%PORT_8080%% (any word: the same word is
the same free port), %%TESTDIR%%, %%TEST_GLOBALS%% (load_module, daemon off,
pid, error_log, user root) and %%TEST_GLOBALS_HTTP%% (temp paths, access_log,
and a server on a unix socket with the status and the metrics for status(),
metrics() and the check at the end).

=item port(8080), dir, root, expand(text), module_path, nginx_binary

=back

=head1 NGINX

    run, stop(signal => 'QUIT', deadline_s => 15, no_status_check => 1)
    reload                  HUP; true when only new workers take requests
    reload_fails            HUP that must be refused; what [emerg] said
    master, workers, workers(all => 1), processes       pids
    kill9_worker([pid])     kill, wait for the successor; the pid killed
    kill9_all               kills master and workers, nobody can clean up
    config_test(conf)       (exit code, stderr) of nginx -t
    $t->{conf}              configuration file, default nginx.conf
    $t->{stop_s}            how long the last stop took

=head1 HTTP

C<%o>: port => 8081 (the symbolic name, default 8080), unix => path, method,
headers => {} or [] of pairs, body, version => '1.0', host, close => 0|1,
timeout. A response is described in L<Test::Recovery::HTTP>: status, headers,
body, error ...

    http_get(uri, %o)               one request, connection closed after it
    http_connect(%o)                a handle for several requests
    http_get(uri, socket => handle) one more request on it
    http_start(uri, %o)             sends, returns a handle
    http_head(handle), http_end(handle, timeout => S)   headers; all of it
    http_raw(handle, bytes), http_close(handle); $h->{s} is the socket
    http_pipeline([uris], %o)       one connection, a list of responses
    http_burst(N, uri, %o)          all at once, a list of responses
    http_burst([uri, [uri, %o]], %o)
    curl(args)                      whatever else; args expanded
    h2(uri, port, method, headers => {}, body)      HTTP/2 by nghttp
    load(rate => N, uris => [..], for => S, timeout => S, headers => {..})
                                    open loop; see Test::Recovery::Load

=head1 BACKENDS, DAEMONS, REDIS

    $b = backend(8081, name => 'a')  see Test::Recovery::Backend
    $pid = daemon(8082, sub { my ($listening_socket) = @_; .. })
    daemon_stop($pid)

    $r = redis_start(conf => "..", name => 'redis2', port => 6380)
    redis(command...)               dies on an error reply
    redis_stop, redis_pause, redis_resume([name]); redis_start() again
    redis_server([name])            the object: url, unix_path, kill9, pid
    health(backend, value, publish => 0, prefix => 'recovery:')

=head1 LOOKING AND WAITING

    status                          decoded JSON or undef
    backend_status(name), class_status(backend, class)
    metrics                         see Test::Recovery::Prometheus
    wait_for(sub {..}, what, deadline_s)    the true value or undef
    wait_phase(backend, phase or qr//, deadline_s)
    wait_log(qr/../, deadline_s)
    slow()                          exported: the factor TEST_SLOW

=cut
