"""What goes wrong, as exceptions. None of them shows a token."""


class GatewayError(Exception):
    """Base of all errors of this package."""


class ProblemError(GatewayError):
    """The gateway refused or failed a request; decide by `code`.

    `problem` is the whole of it, `status` the HTTP status. An answer of something in between that is no problem has
    the code `not_a_problem`.
    """

    def __init__(self, status, problem):
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code", "not_a_problem"))
        self.request_id = problem.get("request_id")
        self.hint = problem.get("hint")
        self.retryable = bool(problem.get("retryable", False))
        self.pointers = [field.get("pointer") for field in problem.get("errors", []) if field.get("pointer")]
        parts = [f"{status} {self.code}: {problem.get('detail', '')}", self.hint, *self.pointers]
        super().__init__("; ".join(part for part in parts if part) + f" (request {self.request_id})")


class NotReadyError(GatewayError):
    """The image cache cannot become ready without another request. `image_cache` is what it is, and why."""

    def __init__(self, image_cache):
        self.image_cache = image_cache
        failure = image_cache.get("failure") or {}
        self.cause = failure.get("cause")
        self.hint = failure.get("hint")
        why = "; ".join(part for part in (self.cause, failure.get("explanation"), self.hint) if part)
        super().__init__(f"{image_cache['id']} is {image_cache['status']}" + (f": {why}" if why else ""))


class SignatureError(GatewayError):
    """A webhook that is not to be trusted."""
