"""The queue triggers: each hands its message on. What was given up ends visibly, by way of a poison queue."""

import azure.functions as func

from groundswell.wiring import app

blueprint = func.Blueprint()

CONNECTION = "GROUNDSWELL_STORE"


def _again(msg: func.QueueMessage) -> bool:
    """Whether the message was delivered before, to somebody who did not end."""
    return (msg.dequeue_count or 1) > 1


@blueprint.function_name("pushes")
@blueprint.queue_trigger(arg_name="msg", queue_name="pushes", connection=CONNECTION)
def pushes(msg: func.QueueMessage) -> None:
    app().intake.handle(msg.get_body().decode())


@blueprint.function_name("rebuilds")
@blueprint.queue_trigger(arg_name="msg", queue_name="rebuilds", connection=CONNECTION)
def rebuilds(msg: func.QueueMessage) -> None:
    app().engine.handle(msg.get_body().decode(), again=_again(msg))


@blueprint.function_name("scans")
@blueprint.queue_trigger(arg_name="msg", queue_name="scans", connection=CONNECTION)
def scans(msg: func.QueueMessage) -> None:
    app().engine.handle(msg.get_body().decode(), again=_again(msg))


@blueprint.function_name("rollouts")
@blueprint.queue_trigger(arg_name="msg", queue_name="rollouts", connection=CONNECTION)
def rollouts(msg: func.QueueMessage) -> None:
    app().engine.handle(msg.get_body().decode(), again=_again(msg))


@blueprint.function_name("notices")
@blueprint.queue_trigger(arg_name="msg", queue_name="notices", connection=CONNECTION)
def notices(msg: func.QueueMessage) -> None:
    app().notices.handle(msg.get_body().decode())


@blueprint.function_name("pushes_poison")
@blueprint.queue_trigger(arg_name="msg", queue_name="pushes-poison", connection=CONNECTION)
def pushes_poison(msg: func.QueueMessage) -> None:
    app().poisoned("pushes", msg.get_body().decode(errors="replace"))


@blueprint.function_name("rebuilds_poison")
@blueprint.queue_trigger(arg_name="msg", queue_name="rebuilds-poison", connection=CONNECTION)
def rebuilds_poison(msg: func.QueueMessage) -> None:
    app().poisoned("rebuilds", msg.get_body().decode(errors="replace"))


@blueprint.function_name("scans_poison")
@blueprint.queue_trigger(arg_name="msg", queue_name="scans-poison", connection=CONNECTION)
def scans_poison(msg: func.QueueMessage) -> None:
    app().poisoned("scans", msg.get_body().decode(errors="replace"))


@blueprint.function_name("rollouts_poison")
@blueprint.queue_trigger(arg_name="msg", queue_name="rollouts-poison", connection=CONNECTION)
def rollouts_poison(msg: func.QueueMessage) -> None:
    app().poisoned("rollouts", msg.get_body().decode(errors="replace"))


@blueprint.function_name("notices_poison")
@blueprint.queue_trigger(arg_name="msg", queue_name="notices-poison", connection=CONNECTION)
def notices_poison(msg: func.QueueMessage) -> None:
    app().poisoned("notices", msg.get_body().decode(errors="replace"))
