"""Network: bandwidth, packets, errors and drops; per interface where an interfaces export was given."""

from __future__ import annotations

from reports.document import Block
from reports.figures import View, by_instance, distribution, instance_table, over_time, statistics_table

BANDWIDTH = ("net_rx_mb", "net_tx_mb")
PACKETS = ("net_rx_packets", "net_tx_packets")
FAULTS = ("net_rx_errors", "net_tx_errors", "net_rx_drops", "net_tx_drops")
INTERFACES = (("Received by interface", "rx_mb", "MB/s"), ("Sent by interface", "tx_mb", "MB/s"))


INTERFACE_COLUMNS = {
    "rx_mb": "Received MB/s",
    "tx_mb": "Sent MB/s",
    "rx_errors": "Errors in 1/s",
    "tx_errors": "Errors out 1/s",
    "rx_drops": "Drops in 1/s",
    "tx_drops": "Drops out 1/s",
}


def build(view: View) -> tuple[Block, ...]:
    interfaces = [by_instance(view, "interfaces", title, metric, unit) for title, metric, unit in INTERFACES]
    interfaces.append(instance_table(view, "interfaces", "Each interface", INTERFACE_COLUMNS))
    return (
        over_time(view, "Network bandwidth", BANDWIDTH),
        *distribution(view, "Network received + sent", "net_mb"),
        over_time(view, "Packets", PACKETS),
        over_time(view, "Errors and drops", FAULTS, height=110),
        *(figure for figure in interfaces if figure),
        statistics_table(view, "Network in numbers", (*BANDWIDTH, *PACKETS, *FAULTS)),
    )
