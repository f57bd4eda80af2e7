"""`qmimic`, also as `python -m qmimic`."""

import sys


def main() -> None:
    """Run the command line; it needs the extra `cli`."""
    try:
        from qmimic.adapters.cli import cli
    except KeyboardInterrupt:
        sys.exit(130)  # what shells report of a command that was interrupted
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich", "dpkt", "pcapng"):
            raise
        sys.exit(f"qmimic: {error.name} is missing: install uquic-qmimic[cli]")
    cli(prog_name="qmimic")


if __name__ == "__main__":
    main()
