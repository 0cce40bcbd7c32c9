#!/usr/bin/perl

# Goal: whatever is wrong in a recovery_policy is refused by nginx -t, with
# the file, the line, the word that is wrong and what is allowed instead.
# Method: a table of one fault a row; the pattern is the least that a person
# needs to mend the line without the manual.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;
use Test::Recovery::Config;

my $ALLOWED = qr/must|expected|allowed|known are|it takes|supported/i;

# the word in quotes and, somewhere, what is allowed

sub says {
    my ($word) = @_;
    return qr/(?=.*"[^"]*\Q$word\E[^"]*")(?=.*$ALLOWED)/;
}

my $TWICE = qr/duplicate|twice|already/i;
my $RISING = qr/rise|rising|grow|greater|higher|above/i;
my $MISSING = qr/must|expected|allowed|missing|number of arguments/i;

my @faults = (

    # the block itself

    [http => 'recovery_policy;', qr/opening "\{"/],
    [http => 'recovery_policy { }', $MISSING],
    [http => 'recovery_policy a b { }', $MISSING],
    [http => 'recovery_policy "a b" { }', says('a b')],
    [http => 'recovery_policy "" { }', $ALLOWED],
    [http => 'recovery_policy -x { }', says('-x')],
    [http => 'recovery_policy ' . 'n' x 300 . ' { }', $ALLOWED, 'long name'],
    [http => "recovery_policy a { }\nrecovery_policy a { }",
     qr/\ba".*$TWICE|$TWICE.*"a"/],
    [server => 'recovery_policy a { }', qr/not allowed here/],
    [location => 'recovery_policy a { }', qr/not allowed here/],
    [policy => 'foo bar;', says('foo')],
    [policy => 'ramp from=2% { }', qr/\{|block|ramp/],

    # ramp

    [policy => 'ramp;', $MISSING],
    [policy => 'ramp fast;', says('fast')],
    [policy => 'ramp speed=2;', says('speed=2')],
    [policy => 'ramp from=0%;', says('0%')],
    [policy => 'ramp from=2;', says('2')],
    [policy => 'ramp from=101%;', says('101%')],
    [policy => 'ramp from=-1%;', says('-1%')],
    [policy => 'ramp from=%;', says('%')],
    [policy => 'ramp from=;', $ALLOWED],
    [policy => 'ramp from=2x;', says('2x')],
    [policy => 'ramp double=0s;', says('0s')],
    [policy => 'ramp double=fast;', says('fast')],
    [policy => 'ramp double=1y9;', says('1y9')],
    [policy => 'ramp double=-1s;', says('-1s')],
    [policy => 'ramp over=0s;', says('0s')],
    [policy => 'ramp over=99999999999s;', says('99999999999s')],
    [policy => 'ramp over=60s double=1s;', qr/over.*double|double.*over/],
    [policy => 'ramp steps=50%:1s,100% double=1s;', qr/steps/],
    [policy => 'ramp steps=50%:1s,100% over=1s;', qr/steps/],
    [policy => 'ramp steps=;', qr/steps/],
    [policy => 'ramp steps=foo;', says('foo')],
    [policy => 'ramp steps=25%:30s,5%:60s,100%;', $RISING],
    [policy => 'ramp steps=5%:30s,5%:60s,100%;', $RISING],
    [policy => 'ramp steps=5%:30s,50%:60s;', qr/100 ?%/],
    [policy => 'ramp steps=5%,100%;', qr/steps|duration|time/],
    [policy => 'ramp steps=5%:30s,200%;', says('200%')],
    [policy => 'ramp steps=5%:30s,,100%;', qr/steps/],
    [policy => 'ramp verify=soon;', says('soon')],
    [policy => 'ramp from=1% from=2%;', qr/from.*$TWICE|$TWICE.*from/],
    [policy => "ramp from=1%;\nramp from=2%;", qr/ramp.*$TWICE|$TWICE.*ramp/],

    # feedback

    [policy => 'feedback;', $MISSING],
    [policy => 'feedback on;', says('on')],
    [policy => 'feedback errors=2;', says('2')],
    [policy => 'feedback errors=150%;', says('150%')],
    [policy => 'feedback latency=2;', says('2')],
    [policy => 'feedback latency=0.5x;', says('0.5x')],
    [policy => 'feedback latency=x;', says('x')],
    [policy => 'feedback errors=1% errors=2%;', $TWICE],
    [policy => 'feedback off errors=2%;', qr/off/],
    [policy => "feedback off;\nfeedback off;", $TWICE],

    # class

    [policy => 'class;', $MISSING],
    [policy => 'class "a b";', says('a b')],
    [policy => 'class a reserve=10;', says('10')],
    [policy => 'class a reserve=100%;', says('100%')],
    [policy => 'class a reserve=-5%;', says('-5%')],
    [policy => 'class a foo;', says('foo')],
    [policy => 'class a default default;', $TWICE],
    [policy => 'class a reserve=1% reserve=2%;', $TWICE],
    [policy => "class a;\nclass b reserve=10%;", qr/reserve.*"b"/],
    [policy => "class a;\nclass a;", qr/"a".*$TWICE|$TWICE.*"a"/],
    [policy => "class a default;\nclass b default;",
     qr/default.*(?:$TWICE|one|only)|(?:$TWICE|only one).*default/],
    [policy => "class a reserve=60%;\nclass b reserve=40%;\nclass c;",
     qr/reserve.*100 ?%|100 ?%.*reserve/],
    [policy => join("\n", map { "class c$_ reserve=1%;" } 1 .. 17),
     qr/16/, 'seventeen classes'],

    # match

    [policy => 'match;', $MISSING],
    [policy => 'match low;', $MISSING],
    [policy => 'match low $uri;', $MISSING],
    [policy => 'match low $uri =;', $MISSING],
    [policy => 'match low $uri = a b;', $MISSING],
    [policy => 'match vip $uri = /;', says('vip')],
    [policy => "class a;\nmatch low \$uri = /;", says('low')],
    [policy => "match vip \$uri = /;\nclass vip;", says('vip')],
    [policy => "match low \$uri = /;\nclass vip;", qr/match|class/],
    [policy => 'match low $uri == /;', says('==')],
    [policy => 'match low $uri !~ /;', says('!~')],
    [policy => 'match low $uri ~ "a(b";', qr/"a\(b"/],
    [policy => 'match low $uri ~* "[z-a]";', qr/"\[z-a\]"/],
    [policy => 'match low $nosuchvariable = 1;',
     qr/unknown.*nosuchvariable/],
    [policy => 'match low $ = 1;', qr/variable|\$/],

    # trust

    [policy => 'trust;', $MISSING],
    [policy => 'trust anywhere;', says('anywhere')],
    [policy => 'trust 10.0.0.0/33;', says('10.0.0.0/33')],
    [policy => 'trust 300.0.0.1;', says('300.0.0.1')],
    [policy => 'trust 10.0.0.0/8 foo;', says('foo')],
    [policy => 'trust 2001:db8::/200;', says('2001:db8::/200')],

    # cohort, retries

    [policy => 'cohort;', $MISSING],
    [policy => 'cohort $remote_addr $uri;', $MISSING],
    [policy => 'cohort $nosuchvariable;', qr/unknown.*nosuchvariable/],
    [policy => "cohort \$uri;\ncohort \$uri;", $TWICE],
    [policy => 'retries;', $MISSING],
    [policy => 'retries $http_r = 1;', qr/budget/],
    [policy => 'retries $http_r ! 1 budget=1%;', says('!')],
    [policy => 'retries $http_r ~ "(" budget=1%;', qr/"\("/],
    [policy => 'retries $http_r = 1 budget=lots;', says('lots')],
    [policy => 'retries $http_r = 1 budget=101%;', says('101%')],
    [policy => 'retries $http_r = 1 bucket=1%;', says('bucket=1%')],
    [policy => "retries \$uri = 1 budget=1%;\nretries \$uri = 1 budget=1%;",
     $TWICE],

    # shed

    [policy => 'shed;', $MISSING],
    [policy => 'shed status=abc;', says('abc')],
    [policy => 'shed status=200;', says('200')],
    [policy => 'shed status=600;', says('600')],
    [policy => 'shed retry_after=1s;', says('1s')],
    [policy => 'shed retry_after=0s..5s;', says('0s')],
    [policy => 'shed retry_after=60s..1s;', says('60s..1s')],
    [policy => 'shed retry_after=500ms..5s;', says('500ms')],
    [policy => 'shed retry_after=a..b;', says('a')],
    [policy => 'shed body=x;', says('body=x')],
    [policy => 'shed status=503 status=503;', $TWICE],
    [policy => "shed status=503;\nshed status=503;", $TWICE],

    # when

    [policy => 'when;', $MISSING],
    [policy => 'when down;', $MISSING],
    [policy => 'when broken shed;', says('broken')],
    [policy => 'when down drop;', says('drop')],
    [policy => 'when down probe;', says('probe')],
    [policy => 'when down probe=0%;', says('0%')],
    [policy => 'when down probe=200%;', says('200%')],
    [policy => 'when down shed pass;', $MISSING],
    [policy => "when down shed;\nwhen down pass;", $TWICE],
    [policy => 'when signal_lost;', $MISSING],
    [policy => 'when signal_lost hold=forever;', says('forever')],
    [policy => 'when signal_lost then=panic;', says('panic')],
    [policy => 'when signal_lost shed;', says('shed')],
    [policy => 'when signal_lost then=keep then=keep;', $TWICE],
    [policy => "when signal_lost then=keep;\nwhen signal_lost then=keep;",
     $TWICE],
);

my $t = Test::Recovery->new();

$t->plan(scalar @faults);

bad($t, @$_) for @faults;
