"""What holds for every test: hypothesis tries the same examples each time, so that a green tree stays green.

HYPOTHESIS_PROFILE=random looks for new ones.
"""

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
