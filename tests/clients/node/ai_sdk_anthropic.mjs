// The AI SDK with @ai-sdk/anthropic: messages.
import { createAnthropic } from "@ai-sdk/anthropic";
import { runWith } from "./ai_sdk_scenarios.mjs";
import { baseURL, model } from "./scenario.mjs";

await runWith(createAnthropic({ baseURL, apiKey: "not-needed" })(model));
