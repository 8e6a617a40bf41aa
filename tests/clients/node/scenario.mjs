// What the scripts share: the tool, the schema, and JSON on standard output at the end.
import { z } from "zod";

const [, , baseURL, name] = process.argv;
export { baseURL };
export const model = "claude-sonnet-4";
export const question = "Weather in Ulm and Rome?";
export const weather = { Ulm: "dry", Rome: "wet" };
export const City = z.object({ city: z.string() });
export const Address = z.object({ street: z.object({ name: z.string() }), number: z.int() });

// Run the scenario that the command line names; print what it returns.
export async function run(scenarios) {
  console.log(JSON.stringify(await scenarios[name]()));
}
