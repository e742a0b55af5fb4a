"""The store on an Azure Storage account: documents in Tables, messages in Queues.

Every call ends: 5 s to connect, 20 s to be answered, at most three retries with a few seconds of pauses in all
(the SDK's own backoff would begin at 15 s). The two halves say what is retried and what a lost answer means.
"""

from typing import Any, Protocol, Self

import requests
from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient
from azure.storage.queue import ExponentialRetry, QueueServiceClient
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from groundswell.store.azure_queues import AzureQueues
from groundswell.store.azure_tables import AzureDocuments

_CONNECT_SECONDS = 5
_READ_SECONDS = 20
_CONNECTIONS = 32  # kept open for each of the two services; more threads than this would reconnect each time
_RETRIES = 3


class Credential(TokenCredential, Protocol):
    """A token credential that can be closed, as those of azure-identity can."""

    def close(self) -> None: ...


class AzureStore(AzureDocuments, AzureQueues):
    """The store on one storage account. Threads may share one. Make it by one of the two class methods."""

    def __init__(
        self, tables: TableServiceClient, queues: QueueServiceClient, credential: Credential | None = None
    ) -> None:
        AzureDocuments.__init__(self, tables)
        AzureQueues.__init__(self, queues)
        self._credential = credential

    @classmethod
    def from_connection_string(cls, connection_string: str) -> Self:
        """Raises ValueError when the SDKs cannot read the connection string."""
        text = connection_string.strip().rstrip(";")
        return cls(
            TableServiceClient.from_connection_string(text, **_table_options()),
            QueueServiceClient.from_connection_string(text, **_queue_options()),
        )

    @classmethod
    def from_uris(cls, *, table_uri: str, queue_uri: str, credential: Credential) -> Self:
        """By the `https` addresses of the two services. The credential is closed with the store."""
        return cls(
            TableServiceClient(table_uri, credential=credential, **_table_options()),
            QueueServiceClient(queue_uri, credential=credential, **_queue_options()),
            credential,
        )

    def close(self) -> None:
        self._tables.close()
        self._queues.close()
        if self._credential is not None:
            self._credential.close()


def _table_options() -> dict[str, Any]:
    return {
        "transport": _transport(),
        "retry_total": _RETRIES,
        "retry_backoff_factor": 0.5,
        "retry_backoff_max": 2,
    }


def _queue_options() -> dict[str, Any]:
    retry = ExponentialRetry(initial_backoff=1, increment_base=1, retry_total=_RETRIES, random_jitter_range=1)
    return {"transport": _transport(), "retry_policy": retry}


def _transport() -> RequestsTransport:
    session = requests.Session()
    no_retries = Retry(total=False, redirect=False, raise_on_status=False)  # the SDK's policies do that
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=no_retries))
    return RequestsTransport(session=session, connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
