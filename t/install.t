#!/usr/bin/perl

# Goal: "make install" puts things where the documents and nginx look for
# them, and nothing anywhere else.
# Method: installed below DESTDIR; nginx -t with the installed module and
# every "include recovery/presets/..." that the documents show.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Find qw(find);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Recovery;

my $t = Test::Recovery->new();
my $root = $t->root();
my $nginx = $t->nginx_binary();

my $built_with = `$nginx -V 2>&1`;
my ($modules) = $built_with =~ /--modules-path=(\S+)/;
my ($conf) = $built_with =~ /--conf-path=(\S+)/;

plan(skip_all => "$nginx has no modules path") unless $modules && $conf;

$t->plan(9);

my $dest = $t->dir() . '/dest';
my $out = `cd $root && util/install.sh $nginx $dest 2>&1`;
is($?, 0, 'installed') or diag($out);

my %there;
find(sub { -f && ($there{$File::Find::name =~ s/^\Q$dest\E//r} = 1) }, $dest);

my $presets = dirname($conf) . '/recovery/presets';
my %want = map { $_ => 1 }
    "$modules/ngx_http_recovery_module.so",
    (map { "$presets/$_.conf" } qw(cold-cache fast gentle)),
    (map { "/usr/bin/$_" } grep { -x "$root/build/$_" }
                           qw(recovery-sim recoveryctl)),
    (map { s{.*/}{/usr/share/man/man1/}r } glob "$root/tools/*/*.1"),
    '/usr/share/bash-completion/completions/recoveryctl';

is_deeply(\%there, \%want, 'these files, no more and no fewer');

# a user's way, from the documents

my @shown;

for my $file (glob("$root/README.md $root/docs/*.md")) {
    open my $fh, '<', $file or die "$file: $!\n";
    push @shown, map { /^\s*include\s+(recovery\/\S+);/ ? $1 : () } <$fh>;
}

cmp_ok(scalar @shown, '>=', 1, 'the documents show how to include one');
is(scalar(grep { !$there{dirname($conf) . "/$_"} } @shown), 0,
   '... which is there');

my $includes = join '', map {
    "include $dest$presets/$_.conf;\n"
} qw(cold-cache fast gentle);

my $text = $t->expand(<<"EOC");
%%TEST_GLOBALS%%
events {
}
http {
    %%TEST_GLOBALS_HTTP%%
    $includes
    recovery_backend kv { policy cold-cache; }
}
EOC

my $ours = $t->module_path();
my $installed = "$dest$modules/ngx_http_recovery_module.so";

SKIP: {
    skip('the module is in the binary', 2) if $text !~ /load_module/;

    ok($text =~ s/\Q$ours\E/$installed/, 'the installed module');
    my ($rc, $err) = $t->config_test($text);
    is($rc, 0, '... and the presets: nginx -t') or diag($err);
}

# manual pages

my @man = glob "$dest/usr/share/man/man1/*.1";
cmp_ok(scalar @man, '>=', 1, 'a manual page');

my $lint = join '', map { scalar `mandoc -Tlint $_ 2>&1` } @man;
is($lint, '', 'mandoc finds nothing wrong with them');

my ($sim) = `$dest/usr/bin/recovery-sim $dest$presets/fast.conf --scenario rate-2`;
like($sim, qr/^policy "fast"/, 'the simulator plays one of them');
