#!/bin/bash
#
# fuzz.sh SECONDS
#
# Runs every tests/fuzz/fuzz_NAME.c under libFuzzer, ASan and UBSan for so many
# seconds, beginning with the inputs in tests/fuzz/NAME/.  What it finds on the
# way, and a crash, is kept in build/fuzz/NAME/.

set -euo pipefail
shopt -s nullglob

seconds=${1:?usage: fuzz.sh SECONDS}
clang=${CLANG:-clang}

cd "$(dirname "$0")/.."


# A target may be of the core; of a file of the shell that knows no nginx: then
# it includes that file's header; or of what its "sources:" lines name.

build() {
    local name=$1
    local -a named sources=("tests/fuzz/fuzz_$name.c" lua-free-policies/*.c)
    local shell=ngx_recovery_module/ngx_http_recovery_$name.c

    if grep -q "ngx_http_recovery_$name.h" "tests/fuzz/fuzz_$name.c"; then
        sources+=("$shell")
    fi

    read -r -a named < <(sed -n 's/^ \* sources: //p' \
                             "tests/fuzz/fuzz_$name.c" | tr '\n' ' ') || true
    sources+=("${named[@]}")

    "$clang" -std=gnu11 -O1 -g -w -fsanitize=fuzzer,address,undefined \
        -fno-sanitize-recover=all -I lua-free-policies \
        -o "build/fuzz/fuzz_$name" "${sources[@]}" -lhiredis -lpcre2-8 -lm
}


run() {
    local name=$1 log=build/fuzz/$1.log
    local -a options=(-max_total_time="$seconds" -timeout=10
                      -artifact_prefix="build/fuzz/$name-"
                      -print_final_stats=1)

    [ ! -f "tests/fuzz/$name.dict" ] ||
        options+=(-dict="tests/fuzz/$name.dict")

    mkdir -p "build/fuzz/$name"
    "build/fuzz/fuzz_$name" "${options[@]}" "build/fuzz/$name" \
        "tests/fuzz/$name" > "$log" 2>&1 || {
        grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse)' "$log" |
            tail -n 60 >&2
        echo "fuzz: FAILED: $name; the input is in build/fuzz/" >&2
        return 1
    }

    echo "fuzz: $name:" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs" \
        "in $seconds s, nothing found"
}


mkdir -p build/fuzz

for target in tests/fuzz/fuzz_*.c; do
    name=${target##*/fuzz_}
    name=${name%.c}
    build "$name"
    run "$name"
done
