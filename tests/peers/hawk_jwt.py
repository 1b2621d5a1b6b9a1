"""Run by the peer's Python: what it costs its server to find out whose token it is. Arguments are the issuer and the address of its
keys; its input has tokens, one in a line. Prints the microseconds of processor time for each token the first time and later."""

import asyncio
import json
import sys
import time

import httpx
from hawk.core.auth import jwt_validator


async def check_all(tokens: list[str], issuer: str, keys: str) -> float:
    """Check each; return the microseconds for one."""
    begun = time.process_time()
    async with httpx.AsyncClient() as client:
        for token in tokens:
            await jwt_validator.validate_jwt(token, http_client=client, issuer=issuer, audience="hawk", jwks_uri=keys)
    return (time.process_time() - begun) * 1e6 / len(tokens)


async def main() -> None:
    """The first gets the keys."""
    tokens = sys.stdin.read().split()
    await check_all(tokens[:1], *sys.argv[1:])
    cold, known = [await check_all(tokens[1:], *sys.argv[1:]) for _ in range(2)]
    print(json.dumps({"cold_us": cold, "known_us": known}))


asyncio.run(main())
