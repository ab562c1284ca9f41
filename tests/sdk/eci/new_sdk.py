"""The present generation: alibabacloud_eci20180808. Signs with V3, and with V1 where it is told to."""

from alibabacloud_eci20180808 import models
from alibabacloud_eci20180808.client import Client
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions

import story

METHODS = {
    "CreateImageCache": "create_image_cache",
    "DescribeImageCaches": "describe_image_caches",
    "UpdateImageCache": "update_image_cache",
    "DeleteImageCache": "delete_image_cache",
    "ListUsage": "list_usage",
}


class Sdk:
    """A client for one place."""

    BAD_SIGNATURE = "SignatureDoesNotMatch"
    ALGORITHM = None

    def __init__(self, place):
        config = Config(
            access_key_id=place.key_id,
            access_key_secret=place.secret,
            endpoint=place.host,
            protocol="HTTP",
            region_id=story.REGION,
            signature_algorithm=self.ALGORITHM,
        )
        self.client = Client(config)

    def __call__(self, action, parameters):
        request = getattr(models, f"{action}Request")().from_map(parameters)
        options = RuntimeOptions(read_timeout=story.READ_TIMEOUT_SECONDS * 1000, autoretry=False)
        try:
            answer = getattr(self.client, f"{METHODS[action]}_with_options")(request, options)
        except Exception as error:
            code = getattr(error, "code", None)
            if not code:
                raise
            raise story.Refused(code, getattr(error, "status_code", None), error.message) from error
        return answer.body.to_map()


class SigningV1(Sdk):
    """The same with the older signature."""

    ALGORITHM = "v2"


for kind in (Sdk, SigningV1):
    story.run(kind)
