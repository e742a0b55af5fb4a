"""Opens the store that the settings name. Azure's SDKs are imported only when they are needed."""

from groundswell.errors import InputError
from groundswell.settings import Settings
from groundswell.store.port import Store

_SQLITE = "sqlite:///"
_CONNECTION_STRING_MARKS = ("accountname=", "usedevelopmentstorage=true", "sharedaccesssignature=")
_FORMS = (
    "give sqlite:///PATH (four slashes for an absolute path) or a storage connection string "
    "(AccountName=…;AccountKey=…, or UseDevelopmentStorage=true), or leave it out and set "
    "GROUNDSWELL_STORE__queueServiceUri and GROUNDSWELL_STORE__tableServiceUri"
)


def open_store(settings: Settings) -> Store:
    """The store of `settings`; close it after use. Raises InputError, without what the setting holds."""
    store = settings.store.strip()
    if store.startswith(_SQLITE):
        return _sqlite(store.removeprefix(_SQLITE))
    if any(mark in store.lower() for mark in _CONNECTION_STRING_MARKS):
        return _by_connection_string(store)
    if not store and settings.queue_uri and settings.table_uri:
        return _by_identity(settings.queue_uri, settings.table_uri)
    raise InputError(f"setting GROUNDSWELL_STORE names no store: {_FORMS}")


def _sqlite(path: str) -> Store:
    from groundswell.store.sqlite import SqliteStore

    if not path or path == ":memory:":
        raise InputError(f"setting GROUNDSWELL_STORE must name a file after {_SQLITE}: {_FORMS}")
    return SqliteStore(path)


def _by_connection_string(connection_string: str) -> Store:
    from groundswell.store.azure import AzureStore

    try:
        return AzureStore.from_connection_string(connection_string)
    except ValueError:
        # Not chained: the SDK's message may quote the string, and with it the key.
        raise InputError(f"setting GROUNDSWELL_STORE is not a complete connection string: {_FORMS}") from None


def _by_identity(queue_uri: str, table_uri: str) -> Store:
    for name, uri in (("queue", queue_uri), ("table", table_uri)):
        if not uri.startswith("https://"):
            raise InputError(f"setting GROUNDSWELL_STORE__{name}ServiceUri must begin with https://")

    from azure.identity import DefaultAzureCredential

    from groundswell.store.azure import AzureStore

    # A user-assigned managed identity is chosen by AZURE_CLIENT_ID, which the credential reads itself.
    return AzureStore.from_uris(table_uri=table_uri, queue_uri=queue_uri, credential=DefaultAzureCredential())
