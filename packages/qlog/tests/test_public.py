"""The public names of qlog, and that they need nothing above qwire."""

import subprocess
import sys

import qlog

NAMES = ["EVENT_SCHEMAS", "RecordReader", "Trace", "TraceWriter", "load_traces", "read_records"]
ALONE = """
import sys
for name in ("qcore", "qhttp3", "qtls", "cryptography"):
    sys.modules[name] = None
import qlog, qlog.__main__, qlog.events, qlog.files, qlog.frames, qlog.packets
"""


def test_public_names() -> None:
    assert sorted(NAMES) == sorted(qlog.__all__)
    for name in qlog.__all__:
        assert hasattr(qlog, name)


def test_the_layers_above_are_not_needed() -> None:
    script = f"import sys; sys.path[:] = {sys.path!r}\n{ALONE}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
