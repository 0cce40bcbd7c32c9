package Test::Recovery::PromServer;

# A private Prometheus on a loopback port.
#
#   $p = Test::Recovery::PromServer->new($t, targets => ["127.0.0.1:80"],
#            path => '/metrics', interval => '250ms', rules => [FILE, ...])
#   $p->query($expr)       [{metric => {..}, value => [time, "text"]}, ...],
#                          undef when it was refused; the last word of the
#                          server is in $p->{error}
#   $p->value($expr)       the one value, undef when there is none
#   $p->get('/api/v1/..')  "data" of the answer
#   $p->stop               true when it ended in time

use strict;
use warnings;

use JSON::PP;

use Test::Recovery::Process qw(poll_until spawn reap);


sub new {
    my ($class, $t, %o) = @_;

    my $self = bless { t => $t, dir => $t->dir(), owner => $$ }, $class;
    my $address = '127.0.0.1:' . $t->port('prometheus');
    my $rules = join '', map { "  - '$_'\n" } @{$o{rules} // []};
    my $targets = join ', ', map { "'$_'" } @{$o{targets}};

    $t->write_file('prometheus.yml', <<"EOC");
global:
  scrape_interval: $o{interval}
  scrape_timeout: $o{interval}
  evaluation_interval: $o{interval}
rule_files:
$rules
scrape_configs:
  - job_name: nginx
    metrics_path: $o{path}
    static_configs:
      - targets: [$targets]
EOC

    $self->{pid} = spawn(
        cmd => ['prometheus', "--config.file=$self->{dir}/prometheus.yml",
                "--storage.tsdb.path=$self->{dir}/prometheus",
                "--web.listen-address=$address", '--log.level=warn'],
        stdout => "$self->{dir}/prometheus.log",
        stderr => "$self->{dir}/prometheus.log");

    poll_until(sub { $self->_http('/-/ready')->{status} == 200 }, 60)
        or die "prometheus is not ready:\n"
               . $t->read_file('prometheus.log') . "\n";

    return $self;
}


sub _http {
    my ($self, $uri) = @_;
    return $self->{t}->http_get($uri, port => 'prometheus', timeout => 30);
}


sub get {
    my ($self, $uri) = @_;

    my $answer = eval { decode_json($self->_http($uri)->{body}) } // {};

    $self->{error} = $answer->{error};

    return ($answer->{status} // '') eq 'success' ? $answer->{data} : undef;
}


sub query {
    my ($self, $expr) = @_;

    my $word = $expr =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ger;
    my $data = $self->get("/api/v1/query?query=$word");

    return $data ? $data->{result} : undef;
}


sub value {
    my ($self, $expr) = @_;

    my $result = $self->query($expr) // [];

    return @$result == 1 ? $result->[0]{value}[1] : undef;
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return 1;

    kill 'TERM', $pid;
    return 1 if reap($pid, 30);

    kill 'KILL', $pid;
    reap($pid, 10);
    return 0;
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);
    $self->stop() if $self->{owner} == $$;
}


1;
