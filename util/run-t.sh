#!/bin/bash
#
# run-t.sh PROVE-OPTION... FILE...
#
# prove, and one more chance for files that failed, one after the other and
# with nothing beside them: they drive real servers in real time, and the
# machine may have had something else to do.  What needed it is named; what
# fails twice has failed.

set -uo pipefail

state=build/prove.state

mkdir -p build
rm -f "$state"

if prove --statefile "$state" --state=save "$@"; then
    exit 0
fi

echo "run-t: once more, what failed:"

options=()

for word in "$@"; do
    case $word in
    -j*) ;;
    *.t) ;;
    *) options+=("$word") ;;
    esac
done

if prove "${options[@]}" --statefile "$state" --state=failed,save; then
    echo "run-t: passed at the second try, see above which"
    exit 0
fi

exit 1
