#!/usr/bin/perl

# Goal: a dry run shows the ramp that there would be.  The backend gets all of
# the traffic, and takes it: what would have been let in is evidence, what
# would not is none, or the controller would find that more places in flight
# deliver nothing more, and never come to an end.
# Method: the same traffic to two backends, one in earnest, one dry, through
# an outage that only Redis knows of.  In a second one the backend cannot take
# it: then the dry run stays where it is, and that is the truth about it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new()->plan(13);
my $b = $t->backend(8081);

$b->set(delay => 0.1);
$t->redis_start();

$t->write_file_expand('nginx.conf', <<'EOF2');

%%TEST_GLOBALS%%

events {
}

http {
    %%TEST_GLOBALS_HTTP%%

    recovery_redis    redis://127.0.0.1:%%PORT_6379%%;
    recovery_policy   p { ramp from=5% double=500ms verify=1h; }
    recovery_backend  dry  { policy p; }
    recovery_backend  real { policy p; }

    server {
        listen  127.0.0.1:%%PORT_8080%%;

        location /real {
            recovery    real;
            proxy_pass  http://127.0.0.1:%%PORT_8081%%;
        }

        location /dry {
            recovery          dry;
            recovery_dry_run  on;
            proxy_pass        http://127.0.0.1:%%PORT_8081%%;
        }
    }
}

EOF2

$t->run();

my %load = map {
    $_ => $t->load(rate => 80, uris => ["/$_"], timeout => 30)
} qw(dry real);


sub shed {
    my ($name) = @_;

    my $b = $t->backend_status($name);
    my $n = 0;

    $n += $_->{shed} + $_->{shed_dry_run} for @{$b->{classes}};

    return $n;
}


sub say_all { $t->health($_, $_[0]) for qw(dry real) }


for my $name (qw(dry real)) {
    ok($t->wait_for(sub {
        my $b = $t->backend_status($name);
        ($b->{reference_per_s} // 0) > 40 && $b->{delivered_per_s} > 40;
    }, 'a reference', 30), "$name: normal is learned");
}

say_all('down');
ok($t->wait_phase($_, 'down'), "$_: down") for qw(dry real);
ok($t->wait_for(sub { shed('real') > 80 && shed('dry') > 80 }), 'sheds');
say_all('up');

ok($t->wait_phase($_, 'verifying', 40), "$_: the ramp ends")
    for qw(real dry);

my ($dry, $real) = map { shed($_) } qw(dry real);

cmp_ok($dry, '<', 3 * $real, "dry: $dry, in earnest $real are shed");
cmp_ok($dry, '>', $real / 3, 'as many, about');
is(scalar(grep { $_->{status} != 200 } @{$load{dry}->take()}), 0,
   'and all of the former were served');

# a backend that breaks under all that it gets

say_all('down');
ok($t->wait_phase('dry', 'down'), 'dry: down');
$b->set(status => 503);
say_all('up');
ok($t->wait_phase('dry', 'probing'), 'dry: probing');
ok($t->wait_for(sub { $b->count() > 0 && shed('dry') > $dry + 400 },
                'more to be shed', 30)
   && $t->backend_status('dry')->{phase} eq 'probing',
   'it gets everything, and proves nothing');

$_->stop() for values %load;
