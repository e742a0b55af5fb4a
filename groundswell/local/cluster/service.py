"""The cluster look-alike as one thing: an API server, its controllers and its nodes.

It speaks the part of the Kubernetes API that workloads and their rollouts need, to the official client, over
whatever serves `app`. There is no admission, no RBAC beyond the two tokens, no finalizers and no grace periods;
pods run nothing.
"""

from collections.abc import Callable

from aiohttp import web

from groundswell import clock as clocks
from groundswell.clock import Clock
from groundswell.local.cluster.access import Access
from groundswell.local.cluster.api import Api
from groundswell.local.cluster.controllers import Controllers
from groundswell.local.cluster.events import Events
from groundswell.local.cluster.history import History, Sighting
from groundswell.local.cluster.kinds import NAMESPACES, Target, kind_named
from groundswell.local.cluster.kubelet import Kubelet, Says
from groundswell.local.cluster.objects import Json
from groundswell.local.cluster.owned import Owned
from groundswell.local.cluster.paging import Pager
from groundswell.local.cluster.pods import Nodes
from groundswell.local.cluster.store import Store
from groundswell.local.cluster.writes import Writes


class ClusterLookalike:
    """A cluster with a `default` namespace. All methods may be called from any thread.

    `exists(image)` and `crash(image)` decide what becomes of pods; they are called on the controllers' thread. A
    pod takes `ready_seconds` to start, and is tried again every `retry_seconds` while it cannot. `trusts(token)`
    says whether a token that is neither of the two is one that an identity provider gave; it may write.
    """

    def __init__(
        self,
        *,
        token: str,
        exists: Says = lambda _: True,
        crash: Says = lambda _: False,
        read_only_token: str = "",
        trusts: Callable[[str], bool] = lambda _: False,
        nodes: int = 1,
        ready_seconds: float = 0.3,
        retry_seconds: float = 1.0,
        step_seconds: float = 0.05,
        bookmark_seconds: float = 60.0,
        clock: Clock = clocks.now,
    ) -> None:
        self._store = Store(clock)
        self._history = History(self._store, clock)
        self._pager = Pager()
        self._access = Access(token, read_only_token, trusts)
        self._bookmark_seconds = bookmark_seconds
        events = Events(self._store, clock)
        kubelet = Kubelet(
            events.add,
            clock,
            exists=exists,
            crash=crash,
            ready_seconds=ready_seconds,
            retry_seconds=retry_seconds,
        )
        self._controllers = Controllers(
            self._store,
            Owned(self._store, events, clock),
            Nodes(self._store, kubelet),
            nodes=nodes,
            step_seconds=step_seconds,
        )
        self._writes = Writes(self._store)
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})

    def app(self) -> web.Application:
        """The API server, to be made on the thread of the loop that serves it. Begins the controllers."""
        self._controllers.start()
        api = Api(self._store, self._pager, self._access, bookmark_seconds=self._bookmark_seconds)
        return api.app()

    def close(self) -> None:
        """Stop the controllers; the API goes with the servers."""
        self._controllers.stop()

    def create(self, manifest: Json) -> Json:
        """Create an object as `kubectl create` would. Raises ApiError when it is not valid or exists already."""
        kind = kind_named(manifest.get("kind", ""))
        namespace = ""
        if kind.namespaced:
            namespace = manifest.get("metadata", {}).get("namespace") or "default"
        return self._writes.create(Target(kind=kind, namespace=namespace), manifest)

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """An object as it stands. Raises ApiError when there is none."""
        found = kind_named(kind)
        return self._store.get(found, "" if found == NAMESPACES else namespace, name)

    def images_seen(self, namespace: str, kind: str, name: str) -> list[Sighting]:
        """(time, container, image) for each image that the workload's containers were given, in order."""
        return self._history.images(namespace, kind, name)

    def expire(self) -> None:
        """Forget history and unfinished lists, as a compaction does: who asks for them again gets 410."""
        self._store.compact()
        self._pager.expire()
