"""A Function app for the host's tests: one function for each thing that a trigger can do."""

import os
import time
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
SEEN = Path(os.environ["SAMPLE_SEEN"])


def note(line: str) -> None:
    with SEEN.open("a") as file:
        file.write(line + "\n")


@app.route(route="echo/{name:alpha}", methods=["POST"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    text = f"{req.route_params['name']} {req.params.get('q')} {req.headers.get('x-one')}".encode()
    return func.HttpResponse(text + req.get_body(), status_code=201, headers={"X-Two": "2"})


@app.route(route="closed", auth_level=func.AuthLevel.FUNCTION)
def closed(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@app.route(route="broken")
def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("broken on purpose")


@app.route(route="files/{*path}")
def files(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.route_params.get("path", ""))


@app.queue_trigger(arg_name="msg", queue_name="work", connection="GROUNDSWELL_STORE")
def work(msg: func.QueueMessage) -> None:
    text = msg.get_body().decode()
    note(f"{text} {msg.dequeue_count}")
    if text == "fail":
        raise RuntimeError("failed on purpose")
    if text == "slow":
        time.sleep(1.5)
        note("slow ended")


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def tick(timer: func.TimerRequest) -> None:
    note("tick")
