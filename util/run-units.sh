#!/bin/bash
#
# run-units.sh TITLE PROGRAM...
#
# Runs every cmocka program, all of them even if one fails, and closes with a
# line that says how many tests ran.

set -euo pipefail

title=${1:?usage: run-units.sh TITLE PROGRAM...}
shift

if [ $# -eq 0 ]; then
    echo "run-units: no unit tests" >&2
    exit 1
fi

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

failed=()
for program in "$@"; do
    echo "== $program"
    if ! "./$program" 2>&1 | tee -a "$log"; then
        failed+=("$program")
    fi
done

passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" |
         awk '{ sum += $1 } END { print sum + 0 }')

if [ ${#failed[@]} -gt 0 ]; then
    echo "$title: FAILED in ${failed[*]}" >&2
    exit 1
fi

if [ "$passed" -eq 0 ]; then
    echo "$title: no test ran" >&2
    exit 1
fi

echo "$title: $passed tests of $# programs passed"
