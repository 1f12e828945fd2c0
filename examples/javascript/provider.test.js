// The provider: it is verified against the pacts that the broker selects, and the results are published.
import http from "node:http";
import test from "node:test";
import { Verifier } from "@pact-foundation/pact";

const {
  PACT_BROKER_TOKEN: pactBrokerToken,
  PACT_BROKER_USERNAME: pactBrokerUsername,
  PACT_BROKER_PASSWORD: pactBrokerPassword,
} = process.env;
const password = pactBrokerUsername ? { pactBrokerUsername, pactBrokerPassword } : {};
const credentials = pactBrokerToken ? { pactBrokerToken } : password;
const users = {};

const service = http.createServer((request, response) => {
  const user = users[request.url];
  response.writeHead(user ? 200 : 404, { "Content-Type": "application/json" });
  response.end(JSON.stringify(user ?? {}));
});

test("the user service honours its pacts", async () => {
  await new Promise((done) => service.listen(0, "127.0.0.1", done));
  try {
    await new Verifier({
      provider: "UserService",
      providerBaseUrl: `http://127.0.0.1:${service.address().port}`,
      pactBrokerUrl: process.env.PACT_BROKER_BASE_URL,
      ...credentials,
      consumerVersionSelectors: [{ mainBranch: true }, { deployedOrReleased: true }],
      // A new expectation of a consumer does not break this build: it is verified, but only its result is red.
      enablePending: true,
      ...(process.env.WIP_SINCE && { includeWipPactsSince: process.env.WIP_SINCE }),
      providerVersion: process.env.PROVIDER_VERSION ?? "1",
      providerVersionBranch: "main",
      publishVerificationResult: true,
      stateHandlers: {
        "UserA exists": async () => {
          users["/users/UserA"] = { name: "UserA" };
        },
      },
      logLevel: "warn",
    }).verifyProvider();
  } finally {
    service.close();
  }
});
