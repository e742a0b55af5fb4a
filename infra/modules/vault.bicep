// The vault: the key that signs, and the secrets that app settings point to. Roles are on single keys and secrets.
param name string
param location string
param tags object
param principalId string
param signerRoleId string
param secrets array
param sign bool
param isPrivate bool

@secure()
param webhookSecret string

var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true // a key that is gone leaves images that nobody can check
    softDeleteRetentionInDays: 90
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: isPrivate ? 'Deny' : 'Allow'
    }
  }
}

resource key 'Microsoft.KeyVault/vaults/keys@2023-07-01' = if (sign) {
  parent: vault
  name: 'groundswell'
  properties: {
    kty: 'EC'
    curveName: 'P-256' // what cosign, Notation and Key Vault all have
    keyOps: [
      'sign'
      'verify'
    ]
  }
}

resource webhook 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'webhook'
  properties: {
    value: webhookSecret
    contentType: 'text/plain'
  }
}

resource byHand 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = [for each in secrets: {
  parent: vault
  name: each
}]

// Why: promoted images are signed; on this key alone, and it can do nothing else with it.
resource signs 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (sign) {
  name: guid(vault.id, 'groundswell', principalId, signerRoleId)
  scope: key
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', signerRoleId)
  }
}

// Why: the app compares what announcements carry with this secret.
resource readsWebhook 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(webhook.id, principalId, secretsUser)
  scope: webhook
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}

// Why: logins at registries, clusters, git hosts and builders of others; each secret that a setting points to.
resource readsByHand 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (each, i) in secrets: {
  name: guid(vault.id, each, principalId, secretsUser)
  scope: byHand[i]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}]

output id string = vault.id
output name string = vault.name
output uri string = vault.properties.vaultUri
// With its version, so that another secret is another setting, and read at once.
output webhookUri string = webhook.properties.secretUriWithVersion
output signingKey string = sign ? '${vault.properties.vaultUri}keys/groundswell' : ''
