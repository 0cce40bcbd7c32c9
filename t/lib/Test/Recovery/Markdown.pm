package Test::Recovery::Markdown;

# As much of Markdown as t/docs.t has to read.
#
#   without_code(text)          without blocks of code
#   section(text, title)        what stands under a heading
#   headings(text, '##')        of that level; "a, b" are two
#   slugs(text)                 anchors of all headings
#   tables(text)                [[row, ...], ...], a row is a list of cells
#   spans(text, ...)            what stands between backquotes
#   column(table, n)            the spans of one column
#   blocks(file, text, 'nginx') {where, language, text} of each block in a
#                               fence, or of those in that language

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(without_code section headings slugs tables spans column
                 blocks);


sub without_code {
    my ($text) = @_;

    $text =~ s/^```.*?^```$//gms;
    $text =~ s/^ {4}.*$//gm;
    return $text;
}


# the text under a heading, up to the next one of its level or above

sub section {
    my ($text, $title) = @_;

    my ($marks, $rest) = $text =~ /^(##+) \Q$title\E\n(.*)/ms
        or return '';
    my $level = length $marks;

    $rest =~ s/^#{2,$level} .*//ms;
    return $rest;
}


sub headings {
    my ($text, $marks) = @_;
    return map { split /, / } without_code($text) =~ /^\Q$marks\E (.+)$/gm;
}


sub _cells {
    my ($row) = @_;

    $row =~ s/^\|\s*|\s*\|$//g;
    return split /\s*\|\s*/, $row, -1;
}


# tables as lists of rows of cells, without their heads

sub tables {
    my ($text) = @_;

    my @tables;

    while ($text =~ /^\|.*\n\|[-|]+\n((?:\|.*\n)*)/gm) {
        push @tables, [map { [_cells($_)] } split /\n/, $1];
    }

    return @tables;
}


sub spans { return map { /`([^`]+)`/g } grep { defined } @_ }


sub column {
    my ($table, $n) = @_;
    return spans(map { $_->[$n] } @{$table // []});
}


sub slugs {
    my ($text) = @_;
    return map { lc =~ s/[^\w\s-]//gr =~ s/\s/-/gr }
           without_code($text) =~ /^#+ (.+)$/gm;
}


sub blocks {
    my ($file, $text, $language) = @_;

    my @blocks;

    while ($text =~ /^```(\S*)\n(.*?)^```$/gms) {
        my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
        push @blocks, { where => "$file:$line", language => $1, text => $2 };
    }

    return grep { !defined $language || $_->{language} eq $language } @blocks;
}


1;
