"""Waits, in a model server written in Python, for the files that wbuild's runtime stub brings.

The server hands a resolver to the model, which calls it before it reads its files:

    class Model:
        def __init__(self, **kwargs):
            self._lazy_data_resolver = kwargs["lazy_data_resolver"]

        def load(self):
            self._lazy_data_resolver.block_until_download_complete()

A server that makes none can call the function of this module instead. Where the image holds all of
its files there is nothing to wait for, and both return at once.

The stub says how it went by two marker files, named in WBUILD_READY_FILE and WBUILD_FAILED_FILE;
the report in them is JSON (docs/stub.md). No part of this needs anything beyond Python 3.8.
"""
import json
import os
import time

__all__ = ["LazyDataResolver", "block_until_download_complete"]

_POLL_SECONDS = 0.05


def _failure(path):
    """What the failed file says, in one line."""
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        return report.get("error") or "the files are not what was packed"
    except (OSError, ValueError, AttributeError):
        return f"the runtime stub failed; see {path}"


def block_until_download_complete(timeout=None):
    """Returns the stub's report, a dict (empty where there was nothing to wait for).

    Raises RuntimeError when the stub failed, and TimeoutError after `timeout` seconds. Any thread
    may call it, any number of times.
    """
    ready = os.environ.get("WBUILD_READY_FILE")
    failed = os.environ.get("WBUILD_FAILED_FILE")
    end = None if timeout is None else time.monotonic() + timeout
    if not ready:
        return {}
    while True:
        try:
            with open(ready, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            pass
        if failed and os.path.exists(failed):
            raise RuntimeError(f"wbuild: {_failure(failed)}")
        if end is not None and time.monotonic() >= end:
            raise TimeoutError(f"wbuild: {ready} did not appear within {timeout} s")
        time.sleep(_POLL_SECONDS)


class LazyDataResolver:
    """The object that Truss's servers pass to a model as `lazy_data_resolver`."""

    def __init__(self, data_dir="data", logger=None):
        self._data_dir = data_dir
        self._logger = logger
        self._report = None

    def block_until_download_complete(self, log_stats=True, issue_callback=True):
        """Waits for the files. Returns "" where there were none to wait for, else a summary."""
        first = self._report is None
        self._report = block_until_download_complete()
        if not self._report:
            return ""
        summary = (f"{self._report.get('files', 0)} files, {self._report.get('bytes', 0)} bytes, "
                   f"{self._report.get('milliseconds', 0) / 1000:.1f} s")
        if first and log_stats and self._logger:
            self._logger.info("model files are ready: %s", summary)
        return summary

    def raise_if_not_collected(self):
        """For servers: a model that has files to wait for must have waited."""
        if self._report is None and os.environ.get("WBUILD_READY_FILE"):
            raise RuntimeError("model_cache: Data was not collected. Missing "
                               "lazy_data_resolver.block_until_download_complete().")
