package Test::Recovery::Prometheus;

# A strict reader of the Prometheus text format 0.0.4.  It keeps what it
# objects to instead of dying, so that a test can show all of it.
#
#   $m = Test::Recovery::Prometheus->new($text)
#   $m->problems                         list of sentences, empty when clean
#   $m->families                         names in order of appearance
#   $m->type($family), $m->help($family)
#   $m->samples($name)                   [{labels => {..}, value => N}, ...]
#   $m->value($name, label => value...)  the one sample, undef if none
#   $m->sum($name, label => value...)    sum of all that match

use strict;
use warnings;


sub new {
    my ($class, $text) = @_;

    my $self = bless { order => [], family => {}, samples => {},
                       problems => [], current => '' }, $class;

    $self->_problem('the text does not end with a newline')
        unless $text =~ /\n\z/;

    for my $line (split /\n/, $text) {
        next if $line eq '';

        if ($line =~ /^# (HELP|TYPE) (\S+)(?: (.*))?$/) {
            $self->_meta(lc $1, $2, $3 // '');

        } elsif ($line !~ /^#/) {
            $self->_sample($line);
        }
    }

    for my $name (@{$self->{order}}) {
        my $f = $self->{family}{$name};

        $self->_problem("$name has no HELP") unless defined $f->{help};
        $self->_problem("$name has no TYPE") unless defined $f->{type};
    }

    return $self;
}


sub problems { @{$_[0]{problems}} }
sub families { @{$_[0]{order}} }
sub type { $_[0]{family}{$_[1]}{type} }
sub help { $_[0]{family}{$_[1]}{help} }
sub samples { $_[0]{samples}{$_[1]} // [] }


sub _problem {
    my ($self, $what) = @_;
    push @{$self->{problems}}, $what;
}


# opens a family; one that comes back after another one is torn apart

sub _open {
    my ($self, $name) = @_;

    my $known = $self->{family}{$name};

    if (!$known) {
        push @{$self->{order}}, $name;
        $self->{family}{$name} = {};

    } elsif ($self->{current} ne $name) {
        $self->_problem("family $name is not in one piece");
    }

    $self->{current} = $name;

    return $self->{family}{$name};
}


sub _meta {
    my ($self, $what, $name, $value) = @_;

    my $family = $self->_open($name);

    $self->_problem("second \U$what\E of $name") if defined $family->{$what};
    $self->_problem("$what of $name after its samples")
        if $family->{samples};
    $self->_problem("unknown type \"$value\" of $name")
        if $what eq 'type'
           && $value !~ /^(?:counter|gauge|histogram|summary|untyped)$/;

    $family->{$what} = $value;
}


sub _sample {
    my ($self, $line) = @_;

    my ($name, $rest) = $line =~ /^([a-zA-Z_:][a-zA-Z0-9_:]*)(.*)$/
        or return $self->_problem("no sample: $line");
    my %labels;

    if ($rest =~ s/^\{//) {
        while ($rest =~ s/^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"//) {
            my ($label, $value) = ($1, $2);

            $self->_problem("label $label twice: $line")
                if exists $labels{$label};
            $self->_problem("unknown escape: $line")
                if $value =~ /(?<!\\)(?:\\\\)*\\[^\\n"]/;

            $value =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ge;
            $labels{$label} = $value;

            last unless $rest =~ s/^,//;
        }

        $rest =~ s/^\}// or return $self->_problem("bad labels: $line");
    }

    my ($value) = $rest =~ /^[ ]+
                            ([+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?
                                     |Inf|NaN))
                            (?:[ ]+-?\d+)?$/x
        or return $self->_problem("bad value: $line");

    # _bucket, _sum and _count belong to the family of their histogram

    my $base = $name =~ s/_(?:bucket|sum|count)$//r;
    my $known = $self->{family}{$base};
    my $family = $known && ($known->{type} // '') eq 'histogram' ? $base
                                                                 : $name;
    my $f = $self->_open($family);
    my $key = join "\0", $name, map { ($_, $labels{$_}) } sort keys %labels;

    $self->_problem("sample twice: $line") if $self->{seen}{$key}++;
    $f->{samples}++;

    push @{$self->{samples}{$name}}, { labels => \%labels, value => $value };
}


sub _match {
    my ($self, $name, %labels) = @_;

    return grep {
        my $l = $_->{labels};
        !grep { ($l->{$_} // '') ne $labels{$_} } keys %labels;
    } @{$self->samples($name)};
}


sub value {
    my ($self, $name, %labels) = @_;

    my @found = $self->_match($name, %labels);

    return @found == 1 ? $found[0]{value} : undef;
}


sub sum {
    my ($self, $name, %labels) = @_;

    my $sum = 0;
    $sum += $_->{value} for $self->_match($name, %labels);

    return $sum;
}


1;
