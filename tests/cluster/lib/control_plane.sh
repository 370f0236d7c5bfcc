# etcd, API server, controllers, scheduler, DNS, the load balancer, and KWOK's fake nodes. Sourced by init.
# shellcheck shell=bash

start_control_plane() {
    # Durability is of no use to a cluster that ends with its run.
    start 0 etcd etcd --data-dir etcd --unsafe-no-fsync --log-level warn \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
    # Kubelets are called by address, since no DNS knows their names; without the request header flags, which no
    # aggregated API uses here, the other components complain all the time.
    start 0 kube-apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --advertise-address="$API" \
        --service-cluster-ip-range="$SERVICES" --client-ca-file=pki/ca.crt --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key \
        --kubelet-client-certificate=pki/admin.crt --kubelet-client-key=pki/admin.key --kubelet-certificate-authority=pki/ca.crt \
        --kubelet-preferred-address-types=InternalIP \
        --service-account-key-file=pki/service-accounts.pub --service-account-signing-key-file=pki/service-accounts.key \
        --service-account-issuer=https://kubernetes.default.svc.cluster.local \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true --cert-dir=/run/apiserver \
        --requestheader-client-ca-file=pki/ca.crt --requestheader-allowed-names=front-proxy --requestheader-username-headers=X-Remote-User \
        --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
        --max-requests-inflight=800 --max-mutating-requests-inflight=400
    await "the API server is ready" api_ready

    start_controller kube-scheduler
    start_controller kube-controller-manager --service-account-private-key-file=pki/service-accounts.key --root-ca-file=pki/ca.crt \
        --use-service-account-credentials --cluster-signing-cert-file=pki/ca.crt --cluster-signing-key-file=pki/ca.key --concurrent-statefulset-syncs=20
    start_dns
}

api_ready() { kubectl get --raw /readyz >/dev/null 2>&1; }

# Their default of 20 requests a second would be what is measured at scale.
start_controller() {
    local name=$1
    shift
    start 0 "$name" "$name" --kubeconfig="conf/$name.kubeconfig" --authentication-kubeconfig="conf/$name.kubeconfig" \
        --authorization-kubeconfig="conf/$name.kubeconfig" --leader-elect=false --cert-dir="/run/$name" --kube-api-qps=500 --kube-api-burst=1000 "$@"
}

# Names outside the cluster do not exist, which is said at once.
start_dns() {
    cat >conf/Corefile <<CONF
cluster.local:53 in-addr.arpa:53 {
  bind $API
  kubernetes cluster.local in-addr.arpa {
    kubeconfig conf/admin.kubeconfig
  }
  cache 5
}
.:53 {
  bind $API
  template ANY ANY {
    rcode NXDOMAIN
  }
}
CONF
    echo "nameserver $API" >conf/resolv.conf
    start 0 coredns coredns -conf conf/Corefile
}

# On this host, whose routes it sets.
start_balancer() {
    local nodes=() k
    for ((k = 0; k < NODES; k++)); do nodes+=("node$k=$(node_address "$k")"); done
    python3 /run/harness/lib/balancer.py --api "https://$API:6443" --ca pki/ca.crt --cert pki/admin.crt --key pki/admin.key \
        --range "$BALANCED" "${nodes[@]}" >log/balancer.log 2>&1 </dev/null &
    started balancer $!
}

# Fake nodes renew their leases; by KWOK's default they turn NotReady after 50 s, and their pods are evicted.
start_fake_nodes() {
    local k
    start 0 kwok kwok --kubeconfig=conf/admin.kubeconfig --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake \
        --node-lease-duration-seconds=40 --config=/run/programs/stages.yaml
    for ((k = 0; k < FAKE_NODES; k++)); do
        cat <<YAML
---
apiVersion: v1
kind: Node
metadata:
  name: fake$k
  labels: {type: kwok, kubernetes.io/hostname: fake$k, kubernetes.io/os: linux}
  annotations: {kwok.x-k8s.io/node: fake}
spec:
  taints: [{key: kwok.x-k8s.io/node, value: fake, effect: NoSchedule}]
status:
  allocatable: {cpu: "64", memory: 256Gi, pods: "1000"}
  capacity: {cpu: "64", memory: 256Gi, pods: "1000"}
YAML
    done | kubectl apply --server-side -f - >/dev/null
}
