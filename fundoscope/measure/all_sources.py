"""Every source of records: the sets with labels, and photographs that were perceived."""

from fundoscope.measure import perceived_records
from fundoscope.read.all_sources import sources

__all__ = ["perceived_records", "sources"]
