#!/bin/bash
#
# kill-switch.sh
#
# How fast force closed and force open are, in every phase, judged by what is
# promised: under 100 ms when ordered in nginx, under a second through Redis.

set -euo pipefail

cd "$(dirname "$0")/.."

TEST_STRICT=1 prove -I t/lib -v t/kill_switch.t | grep -E 'under|longest'
