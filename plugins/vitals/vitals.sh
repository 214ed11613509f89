#!/bin/sh
# Prints a JSON line about this host every so many seconds; a value past its limit makes the line a WARNING.
# usage: vitals.sh [seconds]
# VITALS_DISK_WARNING: percent of the disk in use; VITALS_LOAD_WARNING: percent of the processors in use.
set -u
every=${1:-30}
disk_limit=${VITALS_DISK_WARNING:-90}
load_limit=${VITALS_LOAD_WARNING:-200}

napping=
# The shell answers a signal only between commands, and `wait` is the one it interrupts.
trap '[ -z "$napping" ] || kill "$napping" 2>/dev/null; exit 0' TERM INT HUP

nap() {
    sleep "$1" >/dev/null 2>&1 &
    napping=$!
    wait "$napping"
    napping=
}

disk_percent() {
    df -P . | awk 'NR == 2 { print $5 + 0 }'
}

load() {
    if [ -r /proc/loadavg ]; then
        awk '{ print $1 + 0 }' /proc/loadavg
    else
        LC_ALL=C uptime | sed 's/.*load averages*: *//' | awk '{ print $1 + 0 }'
    fi
}

report() {
    disk=$(disk_percent)
    cpus=$(getconf _NPROCESSORS_ONLN)
    load=$(load)
    busy=$(awk -v load="$load" -v cpus="$cpus" 'BEGIN { printf "%d", 100 * load / cpus }')
    level=INFO
    if [ "$disk" -ge "$disk_limit" ] || [ "$busy" -ge "$load_limit" ]; then level=WARNING; fi
    printf '{"level": "%s", "message": "disk %s %% full, load %s on %s processors", ' "$level" "$disk" "$load" "$cpus"
    printf '"disk_percent": %s, "load": %s, "cpus": %s, "busy_percent": %s}\n' "$disk" "$load" "$cpus" "$busy"
}

while :; do
    report
    nap "$every"
done
