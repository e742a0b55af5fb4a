"""What must hold in every file of infra/: roles, transport, keys, secrets."""

import json
import re
from collections import Counter
from typing import Any

import pytest
import yaml

from tests.unit.infra.bicep import INFRA, ROOT, Resource, modules, resources, texts, trees

ROLES = "Microsoft.Authorization/roleDefinitions"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ALLOWED = {
    "8311e382-0749-4cb8-b61a-304f252e45ec": "AcrPush",
    "c2f4ef07-c644-48eb-af81-4b1b4947fb11": "AcrDelete",
    "4abbcc35-e782-43d8-92c5-2d3f1bd2253f": "Azure Kubernetes Service Cluster User Role",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "39bc4728-0917-49c7-9d2c-d95423bc2eb4": "Security Reader",
}


def source(resource: Resource) -> str:
    return (INFRA / resource.file).read_text()


def one(type_: str) -> Resource:
    found = [each for each in resources(type_) if not each.existing]
    assert len(found) == 1, f"{type_}: {found}"
    return found[0]


def actions(resource: Resource) -> list[str]:
    (permission,) = resource.config["properties"]["permissions"]
    return [*permission["actions"], *permission["dataActions"]]


def test_every_file_is_used_and_given_what_it_asks_for() -> None:
    used = set()
    for name, path, given in modules():
        used.add(path)
        wanted = {key for key, each in trees()[path]["parameters"].items() if each["default"] is None}
        assert set(given) == wanted, name
    assert used | {"main.bicep"} == set(trees())


def test_the_parameters_file_names_the_parameters_of_main() -> None:
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    declared = trees()["main.bicep"]["parameters"]
    assert set(given) <= set(declared)
    assert {name for name, each in declared.items() if each["default"] is None} <= set(given)


def test_azd_finds_main_and_the_app() -> None:
    document = yaml.safe_load((ROOT / "azure.yaml").read_text())
    assert (ROOT / document["infra"]["path"] / f"{document['infra']['module']}.bicep").is_file()
    (service,) = document["services"]
    assert f"'azd-service-name': '{service}'" in (INFRA / "modules/app.bicep").read_text()


def test_custom_roles_are_in_one_file_and_name_every_action() -> None:
    found = [each for each in resources(ROLES) if not each.existing]
    assert {each.file for each in found} == {"modules/roles.bicep"}
    for role in found:
        assert actions(role)
        for action in actions(role):
            assert re.fullmatch(r"Microsoft(\.\w+)?\.?\w*(/\w+)+/(read|write|delete|action)", action), action
            assert "*" not in action
            assert not action.startswith("Microsoft.Authorization"), action


def test_the_role_in_clusters_is_that_of_the_example() -> None:
    (role,) = (each for each in resources(ROLES) if each.name == "workloads")
    verbs = {"get": "read", "list": "read", "patch": "write", "delete": "delete"}
    example = next(yaml.safe_load_all((ROOT / "examples/cluster/role.yaml").read_text()))
    wanted = {
        "/".join(filter(None, ["Microsoft.ContainerService/managedClusters", group, kind, verbs[verb]]))
        for rule in example["rules"]
        for group in rule["apiGroups"]
        for kind in rule["resources"]
        for verb in rule["verbs"]
    }
    assert set(actions(role)) == wanted
    assert len(actions(role)) == len(wanted)


def test_built_in_roles_are_those_that_we_know() -> None:
    found = {text for file in trees() for text in texts(trees()[file]) if UUID.fullmatch(text)}
    assert found == set(ALLOWED)
    documented = (ROOT / "docs/azure.md").read_text()
    assert [name for name in ALLOWED.values() if name not in documented] == []


@pytest.mark.parametrize("each", resources(ASSIGNMENTS), ids=lambda each: f"{each.file}:{each.name}")
def test_each_role_assignment_says_why_and_is_for_the_identity_alone(each: Resource) -> None:
    before = source(each).split(f"resource {each.name} '")[0].rstrip("\n").splitlines()
    assert before[-1].startswith("// Why: "), "say in the line above what it is needed for"
    properties = each.config["properties"]
    assert properties["principalId"] == "principalId"
    assert properties["principalType"] == "ServicePrincipal"
    assert "scope" in each.config or each.file == "modules/findings.bicep", "not on a whole resource group"


def test_storage_takes_no_key_no_old_tls_and_shows_nothing() -> None:
    properties = one("Microsoft.Storage/storageAccounts").config["properties"]
    assert properties["allowSharedKeyAccess"] is False
    assert properties["allowBlobPublicAccess"] is False
    assert properties["supportsHttpsTrafficOnly"] is True
    assert properties["minimumTlsVersion"] in ("TLS1_2", "TLS1_3")
    for container in resources("Microsoft.Storage/storageAccounts/blobServices/containers"):
        assert container.config["properties"]["publicAccess"] == "None"


