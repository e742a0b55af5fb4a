"""GROUNDSWELL_STORE: which store is opened, and what is said when none can be."""

import subprocess
import sys
from pathlib import Path

import pytest

from groundswell.errors import InputError
from groundswell.settings import Settings, parse
from groundswell.store.azure import AzureStore
from groundswell.store.connect import open_store
from groundswell.store.sqlite import SqliteStore

KEY = "c2VjcmV0LWtleQ=="


def given(**values: str) -> Settings:
    return parse(
        {"GROUNDSWELL_STORE": "sqlite:///unused"} | {f"GROUNDSWELL_STORE{k}": v for k, v in values.items()}
    )


def test_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = open_store(given(**{"": f"sqlite:///{path}"}))
    assert isinstance(store, SqliteStore)
    assert path.is_file()
    store.close()


@pytest.mark.parametrize(
    "text",
    [
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY};EndpointSuffix=core.windows.net",
        f"accountname=a;AccountKey={KEY};",
        "UseDevelopmentStorage=true",
        "UseDevelopmentStorage=true;",
        "QueueEndpoint=https://a.queue.core.windows.net/;TableEndpoint=https://a.table.core.windows.net/;"
        "SharedAccessSignature=sv=2024&sig=abc",
    ],
)
def test_connection_strings(text: str) -> None:
    store = open_store(given(**{"": text}))
    assert isinstance(store, AzureStore)
    store.close()


def test_identity() -> None:
    settings = given(
        **{
            "": "",
            "__queueServiceUri": "https://a.queue.core.windows.net",
            "__tableServiceUri": "https://a.table.core.windows.net",
        }
    )
    store = open_store(settings)
    assert isinstance(store, AzureStore)
    store.close()


def test_identity_needs_https() -> None:
    settings = given(**{"": "", "__queueServiceUri": "https://a", "__tableServiceUri": "http://a"})
    with pytest.raises(InputError, match="GROUNDSWELL_STORE__tableServiceUri must begin with https://"):
        open_store(settings)


@pytest.mark.parametrize(
    "text",
    [
        f"AccountName=a;AccountKey-{KEY}",
        f"AccountName=a;SharedKey={KEY}",
        f"AccountName=;AccountKey={KEY};;=",
        f"postgres://user:{KEY}@host/db",
        "sqlite://relative",
        "sqlite:///",
        "sqlite:///:memory:",
    ],
)
def test_what_names_no_store(text: str) -> None:
    with pytest.raises(InputError, match=r"GROUNDSWELL_STORE.*sqlite:///PATH.*AccountName=") as caught:
        open_store(given(**{"": text}))
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_sqlite_users_do_not_import_azure(tmp_path: Path) -> None:
    script = (
        "import sys; from groundswell.settings import parse; from groundswell.store.connect import open_store; "
        "open_store(parse({'GROUNDSWELL_STORE': 'sqlite:///' + sys.argv[1]})).close(); "
        "sys.exit(any(name.split('.')[0] in ('azure', 'requests') for name in sys.modules))"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", script, tmp_path / "store.db"], cwd=root, check=True, timeout=60)
