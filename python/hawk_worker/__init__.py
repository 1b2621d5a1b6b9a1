"""Runs one eval set inside the job's virtualenv: from the two JSON documents of the job to a call of Inspect.

Started by the runner as `python -m hawk_worker eval-set USER_CONFIG INFRA_CONFIG`. Log lines go to stderr, as JSON when
HAWK_LOG_FORMAT is `json`.
"""

from hawk_worker import bytecode

bytecode.keep_whole()
