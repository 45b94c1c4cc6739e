"""What the projector tells Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("twofold_projected_records_total", "Records folded", ["topic", "fate"])
HALTED = Gauge("twofold_partition_halted", "1 where a partition is halted", ["topic", "partition"])
LAG = Gauge("twofold_projection_lag_records", "Records not folded yet", ["topic", "partition"])
BATCH_SECONDS = Histogram(
    "twofold_projection_batch_seconds",
    "From a batch's arrival to its commit",
    ["topic"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
