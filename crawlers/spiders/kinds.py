"""Names the spider class of each kind of source, and of each web archive."""

from __future__ import annotations

from crawlers.spiders import SourceSpider
from crawlers.spiders.feed import FeedSpider
from crawlers.spiders.listing import ListingSpider
from crawlers.spiders.past import CommonCrawlSpider, PastSpider, WaybackSpider
from crawlers.spiders.sitemap import SitemapSpider
from crawlers.spiders.wordpress import WordpressSpider

KINDS: dict[str, type[SourceSpider]] = {
    "feed": FeedSpider,
    "sitemap": SitemapSpider,
    "wordpress": WordpressSpider,
    "listing": ListingSpider,
}

ARCHIVES: dict[str, type[PastSpider]] = {"commoncrawl": CommonCrawlSpider, "wayback": WaybackSpider}
