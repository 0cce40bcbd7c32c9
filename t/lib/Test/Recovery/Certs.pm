package Test::Recovery::Certs;

# Certificates made by openssl for one test, in its directory.
#
#   $c = Test::Recovery::Certs->new($t)
#   $c->ca('ca')                            ca.crt, ca.key
#   $c->cert('good', ca => 'ca', names => 'DNS:localhost,IP:127.0.0.1')
#                                           good.crt, good.key
#   $c->cert('old', ca => 'ca', names => .., expired => 1)
#   $c->file('good.crt')                    its path

use strict;
use warnings;

use Test::Recovery::Process qw(spawn reap);


sub new {
    my ($class, $t) = @_;

    return bless { t => $t, dir => $t->dir() }, $class;
}


sub file { "$_[0]{dir}/$_[1]" }


sub _openssl {
    my ($self, @args) = @_;

    my $log = $self->file('openssl.log');
    my $pid = spawn(cmd => ['openssl', @args], stdout => $log,
                    stderr => $log);
    my ($gone, $status) = reap($pid, 60);

    die "openssl @args failed, see $log\n" if !$gone || $status;
}


sub _key {
    my ($self, $name) = @_;

    $self->_openssl(qw(genpkey -algorithm EC -pkeyopt
                       ec_paramgen_curve:P-256 -out),
                    $self->file("$name.key"));
}


sub ca {
    my ($self, $name) = @_;

    $self->_key($name);
    $self->_openssl(qw(req -x509 -new -days 30 -subj), "/CN=test $name",
                    '-key', $self->file("$name.key"),
                    '-out', $self->file("$name.crt"));

    return $self;
}


# One that has run out is one that ran for no day at all, long ago: "openssl
# ca" alone can be told the times.

sub cert {
    my ($self, $name, %o) = @_;

    my $t = $self->{t};

    $self->_key($name);
    $self->_openssl(qw(req -new -subj), "/CN=test $name",
                    '-key', $self->file("$name.key"),
                    '-out', $self->file("$name.csr"));

    $t->write_file('ca-index.txt', '');
    $t->write_file('ca-serial.txt', sprintf("%06X\n", ++$self->{serial}));
    $t->write_file('ca.cnf', <<"EOF2");
[ca]
default_ca = one
[one]
database = $self->{dir}/ca-index.txt
serial = $self->{dir}/ca-serial.txt
new_certs_dir = $self->{dir}
default_md = sha256
policy = any
x509_extensions = names
unique_subject = no
[any]
commonName = supplied
[names]
subjectAltName = $o{names}
EOF2

    $self->_openssl('ca', '-batch', '-notext', '-config',
                    $self->file('ca.cnf'),
                    $o{expired} ? qw(-startdate 20200101000000Z
                                     -enddate 20200102000000Z)
                                : qw(-days 30),
                    '-cert', $self->file("$o{ca}.crt"),
                    '-keyfile', $self->file("$o{ca}.key"),
                    '-in', $self->file("$name.csr"),
                    '-out', $self->file("$name.crt"));

    return $self;
}


1;
