// Event Grid tells the app of each push, again and again for a day while the app does not answer.
param registryName string
param subscriptionName string
param address string
param header string

@secure()
param secret string

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource pushes 'Microsoft.EventGrid/eventSubscriptions@2025-02-15' = {
  name: subscriptionName
  scope: registry
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: {
      includedEventTypes: [
        'Microsoft.ContainerRegistry.ImagePushed'
      ]
    }
    retryPolicy: {
      eventTimeToLiveInMinutes: 1440
      maxDeliveryAttempts: 30
    }
    destination: {
      endpointType: 'WebHook'
      properties: {
        endpointUrl: address
        minimumTlsVersionAllowed: '1.2'
        deliveryAttributeMappings: [
          {
            name: header
            type: 'Static'
            properties: {
              value: secret
              isSecret: true
            }
          }
        ]
      }
    }
  }
}
