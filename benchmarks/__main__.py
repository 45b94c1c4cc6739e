"""`python -m benchmarks`: every benchmark, on the servers that tests use."""

import uvloop

from benchmarks import append
from tests.stack import running_stack


def main() -> None:
    """Start the servers, measure, stop them."""
    with running_stack(print) as stack:
        uvloop.run(append.run(stack.kafka))


if __name__ == "__main__":
    main()
