// What the app may do in one AKS cluster that is there already (with Azure RBAC for Kubernetes).
param clusterName string
param namespaces array
param viaCommands bool
param principalId string
param workloadsRoleId string
param commandsRoleId string

var clusterUser = '4abbcc35-e782-43d8-92c5-2d3f1bd2253f'

resource cluster 'Microsoft.ContainerService/managedClusters@2024-05-01' existing = {
  name: clusterName
}

#disable-next-line BCP081 // a scope of roles, no resource that is deployed
resource ns 'Microsoft.ContainerService/managedClusters/namespaces@2024-05-01' existing = [for n in namespaces: {
  parent: cluster
  name: n
}]

// Why: its address and the authority it is known by (listClusterUserCredential); no right on anything within.
resource connects 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!viaCommands) {
  name: guid(cluster.id, principalId, clusterUser)
  scope: cluster
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', clusterUser)
  }
}

// Why: a private cluster that cannot be reached is asked through commands that AKS runs in it.
resource commands 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (viaCommands) {
  name: guid(cluster.id, principalId, commandsRoleId)
  scope: cluster
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', commandsRoleId)
  }
}

// Why: workloads are rolled out and watched; in the namespaces that were named, and no other.
resource rollsOut 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (each, i) in namespaces: {
  name: guid(cluster.id, each, principalId, workloadsRoleId)
  scope: ns[i]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', workloadsRoleId)
  }
}]
