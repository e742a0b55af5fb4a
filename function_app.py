"""The Function app: every trigger of the product. `func start` and the local host both begin here."""

import azure.functions as func

from functions import http, timers, webhooks, workers
from groundswell import heap

heap.settle()
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(webhooks.blueprint)
app.register_functions(workers.blueprint)
app.register_functions(timers.blueprint)
app.register_functions(http.blueprint)
