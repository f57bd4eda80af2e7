"""`qmimic learn`: captures of one client → a profile."""

from pathlib import Path

import click

from qmimic.capture import read_capture
from qmimic.learn import learn

from .errors import Failure, failures, one_line


@click.command("learn")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The profile; standard output if absent."
)
@click.option("--name", default="learned", show_default=True, help="What the profile calls itself.")
def learn_command(file: Path, output: Path | None, name: str) -> None:
    """Make a profile that redraws the client whose connections are in FILE."""
    with failures():
        text = learn(read_capture(file), name=name).to_toml()
        if output is None:
            click.echo(text, nl=False)
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Failure(f"{output}: {one_line(error)}") from None
