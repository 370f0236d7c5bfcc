module smsc.ims.dev/tests/cluster/monitoring

go 1.25.0

// Nothing is built of it: its files define the kinds PodMonitor and PrometheusRule.
require github.com/prometheus-operator/prometheus-operator v0.85.0
