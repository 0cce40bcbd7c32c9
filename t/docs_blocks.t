#!/usr/bin/perl

# Goal: no block in README.md, demo/ and docs/ is only to be looked at.  Commands are
# run, examples of nginx are tested, the rest is no command.
# Method: every block stands in a fence that tells what it is, and for each
# kind there is a test.  Who runs the commands of which document is said here;
# what is not run is on a list, with the reason.  Each check must not be
# content with one planted mistake.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Glob qw(bsd_glob);
use Test::More;

use Test::Recovery;
use Test::Recovery::Commands qw(@NOT_RUN not_run commands);
use Test::Recovery::Markdown;

my $root = Test::Recovery->root();

# kind => who looks at it

my %KINDS = (
    sh => 'the tests below',
    nginx => 't/docs.t',
    syntax => 't/docs_reference.t',
    redis => 't/docs_security.t',
    ini => 't/docs_security.t',
    promql => 't/docs_capacity.t',
    yaml => 't/alerts.t',
    text => 'this test: it has no commands',
);

my %RUN = (
    'README.md' => 't/docs_commands.t',
    'demo/README.md' => 't/docs_commands.t',
    'docs/capacity.md' => 't/docs_capacity.t',
    'docs/directives.md' => 't/docs_commands.t',
    'docs/dry-run.md' => 't/dry_run_guide.t',
    'docs/redis.md' => 't/docs_redis.t',
    'docs/security.md' => 't/docs_security.t',
    'docs/operations.md' => 't/operations.t',
);

# what begins like this is a command

my $COMMAND = qr{^\s*(?:\$ |sudo |(?:make|redis-cli|curl|nginx|apt|apt-get|awk
                |grep|install|systemctl|openssl|chmod|chown|promtool|journalctl
                |(?:build/)?recovery(?:-sim|ctl)|echo|kill|cat)\s)}x;


sub slurp {
    my ($name) = @_;

    open my $fh, '<', "$root/$name" or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}


# text that is indented like a block and stands in no fence

