#!/bin/bash
#
# docs-capacity.sh TABLE
#
# A worked example of docs/capacity.md, as a table of recovery-sim's figures;
# util/docs-tables.sh writes it between its markers.  TABLE: capacity,
# in-flight, ramp, reserve, retry-after, nodes.

set -euo pipefail

cd "$(dirname "$0")/.."

sim=build/recovery-sim
seeds=5

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT


# policy LINE...: a file with them.

policy() {
    {
        echo 'recovery_policy p {'
        printf '    %s\n' "$@"
        echo '}'
    } > "$work/policy.conf"
    echo "$work/policy.conf"
}


# row FORMAT SCENARIO POLICY: columns of the report by their place, as in
# "3/5 2": goodput is 2, worst 3, to 95 % 4, peak 6, critical 11, normal 14,
# low 15.

row() {
    "$sim" "$3" --scenario "$2" --seeds $seeds |
        awk -v format="$1" '
            /^scenario/ { on = 1; next }
            on && NF {
                n = split(format, place, " ")
                for (i = 1; i <= n; i++) {
                    m = split(place[i], part, "/")
                    for (j = 1; j <= m; j++)
                        printf "%s%s", (j > 1 ? " / " : ""), $part[j]
                    printf " |%s", (i < n ? " " : "")
                }
                exit
            }'
}


table_capacity() {
    local scenario name with without

    cat <<'EOT'
| `capacity` | scenario | goodput | s to 95 % | peak | critical | `feedback off`: goodput | peak |
|---|---|---|---|---|---|---|---|
EOT
    while read -r scenario name; do
        with=$(row '2 4 6 11' "$scenario" default)
        without=$(row '2 6' "$scenario" "$(policy 'feedback off;')")
        printf "| %s | \`%s\` | %s %s\n" "$name" "$scenario" "$with" "$without"
    done <<'EOT'
cold absent; learned in health
capacity-high three times what it can do
capacity-low a third of what it can do
capacity-absent absent; nginx started in the outage, nothing learned
EOT
}


# Seconds after the repair: one run, that of the picture.

table_in_flight() {
    "$sim" default --scenario cold --csv "$work/cold.csv" > /dev/null

    awk -F, '
        BEGIN {
            print "| s after the repair | demand | could do |" \
                  " limit in flight | the schedule would allow | delivered |"
            print "|---|---|---|---|---|---|"
            n = split("1 2 4 6 10 20 30 40 50 60", want, " ")
        }
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["dead"] == 1 { died = 1 }
        died && $at["dead"] == 0 && !from { from = $at["second"] - 1 }
        from {
            s = $at["second"] - from
            for (i = 1; i <= n; i++)
                if (want[i] == s)
                    printf "| %d | %d | %d | %d | %s | %d |\n", s,
                        $at["demand"], $at["capacity"], $at["limit"],
                        ($at["rate"] == "" ? "all" : int($at["rate"]) "/s"),
                        $at["good"]
        }' "$work/cold.csv"
}


table_ramp() {
    local ramp scenario cells

    cat <<'EOT'
| `ramp` | cold: goodput / s to 95 % / peak | warm | degrading |
|---|---|---|---|
EOT
    while read -r ramp; do
        printf "| \`%s\` |" "$ramp"
        for scenario in cold warm degrading; do
            cells=$(row 2/4/6 "$scenario" "$(policy "ramp $ramp;")")
            printf ' %s' "$cells"
        done
        echo
    done <<'EOT'
from=2% double=1s
from=20% double=1s
from=2% double=5s
from=2% over=60s
from=2% double=20s
steps=10%:60s,30%:60s,100%
from=2% over=5m
EOT
}


table_reserve() {
    local reserve scenario cells

    cat <<'EOT'
| `reserve` of the first class | relapse-lying: goodput / critical / normal / low | partial |
|---|---|---|
EOT
    for reserve in 0 5 10 20 40 60; do
        printf '| %s %% |' $reserve
        for scenario in relapse-lying partial; do
            cells=$(row 2/11/14/15 "$scenario" "$(policy \
                "class critical reserve=$reserve%;" 'class high reserve=5%;' \
                'class normal reserve=5% default;' 'class low;')")
            printf ' %s' "$cells"
        done
        echo
    done
}


table_retry_after() {
    local bounds scenario cells

    cat <<'EOT'
| `retry_after` | cold: goodput / critical / normal / low | backlog | partial |
|---|---|---|---|
EOT
    for bounds in 1s..10s 1s..60s 5s..5m; do
        printf "| \`%s\` |" $bounds
        for scenario in cold backlog partial; do
            cells=$(row 2/11/14/15 "$scenario" \
                        "$(policy "shed retry_after=$bounds;")")
            printf ' %s' "$cells"
        done
        echo
    done
}


table_nodes() {
    local scenario name cells

    cat <<'EOT'
| nginx | scenario | goodput | s to 95 % | peak | critical |
|---|---|---|---|---|---|
EOT
    while read -r scenario name; do
        cells=$(row '2 4 6 11' "$scenario" default)
        printf "| %s | \`%s\` | %s\n" "$name" "$scenario" "$cells"
    done <<'EOT'
cold one
two-services two that know nothing of each other, with 2 / 3 and 1 / 3 of the users
EOT
}


case ${1-} in
capacity|in-flight|ramp|reserve|retry-after|nodes)
    "table_${1//-/_}" ;;
*)
    echo "docs-capacity: there is no table \"${1-}\"" >&2; exit 2 ;;
esac
