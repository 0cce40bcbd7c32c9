#!/usr/bin/perl

# Goal: Valkey does as well as Redis.
# Method: tests of the link, with valkey-server in place of redis-server;
# where the machine has none they are skipped.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

my ($valkey) = grep { -x } map { "$_/valkey-server" } split /:/, $ENV{PATH};

plan(skip_all => 'no valkey-server on this machine') unless $valkey;

my @files = qw(redis_pubsub redis_fields redis_auth redis_tls redis_sentinel
               redis_cluster);

plan(tests => scalar @files);

$ENV{TEST_REDIS_BINARY} = $valkey;

for my $file (@files) {
    my $said = `$^X $FindBin::Bin/$file.t 2>&1`;

    is($?, 0, $file) or diag($said);
}
