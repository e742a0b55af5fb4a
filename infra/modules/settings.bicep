// Every app setting, in one place. Secrets are references to the vault. Those put there by hand are named
// without a version: a new one is read within a day, or when the app is restarted.
param registries array
param clusters array
param overrides object
param secrets array
param vaultUri string
param webhookUri string
param signingKey string
param webhookName string
param webhookHeader string
param entraAudience string
param clientId string
param blobUri string
param queueUri string
param tableUri string
param insightsConnection string

var clusterType = 'Microsoft.ContainerService/managedClusters'
var kept = '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/'

var known = [for each in registries: {
  host: toLower('${each.name}${environment().suffixes.acrLoginServer}') // so images' names begin, whatever the resource's
  place: {
    subscription: each.subscriptionId
    resource_group: each.resourceGroup
    name: each.name
    webhook: webhookName
  }
}]
var reached = [for each in clusters: {
  name: each.name
  place: {
    aks: resourceId(each.subscriptionId, each.resourceGroup, clusterType, each.clusterName)
    via: contains(each, 'via') ? each.via : ''
  }
}]

var registryPlaces = string(toObject(known, each => each.host, each => each.place))
var clusterPlaces = string(toObject(reached, each => each.name, each => each.place))

// What the settings parameter may change: the product's own defaults, written out.
var tuning = {
  GROUNDSWELL_SCANNERS: '{}'
  GROUNDSWELL_ORAS_IMAGE: ''
  GROUNDSWELL_SIGNING_CHAIN: ''
  GROUNDSWELL_SLOTS: '4'
  GROUNDSWELL_ROLLOUTS: '5'
  GROUNDSWELL_AGENT_POOLS: '{}'
  GROUNDSWELL_POLL_SECONDS: '5'
  GROUNDSWELL_SETTLE_SECONDS: '30'
  GROUNDSWELL_SETTLE_BASES: '{}'
  GROUNDSWELL_KEEP_CASCADES_DAYS: '90'
  GROUNDSWELL_KEEP_PUSHES_DAYS: '90'
  GROUNDSWELL_ARCHIVE: 'yes'
  GROUNDSWELL_KEEP_ARCHIVE_DAYS: '730'
  GROUNDSWELL_KEEP_CANDIDATES_DAYS: '30'
  GROUNDSWELL_KEEP_FORMER: '5'
  GROUNDSWELL_NOTIFY_DELAY_SECONDS: '120'
  GROUNDSWELL_NOTIFY_WINDOW_SECONDS: '3600'
  GROUNDSWELL_KEEP_NOTICES_DAYS: '90'
  GROUNDSWELL_PUBLIC_URL: ''
  GROUNDSWELL_API_RATE: '20'
  GROUNDSWELL_SOURCE_HOSTS: ''
  GROUNDSWELL_PROMETHEUS: 'no'
}

// What follows from the rest of these files, and may not be changed beside them.
var wired = {
  AZURE_CLIENT_ID: clientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnection
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
  AzureWebJobsStorage__blobServiceUri: blobUri
  AzureWebJobsStorage__queueServiceUri: queueUri
  AzureWebJobsStorage__tableServiceUri: tableUri
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: clientId
  PYTHON_THREADPOOL_THREAD_COUNT: '32' // more than a queue's batchSize and newBatchThreshold in host.json
  GROUNDSWELL_STORE__queueServiceUri: queueUri
  GROUNDSWELL_STORE__tableServiceUri: tableUri
  GROUNDSWELL_STORE__credential: 'managedidentity' // the host's queue triggers read these two
  GROUNDSWELL_STORE__clientId: clientId
  GROUNDSWELL_ARM_ENDPOINT: 'https://${split(environment().resourceManager, '/')[2]}'
  GROUNDSWELL_REGISTRIES: registryPlaces
  GROUNDSWELL_CLUSTERS: contains(secrets, 'clusters') ? '${kept}clusters)' : clusterPlaces
  GROUNDSWELL_EXTERNAL_REGISTRIES: contains(secrets, 'external-registries') ? '${kept}external-registries)' : '{}'
  GROUNDSWELL_GIT: contains(secrets, 'git') ? '${kept}git)' : '{}'
  GROUNDSWELL_NOTIFY: contains(secrets, 'notify') ? '${kept}notify)' : '{}'
  GROUNDSWELL_BUILDERS: contains(secrets, 'builders') ? '${kept}builders)' : '{}'
  GROUNDSWELL_WEBHOOK_HEADER: webhookHeader
  GROUNDSWELL_WEBHOOK_SECRET: '@Microsoft.KeyVault(SecretUri=${webhookUri})'
  GROUNDSWELL_SIGNING_KEY: signingKey
  GROUNDSWELL_ENTRA_TENANT: empty(entraAudience) ? '' : tenant().tenantId
  GROUNDSWELL_ENTRA_AUDIENCE: entraAudience
  GROUNDSWELL_ENTRA_AUTHORITY: environment().authentication.loginEndpoint
  GROUNDSWELL_TELEMETRY: 'azure' // alerts and workbook stand on it
  GROUNDSWELL_EASY_AUTH: 'no' // its header is believed only with App Service authentication in front
}

output all object = union(tuning, overrides, wired)
