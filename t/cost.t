#!/usr/bin/perl

# Goal: recovery_cost is what a request takes from the rate: at cost 2 half
# as many pass, at 0.5 twice as many, and a variable works as a number does.
# Method: quotas bind in "up".  Backends of the same quota get the same
# open-loop load with different costs; what passes is compared.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(12);

$t->backend(8081);

my @names = qw(one two half var wrong);
my %cost = (one => '1', two => '2', half => '0.5', var => '$arg_n',
            wrong => '$arg_n');
my $backends = join "\n    ",
               map { "recovery_backend $_ { quota 40r/s; }" } @names;
my $locations = join "\n        ", map { <<"EOF2" } @names;
location /$_ {
            recovery       $_;
            recovery_cost  $cost{$_};
            proxy_pass     http://127.0.0.1:%%PORT_8081%%;
        }
EOF2

$t->write_file_expand('nginx.conf', <<"EOF2");

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    $backends

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        $locations
    }
}

EOF2

$t->run();

# five uris in turn, each at 120/s for 4 s

my $load = $t->load(rate => 600, for => 4, uris => [
    '/one', '/two', '/half', '/var?n=2', '/wrong?n=cheap']);
my %passed;

for my $r (@{$load->wait()}) {
    my ($name) = $r->{uri} =~ m{^/(\w+)};
    $passed{$name}++ if $r->{status} == 200;
}

diag(join ' ', map { "$_:" . ($passed{$_} // 0) } @names) if $ENV{TEST_DIAG};

sub between {
    my ($value, $min, $max, $label) = @_;
    ok($value >= $min && $value <= $max, $label)
        or diag("$value is not in $min .. $max");
}

between($passed{one}, 120, 210, 'cost 1: the quota passes');
between($passed{two}, 60, 110, 'cost 2: half of it passes');
between($passed{half}, 240, 400, 'cost 0.5: twice of it passes');
between($passed{var}, 60, 110, 'cost by a variable');
between($passed{wrong}, 120, 210, 'a value that is no number costs 1');
between($passed{one} / $passed{two}, 1.6, 2.5, 'cost 2 halves it');
between($passed{half} / $passed{one}, 1.6, 2.5, 'cost 0.5 doubles it');

for my $name (@names) {
    is($t->metrics()->sum('nginx_recovery_shed_total', backend => $name,
                          reason => 'quota') + $passed{$name},
       $t->class_status($name, 'normal')->{offered}, "$name: the sum is right");
}
