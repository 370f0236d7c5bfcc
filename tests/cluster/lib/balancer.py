"""The cluster's load balancer: gives Services of type LoadBalancer an address, and this host a route to it.

    balancer.py --api URL --ca FILE --cert FILE --key FILE --range CIDR NODE=ADDRESS...

Nodes hand on what comes in for such an address (kube-proxy's work). The route leads to the nodes that have a ready
endpoint where externalTrafficPolicy is Local, so pods see the client's own address; else to every node. A Service of
another loadBalancerClass is another's.
"""

import argparse
import http.client
import ipaddress
import json
import queue
import ssl
import subprocess
import threading
import time
import urllib.parse

SERVICES = "/api/v1/services"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--api", "--ca", "--cert", "--key", "--range"):
        parser.add_argument(name, required=True)
    parser.add_argument("nodes", nargs="+", metavar="NODE=ADDRESS")
    options = parser.parse_args()

    api = Api(options)
    changes = queue.SimpleQueue()
    for path in (SERVICES, SLICES):
        threading.Thread(target=watch, args=(api, path, changes), daemon=True).start()
    balancer = Balancer(api, ipaddress.ip_network(options.range), dict(node.split("=") for node in options.nodes))
    while True:
        change = changes.get()
        try:
            balancer.change(*change)
        except ApiError as error:
            print(error, flush=True)  # deleted or changed meanwhile: that is a change of its own
        except (OSError, http.client.HTTPException) as error:
            print(error, flush=True)
            time.sleep(0.2)
            changes.put(change)


class Api:
    """Requests to the API server, a connection each."""

    def __init__(self, options):
        self._server = urllib.parse.urlsplit(options.api).netloc
        self._tls = ssl.create_default_context(cafile=options.ca)
        self._tls.load_cert_chain(options.cert, options.key)

    def request(self, method, path, body=None, *, timeout=30):
        """The answer, open for reading."""
        connection = http.client.HTTPSConnection(self._server, context=self._tls, timeout=timeout)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/merge-patch+json"} if data else {})
        answer = connection.getresponse()
        if answer.status >= 300:
            raise ApiError(f"{method} {path}: {answer.status} {answer.read(500)}", answer.status)
        return answer


class ApiError(Exception):
    def __init__(self, text, status):
        super().__init__(text)
        self.status = status


def watch(api, path, changes):
    """Puts (path, key, object or None) for each change, for ever; a list again whenever the watch breaks."""
    known = set()
    while True:
        try:
            everything = json.load(api.request("GET", path))
            listed = {key(item): item for item in everything["items"]}
            for gone in known - listed.keys():
                changes.put((path, gone, None))
            for name, item in listed.items():
                changes.put((path, name, item))
            known = set(listed)
            version = everything["metadata"]["resourceVersion"]
            # The API server ends a watch after some minutes: a normal end of the stream.
            for line in api.request("GET", f"{path}?watch=true&resourceVersion={version}", timeout=900):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    break
                gone = event["type"] == "DELETED"
                (known.discard if gone else known.add)(key(event["object"]))
                changes.put((path, key(event["object"]), None if gone else event["object"]))
        except (OSError, http.client.HTTPException, ApiError, json.JSONDecodeError) as error:
            print(f"watch {path}: {error}", flush=True)
            time.sleep(0.5)


class Balancer:
    def __init__(self, api, addresses, nodes):
        self._api, self._nodes = api, nodes
        self._free = map(str, addresses.hosts())
        self._returned = []  # used again only when no other is left, so that no client meets another's Service
        self._services = {}  # (namespace, name) -> Service
        self._endpoints = {}  # (namespace, name) of an EndpointSlice -> (its Service, nodes with a ready endpoint)
        self._given = {}  # Service -> address
        self._routed = {}  # address -> next hops

    def change(self, path, name, item):
        if path == SERVICES:
            self._services.pop(name, None) if item is None else self._services.update({name: item})
            self._settle(name)
            return
        service = self._endpoints.pop(name, (None, None))[0]
        if item is not None:
            service = (name[0], item["metadata"].get("labels", {}).get("kubernetes.io/service-name"))
            ready = {
                endpoint.get("nodeName") for endpoint in item.get("endpoints") or []
                if endpoint.get("conditions", {}).get("ready", True)
            }
            self._endpoints[name] = (service, ready)
        self._settle(service)

    def _settle(self, name):
        service = self._services.get(name)
        if service is None or not ours(service):
            if address := self._given.pop(name, None):
                self._route(address, [])
                self._returned.append(address)
            return
        if name not in self._given:
            self._give(name)
        if name in self._given:
            self._route(self._given[name], self._next_hops(name, service))

    def _give(self, name):
        address = next(self._free, None) or (self._returned and self._returned.pop(0))
        if not address:
            print(f"{'/'.join(name)}: no address is left", flush=True)
            return
        status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
        try:
            self._api.request("PATCH", f"/api/v1/namespaces/{name[0]}/services/{name[1]}/status", status).read()
        except Exception:
            self._returned.append(address)
            raise
        self._given[name] = address
        print(f"{'/'.join(name)}: {address}", flush=True)

    def _next_hops(self, name, service):
        if service["spec"].get("externalTrafficPolicy") != "Local":
            return sorted(self._nodes.values())
        ready = set().union(*(nodes for owner, nodes in self._endpoints.values() if owner == name))
        return sorted(address for node, address in self._nodes.items() if node in ready)

    def _route(self, address, hops):
        before = self._routed.get(address, [])
        if hops == before:
            return
        if hops:
            subprocess.run(["ip", "route", "replace", address, *(word for hop in hops for word in ("nexthop", "via", hop))], check=True)
            self._routed[address] = hops
        else:
            subprocess.run(["ip", "route", "del", address], check=True)
            del self._routed[address]
        print(f"{address}: by {', '.join(hops) or 'no node'}", flush=True)


def ours(service):
    spec = service["spec"]
    return spec["type"] == "LoadBalancer" and not spec.get("loadBalancerClass") and "deletionTimestamp" not in service["metadata"]


def key(item):
    return item["metadata"]["namespace"], item["metadata"]["name"]


if __name__ == "__main__":
    main()
