"""Imitates ACR Tasks: the ARM endpoint that `azure-mgmt-containerregistrytasks` speaks to, with real builds.

`service.AcrTasks` is the way in. Requests are read by `requests` and `taskfile` (pure), queued and run by `runner`,
their steps done by `steps` with buildah, each run in a store of its own (`storage`), so a run starts clean as it
does in Azure: nothing is cached between runs and a moved tag is always seen.
"""
