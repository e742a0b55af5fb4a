"""Deployments of the kind git: read from a lineage file, kept, and read again."""

import json
from typing import Any

import pytest

from groundswell.deploy.port import GitFile, Kind
from groundswell.errors import InputError
from groundswell.lineage.document import parse
from groundswell.lineage.model import Registration, from_json, to_json

LEAST = {"kind": "git", "repository": "https://github.com/contoso/fleet.git", "path": "apps/web/kustomization.yaml"}


def registered(deployment: Any) -> Registration:
    image = {"name": "shop/web", "tags": ["1"], "deployments": [deployment]}
    document = {
        "version": 1,
        "registry": "contoso.azurecr.io",
        "source": {"git": "https://github.com/contoso/shop.git"},
        "images": [image],
    }
    return parse(json.dumps(document))[0].registration


def test_what_is_left_out_is_filled_in() -> None:
    image = registered(LEAST)
    (of,) = image.deployments
    assert of.git == GitFile(
        repository="https://github.com/contoso/fleet.git",
        branch="main",
        path="apps/web/kustomization.yaml",
        image="contoso.azurecr.io/shop/web",
    )
    assert of.kind is Kind.GIT
    assert str(of) == "github.com/contoso/fleet/main/git/apps:web:kustomization.yaml[contoso.azurecr.io:shop:web]"
    assert image.environments == {"github.com/contoso/fleet"}


def test_what_is_given_is_kept() -> None:
    given = {
        **LEAST,
        "branch": "env/prod",
        "path": "web.yaml",
        "field": "Deployment/web:spec.template.spec.containers[web].image",
        "image": "web",
        "pull_request": True,
        "environment": "production",
    }
    image = registered(given)
    (of,) = image.deployments
    assert of.git == GitFile(**{key: given[key] for key in given if key not in ("kind", "environment")})
    assert str(of).endswith("/env:prod/git/web.yaml[Deployment:web:spec.template.spec.containers.web.image]")
    assert image.environments == {"production"}


@pytest.mark.parametrize("deployment", [LEAST, {**LEAST, "field": "image.digest", "environment": "e"}])
def test_it_is_kept_as_a_lineage_file_has_it(deployment: dict[str, Any]) -> None:
    image = registered(deployment)
    kept = json.loads(json.dumps(to_json(image)))
    assert from_json(kept) == image
    assert registered(kept["deployments"][0]) == image


def test_a_deployment_in_a_cluster_is_kept_as_it_was() -> None:
    fields = {"cluster": "c", "namespace": "n", "kind": "CronJob", "name": "w", "container": "web"}
    image = registered(fields)
    assert to_json(image)["deployments"] == ({**fields, "environment": None},)
    assert from_json(json.loads(json.dumps(to_json(image)))) == image


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"repository": "https://user:pw@github.com/a/b"}, "must be the https URL of a repository"),
        ({"repository": "http://github.com/a/b"}, "must be the https URL of a repository"),
        ({"repository": "https://github.com/a"}, "must be the https URL of a repository"),
        ({"repository": "https://github.com/a/b?c"}, "must be the https URL of a repository"),
        ({"path": "../secret.yaml"}, "does not match"),
        ({"path": "a/./b.yaml"}, "does not match"),
        ({"path": "a?b"}, "does not match"),
        ({"branch": "a/.."}, "does not match"),
        ({"branch": "-x"}, "does not match"),
        ({"field": "a b"}, "does not match"),
        ({"field": "a\n"}, "does not match"),
        ({"image": "a@b"}, "does not match"),
        ({"pull_request": "yes"}, "is not of type 'boolean'"),
        ({"cluster": "c"}, "'cluster' was unexpected"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        registered({**LEAST, **changes})
    assert told in str(caught.value)
    assert "pw" not in str(caught.value)


def test_what_is_missing_is_said() -> None:
    with pytest.raises(InputError, match="'repository' is a required property"):
        registered({"kind": "git", "path": "a"})
    with pytest.raises(InputError, match="'Pod' is not one of"):
        registered({"cluster": "c", "namespace": "n", "kind": "Pod", "name": "w", "container": "web"})
