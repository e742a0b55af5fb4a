// What the app may do on one registry that is there already.
param registryName string
param principalId string
param builderRoleId string
param takesTagsAway bool

var acrPush = '8311e382-0749-4cb8-b61a-304f252e45ec'
var acrDelete = 'c2f4ef07-c644-48eb-af81-4b1b4947fb11'

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

// Why: manifests are read, stable tags moved, signatures and SBOMs attached. It holds all that AcrPull does.
resource pushes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, principalId, acrPush)
  scope: registry
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', acrPush)
  }
}

// Why: old tags of ours are taken away; GROUNDSWELL_KEEP_CANDIDATES_DAYS=0 does without. Never a manifest.
resource deletes 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (takesTagsAway) {
  name: guid(registry.id, principalId, acrDelete)
  scope: registry
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', acrDelete)
  }
}

// Why: builds and scans are runs of ACR Tasks.
resource builds 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, principalId, builderRoleId)
  scope: registry
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', builderRoleId)
  }
}
