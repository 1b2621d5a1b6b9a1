"""Inspect Scout's own search of transcripts: scout_search.py FOLDER QUESTIONS; prints a list of [status, answer].

QUESTIONS is a file with a list of [uuid of a sample, body of the request]; FOLDER has the logs.
"""

import base64
import json
import os
import sys
import tempfile

os.environ["XDG_DATA_HOME"] = os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()  # where it keeps what was looked for

import fastapi  # noqa: E402
import fastapi.testclient  # noqa: E402
from inspect_scout._view._api_v2_search import create_search_router  # noqa: E402


def main(folder: str, questions: str) -> None:
    """Ask all questions."""
    app = fastapi.FastAPI()
    app.include_router(create_search_router())
    client = fastapi.testclient.TestClient(app, raise_server_exceptions=False)
    place = base64.urlsafe_b64encode(os.path.abspath(folder).encode()).decode().rstrip("=")
    answers = []
    with open(questions) as file:
        for uuid, body in json.load(file):
            answer = client.post(f"/transcripts/{place}/{uuid}/search", json=body)
            answers.append([answer.status_code, answer.json() if answer.status_code == 200 else None])
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
