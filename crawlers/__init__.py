"""Crawlers: a source's YAML in, archived captures out; the only place that knows Scrapy."""
