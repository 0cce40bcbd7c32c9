package Test::Recovery::Config;

# Tables of configuration snippets for nginx -t.
#
#   good($t, context => snippet [, label])
#   bad($t, context => snippet, qr/what the message says/ [, label])
#
# Contexts: main, http, policy (inside recovery_policy p), backend (inside
# recovery_backend b), upstream, server, location.  Around the snippet stands a
# configuration in which the policy "p" and the backend "kv" are known.
#
# "recoveryctl check" reads the same files: it must refuse nothing that nginx
# takes, and of policies, backends and their names refuse the same, at the
# same line and with the same words.

use strict;
use warnings;

use Exporter 'import';
use Test::More import => [qw(ok diag)];

our @EXPORT = qw(good bad);


sub _conf {
    my ($context, $snippet) = @_;

    my %part = map { $_ => '' } qw(main http server location);

    $part{http} = "recovery_backend kv {\n}";

    if ($context eq 'policy') {
        $part{http} .= "\nrecovery_policy p {\n<<\n$snippet\n>>\n}";

    } elsif ($context eq 'backend') {
        $part{http} .= "\nrecovery_policy p {\n}"
                       . "\nrecovery_backend b {\n<<\n$snippet\n>>\n}";

    } elsif ($context eq 'upstream') {
        $part{http} .= "\nupstream u {\nserver 127.0.0.1:1;"
                       . "\n<<\n$snippet\n>>\n}";

    } elsif ($context eq 'http') {
        $part{http} .= "\n<<\n$snippet\n>>";

    } else {
        $part{$context} = "<<\n$snippet\n>>";
    }

    return <<"EOF2";
%%TEST_GLOBALS%%
$part{main}
events {
}
http {
%%TEST_GLOBALS_HTTP%%
$part{http}
server {
listen 127.0.0.1:%%PORT_8080%%;
$part{server}
location /l {
$part{location}
}
}
}
EOF2
}


# the lines that the snippet stands on; an error of a whole block may be
# told at its first or last line, which are the ones beside the markers

sub _place {
    my ($t, $conf) = @_;

    my @lines = split /\n/, $t->expand($conf), -1;
    my ($first, $last);

    for my $i (0 .. $#lines) {
        $first = $i + 1 if $lines[$i] eq '<<';
        $last = $i + 1 if $lines[$i] eq '>>';
    }

    s/^(?:<<|>>)$// for @lines;

    return (join("\n", @lines), $first - 1, $last + 1);
}


sub _label {
    my ($snippet, $label) = @_;

    return $label if defined $label;

    $snippet =~ s/\s+/ /g;

    return length $snippet > 60 ? substr($snippet, 0, 57) . '...' : $snippet;
}


# the errors of "recoveryctl check" for what nginx -t has just read

sub _check {
    my ($t) = @_;

    my $ctl = $t->root() . '/build/recoveryctl';
    my $out = `$ctl check @{[$t->dir()]}/test.conf 2>&1`;

    return grep { !/^\S+: warning: / && !/ 0 errors, \d+ warnings?$/ }
           split /\n/, $out;
}


# What "check" is to judge, too.  A variable that nobody has made is found by
# nginx alone; a policy that is none is told at the line that names it.

sub _differs {
    my ($t, $context, $snippet, $err) = @_;

    return unless $context =~ /^(?:policy|backend)$/
                  || $context ne 'main'
                     && $snippet =~ /^recovery(?:_policy|_backend|)\b/;
    return if $err =~ /\[emerg\] unknown "\w+" variable$/m;

    my ($what, $place) = $err =~ /\[emerg\] (?:\d+#\d+: )?(.*) in (\S+:\d+)$/m
        or return;
    my ($first) = _check($t);

    $first //= 'nothing';
    s/, known are: .*// for $what, $first;

    return if $first eq "$place: $what"
              || $what =~ /unknown policy/ && $first =~ /: \Q$what\E$/;

    return "recoveryctl check says $first";
}


sub good {
    my ($t, $context, $snippet, $label) = @_;

    my ($conf) = _place($t, _conf($context, $snippet));
    my ($code, $err) = $t->config_test($conf);
    my @refused = _check($t);

    ok($code eq '0' && !@refused, 'good: ' . _label($snippet, $label))
        or diag(join("\n", $err, @refused));
}


sub bad {
    my ($t, $context, $snippet, $re, $label) = @_;

    my ($conf, $first, $last) = _place($t, _conf($context, $snippet));
    my ($code, $err) = $t->config_test($conf);
    my ($line) = $err =~ /\[emerg\][^\n]*in \S+test\.conf:(\d+)$/m;
    my @faults;

    push @faults, "exit code is $code, must be 1" if $code ne '1';
    # nginx itself finds unknown variables at the end, and names no line

    push @faults, 'no line is named'
        unless $line || $err =~ /\[emerg\] unknown "\w+" variable$/m;
    push @faults, "line $line is named, must be $first to $last"
        if $line && ($line < $first || $line > $last);
    push @faults, "the message must be like $re" if $err !~ /\[emerg\].*$re/;
    push @faults, _differs($t, $context, $snippet, $err);

    ok(!@faults, 'bad: ' . _label($snippet, $label))
        or diag(join("\n", @faults, $err));
}


1;
