#!/bin/bash
#
# docs-tables.sh [PART...]
# docs-tables.sh check FILE
#
# Writes what the simulator says into the documents, between the markers
# that are there.  Without arguments all parts:
#
#   presets   the figures in the comments of lua-free-policies/presets/
#   pictures  docs/img/
#   sim       docs/how-it-works.md: scenarios, with and without feedback
#   laws      docs/how-it-works.md: the law and others
#   without   docs/how-it-works.md: the law without each ingredient
#   capacity  docs/capacity.md: the worked examples (util/docs-capacity.sh)
#
# The last three take minutes.
#
# check compares what recovery-sim has printed of the built-in policy (all
# scenarios, five seeds) with the documents: they may be a point behind.

set -euo pipefail

cd "$(dirname "$0")/.."

sim=build/recovery-sim
doc=docs/how-it-works.md
planning=docs/capacity.md
seeds=5
preset_seeds=3
preset_scenarios='warm cold relapse-lying degrading backlog'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT


# between FILE BEGIN END: what comes in replaces the lines between two lines.

between() {
    local file=$1 begin=$2 end=$3

    cat > "$work/new"
    grep -qxF -- "$begin" "$file" ||
        { echo "docs-tables: $file has no \"$begin\"" >&2; return 1; }

    BEGIN=$begin END=$end NEW=$work/new awk '
        $0 == ENVIRON["END"] { off = 0 }
        ! off
        $0 == ENVIRON["BEGIN"] {
            while ((getline line < ENVIRON["NEW"]) > 0) print line
            off = 1
        }' "$file" > "$work/file"

    cat "$work/file" > "$file"
}


marked() {
    between "${2-$doc}" "<!-- $1: make docs-tables -->" "<!-- end of $1 -->"
}


# scenario, goodput, worst, to 95 %, peak, critical

figures() {
    "$sim" "$@" | awk '/^scenario/ { on = 1; next } on && NF == 0 { exit }
                       on { print $1, $2, $3, $4, $6, $11 }'
}


part_presets() {
    local file scenario intro

    intro='# recovery-sim, medians of 3 seeds; in brackets the built-in policy:'

    for file in lua-free-policies/presets/*.conf; do
        {
            printf '#\n#   %-14s %15s %15s %13s %15s\n' scenario goodput \
                   's to 95 %' peak critical

            for scenario in $preset_scenarios; do
                paste -d' ' \
                    <(figures "$file" --scenario "$scenario" \
                              --seeds "$preset_seeds") \
                    <(figures default --scenario "$scenario" \
                              --seeds "$preset_seeds")
            done | awk '{ printf "#   %-14s %15s %15s %13s %15s\n", $1,
                                 $2 " (" $8 ")", $4 " (" $10 ")",
                                 $5 " (" $11 ")", $6 " (" $12 ")" }'
        } | between "$file" "$intro" ''
    done
}


# Two panels, one over the other; small enough to lie in the repository.

part_pictures() {
    mkdir -p docs/img
    "$sim" default --scenario cold --svg docs/img/cold.svg > /dev/null
    "$sim" default --scenario cold --law linear \
           --svg docs/img/cold-linear.svg > /dev/null
}


part_sim() {
    printf 'recovery_policy off {\n    feedback  off;\n}\n' > "$work/off.conf"

    {
        printf '%s\n' "| scenario | the controller | \`feedback off\` |" \
               '|---|---|---|'
        join <(figures default --seeds $seeds | sort) \
             <(figures "$work/off.conf" --seeds $seeds | sort) |
            awk '{ print "| " $1 " | " $2 " / " $3 " | " $7 " / " $8 " |" }'
    } | marked sim
}


# The lines of sums, as a table; the first column by awk's `what`.

sums() {
    "$sim" default --law "$1" --seeds $seeds > "$work/sums"
    "$sim" --list > "$work/list"

    printf '%s\n' \
        '| law | goodput | worst scenario | worst run | loses most | critical | behind | wasted | dead | collapsed |' \
        '|---|---|---|---|---|---|---|---|---|---|'

    awk -v FS=' +' '
        FNR == NR { if (/^  /) { name = $2; $1 = $2 = ""
                                 sub(/^ +/, ""); what[name] = $0 }
                    next }
        /^law / { on = 1; next }
        on && NF == 0 { exit }
        on { printf "| `%s`: %s | %s | %s %s | %s %s | %s %s |" \
                    " %s | %s | %s | %s | %s |\n",
                    $1, what[$1], $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
                    $12, $13 }
    ' "$work/list" "$work/sums"
}


# The laws that do not depend on the core, in one quick scenario: t/ sees by
# that whether the table is of this simulator.

mark_of_laws() {
    "$sim" default --law all --scenario rate-30 |
        awk '/^scenario/ { for (i = 3; i <= NF; i++) name[i] = $i }
             /^rate-30/ { for (i = 3; i <= NF; i++)
                              printf " %s %s", name[i], $i; exit }'
}


part_laws() {
    { sums all; printf '\n<!-- rate-30:%s -->\n' "$(mark_of_laws)"; } |
        marked laws
}


part_without() {
    sums without | marked without
}


part_capacity() {
    local table

    for table in capacity in-flight ramp reserve retry-after nodes; do
        util/docs-capacity.sh $table > "$work/table"
        marked "$table" "$planning" < "$work/table"
    done
}


# What the tables say of the built-in policy, beside what is true.

check() {
    awk '
        function near(what, have, want) {
            if (have - want > 1 || want - have > 1) {
                printf "%s: %s is %s, the simulator says %s; " \
                       "run make docs-tables\n", FILENAME, what, have, want
                bad = 1
            }
        }
        FNR == NR {
            if ($1 == "product") sums = $2
            else if (NF >= 17 && $2 ~ /^[0-9.]+$/) {
                median[$1] = known[$1] = $2; worst[$1] = $3
            }
            next
        }
        /^<!-- / { part = $2 }
        part == "sim:" && ($2 in median) {
            near($2, $4, median[$2]); near($2 " (worst)", $6, worst[$2])
            delete median[$2]
        }
        /^\| `product`/ {
            split($0, cell, " *[|] *")
            near("product in " part, cell[3], sums); products++
        }
        (part == "capacity:" || part == "nodes:") && / \| `[a-z-]+` \| / {
            split($0, cell, " *[|] *"); name = cell[3]
            gsub(/`/, "", name); examples++
            if (name in known) near(name, cell[4], known[name])
        }
        END {
            for (name in median) {
                print name " is in no table"; bad = 1
            }
            if (products != 2 || examples != 6) {
                print "the law is in " products+0 " tables, not 2; of the" \
                      " worked examples there are " examples+0 ", not 6"
                bad = 1
            }
            exit bad
        }' "$1" "$doc" "$planning" >&2
}


if [ "${1-}" = check ]; then
    check "${2?a file}"
    exit
fi

[ $# -gt 0 ] || set -- presets pictures sim laws without capacity

for part; do
    case $part in
    presets|pictures|sim|laws|without|capacity)
        "part_$part" ;;
    *)
        echo "docs-tables: there is no part \"$part\"" >&2; exit 2 ;;
    esac
done
