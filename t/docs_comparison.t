#!/usr/bin/perl

# Goal: docs/comparison.md claims nothing without a source, and no figure that
# was not measured: every cell about a peer links to where it is from, every
# cell about this module to where it is told, every thread is a link, and the
# bench is that of bench/recovery/RESULTS.md.
# Method: the tables of the text.  What the sources say is for people to read:
# nothing is fetched here.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib";
use Test::Recovery::Markdown;

my $root = "$FindBin::Bin/..";
my $text = slurp('docs/comparison.md');
my $results = slurp('bench/recovery/RESULTS.md');


sub slurp {
    my ($name) = @_;

    open my $fh, '<', "$root/$name" or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


sub defined_sources { return $_[0] =~ /^\[([\w-]+)\]: https:\/\/\S+$/mg }
sub cited { return $_[0] =~ /\[([a-z][\w-]*)\](?![(\[:])/g }


# [feature, this module, peer, ...] of all its tables

sub features {
    my ($text) = @_;
    return map { @$_ } tables(section($text, 'Features'));
}


sub unsourced {
    my ($text) = @_;

    my %known = map { $_ => 1 } defined_sources($text);
    my @problems;

    for my $row (features($text)) {
        my ($what, $ours, @peers) = @$row;

        push @problems, "$what: " . @$row . ' cells' if @$row != 7;
        push @problems, "$what: \"$ours\" is told nowhere"
            if $ours =~ /\Ayes/ && $ours !~ /\]\(/;

        for my $cell (@peers) {
            my @cited = cited($cell);

            push @problems, "$what: \"$cell\" has no source" if !@cited;
            push @problems, map { "$what: no source \"$_\"" }
                            grep { !$known{$_} } @cited;
        }
    }

    return @problems;
}


# a source that nobody cites

sub idle {
    my ($text) = @_;

    my %cited = map { $_ => 1 } cited($text), $text =~ /\]\[([\w-]+)\]/g;

    return grep { !$cited{$_} } defined_sources($text);
}


sub threads_wrong {
    my ($text) = @_;

    my %url = $text =~ /^\[([\w-]+)\]: (\S+)$/mg;
    my ($table) = tables(section($text, 'What users ask for'));

    return map {
        my ($thread, $asks, $here) = @$_;
        my @named = $thread =~ /\[([^\]]*)\]\[([\w-]+)\]/g;
        my @problems = @named ? () : ("$thread: no thread");

        while (my ($name, $id) = splice @named, 0, 2) {
            my ($number) = $name =~ /#(\d+)\z/;

            push @problems, "$name: $id is not a thread of that number"
                if ($url{$id} // '')
                   !~ m{\Ahttps://github\.com/\S+/(?:issues|pull)/$number\z};
        }

        @problems, grep { !/\S/ } $asks, $here;
    } @{$table // []};
}


# rows of the bench, without the ranges that RESULTS.md has

sub bench { return map { [@$_] } @{(tables($_[0]))[0] // []} }


sub bench_wrong {
    my ($text) = @_;

    my ($part) = $text =~ /^<!-- bench:.*?\n(.*?)^<!-- end of bench/ms;
    my @have = map { join ' | ', @$_ } bench($part // '');
    my @want = map { join ' | ', map { s/ \(.*\)\z//r } @$_ } bench($results);

    return map { ($have[$_] // '') eq ($want[$_] // '')
                     ? () : "\"" . ($have[$_] // '') . "\" is \""
                            . ($want[$_] // '') . '"' }
           0 .. ($#have > $#want ? $#have : $#want);
}


# figures of a kind that would have to be measured, outside of the bench

sub figures {
    my ($text) = @_;

    $text =~ s/^<!-- bench:.*?^<!-- end of bench.*?\n//ms;
    return $text =~ /(\d[\d.,]* ?(?:%|r\/s|req\/s|requests a second))/g;
}


sub clean {
    my ($label, @problems) = @_;
    ok(!@problems, $label) or diag(join "\n", @problems);
}


sub caught {
    my ($label, @problems) = @_;
    ok(scalar @problems, "planted: $label");
}


cmp_ok(scalar(features($text)), '>=', 20, 'features');
cmp_ok(scalar(bench($results)), '>=', 4, 'gates of the bench');
clean('every cell has a source', unsourced($text));
clean('every source is cited', idle($text));
clean('threads', threads_wrong($text));
clean('the bench is that of RESULTS.md', bench_wrong($text));
clean('no other figure', figures($text));

caught('a cell without a source',
       unsourced($text =~ s/(\| active probes.*)\[n-hc\]/$1/r));
caught('a source that is none', unsourced($text =~ s/\[n-hc\] \|/[n-hcx] |/r));
caught('a cell too many', unsourced($text =~ s/^(\| active probes)/| x $1/mr));
caught('a claim of ours that is told nowhere',
       unsourced($text =~ s/yes: \[recovery\]\([^)]*\)/yes/r));
caught('a source that is idle', idle("$text\n[x-1]: https://example.com/\n"));
caught('another thread', threads_wrong($text =~ s/issues\/174$/issues\/175/mr));
caught('a better figure', bench_wrong($text =~ s/\| 69 \|/| 96 |/r));
caught('a gate that is left out', bench_wrong($text =~ s/^\| HAProxy.*\n//mr));
caught('a figure of one\'s own', figures("$text\nIt does 40 % more.\n"));

done_testing();
