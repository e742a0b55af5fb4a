// What somebody should look at; docs/runbooks.md says what to do about each. Some ask the requests that the Functions
// host logs, one for each call of a function and none left out by sampling (host.json); some the app's own metrics,
// whose names are in groundswell/telemetry/names.py. The app's own spans are requests too, and are not asked twice.
param location string
param tags object
param insightsId string
param emails array

var rules = [
  {
    name: 'failures'
    severity: 2
    text: 'Functions fail, again and again: more than ten in a quarter of an hour.'
    // 4xx: who may not, or sends nonsense
    query: 'requests | where success == false and not(resultCode startswith "4") and name != "process pushes" and not(name startswith "POST /")'
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
  {
    name: 'backlog'
    severity: 2
    text: 'Messages wait: in each minute of a quarter of an hour the oldest of a queue was older than ten minutes.'
    query: 'customMetrics | where name == "groundswell.queue.age" | extend queue = tostring(customDimensions["messaging.destination.name"]) | where not(queue endswith "-poison") | summarize least = min(value), looks = count() by queue | where least > 600 and looks >= 5'
    over: 0
    window: 'PT15M'
  }
  {
    name: 'rebuilds'
    severity: 2
    text: 'More than five rebuilds failed at one stage in half an hour: it is seldom their own fault then.'
    query: 'customMetrics | where name == "groundswell.failures" | extend stage = tostring(customDimensions["groundswell.stage"]) | summarize failed = sum(value) by stage | where failed > 5'
    over: 0
    window: 'PT30M'
  }
  {
    name: 'rollback'
    severity: 1
    text: 'A rollout was not healthy and went back to what ran before.'
    query: 'customMetrics | where name == "groundswell.rollbacks" | summarize back = sum(value) | where back > 0'
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
    description: '${each.text} What to do: docs/runbooks.md#${each.name}'
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
