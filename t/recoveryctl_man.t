#!/usr/bin/perl

# Goal: recoveryctl(1) and recovery-sim(1) are good mdoc, and recoveryctl(1)
# says what the program has: every verb, option, variable of the environment
# and exit code, no more and no fewer; its examples are taken by the program.
# Method: mandoc -Tlint must be silent; names are taken from the sources and
# from --help; each check must catch a planted mistake.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Ctl;

my $t = Test::Recovery->new(no_module => 1)->plan(24);
my $root = $t->root();
my $ctl = Test::Recovery::Ctl->new($t, redis => undef);


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or die "$path: $!\n";
    return scalar do { local $/; <$fh> };
}

my $man = slurp("$root/tools/recoveryctl/recoveryctl.1");
my %source = map { m{([^/]+)$} => slurp($_) }
                 glob("$root/tools/recoveryctl/*.c");


# good mdoc

sub lint {
    my ($text) = @_;

    $t->write_file('page.1', $text);
    return scalar `mandoc -Tlint @{[$t->dir()]}/page.1 2>&1`;
}

for my $page (qw(recoveryctl recovery-sim)) {
    is(lint(slurp("$root/tools/$page/$page.1")), '', "$page(1): not a word");
}

isnt(lint($man =~ s/^\.Sh FILES$/.Sh FILES\n.Nosuch macro/mr), '',
     'planted: a macro that is none');
isnt(lint($man =~ s/^\.El$//mr), '', 'planted: a list without an end');


# A section, up to the next one.

sub section {
    my ($text, $name) = @_;

    my ($body) = $text =~ /^\.Sh \Q$name\E\n(.*?)(?=^\.Sh |\z)/ms
        or die "no section $name\n";

    return $body;
}

# what is wrong between two lists of names

sub differ {
    my ($have, $told) = @_;
    my %have = map { $_ => 1 } @$have;
    my %told = map { $_ => 1 } @$told;

    return join ', ', (map { "$_ is not told" } grep { !$told{$_} }
                       sort keys %have),
                      (map { "$_ is not there" } grep { !$have{$_} }
                       sort keys %told);
}

sub clean {
    my ($what, $problems) = @_;
    is($problems, '', $what);
}

sub caught {
    my ($what, $problems) = @_;
    isnt($problems, '', "planted: $what");
}


# verbs

my ($table) = $source{'main.c'} =~ /verbs\[\] = \{(.*?)\n\};/s;
my @verbs = $table =~ /^ +\{ "([a-z-]+)",/mg;

cmp_ok(scalar @verbs, '>=', 13, 'verbs are found');

sub told_verbs {
    my ($text) = @_;
    return [map { /^(\S+)/ } section($text, 'DESCRIPTION')
                             =~ /^\.It Cm ([a-z].*)$/mg];
}

clean('every verb', differ(\@verbs, told_verbs($man)));
caught('a verb less',
       differ(\@verbs, told_verbs($man =~ s/^\.It Cm audit.*//mr)));
caught('a verb more',
       differ(\@verbs, told_verbs($man =~ s/^\.It Cm audit/.It Cm adit/mr)));

my $synopsis = section($man, 'SYNOPSIS');
clean('every verb in the synopsis',
      join ', ', grep { $synopsis !~ /^\.Cm (?:.* )?\Q$_\E(?: |$)/m } @verbs);


# options

my ($settings) = $source{'settings.c'}
                 =~ /ctl_options_table\[\] = \{(.*?)\n\};/s;
my @options = $settings =~ /^ +\{ "([a-z-]+)",/mg;

cmp_ok(scalar @options, '>=', 25, 'options are found');

sub told_options {
    my ($text) = @_;
    return [map { /Fl Fl ([a-z-]+)/g } section($text, 'DESCRIPTION')
                                       =~ /^(\.It Fl Fl .*)$/mg];
}

clean('every option', differ(\@options, told_options($man)));
caught('an option less',
       differ(\@options, told_options($man =~ s/^\.It Fl Fl wait.*//mr)));
caught('an option more',
       differ(\@options,
              told_options($man =~ s/^\.It Fl Fl wait/.It Fl Fl await/mr)));


# environment, exit codes

my %known = map { $_ => 1 } join("\n", values %source)
                            =~ /getenv\("([A-Z_]+)"\)/g;
$known{$_} = 1 for $source{'secrets.c'}
                   =~ /"(SUDO_USER|USER|LOGNAME)"/g;
$known{PATH} = 1;

sub told_environment {
    my ($text) = @_;
    return [map { split / , / } section($text, 'ENVIRONMENT')
                                =~ /^\.It Ev (.*)$/mg];
}

clean('every variable', differ([keys %known], told_environment($man)));
caught('a variable less',
       differ([keys %known],
              told_environment($man =~ s/^\.It Ev NO_COLOR//mr)));

my @codes = slurp("$root/tools/recoveryctl/ctl.h")
            =~ /^#define CTL_[A-Z]+ +(\d)/mg;

clean('every exit code',
      differ(\@codes, [section($man, 'EXIT STATUS') =~ /^\.It (\d+)$/mg]));


# The examples: nobody is there to be asked, but the words are right.

my $examples = section($man, 'EXAMPLES');
$examples =~ s/^\.Dl //mg;
$examples =~ s/\\\(dq/"/g;
$examples =~ s/\\e\n\s*/ /g;

my @lines = $examples =~ /^(recoveryctl .*)$/mg;
my @bad;

cmp_ok(scalar @lines, '>=', 8, 'examples');

sub example {
    my ($line) = @_;

    $line =~ s{ >> \S+}{};
    $line =~ s{http://10\.0\.0\.\d/}{http://127.0.0.1:1/}g;
    $line =~ s{/etc/nginx/nginx\.conf}{@{[$t->dir()]}/nginx.conf};
    $line =~ s{^recoveryctl}{$root/build/recoveryctl};

    my $out = `RECOVERY_REDIS=redis://127.0.0.1:1 $line 2>&1`;

    return $? >> 8 == 3 || $? == 0 ? () : ("$line\n$out");
}

$t->write_file('nginx.conf', "http { }\n");
is(join("\n", map { example($_) } @lines), '', 'every example is taken');
isnt(join("\n", example('recoveryctl dwon kv --reason x')), '',
     'planted: an example with a wrong verb');
isnt(join("\n", example('recoveryctl down kv --raeson x')), '',
     'planted: an example with a wrong option');


# --help says the same

my $help = $ctl->run('--help')->{out};
clean('every verb in --help',
      join ', ', grep { $help !~ /^  \Q$_\E /m } @verbs);

my $all = join '', map { $ctl->run($_, '--help')->{out} } @verbs[0 .. 10];
clean('every option in the help of verbs',
      join ', ', grep { $all !~ /^  --\Q$_\E /m } @options);
clean('every exit code in --help',
      join ', ', grep { $help !~ /\b$_ [a-z]/ } @codes);

my $page = `mandoc -Tascii $root/tools/recoveryctl/recoveryctl.1`
           =~ s/.\x08//gr;
my ($longest) = sort { $b <=> $a } map { length } split /\n/, $page;
cmp_ok($longest, '<=', 80, 'in 80 columns');
