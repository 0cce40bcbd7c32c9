#!/usr/bin/perl

# instructions.pl RUN...
#
# Instructions that a request takes, gate by gate: callgrind on one process, a
# fixed number of requests on one kept connection, two counts subtracted, so
# that all there is once falls out.  Prints JSON.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../t/lib";
use JSON::PP;
