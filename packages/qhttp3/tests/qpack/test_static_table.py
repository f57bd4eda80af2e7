import json
from pathlib import Path

from qhttp3.qpack.static_table import FIELDS, INDEX_BY_FIELD, INDEX_BY_NAME

VECTORS = Path(__file__).parent.parent / "vectors"


def test_entries_are_those_of_the_specification() -> None:  # RFC 9204 appendix A
    expected = json.loads((VECTORS / "rfc9204-appA-static-table.json").read_text())["entries"]

    assert expected == [[index, name.decode(), value.decode()] for index, (name, value) in enumerate(FIELDS)]


def test_look_ups_lead_back() -> None:
    assert len(FIELDS) == len(INDEX_BY_FIELD)
    for field, index in INDEX_BY_FIELD.items():
        assert field == FIELDS[index]
    for name, index in INDEX_BY_NAME.items():
        assert name == FIELDS[index][0]
        assert name not in [other for other, _ in FIELDS[:index]]
