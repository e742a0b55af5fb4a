"""A Functions host for one machine: it runs `function_app.py` with the real Python worker library.

`worker` drives azure-functions-runtime in-process, `queues`, `timers` and `server` are the triggers, `config` reads
host.json and the app settings. Run it with `python -m groundswell.local.host APP_DIR --port N`.

Two settings of its own hold the keys: GROUNDSWELL_HOST_KEY opens everything, the admin endpoints too,
GROUNDSWELL_FUNCTION_KEY the HTTP functions of level `function`. What has no key is closed.
"""

from groundswell.local.host.indexing import FunctionInfo, index

__all__ = ["FunctionInfo", "index"]
