#!/bin/bash
#
# The table of docs/how-it-works.md, from the simulator: goodput of the
# built-in policy and of the same without feedback, in per cent of the
# omniscient run, median and worst of five seeds.

set -euo pipefail

cd "$(dirname "$0")/.."

policy=$(mktemp)
trap 'rm -f "$policy"' EXIT

printf 'recovery_policy off {\n    feedback  off;\n}\n' > "$policy"

goodput() {
    build/recovery-sim "$1" --scenario all --seeds 5 |
        awk '/^scenario/ { on = 1; next } on && NF == 0 { exit }
             on { print $1, $2 " / " $3 }'
}

cat <<'HEAD'
| scenario | the controller | `feedback off` |
|---|---|---|
HEAD

join <(goodput default | sort) <(goodput "$policy" | sort) |
    awk '{ print "| " $1 " | " $2 " " $3 " " $4 " | " $5 " " $6 " " $7 " |" }'
