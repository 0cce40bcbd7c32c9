#!/bin/bash
#
# What a "retries" line does, from the simulator: the built-in policy and the
# same without feedback, each without the line and with budget=10%.  Goodput
# in per cent of the omniscient run / critical class served in per cent / the
# highest peak; medians of five seeds.

set -euo pipefail

cd "$(dirname "$0")/.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

off='feedback off;'
# shellcheck disable=SC2016 # nginx's variable, not ours
rule='retries $http_x_retry_attempt ~ ^[1-9] budget=10%;'

printf 'recovery_policy p { %s }\n' "$rule" > "$dir/on-rule"
printf 'recovery_policy p { %s }\n' "$off" > "$dir/off"
printf 'recovery_policy p { %s %s }\n' "$off" "$rule" > "$dir/off-rule"

scenarios='app-errors backlog cold rate-100k relapse-lying second-peak warm'

figures() {
    for scenario in $scenarios; do
        build/recovery-sim "$1" --scenario "$scenario" --seeds 5 |
            awk '/^scenario/ { getline; print $1, $2 " / " $11 " / " $6 }'
    done
}

cat <<'HEAD'
| scenario | the controller | with `retries` | `feedback off` | with `retries` |
|---|---|---|---|---|
HEAD

join <(figures default) <(figures "$dir/on-rule") |
    join - <(figures "$dir/off") | join - <(figures "$dir/off-rule") |
    awk '{ print "| " $1 " | " $2, $3, $4, $5, $6 " | " $7, $8, $9, $10, $11 \
                 " | " $12, $13, $14, $15, $16 \
                 " | " $17, $18, $19, $20, $21 " |" }'
