"""The older generation: aliyun-python-sdk-core and aliyun-python-sdk-eci. Signs with V1."""

import importlib
import json

from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient

import story

# Setters whose names are not the parameter's.
LISTS = {
    "Image": "set_Images",
    "Tag": "set_Tags",
    "ImageRegistryCredential": "set_ImageRegistryCredentials",
    "AcrRegistryInfo": "set_AcrRegistryInfos",
}


class Sdk:
    """A client for one place."""

    # It compares the string to sign that the answer shows with its own, and tells a wrong secret from a fault of its own.
    BAD_SIGNATURE = "InvalidAccessKeySecret"
    METHOD = None

    def __init__(self, place):
        self.host = place.host
        self.client = AcsClient(place.key_id, place.secret, story.REGION, timeout=story.READ_TIMEOUT_SECONDS)

    def __call__(self, action, parameters):
        module = importlib.import_module(f"aliyunsdkeci.request.v20180808.{action}Request")
        request = getattr(module, f"{action}Request")()
        request.set_endpoint(self.host)
        request.set_protocol_type("http")
        request.set_accept_format("json")
        if self.METHOD:
            request.set_method(self.METHOD)
        for name, value in parameters.items():
            self.set(request, action, name, value)
        try:
            return json.loads(self.client.do_action_with_exception(request))
        except ServerException as error:
            raise story.Refused(error.get_error_code(), error.get_http_status(), error.get_error_msg()) from error

    def set(self, request, action, name, value):
        if name == "RegionId":
            return  # The client's own.
        if action == "DescribeImageCaches" and name == "Image":
            request.set_Image(value)
        elif name == "AcrRegistryInfo":
            request.set_AcrRegistryInfos([{**one, "Domains": one["Domain"]} for one in value])
        else:
            getattr(request, LISTS.get(name, f"set_{name}"))(value)


class Posting(Sdk):
    """The same with POST."""

    METHOD = "POST"


for kind in (Sdk, Posting):
    story.run(kind)
