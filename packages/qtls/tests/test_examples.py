"""Every example and every code block of the README runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
EXPECTED = {
    "encrypted_hello.py": (
        "outside public.example, inside public.example\n"
        "ech_required: public.example could not decrypt the ClientHello\n"
        "outside public.example, inside secret.example\n"
    ),
    "open_initial.py": "server name example.com, protocols alpn\n",
    "resumption.py": "X25519MLKEM768, resumed False, 0-RTT False\nX25519MLKEM768, resumed True, 0-RTT True\n",
}


@pytest.mark.parametrize("path", sorted((PACKAGE / "examples").glob("*.py")), ids=lambda path: path.name)
def test_example(path: Path) -> None:
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True, timeout=60)

    assert EXPECTED[path.name] == done.stdout


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n", 1)[0])
def test_readme(block: str, tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(block)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "block.py")], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == ("h3 TLS_AES_128_GCM_SHA256 X25519MLKEM768\n" * 2 if "print" in block else "")


def test_readme_has_examples() -> None:
    assert len(BLOCKS) >= 3