sub indented {
    my ($file, $text) = @_;

    my ($in, $line) = (0, 0);
    my @problems;

    for (split /\n/, $text) {
        $line++;
        $in = !$in if /^```/;
        push @problems, "$file:$line: a block without a fence"
            if !$in && /^(?: {4}|\t)/;
    }

    return @problems, $in ? "$file: a fence that is not closed" : ();
}


sub unknown {
    my ($file, $text) = @_;

    return map { "$_->{where}: a block of \"$_->{language}\"" }
           grep { !$KINDS{$_->{language}} } blocks($file, $text);
}


sub disguised {
    my ($file, $text) = @_;

    return map { "$_->{where}: a command in a block of text" }
           grep { $_->{text} =~ /$COMMAND/m } blocks($file, $text, 'text');
}


# a document with commands has a test that follows it

sub not_followed {
    my ($file, $text, $by) = @_;

    return () if !commands($file, $text);
    return "$file: nothing runs its commands" if !$by;
    return "$file: $by is not there" if !-f "$root/$by";
    return slurp($by) =~ /->follow\('\Q$file\E',/
        ? () : "$by does not follow $file";
}


# the list: each is there, once, and has a reason

sub list_wrong {
    my ($list, %doc) = @_;

    return map {
        my ($file, $begins, $why) = @$_;
        my $n = grep { index($_->{text}, $begins) == 0 }
                blocks($file, $doc{$file} // '', 'sh');

        (($n == 1 ? () : "$file has \"$begins\" $n times"),
         (length($why // '') >= 20 ? () : "$file, \"$begins\": why?"));
    } @$list;
}


sub clean {
    my ($label, @problems) = @_;
    ok(!@problems, $label) or diag(join "\n", @problems);
}


sub caught {
    my ($label, $what, @problems) = @_;
    ok(scalar(grep { /$what/ } @problems), "planted: $label")
        or diag(join "\n", 'problems:', @problems);
}


my @files = ('README.md', 'demo/README.md',
             map { s{^\Q$root/\E}{}r } sort { $a cmp $b }
             bsd_glob("$root/docs/*.md"));
my %doc = map { $_ => slurp($_) } @files;

cmp_ok(scalar @files, '>=', 4, 'documents');
cmp_ok(scalar(map { blocks($_, $doc{$_}) } @files), '>=', 60, 'blocks');

for my $file (@files) {
    clean("$file: fences", indented($file, $doc{$file}));
    clean("$file: kinds", unknown($file, $doc{$file}));
    clean("$file: no command in text", disguised($file, $doc{$file}));
    clean("$file: run", not_followed($file, $doc{$file}, $RUN{$file}));
}

clean('what is not run', list_wrong(\@NOT_RUN, %doc));
clean('no test for a document that is not there',
      grep { !$doc{$_} } sort keys %RUN);
cmp_ok(scalar @NOT_RUN, '<=', 3, 'a short list');

# one mistake each

my $fence = '```';
my ($nobody) = grep { !$RUN{$_} } 'docs/nobody.md';
my $block = "${fence}sh\ntrue\n$fence\n";

caught('a block without a fence', qr/without a fence/,
       indented('x.md', "a\n\n    redis-cli PING\n\nb\n"));
caught('a fence that is open', qr/not closed/,
       indented('x.md', "${fence}sh\ntrue\n"));
caught('no kind', qr/block of ""/, unknown('x.md', "$fence\ntrue\n$fence\n"));
caught('an unknown kind', qr/block of "bash"/,
       unknown('x.md', "${fence}bash\ntrue\n$fence\n"));
caught('a command in text', qr/a command/,
       disguised('x.md', "${fence}text\nredis-cli PING\n$fence\n"));
caught('a prompt', qr/a command/,
       disguised('x.md', "${fence}text\n\$ true\n$fence\n"));
caught('a document that nobody runs', qr/nothing runs/,
       not_followed($nobody, $block, $RUN{$nobody}));
caught('a test that is not there', qr/is not there/,
       not_followed($nobody, $block, 't/nobody.t'));
caught('a test that runs something else', qr/does not follow/,
       not_followed($nobody, $block, 't/exports.t'));
caught('a stale entry of the list', qr/0 times/,
       list_wrong([['README.md', 'make coffee', 'x' x 20]], %doc));
caught('an entry for all', qr/[2-9]\d* times/,
       list_wrong([['docs/operations.md', '', 'x' x 20]], %doc));
caught('no reason', qr/why/, list_wrong([[@{$NOT_RUN[0]}[0, 1]]], %doc));

# the runner: a document in which one thing is wrong

my $t = Test::Recovery->new(scratch => 1);
my $c = Test::Recovery::Commands->new($t, 'redis-cli' => '-p %%PORT_6379%%');
my $does = sub { $_[0] =~ /done/ };


sub one { return (blocks('x.md', "${fence}sh\n$_[0]\n$fence\n", 'sh'))[0] }


$t->redis_start();

clean('a command that does it',
      $c->problems(one('redis-cli ECHO done'), qr/^redis/, $does));
caught('a command that is none', qr/exit status 127/,
       $c->problems(one('rediscli ECHO done'), qr/^redis/, $does));
caught('an option that is none', qr/exit status [1-9]/,
       $c->problems(one('redis-cli --colour ECHO done'), qr/^redis/, $does));
caught('an error of Redis', qr/exit status [1-9]/,
       $c->problems(one('redis-cli HSET recovery:kv'), qr/^redis/, $does));
caught('the first of two fails', qr/exit status [1-9]/,
       $c->problems(one("false\necho done"), qr/^false/, $does));
caught('it says something else', qr/has not done it/,
       $c->problems(one('redis-cli ECHO none'), qr/^redis/, $does));
caught('another block', qr/another block/,
       $c->problems(one('redis-cli ECHO done'), qr/^nginx/, $does));
caught('one that should fail', qr/exit status 0/,
       $c->problems(one('echo done'), qr/^echo/, $does, fails => 1));

$t->redis_stop();
done_testing();
