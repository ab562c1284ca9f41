// The older generation for Node.js: @alicloud/pop-core. Signs with V1, GET and POST.

import { createRequire } from "node:module";

import { Refused, run } from "./story.mjs";

const { RPCClient } = createRequire(`${process.cwd()}/`)("@alicloud/pop-core");

const signing = (method) => (place) => {
  const client = new RPCClient({
    accessKeyId: place.keyId,
    accessKeySecret: place.secret,
    endpoint: place.url,
    apiVersion: "2018-08-08",
  });
  return async (action, parameters) => {
    try {
      return await client.request(action, parameters, { method });
    } catch (error) {
      if (!error.code || !error.data) throw error;
      throw new Refused(error.code, error.entry?.response?.statusCode, error.data.Message);
    }
  };
};

for (const method of ["GET", "POST"]) await run(signing(method));
