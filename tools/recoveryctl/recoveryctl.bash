# bash completion for recoveryctl: verbs, the options of each, and the names
# of backends and classes where they can be had within a second.
#
# Names come from Redis or from a node, and compgen -W expands its words like
# a command line: nothing but letters, digits, "_", "." and "-" gets there.


# What nodes report, for ten seconds; asked where the command line points to.

_recoveryctl_report() {
    local i now=$SECONDS
    local -a to=()

    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        case ${words[i]} in
        --redis | --password-file | --prefix | --db | --sentinel | \
        --sentinel-user | --sentinel-password-file | --tls-ca | --tls-cert | \
        --tls-key | --tls-verify | --url | --status-url)
            to+=("${words[i]}" "${words[i + 1]}")
            ;;
        esac
    done

    if [[ ${_recoveryctl_to-} != "${to[*]} ${RECOVERY_REDIS-}" ||
          $((now - ${_recoveryctl_at:-0})) -ge 10 ]]
    then
        _recoveryctl_to="${to[*]} ${RECOVERY_REDIS-}"
        _recoveryctl_at=$now
        _recoveryctl_json=$(timeout 1 "${words[0]}" status --json \
                            --timeout 300ms "${to[@]}" 2>/dev/null \
                            < /dev/null)
    fi
}


_recoveryctl_backends() {
    _recoveryctl_report
    sed -n '/^  "backends": {/,$ s/^    "\([A-Za-z0-9_.-]*\)": {.*/\1/p' \
        <<< "$_recoveryctl_json"
}


_recoveryctl_classes() {
    _recoveryctl_report
    sed -n 's/^ *"name": "\([A-Za-z0-9_.-]*\)",*$/\1/p' \
        <<< "$_recoveryctl_json" | sort -u
}


# The program knows its options best.

_recoveryctl_options() {
    "${words[0]}" "$@" --help 2>/dev/null < /dev/null |
        sed -n 's/^  \(--[a-z-]*\).*/\1/p'
}


_recoveryctl_words() {
    local word

    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(compgen -W "$1" -- "$cur")
}


_recoveryctl_files() {
    local word

    compopt -o filenames 2>/dev/null

    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(compgen -f -- "$cur")
}


# The value of an option; 1: it has none.

_recoveryctl_value() {
    case $1 in
    --json | --watch | --follow | --no-color | --help)
        return 1
        ;;
    --password-file | --sentinel-password-file | --tls-ca | --tls-cert | \
    --tls-key)
        _recoveryctl_files
        ;;
    --tls-verify)
        _recoveryctl_words "on off"
        ;;
    --override-safety)
        _recoveryctl_words failing
        ;;
    --level)
        _recoveryctl_words "0.25 0.5 0.75"
        ;;
    --for)
        _recoveryctl_words "5m 10m 30m 1h"
        ;;
    --wait)
        _recoveryctl_words "0 5s 30s"
        ;;
    --redis)
        _recoveryctl_words "redis:// rediss:// unix:/"
        compopt -o nospace 2>/dev/null
        ;;
    esac
}


# Not COMP_WORDS, which is split at the colons of a URI as well; but what is in
# quotes is one word.

_recoveryctl_split() {
    local word quote=''
    local -a pieces

    read -ra pieces <<< "$1"

    for word in "${pieces[@]}"; do
        if [[ -n $quote ]]; then
            words[-1]+=" $word"
        else
            words+=("$word")
        fi

        case $quote$word in
        \"?*\" | \'?*\') quote='' ;;
        \"* | \'*) quote=${quote:-${word:0:1}} ;;
        esac
    done

    [[ $1 == *[[:space:]] && -z $quote ]] && words+=('')
    words[0]=${words[0]/#\~/$HOME}
}


_recoveryctl() {
    local cur prev verb='' line=${COMP_LINE:0:COMP_POINT} i n=0
    local -a words=()
    local verbs='status down degraded recover force hold resume step-back
                 promote clear audit check simulate help'

    _recoveryctl_split "$line"

    cur=${words[-1]}
    prev=${words[-2]-}
    COMPREPLY=()

    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        case ${words[i]} in
        --json | --watch | --follow | --no-color | --help) ;;
        --*) ((i++)) ;;
        *)
            if [[ -z $verb ]]; then
                verb=${words[i]}
            else
                n=$((n + 1))
            fi
            ;;
        esac
    done

    if [[ $verb == simulate ]]; then
        if [[ $cur == -* ]]; then
            _recoveryctl_words "$(_recoveryctl_options simulate)"
        else
            _recoveryctl_files
        fi
        return
    fi

    if [[ $prev == --* ]] && _recoveryctl_value "$prev"; then
        return
    fi

    if [[ $cur == -* ]]; then
        [[ $verb == check ]] ||
            _recoveryctl_words "$(_recoveryctl_options "${verb:-down}")"
        return
    fi

    case $verb:$n in
    :* | help:0)
        _recoveryctl_words "$verbs"
        ;;
    force:0)
        _recoveryctl_words "open closed hold 50%"
        ;;
    promote:0)
        _recoveryctl_words "$(_recoveryctl_classes)"
        ;;
    check:0)
        _recoveryctl_files
        ;;
    force:1 | promote:1 | status:0 | down:0 | degraded:0 | recover:0 | \
    hold:0 | resume:0 | step-back:0 | clear:0 | audit:0)
        _recoveryctl_words "$(_recoveryctl_backends)"
        ;;
    esac
}


complete -F _recoveryctl recoveryctl
