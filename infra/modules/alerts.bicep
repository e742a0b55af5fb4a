// What somebody should look at. Each asks the requests that the Functions host logs: one for each call of a
// function, and none left out by sampling (host.json).
param location string
param tags object
param insightsId string
param emails array

var rules = [
  {
    name: 'failures'
    severity: 2
    text: 'Functions fail, again and again: more than ten in a quarter of an hour.'
    query: 'requests | where success == false and not(resultCode startswith "4")' // who may not, or sends nonsense
    over: 10
    window: 'PT15M'
  }
  {
    name: 'poison'
    severity: 1
    text: 'A message was given up after five tries; its rebuild or push has ended as failed.'
    query: 'requests | where name endswith "_poison"'
    over: 0
    window: 'PT15M'
  }
  {
    name: 'reconcile'
    severity: 1
    text: 'The reconcile timer has not ended well for half an hour: lost pushes are not found again.'
    query: 'requests | where name == "reconcile" and success == true | summarize n = count() | where n == 0'
    over: 0
    window: 'PT30M'
  }
  {
    name: 'sweep'
    severity: 1
    text: 'The sweep has not ended well for a quarter of an hour: what a crash left standing stays so.'
    query: 'requests | where name == "sweep" and success == true | summarize n = count() | where n == 0'
    over: 0
    window: 'PT15M'
  }
]

resource told 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'groundswell'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'groundswell'
    enabled: true
    emailReceivers: [for (each, i) in emails: {
      name: 'email-${i}'
      emailAddress: each
      useCommonAlertSchema: true
    }]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-03-15-preview' = [for each in rules: {
  name: 'groundswell-${each.name}'
  location: location
  tags: tags
  properties: {
    displayName: 'Groundswell: ${each.name}'
    description: each.text
    severity: each.severity
    enabled: true
    scopes: [
      insightsId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: each.window
    criteria: {
      allOf: [
        {
          query: each.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: each.over
        }
      ]
    }
    actions: {
      actionGroups: [
        told.id
      ]
    }
  }
}]
