// The present generation for Node.js: @alicloud/eci20180808. Signs with V3.

import { createRequire } from "node:module";

import { Refused, run } from "./story.mjs";

const require = createRequire(`${process.cwd()}/`);
const eci = require("@alicloud/eci20180808");
const { Config, OpenApiRequest, Params } = require("@alicloud/openapi-client");
const { RuntimeOptions } = require("@alicloud/tea-util");

/** The SDK's own request class, from parameters under the cloud's names. */
function model(action, parameters) {
  const Request = eci[`${action}Request`];
  const wire = Object.entries(Request.names());
  const own = (name) => wire.find(([, known]) => known === name)?.[0];
  const fields = Object.entries(parameters).map(([name, value]) => {
    const field = own(name);
    if (!field) throw new Error(`${action} has no ${name}`);
    return [field, nested(Request.types()[field], value)];
  });
  return new Request(Object.fromEntries(fields));
}

/** A list of objects, each in its class. */
function nested(type, value) {
  const Item = type?.itemType;
  if (!Array.isArray(value) || typeof Item !== "function") return value;
  const names = Object.entries(Item.names());
  const own = (name) => names.find(([, known]) => known === name)[0];
  return value.map((one) => new Item(Object.fromEntries(Object.entries(one).map(([name, of]) => [own(name), of]))));
}

/** A request that no class can make, by the SDK's generic call. */
function generic(client, action, parameters) {
  const params = new Params({
    action, version: "2018-08-08", protocol: "HTTP", method: "POST", authType: "AK", style: "RPC", pathname: "/",
    reqBodyType: "json", bodyType: "json",
  });
  const flat = {};
  const put = (name, value) => {
    if (Array.isArray(value)) value.forEach((item, place) => put(`${name}.${place + 1}`, item));
    else if (value && typeof value === "object") Object.entries(value).forEach(([field, of]) => put(`${name}.${field}`, of));
    else flat[name] = String(value);
  };
  Object.entries(parameters).forEach(([name, value]) => put(name, value));
  return client.callApi(params, new OpenApiRequest({ query: flat }), new RuntimeOptions({ autoretry: false }));
}

const sdk = (place) => {
  const config = new Config({
    accessKeyId: place.keyId,
    accessKeySecret: place.secret,
    endpoint: new URL(place.url).host,
    protocol: "HTTP",
  });
  const client = new eci.default(config);
  return async (action, parameters, how) => {
    const method = `${action[0].toLowerCase()}${action.slice(1)}WithOptions`;
    try {
      if (how) return (await generic(client, action, parameters)).body;
      const answer = await client[method](model(action, parameters), new RuntimeOptions({ autoretry: false }));
      return wire(answer.body);
    } catch (error) {
      if (!error.code || !error.data) throw error;
      throw new Refused(error.code, error.data.statusCode, error.message);
    }
  };
};

/** An answer under the cloud's names again. */
function wire(body) {
  return body.toMap();
}

await run(sdk);
