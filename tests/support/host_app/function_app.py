"""An app that has every kind of function which the local host serves. It records what happens in $SAMPLE_FOLDER."""

import asyncio
import base64
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
logger = logging.getLogger("sample")
CONNECTION = "GROUNDSWELL_STORE"

print("the sample app is imported")  # must not reach the host's own stdout


def folder() -> Path:
    return Path(os.environ["SAMPLE_FOLDER"])


def record(name: str, **fields: Any) -> None:
    """One file for each fact: threads do not get in each other's way."""
    document = {"name": name, "at": time.time(), **fields}
    path = folder() / f"{name}-{time.time_ns()}-{os.urandom(4).hex()}"
    path.with_suffix(".part").write_text(json.dumps(document))
    path.with_suffix(".part").rename(path.with_suffix(".json"))


def await_gate(name: str) -> None:
    """Until the test makes the file."""
    record(f"{name}-begun")
    while not (folder() / name).exists():
        time.sleep(0.01)


@app.route(route="echo/{name}/{number:int?}", methods=["GET", "POST", "PUT"])
def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    document = {
        "method": req.method,
        "url": req.url,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "headers": dict(req.headers),
        "body": base64.b64encode(req.get_body()).decode(),
        "trace": context.trace_context.trace_parent,
    }
    headers = {"X-Answer": "yes", "Content-Type": "application/json"}
    return func.HttpResponse(json.dumps(document), status_code=201, headers=headers)


@app.route(route="echo/fixed", methods=["GET"])
def fixed(req: func.HttpRequest) -> str:
    return "a text"


@app.route(route="reversed", methods=["POST"])
async def backwards(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(0)
    return func.HttpResponse(req.get_body()[::-1], mimetype="application/octet-stream")


@app.route(route="files/{*path}")
def files(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.route_params.get("path", "no path"))


@app.route(route="cookies")
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("", status_code=200)
    response.headers.add("Set-Cookie", "a=1; Path=/x; HttpOnly; Secure; SameSite=Lax; Max-Age=60")
    response.headers.add("Set-Cookie", "b=2; Domain=example.com; Expires=Wed, 21 Oct 2026 07:28:00 GMT")
    return response


@app.route(route="guarded", auth_level=func.AuthLevel.FUNCTION)
def guarded(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@app.route(route="owners", auth_level=func.AuthLevel.ADMIN)
def owners(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@app.route(route="broken")
def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("the reason")


@app.route(route="endless")
async def endless(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(60)
    return func.HttpResponse("too late")


@app.route(route="waiting")
def waiting(req: func.HttpRequest) -> func.HttpResponse:
    await_gate("http-gate")
    return func.HttpResponse("done")


@app.route(route="logged")
def logged(req: func.HttpRequest) -> func.HttpResponse:
    logger.info("a fact", extra={"cascade": "c-1"})
    return func.HttpResponse("")


@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE_QUEUE%", connection=CONNECTION)
def work(msg: func.QueueMessage) -> None:
    task = msg.get_json()
    record(
        "work",
        task=task,
        id=msg.id,
        dequeue_count=msg.dequeue_count,
        inserted=msg.insertion_time.timestamp() if msg.insertion_time else None,
        expires=msg.expiration_time.timestamp() if msg.expiration_time else None,
        receipt=bool(msg.pop_receipt),
    )
    if task.get("do") == "fail":
        raise RuntimeError("on purpose")
    if task.get("do") == "gate":
        await_gate("queue-gate")
    if task.get("do") == "sleep":
        time.sleep(task["seconds"])
    record("worked", task=task)


@app.queue_trigger(arg_name="msg", queue_name="sample-work-poison", connection=CONNECTION)
def work_poison(msg: func.QueueMessage) -> None:
    record("poison", body=msg.get_body().decode(), dequeue_count=msg.dequeue_count)


@app.queue_trigger(arg_name="msg", queue_name="switched-off", connection=CONNECTION)
def switched_off(msg: func.QueueMessage) -> None:
    record("switched-off")


@app.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%")
def tick(timer: func.TimerRequest) -> None:
    record("tick", past_due=timer.past_due, status=timer.schedule_status)


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def at_start(timer: func.TimerRequest) -> None:
    record("at-start")
