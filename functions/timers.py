"""The timers: what was lost or left undone is found again."""

import azure.functions as func

from groundswell.cascade.observing import observer
from groundswell.wiring import app

blueprint = func.Blueprint()


@blueprint.function_name("sweep")
@blueprint.timer_trigger(arg_name="timer", schedule="0 * * * * *")
def sweep(timer: func.TimerRequest) -> None:
    """Every minute: cascades and slots that a crash or a lost message left standing."""
    del timer
    app().sweep.cascades()
    app().sweep.slots()
    observer().timer("sweep")
    app().timers.ran("sweep")
    app().look()


@blueprint.function_name("watch")
@blueprint.timer_trigger(arg_name="timer", schedule="15 * * * * *")
def watch(timer: func.TimerRequest) -> None:
    """Every minute: what people are to be told of, and notices whose message was lost."""
    del timer
    app().watch.run()
    app().timers.ran("watch")


@blueprint.function_name("reconcile")
@blueprint.timer_trigger(arg_name="timer", schedule="30 */5 * * * *")
def reconcile(timer: func.TimerRequest) -> None:
    """Every five minutes: bases that moved, and webhooks that were sent, without reaching us."""
    del timer
    app().reconcile.bases()
    app().lost_webhooks.find()
    observer().timer("reconcile")
    app().timers.ran("reconcile")


@blueprint.function_name("orphans")
@blueprint.timer_trigger(arg_name="timer", schedule="45 7 * * * *")
def orphans(timer: func.TimerRequest) -> None:
    """Every hour: runs that nobody waits for any more."""
    del timer
    app().orphans.stop()
    app().timers.ran("orphans")


@blueprint.function_name("stock")
@blueprint.timer_trigger(arg_name="timer", schedule="15 22 * * * *")
def stock(timer: func.TimerRequest) -> None:
    """Every hour: which digests run, for the rescan."""
    del timer
    app().rescan.take_stock()
    app().timers.ran("stock")


@blueprint.function_name("rescan")
@blueprint.timer_trigger(arg_name="timer", schedule="20 */5 * * * *")
def rescan(timer: func.TimerRequest) -> None:
    """Every five minutes: what runs is scanned again, a few at a time, each once a day."""
    del timer
    app().rescan.scan()
    app().timers.ran("rescan")


@blueprint.function_name("cleanup")
@blueprint.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
def cleanup(timer: func.TimerRequest) -> None:
    """Every night: tags of ours in the registries that nothing needs any more."""
    del timer
    app().cleanup.run()
    app().timers.ran("cleanup")


@blueprint.function_name("retention")
@blueprint.timer_trigger(arg_name="timer", schedule="0 30 2 * * *")
def retention(timer: func.TimerRequest) -> None:
    """Every night: what is older than the settings say is archived or deleted, and what was answered long ago."""
    del timer
    app().retention.run()
    app().answers.forget()
    app().sessions.forget()
    app().notices.forget()
    app().timers.ran("retention")
