package Test::Recovery::Commands;

# The blocks of commands of a document, run as they stand.
#
#   my $c = Test::Recovery::Commands->new($t, nginx => ..., curl => ...);
#
# leads programs to those of the test: each gets the words given here before
# its own.  A reply of Redis that is an error, and an answer of nginx of 400
# and above, is a failure; recoveryctl waits longer for a slow machine.
#
#   $c->places('/etc/nginx' => ..., '10.0.0.1:6379' => ...)
#   $c->led($text)
#
# leads files and addresses in the same way: the former are the latter in what
# is run, those first that are named first, and in a text.
#
#   $c->follow($file, [qr/begins/, sub { ... }, before => sub { ... },
#                      fails => 1], ...);
#
# One test for each block of the document: it begins as said, all of its
# commands succeed (or, with "fails", the last one does not), and what they
# said makes the sub true.  As many steps as blocks are one more test.
# tests(@steps) is their number.  Blocks of @NOT_RUN have no step.
#
#   $c->problems($block, @step)     the same for one block, as a list
#   $c->sh($commands)               what they said, and the exit status

use strict;
use warnings;

use Exporter 'import';
use Test::More import => [qw(diag is ok)];

use Test::Recovery::Markdown;

our @EXPORT_OK = qw(@NOT_RUN not_run commands);

my %ALWAYS = ('redis-cli' => '-e', curl => '--fail-with-body');

my $PATIENT = <<'EOF2';
case " $* " in
*" --wait "*|" status "*|" audit "*|" check "*|" simulate "*) ;;
*) set -- "$@" --wait 60s ;;
esac
EOF2


# [file, how the block begins, why it is not run]

our @NOT_RUN = (
    ['README.md', 'make run ', 'each has its own test: t/run.t and t/demo.t,'
     . ' and make test is what runs this; make bench-recovery takes 9 minutes.'
     . ' t/docs_commands.t looks whether make knows them'],
);


sub not_run {
    my ($file, $text) = @_;

    return grep { $_->[0] eq $file && index($text, $_->[1]) == 0 } @NOT_RUN;
}


# the blocks that have to be run

sub commands {
    my ($file, $text) = @_;
    return grep { !not_run($file, $_->{text}) } blocks($file, $text, 'sh');
}


sub new {
    my ($class, $t, %led) = @_;

    my $self = bless { t => $t, places => [] }, $class;
    my $bin = $t->dir() . '/bin';

    mkdir $bin or die "mkdir: $!\n";

    for my $name (sort keys %led) {
        my ($real) = $name eq 'nginx' ? $t->nginx_binary()
                     : grep { -x } $t->root() . "/build/$name",
                                   map { "$_/$name" } split /:/, $ENV{PATH};

        die "$name is not there\n" if !$real;

        my $words = join ' ', grep { defined } $ALWAYS{$name}, $led{$name};

        chmod 0755, $t->write_file_expand(
            "bin/$name", "#!/bin/sh\n"
            . ($name eq 'recoveryctl' ? $PATIENT : '')
            . "exec $real $words \"\$\@\"\n");
    }

    $ENV{PATH} = "$bin:$ENV{PATH}";
    delete @ENV{grep { /^MAKE|^MFLAGS$/ } keys %ENV};

    return $self;
}


sub places {
    my ($self, @places) = @_;

    while (my ($from, $to) = splice @places, 0, 2) {
        push @{$self->{places}}, [$from, $to];
    }
}


sub led {
    my ($self, $text) = @_;

    my %to = map { @$_ } @{$self->{places}};
    my $from = join '|', map { quotemeta $_->[0] } @{$self->{places}};

    $text =~ s/($from)/$to{$1}/g if $from ne '';

    return $self->{t}->expand($text);
}


sub sh {
    my ($self, $commands) = @_;

    my $dir = $self->{t}->dir();
    my $script = $self->{t}->write_file('block.sh', $self->led($commands));

    system("cd $dir && /bin/sh -e $script > out 2>&1 < /dev/null");

    return ($self->{t}->read_file('out'), $? >> 8);
}


sub problems {
    my ($self, $block, $begins, $does, %o) = @_;

    return "$block->{where}: another block was expected"
        if $block->{text} !~ $begins;

    $o{before}->() if $o{before};

    my ($said, $status) = $self->sh($block->{text});

    return "$block->{where}: exit status $status: $said"
        if !$status != !$o{fails};

    return $does->($said) ? () : "$block->{where}: has not done it: $said";
}


sub tests { return scalar @_ }              # itself is the count of blocks


sub follow {
    my ($self, $file, @steps) = @_;

    open my $fh, '<', $self->{t}->root() . "/$file" or die "$file: $!\n";
    my @blocks = commands($file, do { local $/; <$fh> });

    is(scalar @blocks, scalar @steps, "$file: blocks of commands");

    for my $step (@steps) {
        my $block = shift @blocks // { where => $file, text => '' };
        my ($first) = $block->{text} =~ /\A(.*)/;
        my @problems = $self->problems($block, @$step);

        ok(!@problems, "$block->{where}: $first")
            or diag(join "\n", @problems);
    }
}


1;
