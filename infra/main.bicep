// Everything that Groundswell needs in Azure, in a resource group of its own, and its roles on the registries and
// clusters that are there already. docs/azure.md explains parameters and roles.
targetScope = 'subscription'

@description('Name of the azd environment; part of the resource group\'s name.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Region of all that is made here.')
param location string

@description('Registries that push and build: {name, resourceGroup, subscriptionId, location}.')
param registries array = []

@description('AKS clusters: {name, clusterName, resourceGroup, subscriptionId, namespaces}, perhaps via.')
param clusters array = []

@description('App settings that differ from the defaults in modules/settings.bicep, by name. Never a secret.')
param settings object = {}

@description('Settings kept in the vault, put there by hand: external-registries, clusters, git, builders, notify.')
param secrets array = []

@description('Who announces pushes. Event Grid asks the app for leave, so the app must have been deployed before.')
@allowed(['webhook', 'eventGrid'])
param pushSource string = 'webhook'

@description('What announcements must carry. azd reads it from the vault, or makes it up the first time.')
@secure()
@minLength(15)
param webhookSecret string

@description('Whether storage and vault are reached through a virtual network only.')
param privateNetwork bool = false

@description('Whether promoted images are signed with a key in the vault. What cannot be signed is not promoted.')
param sign bool = true

@description('Whether the gate reads findings of Defender for Cloud (a scanner of kind defender in the settings).')
param defender bool = false

@description('Application id of the API\'s app registration; empty: API tokens only.')
param entraAudience string = ''

@description('Who is told of alerts.')
param alertEmails array = []

@description('Most instances of each function group. Limits of builds and rollouts hold across instances.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

var token = uniqueString(subscription().id, environmentName, location)
var tags = {
  'azd-env-name': environmentName
}
var webhookName = 'groundswell${take(token, 6)}' // letters and digits only, as ACR wants it
var webhookHeader = 'X-Groundswell-Secret'
var announcing = pushSource == 'webhook' ? registries : []
var publishing = pushSource == 'eventGrid' ? registries : []
var watched = defender ? union(map(registries, each => each.subscriptionId), []) : []

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-groundswell-${environmentName}'
  location: location
  tags: tags
}

module roles 'modules/roles.bicep' = {
  name: 'groundswell-roles-${token}'
  params: {
    suffix: token
    subscriptionIds: union(
      [subscription().subscriptionId],
      map(registries, each => each.subscriptionId),
      map(clusters, each => each.subscriptionId)
    )
  }
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-groundswell-${token}'
    location: location
    tags: tags
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-groundswell-${token}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    principalId: identity.outputs.principalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'stgroundswell${take(token, 10)}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    isPrivate: privateNetwork
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    signerRoleId: roles.outputs.signerId
    webhookSecret: webhookSecret
    secrets: secrets
    sign: sign
    isPrivate: privateNetwork
  }
}

module endpoints 'modules/endpoints.bicep' = if (privateNetwork) {
  name: 'endpoints'
  scope: group
  params: {
    location: location
    tags: tags
    networkId: privateNetwork ? network.outputs.id : ''
    subnetId: privateNetwork ? network.outputs.endpointsSubnetId : ''
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
  }
}

module values 'modules/settings.bicep' = {
  name: 'settings'
  scope: group
  params: {
    registries: registries
    clusters: clusters
    overrides: settings
    secrets: secrets
    vaultUri: vault.outputs.uri
    webhookUri: vault.outputs.webhookUri
    signingKey: vault.outputs.signingKey
    webhookName: pushSource == 'webhook' ? webhookName : ''
    webhookHeader: webhookHeader
    entraAudience: entraAudience
    clientId: identity.outputs.clientId
    blobUri: storage.outputs.blobUri
    queueUri: storage.outputs.queueUri
    tableUri: storage.outputs.tableUri
    insightsConnection: monitoring.outputs.connectionString
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  dependsOn: [
    endpoints // references to the vault are resolved when the app is made
  ]
  params: {
    name: 'func-groundswell-${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    packages: storage.outputs.packages
    settings: values.outputs.all
    maximumInstances: maximumInstances
    subnetId: privateNetwork ? network.outputs.appSubnetId : ''
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    insightsId: monitoring.outputs.insightsId
    emails: alertEmails
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    location: location
    tags: tags
    insightsId: monitoring.outputs.insightsId
  }
}

module registryRoles 'modules/registry.bicep' = [for each in registries: {
  name: 'groundswell-registry-${each.name}'
  scope: resourceGroup(each.subscriptionId, each.resourceGroup)
  params: {
    registryName: each.name
    principalId: identity.outputs.principalId
    builderRoleId: roles.outputs.builderId
    takesTagsAway: values.outputs.all.GROUNDSWELL_KEEP_CANDIDATES_DAYS != '0'
  }
}]

module webhooks 'modules/webhook.bicep' = [for each in announcing: {
  name: 'groundswell-webhook-${each.name}'
  scope: resourceGroup(each.subscriptionId, each.resourceGroup)
  params: {
    registryName: each.name
    location: each.location
    webhookName: webhookName
    address: '${app.outputs.address}/webhooks/acr'
    header: webhookHeader
    secret: webhookSecret
  }
}]

module eventGrids 'modules/event-grid.bicep' = [for each in publishing: {
  name: 'groundswell-events-${each.name}'
  scope: resourceGroup(each.subscriptionId, each.resourceGroup)
  params: {
    registryName: each.name
    subscriptionName: webhookName
    address: '${app.outputs.address}/webhooks/event-grid'
    header: webhookHeader
    secret: webhookSecret
  }
}]

module clusterRoles 'modules/cluster.bicep' = [for each in clusters: {
  name: 'groundswell-cluster-${each.name}'
  scope: resourceGroup(each.subscriptionId, each.resourceGroup)
  params: {
    clusterName: each.clusterName
    namespaces: each.namespaces
    viaCommands: contains(each, 'via') && each.via == 'run-command'
    principalId: identity.outputs.principalId
    workloadsRoleId: roles.outputs.workloadsId
    commandsRoleId: roles.outputs.commandsId
  }
}]

module findings 'modules/findings.bicep' = [for each in watched: {
  name: 'groundswell-findings-${each}'
  scope: subscription(each)
  params: {
    principalId: identity.outputs.principalId
  }
}]

output AZURE_KEY_VAULT_NAME string = vault.outputs.name
output GROUNDSWELL_ADDRESS string = app.outputs.address
