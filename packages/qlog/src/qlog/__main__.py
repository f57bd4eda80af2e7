"""``qlog summary``, ``qlog convert`` and ``qlog view``: what can be done with a trace at a prompt."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from qlog.convert import to_contained, to_sequential
from qlog.reader import Trace, load_traces
from qlog.summary import describe, summarize
from qlog.view import page


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; exit status 0, 1 when a file cannot be read or written, 2 for misuse."""
    options = _parser().parse_args(argv)
    try:
        data = Path(options.file).read_bytes()
        traces = [trace for trace in load_traces(data) if trace.events or trace.header]
        if not traces:
            raise ValueError(f"{options.file} holds no trace")
        if options.command == "summary":
            print("\n\n".join([describe(summarize(trace)) for trace in traces]))
        elif options.command == "convert":
            _convert(data, traces, options.output)
        else:
            output = options.output or Path(options.file).with_suffix(".html")
            Path(output).write_text(page(traces, Path(options.file).name), encoding="utf-8")
            print(output)
    except (OSError, ValueError, RecursionError) as error:
        print(f"qlog: {error}", file=sys.stderr)
        return 1
    return 0


def _convert(data: bytes, traces: list[Trace], output: str | None) -> None:
    """Write the other form: a sequence becomes plain JSON, anything else a sequence."""
    if data.lstrip().startswith(b"\x1e"):
        text = to_contained(traces)
    else:
        if len(traces) > 1:
            raise ValueError(f"{len(traces)} traces do not fit one sequence")
        text = to_sequential(traces[0])
    if output is None:
        sys.stdout.write(text)
    else:
        Path(output).write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qlog", description="Look at traces of QUIC and HTTP/3.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    summary = commands.add_parser("summary", help="counts, sizes, losses, round-trip times, how it ended")
    convert = commands.add_parser("convert", help="sequential to plain JSON, or back")
    view = commands.add_parser("view", help="one page that draws packets over time")
    for command in (summary, convert, view):
        command.add_argument("file", metavar="FILE", help="a trace, sequential (.sqlog) or plain (.qlog)")
    convert.add_argument("-o", "--output", metavar="FILE", help="where to, by default the terminal")
    view.add_argument("-o", "--output", metavar="PAGE.html", help="where to, by default beside FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
