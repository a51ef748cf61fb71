"""The core of sulh: pure steps over frozen records, with what they know kept as data beside them."""
