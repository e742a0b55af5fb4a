// The roles that Azure does not have: each lists exactly what the code calls. They are made once for each
// environment, and may be assigned in the subscriptions of its registries and clusters.
targetScope = 'subscription'

@description('Makes the names unique in the tenant.')
param suffix string

@description('Where the roles may be assigned.')
param subscriptionIds array

var scopes = map(subscriptionIds, each => '/subscriptions/${each}')

resource builder 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, suffix, 'builder')
  properties: {
    roleName: 'Groundswell Builder ${suffix}'
    description: 'Starts runs of ACR Tasks, follows and cancels them; reads what a webhook has sent.'
    type: 'CustomRole'
    assignableScopes: scopes
    permissions: [
      {
        actions: [
          'Microsoft.ContainerRegistry/registries/taskruns/read' // is it started already? which are ours?
          'Microsoft.ContainerRegistry/registries/taskruns/write' // a run by a name of its own, so never twice
          'Microsoft.ContainerRegistry/registries/taskruns/delete' // the name, when nobody waits for it any more
          'Microsoft.ContainerRegistry/registries/taskruns/operationStatuses/read' // its creation takes a while
          'Microsoft.ContainerRegistry/registries/scheduleRun/action' // what a task run does when it is made
          'Microsoft.ContainerRegistry/registries/runs/read' // how far it is
          'Microsoft.ContainerRegistry/registries/runs/cancel/action' // a rebuild that was superseded
          'Microsoft.ContainerRegistry/registries/runs/listLogSasUrl/action' // why it failed
          'Microsoft.ContainerRegistry/registries/webhooks/listEvents/action' // announcements that got lost
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource workloads 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, suffix, 'workloads')
  properties: {
    roleName: 'Groundswell Workloads ${suffix}'
    description: 'The role of examples/cluster/role.yaml, in Azure RBAC for Kubernetes.'
    type: 'CustomRole'
    assignableScopes: scopes
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.ContainerService/managedClusters/apps/deployments/read'
          'Microsoft.ContainerService/managedClusters/apps/deployments/write'
          'Microsoft.ContainerService/managedClusters/apps/statefulsets/read'
          'Microsoft.ContainerService/managedClusters/apps/statefulsets/write'
          'Microsoft.ContainerService/managedClusters/apps/daemonsets/read'
          'Microsoft.ContainerService/managedClusters/apps/daemonsets/write'
          'Microsoft.ContainerService/managedClusters/batch/cronjobs/read'
          'Microsoft.ContainerService/managedClusters/batch/cronjobs/write'
          'Microsoft.ContainerService/managedClusters/pods/read' // why a rollout does not come on
          'Microsoft.ContainerService/managedClusters/pods/delete' // of a stateful set, where nothing else would
        ]
        notDataActions: []
      }
    ]
  }
}

resource commands 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, suffix, 'commands')
  properties: {
    roleName: 'Groundswell Commands ${suffix}'
    description: 'Runs commands in a private AKS cluster that cannot be reached otherwise.'
    type: 'CustomRole'
    assignableScopes: scopes
    permissions: [
      {
        actions: [
          'Microsoft.ContainerService/managedClusters/runCommand/action'
          'Microsoft.ContainerService/managedClusters/commandResults/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource signer 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, suffix, 'signer')
  properties: {
    roleName: 'Groundswell Signer ${suffix}'
    description: 'Signs with a key, and reads its public half.'
    type: 'CustomRole'
    assignableScopes: scopes
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          'Microsoft.KeyVault/vaults/keys/read' // the public half, which checks what was signed before
          'Microsoft.KeyVault/vaults/keys/sign/action'
        ]
        notDataActions: []
      }
    ]
  }
}

// By their ids without a subscription: each is assigned as a role of the subscription that it is assigned in.
output builderId string = builder.name
output workloadsId string = workloads.name
output commandsId string = commands.name
output signerId string = signer.name
