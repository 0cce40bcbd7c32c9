package Bench::Behind;

# The server behind, for gates that proxy; what it costs is not counted.

use strict;
use warnings;

use Bench::Nginx;


sub new {
    my ($class) = @_;

    my $nginx = Bench::Nginx->new(name => 'behind', gates => [
        { name => 'behind', modules => [], http => [], location => '' }]);

    return bless { nginx => $nginx->start() }, $class;
}


# what Bench::Nginx->new() is told, to proxy to it

sub proxied {
    my ($self) = @_;

    my $port = $self->{nginx}->port('behind');

    return (
        upstream => "upstream behind { server 127.0.0.1:$port; "
                    . 'keepalive 64; }',
        handler  => 'proxy_http_version 1.1; '
                    . 'proxy_set_header Connection ""; '
                    . 'proxy_pass http://behind;',
    );
}


sub stop { $_[0]{nginx}->stop() }


1;
