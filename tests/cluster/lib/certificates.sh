# The cluster's authority, and a certificate and kubeconfig for each that talks to the API server. Sourced by init.
# shellcheck shell=bash

make_certificates() {
    mkdir pki
    new_key pki/ca.key
    openssl req -x509 -new -key pki/ca.key -out pki/ca.crt -days 30 -subj /CN=smsc-test-ca
    issue apiserver /CN=kube-apiserver "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$API,IP:${SERVICES%.0/*}.1"
    # The API server takes who a client is from its certificate: the CN is the user, each O a group.
    client admin /O=system:masters/CN=admin
    client kube-controller-manager /CN=system:kube-controller-manager
    client kube-scheduler /CN=system:kube-scheduler
    client kube-proxy /CN=system:kube-proxy
    openssl genrsa -out pki/service-accounts.key 2048 2>/dev/null
    openssl rsa -in pki/service-accounts.key -pubout -out pki/service-accounts.pub 2>/dev/null
    cp conf/admin.kubeconfig kubeconfig
    export KUBECONFIG=/run/cluster/kubeconfig
}

# client NAME SUBJECT
client() {
    issue "$1" "$2" "DNS:$1"
    kubeconfig "$1"
}

kubeconfig() {
    cat >"conf/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: smsc
    cluster: {server: "https://$API:6443", certificate-authority-data: $(base64 -w0 pki/ca.crt)}
users:
  - name: $1
    user: {client-certificate-data: $(base64 -w0 "pki/$1.crt"), client-key-data: $(base64 -w0 "pki/$1.key")}
contexts:
  - name: smsc
    context: {cluster: smsc, user: $1}
current-context: smsc
YAML
}

# issue NAME SUBJECT SUBJECT-ALTERNATIVE-NAMES
issue() {
    new_key "pki/$1.key"
    openssl req -new -key "pki/$1.key" -subj "$2" |
        openssl x509 -req -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 30 -out "pki/$1.crt" 2>/dev/null \
            -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3")
}

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
