"""The commands of `qmimic`, one module each."""

import click

from qmimic import __version__

from .demo import demo_command
from .diffs import diff_command
from .dissects import dissect_command
from .draws import draw_command
from .errors import Commands
from .fingerprints import fingerprint_command
from .gets import get_command
from .learns import learn_command
from .lints import lint_command
from .profiles import profiles_command, show_command
from .serves import serve_command


@click.group("qmimic", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="qmimic")
def cli() -> None:
    """QUIC and HTTP/3 with the first flight of a browser."""


for command in (
    demo_command,
    get_command,
    serve_command,
    profiles_command,
    show_command,
    draw_command,
    fingerprint_command,
    dissect_command,
    lint_command,
    learn_command,
    diff_command,
):
    cli.add_command(command)
