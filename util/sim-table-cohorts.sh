#!/bin/bash
#
# What a "cohort" line does, from the simulator: the built-in policy without
# it and with it.  Goodput in per cent of the omniscient run, median / worst
# of five seeds / calls of users who lost none of their class.

set -euo pipefail

cd "$(dirname "$0")/.."

policy=$(mktemp)
trap 'rm -f "$policy"' EXIT

# shellcheck disable=SC2016 # nginx's variable, not ours
printf 'recovery_policy p { cohort $cookie_session; }\n' > "$policy"

scenarios='cold degrading partial pauses rate-100k rate-30 relapse-lying
           second-peak warm'

figures() {
    for scenario in $scenarios; do
        build/recovery-sim "$1" --scenario "$scenario" --seeds 5 |
            awk '/^scenario/ { getline
                               print $1, $2 " / " $3 " / " $(NF - 2) }'
    done
}

cat <<'HEAD'
| scenario | without | with `cohort` |
|---|---|---|
HEAD

join <(figures default) <(figures "$policy") |
    awk '{ print "| " $1 " | " $2, $3, $4, $5, $6 \
                 " | " $7, $8, $9, $10, $11 " |" }'
