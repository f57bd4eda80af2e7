"""Draw a hundred first flights of Chrome and hold their fingerprints against those of captures."""

from collections import Counter

from qmimic import fingerprint, profile
from qmimic.catalog.references import FRESH
from qmimic.draw import draw_flows

chrome = profile("chrome")
flows = draw_flows(chrome, seed=7, count=100, server_names=["www.example.com", "example.net"])
found = fingerprint(data for flow in flows for data in flow.payloads)

counts = Counter(item.v2.super for item in found)
print(f"{chrome.client} {chrome.version}: {dict(counts)}")
assert set(counts) <= FRESH[chrome.name].v2
