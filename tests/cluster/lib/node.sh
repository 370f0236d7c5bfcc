# A real node: containerd, kubelet and kube-proxy in a network of their own. Sourced by init.
# shellcheck shell=bash

start_node() {
    local k=$1 home=/run/node$1
    mkdir -p "$home"/{cni,certificates,volume-plugins} "node$k"
    issue "node$k" "/O=system:nodes/CN=system:node:node$k" "DNS:node$k,IP:$(node_address "$k")"
    kubeconfig "node$k"
    make_cgroup "smsc-cluster-$SLOT/node$k"
    containerd_configuration "$k" >"conf/containerd-$k.toml"
    cni_configuration "$k" >"$home/cni/10-bridge.conflist"
    kubelet_configuration "$k" >"conf/kubelet-$k.yaml"
    proxy_configuration "$k" >"conf/proxy-$k.yaml"

    start "$k" "containerd-$k" containerd -c "conf/containerd-$k.toml"
    await "containerd of node$k listens" test -S "$home/containerd.sock"
    ctr -a "$home/containerd.sock" -n k8s.io images import images/pause.tar >/dev/null
    start "$k" "kubelet-$k" kubelet --kubeconfig="conf/node$k.kubeconfig" --config="conf/kubelet-$k.yaml" --root-dir="/run/cluster/node$k/kubelet" \
        --hostname-override="node$k" --node-ip="$(node_address "$k")" --cert-dir="$home/certificates"
    start "$k" "kube-proxy-$k" kube-proxy --config="conf/proxy-$k.yaml"
}

# In every hierarchy of cgroup v1; a cpuset without CPUs and memory takes no process.
make_cgroup() {
    local hierarchy group part file
    for hierarchy in /sys/fs/cgroup/*/; do
        [[ -e $hierarchy/tasks ]] || continue # unified
        group=${hierarchy%/}
        for part in ${1//\// }; do
            mkdir -p "$group/$part"
            for file in cpuset.cpus cpuset.mems; do
                [[ ! -e $group/$file ]] || cat "$group/$file" >"$group/$part/$file"
            done
            group=$group/$part
        done
    done
}

# Without CAP_SYS_RESOURCE, runc fails where a container's OOM score is to be lowered.
containerd_configuration() {
    cat <<TOML
version = 2
root = "/run/cluster/node$1/containerd"
state = "/run/node$1/containerd"
[grpc]
  address = "/run/node$1/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "/run/node$1/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/run/node$1/cni"
TOML
}

cni_configuration() {
    cat <<JSON
{"cniVersion": "0.4.0", "name": "smsc", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "/run/node$1/addresses", "ranges": [[{"subnet": "$(node_pods "$1")"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
}

# A quick sync shows changed ConfigMaps soon; images are never collected, since there is nowhere to pull them from.
kubelet_configuration() {
    cat <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: /run/cluster/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: /run/cluster/pki/node$1.crt
tlsPrivateKeyFile: /run/cluster/pki/node$1.key
address: $(node_address "$1")
cgroupDriver: cgroupfs
cgroupRoot: /smsc-cluster-$SLOT/node$1
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
enforceNodeAllocatable: []
clusterDNS: [$API]
clusterDomain: cluster.local
resolvConf: /run/cluster/conf/resolv.conf
containerRuntimeEndpoint: unix:///run/node$1/containerd.sock
podLogsDir: /run/cluster/node$1/pod-logs
volumePluginDir: /run/node$1/volume-plugins
evictionHard: {nodefs.available: "1%", imagefs.available: "1%", memory.available: 50Mi}
imageGCHighThresholdPercent: 100
maxPods: 250
nodeStatusUpdateFrequency: 5s
syncFrequency: 5s
YAML
}

proxy_configuration() {
    cat <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: conf/kube-proxy.kubeconfig}
mode: iptables
clusterCIDR: $PODS
hostnameOverride: node$1
oomScoreAdj: 0
conntrack: {maxPerCore: 0}
YAML
}
