#!/usr/bin/env bash
#
# The demo's outage and recovery through four gates in turn: plain nginx,
# limit_req at the store's nominal rate, HAProxy, and the module.  The same
# store and the same users; several rounds, each in another order and with
# another seed.  Writes bench/recovery/RESULTS.md.  Called by "make
# bench-recovery"; takes about nine minutes.
#
# BENCH_ROUNDS and BENCH_RECOVERY_S make it shorter, BENCH_RESULTS names
# another file to write.

set -u

bench_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)

# shellcheck source-path=SCRIPTDIR source=../../demo/lib.sh
. "$bench_dir/../../demo/lib.sh"

rounds=${BENCH_ROUNDS:-3}
warm_s=4
outage_s=5
recovery_s=${BENCH_RECOVERY_S:-28}
rate=350
results=${BENCH_RESULTS:-$bench_dir/RESULTS.md}

gates=(plain limit_req haproxy module)


start_haproxy()
{
    nginx_port=$(free_port 8080)

    sed -e "s|@PORT@|$nginx_port|" \
        -e "s|@STORE_PORT@|$store_port|" \
        -e "s|@CONNECTIONS@|7000|" \
        "$bench_dir/haproxy.cfg.in" >"$run_dir/haproxy.cfg"

    spawn haproxy haproxy -f haproxy.cfg -db
    wait_for haproxy "$!" http_get "$nginx_port" /kv/1
}


start_gate()
{
    case $1 in
        plain)     start_nginx plain ;;
        limit_req) start_nginx limit ;;
        haproxy)   start_haproxy ;;
        module)    start_redis; start_nginx gate ;;
    esac
}


# play ROUND GATE
play()
{
    local round=$1 gate=$2 told=0

    [ "$gate" = module ] && told=1

    demo_enter "bench-$round-$gate"
    start_store
    start_gate "$gate"

    (
        cd -- "$run_dir" || exit 1
        exec 9>&- setpriv --pdeathsig TERM -- \
            perl "$demo_dir/play.pl" name="$gate" gate="$told" \
            nginx_port="$nginx_port" store_port="$store_port" \
            warm="$warm_s" outage="$outage_s" recovery="$recovery_s" \
            json=summary.json -- \
            setpriv --pdeathsig TERM -- \
            "$build_dir/demo-crowd" --target="127.0.0.1:$nginx_port" \
            --rate="$rate" --seed="$round" \
            --seconds=$((warm_s + outage_s + recovery_s)) >rows.txt
    ) &

    pids+=($!)
    wait "$!" || die "$gate ended early, see build/run/bench-$round-$gate"
    stop_all
}


trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

[ -e "$build_dir/$module" ] || die "build/$module is not built: make"
command -v haproxy >/dev/null \
    || die "haproxy is not installed: apt-get install haproxy (its service" \
           "need not run)"

rm -rf -- "$build_dir"/run/bench-[0-9]*
load=

for ((round = 1; round <= rounds; round++)); do
    load="$load $(cut -d' ' -f1 /proc/loadavg)"

    for ((i = 0; i < ${#gates[@]}; i++)); do
        gate=${gates[(i + round - 1) % ${#gates[@]}]}
        say "round $round of $rounds: $gate"
        play "$round" "$gate"
    done
done

perl "$bench_dir/table.pl" nginx="$("$nginx" -v 2>&1)" \
    haproxy="$(haproxy -v | head -n 1)" load="${load# }" rate="$rate" \
    rounds="$rounds" run="$build_dir/run" gates="${gates[*]}" \
    >"$results.new" || die "no table"

mv -- "$results.new" "$results"
cat -- "$results"
