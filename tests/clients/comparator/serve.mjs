// Compares documents with pacts: a line of JSON {oas, asyncapi, pact} in, a line {results} or {error} out.
import { createInterface } from "node:readline";
import { Comparator } from "@pactflow/openapi-pact-comparator";

for await (const line of createInterface({ input: process.stdin })) {
  const { oas, asyncapi, pact } = JSON.parse(line);
  let answer;
  try {
    const results = [];
    for await (const result of new Comparator({ oas, asyncapi }).compare(pact)) results.push(result);
    answer = { results };
  } catch (error) {
    answer = { error: String(error?.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
