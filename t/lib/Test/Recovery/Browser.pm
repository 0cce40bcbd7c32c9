package Test::Recovery::Browser;

# A real Chromium, driven by t/browser/drive.mjs with playwright-core.
#
#   browser_or_skip()      before the plan: skips the whole file, with why; or
#                          dies, where RCV_PAGE_REQUIRED is set
#   $b = Test::Recovery::Browser->new(ERROR_FILE)
#   $b->open(url => .., width => 1280, dark => 0, js => 1, calm => 0, lie => ..)
#   $b->eval('JavaScript')        its value
#   $b->text('#id')               of an element, undef when there is none
#   $b->wait('JavaScript', SECONDS)      until it is true: its value, or undef
#   $b->call('press', key => 'Tab')      whatever else drive.mjs can
#   $b->seen()             problems in the console, requests, last JSON body
#   $b->close()

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use IO::Select;
use JSON::PP;
use Test::More import => [qw(plan diag)];
use Time::HiRes qw(time);

use Test::Recovery::Process qw(slow poll_until group_kill reap);

our @EXPORT_OK = qw(browser_or_skip);

my $FOLDER = abs_path(dirname(__FILE__) . '/../../..') . '/browser';
my $ANSWER_S = 60;

my $json = JSON::PP->new->utf8->allow_nonref;


sub find {
    my (@names) = @_;

    for my $name (@names) {
        for my $dir (split(/:/, $ENV{PATH}), '/usr/bin') {
            return "$dir/$name" if -x "$dir/$name";
        }
    }

    return undef;
}


sub installed { -f "$FOLDER/node_modules/playwright-core/package.json" }


# npm brings no browser: some files from its registry. Several tests at a time
# do it once.

sub install {
    open my $lock, '<', "$FOLDER/package.json" or return;
    flock $lock, LOCK_EX;
    system("cd '$FOLDER' && timeout 300 npm ci --no-audit --no-fund"
           . ' >/dev/null 2>&1') if !installed();
}


sub missing {
    return 'node is not installed' if !find('node');
    return 'chromium is not installed' if !find('chromium');
    return undef if installed();
    return 'npm is not installed' if !find('npm');

    install();

    return installed() ? undef : 'playwright-core cannot be installed by npm';
}


sub browser_or_skip {
    my $why = missing() or return;

    die "$why, and must be: make test-full installs it\n"
        if $ENV{RCV_PAGE_REQUIRED};

    plan(skip_all => "$why; make test-full installs it");
}


sub new {
    my ($class, $log) = @_;

    pipe my $from, my $child_out or die "pipe: $!\n";
    pipe my $child_in, my $to or die "pipe: $!\n";

    my $pid = fork() // die "fork() failed: $!\n";

    if ($pid == 0) {
        setpgrp(0, 0);
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
        open STDIN, '<&', $child_in or POSIX::_exit(126);
        open STDOUT, '>&', $child_out or POSIX::_exit(126);
        open STDERR, '>>', $log or POSIX::_exit(126);
        close $_ for $from, $to, $child_in, $child_out;

        # Chromium's own sandbox does not work for root

        exec find('node'), "$FOLDER/drive.mjs", find('chromium'),
             $> == 0 ? '--no-sandbox' : (), '--disable-dev-shm-usage';
    }

    setpgrp($pid, $pid);
    close $child_in;
    close $child_out;
    $to->autoflush(1);

    return bless { pid => $pid, from => $from, to => $to, rest => '',
                   owner => $$ }, $class;
}


sub call {
    my ($self, $do, %o) = @_;

    print {$self->{to}} $json->encode({ do => $do, %o }), "\n";

    my $select = IO::Select->new($self->{from});
    my $end = time() + $ANSWER_S * slow();

    while (index($self->{rest}, "\n") < 0) {
        die "browser: no answer to $do\n"
            if !$select->can_read($end - time());
        sysread($self->{from}, $self->{rest}, 65536, length $self->{rest})
            or die "browser: it has gone away at $do\n";
    }

    my ($line, $rest) = split /\n/, $self->{rest}, 2;
    my $reply = $json->decode($line);

    $self->{rest} = $rest;
    die "browser: $do: $reply->{error}\n" if $reply->{error};

    return $reply->{value};
}


sub open { my $self = shift; return $self->call('open', @_) }
sub eval { $_[0]->call('eval', code => $_[1]) }
sub press { $_[0]->call('press', key => $_[1]) }
sub seen { $_[0]->call('seen') }


sub text {
    my ($self, $selector) = @_;

    return $self->eval('document.querySelector(' . $json->encode($selector)
                       . ')?.textContent ?? null');
}


sub wait {
    my ($self, $code, $deadline_s) = @_;

    my $value = poll_until(sub { $self->eval($code) }, $deadline_s // 15);

    diag("waited in vain for $code") if !$value;

    return $value;
}


sub close {
    my ($self) = @_;

    return if !$self->{pid} || $$ != $self->{owner};

    my $pid = delete $self->{pid};

    local ($@, $!, $?);
    local $SIG{PIPE} = 'IGNORE';
    print {$self->{to}} qq({"do":"close"}\n);
    reap($pid, 10);
    group_kill('KILL', $pid);
    reap($pid, 5);
}


sub DESTROY { $_[0]->close() }


1;
