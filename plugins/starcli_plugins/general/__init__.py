"""The shipped model: made-up movements alone taught it, with `starcli train --preset general`."""
