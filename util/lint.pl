#!/usr/bin/perl
#
# lint.pl: what can be told from the text of the C sources alone: arrows
# between the rooms of the house, and layout.  Prints "file:line: what" and
# exits 1 when there is anything to say.

use strict;
use warnings;

my $COLUMNS_MAX = 80;

my %ROOM_OF_DIR = (
    'lua-free-policies' => 'core',
    'ngx_recovery_module' => 'shell',
);

# What the core may include: its own headers, and these.  That <stdio.h> is
# there for snprintf alone is seen by what the objects call.

my %CORE_INCLUDES = map { $_ => 1 } qw(
    ctype.h inttypes.h limits.h math.h pcre2.h stdalign.h stdarg.h
    stdatomic.h stdbool.h stddef.h stdint.h stdio.h string.h
);

# Further includes, for one file each, and why.

my %CORE_INCLUDES_OF_FILE = (
    'pattern.c' => { 'stdlib.h' => 'calloc, when the configuration is read' },
    'policy_trust.c' => { 'arpa/inet.h' => 'inet_pton: text to an address' },
);

my $bad = 0;


sub say_bad {
    my ($file, $line, $what) = @_;

    print "$file:$line: $what\n";
    $bad = 1;
}


# Blanks out comments, and strings except those of #include, line by line.

sub code_of {
    my ($text) = @_;

    $text =~ s{
        ( /\* .*? \*/ )
        | ( ^ [ ]* \# [ ]* include [^\n]* )
        | ( " (?: [^"\\\n] | \\. )* " | ' (?: [^'\\\n] | \\. )* ' )
    }{
        defined $2 ? $2 : defined $3 ? '""' : ($1 =~ s/[^\n]//gr)
    }gemsx;

    return split /\n/, $text, -1;
}


sub check_layout {
    my ($file, @lines) = @_;

    for my $i (0 .. $#lines) {
        my $line = $lines[$i];

        say_bad($file, $i + 1, "longer than $COLUMNS_MAX columns")
            if length $line > $COLUMNS_MAX;
        say_bad($file, $i + 1, 'tab') if $line =~ /\t/;
        say_bad($file, $i + 1, 'trailing blank') if $line =~ /[ \r]$/;
    }

    say_bad($file, scalar @lines, 'no newline at the end of the file')
        if @lines && $lines[-1] ne '';
}


sub check_core {
    my ($file, $code) = @_;

    my ($name) = $file =~ m{([^/]+)$};
    my $more = $CORE_INCLUDES_OF_FILE{$name} // {};

    for my $i (0 .. $#$code) {
        my $line = $code->[$i];

        if ($line =~ /^\s*#\s*include\s*<([^>]+)>/) {
            say_bad($file, $i + 1, "the core must not include <$1>")
                unless $CORE_INCLUDES{$1} || $more->{$1};

        } elsif ($line =~ /^\s*#\s*include\s*"([^"]+)"/) {
            say_bad($file, $i + 1,
                    "the core includes only its own headers, not \"$1\"")
                unless -f "lua-free-policies/$1" && $1 !~ m{/};
        }

        say_bad($file, $i + 1, "the core knows no nginx: $1")
            if $line =~ /\b(ngx_\w+|NGX_\w+)/;
    }
}


sub check_file {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    my $text = do { local $/; <$fh> };
    close $fh;

    my @code = code_of($text);

    check_layout($file, split /\n/, $text, -1);

    for my $i (0 .. $#code) {
        say_bad($file, $i + 1, 'comments are /* */')
            if $code[$i] =~ m{//} && $code[$i] !~ /^\s*#\s*include/;
    }

    my ($dir) = $file =~ m{^([^/]+)/};
    my $room = $ROOM_OF_DIR{$dir // ''} // '';

    check_core($file, \@code) if $room eq 'core';
}


check_file($_) for @ARGV;
exit $bad;
