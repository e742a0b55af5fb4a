// The registry tells the app of each push. ACR sends once; the reconcile timer reads its record of what was lost.
param registryName string
param location string
param webhookName string
param address string
param header string

@secure()
param secret string

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource webhook 'Microsoft.ContainerRegistry/registries/webhooks@2023-07-01' = {
  parent: registry
  name: webhookName
  location: location
  properties: {
    actions: [
      'push'
    ]
    status: 'enabled'
    serviceUri: address
    customHeaders: {
      '${header}': secret
    }
  }
}
