"""The staff service over HTTP."""
