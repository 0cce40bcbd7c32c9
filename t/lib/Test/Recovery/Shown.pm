package Test::Recovery::Shown;

# Rows of a table whose last cell names what shows them, as in
#
#   `t/crash.t` "within two seconds", "it serves"; `t/reload.t`
#
#   unproved($root, $columns, @rows)    what is wrong with them, as a list
#
# A file has to be there, and each name to stand in a string of its code.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(unproved);


sub _code {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return <$fh> =~ s/^\s*#.*//mgr;
}


sub _named {
    my ($root, $what, $test, $names) = @_;

    return "$what: $test does not exist" if !-f "$root/$test";

    my $code = _code("$root/$test");

    return map { "$what: $test has no \"$_\"" }
           grep { $code !~ /['"][^'"\n]*\Q$_\E/ && $code !~ /"\Q$_\E/ }
           $names =~ /"([^"]*)"/g;
}


sub unproved {
    my ($root, $columns, @rows) = @_;

    my @problems;

    for my $row (@rows) {
        my ($what, $by) = @$row[0, -1];
        my @named = $by =~ /`(t\/[\w.]+)`((?:,? "[^"]*")*)/g;

        push @problems, "$what: names no test" if !@named;
        push @problems, "$what: " . @$row . ' columns' if @$row != $columns;

        while (my ($test, $names) = splice @named, 0, 2) {
            push @problems, _named($root, $what, $test, $names);
        }
    }

    return @problems;
}


1;
