# shellcheck shell=bash
#
# What demo/run.sh and demo/demo.sh have in common: where things are, starting
# the private Redis, the store and nginx, and stopping all of it.
#
# Everything that is written lies in one directory below build/run.  Processes
# run with that directory as their own, so that neither a long path (a unix
# socket's name ends at 107 bytes) nor one with spaces gets into a
# configuration file.  When this shell is killed, the kernel stops them.

# Debian keeps nginx in a directory that only root has in PATH
PATH=$PATH:/usr/sbin:/sbin
nginx=${RCV_NGINX:-nginx}

# nginx takes a variable of that name for a list of sockets to inherit
unset NGINX

demo_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
build_dir=$(dirname -- "$demo_dir")/build
module=ngx_http_recovery_module.so

run_dir=            # set by demo_enter
pids=()             # what we started, in order
nginx_port=
store_port=


say()
{
    printf '%s\n' "$@"
}


die()
{
    printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2
    exit 1
}


# demo_enter NAME: an empty build/run/NAME that is ours alone
demo_enter()
{
    local program

    for program in "$nginx" redis-server redis-cli perl flock setpriv; do
        command -v "$program" >/dev/null \
            || die "$program is not installed (make run installs it)"
    done

    for program in demo-store demo-crowd; do
        [ -x "$build_dir/$program" ] || die "build/$program is not built: make"
    done

    run_dir=$build_dir/run/$1
    mkdir -p "$run_dir" || die "cannot write below build/run"

    exec 9>"$run_dir.lock" || die "cannot write below build/run"
    flock -n 9 || die "another one runs in build/run/$1 already"

    rm -rf -- "$run_dir" || die "cannot empty build/run/$1 (another user's?)"
    mkdir -p "$run_dir/tmp"
}


# free_port FROM: the first port from FROM on that nobody listens on
free_port()
{
    perl -MIO::Socket::INET -e '
        for my $port ($ARGV[0] .. $ARGV[0] + 200) {
            my $socket = IO::Socket::INET->new(
                LocalAddr => "127.0.0.1", LocalPort => $port,
                Proto => "tcp", Listen => 1, ReuseAddr => 1);
            if ($socket) { print "$port\n"; exit 0 }
        }
        exit 1' "$1" || die "no free port from $1 on"
}


# wait_for WHAT PID COMMAND...: until COMMAND succeeds, while PID lives
wait_for()
{
    local what=$1 pid=$2 deadline=$((SECONDS + 20))

    shift 2

    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 5 -- "$run_dir"/*.log >&2
            die "$what did not start, see $run_dir"
        fi

        sleep 0.05
    done
}


# http_get PORT PATH, http_post PORT PATH: the answer's body; fails unless 200
http_get()
{
    http_request GET "$@"
}


http_post()
{
    http_request POST "$@"
}


http_request()
{
    perl -MHTTP::Tiny -e '
        my ($method, $port, $path) = @ARGV;
        my $answer = HTTP::Tiny->new(timeout => 2, proxy => undef,
            http_proxy => undef)->request($method,
            "http://127.0.0.1:$port$path");
        print $answer->{content};
        exit($answer->{status} == 200 ? 0 : 1)' "$@"
}


# spawn NAME COMMAND...: in the background, from within run_dir
spawn()
{
    local name=$1

    shift

    (
        cd -- "$run_dir" || exit 1
        exec 9>&- setpriv --pdeathsig TERM -- "$@" \
            >>"$name.log" 2>&1 </dev/null
    ) &

    pids+=($!)
}


start_store()
{
    store_port=$(free_port 9080)
    spawn store "$build_dir/demo-store" --listen="127.0.0.1:$store_port"
    wait_for demo-store "$!" http_get "$store_port" /_store/stats
}


start_redis()
{
    spawn redis redis-server --port 0 --unixsocket redis.sock \
        --unixsocketperm 700 --save '' --appendonly no --dir . \
        --daemonize no --logfile ''
    wait_for redis-server "$!" redis ping
}


redis()
{
    ( cd -- "$run_dir" && redis-cli -s redis.sock "$@" )
}


# start_nginx plain|gate|limit: lines marked #WHAT# are for that one alone
start_nginx()
{
    local descriptors user=

    nginx_port=$(free_port 8080)
    descriptors=$(ulimit -H -n)

    if [ "$descriptors" = unlimited ] || [ "$descriptors" -gt 16384 ]; then
        descriptors=16384
    fi

    # root's checkout may be closed to "nobody", and the socket is
    [ "$(id -u)" -eq 0 ] && user='user root;'

    sed -e "s|#$1#||" \
        -e '/#[a-z]*#/d' \
        -e "s|@MODULE@|../../$module|" \
        -e "s|@USER@|$user|" \
        -e "s|@DESCRIPTORS@|$descriptors|" \
        -e "s|@CONNECTIONS@|$((descriptors - 32))|" \
        -e "s|@STORE_PORT@|$store_port|" \
        -e "s|@NGINX_PORT@|$nginx_port|" \
        -e "s|@REDIS@|unix:redis.sock|" \
        "$demo_dir/nginx.conf.in" >"$run_dir/nginx.conf"

    spawn nginx "$nginx" -p "$run_dir/" -c nginx.conf -e error.log
    wait_for nginx "$!" http_get "$nginx_port" /kv/1
}


# stops what was started, last first; what does not obey is killed
stop_all()
{
    local i pid deadline

    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill -TERM "${pids[i]}" 2>/dev/null
    done

    deadline=$((SECONDS + 5))

    for pid in "${pids[@]}"; do
        while kill -0 "$pid" 2>/dev/null; do
            [ "$SECONDS" -ge "$deadline" ] && kill -KILL "$pid" 2>/dev/null
            sleep 0.02
        done

        wait "$pid" 2>/dev/null
    done

    pids=()
}
