// The consumer: what the client asks of the user service, and what it expects back.
import assert from "node:assert";
import test from "node:test";
import { Matchers, PactV3 } from "@pact-foundation/pact";
import { getUser } from "./client.js";

const pact = new PactV3({ consumer: "UserPage", provider: "UserService", dir: "pacts", logLevel: "warn" });

test("a user who exists", () => {
  pact
    .given("UserA exists")
    .uponReceiving("a request for UserA")
    .withRequest({ method: "GET", path: "/users/UserA" })
    .willRespondWith({
      status: 200,
      headers: { "Content-Type": "application/json" },
      body: { name: Matchers.like("UserA") },
    });
  return pact.executeTest(async (mock) => {
    assert.deepStrictEqual(await getUser(mock.url, "UserA"), { name: "UserA" });
  });
});
