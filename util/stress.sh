#!/bin/bash
#
# stress.sh SECONDS
#
# Runs every tests/stress_*.c for so many seconds: its threads under TSan, then
# all of it.  Then its negative controls: built with -DSTRESS_BREAK=1, 2, ...
# it has a fault of its own inside, and must fail.

set -euo pipefail
shopt -s nullglob

seconds=${1:?usage: stress.sh SECONDS}
tries=5

cd "$(dirname "$0")/.."


build() {
    local source=$1 program=$2
    shift 2

    "${CC:-cc}" -std=gnu11 -g -w "$@" -I lua-free-policies -I tests \
        -o "$program" "$source" build/core.a -lpcre2-8 -lpthread -lm
}


# As many faults as the source and its header describe: "*   N  what".

faults_of() {
    local header=${1%_*}_faults.h

    sed -n 's/^ \*   \([0-9]\)  .*/\1/p' "$header"
}


# A fault needs the right moment: it has some tries to come out.

must_fail() {
    local try

    for ((try = 0; try < tries; try++)); do
        "$@" > /dev/null 2>&1 || return 0
    done

    return 1
}


mkdir -p build/stress

for source in tests/stress_*.c; do
    name=$(basename "$source" .c)
    program=build/stress/$name
    found=0

    build "$source" "$program-tsan" -O1 -fsanitize=thread
    "$program-tsan" threads "$seconds"

    build "$source" "$program" -O2
    "$program" all "$seconds"

    for fault in $(faults_of "$source"); do
        build "$source" "$program-$fault" -O2 -DSTRESS_BREAK="$fault"
        must_fail "$program-$fault" all "$seconds" || {
            echo "stress: MISSED: $name with STRESS_BREAK=$fault" >&2
            exit 1
        }
        found=$((found + 1))
    done

    [ "$found" -gt 0 ] || { echo "stress: $name has no control" >&2; exit 1; }
    echo "stress: $name passed, all of $found planted faults found"
done
