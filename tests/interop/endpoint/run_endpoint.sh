#!/bin/sh
# What the runner starts in the container: set up the simulated network's routes, then be what the environment says.
set -e
/setup.sh
if [ "$ROLE" = client ]; then
    /wait-for-it.sh sim:57832 -s -t 30
fi
exec /venv/bin/python -m tests.interop.endpoint.run
