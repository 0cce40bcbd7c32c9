#!/usr/bin/perl

# Goal: the module exports the three names that nginx asks for and nothing
# else.  nginx loads modules into one symbol space: a hiredis or PCRE2 of
# ours would answer the calls of another module, and theirs ours.
# Method: the dynamic symbols that the file defines, by nm.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

plan(skip_all => 'a static build exports nothing')
    if $ENV{TEST_NGINX_STATIC};

my $t = Test::Recovery->new()->plan(3);
my $module = $t->module_path();

my @defined = sort map { (split)[-1] }
                   output_of('nm', '-D', '--defined-only', $module);
is("@defined", 'ngx_module_names ngx_module_order ngx_modules',
   'three names');

my @wanted = map { (split)[-1] }
             output_of('nm', '-D', '--undefined-only', $module);
is(join(' ', grep { /^redis|^sds/ } @wanted), '',
   'hiredis is inside, not asked for');

is(join(' ', grep { /hiredis/ } output_of('readelf', '-d', $module)), '',
   'no shared hiredis is needed');


sub output_of {
    open my $fh, '-|', @_ or die "$_[0]: $!\n";
    return <$fh>;
}
