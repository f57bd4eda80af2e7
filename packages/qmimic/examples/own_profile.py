"""A profile of one's own: Chrome with another layout, written to a file and read back."""

from dataclasses import replace

from qmimic import ClientProfile, profile
from qmimic.draw import draw_flows
from qmimic.layouts import MultiChaos

mine = replace(profile("chrome"), name="mine", layout=MultiChaos(min_head=200, head_span=1))
text = mine.to_toml()
assert ClientProfile.from_toml(text) == mine

for flow in draw_flows(mine, seed=1, count=3, server_names=["www.example.com"]):
    print([len(data) for data in flow.payloads], flow.payloads[0][:20].hex())
