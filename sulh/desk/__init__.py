"""The desk: pages to browse the embedded store."""
