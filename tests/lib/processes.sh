# Process groups: whatever a run starts is in a group of its own, so nothing outlives it, whatever happens.
# shellcheck shell=bash

GROUPS_FILE="$CACHE/groups" # a line for each living group: boot id, group id, start time of its leader

# Runs a command in a group of its own, which ends with it: in_group LOGFILE COMMAND...
in_group() {
    local log=$1 rc=0 group
    shift
    set -m # job control gives every background job a process group named by its first process
    "$@" </dev/null >"$log" 2>&1 9>&- & # 9 is the lock of the run: what outlives a run must not hold it
    group=$!
    set +m
    note_group "$group"
    wait "$group" || rc=$?
    end_group "$group"
    return $rc
}

# Writes a group down, by its leader, for end_stale_groups.
note_group() { echo "$(boot_id) $1 $(start_time "$1")" >>"$GROUPS_FILE"; }

# Ends the groups that a run which died left behind, and no others: same boot, and the leader either gone (its id
# stays reserved while the group has members) or started at the very moment that was written down.
end_stale_groups() {
    [[ -s "$GROUPS_FILE" ]] || return 0
    local boot group started now
    while read -r boot group started; do
        now=$(start_time "$group")
        if [[ "$boot" == "$(boot_id)" && ( -z "$now" || "$now" == "$started" ) ]] && kill -0 -- "-$group" 2>/dev/null; then
            echo "ending process group $group, left by a run that died"
            end_group "$group"
        fi
    done <"$GROUPS_FILE"
    : >"$GROUPS_FILE"
}

# Ends what is left of a group: politely, then for good.
end_group() {
    kill -TERM -- "-$1" 2>/dev/null || return 0
    for _ in {1..20}; do
        kill -0 -- "-$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "-$1" 2>/dev/null || true
}

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# Start time of a process in clock ticks since boot; empty if it is gone.
start_time() {
    # The command name may hold spaces and parentheses: count the fields behind its last one.
    sed -e 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20 || true
}
