// The page to look at first: throughput, lag, failures, slots, backlog. What it asks is in ../workbook.json.
param location string
param tags object
param insightsId string

resource workbook 'Microsoft.Insights/workbooks@2022-04-01' = {
  name: guid(resourceGroup().id, 'groundswell')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Groundswell'
    category: 'workbook'
    sourceId: insightsId
    serializedData: loadTextContent('../workbook.json')
  }
}
