package Test::Recovery::Order;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP;

our @EXPORT = qw(order answer differs);


# order($t, 'kv', action => .., uri => '/control', port => 8080): the response

sub order {
    my ($t, $backend, %o) = @_;

    my $uri = delete $o{uri} // '/control';
    my $port = delete $o{port} // 8080;

    return $t->http_get($uri, port => $port, method => 'POST',
        headers => {'Content-Type' => 'application/json',
                    'X-Recovery-Control' => '1'},
        body => JSON::PP->new->utf8->encode({backend => $backend, %o}));
}


# what the answer says, {} when it is no JSON

sub answer {
    my ($r) = @_;

    return eval { JSON::PP->new->utf8->decode($r->{body}) } // {};
}


# '' or where the answer differs; "a.b" is a value in an object

sub differs {
    my ($r, %wanted) = @_;

    my $answer = answer($r);
    my @wrong;

    for my $path (sort keys %wanted) {
        my $value = $answer;
        $value = ref $value ? $value->{$_} : undef for split /\./, $path;

        my $want = $wanted{$path};
        my $same = !defined $want ? !defined $value
                 : !defined $value ? 0
                 : ref $want ? $value =~ $want : $value eq $want;

        push @wrong, "$path is " . ($value // 'null') if !$same;
    }

    return join ', ', @wrong;
}


1;

__END__

=head1 NAME

Test::Recovery::Order - orders to recovery_control, and what is answered

=head1 SYNOPSIS

    my $r = order($t, 'kv', action => 'force', value => 'closed',
                  for => '10m', by => 'ann', reason => 'disk');
    is(differs($r, 'force.force' => 'closed'), '', 'closed');

=cut
