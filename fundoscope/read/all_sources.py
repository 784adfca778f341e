"""Every source that ships, registered."""

from fundoscope.read import (
    aptos,
    eyepacs,
    idrid,
    knowledge_topics,
    messidor,
    mmac,
    odir,
    phantom_set,
    records_file,
    rfmid,
    table,
    ukbiobank,
)
from fundoscope.read.sources import sources

__all__ = [
    "aptos",
    "eyepacs",
    "idrid",
    "knowledge_topics",
    "messidor",
    "mmac",
    "odir",
    "phantom_set",
    "records_file",
    "rfmid",
    "sources",
    "table",
    "ukbiobank",
]
