package Bench::Gate;

# What is compared: one gate each in front of the same location.  A gate says
# which modules it needs, what it puts into http {} and into location {}, and
# what a request is answered.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);

our @EXPORT_OK = qw(gate gate_names);

# Quickly through "probing", at 10 % of a million a second, then an hour at
# 50 %.  Of a hundred a second it is the floor, 10/s, that is let in.  Without
# feedback: how many are let in must not go by how busy the machine is.

my $STEPS = 'ramp steps=50%:1h,100%; feedback off; when down probe=10%;';
my $RAMP = 'capacity 1000000r/s; initial probing;';
my $SHED = 'capacity 100r/s; initial probing;';

my $REQ = 'limit_req_zone $binary_remote_addr zone=req:1m rate=1000000r/s;';
my $CONN = 'limit_conn_zone $binary_remote_addr zone=conn:1m;';

my $BENCH = abs_path(dirname(__FILE__) . '/../..');

my $LUA = <<"EOF2";
lua_shared_dict gate 1m;
    lua_package_path "$BENCH/?.lua;;";
EOF2

my %GATES = (
    absent => { },

    limit_req => {
        http     => [$REQ],
        location => 'limit_req zone=req burst=1000000 nodelay;',
    },
    limit_conn => {
        http     => [$CONN],
        location => 'limit_conn conn 1000;',
    },
    both => {
        http     => [$REQ, $CONN],
        location => 'limit_req zone=req burst=1000000 nodelay; '
                    . 'limit_conn conn 1000;',
    },

    return_503 => { location => 'return 503;', status => 503 },
    return_503_headers => {
        location => 'add_header Retry-After 5 always; '
                    . 'add_header Cache-Control no-store always; return 503;',
        status   => 503,
    },

    lua => {
        modules  => [qw(ndk_http_module ngx_http_lua_module)],
        http     => [$LUA],
        location => 'access_by_lua_block { require("gate").enter() } '
                    . 'log_by_lua_block { require("gate").leave() }',
    },

    # loaded, and no backend anywhere

    unused => { modules => ['recovery'], alone => 1 },

    up      => recovery('up'),
    ramping => recovery('ramping', ramp($RAMP)),
    shed    => recovery('shed', ramp($SHED), status => 503, some => 1),
    down    => recovery('down', lines => 'initial down;', phase => 'down',
                        status => 503),
);


# A backend and a policy of its own.

sub recovery {
    my ($name, %o) = @_;

    return {
        modules  => ['recovery'],
        http     => [@{$o{http} // []},
                     "recovery_policy $name { @{[$o{policy} // '']} }",
                     "recovery_backend $name { policy $name; "
                     . ($o{lines} // '') . ' }'],
        location => "recovery $name;",
        backend  => $name,
        phase    => $o{phase} // 'up',
        status   => $o{status} // 200,
        map { $_ => $o{$_} }
            grep { exists $o{$_} } qw(some workers held alone uri),
    };
}

sub ramp { return (lines => $_[0], policy => $STEPS, phase => 'ramping') }


# "up" and "ramping" where something is large.

my @CLASSES = map { "class c$_;" } 1 .. 15;

my %LARGE = (
    classes_16    => { policy => "@CLASSES class normal default;" },
    backends_1000 => {
        http => [map { "recovery_backend other-$_ { }" } 1 .. 999],
    },
    slots_64      => { workers => 16 },
);

# Rules of which none matches, with a number in each: in a location whose
# requests have nothing in common with them, and of such shapes that neither
# the length of the address nor its beginning gives all of them away.  "unread"
# is one of those that are tried on each request.

my $URI = '/api/v1/articles/4711/pictures/checklist.webp';

my %RULES = (
    rules    => [undef, '$uri ~ ^/never%d/'],
    unread   => [undef, '$uri ~ (?=/)/never%d/'],
    equal    => [undef, '$uri = /never%d'],
    prefix   => [$URI, '$uri ~ ^/api/v1/article%d/'],
    suffix   => [$URI, '$uri ~ \.web%d$'],
    words    => [$URI, '$uri ~ checkout%d'],
    caseless => [$URI, '$uri ~* /Article%d|/Picture%d'],
    everyday => [$URI, '$uri ~ ^/api/v[0-9]+/orders%d(/|$)',
                 '$uri ~ \.(css|js|ext)%d$', '$uri ~ checkout%d',
                 '$uri ~* ^/login%d'],
    strings  => [$URI, '$uri ~ ^/api/v[0-9]+/orders%d(/|$)',
                 '$host = host%d', '$http_user_agent ~* bot%d|spider%d',
                 '$request_method ~ ^(PUT|DELETE)%d$'],
);

for my $shape (keys %RULES) {
    my ($uri, @patterns) = @{$RULES{$shape}};

    for my $n (1, 4, 10, 100) {
        my @lines = map { $patterns[$_ % @patterns] =~ s/%d/$_/gr } 0 .. $n - 1;

        $LARGE{"${shape}_$n"} = {
            ($uri ? (uri => $uri) : ()),
            policy => join ' ', map { "match low $_;" } @lines,
        };
    }
}

for my $what (keys %LARGE) {
    my %o = (%{$LARGE{$what}}, alone => 1);
    my %ramp = ramp($RAMP);

    $GATES{"up_$what"} = recovery("up_$what", %o);

    $ramp{policy} .= ' ' . ($o{policy} // '');
    $GATES{"ramping_$what"} = recovery("ramping_$what", %o, %ramp);
}

# the address of those that have something in common with theirs

$GATES{absent_uri} = { uri => $URI, alone => 1 };

# requests that are under way meanwhile; each has a timer, also without us

$GATES{absent_in_flight_500} = { held => 500, alone => 1 };
$GATES{up_in_flight_500} = recovery('up_in_flight_500', held => 500,
                                    alone => 1);


sub gate {
    my ($name) = @_;

    my $gate = $GATES{$name} or die "no gate \"$name\"\n";

    return { status => 200, modules => [], http => [], location => '',
             %$gate, name => $name };
}


sub gate_names { return sort keys %GATES }


1;
