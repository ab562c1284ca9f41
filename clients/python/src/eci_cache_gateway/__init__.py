"""Client of eci-cache-gateway. The generated functions are in `eci_cache_gateway.generated.api`, and its types in
`eci_cache_gateway.generated.models`."""

from .errors import GatewayError, NotReadyError, ProblemError, SignatureError
from .gateway import Gateway
from .webhooks import Challenge, receive, verify

__all__ = [
    "Challenge", "Gateway", "GatewayError", "NotReadyError", "ProblemError", "SignatureError", "receive", "verify",
]
