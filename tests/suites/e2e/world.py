"""What the scenarios share: the cluster, a namespace with a backend and handsets for each test, and a resource to hold."""

import json
import os

from harness import ROOT
from kubernetes import Cluster

CLUSTER = Cluster("cluster-of-e2e")


def open_world():
    """Starts the cluster, and the definition is in it."""
    CLUSTER.start()
    CLUSTER.api("GET", "/version")
    CLUSTER.kubectl("apply", "-f", ROOT / "crds/smscfrontends.yaml")
    CLUSTER.kubectl("wait", "--for=condition=Established", "crd/smscfrontends.smsc.ims.dev")


def close():
    CLUSTER.stop()
