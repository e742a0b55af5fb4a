"""Every name that telemetry uses, once: docs/telemetry.md, the alerts and the workbook are held to them by tests.

Attributes are OpenTelemetry's own where its semantic conventions have one; ours begin with `groundswell.`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from groundswell.cascade.status import Stage, Status


class Span(StrEnum):
    RECEIVE = "send pushes"
    """A push is queued. The first of its trace, or below its webhook's request (`POST /webhooks/…`)."""
    PROCESS = "process pushes"
    """One handling of a push's message; with a settle window there are two."""
    PLAN = "plan"
    """A cascade is planned, or joined; links to the pushes that coalesced into it."""
    REBUILD = "rebuild"
    """One image, from its planning (or its return) until it has settled."""
    SLOT = "wait for slot"
    BUILD = "build"
    """The whole run, however many handlings looked at it."""
    VERIFY = "verify"
    SCAN = "scan"
    VERDICT = "verdict"
    """The gate's, at the end of a scan; without a length."""
    PROMOTE = "promote"
    ROLLOUT = "rollout"
    """One ring; on its way back it is another span."""
    HOLD = "hold"


STAGES: Mapping[Status, Span] = {
    Status.READY: Span.SLOT,
    Status.BUILDING: Span.BUILD,
    Status.VERIFYING: Span.VERIFY,
    Status.SCANNING: Span.SCAN,
    Status.PROMOTING: Span.PROMOTE,
    Status.DEPLOYING: Span.ROLLOUT,
    Status.HELD: Span.HOLD,
}
"""The span of the time that a rebuild spends in a status."""


class Attribute(StrEnum):
    # of OpenTelemetry's semantic conventions
    HTTP_METHOD = "http.request.method"
    HTTP_ROUTE = "http.route"
    HTTP_STATUS = "http.response.status_code"
    MESSAGING_SYSTEM = "messaging.system"
    MESSAGING_OPERATION = "messaging.operation.name"
    MESSAGING_TYPE = "messaging.operation.type"
    QUEUE = "messaging.destination.name"
    MESSAGE = "messaging.message.id"
    IMAGE_NAME = "container.image.name"
    IMAGE_TAGS = "container.image.tags"
    DIGEST = "oci.manifest.digest"
    PIPELINE = "cicd.pipeline.name"
    PIPELINE_RUN = "cicd.pipeline.run.id"
    TASK = "cicd.pipeline.task.name"
    TASK_RUN = "cicd.pipeline.task.run.id"
    TASK_TYPE = "cicd.pipeline.task.type"
    TASK_RESULT = "cicd.pipeline.task.run.result"
    ERROR = "error.type"
    # ours
    CASCADE = "groundswell.cascade"
    IMAGE = "groundswell.image"
    ATTEMPT = "groundswell.attempt"
    RING = "groundswell.ring"
    STAGE = "groundswell.stage"
    STATUS = "groundswell.status"
    OUTCOME = "groundswell.outcome"
    PASSED = "groundswell.passed"
    RESULT = "groundswell.result"
    SOURCE = "groundswell.source"
    PUSHES = "groundswell.pushes"
    POOL = "groundswell.pool"
    TIMER = "groundswell.timer"


SYSTEM = "azure_storage_queues"
"""The conventions name no such system; another value is allowed then."""
NAME = "groundswell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`kind` is counter, histogram or gauge; `unit` as UCUM has it."""

    name: str
    kind: str
    unit: str
    about: str
    attributes: tuple[Attribute, ...] = ()


PUSHES = Metric(
    name="groundswell.pushes",
    kind="counter",
    unit="{push}",
    about="Pushes dealt with, by what became of them",
    attributes=(Attribute.RESULT,),
)
STAGE_DURATION = Metric(
    name="groundswell.stage.duration",
    kind="histogram",
    unit="s",
    about="How long a rebuild was in a stage, its wait for a slot and holds among them",
    attributes=(Attribute.STAGE, Attribute.OUTCOME),
)
CASCADE_LAG = Metric(
    name="groundswell.cascade.lag",
    kind="histogram",
    unit="s",
    about="From the end of a push's settle window until all that follows has settled",
    attributes=(Attribute.OUTCOME,),
)
VERDICTS = Metric(
    name="groundswell.verdicts",
    kind="counter",
    unit="{verdict}",
    about="Verdicts of the gate",
    attributes=(Attribute.PASSED,),
)
FAILURES = Metric(
    name="groundswell.failures",
    kind="counter",
    unit="{rebuild}",
    about="Rebuilds that failed, by the stage that did",
    attributes=(Attribute.STAGE,),
)
ROLLBACKS = Metric(
    name="groundswell.rollbacks",
    kind="counter",
    unit="{rollout}",
    about="Rings that went back to what they ran before",
)
GIVEN_UP = Metric(
    name="groundswell.messages.given_up",
    kind="counter",
    unit="{message}",
    about="Messages given up after all their deliveries",
    attributes=(Attribute.QUEUE,),
)
DEPTH = Metric(
    name="groundswell.queue.depth",
    kind="gauge",
    unit="{message}",
    about="Messages in a queue, those for later among them",
    attributes=(Attribute.QUEUE,),
)
AGE = Metric(
    name="groundswell.queue.age",
    kind="gauge",
    unit="s",
    about="Age of the oldest message that nobody has taken yet; 0 when there is none",
    attributes=(Attribute.QUEUE,),
)
SLOTS_USED = Metric(
    name="groundswell.slots.used",
    kind="gauge",
    unit="{slot}",
    about="Builds under way in a pool",
    attributes=(Attribute.POOL,),
)
SLOTS_LIMIT = Metric(
    name="groundswell.slots.limit",
    kind="gauge",
    unit="{slot}",
    about="Builds that a pool takes at once",
    attributes=(Attribute.POOL,),
)
CASCADES_OPEN = Metric(
    name="groundswell.cascades.open",
    kind="gauge",
    unit="{cascade}",
    about="Cascades that have not ended",
)
TIMER_SUCCESS = Metric(
    name="groundswell.timer.last_success",
    kind="gauge",
    unit="s",
    about="When a timer's work last ended well in this process, in seconds since the epoch",
    attributes=(Attribute.TIMER,),
)

METRICS: tuple[Metric, ...] = (
    PUSHES,
    STAGE_DURATION,
    CASCADE_LAG,
    VERDICTS,
    FAILURES,
    ROLLBACKS,
    GIVEN_UP,
    DEPTH,
    AGE,
    SLOTS_USED,
    SLOTS_LIMIT,
    CASCADES_OPEN,
    TIMER_SUCCESS,
)

TASK_TYPES: Mapping[Stage, str] = {Stage.BUILD: "build", Stage.SCAN: "test", Stage.DEPLOY: "deploy"}
"""What the conventions know of task types; the other stages have none."""
