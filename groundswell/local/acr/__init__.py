"""A registry that looks like Azure Container Registry: Debian's docker-registry behind a front with ACR's own ways.

The front adds what azure-containerregistry, Docker's clients and webhook receivers find at ACR: TLS, the bearer
challenge with `/oauth2/*`, the metadata API `/acr/v1/*`, and webhooks. Manifests and blobs are docker-registry's.
"""

from groundswell.local.acr.journal import Entry, Journal
from groundswell.local.acr.service import AcrLookalike
from groundswell.local.acr.webhooks import Delivery, Target

__all__ = ["AcrLookalike", "Delivery", "Entry", "Journal", "Target"]
