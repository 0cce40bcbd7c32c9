#!/usr/bin/env bash
#
# One outage and one recovery under load, twice: through plain nginx, and
# through nginx with the recovery gate.  Same store, same demand, same seed.
# Called by "make demo"; ends with a two-row comparison and leaves the figures
# in build/run/demo.json.

set -u

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

warm_s=${DEMO_WARM_S:-5}
outage_s=${DEMO_OUTAGE_S:-5}
recovery_s=${DEMO_RECOVERY_S:-28}
rate=${DEMO_RATE:-350}


# play NAME GATE TITLE
play()
{
    local name=$1 gate=$2

    say "" "$3" ""

    demo_enter "demo-$name"
    start_store

    if [ "$gate" -eq 1 ]; then
        start_redis
        start_nginx gate
    else
        start_nginx plain
    fi

    (
        cd -- "$run_dir" || exit 1
        exec 9>&- setpriv --pdeathsig TERM -- \
            perl "$demo_dir/play.pl" name="$name" gate="$gate" \
            nginx_port="$nginx_port" store_port="$store_port" \
            warm="$warm_s" outage="$outage_s" recovery="$recovery_s" \
            json=summary.json -- \
            setpriv --pdeathsig TERM -- \
            "$build_dir/demo-crowd" --target="127.0.0.1:$nginx_port" \
            --rate="$rate" --seconds=$((warm_s + outage_s + recovery_s))
    ) &

    pids+=($!)
    wait "$!" || die "the demo ended early, see build/run/demo-$name"
    stop_all
}


trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

[ -e "$build_dir/$module" ] || die "build/$module is not built: make"

say "$rate users a second, four attempts each, one second of patience." \
    "The store serves 500 requests a second warm and 62 cold." \
    "Times count from the restore. demand: new users; offered: with their" \
    "retries; delivered: answers in time; queue, hit%: in the store."

play without 0 "WITHOUT the gate: plain nginx, proxy_pass only"
play with 1 "WITH the gate: the same nginx, recovery kv;"

perl "$demo_dir/compare.pl" "$build_dir/run/demo-without/summary.json" \
    "$build_dir/run/demo-with/summary.json" "$build_dir/run/demo.json" \
    || die "no comparison"
