// The virtual network of the switch privateNetwork: one subnet that the app sends from, one for private endpoints.
param name string
param location string
param tags object

resource closed 'Microsoft.Network/networkSecurityGroups@2024-01-01' = {
  name: 'nsg-${name}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'NothingFromTheInternet'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: 'Tcp'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.80.0.0/23'
      ]
    }
  }
}

resource appSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-01-01' = {
  parent: network
  name: 'app'
  properties: {
    addressPrefix: '10.80.0.0/24'
    networkSecurityGroup: {
      id: closed.id
    }
    delegations: [
      {
        name: 'flex'
        properties: {
          serviceName: 'Microsoft.App/environments' // what Flex Consumption runs in
        }
      }
    ]
  }
}

resource endpointsSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-01-01' = {
  parent: network
  name: 'endpoints'
  dependsOn: [
    appSubnet // subnets of one network are made one after the other
  ]
  properties: {
    addressPrefix: '10.80.1.0/26'
    networkSecurityGroup: {
      id: closed.id
    }
    privateEndpointNetworkPolicies: 'Enabled'
  }
}

output id string = network.id
output appSubnetId string = appSubnet.id
output endpointsSubnetId string = endpointsSubnet.id
