// openapi-ts --file openapi/generators/hey-api.config.mjs --input openapi/openapi.json --output …
// What it makes does not compile with `exactOptionalPropertyTypes`.
export default {
  // Both are given on the command line; the file must name them.
  input: "openapi/openapi.json",
  output: {
    path: "ecg",
    // Node and `"module": "NodeNext"` want it. A bundler does without.
    module: { extension: ".js" },
  },
  // The types, a function for each operation, and the client that they share: fetch, which Node has.
  plugins: ["@hey-api/typescript", "@hey-api/sdk", "@hey-api/client-fetch"],
};