def test_the_app_takes_https_only_and_no_publishing_password() -> None:
    properties = one("Microsoft.Web/sites").config["properties"]
    assert properties["httpsOnly"] is True
    site = properties["siteConfig"]
    assert (site["minTlsVersion"], site["scmMinTlsVersion"], site["ftpsState"]) == ("1.2", "1.2", "Disabled")
    authentication = properties["functionAppConfig"]["deployment"]["storage"]["authentication"]
    assert authentication["type"] == "UserAssignedIdentity"
    policies = resources("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {each.config["name"]: each.config["properties"]["allow"] for each in policies} == {
        "scm": False,
        "ftp": False,
    }


def test_the_app_runs_the_python_it_is_written_for() -> None:
    runtime = one("Microsoft.Web/sites").config["properties"]["functionAppConfig"]["runtime"]
    assert f'requires-python = ">={runtime["version"]}"' in (ROOT / "pyproject.toml").read_text()


def test_telemetry_takes_no_key() -> None:
    assert one("Microsoft.Insights/components").config["properties"]["DisableLocalAuth"] is True
    workspace = one("Microsoft.OperationalInsights/workspaces").config["properties"]
    assert workspace["features"]["disableLocalAuth"] is True


def test_the_vault_gives_by_roles_only_and_loses_no_key() -> None:
    properties = one("Microsoft.KeyVault/vaults").config["properties"]
    assert properties["enableRbacAuthorization"] is True
    assert properties["enablePurgeProtection"] is True
    assert "accessPolicies" not in properties
    key = one("Microsoft.KeyVault/vaults/keys").config["properties"]
    assert (key["kty"], key["curveName"], key["keyOps"]) == ("EC", "P-256", ["sign", "verify"])
    for each in resources(ASSIGNMENTS):
        if each.file == "modules/vault.bicep":
            assert each.config["scope"] != "vault", f"{each.name}: on single keys and secrets"


def test_the_switch_for_a_private_network_closes_storage_and_vault_and_opens_their_endpoints() -> None:
    def chosen(value: dict[str, Any]) -> tuple[str, str]:
        switch = value["operator"]["operands"]
        assert switch["condition"] == "isPrivate"
        return switch["true_value"], switch["false_value"]

    for type_ in ("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"):
        properties = one(type_).config["properties"]
        assert chosen(properties["publicNetworkAccess"]) == ("Disabled", "Enabled")
        assert chosen(properties["networkAcls"]["defaultAction"]) == ("Deny", "Allow")
    made = trees()["main.bicep"]["modules"]
    for name in ("storage", "vault"):
        assert made[name]["config"]["params"]["isPrivate"] == "privateNetwork"
    for name in ("network", "endpoints"):
        assert made[name]["config"]["condition"] == "privateNetwork"
    subnet = made["app"]["config"]["params"]["subnetId"]["operator"]["operands"]
    assert (subnet["condition"], subnet["false_value"]) == ("privateNetwork", "")
    reached = {each["kind"] for each in trees()["modules/endpoints.bicep"]["variables"]["targets"]["value"]}
    assert reached == {"blob", "queue", "table", "vault"}


def test_no_secret_has_a_default_or_leaves_by_an_output() -> None:
    secure = {"secret", "webhookSecret"}
    for file, tree in trees().items():
        for name, parameter in tree.get("parameters", {}).items():
            is_secure = any(each["type"] == "secure" for each in parameter["decorators"])
            assert is_secure == (name in secure), f"{file}: {name}"
            assert not (is_secure and parameter["default"] is not None), f"{file}: {name}"
        for name, output in tree.get("outputs", {}).items():
            said = list(texts(output["value"]))
            assert not secure & set(said), f"{file}: {name}"
            assert not any(text.startswith(("list", "getSecret")) for text in said), f"{file}: {name}"


def test_nothing_asks_azure_for_a_key() -> None:
    for file in trees():
        assert not re.search(r"\blist(Keys|Secrets|Credentials|AccountSas)\b", (INFRA / file).read_text()), file


def test_the_parameters_file_holds_no_secret() -> None:
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    assert given["webhookSecret"]["value"] == "$(secretOrRandomPassword ${AZURE_KEY_VAULT_NAME} webhook)"


def test_names_of_deployments_differ() -> None:
    names = Counter(str(module["config"].get("name", name)) for name, module in main_modules().items())
    assert [name for name, count in names.items() if count > 1] == []


def main_modules() -> dict[str, dict[str, dict[str, str]]]:
    return dict(trees()["main.bicep"]["modules"])
