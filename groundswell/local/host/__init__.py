"""A Functions host for one machine: it runs `function_app.py` with the real Python worker library.

`worker` drives azure-functions-runtime in-process, `queues`, `timers` and `server` are the triggers, `config` reads
host.json. Run it with `python -m groundswell.local.host APP_DIR --port N`.
"""
