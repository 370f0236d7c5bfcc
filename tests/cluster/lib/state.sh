# One cluster: where its files are, which addresses and names are its own, how it is started and ended.
# Sourced by up, down, run, enter and image.
#
# Every process of a cluster lives in a PID and a mount namespace of its own, whose first process is lib/init. When that
# one dies, the kernel ends all others, and their mounts, network namespaces and veths go with them. Outside there are
# only: the files in $STATE, the cgroups smsc-cluster-SLOT, and the link in $SLOTS.
# shellcheck shell=bash

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/smsc-tests
STATE=$(realpath -m "${SMSC_CLUSTER_STATE:-$CACHE/cluster}")
SLOTS=/run/smsc-clusters # a link for each cluster of this machine: slot -> its $STATE
MOST=8                   # clusters at once
# shellcheck source=tests/lib/processes.sh
source "$HERE/../lib/processes.sh"

# Starts a cluster and waits until its nodes are ready: start_cluster TETHER [OPTION]...
# With TETHER `tied` it ends when this shell does, even by SIGKILL. In any case this shell's EXIT trap ends it.
start_cluster() {
    local tether=() programs init slot began=$SECONDS
    [[ $1 != tied ]] || tether=(setpriv --pdeathsig KILL)
    shift
    check_machine
    programs=$(dirname "$("$HERE/build")")

    mkdir -p "$SLOTS"
    exec 7>"$SLOTS/lock"
    flock 7
    end_dead_clusters
    if [[ -n $(init_of "$STATE") ]]; then
        end_cluster "$STATE"
    fi
    rm -rf "$STATE"
    trap 'end_cluster "$STATE"' EXIT
    slot=$(take_slot)
    mkdir -p "$STATE"/{log,conf,images}
    "${tether[@]}" setsid unshare --pid --fork --kill-child --mount --mount-proc --propagation private \
        bash "$HERE/lib/init" "$STATE" "$programs" "$slot" "$@" </dev/null >"$STATE/log/init.log" 2>&1 7>&- 9>&- &
    init=$(first_child $!)
    echo "$(boot_id) $init $(start_time "$init")" >"$STATE/init"
    exec 7>&-

    until [[ -e $STATE/ready ]]; do
        if [[ -z $(init_of "$STATE") || $((SECONDS - began)) -gt 300 ]]; then
            echo "the cluster did not start; its logs are in $STATE.log. init.log ends with:" >&2
            tail -n 20 "$STATE/log/init.log" >&2
            return 1
        fi
        sleep 0.1
    done
    sed 's/^/cluster: /' "$STATE/ready" >&2
}

# Ends a cluster, living or dead, and all that is left of it but its logs, which move to STATE.log.
end_cluster() {
    local state=$1 init slot
    init=$(init_of "$state")
    if [[ -n $init ]]; then
        kill -KILL "$init"
        # It is there until the last process of its namespace is gone.
        while [[ -n $(init_of "$state") ]]; do sleep 0.02; done
    fi
    for slot in $(slots); do
        [[ $(readlink "$SLOTS/$slot") == "$state" ]] || continue
        remove_cgroups "smsc-cluster-$slot"
        ip link delete "smsc$slot" 2>/dev/null || true # the kernel takes its time over namespaces without processes
        rm -f "${SLOTS:?}/$slot"
    done
    if [[ -d $state/log ]]; then
        rm -rf "$state.log"
        mv "$state/log" "$state.log"
    fi
    rm -rf "$state"
}

# What runs that died left behind, whoever's they were.
end_dead_clusters() {
    local slot state
    for slot in $(slots); do
        state=$(readlink "$SLOTS/$slot")
        [[ -n $(init_of "$state") ]] || end_cluster "$state"
    done
}

# What a command needs to use the cluster: programs on PATH, kubectl's configuration, an address where pods reach it.
export_cluster() {
    export KUBECONFIG=$STATE/kubeconfig SMSC_CLUSTER_STATE=$STATE SMSC_CLUSTER_HOST
    PATH=$(readlink "$STATE/programs")/bin:$PATH
    SMSC_CLUSTER_HOST=$(<"$STATE/conf/host")
}

# The first process of a cluster, as seen from here; nothing if the cluster does not live.
init_of() {
    local boot init started
    [[ -s $1/init ]] || return 0
    read -r boot init started <"$1/init"
    if [[ $boot == "$(boot_id)" && $started == "$(start_time "$init")" ]] && ! grep -qs '^State:.*Z' "/proc/$init/status"; then
        echo "$init"
    fi
}

# ---- helpers ----

slots() { find "$SLOTS" -maxdepth 1 -type l -printf '%f\n' 2>/dev/null | sort -n; }

take_slot() {
    local slot
    for ((slot = 0; slot < MOST; slot++)); do
        if ln -sT "$STATE" "$SLOTS/$slot" 2>/dev/null; then
            echo "$slot"
            return
        fi
    done
    echo "$MOST clusters run on this machine; no more fit: $(ls -l "$SLOTS")" >&2
    return 1
}

first_child() {
    until pgrep -P "$1"; do
        [[ -e /proc/$1 ]] || { echo "the cluster did not start: $(<"$STATE/log/init.log")" >&2 && return 1; }
        sleep 0.01
    done
}

remove_cgroups() {
    local top
    for top in /sys/fs/cgroup/*/"$1"; do
        [[ -d $top ]] || continue
        until find "$top" -depth -type d -exec rmdir {} + 2>/dev/null; do
            [[ -d $top ]] || break
            sleep 0.05 # a process that has just ended still counts for a moment
        done
    done
}

check_machine() {
    local missing=() program
    [[ $EUID -eq 0 ]] || { echo "a cluster of our own needs root; with KUBECONFIG set, yours is used" >&2 && return 1; }
    [[ -d /sys/fs/cgroup/memory ]] || { echo "a cluster of our own needs cgroup v1; with KUBECONFIG set, yours is used" >&2 && return 1; }
    for program in containerd runc iptables conntrack ip nsenter openssl python3; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    [[ -x /usr/lib/cni/bridge ]] || missing+=("containernetworking-plugins")
    [[ ${#missing[@]} -eq 0 ]] || { echo "missing: ${missing[*]} (tests/run installs them)" >&2 && return 1; }
}
