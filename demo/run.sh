#!/usr/bin/env bash
#
# A running gate in one command: a private Redis, the demo's store and nginx
# with the module, on embedded defaults, until Ctrl-C.  Called by "make run".

set -u

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"


# quoted PATH: as a shell would need it, for commands to copy
quoted()
{
    printf "'%s'" "${1//\'/\'\\\'\'}"
}


print_commands()
{
    local site="http://127.0.0.1:$nginx_port"
    local store="http://127.0.0.1:$store_port/_store"
    local socket="$run_dir/redis.sock" cli crowd

    cli="redis-cli -s $(quoted "$socket")"
    crowd=$(quoted "$build_dir/demo-crowd")

    # longer names do not fit into a socket's address
    if [ "${#socket}" -gt 107 ]; then
        cli="cd $(quoted "$run_dir") && redis-cli -s redis.sock"
    fi

    say "" \
        "The gate is up." \
        "" \
        "  status page   $site/recovery/" \
        "  JSON          $site/recovery/status" \
        "  Prometheus    $site/recovery/metrics" \
        "  the service   $site/kv/1   (also /login/1 and /bulk/1)" \
        "" \
        "Put load on it, from another terminal:" \
        "" \
        "  $crowd --target=127.0.0.1:$nginx_port --seconds=600" \
        "" \
        "Break the store, and say so in Redis:" \
        "" \
        "  curl -X POST $store/break" \
        "  $cli HSET recovery:kv health down" \
        "  $cli PUBLISH recovery:changed kv" \
        "" \
        "Restore it (its cache is cold now), and say so:" \
        "" \
        "  curl -X POST $store/restore" \
        "  $cli HSET recovery:kv health up" \
        "  $cli PUBLISH recovery:changed kv" \
        "" \
        "What the store itself sees: curl $store/stats" \
        "Files and logs: $run_dir" \
        "Ctrl-C stops everything."
}


trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

[ -e "$build_dir/$module" ] || die "build/$module is not built: make"

demo_enter live
start_store
start_redis
start_nginx gate
print_commands

# whichever ends first ends all
wait -n "${pids[@]}"
die "a process ended by itself, see $run_dir"
